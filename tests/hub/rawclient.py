"""A client that hides nothing: sees interim answers, cut bodies, resets and closed connections."""

from __future__ import annotations

import socket
import urllib.parse
from dataclasses import dataclass, field


@dataclass
class Answer:
    """What came back, as far as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)
    end: str = "complete"
    """"complete", "eof" (closed before it was whole) or "reset"."""

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class RawClient:
    """One connection."""

    def __init__(self, url: str, timeout: float = 5) -> None:
        split = urllib.parse.urlsplit(url)
        assert split.hostname is not None
        self.host = split.netloc
        self.sock = socket.create_connection((split.hostname, split.port), timeout)
        self._buffer = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        fields = {"Host": self.host, **(headers or {})}
        if body:
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    def get(self, target: str, headers: dict[str, str] | None = None) -> Answer:
        self.send("GET", target, headers)
        return self.answer()

    def _fill(self) -> bool:
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)

    def head(self) -> Answer:
        """The next response head, final or interim; raises EOFError at the end of the stream."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._fill():
                raise EOFError
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in rest]
        return Answer(int(first.split()[1]), [(name, value.strip()) for name, _, value in pairs])

    def answer(self, method: str = "GET") -> Answer:
        """A whole answer, or what arrives of it."""
        interim: list[int] = []
        while (answer := self.head()).status < 200:
            interim.append(answer.status)
        answer.interim = interim
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        try:
            self._read_body(answer)
        except EOFError:
            answer.end = "eof"
        except ConnectionResetError:
            answer.end = "reset"
        return answer

    def _read_body(self, answer: Answer) -> None:
        length = answer.get("Content-Length")
        if answer.get("Transfer-Encoding") == "chunked":
            while size := int(self._line(), 16):
                self._take(answer, size)
                self._line()
            self._line()
        elif length is not None:
            self._take(answer, int(length))
        else:
            while self._fill():
                pass
            answer.body, self._buffer = self._buffer, b""

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if not self._fill():
                raise EOFError
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _take(self, answer: Answer, size: int) -> None:
        """Moves `size` bytes into the body; on a broken connection, those that arrived."""
        target = len(answer.body) + size
        while True:
            wanted = target - len(answer.body)
            answer.body += self._buffer[:wanted]
            self._buffer = self._buffer[wanted:]
            if len(answer.body) == target:
                return
            if not self._fill():
                raise EOFError

    def rest(self) -> bytes:
        """Whatever else comes until the end of the stream."""
        while self._fill():
            pass
        data, self._buffer = self._buffer, b""
        return data

    def is_closed(self) -> bool:
        """Waits for the end of the stream; False if something else arrives."""
        try:
            return not self._fill()
        except ConnectionResetError:
            return True


def fetch(
    url: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes = b""
) -> Answer:
    """One request on a connection of its own."""
    split = urllib.parse.urlsplit(url)
    target = split.path + (f"?{split.query}" if split.query else "")
    with RawClient(url) as client:
        client.send(method, target, headers, body)
        return client.answer(method)
