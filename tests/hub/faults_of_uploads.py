"""Faults while the body of a request arrives, and of the replies that only uploads get.

Offsets called `after` count bytes of the request's body, negative ones from its end; an offset
that is the whole length means: all of it has arrived, and nothing was carried out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from .body import BytesBody, read_all
from .exchange import Exchange
from .fault_action import Action
from .wire import Response


def _offset(after: int, exchange: Exchange) -> int:
    return after if after >= 0 else max(exchange.request.body.length + after, 0)


@dataclass
class UploadReset(Action):
    """RST once `after` bytes of the request's body have been read."""

    after: int = 0

    def prepare(self, exchange: Exchange) -> None:
        exchange.arrival.cut = (_offset(self.after, exchange), "reset")


@dataclass
class UploadClose(Action):
    """The same with an orderly close (which is seen as a reset by whoever keeps sending)."""

    after: int = 0

    def prepare(self, exchange: Exchange) -> None:
        exchange.arrival.cut = (_offset(self.after, exchange), "close")


@dataclass
class UploadStall(Action):
    """Reads nothing more after `after` bytes, for `seconds` or until the rule is released."""

    after: int = 0
    seconds: float | None = None
    deaf: bool = False
    """As if this machine were gone, see `Exchange.deaf`."""

    def prepare(self, exchange: Exchange) -> None:
        exchange.arrival.stall = (_offset(self.after, exchange), self.seconds)
        exchange.deaf = self.deaf


@dataclass
class UploadDribble(Action):
    """Reads at most `rate` bytes per second from `after` on."""

    rate: float
    after: int = 0

    def prepare(self, exchange: Exchange) -> None:
        exchange.arrival.rate = (_offset(self.after, exchange), self.rate)


@dataclass
class ObjectError(Action):
    """In the reply of an LFS batch: an error instead of actions, for one object or for all."""

    code: int = 507
    message: str = "Insufficient storage"
    oid: str | None = None

    def alter(self, exchange: Exchange, response: Response) -> None:
        value = json.loads(read_all(response.body))
        for item in value.get("objects", []):
            if self.oid in (None, item["oid"]):
                item.pop("actions", None)
                item["error"] = {"code": self.code, "message": self.message}
        response.body = BytesBody(json.dumps(value).encode())
