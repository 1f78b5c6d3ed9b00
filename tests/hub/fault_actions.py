"""What a fault does: one small class per kind of misbehaviour.

A class's fields are the parameters of the JSON form: `{"kind": "reset", "after": 1000}` is
`Reset(after=1000)`. Offsets called `after` count bytes of the response's body, and a negative
one counts from its end.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from .body import BytesBody, CorruptBody, read_all
from .exchange import Exchange
from .wire import Headers, Response


class Action:
    """A misbehaviour. Subclasses override the one step of the exchange that they spoil."""

    def prepare(self, exchange: Exchange) -> None:
        """Before the request is handled."""

    def replace(self, exchange: Exchange) -> Response | None:
        """An answer instead of handling the request at all."""
        return None

    def alter(self, exchange: Exchange, response: Response) -> None:
        """After the request was handled, before anything is sent."""


def _offset(after: int, response: Response) -> int:
    return after if after >= 0 else max(response.body.size + after, 0)


# --- The connection ------------------------------------------------------------------------


@dataclass
class Reset(Action):
    """RST after `after` bytes of the body."""

    after: int = 0

    def alter(self, exchange: Exchange, response: Response) -> None:
        exchange.plan.cut = (_offset(self.after, response), "reset")


@dataclass
class Close(Action):
    """Orderly close after `after` bytes, short of the announced length."""

    after: int = 0

    def alter(self, exchange: Exchange, response: Response) -> None:
        exchange.plan.cut = (_offset(self.after, response), "close")


@dataclass
class Stall(Action):
    """Nothing more after `after` bytes, for `seconds` or until the rule is released."""

    after: int = 0
    seconds: float | None = None

    def alter(self, exchange: Exchange, response: Response) -> None:
        exchange.plan.stall = (_offset(self.after, response), self.seconds)


@dataclass
class Dribble(Action):
    """At most `rate` bytes per second from `after` on."""

    rate: float
    after: int = 0

    def alter(self, exchange: Exchange, response: Response) -> None:
        exchange.plan.rate = (_offset(self.after, response), self.rate)


@dataclass
class Drop(Action):
    """No answer: the connection is closed (or reset) once the request has been read."""

    reset: bool = False
    run: bool = False
    """Carry the request out all the same; only the answer is lost."""

    def prepare(self, exchange: Exchange) -> None:
        exchange.plan.drop = "reset" if self.reset else "close"

    def replace(self, exchange: Exchange) -> Response | None:
        return None if self.run else Response(500)


@dataclass
class Hangup(Action):
    """A good answer, then the connection is closed although it promised to stay open."""

    reset: bool = False

    def prepare(self, exchange: Exchange) -> None:
        exchange.plan.end = "reset" if self.reset else "close"


@dataclass
class Delay(Action):
    """`seconds` before the first byte (or until released)."""

    seconds: float

    def prepare(self, exchange: Exchange) -> None:
        exchange.plan.delay = self.seconds


@dataclass
class Interim(Action):
    """1xx answers before the final one."""

    statuses: list[int] = field(default_factory=lambda: [100])
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0
    """Seconds after each."""

    def prepare(self, exchange: Exchange) -> None:
        fields = list(self.headers.items())
        exchange.plan.interim += [(status, fields, self.pause) for status in self.statuses]


# --- The answer ----------------------------------------------------------------------------


@dataclass
class Status(Action):
    """Another status, e.g. 429 with `headers` {"Retry-After": "3"}."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    json: Any = None
    run: bool = False
    """Carry the request out all the same; only the answer is replaced."""

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

    STYLES = {
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


# --- The body ------------------------------------------------------------------------------


@dataclass
class Corrupt(Action):
    """Flips bits of `length` bytes at `offset` of the *file* (whatever range is asked for)."""

    offset: int = 0
    length: int = 1
    mask: int = 0xFF

    def alter(self, exchange: Exchange, response: Response) -> None:
        if response.status in (200, 206):
            response.body = CorruptBody(response.body, self.offset, self.length, self.mask)


@dataclass
class IgnoreRange(Action):
    """The whole file with 200 although a range was asked for."""

    def prepare(self, exchange: Exchange) -> None:
        exchange.request.headers.remove("Range")


@dataclass
class BadContentRange(Action):
    """A `Content-Range` that is not the one of the body; without a value, moved by `shift`."""

    value: str | None = None
    shift: int = 1

    def alter(self, exchange: Exchange, response: Response) -> None:
        current = response.headers.get("Content-Range")
        if self.value is not None:
            response.headers.set("Content-Range", self.value)
        elif current is not None:
            span, _, total = current.removeprefix("bytes ").partition("/")
            first, _, last = span.partition("-")
            moved = f"bytes {int(first) + self.shift}-{int(last) + self.shift}/{total}"
            response.headers.set("Content-Range", moved)


@dataclass
class WrongLength(Action):
    """A `Content-Length` that is off by `delta`.

    Too long: the connection is closed when the body is over. Too short: the rest of the body
    follows on the connection as if it were the next response.
    """

    delta: int = 1

    def alter(self, exchange: Exchange, response: Response) -> None:
        response.declared_length = max(response.body.size + self.delta, 0)
        if self.delta > 0:
            exchange.plan.end = "close"


@dataclass
class Chunked(Action):
    """Chunked transfer coding, so the length is not known in advance."""

    def alter(self, exchange: Exchange, response: Response) -> None:
        response.framing = "chunked"


@dataclass
class NoLength(Action):
    """Neither length nor chunks: the body ends with the connection."""

    def alter(self, exchange: Exchange, response: Response) -> None:
        response.framing = "close"


@dataclass
class Gzip(Action):
    """Compressed, whatever the client said it accepts."""

    def alter(self, exchange: Exchange, response: Response) -> None:
        response.body = BytesBody(gzip.compress(read_all(response.body), mtime=0))
        response.headers.set("Content-Encoding", "gzip")


ACTIONS: dict[str, type[Action]] = {
    "reset": Reset,
    "close": Close,
    "stall": Stall,
    "dribble": Dribble,
    "drop": Drop,
    "hangup": Hangup,
    "delay": Delay,
    "interim": Interim,
    "status": Status,
    "body": Body,
    "malformed_json": MalformedJson,
    "redirect": Redirect,
    "headers": HeaderEdit,
    "etag": Etag,
    "huge_header": HugeHeader,
    "header_flood": HeaderFlood,
    "link_next": LinkNext,
    "expired_signature": ExpiredSignature,
    "corrupt": Corrupt,
    "ignore_range": IgnoreRange,
    "bad_content_range": BadContentRange,
    "wrong_length": WrongLength,
    "chunked": Chunked,
    "no_length": NoLength,
    "gzip": Gzip,
}


def make_action(spec: dict[str, Any]) -> Action:
    """An action from its JSON form; raises ValueError for unknown kinds and parameters."""
    parameters = dict(spec)
    kind = parameters.pop("kind", None)
    if kind not in ACTIONS:
        raise ValueError(f"unknown kind of fault {kind!r}; known: {', '.join(ACTIONS)}")
    try:
        return ACTIONS[kind](**parameters)
    except TypeError as error:
        raise ValueError(f"{kind}: {error}") from None
