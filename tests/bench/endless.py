"""Files so large that no measurement sees their end, as many as wanted, at no cost of disk here.

nginx serves the same hole for each of them, over plain HTTP: the machine's two cores are for the
client. Their names are made up, so a client must not finish any.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from types import TracebackType

from tests.bench.measure import need
from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.nginx import Nginx
from tests.support.varlink_client import VarlinkClient


class EndlessFiles:
    """A test Hub whose files are all `size` bytes of nothing; a context manager."""

    def __init__(self, base: Path, size: int) -> None:
        self._size = size
        served = base / "served"
        served.mkdir()
        with open(served / "content", "wb") as content:
            content.truncate(size)
        self.hub = TestHub(directory=base / "hub")
        self._nginx = Nginx(
            base / "nginx", served, locations=["location / { rewrite ^ /content break; }"]
        )

    def __enter__(self) -> EndlessFiles:
        self.hub.start()
        self._nginx.__enter__()
        self.hub.admin.configure(outside_cdn=self._nginx.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._nginx.__exit__(kind, error, trace)
        self.hub.stop()

    def add_repo(self, repo: str, count: int) -> list[str]:
        """The etags of its `count` files."""
        names = [f"{number}.bin" for number in range(count)]
        etags = [hashlib.sha256(f"{repo}/{name}".encode()).hexdigest() for name in names]
        files = {
            name: {"sparse": self._size, "sha256": etag} for name, etag in zip(names, etags)
        }
        self.hub.admin.create_repo(repo, files=files, lfs_threshold=1)
        return etags


class SparseVolume:
    """An ext4 file system of 2 TiB in a sparse file: room to reserve much more than is written. A
    context manager; only root can mount it."""

    def __init__(self, base: Path) -> None:
        self._image = base / "volume.img"
        self.path = base / "volume"

    def __enter__(self) -> SparseVolume:
        self.path.mkdir(exist_ok=True)
        subprocess.run(["truncate", "-s", "2T", self._image], check=True)
        options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
        subprocess.run(
            ["mkfs.ext4", "-q", "-m", "0", "-T", "largefile4", "-E", options, self._image], check=True
        )
        mounted = subprocess.run(
            ["mount", "-o", "loop,noatime", self._image, self.path], capture_output=True, text=True
        )
        need(mounted.returncode == 0, f"no loop mounts here: {mounted.stderr.strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", self.path], check=True)
        self._image.unlink()


class Load:
    """Downloads of one user that run until `stop`: one job for each file, so that none waits for
    another job of his."""

    def __init__(
        self, daemon: Daemon, repo: str, count: int, user: int = 0, priority: str = "normal"
    ) -> None:
        self._clients = []
        for number in range(count):
            client = VarlinkClient(daemon.socket, user=user)
            client.send(
                "org.wharf.Downloads.Download",
                repo=repo, files=[f"{number}.bin"], priority=priority,
            )  # fmt: skip
            self._clients.append(client)

    def stop(self) -> None:
        for client in self._clients:
            client.close()


def bytes_done(daemon: Daemon) -> dict[str, int]:
    """Etag → bytes of each transfer that runs."""
    with VarlinkClient(daemon.socket) as client:
        transfers = client.call("org.wharf.Status")["transfers"]
    return {transfer["etag"]: transfer["done"] for transfer in transfers}
