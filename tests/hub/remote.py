"""The test Hub's control API for tests that did not start the Hub themselves.

`HubControl(url).faults.add("reset", after=1000)` is the same as the call on a `TestHub` object,
except that records and the like come back as dictionaries.
"""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any


class ControlError(Exception):
    """The control server refused a call."""


class _Remote:
    """One of the Hub's objects: any method call becomes a request."""

    def __init__(self, control: HubControl, name: str) -> None:
        self._control = control
        self._name = name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda **arguments: self._control.call(f"/{self._name}/{method}", arguments)


class _RemoteFaults(_Remote):
    def add(self, kind: str | None = None, **arguments: Any) -> int:
        """Like `Faults.add`, whose first argument has no name in most calls."""
        result: int = self._control.call("/faults/add", {"kind": kind, **arguments})
        return result


class HubControl:
    """Talks to a running test Hub through its control URL or its state file."""

    def __init__(self, url: str) -> None:
        self._address = urllib.parse.urlsplit(url).netloc
        self.admin = _Remote(self, "admin")
        self.faults = _RemoteFaults(self, "faults")
        self.log = _Remote(self, "log")

    @staticmethod
    def from_state_file(path: Path) -> HubControl:
        return HubControl(json.loads(path.read_text())["control"])

    def summary(self) -> dict[str, Any]:
        """Endpoints, CA file, pid."""
        summary: dict[str, Any] = self._request("GET", "/", None)
        return summary

    def call(self, path: str, arguments: dict[str, Any]) -> Any:
        return self._request("POST", path, json.dumps(arguments))["result"]

    def _request(self, method: str, path: str, body: str | None) -> Any:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            value = json.loads(response.read())
        finally:
            connection.close()
        if response.status == 503:
            raise TimeoutError(value["error"])
        if response.status != 200:
            raise ControlError(value["error"])
        return value
