"""Who may see and read what, as the unmodified official client hears it from the test Hub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.official_client import OfficialClient

ALICE, BOB, NOBODY = "hf_alice", "hf_bob", False


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub, client: OfficialClient) -> Iterator[str]:
    """A public model of this test's own."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    repo_id = f"wonderland/access-{name}"
    hub.admin.create_repo(repo_id, files={"config.json": "{}", "w.bin": {"random": 100_000}})
    yield repo_id
    for kept in hub.admin.repos():
        if kept["id"].startswith(repo_id):
            hub.admin.delete_repo(kept["id"])


def verdict(client: OfficialClient, function: str, token: Any, **arguments: Any) -> Any:
    """The result of a call, or what it raised: the class's name and the status."""
    try:
        return client.call(function, token=token, **arguments)
    except Exception as error:
        return getattr(error, "types", [type(error).__name__])[0], getattr(error, "status", None)


def checks(client: OfficialClient, repo: str) -> list[Any]:
    return [verdict(client, "auth_check", token, repo_id=repo) for token in (NOBODY, BOB, ALICE)]


def standing(client: OfficialClient, repo: str, token: Any = NOBODY) -> tuple[bool, Any, bool]:
    wanted = ["private", "gated", "disabled"]
    info = client.call("repo_info", repo_id=repo, token=token, expand=wanted)
    return info["private"], info["gated"], info["disabled"]


def test_public_is_for_all(client: OfficialClient, repo: str) -> None:
    assert checks(client, repo) == [None, None, None]
    assert standing(client, repo) == (False, False, False)


def test_expanded_info_tells_nothing_else(client: OfficialClient, repo: str) -> None:
    info = client.call("repo_info", repo_id=repo, token=NOBODY, expand=["private", "gated"])
    assert (info["id"], info["sha"], info["siblings"]) == (repo, None, None)


def test_gated_shows_its_page_only(client: OfficialClient, hub: TestHub, repo: str) -> None:
    hub.admin.set_access(repo, gated="manual")
    assert standing(client, repo) == (False, "manual", False)
    assert client.call("list_repo_files", repo_id=repo, token=NOBODY)
    refused = [("GatedRepoError", 401), ("GatedRepoError", 403)]
    assert checks(client, repo) == [*refused, None]
    hub.admin.grant(repo, "bob")
    assert checks(client, repo) == [refused[0], None, None]
    hub.admin.withdraw(repo, "bob")
    assert checks(client, repo) == [*refused, None]


def test_private_is_not_there(client: OfficialClient, hub: TestHub, repo: str) -> None:
    unknown = [("RepositoryNotFoundError", 401), ("RepositoryNotFoundError", 404)]
    hub.admin.set_access(repo, private=True)
    assert checks(client, repo) == [*unknown, None]
    assert standing(client, repo, ALICE) == (True, False, False)
    for function in ("repo_info", "list_repo_files", "list_repo_refs"):
        assert [
            verdict(client, function, token, repo_id=repo) for token in (NOBODY, BOB)
        ] == unknown
    # Just like one that does not exist.
    assert checks(client, "wonderland/access-nowhere")[:2] == unknown
    hub.admin.set_access(repo, private=False)
    assert checks(client, repo) == [None, None, None]


def test_disabled_is_for_nobody(client: OfficialClient, hub: TestHub, repo: str) -> None:
    hub.admin.set_access(repo, disabled=True)
    assert checks(client, repo) == [("DisabledRepoError", 403)] * 3


def test_renamed_is_followed(client: OfficialClient, hub: TestHub, repo: str) -> None:
    hub.admin.set_access(repo, gated="auto")
    hub.admin.grant(repo, "bob")
    hub.admin.move_repo(repo, f"{repo}-moved")
    assert checks(client, repo) == [("GatedRepoError", 401), None, None]
    assert client.call("repo_info", repo_id=repo, token=NOBODY)["id"] == f"{repo}-moved"
    hub.admin.set_access(f"{repo}-moved", private=True)
    assert checks(client, repo)[:2] == [
        ("RepositoryNotFoundError", 401),
        ("RepositoryNotFoundError", 404),
    ]


def test_deleted_is_not_there(client: OfficialClient, hub: TestHub, repo: str) -> None:
    hub.admin.delete_repo(repo)
    assert checks(client, repo) == [
        ("RepositoryNotFoundError", 401),
        ("RepositoryNotFoundError", 404),
        ("RepositoryNotFoundError", 404),
    ]


def test_revoked_tokens_open_nothing(client: OfficialClient, hub: TestHub, repo: str) -> None:
    hub.admin.add_token("alice", "hf_short_lived", label="short-lived")
    assert verdict(client, "auth_check", "hf_short_lived", repo_id=repo) is None
    hub.admin.revoke_token("short-lived")
    # Not even what is public: a token that is shown must be good.
    for function in ("auth_check", "repo_info"):
        assert verdict(client, function, "hf_short_lived", repo_id=repo) == ("HfHubHTTPError", 401)
    error = client.fails("auth_check", token="hf_short_lived", repo_id=repo)
    assert "Invalid credentials in Authorization header" in error.message
    assert verdict(client, "whoami", "hf_short_lived")[1] == 401


def test_fine_grained_tokens(client: OfficialClient, hub: TestHub, repo: str) -> None:
    hub.admin.set_access(repo, private=True)
    hub.admin.add_token("alice", "hf_fine", role="fineGrained", label="fine", repos=[repo])
    hub.admin.add_token("alice", "hf_narrow", role="fineGrained", label="narrow")
    try:
        assert verdict(client, "auth_check", "hf_fine", repo_id=repo) is None
        assert verdict(client, "auth_check", "hf_narrow", repo_id=repo)[1] == 404
        me = client.call("whoami", token="hf_fine")
        token = me["auth"]["accessToken"]
        assert (me["name"], token["displayName"], token["role"]) == ("alice", "fine", "fineGrained")
        assert [row["entity"]["name"] for row in token["fineGrained"]["scoped"]] == [repo]
    finally:
        hub.admin.revoke_token("fine")
        hub.admin.revoke_token("narrow")


def test_questions_can_be_counted(client: OfficialClient, hub: TestHub, repo: str) -> None:
    checks(client, repo)
    assert hub.log.count(path_matches="/auth-check$", repo=f"models/{repo}") == 3
    assert hub.log.count(path_matches="/auth-check$", token="bob-1") == 1
    standing(client, repo)
    assert hub.log.count(query_matches="expand=private", user=None) == 1
