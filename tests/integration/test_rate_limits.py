"""The Hub's quotas, kept by the box: slowed down before they run dry, waited for when they have,
and never seen by anybody who asks. The Hub's windows begin with the first request after the last
one's end, and answers name what is left; who is refused is in its log with status 429."""

from __future__ import annotations

import math
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import content, eventually, make_repo, right_bytes
from tests.support.varlink_client import VarlinkClient

TOKEN = "hf_alice"


def list_files(client: VarlinkClient, repo: str, revision: str = "main") -> dict[str, Any]:
    """One metadata call; its last reply. Fails when the daemon answers with an error."""
    replies = client.stream(
        "org.wharf.Downloads.List", repo=repo, revision=revision, token=TOKEN
    )
    return list(replies)[-1]


def at_once(works: list[Callable[[], None]], timeout: float = 100) -> list[BaseException]:
    """Runs each on a thread of its own; what they raised."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - told to the test
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "clients hang"
    return failures


def refusals(hub: TestHub, **filters: Any) -> int:
    return hub.log.count(status=429, **filters)


def branches(hub: TestHub, repo: str, count: int) -> list[str]:
    """Names for the repo's head; each is a question of its own."""
    head = make_repo(hub, repo, {"a.txt": b"a"})
    names = [f"b{number}" for number in range(count)]
    for name in names:
        hub.admin.set_ref(repo, name, head)
    return names


def test_a_thousand_questions_of_twenty_clients(daemon: Daemon, hub: TestHub) -> None:
    clients, calls, quota, window = 20, 50, 100, 2
    asked = [
        (f"quota/r{number}", name)
        for number in range(10)
        for name in branches(hub, f"quota/r{number}", clients * calls // 10)
    ]
    hub.admin.configure(rate_limits={"api": (quota, window)})
    waits: list[float] = []

    def work(mine: list[tuple[str, str]]) -> Callable[[], None]:
        def run() -> None:
            with VarlinkClient(daemon.socket) as client:
                for repo, revision in mine:
                    begun = time.monotonic()
                    assert list_files(client, repo, revision)["stale"] is False
                    waits.append(time.monotonic() - begun)

        return run

    begun = time.monotonic()
    failures = at_once([work(asked[number::clients]) for number in range(clients)])
    took = time.monotonic() - begun
    requests = hub.log.count(server="hub", path_matches="^/api/")
    refused = refusals(hub)
    windows = math.ceil((requests - refused) / quota)
    print(
        f"\n{len(waits)} calls of {clients} clients, {requests} requests at {quota} per {window} s: "
        f"{took:.1f} s ({(windows - 1) * window} s at best), {refused} refused, "
        f"longest call {max(waits):.1f} s"
    )
    assert failures == []
    assert len(waits) == clients * calls
    # The first request of each window goes alone, and only that one may come too early.
    assert refused <= windows
    # Each window begins with one answer's way, after a jitter of at most 0.25 s.
    assert took < (windows + 1) * (window + 1)


def test_pages_of_a_listing_keep_to_the_quota(daemon: Daemon, hub: TestHub) -> None:
    files = {f"{number:03}.txt": b"%d" % number for number in range(99)}
    make_repo(hub, "quota/pages", files)
    hub.admin.configure(page_size=2, rate_limits={"api": (20, 1)})
    with VarlinkClient(daemon.socket) as client:
        listed = list_files(client, "quota/pages")
    assert len(listed["files"]) == 100  # with .gitattributes
    pages = hub.log.count(path_matches="/tree/", status=200)
    assert pages == 50
    assert refusals(hub) <= 3  # the first of each window


def test_a_quota_that_others_use_up_is_waited_for(daemon: Daemon, hub: TestHub) -> None:
    names = branches(hub, "quota/shared", 12)
    hub.admin.configure(rate_limits={"api": (20, 3)})
    with VarlinkClient(daemon.socket) as client:
        list_files(client, "quota/shared", names[0])
        # Another machine with the same token spends the rest.
        url = f"{hub.endpoint}/api/models/quota/shared/revision/main"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        for _ in range(18):
            with urllib.request.urlopen(request) as answer:
                assert answer.status == 200
        begun = time.monotonic()
        list_files(client, "quota/shared", names[1])
        assert time.monotonic() - begun > 1

    def ask(name: str) -> Callable[[], None]:
        def run() -> None:
            with VarlinkClient(daemon.socket) as own:
                list_files(own, "quota/shared", name)

        return run

    assert at_once([ask(name) for name in names[2:]]) == []
    assert 1 <= refusals(hub) <= 2  # how else should the box know?


def test_a_wait_that_is_only_asked_for_holds_all_and_opens_gently(
    daemon: Daemon, hub: TestHub
) -> None:
    names = branches(hub, "quota/after", 20)
    limit = {"status": 429, "headers": {"Retry-After": "1"}}
    rule = hub.faults.add("status", match={"path": "/api/.*/revision/"}, times=2, **limit)
    with VarlinkClient(daemon.socket) as client:
        list_files(client, "quota/after", "main")
    assert hub.faults.hits(rule) == 2
    hub.faults.add("status", match={"path": "/api/.*/revision/"}, times=None, **limit)

    def ask(name: str) -> Callable[[], None]:
        def run() -> None:
            with VarlinkClient(daemon.socket) as own:
                list_files(own, "quota/after", name)

        return run

    seen = refusals(hub)
    asking = threading.Thread(target=lambda: failures.extend(at_once([ask(n) for n in names])))
    failures: list[BaseException] = []
    asking.start()
    eventually(lambda: refusals(hub) > seen, "the Hub refuses")
    time.sleep(2.5)
    # All that were in the air at first, and since then one for each second.
    assert refusals(hub) - seen <= len(names) + 4
    hub.faults.clear()
    asking.join(60)
    assert failures == [] and not asking.is_alive()


def test_fields_that_make_no_sense_stop_nobody(daemon: Daemon, hub: TestHub) -> None:
    files = {"a.txt": b"a", "b.bin": content("sense", 3000)}
    for number, (limit, policy) in enumerate(
        [
            ('"api";r=;t=banana', "\x22"),
            ('"api";r=0;t=99999999999', '"api";q=0;w=0'),
            ('"api";r=-1;t=-1', '"fixed window";"api";q=-5'),
            (";;,,;;" * 500, "q=1" * 500),
            ('"api";r=0;t=0', '"api";q=99999999999999999999'),
        ]
    ):
        repo = f"quota/odd{number}"
        make_repo(hub, repo, files)
        fields = {"RateLimit": limit, "RateLimit-Policy": policy, "Retry-After": "3000"}
        rule = hub.faults.add("headers", set=fields, times=None)
        begun = time.monotonic()
        right_bytes(daemon.download(repo, "--quiet"), files)
        assert time.monotonic() - begun < 5, limit
        hub.faults.remove(rule)


def test_files_keep_to_their_quota_and_say_why_they_wait(daemon: Daemon, hub: TestHub) -> None:
    files = {f"{number}.txt": content(f"quota {number}", 2000) for number in range(40)}
    make_repo(hub, "quota/files", files)
    hub.admin.configure(rate_limits={"resolvers": (20, 2)})
    reasons: set[str] = set()
    with VarlinkClient(daemon.socket) as client:
        for reply in client.stream(
            "org.wharf.Downloads.Download", repo="quota/files", token=TOKEN
        ):
            progress = reply.get("progress") or {}
            if progress.get("reason"):
                assert progress["state"] == "waiting"
                reasons.add(progress["reason"])
    right_bytes(Path(reply["result"]["snapshot"]), files)
    # "asked to wait 2s", "takes no more requests for 1s: ...", "slowing down: 2 of 20 requests ..."
    assert any("asked to wait" in reason or "requests" in reason for reason in reasons), reasons
    print(f"\n{refusals(hub)} refused; reasons: {sorted(reasons)}")
    # Before the first answer is known, as many go at once as there may be connections; later only
    # the first of a window may come too early.
    assert refusals(hub) <= 16 + 3
