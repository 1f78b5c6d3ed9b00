"""Large objects on their way into the Hub: whole, or in parts like S3's multipart uploads.

What arrives lies in files below the Hub's directory. A basic upload becomes known to the
repository when it is verified, one in parts when it is completed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from .arrival import RequestBody
from .objects import Blob
from .repository import Repository

_BUFFER = 1 << 20


class Refused(Exception):
    """What was sent is not what was announced."""


@dataclass
class Upload:
    """One that was promised to a client. `part_size` is 0 for one without parts."""

    id: str
    repo: Repository
    oid: str
    size: int
    part_size: int
    path: Path
    """Where its parts are put together; each has its place from the beginning."""
    etags: dict[int, str] = field(default_factory=dict)
    """Of the parts that are there whole."""
    arriving: set[int] = field(default_factory=set)
    """Parts that somebody is writing to their place."""

    @property
    def part_count(self) -> int:
        """0 for one without parts."""
        return -(-self.size // self.part_size) if self.part_size else 0

    def size_of(self, part: int) -> int:
        return min(self.part_size, self.size - (part - 1) * self.part_size)


class Uploads:
    """All uploads that were not completed. The caller holds the state's lock, except while bytes
    are received."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._open: dict[str, Upload] = {}

    def begin(self, repo: Repository, oid: str, size: int, part_size: int) -> Upload:
        upload = Upload(secrets.token_hex(8), repo, oid, size, part_size, self.file())
        self._open[upload.id] = upload
        return upload

    def find(self, upload_id: str) -> Upload | None:
        return self._open.get(upload_id)

    def close(self, upload: Upload) -> None:
        self._open.pop(upload.id, None)

    def file(self) -> Path:
        """A new name for contents."""
        assert self._directory is not None, "this Hub has no directory for uploads"
        folder = self._directory / "uploads"
        folder.mkdir(exist_ok=True)
        return folder / secrets.token_hex(12)


def receive_object(body: RequestBody, path: Path) -> Blob:
    """The body as a file; none is left behind if it does not arrive to its end."""
    digest = hashlib.sha256()
    try:
        with open(path, "xb", buffering=0) as file:
            _receive(body, file, digest.update)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Blob(path=str(path), sha256=digest.hexdigest())


def receive_part(body: RequestBody, path: Path, offset: int) -> str:
    """Writes the body to its place in a file. The etag depends on nothing but the bytes, so a part
    that is sent again keeps it."""
    checksum = 0

    def update(data: memoryview) -> None:
        nonlocal checksum
        checksum = zlib.crc32(data, checksum)

    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with open(fd, "wb", buffering=0) as file:
        file.seek(offset)
        size = _receive(body, file, update)
    return f'"{hashlib.sha256(f"{checksum}:{size}".encode()).hexdigest()[:32]}"'


def replace_part(upload: Upload, part: int, path: Path) -> None:
    """Puts a part that had to be received elsewhere in its place."""
    with open(path, "rb") as source, open(upload.path, "r+b") as target:
        target.seek((part - 1) * upload.part_size)
        shutil.copyfileobj(source, target, _BUFFER)


def _receive(body: RequestBody, file: BinaryIO, update: Callable[[memoryview], None]) -> int:
    view = memoryview(bytearray(_BUFFER))
    size = 0
    while count := body.read_into(view):
        update(view[:count])
        file.write(view[:count])
        size += count
    return size


def check_parts(upload: Upload, claimed: Sequence[tuple[int, str]]) -> None:
    """Raises unless the parts a client names are all there are and none has changed."""
    numbers = [number for number, _ in claimed]
    if numbers != list(range(1, upload.part_count + 1)):
        raise Refused(f"Parts must be 1 to {upload.part_count} in order, not {numbers[:20]}")
    for number, etag in claimed:
        if upload.etags.get(number, "").strip('"') != etag.strip('"'):
            raise Refused(f"Part {number} was not uploaded, or its ETag is not {etag}")


def check_object(blob: Blob, oid: str, size: int) -> None:
    if blob.size != size:
        raise Refused(f"Object {oid} has {blob.size} bytes, not {size}")
    if blob.sha256 != oid:
        raise Refused(f"The content has the hash {blob.sha256}, not {oid}")


def drop_blob(blob: Blob) -> None:
    """Removes the file of an object that was refused."""
    if blob.path is not None:
        Path(blob.path).unlink(missing_ok=True)
