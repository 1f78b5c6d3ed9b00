"""The test Hub in another process, and its control API for whoever did not start it.

`HubControl(url).faults.add("reset", after=1000)` is the same as the call on a `TestHub` object,
except that records and the like come back as dictionaries.
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


class ControlError(Exception):
    """The control server refused a call."""


class _Remote:
    """One of the Hub's objects: any method call becomes a request."""

    def __init__(self, control: HubControl, name: str) -> None:
        self._control = control
        self._name = name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        first = _FIRST.get(f"{self._name}.{method}") or _FIRST.get(self._name, "")

        def call(*values: Any, **arguments: Any) -> Any:
            if len(values) > 1:
                raise TypeError("only the first argument may go without its name")
            if values:
                arguments[first] = values[0]
            return self._control.call(f"/{self._name}/{method}", arguments)

        return call


_FIRST = {
    "admin": "id",
    "admin.add_user": "name",
    "admin.add_token": "user",
    "admin.revoke_token": "token",
    "faults": "id",
    "faults.add": "kind",
    "log.bytes_sent": "blob",
    "log.bytes_received": "blob",
}
"""Names of arguments that tests like to pass by position."""


class HubControl:
    """Talks to a running test Hub through its control URL or its state file."""

    def __init__(self, url: str) -> None:
        self._address = urllib.parse.urlsplit(url).netloc
        self.admin = _Remote(self, "admin")
        self.faults = _Remote(self, "faults")
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


class HubProcess:
    """`python3 -m tests.hub` with more options; use it as a context manager."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.state_file = directory / "hub.json"
        command = [sys.executable, "-m", "tests.hub", "--directory", str(directory)]
        command += ["--state-file", str(self.state_file), *options]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        # Its only line of output comes when it is ready.
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the test Hub ended with status {self._process.wait()}")
        summary = json.loads(line)
        self.endpoint: str = summary["endpoint"]
        self.control = HubControl(summary["control"])

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> HubProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends the process and returns its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status
