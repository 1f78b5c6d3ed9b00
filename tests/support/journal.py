"""A journal to write to: the socket of systemd-journald, and its native protocol read by the book
(https://systemd.io/JOURNAL_NATIVE_PROTOCOL), for a daemon in a mount namespace of its own."""

from __future__ import annotations

import array
import os
import socket
import struct
import threading
from pathlib import Path

_UCRED = struct.Struct("3i")


class ProtocolError(Exception):
    """What was sent is not what a journal takes."""


def parse(data: bytes) -> dict[str, bytes]:
    """The fields of one entry. Each is "NAME=value" and a newline; or, for values of any bytes, the
    name, a newline, the length as 64 bits little endian, the bytes and a newline."""
    fields: dict[str, bytes] = {}
    while data:
        line, newline, rest = data.partition(b"\n")
        if not newline:
            raise ProtocolError(f"no end of {line!r}")
        name, equals, value = line.partition(b"=")
        if not equals:
            if len(rest) < 8:
                raise ProtocolError(f"no length of {name!r}")
            (length,) = struct.unpack("<Q", rest[:8])
            value, end, rest = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
            if len(value) != length or end != b"\n":
                raise ProtocolError(f"{name!r} is not as long as it says")
        word = name.decode("ascii")
        if not word or not word.replace("_", "A").isalnum() or not word.isupper() or word[0] == "_":
            raise ProtocolError(f"no name of a field: {word!r}")
        if word in fields:
            raise ProtocolError(f"{word} twice")
        fields[word] = value
        data = rest
    return fields


class Journal:
    """Listens in a folder. `prefix` starts a program that finds it where the journal is."""

    def __init__(self, folder: Path) -> None:
        self.entries: list[dict[str, bytes]] = []
        self.uids: set[int] = set()
        self.errors: list[Exception] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o666)
        # A /run of its own: the journal's folder need not exist on the machine that runs the test.
        script = (
            "mount -t tmpfs run /run && mkdir -p /run/systemd/journal && "
            f"mount --bind '{folder}' /run/systemd/journal && exec \"$@\""
        )
        self.prefix = ("unshare", "--mount", "sh", "-c", script, "sh")
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                data, control, _, _ = self._socket.recvmsg(1 << 20, 1024)
            except OSError:
                return
            try:
                self.entries.append(parse(self._whole(data, control)))
            except (ProtocolError, OSError, UnicodeDecodeError) as error:
                self.errors.append(error)

    def _whole(self, data: bytes, control: list[tuple[int, int, bytes]]) -> bytes:
        """The entry: it comes as a descriptor when it is too long for a message."""
        for _, kind, content in control:
            if kind == socket.SCM_CREDENTIALS:
                self.uids.add(_UCRED.unpack(content)[1])
            elif kind == socket.SCM_RIGHTS:
                for number in array.array("i", content):
                    with os.fdopen(number, "rb") as file:
                        file.seek(0)
                        data += file.read()
        return data
