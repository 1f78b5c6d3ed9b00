"""HTTP/1.1 messages: what a request and a response are, and how they are read and written.

The standard library's `http.server` is not used because the faults need what it hides: raw
targets (`%2F` must not be decoded early), interim responses, lying lengths, resets in the middle
of a body, and `sendfile` for the bodies.
"""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from .body import Body, BytesBody

MAX_HEAD = 256 * 1024
"""Largest request head accepted; clients never come near it."""

_READ_STEP = 1 << 20


class Receiver(Protocol):
    """The reading half of a connection, as much as the parser needs of it."""

    def recv(self, limit: int, /) -> bytes: ...

    def recv_into(self, view: memoryview, /) -> int: ...

    def sendall(self, data: bytes, /) -> None: ...


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


class Headers:
    """An ordered list of header fields with case-insensitive look-up."""

    def __init__(self, fields: list[tuple[str, str]] | None = None) -> None:
        self.fields: list[tuple[str, str]] = list(fields or [])

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`."""
        wanted = name.lower()
        return next((value for key, value in self.fields if key.lower() == wanted), default)

    def add(self, name: str, value: str) -> None:
        self.fields.append((name, value))

    def set(self, name: str, value: str) -> None:
        """Replaces all fields called `name` by one."""
        self.remove(name)
        self.fields.append((name, value))

    def remove(self, name: str) -> None:
        wanted = name.lower()
        self.fields = [(key, value) for key, value in self.fields if key.lower() != wanted]

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)


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

    def __init__(self, reader: BufferedReader, headers: Headers, receiver: Receiver) -> None:
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


@dataclass
class Request:
    """One request. `path` is still percent-encoded: each handler decodes the parts it knows."""

    method: str
    target: str
    version: str
    headers: Headers
    body: RequestBody
    server: str = ""
    """Which face of the test Hub received it: "hub", "cdn" or "control"."""
    base_url: str = ""
    """`scheme://host:port` as the client sees it, for absolute links in replies."""
    peer: str = ""
    wait: Callable[[threading.Event, float | None], None] | None = None
    """Waits on the connection (see `Channel.wait`), for faults that hold up a body."""
    reused: bool = False
    """True if it is not the first request on its connection."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        return self.target.partition("?")[2]

    def query(self) -> dict[str, list[str]]:
        return urllib.parse.parse_qs(self.query_string, keep_blank_values=True)

    def flag(self, name: str) -> bool:
        """A boolean query parameter as the official client writes it."""
        return self.query().get(name, [""])[0].lower() in ("true", "1")

    def json(self) -> Any:
        """The body as JSON; an empty body counts as an empty object."""
        data = self.body.read_all()
        try:
            return json.loads(data) if data else {}
        except ValueError:
            raise BadRequest("body is not JSON") from None


def parse_head(head: bytes) -> tuple[str, str, str, Headers]:
    """Splits a request head into method, target, version and headers."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("malformed request line")
    headers = Headers()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequest("malformed header line")
        headers.add(name, value.strip())
    target = parts[1]
    if target.startswith(("http://", "https://")):
        split = urllib.parse.urlsplit(target)
        target = split.path + ("?" + split.query if split.query else "")
    return parts[0], target, parts[2], headers


@dataclass
class Response:
    """What a handler answers. `framing` and `declared_length` exist for the faults."""

    status: int = 200
    headers: Headers = field(default_factory=Headers)
    body: Body = field(default_factory=lambda: BytesBody(b""))
    framing: str = "length"
    """"length" (Content-Length), "chunked", or "close" (neither; ended by closing)."""
    declared_length: int | None = None
    """A Content-Length that differs from the body's size."""

    def head(self) -> bytes:
        """The status line and all headers, as sent."""
        fields = list(self.headers)
        if self.framing == "chunked":
            fields.append(("Transfer-Encoding", "chunked"))
        elif self.framing == "length" and self.status not in (204, 304):
            length = self.body.size if self.declared_length is None else self.declared_length
            fields.append(("Content-Length", str(length)))
        return format_head(self.status, fields)


def format_head(status: int, fields: list[tuple[str, str]]) -> bytes:
    """A response head; also used for interim responses."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Status"
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def json_response(
    value: Any, status: int = 200, headers: list[tuple[str, str]] | None = None
) -> Response:
    data = json.dumps(value, separators=(",", ":")).encode()
    fields = [("Content-Type", "application/json; charset=utf-8"), *(headers or [])]
    return Response(status, Headers(fields), BytesBody(data))


def text_response(
    text: str, status: int = 200, headers: list[tuple[str, str]] | None = None
) -> Response:
    fields = [("Content-Type", "text/plain; charset=utf-8"), *(headers or [])]
    return Response(status, Headers(fields), BytesBody(text.encode()))
