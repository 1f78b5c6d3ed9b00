"""Contents, named the way git and git-lfs name them.

Hashes are computed when first asked for: a sparse file of several GiB is only read if somebody
needs its name.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

_HASH_CHUNK = 256 << 10
_Folder = dict[str, Any]  # name → object id, or a nested _Folder


class Blob:
    """Immutable content, in memory or in a file that must not change while the Hub runs."""

    def __init__(
        self, data: bytes | None = None, path: str | None = None, sha256: str | None = None
    ) -> None:
        """A `sha256` that is given is believed: contents too large to be read have made-up names."""
        if (data is None) == (path is None):
            raise ValueError("a blob is either bytes or a file")
        self._data = data
        self.path = path
        self.size = len(data) if data is not None else os.stat(path or "").st_size
        self._lock = threading.Lock()
        self._sha256 = sha256
        self._git_sha1: str | None = None

    def chunks(self, start: int, length: int, chunk: int = _HASH_CHUNK) -> Iterator[bytes]:
        """The bytes `[start, start + length)` in pieces of at most `chunk`."""
        if self._data is not None:
            for offset in range(start, start + length, chunk):
                yield self._data[offset : min(offset + chunk, start + length)]
            return
        with open(self.path or "", "rb") as file:
            file.seek(start)
            while length > 0:
                piece = file.read(min(chunk, length))
                if not piece:
                    raise OSError(f"{self.path} shrank while it was being served")
                length -= len(piece)
                yield piece

    def read(self) -> bytes:
        return b"".join(self.chunks(0, self.size))

    @property
    def sha256(self) -> str:
        with self._lock:
            if self._sha256 is None:
                self._sha256 = self._digest(hashlib.sha256())
            return self._sha256

    @property
    def git_sha1(self) -> str:
        with self._lock:
            if self._git_sha1 is None:
                self._git_sha1 = self._digest(hashlib.sha1(b"blob %d\0" % self.size))
            return self._git_sha1

    def _digest(self, digest: Any) -> str:
        if self._data is not None:
            digest.update(self._data)
            return str(digest.hexdigest())
        # One buffer for all: fresh ones of this size cost more than the hashing.
        buffer = memoryview(bytearray(_HASH_CHUNK))
        zeros = bytes(_HASH_CHUNK)
        position = 0
        with open(self.path or "", "rb", buffering=0) as file:
            while position < self.size:
                # Holes are not read: that would fill the page cache with them.
                data = _next_data(file.fileno(), position, self.size)
                while position < data:
                    count = min(len(zeros), data - position)
                    digest.update(zeros[:count])
                    position += count
                file.seek(position)
                if count := file.readinto(buffer) or 0:
                    digest.update(buffer[:count])
                elif position < self.size:
                    raise OSError(f"{self.path} shrank while it was being hashed")
                position += count
        return str(digest.hexdigest())


def _next_data(fd: int, position: int, size: int) -> int:
    """Where the next bytes that are stored begin; the end of the file if there are none."""
    try:
        return os.lseek(fd, position, os.SEEK_DATA)
    except OSError:
        return size


def git_object_id(kind: str, data: bytes) -> str:
    """The name git gives to an object."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The small text that stands for a large file inside git."""
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    )


def tree_ids(files: Mapping[str, str]) -> dict[str, str]:
    """Names of all directories, given path → object id of all files. The root is ""."""
    root: _Folder = {}
    for path, oid in files.items():
        *folders, name = path.split("/")
        node = root
        for folder in folders:
            child = node.setdefault(folder, {})
            if isinstance(child, str):
                raise ValueError(f"{path}: {folder} is both a file and a folder")
            node = child
        node[name] = oid
    ids: dict[str, str] = {}
    _name_folder("", root, ids)
    return ids


def _name_folder(path: str, folder: _Folder, ids: dict[str, str]) -> str:
    entries: list[tuple[bytes, bytes, str]] = []
    for name, child in folder.items():
        if isinstance(child, str):
            entries.append((name.encode(), b"100644", child))
        else:
            inner = _name_folder(f"{path}/{name}" if path else name, child, ids)
            entries.append((name.encode(), b"40000", inner))
    # git orders directories as if their names ended in a slash.
    entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == b"40000" else b""))
    data = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for name, mode, oid in entries)
    ids[path] = git_object_id("tree", data)
    return ids[path]
