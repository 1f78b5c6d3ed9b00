"""The real `huggingface_hub` in a process of its own, driven from a test."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from . import client_venvs

_WORKER = Path(__file__).with_name("client_worker.py")
_CALL = "result = getattr(hf, function)(**arguments)"


class ClientError(Exception):
    """An exception inside the client. `types` are the names of its classes, most special first."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.types: list[str] = error["types"]
        self.message: str = error["message"]
        self.status: int | None = error["status"]
        super().__init__(f"{self.types[0]}: {self.message}")


def environment(
    endpoint: str, home: Path, ca_file: Path | None = None, **extra: str
) -> dict[str, str]:
    """What a client process gets: none of the caller's Hugging Face settings and proxies."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))
    }
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        kept.pop(name, None)
        kept.pop(name.lower(), None)
    kept.update(
        HF_ENDPOINT=endpoint,
        HF_HOME=str(home),
        HOME=str(home),
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_UPDATE_CHECK="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HUB_DISABLE_IMPLICIT_TOKEN="1",
    )
    if ca_file is not None:
        # httpx and httpx2 read the first, requests the second.
        kept.update(SSL_CERT_FILE=str(ca_file), REQUESTS_CA_BUNDLE=str(ca_file))
    kept.update(extra)
    return kept


class OfficialClient:
    """A long-lived client process with a home (and so a default cache) of its own."""

    def __init__(
        self, name: str, endpoint: str, home: Path, ca_file: Path | None = None, **env: str
    ) -> None:
        self.name = name
        """Which release line: a key of `client_venvs.CLIENTS`."""
        self.home = home
        self.env = environment(endpoint, home, ca_file, **env)
        home.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [str(client_venvs.ensure(name)), str(_WORKER)],
            env=self.env,
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> OfficialClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def call(self, function: str, /, **arguments: Any) -> Any:
        """`huggingface_hub.<function>(**arguments)`; the result as plain values."""
        return self.run(_CALL, function=function, arguments=arguments)

    def fails(self, function: str, /, **arguments: Any) -> ClientError:
        """The same for a call that must raise; returns what it raised."""
        try:
            result = self.call(function, **arguments)
        except ClientError as error:
            return error
        raise AssertionError(f"{function} did not fail but returned {result!r}")

    def run(self, code: str, /, *, timeout: float = 60, **variables: Any) -> Any:
        """Runs code in which `hf` is the package; what it assigns to `result` comes back."""
        assert self._process.stdin is not None and self._process.stdout is not None
        guard = threading.Timer(timeout, self._process.kill)
        guard.start()
        try:
            self._process.stdin.write(json.dumps({"code": code, "variables": variables}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            guard.cancel()
        if not line:
            raise RuntimeError(
                f"the client process ended ({self._process.poll()}) while running:\n{code}"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["result"]

    def cli(
        self, *arguments: str, timeout: float = 60, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """The client's own command, `hf`."""
        command = [str(client_venvs.python_of(self.name).with_name("hf")), *arguments]
        return subprocess.run(
            command,
            env={**self.env, **env},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def kill(self) -> None:
        """Ends it as a crash would; a call that runs in another thread raises RuntimeError."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
