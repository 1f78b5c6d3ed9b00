"""Real users for tests: numbers that no account has, so nothing is written to /etc/passwd.

Only root can become somebody else: a test that needs it is marked with `needs_root`. A child
process becomes the user for good, all three ids and the groups, before it does anything.

    ann = new_user(groups=[WHARF])
    ann.run("wharf", "download", "org/model")        # a program as that user
    ann.do(os.listdir, cache)                        # a Python function as that user
    ann.client(daemon.socket).call("Status")         # calls to the daemon from that user
"""

from __future__ import annotations

import array
import grp
import itertools
import os
import pickle
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import CLEAN_ENVIRONMENT
from tests.support.varlink_client import VarlinkClient

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

DAEMON_UID = 40001
"""Who runs the daemon where it must be neither root nor a user of the test."""

_numbers = itertools.count(DAEMON_UID + 1)


class Failed(Exception):
    """A function raised in the child what cannot be carried over; the text says what."""


def _is_free(number: int) -> bool:
    try:
        pwd.getpwuid(number)
        return False
    except KeyError:
        pass
    try:
        grp.getgrgid(number)
        return False
    except KeyError:
        return True


@dataclass(frozen=True)
class User:
    """One user; `groups` are the supplementary ones. Without an account, a name or a home."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def become(self) -> None:
        """Turns the calling process into this user, for good. For a child process only."""
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)

    def start(
        self, *command: str | Path, environment: dict[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Starts a program with nothing of the tests' environment but its PATH."""
        pipes = {name: subprocess.PIPE for name in ("stdout", "stderr")}
        return subprocess.Popen(
            [str(word) for word in command],
            env={**CLEAN_ENVIRONMENT, **(environment or {})},
            **{"stdin": subprocess.DEVNULL, "cwd": "/", "text": True, **pipes, **options},
            user=self.uid, group=self.gid, extra_groups=self.groups,
        )

    def run(
        self,
        *command: str | Path,
        timeout: float = 60,
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end."""
        process = self.start(*command, environment=environment, **options)
        with process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def do(self, function: Callable[..., Any], *arguments: Any, timeout: float = 60) -> Any:
        """What `function` returns when this user calls it, or raises what it raised.

        It runs in a fork of the test: it sees all objects and changes none of them. Results go
        through pickle.
        """
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._answer(writing, function, arguments)
        os.close(writing)
        try:
            data = _read_all(reading, timeout)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            os.close(reading)
            _, status = os.waitpid(child, 0)
        if not data:
            raise Failed(f"the child ended with {os.waitstatus_to_exitcode(status)}")
        error, result = pickle.loads(data)
        if error is not None:
            raise error
        return result

    def _answer(self, pipe: int, function: Callable[..., Any], arguments: Iterable[Any]) -> None:
        """The child's whole life. It must not return into the test, nor run its clean-ups."""
        try:
            try:
                self.become()
                data = pickle.dumps((None, function(*arguments)))
            except BaseException as error:
                data = pickle.dumps((_portable(error), None))
            with os.fdopen(pipe, "wb") as out:
                out.write(data)
            os._exit(0)
        finally:
            os._exit(1)

    def connect(self, path: Path, timeout: float = 60) -> socket.socket:
        """A connection that belongs to this user: the kernel notes who called connect().

        Its process is gone afterwards; its user and groups stay what they were.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.do(_connect_and_send, str(path), theirs)
            _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(array.array("i").itemsize))
            number = array.array("i", ancillary[0][2])[0]
        connection = socket.socket(fileno=number)
        connection.settimeout(timeout)
        return connection

    def client(self, path: Path, timeout: float = 60) -> VarlinkClient:
        return VarlinkClient(self.connect(path, timeout), timeout)


def _connect_and_send(path: str, to: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(to, [b"s"], [connection.fileno()])


def _portable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return Failed(f"{type(error).__name__}: {error}")


def _read_all(pipe: int, timeout: float) -> bytes:
    data = b""
    deadline = time.monotonic() + timeout
    while select.select([pipe], [], [], max(0, deadline - time.monotonic()))[0]:
        part = os.read(pipe, 1 << 16)
        if not part:
            return data
        data += part
    raise TimeoutError(f"no answer of the child within {timeout:g} s")


def new_group() -> int:
    """The number of a group that neither the box nor another test knows."""
    return next(number for number in _numbers if _is_free(number))


def new_user(groups: Iterable[int] = ()) -> User:
    """A user that neither the box nor another test knows, with a group of the same number."""
    number = new_group()
    return User(number, number, tuple(groups))


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user can pass through, unlike pytest's: a place for a daemon's own.

    It belongs to root: nobody else can make anything in it.
    """
    folder = Path(tempfile.mkdtemp(prefix="wharf-users-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def place_of_daemon() -> Iterator[Path]:
    """A folder of the daemon's account that everybody can pass through."""
    with open_folder() as folder:
        place = folder_of(DAEMON, folder, "box")
        place.chmod(0o755)
        yield place


def folder_of(user: User, parent: Path, name: str = "") -> Path:
    """A new folder that only this user may enter: a home, or a daemon's place."""
    folder = parent / (name or f"home-{user.uid}")
    folder.mkdir(mode=0o700)
    os.chown(folder, user.uid, user.gid)
    return folder


DAEMON = User(DAEMON_UID, DAEMON_UID)
"""The account that runs the daemon."""

OPEN_TO_ALL: dict[str, Any] = {"access": {"allow_users": ["*"], "allow_groups": []}}
"""Settings of a daemon that serves whoever is there."""
