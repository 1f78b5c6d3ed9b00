"""Who may change a branch, who may only propose a change, and what a revision to write to is."""

from __future__ import annotations

from .errors import forbidden, repo_not_found, revision_not_found
from .repository import Repository
from .state import is_member
from .users import Identity

_READ_TOKEN = "you must use a write token to upload to a repository."
_PROPOSE = "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request"


def check_push(repo: Repository, who: Identity, revision: str | None) -> None:
    """Raises unless `who` may add commits to a ref of a visible repo. The author of a pull request
    may do so on its ref."""
    _check_token(who)
    if is_member(repo, who):
        return
    number = (revision or "").removeprefix("refs/pr/")
    opened = repo.discussions.get(int(number)) if number.isdecimal() else None
    if opened is None or opened.author != who.name or _narrow(repo, who):
        raise forbidden(_PROPOSE)


def check_propose(repo: Repository, who: Identity) -> None:
    """Raises unless `who` may open a pull request: anybody who sees the repo, with a token that
    writes."""
    _check_token(who)
    if _narrow(repo, who):
        raise forbidden()


def _check_token(who: Identity) -> None:
    if who.anonymous:
        raise repo_not_found(anonymous=True)
    if not who.can_write:
        raise forbidden(_READ_TOKEN)


def _narrow(repo: Repository, who: Identity) -> bool:
    return who.token is not None and not who.token.is_for(repo.id)


def ref_of(repo: Repository, revision: str) -> tuple[str, str]:
    """Kind and name of the ref that a commit would move; tags and commit ids are none."""
    for prefix, kind in (
        ("", "branch"),
        ("refs/heads/", "branch"),
        ("refs/pr/", "pull"),
        ("refs/convert/", "convert"),
    ):
        name = revision.removeprefix(prefix)
        if revision.startswith(prefix) and name in repo.refs(kind):
            return kind, name
    raise revision_not_found(revision)
