"""What a push makes of a repo: the real daemon on its socket, against the test Hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.job_calls import wait_for_state
from tests.support.official_client import OfficialClient
from tests.support.official_uploads import make_folder
from tests.support.pushes import (
    ALICE,
    Changes,
    head,
    push,
    repo_name,
    staged,
    submit,
    titles,
    tree,
    write,
)
from tests.support.scenes import check_snapshot, repo_folder
from tests.support.trials import QUICK, content, eventually, watched
from tests.support.varlink_client import CallFailed

Make = Callable[..., str]

LARGE = content("push", 300_000)


@pytest.fixture(scope="module")
def module_daemon(session_hub: TestHub) -> Iterator[Daemon]:
    with watched(Daemon(session_hub.endpoint, **QUICK)) as running:
        yield running


@pytest.fixture
def box(module_daemon: Daemon, hub: TestHub) -> Daemon:
    """One daemon for all tests here: no test stops it."""
    return module_daemon


@pytest.fixture
def make(hub: TestHub, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes repos whose names begin alike; `make.name` is such a name."""
    base = repo_name(request.node.name)

    def made(suffix: str = "", files: dict[str, object] | None = None, **more: object) -> str:
        given = {"config.json": "{}"} if files is None else files
        hub.admin.create_repo(base + suffix, files=given, **more)
        return base + suffix

    made.name = base  # type: ignore[attr-defined]
    yield made
    for kept in hub.admin.repos():
        if kept["id"].startswith(base):
            hub.admin.delete_repo(kept["id"], kept["kind"])


def failed(box: Daemon, number: int) -> dict[str, str]:
    """What a push failed with."""
    return dict(wait_for_state(box, number, "failed")["failure"])


# --- What is added ---


def test_files_and_bytes(box: Daemon, hub: TestHub, make: Make, tmp_path: Path) -> None:
    repo = make()
    source = write(tmp_path, large=LARGE, small=b"small\n", empty=b"")
    added: Changes = {f"in/{name}.bin": path for name, path in source.items()}
    added |= {"in/bytes.txt": b"bytes\n", "größe mit raum?#%.txt": b"odd\n"}
    result = push(box, repo, added, message="Add\nwith more", description="Because")
    assert tree(hub, repo) == {
        "config.json": b"{}",
        "in/large.bin": LARGE,
        "in/small.bin": b"small\n",
        "in/empty.bin": b"",
        "in/bytes.txt": b"bytes\n",
        "größe mit raum?#%.txt": b"odd\n",
    }
    newest = hub.admin.commits(repo)[0]
    assert newest["title"] == "Add" and newest["author"] == "alice"
    assert "with more" in newest["message"] and "Because" in newest["message"]
    assert result["commit"] == newest["id"] and (result["commits"], result["files"]) == (1, 5)
    assert result["url"].endswith(f"/{repo}/commit/{newest['id']}")
    facts = hub.admin.files(repo)
    assert facts["in/large.bin"]["lfs"] and not facts["in/empty.bin"]["lfs"]
    eventually(lambda: staged(box) == [], "nothing is staged any more")


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_repo_is_made_private(box: Daemon, hub: TestHub, make: Make, kind: str) -> None:
    repo = make.name
    push(box, repo, {"a.txt": b"a", "w.bin": LARGE}, repo_type=kind, create=True, private=True)
    kept = next(found for found in hub.admin.repos() if found["id"] == repo)
    assert kept["private"] and kept["kind"] == kind
    assert tree(hub, repo, kind) == {"a.txt": b"a", "w.bin": LARGE}


def test_a_missing_repo_is_an_error_without_create(box: Daemon, make: Make) -> None:
    with pytest.raises(CallFailed) as caught:
        push(box, make.name, {"a.txt": b"a"})
    assert caught.value.name == "RepoNotFound"


def test_a_branch_is_made(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make()
    with pytest.raises(CallFailed) as caught:
        push(box, repo, {"a.txt": b"a"}, revision="dev/x")
    assert caught.value.name == "RevisionNotFound"
    push(box, repo, {"a.txt": b"a"}, revision="dev/x", create=True)
    assert tree(hub, repo, revision="dev/x") == {"config.json": b"{}", "a.txt": b"a"}
    assert tree(hub, repo) == {"config.json": b"{}"}


def test_a_pull_request_that_is_missing_is_no_branch_to_make(
    box: Daemon, hub: TestHub, make: Make
) -> None:
    repo = make()
    with pytest.raises(CallFailed) as caught:
        push(box, repo, {"a.txt": b"a"}, revision="refs/pr/7", create=True)
    assert caught.value.name == "RevisionNotFound"
    assert set(hub.admin.refs(repo)["branch"]) == {"main"}


def test_a_pull_request(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make()
    before = head(hub, repo)
    result = push(box, repo, {"a.txt": b"a", "w.bin": LARGE}, create_pr=True, message="Please")
    assert result["pull_request"].endswith(f"/{repo}/discussions/1")
    assert head(hub, repo) == before
    assert tree(hub, repo, revision="refs/pr/1")["w.bin"] == LARGE
    push(box, repo, {"b.txt": b"b"}, revision="refs/pr/1")
    both = {"a.txt", "b.txt", "config.json", "w.bin"}
    assert set(tree(hub, repo, revision="refs/pr/1")) == both
    again = push(box, repo, {"config.json": b"{}"}, create_pr=True)
    assert again.get("pull_request") is None and again["commits"] == 0


def test_what_is_there_is_no_commit(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make("", {"a.txt": "a", "w.bin": {"base64": "AAECAw=="}})
    before = head(hub, repo)
    result = push(box, repo, {"a.txt": b"a", "w.bin": bytes([0, 1, 2, 3])})
    assert (result["commits"], result["files"], result["commit"]) == (0, 0, before)
    assert hub.log.count(path_matches="/commit/") == 0 and hub.log.count(server="cdn") == 0
    result = push(box, repo, {"a.txt": b"a", "b.txt": b"b"})
    assert result["files"] == 1
    assert hub.admin.commits(repo)[0]["changed"] == ["b.txt"]


def test_gitignore_is_honoured(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make()
    result = push(box, repo, {".gitignore": b"*.log\n", "a.log": b"no", "b.txt": b"yes"})
    assert sorted(tree(hub, repo)) == [".gitignore", "b.txt", "config.json"]
    assert result["files"] == 2
    assert result["warnings"] == ["left out by .gitignore: 'a.log'"]
    result = push(box, repo, {"c.log": b"no", "d.log": b"no"})
    assert result["commits"] == 0 and len(titles(hub, repo)) == 1
    assert result["warnings"] == ["left out by .gitignore: 'c.log' and 1 more"]


def test_bad_metadata_is_explained(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make()
    with pytest.raises(CallFailed) as caught:
        push(box, repo, {"README.md": b"---\nlicense: [mit\n---\n# Model\n"})
    assert caught.value.name == "InvalidRequest"
    assert "README.md" in caught.value.message and "line 2" in caught.value.message
    assert titles(hub, repo) == []
    push(box, repo, {"README.md": b"---\nlicense: mit\n---\n# Model\n"})
    assert len(titles(hub, repo)) == 1


# --- What is deleted and copied ---

OLD: dict[str, object] = {
    "config.json": "{}",
    "logs/1.txt": "one",
    "logs/deep/2.txt": "two",
    "logs/keep.bin": {"random": 1000, "seed": 1},
    "old.bin": {"random": 2000, "seed": 2},
}


@pytest.mark.parametrize(
    ("deletes", "left"),
    [
        ({"delete": ["old.bin", "logs/1.txt"]}, {"config.json", "logs/deep/2.txt", "logs/keep.bin"}),
        ({"delete_folders": ["logs"]}, {"config.json", "old.bin"}),
        ({"delete_patterns": ["*.bin"]}, {"config.json", "logs/1.txt", "logs/deep/2.txt"}),
        ({"delete_patterns": ["*.txt"], "below": "logs"}, {"config.json", "logs/keep.bin", "old.bin"}),
        ({"delete_patterns": ["*"]}, set()),
    ],
    ids=["files", "folder", "pattern", "below", "all"],
)
def test_deletions(
    box: Daemon, hub: TestHub, make: Make, deletes: dict[str, object], left: set[str]
) -> None:
    repo = make("", OLD)
    push(box, repo, {"new.txt": b"new"}, deletes=deletes)
    assert set(tree(hub, repo)) == left | {"new.txt"}
    assert ".gitattributes" in hub.admin.files(repo)
    assert len(titles(hub, repo)) == 1


def test_what_is_added_is_not_deleted(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make("", OLD)
    push(box, repo, {"logs/1.txt": b"fresh"}, deletes={"delete_folders": ["logs"]})
    assert set(tree(hub, repo)) == {"config.json", "old.bin", "logs/1.txt"}
    assert tree(hub, repo)["logs/1.txt"] == b"fresh"


def test_deleting_what_is_not_there(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make("", OLD)
    with pytest.raises(CallFailed) as caught:
        push(box, repo, deletes={"delete": ["nope.txt"]})
    assert caught.value.name == "FileNotFound" and "nope.txt" in caught.value.message
    result = push(box, repo, deletes={"delete_patterns": ["nothing*"]})
    assert result["commits"] == 0 and titles(hub, repo) == []


def test_copies(box: Daemon, hub: TestHub, make: Make) -> None:
    repo, other = make("", OLD), make("-other", {"x.bin": {"random": 5000, "seed": 3}, "y.txt": "y"})
    hub.admin.commit(repo, files={"old.bin": {"random": 2000, "seed": 4}}, branch="dev")
    before = hub.log.bytes_received(server="cdn")
    within = [{"path": "new/large.bin", "from_path": "old.bin"}]
    push(box, repo, copies=[*within, {"path": "new/small.json", "from_path": "config.json"}])
    found = tree(hub, repo)
    assert found["new/large.bin"] == found["old.bin"] and found["new/small.json"] == b"{}"
    assert hub.log.bytes_received(server="cdn") == before  # a line of the commit, no bytes
    elsewhere = {"from_repo": other}
    push(
        box,
        repo,
        copies=[
            {"path": "x.bin", "from_path": "x.bin", **elsewhere},
            {"path": "y.txt", "from_path": "y.txt", **elsewhere},
            {"path": "dev.bin", "from_path": "old.bin", "from_revision": "dev"},
        ],
    )
    found = tree(hub, repo)
    assert {name: found[name] for name in ("x.bin", "y.txt")} == tree(hub, other)
    assert found["dev.bin"] == tree(hub, repo, revision="dev")["old.bin"] != found["old.bin"]
    with pytest.raises(CallFailed) as caught:
        push(box, repo, copies=[{"path": "z", "from_path": "nope"}])
    assert caught.value.name == "FileNotFound" and "nope" in caught.value.message


# --- Parent commits ---


def test_the_parent_is_the_one_that_was_named(box: Daemon, hub: TestHub, make: Make) -> None:
    repo = make()
    first = head(hub, repo)
    push(box, repo, {"a.txt": b"a"}, parent_commit=first)
    second = head(hub, repo)
    with pytest.raises(CallFailed) as caught:
        push(box, repo, {"b.txt": b"b"}, parent_commit=first)
    assert caught.value.name == "Conflict"
    assert first in caught.value.message and second in caught.value.message
    assert head(hub, repo) == second


def test_a_foreign_commit_at_the_last_moment_is_a_conflict(
    box: Daemon, hub: TestHub, make: Make
) -> None:
    repo = make()
    first = head(hub, repo)
    slow = hub.faults.add("delay", seconds=20, match={"path": "/preupload/"})
    number = submit(box, repo, {"b.txt": b"b"}, parent_commit=first)
    hub.faults.wait(slow, 1)
    second = hub.admin.commit(repo, files={"foreign.txt": "f"})
    hub.faults.release(slow)
    failure = failed(box, number)
    assert failure["name"] == "org.wharf.Conflict"
    assert first in failure["message"] and second in failure["message"]
    assert head(hub, repo) == second


# --- The official client as the judge, and the cache ---


@pytest.fixture(scope="module")
def official(
    session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OfficialClient]:
    home = tmp_path_factory.mktemp("judging-home")
    with OfficialClient("1", session_hub.endpoint, home) as client:
        yield client


def test_the_official_client_makes_and_reads_the_same(
    box: Daemon, hub: TestHub, make: Make, official: OfficialClient, tmp_path: Path
) -> None:
    ours, theirs = make("-ours", OLD), make("-theirs", OLD)
    folder = make_folder(tmp_path / "source")
    official.call(
        "upload_folder",
        repo_id=theirs,
        folder_path=str(folder),
        delete_patterns=["*.bin"],
        token=ALICE,
    )
    files: Changes = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    push(box, ours, files, deletes={"delete_patterns": ["*.bin"]})
    assert hub.admin.files(ours) == hub.admin.files(theirs)
    arguments = {"repo_id": ours, "cache_dir": str(tmp_path / "theirs")}
    check_snapshot(hub, ours, Path(official.call("snapshot_download", **arguments)))


def test_what_was_pushed_is_in_the_cache(
    box: Daemon, hub: TestHub, make: Make, official: OfficialClient, tmp_path: Path
) -> None:
    repo = make("", {})
    source = write(tmp_path, large=LARGE, small=b"small\n")
    added: Changes = {"w.bin": source["large"], "sub/s.txt": source["small"], "e.txt": b""}
    push(box, repo, added)
    snapshot = repo_folder(box, repo) / "snapshots" / head(hub, repo)
    for name, data in tree(hub, repo).items():
        assert (snapshot / name).read_bytes() == data
    hub.log.clear()
    assert box.download(repo, "--quiet", HF_TOKEN=ALICE) == snapshot
    fetched = {found.file for found in hub.log.find(method="GET") if found.file}
    assert fetched <= {".gitattributes"}
    check_snapshot(hub, repo, snapshot)
    arguments = {"repo_id": repo, "cache_dir": str(box.cache), "local_files_only": True}
    assert official.call("snapshot_download", **arguments) == str(snapshot)


def test_a_file_of_the_cache_is_pushed_without_reading_it(
    box: Daemon, hub: TestHub, make: Make
) -> None:
    first, second = make("-first", {"w.bin": {"random": 4_000_000, "seed": 9}}), make("-second", {})
    file = box.download(first, "w.bin", "--quiet")
    oid = hashlib.sha256(file.read_bytes()).hexdigest()
    push(box, second, {"w.bin": file})
    assert hub.admin.files(second)["w.bin"]["etag"] == oid
    assert hub.log.bytes_received(oid) == 4_000_000
    blob = repo_folder(box, second) / "blobs" / oid
    assert blob.exists()
    hub.log.clear()
    push(box, second, {"again.bin": file, "w.bin": file})
    assert hub.log.bytes_received(oid) == 0  # the Hub had it
