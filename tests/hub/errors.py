"""The Hub's error replies.

Clients decide by `X-Error-Code`, not by the status, so each error is made in one place here.
"""

from __future__ import annotations

from .wire import Response, json_response


class HubError(Exception):
    """A reply of the Hub that is not what was asked for."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        fields = [("X-Error-Message", self.message.replace("\n", " "))]
        if self.code:
            fields.insert(0, ("X-Error-Code", self.code))
        fields += list(self.headers.items())
        return json_response({"error": self.message}, self.status, fields)


class RepoMoved(Exception):
    """The repository is now called otherwise."""

    def __init__(self, new_id: str) -> None:
        super().__init__(new_id)
        self.new_id = new_id


def repo_not_found(anonymous: bool) -> HubError:
    """Missing, or not for this user: the Hub does not tell which."""
    if anonymous:
        return HubError(401, "Invalid username or password.", "RepoNotFound")
    return HubError(404, "Repository not found", "RepoNotFound")


def revision_not_found(revision: str) -> HubError:
    return HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(commit_id: str) -> HubError:
    """The commit is named because clients remember "this commit has no such file"."""
    return HubError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit_id)


def gated_repo(kind: str, repo_id: str, page: str, anonymous: bool) -> HubError:
    if anonymous:
        text = (
            f"Access to {kind} {repo_id} is restricted. You must have access to it and be"
            " authenticated to access it. Please log in."
        )
        return HubError(401, text, "GatedRepo")
    text = (
        f"Access to {kind} {repo_id} is restricted and you are not in the authorized list."
        f" Visit {page} to ask for access."
    )
    return HubError(403, text, "GatedRepo")


def gated_for_token() -> HubError:
    """The user may read it, but not with this fine-grained token."""
    text = (
        "Please enable access to public gated repositories in your fine-grained token settings"
        " to view this repository."
    )
    return HubError(403, text, "GatedRepo")


def invalid_token() -> HubError:
    return HubError(401, "Invalid credentials in Authorization header")


def disabled_repo() -> HubError:
    return HubError(403, "Access to this resource is disabled.")


def forbidden(message: str = "You don't have the rights for this operation") -> HubError:
    return HubError(403, message)


def bad_request(message: str) -> HubError:
    return HubError(400, message)


def unprocessable(message: str) -> HubError:
    return HubError(422, message)


def file_missing(path: str) -> HubError:
    return HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")


def parent_changed() -> HubError:
    text = "The branch was updated since you opened this page. Please refresh and try again."
    return HubError(412, text)


def conflict(message: str) -> HubError:
    return HubError(409, message)
