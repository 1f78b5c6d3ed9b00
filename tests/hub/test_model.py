"""Names, trees and seeds: what the Hub serves is what git would have."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from .errors import HubError
from .gitpatterns import LfsRules
from .handlers_info import list_folder
from .objects import Blob, lfs_pointer
from .repository import COMMIT_ID, DEFAULT_GITATTRIBUTES
from .seed import load
from .server import TestHub
from .state import State


def git(directory: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_names_are_those_of_git(tmp_path: Path) -> None:
    state = State()
    repo = state.create("model", "org/repo")
    files = {"a.txt": b"a", "a/b/c.txt": b"c", "a.d/x": b"", "ä/ü.txt": b"u", ".gitattributes": b""}
    commit = repo.commit(repo.head.id, {path: Blob(data) for path, data in files.items()})
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    assert commit.folders[""] == git(tmp_path, "write-tree")
    assert commit.files["a/b/c.txt"].oid == git(tmp_path, "hash-object", "a/b/c.txt")
    assert COMMIT_ID.fullmatch(commit.id)


def test_large_files_are_named_by_their_content() -> None:
    state = State()
    repo = state.create("model", "org/repo")
    data = b"weights" * 10
    commit = repo.commit(
        repo.head.id, {"w.safetensors": Blob(data), "e.bin": Blob(b""), "t.txt": Blob(data)}
    )
    large, empty, text = (commit.files[name] for name in ("w.safetensors", "e.bin", "t.txt"))
    sha256 = hashlib.sha256(data).hexdigest()
    pointer = lfs_pointer(sha256, len(data))
    assert (large.lfs, large.etag) == (True, sha256)
    assert large.oid == hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
    assert (empty.lfs, text.lfs) == (False, False)  # an empty file is never large


@pytest.mark.parametrize(
    ("path", "size", "lfs"),
    [
        ("model.safetensors", 1, True),
        ("deep/er/model.bin", 1, True),
        ("runs/events.out.tfevents.123", 1, True),
        ("saved_model/variables/x", 1, True),
        ("saved_model/x", 1, True),
        ("README.md", 1, False),
        ("README.md", 11 << 20, True),
        ("bin", 1, False),
    ],
)
def test_default_rules_for_large_files(path: str, size: int, lfs: bool) -> None:
    assert LfsRules.from_gitattributes(DEFAULT_GITATTRIBUTES, 10 << 20).is_lfs(path, size) == lfs


def test_commits_are_the_same_on_every_run() -> None:
    ids = []
    for _ in range(2):
        with TestHub() as hub:
            hub.admin.create_repo("org/a", files={"x": "1"})
            hub.admin.create_repo("org/b", files={"x": "1"})
            ids.append([repo["head"] for repo in hub.admin.repos()])
    assert ids[0] == ids[1]
    assert ids[0][0] != ids[0][1]  # but not the same in two repositories


def test_revisions() -> None:
    state = State()
    repo = state.create("dataset", "org/repo")
    first = repo.head
    second = repo.commit(first.id, {"dir/x": Blob(b"x")}, deleted=[".gitattributes"])
    repo.set_ref("branch", "dev/x", second.id)
    repo.set_ref("tag", "v1", second.id)
    repo.set_ref("pull", "1", second.id)
    repo.set_ref("convert", "parquet", second.id)
    names = ["dev/x", "refs/heads/dev/x", "v1", "refs/tags/v1", "refs/pr/1", "refs/convert/parquet"]
    for name in [*names, second.id, second.id[:8]]:
        assert repo.find_revision(name) is second
    for name in ("1", "dev", "refs/pr/2", second.id[:6], "0" * 40, second.id.upper()):
        with pytest.raises(HubError, match="Invalid rev id"):
            repo.find_revision(name)
    assert list(second.files) == ["dir/x"]
    assert list_folder(second, "", recursive=False) == ["dir"]
    assert list_folder(second, "dir", recursive=True) == ["dir/x"]


def test_sparse_files_are_hashed_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.write(b"head")
        file.seek(3 << 20)
        file.write(b"middle")
        file.truncate(5 << 20)
    assert Blob(path=str(path)).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert Blob(path=str(path)).git_sha1 == Blob(path.read_bytes()).git_sha1


def test_a_made_up_name_is_believed(tmp_path: Path) -> None:
    with TestHub(directory=tmp_path) as hub:
        files = {f"{digit}.bin": {"sparse": 1 << 40, "sha256": digit * 64} for digit in "ab"}
        hub.admin.create_repo("org/vast", files=files)
        listed = hub.admin.files("org/vast")
    assert {listed[name]["etag"] for name in files} == {"a" * 64, "b" * 64}


SEED = {
    "users.json": json.dumps(
        {
            "alice": {"fullname": "Alice", "orgs": ["org"], "tokens": {"laptop": "hf_alice"}},
            "bob": {"tokens": {"ci": {"token": "hf_bob", "role": "read"}}},
        }
    ),
    "models/org/plain/config.json": "{}",
    "models/org/plain/sub/weights.bin": "w",
    "models/gpt0/.hub.json": "{}",
    "models/gpt0/vocab.txt": "v",
    "spaces/org/app/app.py": "print()",
    "datasets/org/secret/train.csv": "a,b\n",
    "datasets/org/secret/.hub/next/train.csv": "c,d\n",
    "datasets/org/secret/.hub.json": json.dumps(
        {
            "visibility": "private",
            "gated": "manual",
            "granted": ["bob"],
            "lfs": {"patterns": ["*.csv"]},
            "commits": [
                {"message": "Second", "files": {"new.txt": "n"}, "delete": [".gitattributes"]}
            ],
            "branches": {"dev/next": {"overlay": "next", "message": "Try"}},
            "tags": {"v1": "main"},
            "pulls": {"1": {"from": "v1", "files": {"pr.txt": "p"}}},
            "converts": {"parquet": "dev/next"},
        }
    ),
}


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    for path, text in SEED.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_seeds(seed: Path) -> None:
    state = State()
    load(state, seed)
    assert {(repo.kind, repo.id) for repo in state.repositories()} == {
        ("model", "org/plain"),
        ("model", "gpt0"),
        ("space", "org/app"),
        ("dataset", "org/secret"),
    }
    plain = state.get("model", "org/plain")
    assert list(plain.head.files) == [".gitattributes", "config.json", "sub/weights.bin"]
    assert plain.head.files["sub/weights.bin"].lfs
    secret = state.get("dataset", "org/secret")
    assert (secret.private, secret.gated, secret.granted) == (True, "manual", {"bob"})
    assert list(secret.head.files) == ["new.txt", "train.csv"]
    assert (secret.head.title, secret.head.files["train.csv"].lfs) == ("Second", True)
    assert secret.find_revision("dev/next").files["train.csv"].blob.read() == b"c,d\n"
    assert secret.find_revision("v1") is secret.head
    assert secret.find_revision("refs/pr/1").parent == secret.head.id
    who = state.directory.identify("Bearer hf_bob")
    assert who is not None and (who.name, who.can_write) == ("bob", False)
    assert state.directory.identify("Bearer hf_mallory") is None


def test_seeds_with_mistakes(seed: Path) -> None:
    (seed / "models/gpt0/.hub.json").write_text('{"gatted": "auto"}')
    with pytest.raises(ValueError, match="gatted"):
        load(State(), seed)
    with pytest.raises(ValueError, match="not a directory"):
        load(State(), seed / "nowhere")
