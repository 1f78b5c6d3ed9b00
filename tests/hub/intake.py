"""What happens while the body of a request arrives: it is counted, held up, or cut off."""

from __future__ import annotations

import time

from .arrival import Ended
from .exchange import Exchange
from .log import RequestLog


class Intake:
    """The gate of one request's body. Obeys the exchange's plan."""

    def __init__(self, exchange: Exchange, log: RequestLog) -> None:
        self._exchange = exchange
        self._log = log
        self._stalled = False
        self._slow_since: float | None = None

    def allow(self, position: int, limit: int) -> int:
        plan = self._exchange.arrival
        if plan.stall is not None and not self._stalled:
            offset, seconds = plan.stall
            if position >= offset:
                self._stalled = True
                self._stall(seconds)
            else:
                limit = min(limit, offset - position)
        if plan.cut is not None:
            offset, how = plan.cut
            if position >= offset:
                raise Ended(how)
            limit = min(limit, offset - position)
        if plan.rate is not None:
            limit = self._pace(position, limit, *plan.rate)
        return limit

    def took(self, count: int) -> None:
        # Only this thread writes a record's count, and nobody waits for single steps of it.
        self._exchange.record.bytes_received += count

    def _stall(self, seconds: float | None) -> None:
        self._log.update(self._exchange.record, stalled=True)
        if self._exchange.deaf:
            assert self._exchange.request.deafen is not None
            self._exchange.request.deafen()
        try:
            self._wait(seconds)
        finally:
            self._log.update(self._exchange.record, stalled=False)
        if self._exchange.deaf:
            raise Ended("reset")

    def _pace(self, position: int, limit: int, offset: int, rate: float) -> int:
        """From `offset` on, steps of a twentieth of a second."""
        if position < offset:
            return min(limit, offset - position)
        now = time.monotonic()
        if self._slow_since is None:
            self._slow_since = now
        due = self._slow_since + (position - offset) / rate
        if due > now and not self._exchange.released.is_set():
            self._wait(due - now)
        return min(limit, max(int(rate / 20), 1))

    def _wait(self, seconds: float | None) -> None:
        assert self._exchange.request.wait is not None
        try:
            self._exchange.request.wait(self._exchange.released, seconds)
        except OSError:
            raise Ended("close") from None
