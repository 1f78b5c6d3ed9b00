"""The request log: what a test asks to learn who fetched what, which range, how often.

A record is appended when a request has been read, before anything is answered, so a client that
has its answer is always in the log already. Byte counts grow while a body is sent; questions
about bytes first wait for matching requests that are about to finish (see `settle`).
"""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Record:
    """One request. Holds no secrets: tokens appear by label, never as sent."""

    number: int
    time: float
    server: str
    method: str
    path: str
    query: str
    connection: int
    reused: bool
    user: str | None = None
    token: str | None = None
    auth: str = "none"
    """"none", "valid" or "invalid"."""
    range: str | None = None
    user_agent: str | None = None
    repo: str | None = None
    """`models/org/name`, when the request was about one."""
    file: str | None = None
    blob: str | None = None
    """The etag of the content that was served, or the sha256 of what was uploaded."""
    upload: str | None = None
    """Id of the upload that a PUT to the CDN belongs to; each LFS batch makes a new one."""
    part: int | None = None
    """Number of the part, when the upload has parts."""
    completed: bool = False
    """An object or a part was received to its end and is in storage."""
    status: int | None = None
    bytes_sent: int = 0
    """Bytes of the body handed to the kernel; a dropped connection may have lost some."""
    bytes_received: int = 0
    """Bytes of the request's body that were read."""
    faults: list[int] = field(default_factory=list)
    leak: bool = False
    """The CDN was sent credentials."""
    aborted: bool = False
    """The connection ended before the whole answer was sent."""
    stalled: bool = False
    finished: bool = False
    seconds: float | None = None


class RequestLog:
    """All requests since the start or the last `clear`. Filters are described in `find`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._records: list[Record] = []
        self._number = 0

    def begin(self, **fields: Any) -> Record:
        with self._changed:
            self._number += 1
            record = Record(number=self._number, time=time.time(), **fields)
            self._records.append(record)
            self._changed.notify_all()
        return record

    def update(self, record: Record, **fields: Any) -> None:
        with self._changed:
            for name, value in fields.items():
                setattr(record, name, value)
            self._changed.notify_all()

    def add_bytes(self, record: Record, count: int) -> None:
        # Only one thread writes a record's count, and nobody waits for single steps of it.
        record.bytes_sent += count

    def finish(self, record: Record, aborted: bool) -> None:
        seconds = time.time() - record.time
        self.update(record, finished=True, aborted=aborted, stalled=False, seconds=seconds)

    def find(self, **filters: Any) -> list[Record]:
        """Records that match all `filters`, oldest first.

        A filter names a field of `Record` and the value it must have (a list means any of its
        values). `path_matches` and `query_matches` are regular expressions searched in the
        encoded path and the query; `since` is the number of the last record not of interest.
        """
        accepts = _filter(filters)
        with self._changed:
            return [dataclasses.replace(record) for record in self._records if accepts(record)]

    def count(self, **filters: Any) -> int:
        return len(self.find(**filters))

    def bytes_sent(self, blob: str | None = None, **filters: Any) -> int:
        """How many bytes of bodies were sent, of one blob (by etag) or by any filter."""
        if blob is not None:
            # Redirects to a blob also name it, but what they send is not the blob.
            filters = {"status": [200, 206], "blob": blob, **filters}
        self.settle(**filters)
        return sum(record.bytes_sent for record in self.find(**filters))

    def bytes_received(self, blob: str | None = None, **filters: Any) -> int:
        """How many bytes of request bodies arrived: of one uploaded object, or by any filter."""
        if blob is not None:
            filters = {"server": "cdn", "method": "PUT", "blob": blob, **filters}
        self.settle(**filters)
        return sum(record.bytes_received for record in self.find(**filters))

    def sent_again(self) -> list[Record]:
        """PUTs of an object or part that the CDN already had, and had said so, when they came.

        A part counts within its upload: what was begun anew has to be sent anew.
        """
        done: set[tuple[str | None, str | None, int | None]] = set()
        again: list[Record] = []
        for record in self.find(server="cdn", method="PUT"):
            key = (record.blob, record.upload if record.part else None, record.part)
            if key in done:
                again.append(record)
            if record.completed and record.status == 200 and record.finished and not record.aborted:
                done.add(key)
        return again

    def ranges(self, **filters: Any) -> list[str | None]:
        """The `Range` headers of matching requests in order."""
        return [record.range for record in self.find(**filters)]

    def leaks(self) -> list[Record]:
        """Requests that showed credentials to the CDN. Must be empty in every test."""
        return self.find(leak=True)

    def last_number(self) -> int:
        """For `since=`."""
        with self._changed:
            return self._number

    def clear(self) -> None:
        with self._changed:
            self._records.clear()

    def wait(self, at_least: int = 1, timeout: float = 10, **filters: Any) -> list[Record]:
        """Waits until that many records match; raises TimeoutError."""
        accepts = _filter(filters)

        def enough() -> bool:
            return sum(accepts(record) for record in self._records) >= at_least

        with self._changed:
            if not self._changed.wait_for(enough, timeout):
                raise TimeoutError(f"no {at_least} requests with {filters} in {timeout} s")
        return self.find(**filters)

    def settle(self, timeout: float = 2, **filters: Any) -> bool:
        """Waits until no matching request is under way, except those that a fault holds."""
        accepts = _filter(filters)

        def settled() -> bool:
            return all(r.finished or r.stalled for r in self._records if accepts(r))

        with self._changed:
            return self._changed.wait_for(settled, timeout)


_Test = Callable[[Record], bool]
_FIELDS = {item.name for item in dataclasses.fields(Record)}


def _filter(filters: dict[str, Any]) -> _Test:
    tests = [_test(name, value) for name, value in filters.items()]
    return lambda record: all(test(record) for test in tests)


def _test(name: str, value: Any) -> _Test:
    if name == "since":
        number = int(value)
        return lambda record: record.number > number
    if name in ("path_matches", "query_matches"):
        attribute, pattern = name.partition("_")[0], re.compile(value)
        return lambda record: pattern.search(getattr(record, attribute)) is not None
    if name in _FIELDS:
        values = value if isinstance(value, (list, tuple, set)) else [value]
        return lambda record: getattr(record, name) in values
    raise ValueError(f"unknown filter {name}")
