"""Pushes from a file system that can share blocks: handing files over costs neither room nor time.

The cache and the pushed folder lie on an XFS image of the test's own, mounted from a loop device.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.job_calls import call
from tests.support.pushes import MOST_FILES, add, begin
from tests.support.trials import MIB
from tests.support.users import open_folder
from tests.support.varlink_client import VarlinkClient

REPO = "wonderland/reflinks"


@pytest.fixture
def shared_disk() -> Iterator[Path]:
    """A mounted file system with reflinks, or none can be had here and the test is skipped."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount an image")
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("no mkfs.xfs (package xfsprogs)")
    with open_folder() as base:
        image, place = base / "image", base / "disk"
        place.mkdir()
        with open(image, "wb") as file:
            file.truncate(2048 * MIB)
        subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, text=True)
        if mounted.returncode != 0:
            pytest.skip(f"cannot mount an image here: {mounted.stderr.strip()}")
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)


def used(disk: Path) -> int:
    """Bytes that are taken when all is written."""
    os.sync()
    facts = os.statvfs(disk)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def hand_over(daemon: Daemon, files: dict[str, Path]) -> tuple[int, int, float]:
    """The job's number, the bytes that needed no copy, and the seconds from the last descriptor's
    sending to the answer of Submit. Nothing is sent: the Hub is not asked yet."""
    names = sorted(files)
    shared = 0
    with VarlinkClient(daemon.socket) as client:
        upload = begin(client, REPO)
        for start in range(0, len(names), MOST_FILES):
            last = time.monotonic()
            some = {name: files[name] for name in names[start : start + MOST_FILES]}
            shared = add(client, upload, some)["shared"]
        job = client.call("Uploads.Submit", upload=upload, detach=True)["job"]
        return int(job), int(shared), time.monotonic() - last


def test_staging_shares_blocks(shared_disk: Path, hub: TestHub) -> None:
    hub.admin.create_repo(REPO)
    source = shared_disk / "source"
    source.mkdir()
    big = {f"{number}.bin": source / f"{number}.bin" for number in range(16)}
    for path in big.values():
        path.write_bytes(os.urandom(16 * MIB))
    sparse = source / "sparse.bin"
    with open(sparse, "wb") as file:
        file.truncate(50 << 30)
    small = {f"{number}.json": source / f"{number}.json" for number in range(2_000)}
    for path in small.values():
        path.write_bytes(b"x" * 20_000)
    few = dict(list(small.items())[:500])
    before = used(shared_disk)
    # The Hub refuses every question: what is staged stays as it is.
    hub.faults.add("status", status=503, match={"path": "/api/"}, times=None)
    with Daemon(hub.endpoint, shared_disk / "daemon") as daemon:
        folders = {"16 x 16 MiB": big, "50 GiB": {"sparse.bin": sparse}, "500 small": few, "2,000 small": small}
        for name, files in folders.items():
            size = sum(path.stat().st_size for path in files.values())
            job, shared, seconds = hand_over(daemon, files)
            print(f"{name}: {1000 * seconds:.1f} ms from the last descriptor to the answer of Submit")
            assert shared == size, f"{name}: only {shared} of {size} bytes were shared"
            # It is a few milliseconds; a busy disk may take longer, but a copy much longer.
            assert seconds < 5, f"{name}: {seconds:.2f} s"
            assert used(shared_disk) - before < 8 * MIB
            call(daemon, "Jobs.Cancel", id=job)
