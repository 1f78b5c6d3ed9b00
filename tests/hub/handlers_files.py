"""`resolve`: the contents of files, either from here or by a redirect to the CDN."""

from __future__ import annotations

import time
import urllib.parse

from .content import disposition, serve_blob
from .context import KIND, REPO_ID, Context, Router, plural
from .errors import entry_not_found
from .repository import Commit, FileEntry, Repository
from .signing import sign
from .state import check_files
from .wire import Headers, Response, text_response

# Clients encode the slashes of a revision, but people type refs/pr/1 as it is.
_REVISION = r"(?P<rev>refs/(?:pr|convert|heads|tags)/[^/]+|[^/]+)"
_WEB_KIND = r"(?P<kind>datasets/|spaces/)?"


def register(router: Router) -> None:
    router.add("GET", f"/{_WEB_KIND}(?P<id>{REPO_ID})/resolve/{_REVISION}/(?P<file>.+)", resolve)
    router.add("GET", f"/{_WEB_KIND}(?P<id>{REPO_ID})/raw/{_REVISION}/(?P<file>.+)", raw)
    cached = f"/api/resolve-cache/{KIND}/(?P<id>{REPO_ID})/(?P<rev>[0-9a-f]{{40}})/(?P<file>.+)"
    router.add("GET", cached, resolve_cache)


def resolve(ctx: Context) -> Response:
    repo, commit, entry = _find(ctx)
    settings = ctx.state.settings
    if entry.lfs or settings.cdn_for_regular:
        return _to_cdn(ctx, repo, commit, entry)
    if settings.resolve_cache:
        return _to_cache(repo, commit, entry)
    return _serve(ctx, commit, entry)


def resolve_cache(ctx: Context) -> Response:
    """Where `resolve` sends clients for regular files if the settings say so."""
    _, commit, entry = _find(ctx)
    return _serve(ctx, commit, entry)


def raw(ctx: Context) -> Response:
    """What git has: the pointer, for LFS files."""
    _, commit, entry = _find(ctx)
    blob = entry.pointer if entry.lfs else entry.blob
    return serve_blob(ctx.request, blob, entry.oid, [("X-Repo-Commit", commit.id)])


def _find(ctx: Context) -> tuple[Repository, Commit, FileEntry]:
    repo = ctx.repository()
    check_files(repo, ctx.who, ctx.request.base_url)
    with ctx.state.lock:
        commit = repo.find_revision(ctx.param("rev"))
    entry = commit.files.get(ctx.param("file"))
    if entry is None:
        raise entry_not_found(commit.id)
    ctx.exchange.record.blob = entry.etag
    return repo, commit, entry


def _serve(ctx: Context, commit: Commit, entry: FileEntry) -> Response:
    fields = [("X-Repo-Commit", commit.id), ("Content-Disposition", disposition(entry.path))]
    return serve_blob(ctx.request, entry.blob, entry.etag, fields)


def _redirect(commit: Commit, entry: FileEntry, status: int, location: str) -> Response:
    # The text makes Content-Length differ from the file's size, as on the real Hub.
    response = text_response(f"Found. Redirecting to {location}", status)
    response.headers = Headers(
        [
            *response.headers,
            ("Location", location),
            ("X-Repo-Commit", commit.id),
            ("X-Linked-Size", str(entry.blob.size)),
            ("X-Linked-Etag", f'"{entry.etag}"'),
            ("Accept-Ranges", "bytes"),
        ]
    )
    return response


def _to_cdn(ctx: Context, repo: Repository, commit: Commit, entry: FileEntry) -> Response:
    state = ctx.state
    if state.settings.outside_cdn:
        location = f"{state.settings.outside_cdn}/{entry.etag}"
        return _redirect(commit, entry, state.settings.redirect_status, location)
    path = f"/{plural(repo.kind)}/{repo.id}/{entry.etag}/{urllib.parse.quote(entry.path)}"
    with state.lock:
        state.cdn_objects[entry.etag] = entry.blob
        key, lifetime = state.signing_key, state.settings.url_lifetime
    expires = time.time() + (-60 if ctx.exchange.expired_url else lifetime)
    location = ctx.cdn_url + sign(key, path, expires, entry.path)
    return _redirect(commit, entry, state.settings.redirect_status, location)


def _to_cache(repo: Repository, commit: Commit, entry: FileEntry) -> Response:
    path = f"/api/resolve-cache/{plural(repo.kind)}/{repo.id}/{commit.id}/"
    path += urllib.parse.quote(entry.path)
    # The query is only decoration: the official client drops it.
    return _redirect(commit, entry, 307, f"{path}?etag=%22{entry.etag}%22")
