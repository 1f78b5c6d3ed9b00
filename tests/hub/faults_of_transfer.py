"""Faults of the connection and of the bytes of a body."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field

from .body import BytesBody, CorruptBody, read_all
from .exchange import Exchange
from .fault_action import Action
from .wire import Response


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
    deaf: bool = False
    """As if this machine were gone, see `Exchange.deaf`."""

    def alter(self, exchange: Exchange, response: Response) -> None:
        exchange.plan.stall = (_offset(self.after, response), self.seconds)
        exchange.deaf = self.deaf


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
