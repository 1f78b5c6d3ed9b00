"""Faults of status, headers and the meaning of a body."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .body import BytesBody, read_all
from .exchange import Exchange
from .fault_action import Action
from .wire import Headers, Response


@dataclass
class Status(Action):
    """Another status, e.g. 429 with `headers` {"Retry-After": "3"}."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    json: Any = None
    run: bool = False
    """Carry the request out all the same; only the answer is replaced."""
    early: bool = False
    """Answer before the request's body has been read, and close."""

    def prepare(self, exchange: Exchange) -> None:
        exchange.answers_early = self.early

    def replace(self, exchange: Exchange) -> Response | None:
        return None if self.run else self._response()

    def alter(self, exchange: Exchange, response: Response) -> None:
        mine = self._response()
        response.status, response.headers, response.body = mine.status, mine.headers, mine.body

    def _response(self) -> Response:
        value = {"error": f"injected status {self.status}"} if self.json is None else self.json
        text = json.dumps(value) if self.body is None else self.body
        headers = Headers(list(self.headers.items()))
        if "Content-Type" not in headers:
            headers.add("Content-Type", "application/json" if self.body is None else "text/plain")
        return Response(self.status, headers, BytesBody(text.encode()))


@dataclass
class Body(Action):
    """The genuine status and headers with another body: text, JSON, or bytes in hex."""

    text: str | None = None
    json: Any = None
    hex: str | None = None
    content_type: str | None = None

    def alter(self, exchange: Exchange, response: Response) -> None:
        if self.hex is not None:
            data = bytes.fromhex(self.hex)
        else:
            data = (json.dumps(self.json) if self.text is None else self.text).encode()
        response.body = BytesBody(data)
        if self.content_type is not None:
            response.headers.set("Content-Type", self.content_type)


@dataclass
class MalformedJson(Action):
    """The genuine answer made unparsable, in one of several ways."""

    style: str = "truncated"

    STYLES: ClassVar[dict[str, Callable[[bytes], bytes]]] = {
        "truncated": lambda data: data[: max(len(data) // 2, 1)],
        "garbage": lambda data: b"{]" + data,
        "trailing": lambda data: data + b"}",
        "empty": lambda data: b"",
        "html": lambda data: b"<html><body>Bad gateway</body></html>",
        "not_utf8": lambda data: b'{"id":"\xff\xfe","sha":"\xc3\x28"}',
        "deep": lambda data: b"[" * 200_000 + b"]" * 200_000,
        "bom": lambda data: b"\xef\xbb\xbf" + data,
    }

    def __post_init__(self) -> None:
        if self.style not in self.STYLES:
            raise ValueError(f"style is one of {', '.join(self.STYLES)}")

    def alter(self, exchange: Exchange, response: Response) -> None:
        response.body = BytesBody(self.STYLES[self.style](read_all(response.body)))


@dataclass
class Redirect(Action):
    """A redirect to `to`; without it, to the very same URL, forever."""

    to: str | None = None
    status: int = 302

    def replace(self, exchange: Exchange) -> Response | None:
        return Response(self.status, Headers([("Location", self.to or exchange.request.target)]))


@dataclass
class HeaderEdit(Action):
    """Removes, sets and adds header fields of the genuine answer."""

    set: dict[str, str] = field(default_factory=dict)
    add: dict[str, str] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)

    def alter(self, exchange: Exchange, response: Response) -> None:
        for name in self.remove:
            response.headers.remove(name)
        for name, value in self.set.items():
            response.headers.set(name, value)
        for name, value in self.add.items():
            response.headers.add(name, value)


@dataclass
class Etag(Action):
    """`ETag` and `X-Linked-Etag` removed, or replaced by `value` (sent verbatim)."""

    value: str | None = None

    def alter(self, exchange: Exchange, response: Response) -> None:
        for name in ("ETag", "X-Linked-Etag"):
            if name in response.headers:
                response.headers.remove(name)
                if self.value is not None:
                    response.headers.add(name, self.value)


@dataclass
class HugeHeader(Action):
    """One header field of `size` bytes."""

    size: int = 1 << 20
    name: str = "X-Padding"

    def alter(self, exchange: Exchange, response: Response) -> None:
        response.headers.add(self.name, "x" * self.size)


@dataclass
class HeaderFlood(Action):
    """`count` small header fields."""

    count: int = 10_000

    def alter(self, exchange: Exchange, response: Response) -> None:
        for index in range(self.count):
            response.headers.add(f"X-Flood-{index}", "x")


@dataclass
class LinkNext(Action):
    """`Link: <to>; rel="next"`, whether or not there is another page."""

    to: str

    def alter(self, exchange: Exchange, response: Response) -> None:
        response.headers.set("Link", f'<{self.to}>; rel="next"')


@dataclass
class ExpiredSignature(Action):
    """On the hub: redirects to a URL that has expired. On the CDN: says that it has."""

    def prepare(self, exchange: Exchange) -> None:
        exchange.expired_url = True
