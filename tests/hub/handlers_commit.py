"""How files get into a repository: preupload, commit, and what surrounds them."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from . import discussions
from .context import KIND, REPO_ID, Context, Router
from .errors import bad_request, parent_changed, revision_not_found
from .frontmatter import problems
from .gitpatterns import IgnoreRules, LfsRules
from .push import Limits, Push, apply, check_folders, check_path, read_push
from .repository import Commit, FileEntry, Repository
from .state import check_write
from .wire import Response, json_response
from .writing import check_propose, check_push, ref_of


def register(router: Router) -> None:
    repo = f"/api/{KIND}/(?P<id>{REPO_ID})"
    router.add("POST", "/api/validate-yaml", validate_yaml)
    router.add("POST", f"{repo}/preupload/(?P<rev>[^/]+)", preupload)
    router.add("POST", f"{repo}/commit/(?P<rev>[^/]+)", commit)
    router.add("POST", f"{repo}/super-squash/(?P<rev>[^/]+)", super_squash)


def validate_yaml(ctx: Context) -> Response:
    """The reply is JSON whatever the verdict; errors make it a 400."""
    errors, warnings = problems(str(ctx.request.json().get("content", "")))
    value = {
        "errors": [{"message": text} for text in errors],
        "warnings": [{"message": text} for text in warnings],
    }
    return json_response(value, 400 if errors else 200)


def _check_rights(ctx: Context, repo: Repository, revision: str) -> None:
    if ctx.request.flag("create_pr"):
        check_propose(repo, ctx.who)
    else:
        check_push(repo, ctx.who, revision)


# --- Preupload -----------------------------------------------------------------------------


def preupload(ctx: Context) -> Response:
    """How each file is to be sent, which are unwanted, and what is at their places now."""
    repo, revision = ctx.repository(), ctx.param("rev")
    _check_rights(ctx, repo, revision)
    body = ctx.request.json()
    files = body.get("files")
    if not isinstance(files, list):
        raise bad_request('"files" is required')
    if len(files) > (limit := ctx.state.settings.preupload_files):
        raise bad_request(f'"files" must contain less than or equal to {limit} items')
    with ctx.state.lock:
        head = repo.find_revision(revision)
        rules = repo.lfs_rules(head.files)
    ignore = _ignore_rules(body, head)
    rows = [_advise(ctx, item, head, rules, ignore) for item in files]
    return json_response({"files": rows, "commitOid": head.id})


def _ignore_rules(body: dict[str, Any], head: Commit) -> IgnoreRules:
    text = body.get("gitIgnore")
    if text is None and (own := head.files.get(".gitignore")):
        text = own.blob.read().decode("utf-8", "replace")
    return IgnoreRules(str(text or ""))


def _advise(
    ctx: Context, item: Any, head: Commit, rules: LfsRules, ignore: IgnoreRules
) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("size"), int):
        raise bad_request("A file has a path, a size and a sample")
    path = check_path(item.get("path"))
    try:
        sample = base64.b64decode(item.get("sample") or "", validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise bad_request(f"{path}: the sample is not base64") from None
    here = head.files.get(path)
    large = rules.is_lfs(path, item["size"])
    if not large and ctx.state.settings.sniff_binaries and _may_turn(path, rules, here):
        large = b"\0" in sample
    row: dict[str, Any] = {
        "path": path,
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": ignore.ignores(path),
    }
    if here is not None:
        row["oid"] = here.etag
    return row


def _may_turn(path: str, rules: LfsRules, here: FileEntry | None) -> bool:
    """Bytes that are no text make a file large, unless it is a regular one already or the
    repository's rules say otherwise."""
    return (here is None or here.lfs) and not rules.excludes(path)


# --- Commit --------------------------------------------------------------------------------


def commit(ctx: Context) -> Response:
    """There whole or not at all: everything is read and checked before anything changes."""
    repo, revision = ctx.repository(), ctx.param("rev")
    _check_rights(ctx, repo, revision)
    with ctx.state.lock:
        ref_of(repo, revision)  # before the body is read
    push = read_push(ctx.request.body, _limits(ctx, repo))
    with ctx.state.lock:
        repo = ctx.repository()  # it may have gone while the body came
        value = _propose(ctx, repo, push) if ctx.request.flag("create_pr") else _push(ctx, push)
    return json_response({"success": True, **value, "hookOutput": ""})


def _limits(ctx: Context, repo: Repository) -> Limits:
    settings = ctx.state.settings
    return Limits(
        settings.commit_regular_bytes,
        settings.commit_files,
        settings.files_per_folder,
        repo.lfs_threshold,
    )


def _push(ctx: Context, push: Push) -> dict[str, Any]:
    repo = ctx.repository()
    kind, name = ref_of(repo, ctx.param("rev"))
    head = repo.commits[repo.refs(kind)[name]]
    if push.parent is not None and not head.id.startswith(push.parent):
        raise parent_changed()
    made = _make(ctx, repo, head, push)
    repo.set_ref(kind, name, made.id)
    return _result(ctx, repo, made)


def _propose(ctx: Context, repo: Repository, push: Push) -> dict[str, Any]:
    """A new pull request; it begins at `parentCommit`, if there is one."""
    kind, name = ref_of(repo, ctx.param("rev"))
    head = repo.commits[repo.refs(kind)[name]]
    base = repo.find_revision(push.parent) if push.parent else head
    made = _make(ctx, repo, base, push)
    opened = discussions.open_new(ctx, repo, push.summary, push.description, is_pull=True)
    repo.set_ref("pull", str(opened.number), made.id)
    url = f"{repo.url(ctx.request.base_url)}/discussions/{opened.number}"
    return {**_result(ctx, repo, made), "pullRequestUrl": url}


def _make(ctx: Context, repo: Repository, base: Commit, push: Push) -> Commit:
    files = apply(repo, base, push)
    check_folders(files, ctx.param("rev"), ctx.state.settings.files_per_folder)
    author = ctx.who.name or "hub"
    try:
        return repo.add_commit(base.id, files, push.summary, push.description, author)
    except ValueError as error:
        raise bad_request(f"Invalid tree: {error}") from None


def _result(ctx: Context, repo: Repository, made: Commit) -> dict[str, Any]:
    url = f"{repo.url(ctx.request.base_url)}/commit/{made.id}"
    return {"commitOid": made.id, "commitUrl": url}


def super_squash(ctx: Context) -> Response:
    """The branch's tree as a single commit without parents."""
    repo, revision = ctx.repository(), ctx.param("rev")
    check_write(repo, ctx.who)
    message = str(ctx.request.json().get("message") or "")
    with ctx.state.lock:
        kind, name = ref_of(repo, revision)
        if kind not in ("branch", "pull"):
            raise revision_not_found(revision)
        files = repo.commits[repo.refs(kind)[name]].files
        title = message or f"Super-squash branch '{revision}' using huggingface_hub"
        made = repo.add_commit(None, files, title, author=ctx.who.name or "hub")
        repo.set_ref(kind, name, made.id)
    return json_response({"success": True})
