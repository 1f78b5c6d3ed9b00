"""Who may write what."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .rawclient import Answer, fetch
from .rawupload import Uploader, error_of, file, header
from .server import TestHub

REPO = "org/guarded"

MISSING = (401, "RepoNotFound", "Invalid username or password.")
READ = (403, None, "you must use a write token to upload to a repository.")
PROPOSE = (
    403,
    None,
    "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request",
)
NARROW = (403, None, "You don't have the rights for this operation")
HIDDEN = (404, "RepoNotFound", "Repository not found")
REVOKED = (401, None, "Invalid credentials in Authorization header")
FINE = (200, None, "")


@pytest.fixture
def guarded(hub: TestHub) -> Iterator[TestHub]:
    hub.admin.add_user("carol", token="hf_carol")
    hub.admin.add_user("dave", token="hf_dave")
    hub.admin.add_token("alice", "hf_alice_read", role="read")
    hub.admin.add_token("alice", "hf_alice_fine", role="fineGrained", repos=[REPO])
    hub.admin.add_token("alice", "hf_alice_other", role="fineGrained", repos=["org/repo"])
    hub.admin.create_repo(REPO, members=["dave"])
    yield hub
    hub.admin.delete_repo(REPO)
    for token in ("hf_alice_read", "hf_alice_fine", "hf_alice_other"):
        hub.admin.revoke_token(token)


def pushes(repo: Uploader) -> list[Answer]:
    return [
        repo.preupload({"a": b""}),
        repo.batch(b"object"),
        repo.commit(header(), file("a", b"")),
    ]


def proposals(repo: Uploader) -> list[Answer]:
    return [
        repo.preupload({"a": b""}, "main?create_pr=1"),
        repo.batch(b"object", ref=None),
        repo.commit(header(), revision="main?create_pr=1"),
        repo.post(repo.api("discussions"), {"title": "Draft", "pullRequest": True}),
    ]


@pytest.mark.parametrize(
    ("token", "push", "propose"),
    [
        (None, MISSING, MISSING),
        ("hf_stolen", REVOKED, REVOKED),
        ("hf_alice", FINE, FINE),
        ("hf_dave", FINE, FINE),
        ("hf_alice_fine", FINE, FINE),
        ("hf_alice_read", READ, READ),
        ("hf_bob", READ, READ),
        ("hf_carol", PROPOSE, FINE),
        ("hf_alice_other", PROPOSE, NARROW),
    ],
)
@pytest.mark.parametrize("private", [False, True])
def test_who_may_write(
    guarded: TestHub,
    token: str | None,
    push: tuple[int, str | None, str],
    propose: tuple[int, str | None, str],
    private: bool,
) -> None:
    guarded.admin.set_access(REPO, private=private)
    if private and token in ("hf_bob", "hf_carol", "hf_alice_other"):
        push = propose = HIDDEN
    repo = Uploader(guarded.endpoint, "ORG/Guarded" if push == HIDDEN else REPO, token)
    assert [error_of(answer) for answer in pushes(repo)] == [push] * 3
    assert [error_of(answer) for answer in proposals(repo)] == [propose] * 4
    made = [row["title"] for row in guarded.admin.commits(REPO)]
    assert made == (["Change"] if push == FINE else []) + ["initial commit"]


def test_missing_repositories(guarded: TestHub) -> None:
    for token, expected in ((None, MISSING), ("hf_alice", HIDDEN)):
        repo = Uploader(guarded.endpoint, "org/nowhere", token)
        assert [error_of(answer) for answer in pushes(repo) + proposals(repo)] == [expected] * 7


def test_disabled_repositories(guarded: TestHub) -> None:
    guarded.admin.set_access(REPO, disabled=True)
    repo = Uploader(guarded.endpoint, REPO)
    assert [answer.status for answer in pushes(repo)] == [403] * 3


def test_old_and_odd_names_lead_to_the_repository(guarded: TestHub) -> None:
    """Upper case counts for nothing. Old names lead there by a relative redirect, with the query,
    and 307 so that the body is sent again."""
    answer = Uploader(guarded.endpoint, "ORG/Guarded").commit(header())
    assert f"/{REPO}/commit/" in json.loads(answer.body)["commitUrl"]
    guarded.admin.move_repo(REPO, "org/former")
    guarded.admin.move_repo("org/former", REPO)
    repo = Uploader(guarded.endpoint, "org/former")
    answer = repo.commit(header(), revision="main?create_pr=1")
    assert answer.status == 307
    assert answer.get("Location") == f"/api/models/{REPO}/commit/main?create_pr=1"
    assert repo.batch(b"x").get("Location") == f"/{REPO}.git/info/lfs/objects/batch"


def test_creating_repositories(guarded: TestHub) -> None:
    def create(token: str, **body: object) -> Answer:
        data = json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"}
        return fetch(f"{guarded.endpoint}/api/repos/create", headers, "POST", data)

    answer = create("hf_alice", name="made", organization="org", type="dataset", private=True)
    assert json.loads(answer.body)["url"] == f"{guarded.endpoint}/datasets/org/made"
    facts = [repo for repo in guarded.admin.repos() if repo["id"] == "org/made"]
    assert [(repo["kind"], repo["private"]) for repo in facts] == [("dataset", True)]
    again = create("hf_alice", name="made", organization="org", type="dataset")
    assert again.status == 409
    assert json.loads(again.body)["url"] == f"{guarded.endpoint}/datasets/org/made"
    assert create("hf_alice", name="made", visibility="private").status == 200
    known = create("hf_alice_fine", name="guarded", organization="org")
    assert known.status == 409
    for token, organization in (
        ("hf_alice_read", "org"),
        ("hf_alice_fine", "org"),
        ("hf_carol", "org"),
        ("hf_alice", "acme"),
    ):
        refused = error_of(create(token, name="other", organization=organization))
        text = f'You don\'t have the rights to create a model under the namespace "{organization}"'
        assert refused == (403, None, text)
    guarded.admin.delete_repo("org/made", "dataset")
    guarded.admin.delete_repo("alice/made")
