"""Calls to the daemon's socket, with nothing between the test and the messages."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any


class CallFailed(Exception):
    """The daemon answered with an error."""

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        super().__init__(f"{name}: {parameters}")
        self.name = name
        self.parameters = parameters


class VarlinkClient:
    """One connection; a context manager. Calls follow each other."""

    def __init__(self, path: Path, timeout: float = 120) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._buffer = b""

    def __enter__(self) -> VarlinkClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def call_more(self, method: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The replies of a method that may answer more than once."""
        call = {"method": method, "parameters": parameters, "more": True}
        self._socket.sendall(json.dumps(call).encode() + b"\0")
        while True:
            reply = self._receive()
            if "error" in reply:
                raise CallFailed(reply["error"], reply.get("parameters", {}))
            yield reply["parameters"]
            if not reply.get("continues"):
                return

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            received = self._socket.recv(65536)
            if not received:
                raise EOFError("the daemon closed the connection")
            self._buffer += received
        message, _, self._buffer = self._buffer.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded
