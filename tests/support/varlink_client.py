"""The daemon's socket for tests that say more than `wharf` can: a few lines of Varlink."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from tests.support.daemon import Daemon


class CallFailed(Exception):
    """A typed error; `name` without its interface: "RepoNotFound"."""

    def __init__(self, error: str, parameters: dict[str, Any]) -> None:
        super().__init__(f"{error}: {parameters}")
        self.name = error.rsplit(".", 1)[1]
        self.message: str = parameters.get("message", "")
        self.hint: str = parameters.get("hint", "")


class Client:
    """One connection; a context manager."""

    def __init__(self, daemon: Daemon, timeout: float = 30) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(daemon.socket))
        self._buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, method: str, parameters: dict[str, Any], more: bool = False) -> None:
        message = {"method": f"org.wharf.{method}", "parameters": parameters}
        if more:
            message["more"] = True
        self._socket.sendall(json.dumps(message).encode() + b"\0")

    def receive(self) -> dict[str, Any]:
        """The next answer as it is, with its `continues`."""
        while b"\0" not in self._buffer:
            part = self._socket.recv(1 << 20)
            if not part:
                raise ConnectionError("the daemon hung up")
            self._buffer += part
        text, self._buffer = self._buffer.split(b"\0", 1)
        answer = json.loads(text)
        if "error" in answer:
            raise CallFailed(answer["error"], answer.get("parameters", {}))
        return answer

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """`call("Jobs.Show", id=7)`: the one answer."""
        self.send(method, parameters)
        return self.receive()["parameters"]

    def stream(self, method: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The answers to a call with "more"."""
        self.send(method, parameters, more=True)
        answer: dict[str, Any] = {"continues": True}
        while answer.get("continues"):
            answer = self.receive()
            yield answer["parameters"]


def call(daemon: Daemon, method: str, **parameters: Any) -> dict[str, Any]:
    """One call on a connection of its own."""
    with Client(daemon) as client:
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
