"""A box of its own with systemd as process 1, for what cannot be seen without: packages and units."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

BOOT = Path(__file__).with_name("boot_box")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


class CannotBoot(Exception):
    """Why there can be no such box on this machine."""


class Box:
    """Runs while the context lasts; what is changed inside is gone afterwards."""

    def __enter__(self) -> Box:
        if os.geteuid() != 0:
            raise CannotBoot("only root can mount an overlay of the file system")
        if not Path("/lib/systemd/systemd").exists():
            raise CannotBoot("systemd is not installed")
        self._folder = Path(tempfile.mkdtemp(prefix="wharf-box-"))
        self._log = self._folder.with_suffix(".log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [BOOT, self._folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait_until_booted()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # and with it goes process 1, and with that all others
        self._process.wait()
        self._remove_groups()
        with contextlib.suppress(OSError):
            self._folder.rmdir()
        self._log.unlink(missing_ok=True)

    def _init(self) -> int | None:
        """Process 1, as it is known outside."""
        pid = self._process.pid
        with contextlib.suppress(OSError, IndexError):
            child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return child
        return None

    def _wait_until_booted(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            if self._process.poll() is not None:
                raise CannotBoot(f"systemd cannot be booted in a box here: {self._log.read_text().strip()}")
            if self._init() and self.run("systemctl", "is-system-running", check=False).stdout.strip() in (
                "running",
                "degraded",
            ):
                return
            if time.monotonic() > deadline:
                raise CannotBoot(f"systemd does not come up in a box here: {self._log.read_text().strip()}")
            time.sleep(0.05)

    def _remove_groups(self) -> None:
        """Control groups are left over, empty; outermost last."""
        script = (
            'mount -t cgroup2 cgroup2 "$1" && for try in $(seq 100); do'
            ' find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null; test -e "$1/$2" || break; sleep 0.05; done'
        )
        name = f"wharf-test-{self._process.pid}"
        subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", self._folder, name],
            capture_output=True,
        )

    def command(self, *arguments: str | Path, user: str | None = None) -> list[str]:
        become = (
            ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user is not None else []
        )
        enter = ["nsenter", f"--target={self._init()}", "--mount", "--pid", "--cgroup", "--ipc", "--uts"]
        return [*enter, "--root", "--wd=/", "--", *become, *map(str, arguments)]

    def run(
        self,
        *arguments: str | Path,
        user: str | None = None,
        check: bool = True,
        input: bytes | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside, as root or as a user there, to its end."""
        done = subprocess.run(
            self.command(*arguments, user=user),
            env=ENVIRONMENT,
            input=input if input is not None else b"",
            capture_output=True,
            timeout=timeout,
        )
        out, error = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{out}{error}\n{self.journal()}"
        return subprocess.CompletedProcess(arguments, done.returncode, out, error)

    def journal(self) -> str:
        """The end of what the daemon logged."""
        return self.run("journalctl", "--no-pager", "-n", "40", "-u", "wharfd.service", check=False).stdout

    def write(self, path: str, content: bytes | str) -> None:
        content = content.encode() if isinstance(content, str) else content
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path, input=content)

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def exists(self, path: str) -> bool:
        return self.run("test", "-e", path, check=False).returncode == 0

    def put(self, file: Path) -> str:
        """Copies a file inside; its path there."""
        path = f"/tmp/{file.name}"
        self.write(path, file.read_bytes())
        return path
