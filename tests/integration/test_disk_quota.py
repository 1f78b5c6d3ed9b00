"""A file system whose quota for the daemon's files is used up, although it has room: EDQUOT.

The cache lies in a btrfs subvolume with a limit, on an image of the test's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.pushes import new_repo, push, staged, tree
from tests.support.trials import (
    MIB,
    QUICK,
    clear_failure,
    content,
    eventually,
    make_repo,
    right_bytes,
    watched,
)
from tests.support.users import open_folder
from tests.support.varlink_client import CallFailed

LIMIT = 16 * MIB


def set_quota(cache: Path, size: int | None) -> None:
    subprocess.run(["btrfs", "qgroup", "limit", str(size or "none"), cache], check=True)


@pytest.fixture
def limited() -> Iterator[Path]:
    """A folder for a daemon whose cache may hold LIMIT bytes."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount an image")
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("no mkfs.btrfs (package btrfs-progs)")
    with open_folder() as base:
        image, place = base / "image", base / "disk"
        place.mkdir()
        with open(image, "wb") as file:
            file.truncate(512 * MIB)
        subprocess.run(["mkfs.btrfs", "-q", image], check=True, stderr=subprocess.DEVNULL)
        mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, text=True)
        if mounted.returncode != 0:
            pytest.skip(f"cannot mount an image here: {mounted.stderr.strip()}")
        try:
            subprocess.run(["btrfs", "quota", "enable", place], check=True)
            subprocess.run(["btrfs", "-q", "subvolume", "create", place / "cache"], check=True)
            set_quota(place / "cache", LIMIT)
            yield place
        finally:
            subprocess.run(["umount", place], check=True)


def test_a_download_beyond_the_quota(hub: TestHub, limited: Path) -> None:
    files = {"w.bin": content("quota", 24 * MIB), "a.txt": b"a"}
    make_repo(hub, "disk/quota", files)
    with watched(Daemon(hub.endpoint, limited, **QUICK)) as daemon:
        done = daemon.wharf("download", "disk/quota", "--quiet")
        clear_failure(done, 6, "more than the disk quota in")
        set_quota(daemon.cache, None)
        right_bytes(daemon.download("disk/quota", "--quiet"), files)


def test_a_push_beyond_the_quota(hub: TestHub, limited: Path) -> None:
    repo = new_repo(hub, "disk quota")
    source = limited.parent / "w.bin"
    source.write_bytes(content("pushed quota", 24 * MIB))
    with watched(Daemon(hub.endpoint, limited, **QUICK)) as daemon:
        with pytest.raises(CallFailed) as caught:
            push(daemon, repo, {"w.bin": source})
        assert caught.value.name == "NoSpace"
        assert "more than the disk quota in" in str(caught.value)
        eventually(lambda: staged(daemon) == [], "nothing of it is kept")
        set_quota(daemon.cache, None)
        push(daemon, repo, {"w.bin": source})
    assert tree(hub, repo)["w.bin"] == source.read_bytes()
