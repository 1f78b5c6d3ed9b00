"""Discussions, as much of them as uploads need: pull requests are opened here."""

from __future__ import annotations

import datetime
from typing import Any

from .context import KIND, REPO_ID, Context, Router
from .errors import HubError, bad_request
from .repository import Discussion, Repository
from .wire import Response, json_response
from .writing import check_propose

_PAGE = 10
"""Discussions in one answer."""


def register(router: Router) -> None:
    base = f"/api/{KIND}/(?P<id>{REPO_ID})/discussions"
    router.add("POST", base, create)
    router.add("GET", base, listing)
    router.add("GET", f"{base}/(?P<number>[0-9]+)", details)


def open_new(
    ctx: Context,
    repo: Repository,
    title: str,
    description: str,
    is_pull: bool,
    status: str = "open",
) -> Discussion:
    """Numbers are shared by discussions and pull requests. The caller holds the lock."""
    numbers = [*repo.discussions, *(int(name) for name in repo.pulls if name.isdecimal())]
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    author = ctx.who.name or "hub"
    number = max(numbers, default=0) + 1
    opened = Discussion(number, title, description, author, date, is_pull, status)
    repo.discussions[number] = opened
    return opened


def create(ctx: Context) -> Response:
    """A pull request that is opened here is a draft at the head of main."""
    repo, body = ctx.repository(), ctx.request.json()
    check_propose(repo, ctx.who)
    title, is_pull = str(body.get("title") or "").strip(), body.get("pullRequest") is True
    if len(title) < 3:
        raise bad_request("A title has at least three characters")
    with ctx.state.lock:
        status = "draft" if is_pull else "open"
        description = str(body.get("description") or "")
        opened = open_new(ctx, repo, title, description, is_pull, status)
        if is_pull:
            repo.set_ref("pull", str(opened.number), repo.head.id)
    url = f"{repo.url(ctx.request.base_url)}/discussions/{opened.number}"
    return json_response({"num": opened.number, "pullRequest": is_pull, "url": url})


def listing(ctx: Context) -> Response:
    """Newest first; `p` is the page. Filters are those that `HfApi.get_repo_discussions` has."""
    repo, query = ctx.repository(), ctx.request.query()
    kind, status, author = (query.get(name, [""])[0] for name in ("type", "status", "author"))
    accepted = {"open": ("open", "draft"), "closed": ("closed", "merged")}.get(status)
    with ctx.state.lock:
        found = [
            _summary(repo, one)
            for one in sorted(repo.discussions.values(), key=lambda one: -one.number)
            if (kind in ("", "all") or one.is_pull == (kind == "pull_request"))
            and (accepted is None or one.status in accepted)
            and author in ("", one.author)
        ]
    start = int(query.get("p", ["0"])[0]) * _PAGE
    page = found[start : start + _PAGE]
    return json_response({"discussions": page, "count": len(found), "start": start})


def details(ctx: Context) -> Response:
    repo = ctx.repository()
    with ctx.state.lock:
        found = repo.discussions.get(int(ctx.param("number")))
        if found is None:
            raise HubError(404, "Discussion not found")
        return json_response(_describe(repo, found))


def _summary(repo: Repository, found: Discussion) -> dict[str, Any]:
    return {
        "title": found.title,
        "num": found.number,
        "author": {"name": found.author},
        "createdAt": found.date,
        "status": found.status,
        "repo": {"name": repo.id, "type": repo.kind},
        "isPullRequest": found.is_pull,
    }


def _describe(repo: Repository, found: Discussion) -> dict[str, Any]:
    author = {"name": found.author}
    text = {"raw": found.description, "html": "", "updatedAt": found.date, "author": author}
    comment = {
        "id": f"{found.number:024x}",
        "type": "comment",
        "createdAt": found.date,
        "author": author,
        "data": {"edited": False, "hidden": False, "latest": text, "history": []},
    }
    value = {**_summary(repo, found), "events": [comment]}
    if found.is_pull:
        value |= {"changes": {"base": "refs/heads/main"}, "filesWithConflicts": []}
    return value
