"""Pushes among each other and after their callers: order, pauses, cancels, retries, and what of
them lies in staging."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.job_calls import call, job, wait_for_state
from tests.support.pushes import (
    add,
    begin,
    done,
    new_repo,
    repo_name,
    staged,
    submit,
    submit_by,
    titles,
    tree,
)
from tests.support.trials import MIB, QUICK, content, eventually, watched
from tests.support.users import DAEMON_UID, needs_root, new_user
from tests.support.varlink_client import CallFailed, VarlinkClient

LARGE = content("queued push", 3 * MIB)
PUT = {"server": "cdn", "method": "PUT"}


@pytest.fixture
def box(hub: TestHub, tmp_path: Path) -> Iterator[Daemon]:
    with watched(Daemon(hub.endpoint, tmp_path / "box", **QUICK)) as running:
        yield running


@pytest.fixture
def repo(hub: TestHub, request: pytest.FixtureRequest) -> str:
    return new_repo(hub, request.node.name)


def staged_bytes(box: Daemon) -> int:
    return int(call(box, "Quota.Show")["account"]["staged_bytes"])


def nothing_is_staged(box: Daemon) -> None:
    eventually(lambda: staged(box) == [], "staging is empty")
    assert staged_bytes(box) == 0


def stuck(hub: TestHub) -> int:
    return hub.faults.add("upload_dribble", rate=1000, match=PUT, times=None)


# --- Order ---


def test_pushes_to_one_branch_keep_their_order(box: Daemon, hub: TestHub, repo: str) -> None:
    rule = stuck(hub)
    large = {"w.bin": LARGE, "a.txt": b"1"}
    first = submit(box, repo, large, message="First", priority="background")
    second = submit(box, repo, {"a.txt": b"2"}, message="Second", priority="interactive")
    third = submit(box, repo, {"a.txt": b"3"}, message="Third")
    elsewhere = submit(box, repo, {"a.txt": b"e"}, message="E", revision="other", create=True)
    done(box, elsewhere)  # another branch waits for nobody
    assert titles(hub, repo) == []
    hub.faults.wait(rule, 1)
    hub.faults.clear()
    for number in (third, second, first):
        done(box, number)
    assert titles(hub, repo) == ["First", "Second", "Third"]
    assert tree(hub, repo) == {"config.json": b"{}", "a.txt": b"3", "w.bin": LARGE}


def test_the_order_outlives_the_daemon(box: Daemon, hub: TestHub, repo: str) -> None:
    rule = stuck(hub)
    numbers = [submit(box, repo, {"w.bin": LARGE}, message="0")]
    numbers += [submit(box, repo, {"a.txt": b"%d" % n}, message=str(n)) for n in range(1, 4)]
    hub.faults.wait(rule, 1)
    box.kill()
    hub.faults.clear()
    box.start()
    for number in numbers:
        done(box, number)
    assert titles(hub, repo) == ["0", "1", "2", "3"]


def test_one_that_is_paused_holds_up_nobody(box: Daemon, hub: TestHub, repo: str) -> None:
    rule = stuck(hub)
    first = submit(box, repo, {"w.bin": LARGE}, message="First")
    hub.faults.wait(rule, 1)
    second = submit(box, repo, {"a.txt": b"2"}, message="Second")
    call(box, "Jobs.Pause", id=first)
    done(box, second)
    hub.faults.clear()
    call(box, "Jobs.Resume", id=first)
    done(box, first)
    assert titles(hub, repo) == ["Second", "First"]


def test_of_pushes_with_many_changes_one_runs_at_a_time(
    box: Daemon, hub: TestHub, request: pytest.FixtureRequest
) -> None:
    repos = [new_repo(hub, f"{request.node.name}-{n}") for n in range(3)]
    many = {f"{n}.txt": b"" for n in range(4_001)}
    rule = hub.faults.add("stall", seconds=60, match={"path": repos[0]}, times=None)
    first = submit(box, repos[0], many)
    hub.faults.wait(rule, 1)
    second = submit(box, repos[1], many)

    def reason() -> str | None:
        return job(box, second)["reason"]

    waits = "another push of many files is running"
    eventually(lambda: reason() == waits, "it says why it waits")
    done(box, submit(box, repos[2], {"a.txt": b"3"}))  # a small one waits for neither
    assert reason() == waits and titles(hub, repos[1]) == []
    call(box, "Jobs.Cancel", id=first)
    eventually(lambda: titles(hub, repos[1]) != [], "its turn has come")
    call(box, "Jobs.Cancel", id=second)


# --- Ends ---


def test_a_cancelled_push_leaves_nothing(box: Daemon, hub: TestHub, repo: str) -> None:
    rule = stuck(hub)
    number = submit(box, repo, {"w.bin": LARGE, "a.txt": b"a"})
    hub.faults.wait(rule, 1)
    assert staged(box) and staged_bytes(box) == len(LARGE) + 1
    call(box, "Jobs.Cancel", id=number)
    wait_for_state(box, number, "cancelled")
    nothing_is_staged(box)
    with pytest.raises(CallFailed):
        call(box, "Jobs.Retry", id=number)
    assert titles(hub, repo) == []


def test_a_queued_push_can_be_cancelled(box: Daemon, hub: TestHub, repo: str) -> None:
    rule = stuck(hub)
    first = submit(box, repo, {"w.bin": LARGE})
    hub.faults.wait(rule, 1)
    second = submit(box, repo, {"a.txt": b"a"})
    call(box, "Jobs.Cancel", id=second)
    eventually(lambda: staged_bytes(box) == len(LARGE), "only the first's is staged")
    call(box, "Jobs.Cancel", id=first)
    nothing_is_staged(box)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_failed_push_is_retried_with_the_right_token(
    box: Daemon, hub: TestHub, repo: str, restarted: bool
) -> None:
    hub.admin.add_token("alice", token="hf_alice_reads", role="read", label=repo)
    files = {"w.bin": LARGE, "a.txt": b"a"}
    number = submit(box, repo, files, token="hf_alice_reads", message="Once")
    failed = wait_for_state(box, number, "failed")
    assert failed["failure"]["name"] in ("org.wharf.Forbidden", "org.wharf.Unauthorized")
    assert "token" in failed["failure"]["message"] + failed["failure"]["hint"]
    assert staged_bytes(box) == len(LARGE) + 1
    if restarted:
        assert box.stop() == 0
        box.start()
        assert staged_bytes(box) == len(LARGE) + 1
    retried = box.wharf("jobs", "retry", str(number), HF_TOKEN="hf_alice")
    assert retried.returncode == 0, retried.stderr
    done(box, number)
    assert titles(hub, repo) == ["Once"] and tree(hub, repo)["w.bin"] == LARGE
    nothing_is_staged(box)


def test_a_push_to_a_repo_that_is_made_later(
    box: Daemon, hub: TestHub, request: pytest.FixtureRequest
) -> None:
    repo = repo_name(request.node.name)
    number = submit(box, repo, {"a.txt": b"a"}, message="Once")
    assert wait_for_state(box, number, "failed")["failure"]["name"] == "org.wharf.RepoNotFound"
    hub.admin.create_repo(repo)
    call(box, "Jobs.Retry", id=number)
    done(box, number)
    assert titles(hub, repo) == ["Once"]


TOO_LARGE = {
    "said of the object": {"kind": "object_error", "code": 413, "message": "At most 50 GB"},
    "said by the storage": {"kind": "status", "status": 413, "match": PUT},
    "said of the commit": {"kind": "status", "status": 413, "match": {"path": "/commit/"}},
}


@pytest.mark.parametrize("fault", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_files_over_the_hubs_limits(
    box: Daemon, hub: TestHub, repo: str, fault: dict[str, object]
) -> None:
    hub.faults.add(**fault, times=None)
    number = submit(box, repo, {"w.bin": LARGE}, message="Once")
    failure = wait_for_state(box, number, "failed")["failure"]
    assert failure["name"] == "org.wharf.InvalidRequest"
    if fault["kind"] == "object_error":
        assert "At most 50 GB" in failure["message"]
    if "/commit/" not in str(fault):
        assert failure["message"].startswith("pushing 'w.bin': ")
    assert failure["hint"]
    hub.faults.clear()  # as when the limit was raised
    call(box, "Jobs.Retry", id=number)
    done(box, number)
    assert titles(hub, repo) == ["Once"] and tree(hub, repo)["w.bin"] == LARGE
    nothing_is_staged(box)


def test_cancelling_a_failed_push_frees_its_staging(box: Daemon, hub: TestHub) -> None:
    number = submit(box, repo_name("nowhere"), {"a.txt": b"a"})
    wait_for_state(box, number, "failed")
    assert staged(box)
    call(box, "Jobs.Cancel", id=number)
    nothing_is_staged(box)


@needs_root
def test_the_quota_of_staging(hub: TestHub, repo: str, place: Path) -> None:
    """Whoever runs the daemon has none: another account pushes."""
    ann = new_user()
    everybody = {"allow_users": ["*"], "allow_groups": []}
    settings = {**QUICK, "quota": {"staging": "4MiB"}, "access": everybody}
    with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **settings)) as box:
        rule = stuck(hub)
        with ann.client(box.socket) as client:
            number = submit_by(client, repo, {"w.bin": LARGE})
            with pytest.raises(CallFailed) as caught:
                submit_by(client, repo, {"v.bin": LARGE[::-1]})
            assert caught.value.name == "QuotaExceeded" and caught.value.hint
            assert client.call("Quota.Show")["account"]["staged_bytes"] == len(LARGE)
            hub.faults.remove(rule)
            done(box, number)
            done(box, submit_by(client, repo, {"v.bin": LARGE[::-1]}))
    assert tree(hub, repo) == {"config.json": b"{}", "w.bin": LARGE, "v.bin": LARGE[::-1]}


# --- Callers who go away ---


def test_a_client_killed_after_submit(
    box: Daemon, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    rule = stuck(hub)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "w.bin").write_bytes(LARGE)
    client = box.start_wharf("upload", repo, str(tmp_path / "in"), "--quiet", HF_TOKEN="hf_alice")
    hub.faults.wait(rule, 1)
    client.kill()
    client.communicate()
    (tmp_path / "in" / "w.bin").unlink()
    hub.faults.remove(rule)
    eventually(lambda: len(titles(hub, repo)) == 1, "it is made all the same", timeout=20)
    assert tree(hub, repo)["w.bin"] == LARGE


def test_a_connection_closed_right_after_submit(box: Daemon, hub: TestHub, repo: str) -> None:
    with VarlinkClient(box.socket) as client:
        upload = begin(client, repo, message="Once")
        add(client, upload, {"w.bin": LARGE})
        client.send("Uploads.Submit", upload=upload, more=True)
        number = client.receive()[0]["job"]
    box.kill()
    box.start()
    done(box, number)
    assert titles(hub, repo) == ["Once"] and tree(hub, repo)["w.bin"] == LARGE


def test_a_draft_does_not_outlive_the_daemon(box: Daemon, hub: TestHub, repo: str) -> None:
    with VarlinkClient(box.socket) as client:
        upload = begin(client, repo)
        add(client, upload, {"w.bin": LARGE})
        assert staged(box)
    box.kill()
    box.start()
    nothing_is_staged(box)
    with pytest.raises(CallFailed):
        call(box, "Uploads.Submit", upload=upload)


def test_a_draft_that_is_given_up(box: Daemon, repo: str) -> None:
    with VarlinkClient(box.socket) as client:
        upload = begin(client, repo)
        add(client, upload, {"w.bin": LARGE})
        client.call("Uploads.Discard", upload=upload)
    nothing_is_staged(box)
