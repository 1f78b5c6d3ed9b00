"""Whom the test Hub lets upload and where to, as the unmodified official client hears it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.official_client import ClientError, OfficialClient
from tests.support.official_uploads import (
    ALICE,
    BOB,
    add,
    commit,
    delete,
    make_folder,
    public_repo,
    titles,
)

STALE = "The branch was updated since you opened this page"


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub, client: OfficialClient) -> Iterator[str]:
    with public_repo(hub, request.node.originalname) as repo_id:
        yield repo_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "source")


def test_broken_front_matter(client: OfficialClient, hub: TestHub, repo: str, folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense mit\n---\n")
    arguments = {"repo_id": repo, "folder_path": str(folder), "token": ALICE}
    error = client.fails("upload_folder", **arguments)
    assert "Invalid metadata in README.md" in error.message
    assert len(titles(hub, repo)) == 2


def test_stale_parents(client: OfficialClient, hub: TestHub, repo: str, folder: Path) -> None:
    old = hub.admin.commits(repo)[1]["id"]
    with pytest.raises(ClientError) as refused:
        commit(client, repo, delete("old.bin"), parent_commit=old)
    assert refused.value.status == 412 and STALE in refused.value.message
    assert "old.bin" in hub.admin.files(repo)


def test_missing_targets(client: OfficialClient, hub: TestHub, repo: str, folder: Path) -> None:
    for operation, more, kind in (
        (delete("nope.txt"), {}, "EntryNotFoundError"),
        (add("x", folder / "config.json"), {"revision": "nope"}, "RevisionNotFoundError"),
    ):
        with pytest.raises(ClientError) as refused:
            commit(client, repo, operation, **more)
        assert kind in refused.value.types
    arguments = {"path_or_fileobj": str(folder / "config.json"), "path_in_repo": "x"}
    error = client.fails("upload_file", repo_id=f"{repo}-none", token=ALICE, **arguments)
    assert ("RepositoryNotFoundError" in error.types, error.status) == (True, 404)


def test_pull_requests(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path
) -> None:
    """By somebody who may only read."""
    before = hub.admin.commits(repo)
    operations = (
        add("config.json", folder / "config.json"),
        add("large.safetensors", folder / "deep/er/large.safetensors"),
    )
    info = commit(client, repo, *operations, create_pr=True, token=BOB)
    assert hub.admin.commits(repo) == before
    proposed = hub.admin.commits(repo, revision="refs/pr/1")[0]
    assert (proposed["author"], proposed["parent"]) == ("bob", before[0]["id"])
    assert proposed["changed"] == ["config.json", "large.safetensors"]
    assert info["pull_request"] == f"{hub.endpoint}/{repo}/discussions/1"
    path = client.call(
        "hf_hub_download",
        repo_id=repo,
        filename="config.json",
        revision="refs/pr/1",
        cache_dir=str(tmp_path),
    )
    assert Path(path).read_bytes() == (folder / "config.json").read_bytes()
    commit(client, repo, delete("old.bin"), revision="refs/pr/1", token=BOB)
    assert hub.admin.commits(repo, revision="refs/pr/1")[0]["deleted"] == ["old.bin"]
    draft = client.call("create_pull_request", repo_id=repo, title="By hand", token=BOB)
    assert (draft["num"], draft["status"]) == (2, "draft")


def test_who_may_not_upload(client: OfficialClient, hub: TestHub, repo: str, folder: Path) -> None:
    hub.admin.add_token("alice", "hf_alice_reads", role="read")
    hub.admin.add_token("alice", "hf_alice_fine", role="fineGrained", repos=[f"{repo}-else"])
    try:
        arguments = {"path_or_fileobj": str(folder / "small.bin"), "path_in_repo": "x.bin"}
        for token, status, text in (
            (BOB, 403, "create_pr=1"),
            ("hf_alice_reads", 403, "write token"),
            ("hf_alice_fine", 403, "create_pr=1"),
            ("hf_stolen", 401, "Invalid credentials"),
        ):
            error = client.fails("upload_file", repo_id=repo, token=token, **arguments)
            assert error.status == status and text in error.message
            error = client.fails("create_repo", repo_id=f"{repo}-theirs", token=token)
            assert error.status == status
        hub.admin.set_access(repo, private=True)
        error = client.fails("upload_file", repo_id=repo, token=BOB, **arguments)
        assert (error.status, "RepositoryNotFoundError" in error.types) == (404, True)
    finally:
        hub.admin.revoke_token("hf_alice_reads")
        hub.admin.revoke_token("hf_alice_fine")
    assert len(titles(hub, repo)) == 2
    assert hub.log.count(server="cdn", method="PUT") == 0


def test_branches(client: OfficialClient, hub: TestHub, repo: str, folder: Path) -> None:
    client.call("create_branch", repo_id=repo, branch="dev/x", token=ALICE)
    arguments = {"path_or_fileobj": str(folder / "small.bin"), "path_in_repo": "x.bin"}
    client.call("upload_file", repo_id=repo, revision="dev/x", token=ALICE, **arguments)
    assert "x.bin" in hub.admin.files(repo, revision="dev/x")
    assert "x.bin" not in hub.admin.files(repo)
    attributes = folder / "attributes"
    attributes.write_text("*.json filter=lfs\n")
    commit(client, repo, add(".gitattributes", attributes), revision="dev/x")
    commit(client, repo, add("l.json", folder / "config.json"), revision="dev/x")
    assert hub.admin.files(repo, revision="dev/x")["l.json"]["lfs"]
    client.call("super_squash_history", repo_id=repo, branch="dev/x", token=ALICE)
    assert len(hub.admin.commits(repo, revision="dev/x")) == 1
    client.call("delete_branch", repo_id=repo, branch="dev/x", token=ALICE)


def test_renamed_repositories(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path
) -> None:
    hub.admin.move_repo(repo, f"{repo}-renamed")
    commit(client, repo, add("x.bin", folder / "small.bin"))
    assert "x.bin" in hub.admin.files(f"{repo}-renamed")


def test_interruptions(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path
) -> None:
    """The client tries again; what it sends anew is what did not arrive."""
    hub.faults.add("upload_reset", after=200_000, match={"part": 2})
    hub.faults.add("status", status=503, match={"part": 3})
    if client.name != "0.36":  # which tries that only once
        hub.faults.add("status", status=500, match={"path": "complete_multipart"})
    client.call(
        "upload_file",
        repo_id=repo,
        path_or_fileobj=str(folder / "deep/er/large.safetensors"),
        path_in_repo="x.safetensors",
        token=ALICE,
    )
    sent = [(r.part, r.completed) for r in hub.log.find(server="cdn", method="PUT")]
    assert sent == [(1, True), (2, False), (2, True), (3, False), (3, True), (4, True)]
    assert hub.log.sent_again() == []
    assert hub.admin.commits(repo)[0]["changed"] == ["x.safetensors"]
