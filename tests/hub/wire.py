"""HTTP/1.1 messages: what a request and a response are, and how they are read and written.

The standard library's `http.server` is not used because the faults need what it hides: raw
targets (`%2F` must not be decoded early), interim responses, lying lengths, resets in the middle
of a body, and `sendfile` for the bodies.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from .body import Body, BytesBody

MAX_HEAD = 256 * 1024
"""Largest request head accepted; clients never come near it."""


class Receiver(Protocol):
    """The reading half of a connection, as much as the parser needs of it."""

    def recv(self, limit: int, /) -> bytes: ...

    def sendall(self, data: bytes, /) -> None: ...


class BadRequest(Exception):
    """The peer sent something that is not HTTP/1.1 as we understand it."""


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
        if not self._buffer and not self._fill():
            return b""
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return data


class RequestBody:
    """The body of a request, read on demand so that large uploads never sit in memory."""

    def __init__(self, reader: BufferedReader, headers: Headers, receiver: Receiver) -> None:
        self._reader = reader
        self._receiver = receiver
        self._chunked = "chunked" in (headers.get("Transfer-Encoding") or "").lower()
        try:
            self._left = 0 if self._chunked else int(headers.get("Content-Length") or 0)
        except ValueError:
            raise BadRequest("Content-Length is not a number") from None
        self._ended = not self._chunked and self._left <= 0
        expect = (headers.get("Expect") or "").lower()
        self._owes_continue = expect == "100-continue" and not self._ended

    def read(self, limit: int = 1 << 20) -> bytes:
        """Some bytes of the body; empty once it has ended."""
        if self._owes_continue:
            self._owes_continue = False
            self._receiver.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._chunked and self._left == 0 and not self._ended:
            self._next_chunk()
        if self._ended:
            return b""
        data = self._reader.some(min(limit, self._left))
        if not data:
            raise BadRequest("cut off inside the request body")
        self._left -= len(data)
        if self._left == 0:
            if self._chunked:
                self._reader.line()
            else:
                self._ended = True
        return data

    def _next_chunk(self) -> None:
        try:
            self._left = int(self._reader.line().split(b";")[0], 16)
        except ValueError:
            raise BadRequest("chunk size is not a number") from None
        if self._left == 0:
            while self._reader.line():
                pass  # trailers
            self._ended = True

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
        if self._ended:
            return True
        if self._owes_continue:
            return False
        while limit > 0:
            data = self.read()
            if not data:
                return True
            limit -= len(data)
        return False


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
