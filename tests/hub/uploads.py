"""Large objects on their way into the Hub: whole, or in parts like S3's multipart uploads.

What arrives lies in files below the Hub's directory. A basic upload becomes known to the
repository when it is verified, one in parts when it is completed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .arrival import RequestBody
from .objects import Blob
from .repository import Repository

_BUFFER = 1 << 20


class Refused(Exception):
    """What was sent is not what was announced."""


@dataclass(frozen=True)
class Part:
    etag: str
    size: int
    path: Path


@dataclass
class Upload:
    """One that was promised to a client. `part_size` is 0 for one without parts."""

    id: str
    repo: Repository
    oid: str
    size: int
    part_size: int
    parts: dict[int, Part] = field(default_factory=dict)

    @property
    def part_count(self) -> int:
        """0 for one without parts."""
        return -(-self.size // self.part_size) if self.part_size else 0


class Uploads:
    """All uploads that were not completed. The caller holds the state's lock, except while bytes
    are received or put together."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._open: dict[str, Upload] = {}

    def begin(self, repo: Repository, oid: str, size: int, part_size: int) -> Upload:
        upload = Upload(secrets.token_hex(8), repo, oid, size, part_size)
        self._open[upload.id] = upload
        return upload

    def find(self, upload_id: str) -> Upload | None:
        return self._open.get(upload_id)

    def close(self, upload: Upload) -> bool:
        """False if somebody else closed it before."""
        return self._open.pop(upload.id, None) is not None

    def file(self) -> Path:
        """A new name for contents."""
        assert self._directory is not None, "this Hub has no directory for uploads"
        folder = self._directory / "uploads"
        folder.mkdir(exist_ok=True)
        return folder / secrets.token_hex(12)


def receive_object(body: RequestBody, path: Path) -> Blob:
    """The body as a file; none is left behind if it does not arrive to its end."""
    digest = hashlib.sha256()
    _receive(body, path, digest.update)
    return Blob(path=str(path), sha256=digest.hexdigest())


def receive_part(body: RequestBody, path: Path) -> Part:
    """The etag depends on nothing but the bytes, so a part that is sent again keeps it."""
    checksum = 0

    def update(data: memoryview) -> None:
        nonlocal checksum
        checksum = zlib.crc32(data, checksum)

    size = _receive(body, path, update)
    digest = hashlib.md5(f"{checksum}:{size}".encode(), usedforsecurity=False)
    return Part(f'"{digest.hexdigest()}"', size, path)


def _receive(body: RequestBody, path: Path, update: Callable[[memoryview], None]) -> int:
    view = memoryview(bytearray(_BUFFER))
    size = 0
    try:
        with open(path, "xb", buffering=0) as file:
            while count := body.read_into(view):
                update(view[:count])
                file.write(view[:count])
                size += count
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return size


def check_parts(upload: Upload, claimed: Sequence[tuple[int, str]]) -> list[Part]:
    """The parts in order, if those a client names are all there are and none has changed."""
    numbers = [number for number, _ in claimed]
    if numbers != list(range(1, upload.part_count + 1)):
        raise Refused(f"Parts must be 1 to {upload.part_count} in order, not {numbers[:20]}")
    for number, etag in claimed:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != etag.strip('"'):
            raise Refused(f"Part {number} was not uploaded, or its ETag is not {etag}")
        rest = upload.size - (number - 1) * upload.part_size
        if part.size != min(upload.part_size, rest):
            raise Refused(f"Part {number} has {part.size} bytes")
    return [upload.parts[number] for number in numbers]


def join(parts: Sequence[Part], path: Path) -> Blob:
    """One file of all parts; theirs are kept, since the whole may turn out wrong."""
    digest = hashlib.sha256()
    view = memoryview(bytearray(_BUFFER))
    with open(path, "xb", buffering=0) as whole:
        for part in parts:
            with open(part.path, "rb", buffering=0) as file:
                while count := file.readinto(view):
                    digest.update(view[:count])
                    whole.write(view[:count])
    return Blob(path=str(path), sha256=digest.hexdigest())


def forget_files(upload: Upload) -> None:
    for part in upload.parts.values():
        part.path.unlink(missing_ok=True)


def check_object(blob: Blob, oid: str, size: int) -> None:
    if blob.size != size:
        raise Refused(f"Object {oid} has {blob.size} bytes, not {size}")
    if blob.sha256 != oid:
        raise Refused(f"The content has the hash {blob.sha256}, not {oid}")


def drop_blob(blob: Blob) -> None:
    """Removes the file of an object that was refused."""
    if blob.path is not None:
        os.unlink(blob.path)
