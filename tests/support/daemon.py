"""Starts the real daemon for a test, and the real command against it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WHARF_BUILD", PROJECT / "build")).resolve()

# The environment of tests: nothing of the person who runs them.
CLEAN_ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}


class Daemon:
    """A `wharfd --config` of its own, in a folder of its own; a context manager.

    `cache` is the shared cache, `log` what the daemon wrote. `settings` are TOML tables:
    `Daemon(hub.endpoint, transfer={"stall_timeout": "2s"})`.
    """

    def __init__(
        self,
        endpoint: str,
        directory: Path | None = None,
        environment: dict[str, str] | None = None,
        user: int | None = None,
        prefix: Sequence[str] = (),
        **settings: dict[str, Any],
    ) -> None:
        self._temporary = None if directory else tempfile.mkdtemp(prefix="wharf-test-")
        self.directory = Path(directory or self._temporary)  # type: ignore[arg-type]
        self.socket = self.directory / "run" / "wharfd.sock"
        self.state = self.directory / "state"
        self.cache = self.directory / "cache"
        self.log_file = self.directory / "wharfd.log"
        self.config = self.directory / "wharfd.toml"
        self.environment = {**CLEAN_ENVIRONMENT, **(environment or {})}
        self.user = user  # who runs it, when that is not who runs the tests
        self.prefix = prefix  # a program that becomes the daemon, such as `ip netns exec NAME`
        self.settings: dict[str, dict[str, Any]] = {
            "daemon": {"socket": str(self.socket), "state_dir": str(self.state), "log_level": "debug"},
            "cache": {"dir": str(self.cache)},
            # Below the tests' own patience: an answer that never comes is the daemon's to heal.
            "hub": {"endpoint": endpoint, "first_byte_timeout": "15s"},
        }
        for table, values in settings.items():
            self.settings.setdefault(table, {}).update(values)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def write_config(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        for table, values in self.settings.items():
            lines.append(f"[{table}]")
            # A JSON string, number or boolean is one of TOML, too.
            lines.extend(f"{key} = {json.dumps(value)}" for key, value in values.items())
        self.config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Returns when the daemon takes connections."""
        self.launch()
        self.wait_until_it_answers()

    def launch(self) -> None:
        """Starts the process, and waits for nothing."""
        self.write_config()
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, BUILD / "wharfd", "--config", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
            )

    def wait_until_it_answers(self) -> None:
        assert self.process
        deadline = time.monotonic() + 20
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"wharfd did not start:\n{self.log}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            try:
                probe.connect(str(self.socket))
                return True
            except OSError:
                return False

    def stop(self, timeout: float = 20) -> int:
        """Asks it to end; its exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_for_log(self, text: str, timeout: float = 10) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.log:
            assert time.monotonic() < deadline, f"no '{text}' in the log:\n{self.log}"
            time.sleep(0.02)

    def open_descriptors(self) -> list[str]:
        """What the daemon's descriptors are."""
        links = []
        for entry in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                links.append(os.readlink(entry))
        return links

    def tcp_connections(self) -> list[str]:
        """Those of its descriptors that lead to the Hub; unused ones are kept for a while."""
        rows = Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]
        sockets = {f"socket:[{row.split()[9]}]" for row in rows}
        return [link for link in self.open_descriptors() if link in sockets]

    def memory(self) -> int:
        """Bytes of memory that are the daemon's alone."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return sum(
            int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Private_")
        )

    def _uid(self) -> int:
        """Who runs it; root's when it does not run."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text() if self.process else ""
        except OSError:
            status = ""
        return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("Uid:")), 0)

    def command(self, *arguments: str, **environment: str) -> tuple[list[str], dict[str, str]]:
        """Arguments and environment for running `wharf` against this daemon."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        env = {
            **CLEAN_ENVIRONMENT,
            "HOME": str(home),
            "WHARF_SOCKET": str(self.socket),
            "WHARF_DAEMON_USER": str(self._uid()),
            **environment,
        }
        return [str(BUILD / "wharf"), *arguments], env

    def wharf(
        self, *arguments: str, timeout: float = 60, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `wharf` to its end."""
        command, env = self.command(*arguments, **environment)
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )

    def start_wharf(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts `wharf` and leaves it running."""
        command, env = self.command(*arguments, **environment)
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def download(self, *arguments: str, **environment: str) -> Path:
        """A download that must succeed; the path it printed last."""
        done = self.wharf("download", *arguments, **environment)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr}\n{self.log}"
        return Path(done.stdout.splitlines()[-1])
