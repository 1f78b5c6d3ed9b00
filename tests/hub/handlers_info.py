"""What a repository is and what it holds: info, trees, paths, commits, lists of repositories."""

from __future__ import annotations

import base64
import urllib.parse
from typing import Any

from .context import KIND, REPO_ID, Context, Router
from .errors import HubError, bad_request, entry_not_found
from .repository import Commit, FileEntry, Repository
from .state import is_member
from .users import stable_id
from .wire import Response, json_response

_MAX_PATHS = 1000

# What `expand` may name. Note that spaces have no "gated".
_OF_ALL = "author cardData createdAt disabled lastModified likes private resourceGroup sha"
_OF_ALL += " siblings tags trendingScore usedStorage"
_EXPANDABLE = {
    "model": frozenset(
        f"{_OF_ALL} baseModels childrenModelCount config downloads downloadsAllTime evalResults"
        " gated gguf inference inferenceProviderMapping library_name mask_token model-index"
        " pipeline_tag safetensors spaces transformersInfo widgetData".split()
    ),
    "dataset": frozenset(
        f"{_OF_ALL} citation description downloads downloadsAllTime gated mainSize"
        " paperswithcode_id".split()
    ),
    "space": frozenset(
        f"{_OF_ALL} datasets models region runtime sdk subdomain xetEnabled".split()
    ),
}


def register(router: Router) -> None:
    repo = f"/api/{KIND}/(?P<id>{REPO_ID})"
    router.add("GET", f"{repo}/revision/(?P<rev>[^/]+)", info)
    router.add("GET", f"{repo}/tree/(?P<rev>[^/]+)(?:/(?P<path>.+))?", tree)
    router.add("POST", f"{repo}/paths-info/(?P<rev>[^/]+)", paths_info)
    router.add("GET", f"{repo}/commits/(?P<rev>[^/]+)", commits)
    router.add("GET", f"/api/{KIND}", search)


def register_last(router: Router) -> None:
    """`/api/models/a/b` would also match `/api/models/a/refs`, so it comes after the others."""
    router.add("GET", f"/api/{KIND}/(?P<id>{REPO_ID})", info)


def info(ctx: Context) -> Response:
    repo = ctx.repository()
    with ctx.state.lock:
        revision = ctx.param("rev") if "rev" in ctx.params.groupdict() else "main"
        commit = repo.find_revision(revision)
        value = repo_info(repo, commit, with_blobs=ctx.request.flag("blobs"))
    if wanted := ctx.request.query().get("expand"):
        if unknown := sorted(set(wanted) - _EXPANDABLE[repo.kind]):
            raise bad_request(f"Invalid option: {unknown[0]} cannot be expanded")
        value = {key: value[key] for key in ("_id", "id", *wanted) if key in value}
    return json_response(value, headers=[("X-Repo-Commit", commit.id)])


def repo_info(repo: Repository, commit: Commit, with_blobs: bool = False) -> dict[str, Any]:
    """The info object, with the files of `commit`."""
    value: dict[str, Any] = {
        "_id": stable_id(repo.kind, repo.id),
        "id": repo.id,
        "author": repo.namespace or None,
        "sha": commit.id,
        "lastModified": commit.date,
        "createdAt": repo.created_at,
        "private": repo.private,
        "gated": repo.gated or False,
        "disabled": repo.disabled,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [_sibling(entry, with_blobs) for entry in commit.files.values()],
        "usedStorage": sum(entry.blob.size for entry in commit.files.values()),
    }
    if repo.kind == "model":
        value["modelId"] = repo.id
    if repo.kind == "space":
        value["sdk"] = "static"
    return value


def _sibling(entry: FileEntry, with_blobs: bool) -> dict[str, Any]:
    value: dict[str, Any] = {"rfilename": entry.path}
    if with_blobs:
        value.update(size=entry.blob.size, blobId=entry.oid)
        if entry.lfs:
            value["lfs"] = {
                "sha256": entry.blob.sha256,
                "size": entry.blob.size,
                "pointerSize": entry.pointer.size,
            }
    return value


def tree(ctx: Context) -> Response:
    repo = ctx.repository()
    with ctx.state.lock:
        commit = repo.find_revision(ctx.param("rev"))
        commit_table = dict(repo.commits)
    folder = (ctx.param("path") if ctx.params.group("path") else "").strip("/")
    if folder not in commit.folders:
        raise entry_not_found(commit.id)
    recursive, expand = ctx.request.flag("recursive"), ctx.request.flag("expand")
    paths = list_folder(commit, folder, recursive)
    settings = ctx.state.settings
    size = settings.expanded_page_size if expand else settings.page_size
    start = _cursor_position(ctx, paths)
    page = paths[start : start + size]
    headers = [("X-Repo-Commit", commit.id)]
    if start + size < len(paths):
        headers.append(("Link", f'<{_next_url(ctx, page[-1])}>; rel="next"'))
    entries = [_tree_entry(commit, path, commit_table if expand else None) for path in page]
    return json_response(entries, headers=headers)


def list_folder(commit: Commit, folder: str, recursive: bool) -> list[str]:
    """Paths of files and folders below `folder`, sorted."""
    prefix = f"{folder}/" if folder else ""
    below = [path for path in (*commit.folders, *commit.files) if path and path.startswith(prefix)]
    if not recursive:
        below = [path for path in below if "/" not in path[len(prefix) :]]
    return sorted(below)


def _cursor_position(ctx: Context, paths: list[str]) -> int:
    cursor = ctx.request.query().get("cursor", [""])[0]
    if not cursor:
        return 0
    try:
        last = base64.urlsafe_b64decode(cursor).decode()
        return paths.index(last) + 1
    except ValueError:
        raise bad_request("Invalid cursor") from None


def _next_url(ctx: Context, last: str) -> str:
    query = [(k, v) for k, values in ctx.request.query().items() for v in values if k != "cursor"]
    query.append(("cursor", base64.urlsafe_b64encode(last.encode()).decode()))
    return f"{ctx.request.base_url}{ctx.request.path}?{urllib.parse.urlencode(query)}"


def _tree_entry(commit: Commit, path: str, history: dict[str, Commit] | None) -> dict[str, Any]:
    """`history` is given when the last commit of the entry is wanted as well."""
    entry = commit.files.get(path)
    if entry is None:
        value: dict[str, Any] = {
            "type": "directory",
            "oid": commit.folders[path],
            "size": 0,
            "path": path,
        }
    else:
        value = {"type": "file", "oid": entry.oid, "size": entry.blob.size, "path": path}
        if entry.lfs:
            value["lfs"] = {
                "oid": entry.blob.sha256,
                "size": entry.blob.size,
                "pointerSize": entry.pointer.size,
            }
    if history is not None:
        last = _last_change(commit, path, history)
        value["lastCommit"] = {"id": last.id, "title": last.title, "date": last.date}
        if entry is not None:
            scans = {"avScan": None, "pickleImportScan": None}
            value["securityFileStatus"] = {"status": "unscanned", **scans}
    return value


def _last_change(commit: Commit, path: str, history: dict[str, Commit]) -> Commit:
    if path in commit.changed_in:
        return history[commit.changed_in[path]]
    inside = {commit.changed_in[name] for name in commit.files if name.startswith(path + "/")}
    return max((history[name] for name in inside), key=lambda change: change.date)


def paths_info(ctx: Context) -> Response:
    """The body is form-encoded; some programs send JSON, which the Hub takes as well."""
    repo = ctx.repository()
    if "json" in (ctx.request.headers.get("Content-Type") or ""):
        body = ctx.request.json()
        paths, expand = list(body.get("paths", [])), bool(body.get("expand"))
    else:
        form = urllib.parse.parse_qs(ctx.request.body.read_all().decode(), keep_blank_values=True)
        paths = form.get("paths", [])
        expand = form.get("expand", ["false"])[0].lower() in ("true", "1")
    if len(paths) > _MAX_PATHS:
        raise HubError(413, f"At most {_MAX_PATHS} paths per request")
    with ctx.state.lock:
        commit = repo.find_revision(ctx.param("rev"))
        history = dict(repo.commits) if expand else None
    known = [p for p in paths if p in commit.files or (p and p in commit.folders)]
    return json_response([_tree_entry(commit, path, history) for path in known])


def commits(ctx: Context) -> Response:
    repo = ctx.repository()
    formatted = "formatted" in ctx.request.query().get("expand[]", [])
    rows: list[dict[str, Any]] = []
    with ctx.state.lock:
        at: Commit | None = repo.find_revision(ctx.param("rev"))
        while at is not None:
            row: dict[str, Any] = {
                "id": at.id,
                "title": at.title,
                "message": at.message,
                "date": at.date,
                "authors": [{"user": at.author, "avatar": f"/avatars/{at.author}.svg"}],
            }
            if formatted:
                row["formatted"] = {"title": at.title, "message": at.message}
            rows.append(row)
            at = repo.commits[at.parent] if at.parent else None
    size = ctx.state.settings.commits_page_size
    page = int(ctx.request.query().get("p", ["0"])[0])
    headers = [("X-Total-Count", str(len(rows)))]
    if (page + 1) * size < len(rows):
        url = f"{ctx.request.base_url}{ctx.request.path}?p={page + 1}"
        headers.append(
            ("Link", f'<{url}{"&expand%5B%5D=formatted" if formatted else ""}>; rel="next"')
        )
    return json_response(rows[page * size : (page + 1) * size], headers=headers)


def search(ctx: Context) -> Response:
    """Only what finding one's own repositories needs: author, search words, limit."""
    query = ctx.request.query()
    author = query.get("author", [""])[0].lower()
    words = [word.lower() for word in query.get("search", [])]
    limit = int(query.get("limit", ["1000"])[0])
    with ctx.state.lock:
        found = [
            repo_info(repo, repo.head)
            for repo in ctx.state.repositories()
            if repo.kind == ctx.kind
            and (not repo.private or is_member(repo, ctx.who))
            and author in ("", repo.namespace.lower())
            and all(word in repo.id.lower() for word in words)
        ]
    if query.get("full", [""])[0].lower() != "true":
        for row in found:
            del row["siblings"]
    return json_response(found[:limit])
