"""Response bodies: bytes in memory, ranges of blobs, and bodies that were tampered with.

A body knows its size and can produce any part of itself. A body that is a plain range of a file
says so, and the connection then lets the kernel copy it (`sendfile`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from .objects import Blob

CHUNK = 256 * 1024


class Body(Protocol):
    """What the connection needs to know about a body in order to send it."""

    @property
    def size(self) -> int: ...

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        """The bytes `[start, start + length)` of this body in pieces."""
        ...

    def file_range(self) -> tuple[str, int] | None:
        """Path and offset if this body is a plain range of one file."""
        ...


class BytesBody:
    """A body in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        view = memoryview(self.data)
        for offset in range(start, start + length, CHUNK):
            yield bytes(view[offset : min(offset + CHUNK, start + length)])

    def file_range(self) -> tuple[str, int] | None:
        return None


class BlobBody:
    """A range of a blob."""

    def __init__(self, blob: Blob, start: int, length: int) -> None:
        self.blob = blob
        self.start = start
        self._length = length

    @property
    def size(self) -> int:
        return self._length

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        return self.blob.chunks(self.start + start, length, CHUNK)

    def file_range(self) -> tuple[str, int] | None:
        path = self.blob.path
        return None if path is None else (path, self.start)


class CorruptBody:
    """Another body of the same size with some bytes flipped.

    The place is counted in the *file*, not in the response, so that a rule spoils the same byte
    whichever range a client asks for.
    """

    def __init__(self, inner: Body, offset: int, length: int, mask: int) -> None:
        self._inner = inner
        base = inner.start if isinstance(inner, BlobBody) else 0
        self._begin = offset - base
        self._end = self._begin + length
        self._mask = mask

    @property
    def size(self) -> int:
        return self._inner.size

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        position = start
        for chunk in self._inner.chunks(start, length):
            low = max(self._begin - position, 0)
            high = min(self._end - position, len(chunk))
            if low < high:
                spoilt = bytearray(chunk)
                for index in range(low, high):
                    spoilt[index] ^= self._mask
                chunk = bytes(spoilt)
            yield chunk
            position += len(chunk)

    def file_range(self) -> tuple[str, int] | None:
        return None


def read_all(body: Body) -> bytes:
    """The whole body in memory, for small replies that a fault wants to rewrite."""
    return b"".join(body.chunks(0, body.size))
