"""The side of org.wharf.Uploads that a `FakeDaemon` plays: it takes files in and makes no commit."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.fake_daemon import FakeDaemon

UPLOADS = "org.wharf.Uploads."
COMMIT = "1234567890abcdef1234567890abcdef12345678"
URL = f"https://hub.example/org/model/commit/{COMMIT}"


def pushed(**changes: Any) -> dict[str, Any]:
    """The last answer of Submit."""
    result = {
        "commit": COMMIT,
        "url": URL,
        "commits": 1,
        "files": 1,
        "bytes_sent": 1_000_000,
        "warnings": [],
    }
    return {"result": result | changes}


def pushing(**changes: Any) -> dict[str, Any]:
    """An answer of Submit that tells how far it has come."""
    state = {
        "state": "running",
        "files_done": 1,
        "files_total": 4,
        "bytes_done": 1_000_000,
        "bytes_total": 4_000_000,
        "bytes_per_second": 500_000,
        "files": [],
    }
    return {"progress": state | changes}


def write_files(folder: Path, **files: str) -> None:
    """Files by their paths, with "/" written as "__"."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass
class Upload:
    """What one upload was given."""

    order: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """Of the files that were limited to one."""
    deletions: list[dict[str, Any]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    """Files in each call of Add."""
    state: str = "open"
    detached: bool = False


class FakeUploads:
    """All uploads of one daemon; `steps` are what Submit answers when nobody detaches."""

    def __init__(self, daemon: FakeDaemon, keep_content: bool = True) -> None:
        self.uploads: list[Upload] = []
        self.jobs = 40
        self.steps: list[Any] | None = None
        self.keep_content = keep_content
        self.on_added = lambda: None
        daemon.on(UPLOADS + "Begin", self._begin)
        daemon.on_files(UPLOADS + "Add", self._add)
        daemon.on(UPLOADS + "Submit", self._submit)
        daemon.on(UPLOADS + "Discard", self._discard)

    @property
    def only(self) -> Upload:
        assert len(self.uploads) == 1, self.uploads
        return self.uploads[0]

    def _begin(self, parameters: dict[str, Any]) -> list[Any]:
        self.uploads.append(Upload(parameters))
        return [{"upload": len(self.uploads)}]

    def _add(self, parameters: dict[str, Any], descriptors: list[int]) -> list[Any]:
        upload = self.uploads[parameters["upload"] - 1]
        files = parameters.get("files", [])
        assert len(files) == len(descriptors) <= 200
        for file in files:
            fd = descriptors[file["descriptor"]]
            assert stat.S_ISREG(os.fstat(fd).st_mode)
            assert file["path"] not in upload.files
            size = file.get("size")
            if size is not None:
                upload.sizes[file["path"]] = size
            content = b""
            if self.keep_content:
                content = os.pread(fd, os.fstat(fd).st_size if size is None else size, 0)
            upload.files[file["path"]] = content
        if files:
            upload.calls.append(len(files))
        else:
            upload.deletions.append({k: v for k, v in parameters.items() if k != "upload"})
        self.on_added()
        total = sum(len(content) for content in upload.files.values())
        return [{"files": len(upload.files), "bytes": total, "shared": 0}]

    def _submit(self, parameters: dict[str, Any]) -> list[Any]:
        upload = self.uploads[parameters["upload"] - 1]
        assert upload.state == "open"
        upload.state = "submitted"
        self.jobs += 1
        upload.detached = parameters.get("detach", False)
        if upload.detached:
            return [{"job": self.jobs}]
        if self.steps is not None:
            return self.steps
        return [{"job": self.jobs}, pushing(), pushed(files=len(upload.files))]

    def _discard(self, parameters: dict[str, Any]) -> list[Any]:
        self.uploads[parameters["upload"] - 1].state = "discarded"
        return [{}]
