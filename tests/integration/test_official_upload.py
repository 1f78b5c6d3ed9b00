"""The unmodified official client uploads to the test Hub.

What our own client is tested against has to be right for this one first. Xet is off: the test Hub
has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.official_client import ClientError, OfficialClient
from tests.support.official_uploads import (
    ALICE,
    add,
    commit,
    copy,
    delete,
    make_folder,
    public_repo,
    titles,
)


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub, client: OfficialClient) -> Iterator[str]:
    with public_repo(hub, request.node.originalname) as repo_id:
        yield repo_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "source")


def check_download(
    client: OfficialClient, repo: str, folder: Path, cache: Path, names: set[str], **more: Any
) -> None:
    """What came up comes down again, byte by byte."""
    arguments = {"repo_id": repo, "cache_dir": str(cache), **more}
    found = Path(client.call("snapshot_download", **arguments))
    for name in names:
        assert (found / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.parametrize(
    "name", ["small.bin", "deep/er/large.safetensors", "config.json", "empty.bin"]
)
def test_single_files(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path, name: str
) -> None:
    arguments = {"path_or_fileobj": str(folder / name), "path_in_repo": f"in/{name}"}
    arguments |= {"repo_id": repo, "token": ALICE}
    client.call("upload_file", commit_description="Because", **arguments)
    newest = hub.admin.commits(repo)[0]
    assert newest["title"] == f"Upload in/{name} with huggingface_hub"
    assert (newest["message"], newest["author"]) == ("Because", "alice")
    assert newest["changed"] == [f"in/{name}"]
    size = (folder / name).stat().st_size
    sent = hub.log.find(server="cdn", method="PUT")
    assert sum(record.bytes_received for record in sent) == (size if size > 50_000 else 0)
    assert [record.part for record in sent] == (
        [1, 2, 3, 4] if size > 1_000_000 else [None] if size > 50_000 else []
    )
    found = client.call(
        "hf_hub_download", repo_id=repo, filename=f"in/{name}", cache_dir=str(tmp_path)
    )
    assert Path(found).read_bytes() == (folder / name).read_bytes()

    client.call("upload_file", **arguments)
    assert hub.admin.commits(repo)[0] == newest  # nothing to do
    assert hub.log.count(path_matches="/commit/") == 1
    assert hub.log.sent_again() == []


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_folders_of_every_kind(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path, kind: str
) -> None:
    new = f"{repo}-new"
    space = {"space_sdk": "static"} if kind == "space" else {}
    client.call("create_repo", repo_id=new, repo_type=kind, private=True, token=ALICE, **space)
    client.call("create_repo", repo_id=new, repo_type=kind, token=ALICE, exist_ok=True, **space)
    client.call("upload_folder", repo_id=new, repo_type=kind, folder_path=str(folder), token=ALICE)
    wanted = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    wanted.remove("train.log")
    files = hub.admin.files(new, kind)
    assert set(files) == wanted | {".gitattributes"}
    large = {name for name, facts in files.items() if facts["lfs"]}
    assert large == {"small.bin", "deep/er/large.safetensors"}
    check_download(client, new, folder, tmp_path, wanted, repo_type=kind, token=ALICE)
    assert hub.log.count(path_matches="validate-yaml", status=200) > 0


def test_folders_with_deletions(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path
) -> None:
    client.call(
        "upload_folder",
        repo_id=repo,
        folder_path=str(folder),
        ignore_patterns=["*.safetensors"],
        delete_patterns=["logs/*", "*.bin"],
        commit_message="Replace",
        token=ALICE,
    )
    newest = hub.admin.commits(repo)[0]
    assert newest["title"] == "Replace"
    assert newest["deleted"] == ["logs/1.txt", "old.bin"]
    assert "deep/er/large.safetensors" not in hub.admin.files(repo)
    check_download(client, repo, folder, tmp_path, {"small.bin", "config.json"})


def test_an_unchanged_folder(client: OfficialClient, hub: TestHub, repo: str, folder: Path) -> None:
    (folder / "train.log").unlink()
    arguments = {"repo_id": repo, "folder_path": str(folder), "token": ALICE}
    client.call("upload_folder", **arguments)
    before = hub.admin.commits(repo)
    sent = hub.log.bytes_received(server="cdn")
    client.call("upload_folder", **arguments)
    assert hub.admin.commits(repo) == before
    assert hub.log.bytes_received(server="cdn") == sent


def test_commits_of_everything(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path
) -> None:
    before = hub.admin.commits(repo)[0]["id"]
    info = commit(
        client,
        repo,
        add("new/large.safetensors", folder / "deep/er/large.safetensors"),
        add("new/config.json", folder / "config.json"),
        copy("old.bin", "copy.bin"),
        copy("config.json", "copy.json"),
        delete("logs/"),
        delete("old.bin"),
        parent_commit=before,
        commit_description="All at once",
    )
    newest = hub.admin.commits(repo)[0]
    assert newest["parent"] == before and newest["message"] == "All at once"
    assert newest["deleted"] == ["logs/1.txt", "old.bin"]
    assert newest["changed"] == [
        "copy.bin",
        "copy.json",
        "new/config.json",
        "new/large.safetensors",
    ]
    assert info["oid"] == newest["id"]
    assert info["url"] == f"{hub.endpoint}/{repo}/commit/{newest['id']}"
    files = hub.admin.files(repo)
    assert files["copy.json"]["oid"] == files["config.json"]["oid"]
    assert (files["copy.bin"]["size"], files["copy.bin"]["lfs"]) == (5000, True)
    rows = client.call("list_repo_commits", repo_id=repo)
    assert [row["title"] for row in rows] == ["Change", "Add files", "initial commit"]
    assert (rows[0]["commit_id"], rows[0]["authors"]) == (newest["id"], ["alice"])
    assert rows[0]["message"] == "All at once"


def test_copies_between_repositories(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path
) -> None:
    """Large files would need Xet, says the client; the oldest line knows no such copies."""
    other = f"{repo}-other"
    hub.admin.create_repo(other, "dataset")
    source = {"src_repo_id": repo, "src_repo_type": "model"}
    if client.name == "0.36":
        with pytest.raises(ClientError):
            commit(client, other, copy("config.json", "c.json", **source), repo_type="dataset")
        return
    commit(client, other, copy("config.json", "c.json", **source), repo_type="dataset")
    assert (
        hub.admin.files(other, "dataset")["c.json"]["oid"]
        == hub.admin.files(repo)["config.json"]["oid"]
    )
    with pytest.raises(ClientError) as refused:
        commit(client, other, copy("old.bin", "c.bin", **source), repo_type="dataset")
    assert "xet" in refused.value.message.lower()


def test_large_folders(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path
) -> None:
    """The newest line has given this up. It lets the Hub's own `.gitignore` decide."""
    if client.name == "2":
        pytest.skip("no upload_large_folder in this line")
    hub.admin.commit(repo, files={".gitignore": "*.log\n"})
    client.run(
        "hf.HfApi(token=token).upload_large_folder(print_report=False, **arguments)",
        token=ALICE,
        arguments={"repo_id": repo, "repo_type": "model", "folder_path": str(folder)},
    )
    names = {"README.md", "small.bin", "deep/er/large.safetensors", "empty.bin"}
    check_download(client, repo, folder, tmp_path / "cache", names)
    assert "train.log" not in hub.admin.files(repo)
    assert hub.log.sent_again() == []


def test_commit_scheduler(client: OfficialClient, hub: TestHub, repo: str, folder: Path) -> None:
    client.run(
        """
with hf.CommitScheduler(every=60, token=token, **arguments) as scheduler:
    scheduler.push_to_hub()
""",
        token=ALICE,
        arguments={"repo_id": repo, "folder_path": str(folder), "path_in_repo": "data"},
    )
    assert titles(hub, repo)[0] == "Scheduled Commit"
    assert "data/deep/er/large.safetensors" in hub.admin.files(repo)


def test_the_command(
    client: OfficialClient, hub: TestHub, repo: str, folder: Path, tmp_path: Path
) -> None:
    new = f"{repo}-new"
    token = ("--token", ALICE)
    done = client.cli("upload", new, str(folder), "data", "--repo-type", "dataset", *token)
    assert done.returncode == 0, done.stderr
    assert f"/datasets/{new}" in done.stdout
    names = {"small.bin", "deep/er/large.safetensors"}
    files = hub.admin.files(new, "dataset")
    assert {f"data/{name}" for name in names} <= set(files)
    done = client.cli("upload", repo, str(folder / "small.bin"), "x.bin", "--create-pr", *token)
    assert done.returncode == 0, done.stderr
    assert hub.admin.commits(repo, revision="refs/pr/1")[0]["changed"] == ["x.bin"]
    done = client.cli("download", new, "data/small.bin", "--repo-type", "dataset")
    assert done.returncode == 0, done.stderr
