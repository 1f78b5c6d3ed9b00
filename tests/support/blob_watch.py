"""Watches a cache while others fill it: whatever is visible must be whole and right."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from types import TracebackType


def blob_name(content: bytes, large: bool) -> str:
    """What a file's blob is called: its sha256, or git's id for those that are not large."""
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class BlobWatch:
    """Looks into all `blobs/` folders below `cache` every few milliseconds, as a context manager.

    Each file is read as soon as its name can be seen. `problems` says what was wrong with those
    that were; it must be empty in every test.
    """

    def __init__(self, cache: Path, period: float = 0.01) -> None:
        self.cache = cache
        self.problems: list[str] = []
        self.names: set[str] = set()
        self._period = period
        self._seen: set[tuple[str, int]] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> BlobWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self.look()

    def _run(self) -> None:
        while not self._over.wait(self._period):
            self.look()

    def look(self) -> None:
        for folder in self.cache.glob("*--*/blobs"):
            for entry in os.scandir(folder):
                key = (entry.path, entry.inode())
                if key not in self._seen:
                    self._seen.add(key)
                    self._check(Path(entry.path))

    def _check(self, path: Path) -> None:
        self.names.add(path.name)
        if len(path.name) not in (40, 64):
            self.problems.append(f"{path} is no blob's name")
        elif blob_name(path.read_bytes(), len(path.name) == 64) != path.name:
            self.problems.append(f"{path} has other bytes than its name says")
