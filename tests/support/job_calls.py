"""What tests ask the daemon about its jobs."""

from __future__ import annotations

import time
from typing import Any

from tests.support.daemon import Daemon
from tests.support.varlink_client import VarlinkClient


def call(daemon: Daemon, method: str, **parameters: Any) -> dict[str, Any]:
    """One call on a connection of its own."""
    with VarlinkClient(daemon.socket) as client:
        return client.call(method, **parameters)


def job(daemon: Daemon, number: int) -> dict[str, Any]:
    return call(daemon, "Jobs.Show", id=number)["job"]


def detach(daemon: Daemon, repo: str, **parameters: Any) -> int:
    """Asks for a download that nobody waits for; the job's number."""
    return int(call(daemon, "Downloads.Download", repo=repo, detach=True, **parameters)["job"])


def wait_for_state(daemon: Daemon, number: int, *states: str, timeout: float = 20) -> dict[str, Any]:
    """The job when it is in one of the states."""
    deadline = time.monotonic() + timeout
    while (found := job(daemon, number))["state"] not in states:
        assert time.monotonic() < deadline, f"job is {found}\n{daemon.log[-3000:]}"
        time.sleep(0.02)
    return found
