"""Faults of this machine: full or closed disks, daemons that stop or are killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.blob_watch import BlobWatch
from tests.support.daemon import Daemon
from tests.support.trials import (
    KIB,
    MIB,
    QUICK,
    blobs,
    clear_failure,
    content,
    etag,
    finished,
    make_repo,
    partials,
    quick,
    right_bytes,
    watched,
)

NOBODY = 65534


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "wharf-test", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# --- Disks --------------------------------------------------------------------------------------


def test_a_full_disk(hub: TestHub, tmp_path: Path) -> None:
    files = {"large.bin": content("full disk", 3 * MIB), "small.txt": b"small"}
    make_repo(hub, "disk/full", files)
    with small_disk(tmp_path / "d" / "cache", "size=4m"):
        with watched(Daemon(hub.endpoint, tmp_path / "d", **QUICK)) as daemon:
            filler = daemon.cache / ".filler"
            filler.write_bytes(bytes(2 * MIB))
            done = daemon.wharf("download", "disk/full", "--quiet")
            clear_failure(done, 6, r"needs 3\.1 MB, \d.* free", "free some space")
            assert etag(hub, "disk/full", "large.bin") not in blobs(daemon, "disk/full")
            assert not any(etag(hub, "disk/full", "large.bin") in name for name in partials(daemon))
            assert hub.log.bytes_sent(etag(hub, "disk/full", "large.bin")) == 0
            filler.unlink()
            right_bytes(daemon.download("disk/full", "--quiet"), files)


def test_a_disk_without_room_for_names(hub: TestHub, tmp_path: Path) -> None:
    """Some file systems run out of inodes long before bytes."""
    files = {f"{number:02}.txt": b"%d" % number for number in range(40)}
    make_repo(hub, "disk/names", files)
    with small_disk(tmp_path / "d" / "cache", "nr_inodes=40"):
        with watched(Daemon(hub.endpoint, tmp_path / "d", **QUICK)) as daemon:
            done = daemon.wharf("download", "disk/names", "--quiet")
            clear_failure(done, 6)
            subprocess.run(["mount", "-o", "remount,nr_inodes=1000", str(daemon.cache)], check=True)
            right_bytes(daemon.download("disk/names", "--quiet"), files)


def test_paused_bytes_make_room(hub: TestHub, tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_repo(hub, f"room/{name}", {"x.bin": content(f"room/{name}", 3 * MIB)})
    with small_disk(tmp_path / "d" / "cache", "size=5m"):
        with watched(Daemon(hub.endpoint, tmp_path / "d", **QUICK)) as daemon:
            match = {"server": "cdn", "file": "x.bin"}
            rule = hub.faults.add("dribble", rate=100 * KIB, match=match, times=None)
            client = daemon.start_wharf("download", "room/first", "--quiet")
            hub.faults.wait(rule)
            client.send_signal(signal.SIGINT)
            clear_failure(finished(client), 130)
            hub.faults.clear()
            daemon.wait_for_log("paused at")
            assert len(partials(daemon)) == 1
            snapshot = daemon.download("room/second", "--quiet")
            right_bytes(snapshot, {"x.bin": content("room/second", 3 * MIB)})
            done = daemon.wharf("download", "room/first", "--quiet")
            clear_failure(done, 6, r"needs 3\.1 MB")  # what somebody has got is not given up


def test_a_cache_that_may_not_be_written(hub: TestHub) -> None:
    """The daemon is an ordinary account, as in service; nothing is closed to root."""
    directory = Path(tempfile.mkdtemp(prefix="wharf-test-nobody-"))
    os.chown(directory, NOBODY, NOBODY)
    directory.chmod(0o755)
    try:
        make_repo(hub, "disk/closed", {"a.bin": content("closed", 100 * KIB)})
        make_repo(hub, "disk/closed-2", {"b.bin": content("closed 2", 100 * KIB)})
        with watched(Daemon(hub.endpoint, directory, user=NOBODY, **QUICK)) as daemon:
            right = daemon.download("disk/closed", "a.bin", "--quiet")
            # The whole cache was given to somebody else, for instance by a chown -R gone wrong.
            closed = [daemon.cache, daemon.cache / ".locks" / ".wharf"]
            for folder in closed:
                os.chown(folder, 0, 0)
                folder.chmod(0o755)
            clear_failure(
                daemon.wharf("download", "disk/closed-2", "--quiet"), 1, "[Pp]ermission denied"
            )
            assert daemon.download("disk/closed", "a.bin", "--quiet") == right  # still served
            for folder in closed:
                os.chown(folder, NOBODY, NOBODY)
            daemon.download("disk/closed-2", "--quiet")
    finally:
        shutil.rmtree(directory)


def test_a_cache_that_is_removed_under_a_running_daemon(daemon: Daemon, hub: TestHub) -> None:
    files = {"a.bin": content("removed", 100 * KIB), "b.txt": b"removed"}
    make_repo(hub, "disk/removed", files)
    right_bytes(daemon.download("disk/removed", "--quiet"), files)
    shutil.rmtree(daemon.cache / "models--disk--removed")
    right_bytes(daemon.download("disk/removed", "--quiet"), files)


# --- Daemons that end ---------------------------------------------------------------------------


def slow_repo(hub: TestHub, repo: str, rate: float) -> tuple[dict[str, bytes], int]:
    """A file in pieces that takes its time; the rule that slows it."""
    files = {"slow.bin": content(repo, 4 * MIB)}
    make_repo(hub, repo, files)
    match = {"server": "cdn", "file": "slow.bin"}
    return files, hub.faults.add("dribble", rate=rate, match=match, times=None)


def test_a_stop_waits_for_what_ends_in_time(hub: TestHub) -> None:
    with watched(Daemon(hub.endpoint, **quick(daemon={"shutdown_grace": "15s"}))) as daemon:
        files, rule = slow_repo(hub, "stop/in-time", MIB)
        client = daemon.start_wharf("download", "stop/in-time", "--quiet")
        hub.faults.wait(rule, 2)
        assert daemon.stop() == 0
        done = finished(client)
        assert done.returncode == 0, done.stderr
        right_bytes(Path(done.stdout.strip()), files)


def test_a_stop_in_the_middle_of_a_transfer(hub: TestHub) -> None:
    with watched(Daemon(hub.endpoint, **quick(daemon={"shutdown_grace": "500ms"}))) as daemon:
        files, rule = slow_repo(hub, "stop/middle", 100 * KIB)
        client = daemon.start_wharf("download", "stop/middle", "--quiet")
        hub.faults.wait(rule, 2)
        begun = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begun < 5
        done = finished(client)
        assert done.returncode in (1, 8)
        clear_failure(done, done.returncode, "the daemon", "again|start it")
        assert etag(hub, "stop/middle", "slow.bin") not in blobs(daemon, "stop/middle")
        hub.faults.clear()
        daemon.start()
        right_bytes(daemon.download("stop/middle", "--quiet"), files)
        assert partials(daemon) == []


def test_a_second_stop_does_not_wait(hub: TestHub) -> None:
    with watched(Daemon(hub.endpoint, **quick(daemon={"shutdown_grace": "60s"}))) as daemon:
        _, rule = slow_repo(hub, "stop/twice", 10 * KIB)
        client = daemon.start_wharf("download", "stop/twice", "--quiet")
        hub.faults.wait(rule)
        assert daemon.process
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for_log("stopping")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait(5)
        clear_failure(finished(client), 8)
        daemon.process = None


def test_a_daemon_killed_in_the_middle_shows_nothing_partial(hub: TestHub) -> None:
    """Several times, at different moments; the watch looks at the cache all the while."""
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(watched(Daemon(hub.endpoint, **QUICK)))
        watch = stack.enter_context(BlobWatch(daemon.cache, period=0.002))
        files = {f"{i}.bin": content(f"killed {i}", 1500 * KIB) for i in range(4)}
        files |= {f"{i}.txt": content(f"killed text {i}", 30 * KIB) for i in range(4)}
        make_repo(hub, "kill/files", files)
        match = {"server": "cdn"}
        for moment in (0.05, 0.2, 0.4, 0.7):
            rule = hub.faults.add("dribble", rate=600 * KIB, match=match, times=None)
            client = daemon.start_wharf("download", "kill/files", "--quiet")
            hub.faults.wait(rule)
            time.sleep(moment)  # the moment is the point
            daemon.kill()
            clear_failure(finished(client), 8, "daemon")
            hub.faults.clear()
            daemon.start()
            resumable = {f"{etag(hub, 'kill/files', f'{i}.bin')}.partial" for i in range(4)}
            assert set(partials(daemon)) <= resumable
        right_bytes(daemon.download("kill/files", "--quiet"), files)
        assert partials(daemon) == []
        assert not watch.problems
    assert len(watch.names) == len(files) + 1  # and .gitattributes
