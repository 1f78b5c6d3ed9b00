"""`[limits]` are kept on the wire, a reload changes them for what is on its way, and what went over
the wire is told."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.job_calls import call, detach, job, wait_for_state
from tests.support.pushes import new_repo, push, submit
from tests.support.trials import KIB, MIB, QUICK, content, eventually, make_repo, watched

RATE = 512 * KIB
SIZE = 16 * MIB
"""Half a minute's work under the limit, and less than a second's without."""
SECONDS = 1.5


def begin_download(daemon: Daemon, hub: TestHub) -> int:
    make_repo(hub, "limits/down", {"w.bin": content("limited download", SIZE)})
    return detach(daemon, "limits/down")


def begin_push(daemon: Daemon, hub: TestHub) -> int:
    repo = new_repo(hub, "limited push")
    return submit(daemon, repo, {"w.bin": content("limited push", SIZE)})


def came(daemon: Daemon, hub: TestHub) -> int:
    """Bytes that the daemon has read from its connections: its far end only knows what the kernel
    has taken, which may be all."""
    return int(call(daemon, "Status")["bytes_received"])


def went(daemon: Daemon, hub: TestHub) -> int:
    """Bytes of contents that the storage has read."""
    return sum(record.bytes_received for record in hub.log.find(server="cdn", method="PUT"))


def speed(moved: Callable[[], int]) -> float:
    before, begun = moved(), time.monotonic()
    time.sleep(SECONDS)
    return (moved() - before) / (time.monotonic() - begun)


def set_limit(daemon: Daemon, key: str, rate: int) -> None:
    daemon.settings["limits"] = {key: str(rate)}
    daemon.write_config()
    assert daemon.process
    daemon.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize(
    ("key", "start", "count"),
    [("download_rate", begin_download, came), ("upload_rate", begin_push, went)],
)
def test_a_rate_is_kept_and_a_reload_changes_it(
    hub: TestHub,
    key: str,
    start: Callable[[Daemon, TestHub], int],
    count: Callable[[Daemon, TestHub], int],
) -> None:
    with watched(Daemon(hub.endpoint, **QUICK, limits={key: str(RATE)})) as daemon:
        number = start(daemon, hub)

        def moved() -> int:
            return count(daemon, hub)

        eventually(lambda: moved() > RATE, "it moves")
        # What is buffered on the way is little: a fraction of a second's.
        assert RATE / 2 < speed(moved) < RATE * 2

        set_limit(daemon, key, 4 * RATE)
        time.sleep(1)  # so soon it takes effect, says docs/configuration.md
        assert RATE * 2 < speed(moved) < RATE * 8
        assert job(daemon, number)["state"] == "running"

        set_limit(daemon, key, 0)
        wait_for_state(daemon, number, "done", timeout=6)


def test_the_status_tells_what_went_and_came(hub: TestHub, daemon: Daemon) -> None:
    repo, size = new_repo(hub, "status sent"), 3 * MIB
    push(daemon, repo, {"w.bin": content("status sent", size)})
    status = call(daemon, "Status")
    assert size < status["bytes_sent"] < size + MIB / 2
    assert status["bytes_received"] < MIB / 2
    make_repo(hub, "limits/status", {"w.bin": content("status received", size)})
    daemon.download("limits/status", "--quiet")
    status = call(daemon, "Status")
    assert size < status["bytes_received"] < size + MIB / 2
    assert status["bytes_sent"] < size + MIB / 2
