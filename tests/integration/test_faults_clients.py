"""Clients that go away: what they asked for goes on for others, and pauses for nobody."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import (
    KIB,
    MIB,
    clear_failure,
    content,
    etag,
    eventually,
    finished,
    jobs,
    make_repo,
    partials,
    right_bytes,
)

SIZE = 8 * MIB


def slow_file(hub: TestHub, repo: str, rate: float = 400 * KIB, **access: object) -> int:
    """`slow.bin` in pieces, several seconds long; the rule that slows it."""
    make_repo(hub, repo, {"slow.bin": content(repo, SIZE)}, **access)
    match = {"server": "cdn", "file": "slow.bin"}
    return hub.faults.add("dribble", rate=rate, match=match, times=None)


def go_on(hub: TestHub, rule: int) -> None:
    """At full speed from the next request on."""
    hub.faults.remove(rule)


def test_one_of_two_clients_is_interrupted(daemon: Daemon, hub: TestHub) -> None:
    rule = slow_file(hub, "clients/two")
    first = daemon.start_wharf("download", "clients/two", "slow.bin", "--quiet")
    hub.faults.wait(rule)
    second = daemon.start_wharf("download", "clients/two", "slow.bin", "--quiet")
    eventually(lambda: jobs(daemon)[0]["watchers"] == 2, "both wait for one job")
    first.send_signal(signal.SIGINT)
    clear_failure(finished(first, 5), 130, "goes on for others")
    go_on(hub, rule)
    done = finished(second)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == content("clients/two", SIZE)
    assert hub.log.bytes_sent(etag(hub, "clients/two", "slow.bin")) < 1.1 * SIZE


def test_the_only_client_is_interrupted(daemon: Daemon, hub: TestHub) -> None:
    rule = slow_file(hub, "clients/only")
    client = daemon.start_wharf("download", "clients/only", "slow.bin", "--quiet")
    hub.faults.wait(rule, 4)
    eventually(lambda: jobs(daemon)[0]["bytes_done"] > SIZE // 5, "a part is there", 20)
    client.send_signal(signal.SIGINT)
    clear_failure(finished(client, 5), 130, "pauses", "same command")
    eventually(lambda: jobs(daemon)[0]["state"] == "paused", "the job is paused")
    hub.log.settle()
    requests = hub.log.last_number()
    assert len(partials(daemon)) == 1
    time.sleep(0.5)  # nothing may happen in it
    assert hub.log.last_number() == requests
    go_on(hub, rule)
    path = daemon.download("clients/only", "slow.bin", "--quiet")
    assert path.read_bytes() == content("clients/only", SIZE)
    assert hub.log.bytes_sent(etag(hub, "clients/only", "slow.bin")) < 1.3 * SIZE
    starts = [r.range for r in hub.log.find(server="cdn", since=requests)]
    assert all(each and not each.startswith("bytes=0-") for each in starts), starts
    assert len(jobs(daemon)) == 1, "the same job went on"
    assert partials(daemon) == []


def test_clients_that_ask_again_at_once_change_nothing(daemon: Daemon, hub: TestHub) -> None:
    rule = slow_file(hub, "clients/nervous")
    for _ in range(6):
        client = daemon.start_wharf("download", "clients/nervous", "slow.bin", "--quiet")
        hub.faults.wait(rule)
        client.kill()
        client.wait()
    go_on(hub, rule)
    path = daemon.download("clients/nervous", "slow.bin", "--quiet")
    assert path.read_bytes() == content("clients/nervous", SIZE)


def test_the_first_asker_is_killed(daemon: Daemon, hub: TestHub) -> None:
    """What was begun with one person's token goes on with the other's, and with that alone."""
    rule = slow_file(hub, "wonderland/shared", private=True, members=["bob"])
    first = daemon.start_wharf("download", "wonderland/shared", "slow.bin", HF_TOKEN="hf_alice")
    hub.faults.wait(rule, 4)
    second = daemon.start_wharf(
        "download", "wonderland/shared", "slow.bin", "--quiet", HF_TOKEN="hf_bob"
    )
    eventually(lambda: len(jobs(daemon)) == 2, "both have a job")
    first.kill()
    first.wait()
    eventually(
        lambda: any(job["state"] == "paused" for job in jobs(daemon)), "the first job is paused"
    )
    after = hub.log.last_number()
    go_on(hub, rule)
    done = finished(second)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == content("wonderland/shared", SIZE)
    askers = {record.user for record in hub.log.find(server="hub", since=after)}
    assert askers == {"bob"}
    assert hub.log.bytes_sent(etag(hub, "wonderland/shared", "slow.bin")) < 1.3 * SIZE


def test_the_first_asker_loses_access(daemon: Daemon, hub: TestHub) -> None:
    """The same blob in two repos: who may read the other one is not harmed."""
    hub.admin.add_token("alice", "hf_alice2", label="second")
    rule = slow_file(hub, "wonderland/mine", private=True)
    make_repo(hub, "clients/public", {"slow.bin": content("wonderland/mine", SIZE)})
    first = daemon.start_wharf(
        "download", "wonderland/mine", "slow.bin", "--quiet", HF_TOKEN="hf_alice2"
    )
    hub.faults.wait(rule, 4)
    second = daemon.start_wharf("download", "clients/public", "slow.bin", "--quiet")
    eventually(lambda: len(jobs(daemon)) == 2, "both have a job")
    hub.admin.revoke_token("hf_alice2")
    hub.admin.expire_urls()
    go_on(hub, rule)
    done = finished(second)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == content("wonderland/mine", SIZE)
    clear_failure(finished(first), 4, "token")


def test_a_cancelled_job_ends_for_all_its_clients(daemon: Daemon, hub: TestHub) -> None:
    rule = slow_file(hub, "clients/cancelled")
    clients = [
        daemon.start_wharf("download", "clients/cancelled", "slow.bin", "--quiet") for _ in range(2)
    ]
    hub.faults.wait(rule, 4)
    eventually(lambda: jobs(daemon)[0]["watchers"] == 2, "both wait for one job")
    number = jobs(daemon)[0]["id"]
    assert daemon.wharf("jobs", "cancel", str(number)).returncode == 0
    for client in clients:
        clear_failure(finished(client, 10), 1, f"job {number} was cancelled", "ask again")
    assert jobs(daemon)[0]["state"] == "cancelled"
    hub.log.settle()
    requests = hub.log.last_number()
    go_on(hub, rule)
    path = daemon.download("clients/cancelled", "slow.bin", "--quiet")
    assert path.read_bytes() == content("clients/cancelled", SIZE)
    assert hub.log.last_number() > requests


def test_a_client_that_stops_reading_holds_nobody_up(daemon: Daemon, hub: TestHub) -> None:
    rule = slow_file(hub, "clients/stopped", rate=2 * MIB)
    first = daemon.start_wharf("download", "clients/stopped", "slow.bin")
    hub.faults.wait(rule)
    os.kill(first.pid, signal.SIGSTOP)
    done = daemon.wharf("download", "clients/stopped", "slow.bin", "--quiet")
    assert done.returncode == 0, done.stderr
    os.kill(first.pid, signal.SIGCONT)
    assert finished(first).returncode == 0


def test_a_failure_reaches_all_who_wait_for_it(daemon: Daemon, hub: TestHub) -> None:
    make_repo(hub, "clients/bad", {"bad.bin": content("clients/bad", MIB)})
    rule = hub.faults.add("corrupt", match={"file": "bad.bin", "server": "cdn"}, times=None)
    clients = [
        daemon.start_wharf("download", "clients/bad", *names, "--quiet")
        for names in (["bad.bin"], ["bad.bin"], [])
    ]
    for client in clients:
        clear_failure(finished(client), 7, "hash")
    assert hub.faults.hits(rule) >= 2
    shown = json.loads(daemon.wharf("jobs", "ls", "--all", "--json").stdout)["jobs"]
    assert {job["failure"]["name"] for job in shown} == {"org.wharf.Integrity"}
