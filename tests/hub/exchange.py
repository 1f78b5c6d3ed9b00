"""One request on its way to an answer, and how that answer is to be put on the wire."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from .log import Record
from .users import ANONYMOUS, Identity
from .wire import Request


@dataclass
class SendPlan:
    """Deviations from plainly sending the response. Offsets count bytes of the body."""

    drop: str | None = None
    """"close" or "reset": answer nothing at all."""
    delay: float = 0
    """Seconds before the first byte."""
    interim: list[tuple[int, list[tuple[str, str]], float]] = field(default_factory=list)
    """1xx answers to send first: status, headers, seconds to wait afterwards."""
    cut: tuple[int, str] | None = None
    """Stop at this offset by "close" or "reset"."""
    stall: tuple[int, float | None] | None = None
    """Send nothing at this offset for so many seconds; None is until released."""
    rate: tuple[int, float] | None = None
    """From this offset on, at most so many bytes per second."""
    end: str | None = None
    """"close" or "reset" the connection after a complete answer, without having announced it."""

    @property
    def plain(self) -> bool:
        """True if the body may be sent in one go."""
        return self.cut is None and self.stall is None and self.rate is None


@dataclass
class ArrivalPlan:
    """Deviations from plainly reading the request's body. Offsets count its bytes."""

    cut: tuple[int, str] | None = None
    """Stop at this offset by "close" or "reset"."""
    stall: tuple[int, float | None] | None = None
    """Read nothing at this offset for so many seconds; None is until released."""
    rate: tuple[int, float] | None = None
    """From this offset on, at most so many bytes per second."""


@dataclass
class Exchange:
    """A request with what is known about its sender and what is to happen to its answer."""

    request: Request
    record: Record
    identity: Identity = ANONYMOUS
    plan: SendPlan = field(default_factory=SendPlan)
    arrival: ArrivalPlan = field(default_factory=ArrivalPlan)
    released: threading.Event = field(default_factory=threading.Event)
    """Set when a stalled or delayed answer shall go on."""
    deaf: bool = False
    """While it stalls no packet of the client arrives or is answered; then it is over."""
    answers_early: bool = False
    """A replaced answer goes out without waiting for the request's body."""
    expired_url: bool = False
    """Sign CDN URLs so that they have expired already, or treat them as expired."""
