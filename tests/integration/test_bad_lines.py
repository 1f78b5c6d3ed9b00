"""Lines on which little gets through, or nothing any more."""

from __future__ import annotations

import time

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.pushes import new_repo, push, tree
from tests.support.trials import KIB, content, make_repo, quick, right_bytes, watched

PATIENT = quick(hub={"first_byte_timeout": "40s"})
"""Only the watch over what moves can find a peer that is gone in the time of these tests."""
SOON = 15
CDN = {"server": "cdn"}


def puts(hub: TestHub) -> int:
    return hub.log.count(server="cdn", method="PUT")


def test_a_slow_uplink(hub: TestHub, daemon: Daemon) -> None:
    """The storage takes longer for the object than it may for its answer, and it is sent once."""
    repo = new_repo(hub, "slow uplink")
    data = content("slow uplink", 1500 * KIB)
    hub.faults.add("upload_dribble", rate=400 * KIB, match=CDN, times=None)
    begun = time.monotonic()
    push(daemon, repo, {"w.bin": data})
    assert time.monotonic() - begun > 3, "it was not slow"
    assert tree(hub, repo)["w.bin"] == data
    assert puts(hub) == 1
    assert "timed out" not in daemon.log


def test_the_storage_vanishes_amid_a_push(hub: TestHub) -> None:
    repo = new_repo(hub, "vanishing storage")
    data = content("vanishing storage", 400 * KIB)
    rule = hub.faults.add("upload_stall", deaf=True, match=CDN)
    with watched(Daemon(hub.endpoint, **PATIENT)) as daemon:
        begun = time.monotonic()
        push(daemon, repo, {"w.bin": data})
        assert time.monotonic() - begun < SOON
        assert "timed out after 1 s" in daemon.log
    assert tree(hub, repo)["w.bin"] == data
    assert (hub.faults.hits(rule), puts(hub)) == (1, 2)


def test_the_hub_vanishes_amid_a_commit(hub: TestHub) -> None:
    """What was sent of it may have been heard: it is made once all the same."""
    repo = new_repo(hub, "vanishing hub")
    before = len(hub.admin.commits(repo))
    line = content("vanishing hub", 30 * KIB).hex()
    files = {f"{number}.txt": f"{number}{line}".encode() for number in range(8)}
    rule = hub.faults.add("upload_stall", deaf=True, match={"path": "/commit/"})
    with watched(Daemon(hub.endpoint, **PATIENT)) as daemon:
        begun = time.monotonic()
        push(daemon, repo, dict(files))
        assert time.monotonic() - begun < SOON
    assert tree(hub, repo).items() >= files.items()
    assert hub.faults.hits(rule) == 1
    assert len(hub.admin.commits(repo)) == before + 1


def test_the_cdn_vanishes_amid_a_download(hub: TestHub) -> None:
    files = {"w.bin": content("vanishing cdn", 3000 * KIB)}
    make_repo(hub, "line/vanishing", files)
    rule = hub.faults.add("stall", after=200 * KIB, deaf=True, match=CDN)
    with watched(Daemon(hub.endpoint, **PATIENT)) as daemon:
        begun = time.monotonic()
        right_bytes(daemon.download("line/vanishing", "--quiet"), files)
        assert time.monotonic() - begun < SOON
        assert "timed out after 1 s" in daemon.log
    assert hub.faults.hits(rule) == 1
