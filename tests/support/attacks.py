"""What hostile users do to the daemon's socket. Run them with `acting`, as the user they are."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.users import User

Ready = Callable[[object], None]


def hold() -> None:
    """What the attack has taken, until it is ended."""
    while True:
        signal.pause()


@contextlib.contextmanager
def acting(user: User, attack: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """The attack goes on, in a process of that user, until the end of the block.

    Yields what it says when it is ready: `attack(ready, *arguments)` calls `ready(result)`, and
    does not return.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            user.become()
            attack(lambda result: os.write(writing, json.dumps(result).encode() + b"\n"), *arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as said:
            line = said.readline()
            assert line, "the attack failed"
            yield json.loads(line)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def message(method: str, **parameters: Any) -> bytes:
    return json.dumps({"method": f"org.wharf.{method}", "parameters": parameters}).encode() + b"\0"


def connect(path: str, timeout: float | None = 30) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)  # waits while the queue of new connections is full
    connection.settimeout(timeout)
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    """All that the daemon says until it closes the connection."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            said += part
    return said


def allow_descriptors() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def open_many(ready: Ready, path: str, count: int) -> None:
    """Holds as many connections as it gets; says how many, and what the others were told."""
    allow_descriptors()
    held, told = [], set()
    for _ in range(count):
        connection = connect(path)
        connection.setblocking(False)
        held.append(connection)
    deadline = time.monotonic() + 20
    open_ones = held
    while time.monotonic() < deadline:
        still = []
        for connection in open_ones:
            try:
                said = connection.recv(4096)
            except BlockingIOError:
                still.append(connection)
                continue
            if said:
                told.add(json.loads(said.rstrip(b"\0"))["parameters"]["message"])
        if len(still) == len(open_ones) and len(still) < count:
            break
        open_ones = still
        time.sleep(0.2)
    ready({"held": len(open_ones), "told": sorted(told)})
    hold()


def call_without_pause(ready: Ready, path: str, connections: int, call: bytes, reads: bool) -> None:
    """Calls on all connections as fast as they take it, and reads the answers or does not."""
    allow_descriptors()
    sockets = [connect(path) for _ in range(connections)]
    for connection in sockets:
        connection.setblocking(False)
    calls = call * max(1, 60_000 // len(call))
    ready(None)
    while True:
        for connection in sockets:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection.send(calls)
            if reads:
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    connection.recv(1 << 20)


def come_and_go(ready: Ready, path: str) -> None:
    """Connects, and leaves at every stage of a call."""
    ready(None)
    turn = 0
    while True:
        with contextlib.suppress(OSError), connect(path) as connection:
            turn += 1
            if turn % 3 == 1:
                connection.send(b'{"method"')
            elif turn % 3 == 2:
                connection.send(message("Jobs.List", all=True) * 3)


def send_descriptors(ready: Ready, path: str, connections: int, messages: int) -> None:
    """Descriptors with each message and each half of one, as many as the kernel lets through."""
    allow_descriptors()
    sockets = [connect(path) for _ in range(connections)]
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(250)]
    sent = 0
    for number in range(messages):
        for connection in sockets:
            half = number % 2 == 1
            with contextlib.suppress(OSError):
                socket.send_fds(connection, [b"{" if half else message("Status")], many)
                sent += 1
    ready(sent)
    hold()


def wait_for_files(ready: Ready, path: str, count: int, call: bytes) -> None:
    """As many calls at once that cannot be answered yet; says what those were told that were."""
    allow_descriptors()
    sockets = [connect(path) for _ in range(count)]
    for connection in sockets:
        connection.send(call)
    told: dict[str, int] = {}
    with selectors.DefaultSelector() as selector:
        for connection in sockets:
            selector.register(connection, selectors.EVENT_READ)
        while answered := selector.select(timeout=3):  # ends when nobody is told anything
            for key, _ in answered:
                selector.unregister(key.fileobj)
                reply = json.loads(key.fileobj.recv(1 << 16).split(b"\0")[0])
                text = f"{reply.get('error')}: {reply.get('parameters', {}).get('message')}"
                told[text] = told.get(text, 0) + 1
    ready(told)
    hold()
