"""Each push is one commit, and each byte goes up once, whatever the network, the Hub and the power
do meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.pushes import (
    Changes,
    done,
    head,
    new_repo,
    push,
    staged,
    submit,
    titles,
    tree,
    write,
)
from tests.support.trials import MIB, QUICK, content, eventually, watched
from tests.support.varlink_client import CallFailed

PART = MIB
LARGE = content("large push", 12 * MIB + 1000)
COMMIT = {"path": "/commit/", "method": "POST"}


@pytest.fixture(scope="module")
def module_daemon(session_hub: TestHub) -> Iterator[Daemon]:
    with watched(Daemon(session_hub.endpoint, **QUICK)) as running:
        yield running


@pytest.fixture
def box(module_daemon: Daemon, hub: TestHub) -> Daemon:
    """One daemon for all tests that do not stop it."""
    return module_daemon


@pytest.fixture
def own(hub: TestHub, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that the test may stop and kill."""
    with watched(Daemon(hub.endpoint, tmp_path / "box", **QUICK)) as running:
        yield running


@pytest.fixture
def repo(hub: TestHub, request: pytest.FixtureRequest) -> str:
    return new_repo(hub, request.node.name)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- Commits ---

LOST: dict[str, dict[str, Any]] = {
    "no answer": {"kind": "drop", "run": True},
    "no answer and not made": {"kind": "drop"},
    "502 after it was made": {"kind": "status", "status": 502, "run": True},
    "500 after it was made": {"kind": "status", "status": 500, "run": True},
    "503 and not made": {"kind": "status", "status": 503},
    "a truncated answer": {"kind": "malformed_json", "style": "truncated"},
    "an empty answer": {"kind": "malformed_json", "style": "empty"},
    "a web page": {"kind": "malformed_json", "style": "html"},
    "a broken answer": {"kind": "reset", "after": 10},
    "a late answer": {"kind": "delay", "seconds": 3},
    "429 and not made": {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "a body cut off": {"kind": "upload_reset", "after": 100},
}


@pytest.mark.parametrize("how", list(LOST))
def test_a_commit_whose_answer_is_lost_is_made_once(
    box: Daemon, hub: TestHub, repo: str, how: str
) -> None:
    rule = hub.faults.add(match=COMMIT, **LOST[how])
    result = push(box, repo, {"a.txt": b"a" * 1000, "w.bin": LARGE[:200_000]}, message="Once")
    assert hub.faults.hits(rule) == 1
    assert titles(hub, repo) == ["Once"]
    assert (result["commits"], result["commit"]) == (1, head(hub, repo))
    assert tree(hub, repo) == {"config.json": b"{}", "a.txt": b"a" * 1000, "w.bin": LARGE[:200_000]}
    assert hub.log.sent_again() == []


def test_every_answer_lost_twice_over(box: Daemon, hub: TestHub, repo: str) -> None:
    reading = ("/preupload/", "/revision/", "/commits/", "/paths-info/")
    for path in (*reading, "/objects/batch", "/verify"):
        hub.faults.add("drop", run=True, match={"path": path}, times=2)
    hub.faults.add("drop", run=True, match=COMMIT)
    push(box, repo, {"w.bin": LARGE[:200_000]}, message="Once")
    assert titles(hub, repo) == ["Once"]
    assert hub.log.sent_again() == []


@pytest.mark.parametrize("same_title", [False, True])
def test_a_foreign_commit_in_between_is_kept(
    box: Daemon, hub: TestHub, repo: str, same_title: bool
) -> None:
    late = hub.faults.add("delay", seconds=20, match={"path": "/preupload/"})
    number = submit(box, repo, {"a.txt": b"ours", "b.txt": b"ours"}, message="Ours")
    hub.faults.wait(late, 1)
    title = "Ours" if same_title else "Theirs"
    hub.admin.commit(repo, files={"a.txt": "theirs", "foreign.txt": "f"}, message=title)
    hub.faults.release(late)
    done(box, number)
    assert titles(hub, repo) == [title, "Ours"]
    assert tree(hub, repo) == {
        "config.json": b"{}", "a.txt": b"ours", "b.txt": b"ours", "foreign.txt": b"f"
    }  # fmt: skip


@pytest.mark.parametrize("made", [True, False])
def test_a_lost_answer_and_a_foreign_commit(
    box: Daemon, hub: TestHub, repo: str, made: bool
) -> None:
    lost = hub.faults.add("drop", run=made, match=COMMIT)
    number = submit(box, repo, {"a.txt": b"ours"}, message="Ours")
    hub.faults.wait(lost, 1)
    if made:
        eventually(lambda: titles(hub, repo) == ["Ours"], "it is made")
    hub.admin.commit(repo, files={"foreign.txt": "f"}, message="Theirs")
    job = done(box, number)
    assert titles(hub, repo) == (["Ours", "Theirs"] if made else ["Theirs", "Ours"])
    ours = next(row for row in hub.admin.commits(repo) if row["title"] == "Ours")
    assert job["commit"] == ours["id"]
    assert sorted(tree(hub, repo)) == ["a.txt", "config.json", "foreign.txt"]


@pytest.mark.parametrize("at", ["before it is made", "before its answer"])
def test_a_daemon_killed_at_the_commit(own: Daemon, hub: TestHub, repo: str, at: str) -> None:
    """Its answer never comes; whether it was made is for the next daemon to find out."""
    kind = "upload_stall" if at == "before it is made" else "delay"
    rule = hub.faults.add(kind, seconds=20, match=COMMIT)
    number = submit(own, repo, {"a.txt": b"a" * 1000, "w.bin": LARGE[:200_000]}, message="Once")
    hub.faults.wait(rule, 1)
    if kind == "delay":
        eventually(lambda: titles(hub, repo) == ["Once"], "it is made")
    own.kill()
    hub.faults.clear()
    own.start()
    assert done(own, number)["commit"] == head(hub, repo)
    assert titles(hub, repo) == ["Once"]
    assert hub.log.sent_again() == []
    assert own.download(repo, "--quiet").name == head(hub, repo)
    eventually(lambda: staged(own) == [], "nothing is staged any more")


PULL_REQUEST_LOST = ["/discussions$", "/commit/"]


@pytest.mark.parametrize("path", PULL_REQUEST_LOST)
@pytest.mark.parametrize("killed", [False, True])
def test_a_pull_request_is_opened_once(
    own: Daemon, hub: TestHub, repo: str, path: str, killed: bool
) -> None:
    kind = {"kind": "delay", "seconds": 20} if killed else {"kind": "drop", "run": True}
    rule = hub.faults.add(match={"path": path, "method": "POST"}, **kind)
    number = submit(own, repo, {"a.txt": b"a"}, create_pr=True, message="Please")
    hub.faults.wait(rule, 1)
    if killed:
        eventually(lambda: hub.admin.refs(repo)["pull"], "it is open")
        if path == "/commit/":
            eventually(lambda: titles(hub, repo, "refs/pr/1") == ["Please"], "it is made")
        own.kill()
        hub.faults.clear()
        own.start()
    done(own, number)
    assert list(hub.admin.refs(repo)["pull"]) == ["1"]
    assert titles(hub, repo, "refs/pr/1") == ["Please"] and titles(hub, repo) == []


@pytest.mark.parametrize("foreign", [False, True])
def test_a_pull_request_that_nobody_heard_of_is_found(
    own: Daemon, hub: TestHub, repo: str, foreign: bool
) -> None:
    """Also when main went on meanwhile, and beside others of the same title."""
    push(own, repo, {"z.txt": b"z"}, create_pr=True, message="Please")
    late = hub.faults.add("delay", seconds=20, match={"path": "/discussions$", "method": "POST"})
    number = submit(own, repo, {"a.txt": b"a"}, create_pr=True, message="Please")
    hub.faults.wait(late, 1)
    eventually(lambda: len(hub.admin.refs(repo)["pull"]) == 2, "it is open")
    own.kill()
    if foreign:
        hub.admin.commit(repo, files={"foreign.txt": "f"}, message="Theirs")
    hub.faults.clear()
    own.start()
    done(own, number)
    assert list(hub.admin.refs(repo)["pull"]) == ["1", "2"]
    assert titles(hub, repo, "refs/pr/2") == ["Please"]
    assert sorted(tree(hub, repo, revision="refs/pr/2")) == ["a.txt", "config.json"]


def test_a_hub_that_says_no_is_believed(box: Daemon, hub: TestHub, repo: str) -> None:
    hub.faults.add("status", status=400, json={"error": "No such thing"}, match=COMMIT)
    with pytest.raises(CallFailed) as caught:
        push(box, repo, {"a.txt": b"a"})
    assert "No such thing" in caught.value.message
    assert hub.log.count(path_matches="/commit/") == 1


# --- Large files ---

PUT = {"server": "cdn", "method": "PUT"}
PUT_FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"kind": "upload_reset", "after": 300_000},
    "close": {"kind": "upload_close", "after": 300_000},
    "stall": {"kind": "upload_stall", "after": 300_000, "seconds": 30},
    "500": {"kind": "status", "status": 500},
    "503 early": {"kind": "status", "status": 503, "early": True},
    "expired": {"kind": "expired_signature"},
    "no answer": {"kind": "drop", "run": True},
}


@pytest.mark.parametrize("how", list(PUT_FAULTS))
@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
def test_what_goes_wrong_with_an_object(
    box: Daemon, hub: TestHub, repo: str, parts: bool, how: str
) -> None:
    data = LARGE[: 5 * MIB]
    hub.admin.configure(lfs_part_size=PART, lfs_multipart_above=PART if parts else 5_000_000_000)
    match = PUT | ({"part": 3} if parts else {})
    rule = hub.faults.add(match=match, **PUT_FAULTS[how])
    push(box, repo, {"w.bin": data}, message="Once")
    assert hub.faults.hits(rule) == 1
    assert tree(hub, repo)["w.bin"] == data and titles(hub, repo) == ["Once"]
    assert hub.log.sent_again() == []
    again = hub.log.bytes_received(sha256(data)) - len(data)
    # Parts belong to what their URLs are for: with new ones they are new.
    assert again <= (PART if parts and how != "expired" else len(data))


@pytest.mark.parametrize("path", ["/verify", "/complete_multipart", "/objects/batch"])
@pytest.mark.parametrize("run", [True, False])
def test_steps_around_an_object_that_fail_once(
    box: Daemon, hub: TestHub, repo: str, path: str, run: bool
) -> None:
    hub.admin.configure(lfs_part_size=PART, lfs_multipart_above=PART)
    rule = hub.faults.add("drop", run=run, match={"path": path})
    push(box, repo, {"w.bin": LARGE}, message="Once")
    assert hub.faults.hits(rule) == 1
    assert tree(hub, repo)["w.bin"] == LARGE and titles(hub, repo) == ["Once"]
    assert hub.log.sent_again() == [] and hub.log.bytes_received(sha256(LARGE)) == len(LARGE)


@pytest.mark.parametrize("expired", [False, True])
def test_parts_are_resumed_after_kill_9(
    own: Daemon, hub: TestHub, repo: str, expired: bool, tmp_path: Path
) -> None:
    hub.admin.configure(lfs_part_size=PART, lfs_multipart_above=PART)
    source = write(tmp_path / "in", **{"w.bin": LARGE, "v.bin": LARGE[::-1][: 3 * MIB]})
    # Stuck, and lost when the daemon is: else what is in the kernel's buffers would still arrive.
    lost = [{"kind": "upload_stall", "seconds": 30}, {"kind": "upload_reset", "after": 500_000}]
    stuck = [
        hub.faults.add(actions=lost, match=PUT | {"part": part}, times=None)
        for part in range(9, 14)
    ]
    number = submit(own, repo, dict(source), message="Once")
    for path in source.values():
        path.write_bytes(b"other")  # what was handed over was handed over
    # Who begins the next part has taken down the one before.
    eventually(lambda: sum(map(hub.faults.hits, stuck)) >= 4, "all connections are stuck")
    hub.log.wait(path_matches="/verify", finished=True)
    own.kill()
    hub.faults.clear()
    hub.log.settle()
    if expired:
        hub.admin.expire_urls()
    own.start()
    done(own, number)
    found = tree(hub, repo)
    assert found["w.bin"] == LARGE and found["v.bin"] == LARGE[::-1][: 3 * MIB]
    assert titles(hub, repo) == ["Once"]
    assert hub.log.sent_again() == []
    if not expired:
        assert hub.log.bytes_received(sha256(LARGE)) <= len(LARGE) + 4 * PART


def completed(hub: TestHub) -> int:
    """Parts of the larger file that are up."""
    found = hub.log.find(server="cdn", method="PUT", status=200, blob=sha256(LARGE))
    return len({record.part for record in found})


def test_urls_that_expire_in_the_middle(box: Daemon, hub: TestHub, repo: str) -> None:
    hub.admin.configure(lfs_part_size=PART, lfs_multipart_above=PART)
    slow = hub.faults.add("upload_dribble", rate=2 * MIB, match=PUT, times=None)
    number = submit(box, repo, {"w.bin": LARGE}, message="Once")
    eventually(lambda: completed(hub) >= 3, "some of it has come")
    hub.admin.expire_urls()
    hub.faults.remove(slow)
    done(box, number)
    assert tree(hub, repo)["w.bin"] == LARGE and titles(hub, repo) == ["Once"]
    assert hub.log.sent_again() == []


# --- Away ---


@pytest.mark.parametrize("restarted", [False, True])
def test_a_hub_that_is_away_at_first(
    own: Daemon, hub: TestHub, repo: str, restarted: bool
) -> None:
    away = hub.faults.add("drop", match={"server": "hub"}, times=None)
    number = submit(own, repo, {"a.txt": b"a", "w.bin": LARGE[:200_000]}, message="Once")
    hub.faults.wait(away, 3)
    if restarted:
        assert own.stop() == 0
    hub.faults.clear()
    if restarted:
        own.start()
    done(own, number)
    assert titles(hub, repo) == ["Once"] and tree(hub, repo)["a.txt"] == b"a"


# --- Series ---


def many(count: int) -> Changes:
    return {f"{n // 100}/{n:04}.txt": b"%d\n" % n for n in range(count)}


def test_a_large_folder_is_a_series(box: Daemon, hub: TestHub, repo: str) -> None:
    wanted = {path: what for path, what in many(600).items() if isinstance(what, bytes)}
    result = push(box, repo, many(600), deletes={"delete": ["config.json"]}, message="Many")
    assert titles(hub, repo) == ["Many", "Many (part 2)"]
    rows = hub.admin.commits(repo)
    assert [len(row["changed"]) for row in rows[:2]] == [350, 250]
    assert rows[0]["deleted"] == [] and rows[1]["deleted"] == ["config.json"]
    assert (result["commits"], result["files"], result["commit"]) == (2, 600, rows[0]["id"])
    assert tree(hub, repo) == wanted


@pytest.mark.parametrize("at", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("made", [False, True])
def test_a_series_goes_on_after_kill_9(
    own: Daemon, hub: TestHub, repo: str, at: int, made: bool
) -> None:
    wanted = {path: what for path, what in many(600).items() if isinstance(what, bytes)}
    kind = "delay" if made else "upload_stall"
    rule = hub.faults.add(kind, seconds=30, skip=at, match=COMMIT)
    number = submit(own, repo, many(600), deletes={"delete": ["config.json"]}, message="Many")
    hub.faults.wait(rule, 1)
    if made:
        eventually(lambda: len(titles(hub, repo)) == at + 1, "it is made")
    own.kill()
    hub.faults.clear()
    own.start()
    done(own, number)
    found = titles(hub, repo)
    assert found == ["Many", *(f"Many (part {n})" for n in range(2, len(found) + 1))]
    assert 2 <= len(found) <= 3
    rows = hub.admin.commits(repo)
    changed = [path for row in rows[: len(found)] for path in row["changed"]]
    assert sorted(changed) == sorted(wanted)  # each once
    assert tree(hub, repo) == wanted
    eventually(lambda: staged(own) == [], "nothing is staged any more")
