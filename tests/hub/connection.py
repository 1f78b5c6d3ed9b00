"""One connection: requests in, responses out, in the order and the ways that faults demand."""

from __future__ import annotations

import os
import time
from email.utils import formatdate
from typing import Protocol

from .arrival import BadRequest, BufferedReader, Ended, RequestBody
from .body import Body
from .exchange import Exchange
from .transport import Channel
from .wire import Request, Response, format_head, parse_head, text_response

_LINGER = 5.0
"""Seconds that a client which has its answer may go on sending a body nobody wants."""


class Face(Protocol):
    """What a connection asks of the server it belongs to."""

    name: str
    base_url: str

    def answer(self, request: Request, connection: int) -> tuple[Response, Exchange]: ...

    def sent(self, exchange: Exchange, count: int) -> None: ...

    def stalled(self, exchange: Exchange, now: bool) -> None: ...

    def ended(self, exchange: Exchange, aborted: bool) -> None: ...


class Connection:
    """Serves requests on one socket until either side has enough."""

    def __init__(self, channel: Channel, face: Face, number: int, peer: str) -> None:
        self.idle = True
        """Between requests, as far as the server knows. Read by other threads."""
        self._channel = channel
        self._face = face
        self._number = number
        self._peer = peer

    def interrupt(self) -> None:
        self._channel.interrupt()

    def run(self) -> None:
        """Until the connection ends. Raises nothing: a broken connection is an ordinary end."""
        how = "close"
        try:
            self._serve()
        except Ended as ended:
            how = ended.how
        except BadRequest as error:
            self._refuse(str(error))
        except OSError:
            pass
        if how == "reset":
            self._channel.reset()
        else:
            self._channel.close()

    def _refuse(self, message: str) -> None:
        response = text_response(message, 400, [("Connection", "close")])
        try:
            self._channel.sendall(response.head() + message.encode())
        except OSError:
            pass

    def _serve(self) -> None:
        reader = BufferedReader(self._channel)
        reused = False
        while (head := reader.head()) is not None:
            self.idle = False
            method, target, version, headers = parse_head(head)
            request = Request(
                method=method,
                target=target,
                version=version,
                headers=headers,
                body=RequestBody(reader, headers, self._channel),
                wait=self._channel.wait,
                deafen=self._channel.deafen,
                server=self._face.name,
                base_url=self._face.base_url,
                peer=self._peer,
                reused=reused,
            )
            self._exchange(request)
            reused = True
            self.idle = True

    def _exchange(self, request: Request) -> None:
        response, exchange = self._face.answer(request, self._number)
        aborted = True
        try:
            keep = self._keep_alive(request, response)
            self._send(response, exchange, request.method == "HEAD")
            aborted = False
        finally:
            self._face.ended(exchange, aborted)
        if exchange.plan.end:
            raise Ended(exchange.plan.end)
        if not keep:
            if not request.body.ended:
                self._channel.linger(_LINGER)
            raise Ended("close")

    def _keep_alive(self, request: Request, response: Response) -> bool:
        """Whether the connection stays open; announces it if not."""
        wishes = (request.headers.get("Connection") or "").lower()
        keep = "close" not in wishes and request.version != "HTTP/1.0"
        keep = keep and response.framing != "close" and request.body.discard()
        response.headers.set("Date", formatdate(usegmt=True))
        response.headers.set("Connection", "keep-alive" if keep else "close")
        return keep

    def _send(self, response: Response, exchange: Exchange, head_only: bool) -> None:
        plan = exchange.plan
        if plan.drop:
            raise Ended(plan.drop)
        if plan.delay:
            self._hold(exchange, plan.delay)
        for status, fields, pause in plan.interim:
            self._channel.sendall(format_head(status, fields))
            if pause:
                self._hold(exchange, pause)
        body = response.body
        total = 0 if head_only or response.status in (204, 304) else body.size
        head = response.head()
        if plan.plain and response.framing != "chunked" and 0 < total <= 32768:
            # Counted first: a client that has the bytes may ask the log at once.
            self._face.sent(exchange, total)
            self._channel.sendall(head + b"".join(body.chunks(0, total)))
            return
        self._channel.sendall(head)
        _BodySender(self._channel, self._face, exchange, response, total).send()

    def _hold(self, exchange: Exchange, seconds: float | None) -> None:
        self._channel.wait(exchange.released, seconds)


class _BodySender:
    """Sends one body with the stops that the plan asks for."""

    def __init__(
        self, channel: Channel, face: Face, exchange: Exchange, response: Response, total: int
    ) -> None:
        self._channel = channel
        self._face = face
        self._exchange = exchange
        self._body: Body = response.body
        self._chunked = response.framing == "chunked"
        self._total = total

    def send(self) -> None:
        plan = self._exchange.plan
        stops: dict[int, list[str]] = {}
        if plan.stall:
            stops.setdefault(min(plan.stall[0], self._total), []).append("stall")
        if plan.cut:
            stops.setdefault(min(plan.cut[0], self._total), []).append("cut")
        position = 0
        for offset in sorted(stops):
            self._send_span(position, offset)
            position = offset
            for stop in stops[offset]:
                if stop == "cut":
                    assert plan.cut is not None
                    raise Ended(plan.cut[1])
                self._stall()
        self._send_span(position, self._total)
        if self._chunked:
            self._channel.sendall(b"0\r\n\r\n")

    def _stall(self) -> None:
        assert self._exchange.plan.stall is not None
        self._face.stalled(self._exchange, True)
        if self._exchange.deaf:
            self._channel.deafen()
        try:
            self._channel.wait(self._exchange.released, self._exchange.plan.stall[1])
        finally:
            self._face.stalled(self._exchange, False)
        if self._exchange.deaf:
            raise Ended("reset")

    def _send_span(self, start: int, end: int) -> None:
        rate = self._exchange.plan.rate
        if rate is None:
            self._send_fast(start, end)
            return
        threshold = max(start, min(rate[0], end))
        self._send_fast(start, threshold)
        self._send_slowly(threshold, end, rate[1])

    def _send_fast(self, start: int, end: int) -> None:
        file_range = self._body.file_range()
        if file_range is None or self._chunked or not self._channel.can_sendfile:
            for chunk in self._body.chunks(start, end - start):
                self._send_piece(chunk)
            return
        path, base = file_range
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while start < end:
                sent = self._channel.sendfile(fd, base + start, end - start)
                start += sent
                self._face.sent(self._exchange, sent)
        finally:
            os.close(fd)

    def _send_slowly(self, start: int, end: int, rate: float) -> None:
        """In steps of a twentieth of a second (or single bytes, if the rate is lower)."""
        step = max(int(rate / 20), 1)
        begin, done = time.monotonic(), 0
        while start < end:
            size = min(step, end - start)
            self._send_piece(b"".join(self._body.chunks(start, size)))
            start += size
            done += size
            due = begin + done / rate
            self._channel.wait(self._exchange.released, max(due - time.monotonic(), 0))

    def _send_piece(self, data: bytes) -> None:
        if self._chunked:
            data_on_wire = b"%x\r\n%s\r\n" % (len(data), data)
        else:
            data_on_wire = data
        self._channel.sendall(data_on_wire)
        self._face.sent(self._exchange, len(data))
