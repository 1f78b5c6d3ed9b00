"""Calls to the daemon's socket without any package: for benchmarks and long tests."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any


class CallFailed(Exception):
    """A typed error; `name` without its interface: "RepoNotFound"."""

    def __init__(self, error: str, parameters: dict[str, Any]) -> None:
        super().__init__(f"{error}: {parameters.get('message', parameters)}")
        self.name = error.rsplit(".", 1)[1]
        self.message: str = parameters.get("message", "")
        self.hint: str = parameters.get("hint", "")


class VarlinkClient:
    """One connection; a context manager. A daemon that goes away is a ConnectionError.

    To a path, or over a socket that is connected already. With `user` it is that user who asks:
    the daemon sees who connected.
    """

    def __init__(
        self, to: Path | socket.socket, timeout: float = 60, user: int | None = None
    ) -> None:
        self._received = b""
        if isinstance(to, socket.socket):
            self._socket = to
            return
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        before = os.geteuid()
        try:
            if user is not None:
                os.seteuid(user)
            self._socket.connect(str(to))
        except BaseException:
            self._socket.close()
            raise
        finally:
            os.seteuid(before)

    def __enter__(self) -> VarlinkClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(
        self,
        method: str,
        *,
        more: bool = False,
        oneway: bool = False,
        passed: Sequence[int] = (),
        **parameters: Any,
    ) -> None:
        """A call whose answers are read with `receive`, or by nobody: `send("Jobs.Show", id=7)`.

        The descriptors `passed` go with it.
        """
        name = method if method.startswith("org.") else f"org.wharf.{method}"
        message: dict[str, Any] = {"method": name, "parameters": parameters}
        message |= {flag: True for flag, on in (("more", more), ("oneway", oneway)) if on}
        data = json.dumps(message).encode() + b"\0"
        if passed:
            sent = socket.send_fds(self._socket, [data], list(passed))
            data = data[sent:]
        self._socket.sendall(data)

    def receive(self) -> tuple[dict[str, Any], bool]:
        """The next answer, and whether others follow."""
        while b"\0" not in self._received:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError("the daemon closed the connection")
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        reply = json.loads(message)
        if "error" in reply:
            raise CallFailed(reply["error"], reply.get("parameters") or {})
        return reply.get("parameters") or {}, bool(reply.get("continues"))

    def call(
        self, method: str, *, passed: Sequence[int] = (), **parameters: Any
    ) -> dict[str, Any]:
        self.send(method, passed=passed, **parameters)
        return self.receive()[0]

    def stream(self, method: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All answers of a call with "more"."""
        self.send(method, more=True, **parameters)
        continues = True
        while continues:
            answer, continues = self.receive()
            yield answer

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, also those that have ended, newest first."""
        return [job for part in self.stream("org.wharf.Jobs.List", all=True) for job in part["jobs"]]
