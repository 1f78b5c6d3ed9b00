"""A commit as clients send it: lines of JSON, read as they come, then applied to a tree."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .arrival import RequestBody
from .errors import HubError, bad_request, file_missing, unprocessable
from .objects import Blob
from .repository import Commit, FileEntry, Repository

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PARENT = re.compile(r"[0-9a-fA-F]{5,40}")
_MISSING_OBJECT = (
    "Your push was rejected because an LFS pointer pointed to a file that does not exist. For"
    " instance, this can happen if you used git push --no-verify to push your changes."
    " Offending file: - "
)


@dataclass(frozen=True)
class AddFile:
    path: str
    blob: Blob


@dataclass(frozen=True)
class AddLarge:
    path: str
    oid: str
    size: int | None


@dataclass(frozen=True)
class Delete:
    path: str


Operation = AddFile | AddLarge | Delete


@dataclass
class Push:
    """One commit that somebody asks for."""

    summary: str
    description: str
    parent: str | None
    operations: list[Operation] = field(default_factory=list)


@dataclass(frozen=True)
class Limits:
    """What a commit may hold."""

    regular_bytes: int
    files: int
    files_per_folder: int
    regular_file: int


def read_push(body: RequestBody, limits: Limits) -> Push:
    """Reads the whole body; only one line of it at a time is in memory besides the contents."""
    push: Push | None = None
    regular = 0
    for key, value in _lines(body):
        if push is None:
            if key != "header":
                raise bad_request("The first line of a commit is its header")
            push = _header(value)
            continue
        operation = _operation(key, value, limits)
        if operation is None:
            continue
        push.operations.append(operation)
        if isinstance(operation, AddFile):
            regular += operation.blob.size
        if regular > limits.regular_bytes:
            raise HubError(413, "Payload too large: use LFS, or several commits")
        if len(push.operations) > limits.files:
            raise bad_request(f"A commit cannot have more than {limits.files} operations")
    if push is None:
        raise bad_request("A commit needs a header")
    return push


def _lines(body: RequestBody) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in _split(body):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            yield item["key"], dict(item["value"])
        except (ValueError, KeyError, TypeError):
            raise bad_request("Malformed line in the commit") from None


def _split(body: RequestBody) -> Iterator[bytes]:
    pending: list[bytes] = []
    while data := body.read():
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield b"".join([*pending, line])
            pending = []
        pending.append(rest)
    yield b"".join(pending)


def _header(value: dict[str, Any]) -> Push:
    summary, parent = value.get("summary"), value.get("parentCommit")
    if not isinstance(summary, str) or not summary.strip():
        raise bad_request("A commit needs a summary")
    if parent is not None and not (isinstance(parent, str) and _PARENT.fullmatch(parent)):
        raise bad_request("parentCommit is not a commit id")
    return Push(summary, str(value.get("description") or ""), parent and parent.lower())


def _operation(key: str, value: dict[str, Any], limits: Limits) -> Operation | None:
    """None for kinds that no Hub knows, which it passes over."""
    if key not in ("file", "lfsFile", "deletedFile", "deletedFolder"):
        return None
    path = check_path(value.get("path"), folder=key.startswith("deleted"))
    if key == "file":
        blob = Blob(_decode(value))
        if blob.size > limits.regular_file:
            most = limits.regular_file >> 20
            raise bad_request(
                f"Your push was rejected because it contains files larger than {most} MiB. Please"
                " use https://git-lfs.github.com/ to store larger files. Offending file: - " + path
            )
        _ = blob.git_sha1  # hashed now, not while everybody waits for the lock
        return AddFile(path, blob)
    if key == "lfsFile":
        oid, size = value.get("oid"), value.get("size")
        if value.get("algo") != "sha256" or not _SHA256.fullmatch(str(oid)):
            raise bad_request(f"{path}: a large file is named by its sha256")
        if size is not None and (not isinstance(size, int) or size < 0):
            raise bad_request(f"{path}: the size is not a number")
        return AddLarge(path, str(oid), size)
    return Delete(path)


def _decode(value: dict[str, Any]) -> bytes:
    content, encoding = value.get("content"), value.get("encoding", "utf-8")
    try:
        if encoding == "base64":
            return base64.b64decode(content, validate=True)  # type: ignore[arg-type]
        if encoding == "utf-8":
            return str(content).encode()
    except (TypeError, ValueError, binascii.Error):
        pass
    raise bad_request(f"{value.get('path')}: the content cannot be decoded")


def check_path(path: Any, folder: bool = False) -> str:
    """The path without a folder's last slash; 422 for what is no path in a repository."""
    if not isinstance(path, str):
        raise unprocessable("A path is a text")
    name = path.removesuffix("/") if folder else path
    bad = {"", ".", "..", ".git"}
    if "\\" in name or any(ord(c) < 32 for c in name) or bad & {p.lower() for p in name.split("/")}:
        raise unprocessable(f"Invalid path: {path}")
    return name


def apply(repo: Repository, base: Commit, push: Push) -> dict[str, FileEntry]:
    """The tree after the operations, in the order in which they were sent. Changes nothing."""
    files = dict(base.files)
    for operation in push.operations:
        if isinstance(operation, Delete):
            _delete(files, operation.path)
        elif isinstance(operation, AddFile):
            files[operation.path] = FileEntry(operation.path, operation.blob, lfs=False)
        else:
            files[operation.path] = _large(repo, operation)
    return files


def _delete(files: dict[str, FileEntry], path: str) -> None:
    if files.pop(path, None) is not None:
        return
    inside = [name for name in files if name.startswith(path + "/")]
    if not inside:
        raise file_missing(path)
    for name in inside:
        del files[name]


def _large(repo: Repository, operation: AddLarge) -> FileEntry:
    blob = repo.large.get(operation.oid)
    if blob is None:
        raise bad_request(_MISSING_OBJECT + operation.path)
    if operation.size not in (None, blob.size):
        raise bad_request(f"{operation.path}: the object has {blob.size} bytes")
    return FileEntry(operation.path, blob, lfs=True)


def check_folders(files: Mapping[str, FileEntry], ref: str, limit: int) -> None:
    counts = Counter(path.rpartition("/")[0] for path in files)
    if full := sorted(f"/{folder}" for folder, count in counts.items() if count > limit):
        raise bad_request(
            "Your push was rejected because it contains too many files per directory. Each"
            f" directory in your git repo can only contain up to {limit} files. Offending"
            f" reference: {ref} Offending directories: {' '.join(full)}"
        )
