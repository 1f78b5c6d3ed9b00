"""The reading half of a connection: request heads, and bodies as they arrive."""

from __future__ import annotations

from typing import Protocol

MAX_HEAD = 256 * 1024
"""Largest request head accepted; clients never come near it."""

_READ_STEP = 1 << 20


class Receiver(Protocol):
    """The reading half of a connection, as much as the parser needs of it."""

    def recv(self, limit: int, /) -> bytes: ...

    def recv_into(self, view: memoryview, /) -> int: ...

    def sendall(self, data: bytes, /) -> None: ...


class Fields(Protocol):
    """The headers, as much as a body needs of them."""

    def get(self, name: str, /) -> str | None: ...


class BadRequest(Exception):
    """The peer sent something that is not HTTP/1.1 as we understand it."""


class Ended(Exception):
    """The connection is to be ended now, or has been by the peer: "close" or "reset"."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Gate(Protocol):
    """Watches a request's body while it arrives; faults hold it up here."""

    def allow(self, position: int, limit: int) -> int:
        """How many of the next `limit` bytes may be read now. May wait; raises `Ended`."""
        ...

    def took(self, count: int) -> None: ...


class BufferedReader:
    """Bytes from a connection, with what was read too far kept for the next request."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = bytearray()

    def _fill(self) -> bool:
        data = self._receiver.recv(65536)
        self._buffer += data
        return bool(data)

    def head(self) -> bytes | None:
        """The next request head without its blank line, or None at a clean end of the stream."""
        while True:
            while self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
            end = self._buffer.find(b"\r\n\r\n")
            if end >= 0:
                head = bytes(self._buffer[:end])
                del self._buffer[: end + 4]
                return head
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest("request head too large")
            if not self._fill():
                return None

    def line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD or not self._fill():
                raise BadRequest("cut off inside a chunk header")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def some(self, limit: int) -> bytes:
        """Between 1 and `limit` bytes; empty only at the end of the stream."""
        if not self._buffer:
            return self._receiver.recv(min(limit, _READ_STEP))
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return data

    def some_into(self, view: memoryview) -> int:
        """The same into `view`; 0 only at the end of the stream."""
        if not self._buffer:
            return self._receiver.recv_into(view)
        count = min(len(view), len(self._buffer))
        view[:count] = self._buffer[:count]
        del self._buffer[:count]
        return count


class RequestBody:
    """The body of a request, read on demand so that large uploads never sit in memory."""

    def __init__(self, reader: BufferedReader, headers: Fields, receiver: Receiver) -> None:
        self._reader = reader
        self._receiver = receiver
        self.gate: Gate | None = None
        self.received = 0
        """Bytes of the body read so far."""
        self.chunked = "chunked" in (headers.get("Transfer-Encoding") or "").lower()
        try:
            self.length = 0 if self.chunked else int(headers.get("Content-Length") or 0)
            """What was announced."""
        except ValueError:
            raise BadRequest("Content-Length is not a number") from None
        self._left = self.length
        self.ended = not self.chunked and self._left <= 0
        expect = (headers.get("Expect") or "").lower()
        self._owes_continue = expect == "100-continue" and not self.ended

    def read(self, limit: int = 1 << 20) -> bytes:
        """Some bytes of the body; empty once it has ended. Raises `Ended` if the peer goes away."""
        limit = self._allowed(limit)
        if limit == 0:
            return b""
        try:
            data = self._reader.some(limit)
        except OSError:
            raise Ended("close") from None
        self._took(len(data))
        return data

    def read_into(self, view: memoryview) -> int:
        """The same into `view`; 0 once the body has ended."""
        limit = self._allowed(len(view))
        if limit == 0:
            return 0
        try:
            count = self._reader.some_into(view[:limit])
        except OSError:
            raise Ended("close") from None
        self._took(count)
        return count

    def _allowed(self, limit: int) -> int:
        if self.gate is not None:
            limit = self.gate.allow(self.received, limit)
        if self._owes_continue:
            self._owes_continue = False
            self._receiver.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.chunked and self._left == 0 and not self.ended:
            self._next_chunk()
        return 0 if self.ended else min(limit, self._left)

    def _took(self, count: int) -> None:
        if count == 0:
            raise Ended("close")
        self._left -= count
        self.received += count
        if self.gate is not None:
            self.gate.took(count)
        if self._left == 0:
            if self.chunked:
                self._reader.line()
            else:
                self.ended = True

    def _next_chunk(self) -> None:
        try:
            self._left = int(self._reader.line().split(b";")[0], 16)
        except ValueError:
            raise BadRequest("chunk size is not a number") from None
        if self._left == 0:
            while self._reader.line():
                pass  # trailers
            self.ended = True

    def read_all(self, limit: int = 256 << 20) -> bytes:
        """The rest of the body, refused when it is longer than `limit`."""
        parts: list[bytes] = []
        size = 0
        while data := self.read():
            size += len(data)
            if size > limit:
                raise BadRequest("request body too large")
            parts.append(data)
        return b"".join(parts)

    def discard(self, limit: int = 1 << 20) -> bool:
        """Skips what a handler left unread; False if it is too much to be worth the connection."""
        if self.ended:
            return True
        if self._owes_continue or self._left > limit:
            return False
        view = memoryview(bytearray(min(limit, _READ_STEP)))
        while limit > 0:
            count = self.read_into(view)
            if count == 0:
                return True
            limit -= count
        return False

    def drain(self) -> None:
        """Reads and forgets all that is left, however long."""
        view = memoryview(bytearray(_READ_STEP))
        while self.read_into(view):
            pass
