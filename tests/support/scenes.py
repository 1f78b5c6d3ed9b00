"""What tests with a real daemon say again and again: what is in a snapshot, who fetched what."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tests.hub import TestHub
from tests.support.daemon import Daemon

KINDS = ("model", "dataset", "space")

MIXED_FILES: dict[str, object] = {
    "config.json": '{"hidden": 8}\n',
    "empty.txt": "",
    "nested/deep/notes with space.txt": "notes\n",
    "nested/größe?#%.txt": "odd name\n",
    "model.safetensors": {"random": 300_000, "seed": 1},
}
"""Regular and large, nested, empty and oddly named."""


def check_snapshot(
    hub: TestHub, repo: str, folder: Path, kind: str = "model", revision: str = "main"
) -> None:
    """All files of a revision are in `folder` with the right contents, and no others."""
    commit = hub.state.get(kind, repo).find_revision(revision)
    assert folder.name == commit.id
    assert files_below(folder) == set(commit.files)
    for path, entry in commit.files.items():
        assert (folder / path).read_bytes() == entry.blob.read(), path
        assert (folder / path).resolve().name == entry.etag, path


def files_below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def repo_folder(daemon: Daemon, repo: str, kind: str = "model") -> Path:
    return daemon.cache / f"{kind}s--{repo.replace('/', '--')}"


def questions(hub: TestHub, **filters: object) -> int:
    """Requests for what a repo holds, not for the contents of a file."""
    return hub.log.count(server="hub", path_matches="^/api/", **filters)


def contents(hub: TestHub, **filters: object) -> int:
    """Requests for contents of files, or for where they are."""
    return hub.log.count(server="cdn", **filters) + hub.log.count(
        server="hub", path_matches="/resolve/|^/api/resolve-cache/", **filters
    )


def eventually(holds: Callable[[], object], timeout: float = 10) -> None:
    """Waits for what becomes true a moment after the answer."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "this did not become true"
        time.sleep(0.01)


def check_sent_once(hub: TestHub, etag: str, size: int, **filters: object) -> None:
    """Every byte of a blob was sent, and none of them twice."""
    assert hub.log.bytes_sent(etag, **filters) == size
    spans = []
    for record in hub.log.find(blob=etag, method="GET", status=[200, 206], **filters):
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", record.range or "")
        first, last = (int(found[1]), int(found[2])) if found else (0, size - 1)
        spans.append((first, min(last, size - 1)))
    end = -1
    for first, last in sorted(spans):
        assert first == end + 1 or size == 0, f"ranges of {etag}: {sorted(spans)}"
        end = last
    assert end == size - 1


@contextmanager
def daemon_in(directory: Path, hub: TestHub, **settings: dict[str, object]) -> Iterator[Daemon]:
    """A daemon for a whole test file. Short waits: nothing here is far away."""
    with Daemon(hub.endpoint, directory, **settings) as daemon:
        yield daemon
        assert daemon.process is not None
        assert daemon.process.poll() is None, f"the daemon ended:\n{daemon.log[-5000:]}"


class ReadWatch:
    """Notes which of some files any process opens or reads, by inotify; a context manager."""

    _ACCESS, _OPEN = 0x1, 0x20

    def __init__(self, files: list[Path]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._watched: dict[int, Path] = {}
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0, os.strerror(ctypes.get_errno())
        for file in files:
            number = self._libc.inotify_add_watch(
                self._fd, os.fsencode(file), self._ACCESS | self._OPEN
            )
            assert number >= 0, os.strerror(ctypes.get_errno())
            self._watched[number] = file

    def __enter__(self) -> ReadWatch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def touched(self) -> set[Path]:
        """The files that were opened or read since the last call."""
        found = set()
        while True:
            try:
                events = os.read(self._fd, 65536)
            except BlockingIOError:
                return found
            offset = 0
            while offset < len(events):
                number, _, _, length = struct.unpack_from("iIII", events, offset)
                found.add(self._watched[number])
                offset += 16 + length
