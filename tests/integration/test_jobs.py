"""Jobs that outlive those who asked for them, and the daemon: the real one, driven on its socket."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.scenes import check_snapshot, contents, eventually, repo_folder
from tests.support.trials import MIB, QUICK, watched
from tests.support.job_calls import call, detach, job, wait_for_state
from tests.support.varlink_client import CallFailed, VarlinkClient

SIZE = 3 * MIB


def make(hub: TestHub, name: str, size: int = SIZE, **access: object) -> str:
    """A repo with one large file; its name."""
    hub.admin.create_repo(name, files={"w.safetensors": {"random": size, "seed": name}}, **access)
    return name


def stall(hub: TestHub) -> int:
    """Every file gets stuck after a while, until the rule is released; a second later again."""
    return hub.faults.add("dribble", rate=100_000, after=100_000, match={"server": "cdn"}, times=None)


def snapshot(daemon: Daemon, hub: TestHub, repo: str) -> Path:
    return repo_folder(daemon, repo) / "snapshots" / hub.state.get("model", repo).head.id


def seconds_from_now(text: str) -> float:
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return (moment - datetime.now(timezone.utc)) / timedelta(seconds=1)


@pytest.fixture
def box(hub: TestHub, tmp_path: Path) -> Iterator[Daemon]:
    with watched(Daemon(hub.endpoint, tmp_path, **QUICK)) as running:
        yield running


# --- Detached ---


def test_a_detached_job_ends_with_nobody_connected(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/alone")
    number = detach(box, repo, priority="background")
    done = wait_for_state(box, number, "done")
    check_snapshot(hub, repo, snapshot(box, hub, repo))
    assert (repo_folder(box, repo) / "refs" / "main").read_text() == done["commit"]
    assert done["detached"] and done["priority"] == "background" and done["watchers"] == 0
    assert (done["files_done"], done["files_total"]) == (2, 2)
    assert done["bytes_done"] == done["bytes_total"] > SIZE
    assert done["finished"] >= done["created"]


def test_what_is_held_needs_no_job(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/held", size=1000)
    box.download(repo)
    answer = call(box, "Downloads.Download", repo=repo, files=["w.safetensors"], detach=True)
    assert answer.get("job") is None
    assert answer["result"]["files"] == [str(snapshot(box, hub, repo) / "w.safetensors")]


def test_what_makes_no_sense_is_refused_at_once(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/detach-errors", size=100)
    guarded = make(hub, "wonderland/detach-gated", size=100, gated="manual")
    for parameters, name in [
        ({"repo": "org/nowhere"}, "RepoNotFound"),
        ({"repo": repo, "revision": "nope"}, "RevisionNotFound"),
        ({"repo": repo, "files": ["nope"]}, "FileNotFound"),
        ({"repo": guarded}, "Gated"),
        ({"repo": repo, "token": "hf_wrong"}, "Unauthorized"),
    ]:
        with pytest.raises(CallFailed) as caught:
            call(box, "Downloads.Download", detach=True, **parameters)
        assert caught.value.name == name and caught.value.message
    assert call(box, "Jobs.List") == {"jobs": []}


def test_a_killed_daemon_goes_on_by_itself(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/killed")
    rule = stall(hub)
    number = detach(box, repo)
    hub.faults.wait(rule, 1)
    wait_for_state(box, number, "running", "waiting")
    box.kill()
    hub.faults.clear()
    box.start()
    done = wait_for_state(box, number, "done")
    assert done["detached"]
    check_snapshot(hub, repo, snapshot(box, hub, repo))


def test_a_daemon_killed_right_after_the_answer_knows_the_job(box: Daemon, hub: TestHub) -> None:
    """The answer comes when the job is durable, not before."""
    repo = make(hub, "org/at-once")
    stall(hub)
    with VarlinkClient(box.socket) as client:
        client.send("Downloads.Download", repo=repo, detach=True)
        number = client.receive()[0]["job"]
        box.kill()
    box.start()
    assert job(box, number)["repo"] == repo
    hub.faults.clear()
    wait_for_state(box, number, "done")


def test_an_orderly_stop_leaves_jobs_to_the_next_start(box: Daemon, hub: TestHub) -> None:
    repo, waited_for = make(hub, "org/stopped"), make(hub, "org/waited-for")
    stall(hub)
    number = detach(box, repo)
    with VarlinkClient(box.socket) as client:
        attached = next(r["job"] for r in client.stream("Downloads.Download", repo=waited_for) if r.get("job"))
        assert box.stop() == 0
    hub.faults.clear()
    box.start()
    wait_for_state(box, number, "done")
    left = job(box, attached)
    assert left["state"] == "paused" and not left["detached"]
    assert "nobody waits" in left["reason"]
    # The same request again goes on with it.
    with VarlinkClient(box.socket) as client:
        replies = list(client.stream("Downloads.Download", repo=waited_for))
    assert {r["job"] for r in replies if r.get("job")} == {attached}
    assert job(box, attached)["state"] == "done"


def test_numbers_are_never_given_twice(box: Daemon, hub: TestHub) -> None:
    stall(hub)
    numbers = []
    for n in range(4):
        repo = make(hub, f"org/number-{n}")
        with VarlinkClient(box.socket) as client:
            replies = client.stream("Downloads.Download", repo=repo)
            numbers.append(next(r["job"] for r in replies if r.get("job")))
            box.kill()  # right after the number was told
        box.start()
    assert numbers == sorted(set(numbers))
    assert {entry["id"] for entry in call(box, "Jobs.List", all=True)["jobs"]} == set(numbers)


def test_a_waiting_caller_s_job_becomes_detached(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/both")
    stall(hub)
    with VarlinkClient(box.socket) as client:
        replies = client.stream("Downloads.Download", repo=repo)
        number = next(r["job"] for r in replies if r.get("job"))
        assert detach(box, repo, priority="interactive") == number
        found = job(box, number)
        assert found["detached"] and found["watchers"] == 1
        assert found["priority"] == "interactive"  # the more urgent one counts
    eventually(lambda: job(box, number)["watchers"] == 0)
    assert job(box, number)["state"] in ("running", "waiting")
    hub.faults.clear()
    wait_for_state(box, number, "done")


# --- What people do with jobs ---


def test_pause_and_resume(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/paused")
    stall(hub)
    told: list[dict[str, object]] = []

    def download() -> None:
        with VarlinkClient(box.socket) as client:
            told.extend(client.stream("Downloads.Download", repo=repo))

    caller = threading.Thread(target=download)
    caller.start()
    eventually(lambda: call(box, "Jobs.List")["jobs"])
    (found,) = call(box, "Jobs.List")["jobs"]
    paused = call(box, "Jobs.Pause", id=found["id"])["job"]
    assert paused["state"] == "paused" and "paused by its owner" in paused["reason"]
    eventually(lambda: not box.tcp_connections() or contents(hub, reused=False))
    time.sleep(0.5)
    assert caller.is_alive(), told  # whoever waits goes on waiting, and is told
    states = [reply["progress"] for reply in told if reply.get("progress")]
    assert any(p["state"] == "paused" and "paused by" in p["reason"] for p in states)
    hub.faults.clear()
    assert call(box, "Jobs.Resume", id=found["id"])["job"]["detached"]
    caller.join(20)
    assert not caller.is_alive() and told[-1]["result"]


def test_a_pause_outlives_a_restart(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/paused-long")
    stall(hub)
    number = detach(box, repo)
    call(box, "Jobs.Pause", id=number)
    hub.faults.clear()
    box.kill()
    box.start()
    time.sleep(0.3)
    assert job(box, number)["state"] == "paused"
    call(box, "Jobs.Resume", id=number)
    wait_for_state(box, number, "done")


def test_cancel_and_retry(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/cancelled")
    stall(hub)
    number = detach(box, repo)
    assert call(box, "Jobs.Cancel", id=number)["job"]["state"] == "cancelled"
    hub.faults.clear()
    with pytest.raises(CallFailed) as caught:
        call(box, "Jobs.Resume", id=number)
    assert caught.value.name == "InvalidRequest" and f"retry {number}" in caught.value.hint
    box.kill()
    box.start()
    assert job(box, number)["state"] == "cancelled"
    again = call(box, "Jobs.Retry", id=number)["job"]
    assert again["id"] == number
    wait_for_state(box, number, "done")
    with pytest.raises(CallFailed) as caught:
        call(box, "Jobs.Retry", id=number)
    assert caught.value.name == "InvalidRequest"


def test_prioritize_while_it_runs(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/urgent")
    stall(hub)
    number = detach(box, repo, priority="background")
    wait_for_state(box, number, "running", "waiting")
    changed = call(box, "Jobs.Prioritize", id=number, priority="interactive")["job"]
    assert changed["priority"] == "interactive"
    box.kill()
    box.start()
    assert job(box, number)["priority"] == "interactive"


def test_watching_changes_nothing(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/looked-at")
    stall(hub)
    number = detach(box, repo)
    with VarlinkClient(box.socket) as client:
        begin = time.monotonic()
        seen = []
        for reply in client.stream("Jobs.Watch", id=number):
            seen.append(reply)
            if time.monotonic() - begin > 2:
                break
        assert 3 <= len(seen) <= 10  # about three a second
        assert {r["job"]["watchers"] for r in seen} == {0}
    assert job(box, number)["state"] in ("running", "waiting")
    hub.faults.clear()
    with VarlinkClient(box.socket) as client:
        last = list(client.stream("Jobs.Watch", id=number))[-1]
    assert last["job"]["state"] == "done"
    # A past one is answered once.
    with VarlinkClient(box.socket) as client:
        assert [r["job"]["state"] for r in client.stream("Jobs.Watch", id=number)] == ["done"]


# --- Trouble ---


def test_a_detached_job_waits_for_the_hub(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/away", size=1000)
    rule = hub.faults.add("drop", match={"server": "hub"}, times=None)
    begin = time.monotonic()
    number = detach(box, repo)  # accepted all the same
    assert time.monotonic() - begin < 8
    waiting = wait_for_state(box, number, "waiting", timeout=60)
    eventually(lambda: job(box, number).get("waiting_until"), timeout=60)
    waiting = job(box, number)
    assert waiting["reason"] and waiting.get("commit") is None
    assert -1 <= seconds_from_now(waiting["waiting_until"]) < 8
    hub.faults.remove(rule)
    wait_for_state(box, number, "done", timeout=30)  # heals by itself
    check_snapshot(hub, repo, snapshot(box, hub, repo))


def test_a_failed_job_says_why_and_can_be_retried(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/spoilt", size=1000)
    rule = hub.faults.add("corrupt", match={"server": "cdn"}, times=None)
    number = detach(box, repo)
    failed = wait_for_state(box, number, "failed")
    assert failed["failure"]["name"] == "org.wharf.Integrity"
    assert "w.safetensors" in failed["failure"]["message"] and failed["failure"]["hint"]
    assert failed["finished"]
    box.kill()
    box.start()
    assert job(box, number)["failure"] == failed["failure"]
    hub.faults.remove(rule)
    call(box, "Jobs.Retry", id=number)
    assert wait_for_state(box, number, "done").get("failure") is None


def test_a_branch_that_others_moved_is_not_moved_back(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "org/moved-meanwhile")
    old = hub.state.get("model", repo).head.id
    rule = stall(hub)
    number = detach(box, repo)
    hub.faults.wait(rule, 1)
    hub.admin.commit(repo, files={"w.safetensors": "small now"})
    new = hub.state.get("model", repo).head.id
    box.download(repo)
    ref = repo_folder(box, repo) / "refs" / "main"
    assert ref.read_text() == new
    hub.faults.clear()
    assert wait_for_state(box, number, "done")["commit"] == old
    assert ref.read_text() == new
    assert (repo_folder(box, repo) / "snapshots" / old / "w.safetensors").exists()


def test_without_room_for_all_of_it_nothing_is_fetched(hub: TestHub, tmp_path: Path) -> None:
    repo = make(hub, "org/too-big")
    with watched(Daemon(hub.endpoint, tmp_path, cache={"min_free": "512TiB"}, **QUICK)) as box:
        with pytest.raises(CallFailed) as caught:
            call(box, "Downloads.Download", repo=repo)
        assert caught.value.name == "NoSpace"
        number = detach(box, repo)
        waiting = wait_for_state(box, number, "waiting")
        for sentence in (caught.value.message, waiting["reason"]):
            assert "needs 3.1 MB, 0 B are free" in sentence
        assert 15 < seconds_from_now(waiting["waiting_until"]) <= 31
        assert contents(hub) == 0
        assert box.stop() == 0
        box.settings["cache"]["min_free"] = "0"
        box.start()
        wait_for_state(box, number, "done")
        check_snapshot(hub, repo, snapshot(box, hub, repo))


# --- Tokens ---


def test_a_token_outlives_a_restart_and_stands_nowhere(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "wonderland/sealed", private=True)
    rule = stall(hub)
    number = detach(box, repo, token="hf_alice")
    hub.faults.wait(rule, 1)
    box.kill()
    state = {file: file.read_bytes() for file in box.state.iterdir() if file.is_file()}
    assert box.state / "jobs.db" in state
    assert not [file for file, content in state.items() if b"hf_alice" in content]
    assert (box.state / "key").stat().st_mode & 0o777 == 0o600
    hub.faults.clear()
    box.start()
    wait_for_state(box, number, "done")
    check_snapshot(hub, repo, snapshot(box, hub, repo))
    assert hub.log.count(user="alice", path_matches="sealed") > 0
    assert box.stop() == 0
    with contextlib.closing(sqlite3.connect(box.state / "jobs.db")) as database:
        assert database.execute("SELECT token FROM job").fetchall() == [(None,)]  # needed no more


def test_with_another_key_a_token_must_be_given_again(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "wonderland/lost-key", private=True)
    stall(hub)
    number = detach(box, repo, token="hf_alice")
    box.kill()
    (box.state / "key").unlink()
    hub.faults.clear()
    box.start()
    failed = wait_for_state(box, number, "failed")
    assert "key" in failed["failure"]["message"] and "ask for" in failed["failure"]["hint"]
    call(box, "Jobs.Retry", id=number, token="hf_alice")
    wait_for_state(box, number, "done")


def test_an_attached_job_s_token_is_not_kept(box: Daemon, hub: TestHub) -> None:
    repo = make(hub, "wonderland/attached", private=True)
    rule = stall(hub)
    with VarlinkClient(box.socket) as client:
        replies = client.stream("Downloads.Download", repo=repo, token="hf_alice")
        number = next(r["job"] for r in replies if r.get("job"))
        hub.faults.wait(rule, 1)
        box.kill()
    with contextlib.closing(sqlite3.connect(box.state / "jobs.db")) as database:
        assert database.execute("SELECT token FROM job").fetchall() == [(None,)]
    hub.faults.clear()
    box.start()
    call(box, "Jobs.Resume", id=number, token="hf_alice")
    wait_for_state(box, number, "done")


def test_a_key_that_others_can_read_stops_the_start(hub: TestHub, tmp_path: Path) -> None:
    daemon = Daemon(hub.endpoint, tmp_path)
    with daemon:
        assert daemon.stop() == 0
    (daemon.state / "key").chmod(0o644)
    with pytest.raises(AssertionError), daemon:
        pass
    assert "nobody else can read" in daemon.log


# --- History ---


def fill_history(file: Path, count: int) -> None:
    """Past jobs as the daemon writes them."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        columns = (
            "uid, kind, repo_type, repo, revision, force, priority, detached, held, state, reason,"
            " created, finished, files_done, files_total, bytes_done, bytes_total"
        )
        now = int(time.time() * 1000)
        database.executemany(
            f"INSERT INTO job ({columns}) VALUES (0, 'download', 'model', ?, 'main', 0, 'normal',"
            " 0, 0, 'done', '', ?, ?, 1, 1, 1, 1)",
            [(f"org/past-{n}", now, now) for n in range(count)],
        )
        database.commit()


def test_a_long_history_is_listed_in_parts(box: Daemon, hub: TestHub) -> None:
    assert box.stop() == 0
    fill_history(box.state / "jobs.db", 1_000)
    box.start()
    repo = make(hub, "org/newest", size=1000)
    number = detach(box, repo)
    assert number == 1_001
    wait_for_state(box, number, "done")
    begin = time.monotonic()
    with VarlinkClient(box.socket) as client:
        parts = [part["jobs"] for part in client.stream("Jobs.List", all=True)]
    assert time.monotonic() - begin < 5
    assert len(parts) > 1
    numbers = [entry["id"] for part in parts for entry in part]
    assert numbers == list(range(1_001, 0, -1))
    assert call(box, "Jobs.List")["jobs"] == []
    assert len(call(box, "Jobs.List", all=True)["jobs"]) == 500  # without "more": the newest
    assert job(box, 1)["repo"] == "org/past-0"


def test_a_damaged_queue_does_not_stop_the_daemon(box: Daemon, hub: TestHub) -> None:
    box.kill()
    (box.state / "jobs.db").write_bytes(b"nonsense" * 1000)
    for suffix in ("-wal", "-shm"):
        (box.state / f"jobs.db{suffix}").unlink(missing_ok=True)
    box.start()
    assert list(box.state.glob("jobs.db.broken-*"))
    repo = make(hub, "org/after", size=1000)
    wait_for_state(box, detach(box, repo), "done")
