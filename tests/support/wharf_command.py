"""Runs the real `wharf` against a `FakeDaemon`, in surroundings that hold nothing of the caller's."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.fake_daemon import FakeDaemon

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "1234567890abcdef1234567890abcdef12345678"
REPO = "org/model"


BUILD = ROOT / (os.environ.get("WHARF_BUILD", "build"))


def binary() -> str:
    return str(BUILD / "wharf")


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        return json.loads(lines[0])

    @property
    def error(self) -> dict:
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return json.loads(lines[0])


class Process(subprocess.Popen):
    """Does not outlive a test that fails."""

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)


class Wharf:
    """The command with an empty home and a daemon of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.daemon = FakeDaemon(folder / "wharfd.sock")
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "WHARF_SOCKET": self.daemon.path,
        }
        for name, value in os.environ.items():
            if name.startswith(("ASAN", "UBSAN", "LSAN", "TSAN")):
                self.environment[name] = value

    def start(self, *arguments, environment=None, **options) -> Process:
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return Process(
            [binary(), *map(str, arguments)],
            env=self.environment | (environment or {}),
            cwd=self.folder,
            text=True,
            **options,
        )

    def run(self, *arguments, environment=None, **options) -> Ended:
        with self.start(*arguments, environment=environment, **options) as process:
            out, err = process.communicate(timeout=30)
        return Ended(process.returncode, out or "", err or "")


def progress(**changes) -> dict:
    """An answer of Download that tells how far it has come."""
    state = {
        "state": "running",
        "files_done": 1,
        "files_total": 4,
        "bytes_done": 1_000_000,
        "bytes_total": 4_000_000,
        "bytes_per_second": 500_000,
        "files": [{"path": "model.safetensors", "done": 250_000, "total": 1_000_000}],
    }
    return {"progress": state | changes}


def result(snapshot, files=(), **changes) -> dict:
    """The last answer of Download."""
    return {
        "result": {
            "commit": COMMIT,
            "snapshot": str(snapshot),
            "files": [str(file) for file in files],
            "stale": False,
        }
        | changes
    }


def job(**changes) -> dict:
    """A job as org.wharf.Jobs tells it."""
    return {
        "id": 12,
        "uid": 1000,
        "kind": "download",
        "repo": "org/data",
        "repo_type": "dataset",
        "revision": "main",
        "commit": COMMIT,
        "priority": "normal",
        "detached": False,
        "state": "running",
        "created": "2026-05-01T03:00:00Z",
        "watchers": 2,
        "files_done": 3,
        "files_total": 40,
        "bytes_done": 1_000_000,
        "bytes_total": 4_000_000,
        "bytes_per_second": 500_000,
    } | changes


def etag_of(content: bytes, large: bool) -> str:
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class FakeRepo:
    """A repo in a cache of the official layout, behind a fake daemon."""

    def __init__(self, folder: Path, daemon: FakeDaemon):
        self.cache = folder / "cache"
        self.storage = self.cache / "models--org--model"
        self.snapshot = self.storage / "snapshots" / COMMIT
        self.blobs = self.storage / "blobs"
        self.blobs.mkdir(parents=True)
        self.snapshot.mkdir(parents=True)
        self.files: dict[str, tuple[bytes, bool]] = {}
        daemon.on("org.wharf.Downloads.List", self._list)
        daemon.on("org.wharf.Downloads.Download", self._download)

    def add(self, name: str, content: bytes, large: bool = False) -> str:
        """Adds a file, or a new version of it; returns its etag."""
        self.files[name] = (content, large)
        etag = etag_of(content, large)
        (self.blobs / etag).write_bytes(content)
        path = self.snapshot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(os.path.relpath(self.blobs / etag, path.parent))
        return etag

    def write_tree(self) -> None:
        """The listing of the commit as the official client keeps it."""
        files = {}
        for name, (content, large) in self.files.items():
            files[name] = {"size": len(content), "blob_id": etag_of(content, False)}
            if large:
                files[name] |= {
                    "lfs_sha256": etag_of(content, True),
                    "lfs_size": len(content),
                }
        folder = self.storage / "trees"
        folder.mkdir(exist_ok=True)
        tree = {"format_version": 1, "files": files}
        (folder / f"{COMMIT}.json").write_text(json.dumps(tree, indent=1, sort_keys=True))

    def _chosen(self, parameters):
        return [
            name for name in self.files if name in parameters.get("files", list(self.files))
        ]

    def _list(self, parameters):
        rows = []
        for name in self._chosen(parameters):
            content, large = self.files[name]
            rows.append(
                {
                    "name": name,
                    "size": len(content),
                    "etag": etag_of(content, large),
                    "cached": True,
                    "path": str(self.snapshot / name),
                }
            )
        head = {"commit": COMMIT, "snapshot": str(self.snapshot), "stale": False}
        middle = len(rows) // 2
        return [head | {"files": rows[:middle]}, head | {"files": rows[middle:]}]

    def _download(self, parameters):
        files = [self.snapshot / name for name in parameters.get("files", [])]
        return [{"job": 7}, result(self.snapshot, files)]
