"""Changing what exists: repositories and their refs."""

from __future__ import annotations

from typing import Any

from .context import KIND, REPO_ID, Context, Router
from .errors import (
    HubError,
    bad_request,
    conflict,
    forbidden,
    repo_not_found,
    revision_not_found,
)
from .repository import KINDS, Repository
from .state import check_write
from .users import Identity
from .wire import Response, json_response


def register(router: Router) -> None:
    repo = f"/api/{KIND}/(?P<id>{REPO_ID})"
    router.add("GET", f"{repo}/refs", refs)
    router.add("POST", f"{repo}/branch/(?P<name>[^/]+)", create_branch)
    router.add("DELETE", f"{repo}/branch/(?P<name>[^/]+)", delete_branch)
    router.add("POST", f"{repo}/tag/(?P<name>[^/]+)", create_tag)
    router.add("DELETE", f"{repo}/tag/(?P<name>[^/]+)", delete_tag)
    router.add("PUT", f"{repo}/settings", change_settings)
    router.add("POST", "/api/repos/create", create)
    router.add("DELETE", "/api/repos/delete", delete)
    router.add("POST", "/api/repos/move", move)


def refs(ctx: Context) -> Response:
    repo = ctx.repository()

    def rows(names: dict[str, str], prefix: str) -> list[dict[str, str]]:
        return [{"name": n, "ref": prefix + n, "targetCommit": c} for n, c in names.items()]

    with ctx.state.lock:
        value = {
            "branches": rows(repo.branches, "refs/heads/"),
            "converts": rows(repo.converts, "refs/convert/"),
            "tags": rows(repo.tags, "refs/tags/"),
        }
        if ctx.request.flag("include_prs"):
            value["pullRequests"] = rows(repo.pulls, "refs/pr/")
    return json_response(value)


def _writable(ctx: Context) -> Repository:
    repo = ctx.repository()
    check_write(repo, ctx.who)
    return repo


def create_branch(ctx: Context) -> Response:
    repo, name = _writable(ctx), ctx.param("name")
    start = ctx.request.json().get("startingPoint") or "main"
    with ctx.state.lock:
        if name in repo.branches:
            raise conflict(f"Reference refs/heads/{name} already exists")
        repo.set_ref("branch", name, repo.find_revision(start).id)
    return json_response({"success": True})


def delete_branch(ctx: Context) -> Response:
    repo, name = _writable(ctx), ctx.param("name")
    if name == "main":
        raise forbidden("Cannot delete refs/heads/main")
    with ctx.state.lock:
        if repo.branches.pop(name, None) is None:
            raise revision_not_found(name)
    return json_response({"success": True})


def create_tag(ctx: Context) -> Response:
    """The path names the target; the tag's own name is in the body."""
    repo, target = _writable(ctx), ctx.param("name")
    tag = ctx.request.json().get("tag")
    if not isinstance(tag, str) or not tag:
        raise bad_request("A tag needs a name")
    with ctx.state.lock:
        if tag in repo.tags:
            raise conflict(f"Tag reference exists already: refs/tags/{tag}")
        repo.set_ref("tag", tag, repo.find_revision(target).id)
    return json_response({"success": True})


def delete_tag(ctx: Context) -> Response:
    repo, name = _writable(ctx), ctx.param("name")
    with ctx.state.lock:
        if repo.tags.pop(name, None) is None:
            raise revision_not_found(name)
    return json_response({"success": True})


def change_settings(ctx: Context) -> Response:
    repo, body = _writable(ctx), ctx.request.json()
    with ctx.state.lock:
        if "gated" in body:
            if body["gated"] not in ("auto", "manual", False):
                raise bad_request("gated is auto, manual or false")
            repo.gated = body["gated"] or None
        if "visibility" in body or "private" in body:
            repo.private = _wants_private(body)
    return json_response({"private": repo.private, "gated": repo.gated or False})


def _wants_private(body: dict[str, Any]) -> bool:
    """Clients before 1.8 send a boolean instead of a visibility."""
    return body.get("visibility") == "private" or body.get("private") is True


def _named(ctx: Context, body: dict[str, Any]) -> tuple[str, str, str]:
    """Kind, id and address of the repository that a body is about."""
    if ctx.who.anonymous:
        raise repo_not_found(anonymous=True)
    kind = body.get("type") or "model"
    if kind not in KINDS:
        raise bad_request(f"Unknown repository type {kind}")
    name, organization = body.get("name"), body.get("organization")
    if not isinstance(name, str) or not name:
        raise bad_request("A repository needs a name")
    repo_id = name if "/" in name else f"{organization or ctx.who.name}/{name}"
    prefix = "" if kind == "model" else f"{kind}s/"
    return kind, repo_id, f"{ctx.request.base_url}/{prefix}{repo_id}"


def _may_create(who: Identity, repo_id: str) -> bool:
    """A fine-grained token creates nothing; for its own repositories it learns that they exist."""
    if who.token is None or not who.token.is_for(repo_id):
        return False
    return who.can_write and who.belongs_to(repo_id.partition("/")[0])


def create(ctx: Context) -> Response:
    body = ctx.request.json()
    kind, repo_id, url = _named(ctx, body)
    if not _may_create(ctx.who, repo_id):
        namespace = repo_id.partition("/")[0]
        text = f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"'
        raise forbidden(text)
    with ctx.state.lock:
        if ctx.state.find(kind, repo_id) is not None:
            text = f"You already created this {kind} repo: {repo_id}"
            return json_response({"error": text, "url": url}, 409, [("X-Error-Message", text)])
        repo = ctx.state.create(kind, repo_id)
        repo.private = _wants_private(body)
    return json_response({"url": url, "name": repo_id, "id": repo_id})


def delete(ctx: Context) -> Response:
    kind, repo_id, _ = _named(ctx, ctx.request.json())
    check_write(ctx.state.visible(kind, repo_id, ctx.who), ctx.who)
    ctx.state.delete(kind, repo_id)
    return json_response({"success": True})


def move(ctx: Context) -> Response:
    body = ctx.request.json()
    kind = body.get("type") or "model"
    old, new = str(body.get("fromRepo")), str(body.get("toRepo"))
    check_write(ctx.state.visible(kind, old, ctx.who), ctx.who)
    if not ctx.who.belongs_to(new.partition("/")[0]):
        raise forbidden()
    try:
        ctx.state.move(kind, old, new)
    except ValueError as error:
        raise HubError(409, str(error)) from None
    return json_response({"success": True})
