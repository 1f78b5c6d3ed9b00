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
from typing import Any

from .arrival import BadRequest, RequestBody
from .body import Body, BytesBody


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
    deafen: Callable[[], None] | None = None
    """See `Channel.deafen`."""
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
