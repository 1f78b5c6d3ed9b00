"""What tests use that look for secrets everywhere: secrets to look for, all places, and people who
give secrets away to a daemon."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon
from tests.support.users import DAEMON, DAEMON_UID, User, new_user
from tests.support.varlink_client import CallFailed

# Each is found by its own middle: whatever cuts it or wraps it would still show.
STORED = "hf_a_StoredToken4f1c9e"
GIVEN = "hf_a_GivenToken77b02d"
DETACHED = "hf_a_DetachedToken5a31c8"
HELD = "hf_a_HeldToken0c44ef"
REFUSED = "hf_a_RefusedToken91d3aa"
FORGOTTEN = "hf_a_ForgottenToken8be220"
ODD = "hf_a_OddToken\u00e96d7f"
PASSWORD = "ProxyPassword3e9b61"
TOKENS = [STORED, GIVEN, DETACHED, HELD, REFUSED, FORGOTTEN, ODD]


def needles(*more: str) -> list[bytes]:
    """What no place may hold: the core of each secret, plain and in base64."""
    cores = [re.search(r"_a_(\w+?Token)", token).group(1) for token in TOKENS]  # type: ignore[union-attr]
    plain = [core.encode() for core in [*cores, "ProxyPassword", *more]]
    coded = [base64.b64encode(f"user:{PASSWORD}".encode())]
    return plain + coded


def occurrences(places: dict[str, bytes], secrets: list[bytes]) -> list[str]:
    """Where which of them is."""
    return [
        f"{secret.decode()} in {name}"
        for name, content in places.items()
        for secret in secrets
        if secret in content
    ]


def files_of(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder, and the names themselves."""
    found: dict[str, bytes] = {"names of files": b""}
    for path in folder.rglob("*"):
        found["names of files"] += os.fsencode(path) + b"\n"
        if path.is_symlink():
            found["names of files"] += os.fsencode(os.readlink(path)) + b"\n"
        elif path.is_file():
            found[str(path)] = path.read_bytes()
    return found


PROC_FILES = [
    "cmdline", "comm", "environ", "status", "stat", "maps", "smaps", "auxv", "cgroup", "limits",
    "mountinfo", "stack", "syscall", "wchan", "io", "mem", "pagemap", "numa_maps", "sched",
    "net/unix", "net/tcp", "timers", "personality", "coredump_filter",
]


def read_process(pid: int) -> dict[str, bytes]:
    """What this account can read of a process."""
    found = {}
    for name in PROC_FILES:
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                found[f"/proc/PID/{name}"] = file.read(1 << 20)
        except OSError:
            pass
    return found


def places_of(box: Daemon, place: Path, said: list[bytes]) -> dict[str, bytes]:
    """All that anybody could look at: the log, what was answered, every file of the daemon's, and
    what others, its own account and root read of its process; its memory is another matter."""
    pid = box.pid
    root = read_process(pid).items()
    return {
        "the log": box.log.encode(),
        **{f"answer {i}": answer for i, answer in enumerate(said)},
        **files_of(place),
        **{f"{name} for others": data for name, data in new_user().do(read_process, pid).items()},
        **{f"{name} for its own account": data for name, data in DAEMON.do(read_process, pid).items()},
        **{name: data for name, data in root if not name.endswith(("/mem", "/pagemap"))},
    }


def trail_in(place: Path) -> dict[str, dict[str, str]]:
    """Settings: everything is taken down, in a file that is searched, too."""
    return {"audit": {"file": str(place / "audit.log"), "log": "all"}}


class Use:
    """Everything that one can do with a secret, and all that was answered meanwhile."""

    def __init__(self, box: Daemon, hub: TestHub, home: Path, user: User) -> None:
        self.box = box
        self.hub = hub
        self.home = home
        self.user = user
        self.said: list[bytes] = []

    def wharf(self, *arguments: str, text: str = "", **environment: str) -> int:
        with self.user.start(
            BUILD / "wharf", *arguments, stdin=subprocess.PIPE,
            environment={
                "HOME": str(self.home),
                "WHARF_SOCKET": str(self.box.socket),
                "WHARF_DAEMON_USER": str(DAEMON_UID),
                **environment,
            },
        ) as process:
            out, err = process.communicate(text, timeout=60)
        self.said += [out.encode(), err.encode()]
        return process.returncode

    def call(self, method: str, **parameters: object) -> str:
        """The name of the error; empty when there is none."""
        with self.user.client(self.box.socket) as client:
            try:
                self.said.append(str(client.call(method, **parameters)).encode())
                return ""
            except CallFailed as failed:
                self.said.append(f"{failed} {failed.hint}".encode())
                return failed.name

    def detach(self, repo: str, token: str) -> int:
        with self.user.client(self.box.socket) as client:
            return int(client.call("Downloads.Download", repo=repo, detach=True, token=token)["job"])
