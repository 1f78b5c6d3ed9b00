"""What a transfer has is kept: over kill -9, a week offline, damage on the disk, other commits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import (
    MIB,
    blobs,
    clear_failure,
    content,
    etag,
    eventually,
    finished,
    make_repo,
    partials,
    quick,
    watched,
)

SIZE = 24 * MIB + 12_345
PIECE = MIB
CONNECTIONS = 4
SETTINGS = quick(transfer={"max_connections_per_file": CONNECTIONS})


def half_way(hub: TestHub, daemon: Daemon, repo: str, data: bytes, name: str = "f.bin") -> None:
    """Kills the daemon in the middle of a file."""
    slow = hub.faults.add("dribble", rate=4 * MIB, times=None, match={"server": "cdn"})
    daemon.start_wharf("download", repo, name, "--quiet")
    blob = etag(hub, repo, name)
    eventually(lambda: received(daemon, blob) > len(data) // 2, "half of it has come")
    daemon.kill()
    hub.faults.remove(slow)
    hub.log.settle()


def recorded(daemon: Daemon, blob: str) -> list[int]:
    """The pieces that the log on the disk speaks of."""
    log = daemon.cache / ".locks" / ".wharf" / f"{blob}.pieces"
    if not log.exists():
        return []
    slots = log.read_bytes()[-16 * -(-SIZE // PIECE) :]
    return [at // 16 for at in range(0, len(slots), 16) if slots[at : at + 16] != bytes(16)]


def received(daemon: Daemon, blob: str) -> int:
    return PIECE * len(recorded(daemon, blob))


def fetched_again(hub: TestHub, blob: str) -> int:
    return hub.log.bytes_sent(blob) - SIZE


def test_after_kill_9_only_pieces_in_the_air_are_fetched_again(hub: TestHub, tmp_path: Path) -> None:
    data = content("killed", SIZE)
    make_repo(hub, "resume/killed", {"f.bin": data})
    daemon = Daemon(hub.endpoint, tmp_path, **SETTINGS)
    with watched(daemon):
        half_way(hub, daemon, "resume/killed", data)
        daemon.start()
        assert daemon.download("resume/killed", "f.bin", "--quiet").read_bytes() == data
        again = fetched_again(hub, etag(hub, "resume/killed", "f.bin"))
        # What the server had sent into the sockets of the dead counts too.
        assert again <= CONNECTIONS * (PIECE + MIB), f"{again} bytes were fetched twice"
        assert partials(daemon) == []


def test_a_stop_in_order_loses_no_more(hub: TestHub, tmp_path: Path) -> None:
    data = content("stopped", SIZE)
    make_repo(hub, "resume/stopped", {"f.bin": data})
    slow = hub.faults.add("dribble", rate=4 * MIB, times=None, match={"server": "cdn"})
    daemon = Daemon(hub.endpoint, tmp_path, **{**SETTINGS, "daemon": {"shutdown_grace": "1s"}})
    with watched(daemon):
        daemon.start_wharf("download", "resume/stopped", "f.bin", "--quiet")
        blob = etag(hub, "resume/stopped", "f.bin")
        eventually(lambda: received(daemon, blob) > SIZE // 2, "half of it has come")
        assert daemon.stop() == 0
        hub.faults.remove(slow)
        hub.log.settle()
        daemon.start()
        assert daemon.download("resume/stopped", "f.bin", "--quiet").read_bytes() == data
        assert fetched_again(hub, blob) <= CONNECTIONS * (PIECE + MIB)


def test_another_piece_size_does_not_start_over(hub: TestHub, tmp_path: Path) -> None:
    data = content("resized", SIZE)
    make_repo(hub, "resume/resized", {"f.bin": data})
    daemon = Daemon(hub.endpoint, tmp_path, **SETTINGS)
    with watched(daemon):
        half_way(hub, daemon, "resume/resized", data)
        daemon.settings["transfer"]["piece_size"] = "4MiB"
        daemon.start()
        assert daemon.download("resume/resized", "f.bin", "--quiet").read_bytes() == data
        assert fetched_again(hub, etag(hub, "resume/resized", "f.bin")) < SIZE // 2


def test_the_same_blob_in_another_repo_goes_on(hub: TestHub, tmp_path: Path) -> None:
    data = content("moved", SIZE)
    make_repo(hub, "resume/first", {"f.bin": data})
    make_repo(hub, "resume/second", {"other-name.bin": data})
    daemon = Daemon(hub.endpoint, tmp_path, **SETTINGS)
    with watched(daemon):
        half_way(hub, daemon, "resume/first", data)
        daemon.start()
        path = daemon.download("resume/second", "other-name.bin", "--quiet")
        assert path.read_bytes() == data
        assert fetched_again(hub, etag(hub, "resume/first", "f.bin")) < SIZE // 2


def test_another_content_starts_clean(hub: TestHub, tmp_path: Path) -> None:
    make_repo(hub, "resume/changed", {"f.bin": content("before", SIZE)})
    daemon = Daemon(hub.endpoint, tmp_path, **SETTINGS)
    with watched(daemon):
        half_way(hub, daemon, "resume/changed", content("before", SIZE))
        data = content("after", SIZE)
        hub.admin.commit("resume/changed", files={"f.bin": data})
        daemon.start()
        assert daemon.download("resume/changed", "f.bin", "--quiet").read_bytes() == data
        assert fetched_again(hub, etag(hub, "resume/changed", "f.bin")) == 0


@pytest.mark.parametrize("damage", ["a byte", "a piece of zeros", "the log", "a short log", "no log"])
def test_what_the_disk_did_not_keep_is_found_and_fetched_again(
    hub: TestHub, tmp_path: Path, damage: str
) -> None:
    """As a power failure leaves it: the log promises what never reached the disk, or is torn."""
    repo = f"resume/{damage.replace(' ', '-')}"
    data = content(repo, SIZE)
    make_repo(hub, repo, {"f.bin": data})
    daemon = Daemon(hub.endpoint, tmp_path, **SETTINGS)
    with watched(daemon):
        half_way(hub, daemon, repo, data)
        blob = etag(hub, repo, "f.bin")
        folder = daemon.cache / ".locks" / ".wharf"
        partial, log = folder / f"{blob}.partial", folder / f"{blob}.pieces"
        if damage in ("a byte", "a piece of zeros"):
            with open(partial, "r+b") as file:
                file.seek(100)
                file.write(b"\0" * (1 if damage == "a byte" else PIECE))
        elif damage == "the log":
            size = log.stat().st_size
            log.write_bytes(b"\xff" * size)
        elif damage == "a short log":
            log.write_bytes(log.read_bytes()[:50])
        else:
            log.unlink()
        before = hub.log.bytes_sent(blob)
        daemon.start()
        assert daemon.download(repo, "f.bin", "--quiet").read_bytes() == data
        assert partials(daemon) == []
        if damage in ("a byte", "a piece of zeros"):
            # Whatever was promised and still is right was not fetched again.
            assert hub.log.bytes_sent(blob) - before < SIZE * 3 // 4


def test_damage_while_the_daemon_runs_is_found_by_the_hash(hub: TestHub, tmp_path: Path) -> None:
    """Only what was damaged is fetched again, not the file."""
    data = content("flipped", SIZE)
    make_repo(hub, "resume/flipped", {"f.bin": data})
    daemon = Daemon(hub.endpoint, tmp_path, **SETTINGS)
    with watched(daemon):
        stalled = hub.faults.add("stall", after=500_000, match={"server": "cdn", "range": "bytes=0-"})
        client = daemon.start_wharf("download", "resume/flipped", "f.bin", "--quiet")
        blob = etag(hub, "resume/flipped", "f.bin")
        # Piece 0 lacks its end, so nothing behind it is hashed yet.
        eventually(lambda: received(daemon, blob) >= SIZE // 2, "half of it has come")
        place = recorded(daemon, blob)[0] * PIECE + 5
        with open(daemon.cache / ".locks" / ".wharf" / f"{blob}.partial", "r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 1]))
        hub.faults.release(stalled)
        done = finished(client)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).read_bytes() == data
        assert "are not what was received" in daemon.log
        assert fetched_again(hub, blob) <= 4 * PIECE


def test_a_signature_that_expires_while_the_box_is_off_is_renewed(
    hub: TestHub, tmp_path: Path
) -> None:
    data = content("expired", SIZE)
    make_repo(hub, "resume/expired", {"f.bin": data})
    daemon = Daemon(hub.endpoint, tmp_path, **SETTINGS)
    with watched(daemon):
        half_way(hub, daemon, "resume/expired", data)
        hub.admin.expire_urls()
        daemon.start()
        assert daemon.download("resume/expired", "f.bin", "--quiet").read_bytes() == data


def test_a_source_that_stays_wrong_is_said_so_and_leaves_nothing(
    hub: TestHub, tmp_path: Path
) -> None:
    make_repo(hub, "resume/wrong", {"f.bin": content("wrong", SIZE)})
    hub.faults.add("corrupt", offset=9 * MIB, times=None, match={"server": "cdn"})
    with watched(Daemon(hub.endpoint, tmp_path, **SETTINGS)) as daemon:
        done = daemon.wharf("download", "resume/wrong", "f.bin", "--quiet")
        clear_failure(done, 7, "f.bin", "twice")
        assert blobs(daemon, "resume/wrong") == []
        assert partials(daemon) == []
        assert hub.log.bytes_sent(etag(hub, "resume/wrong", "f.bin")) == 2 * SIZE


def test_a_slow_connection_does_not_hold_up_the_end_of_a_file(hub: TestHub, tmp_path: Path) -> None:
    """Others take over what it has not begun."""
    data = content("straggler", 64 * MIB)
    make_repo(hub, "resume/straggler", {"f.bin": data})
    hub.faults.add("dribble", rate=MIB, times=1, match={"server": "cdn"})
    with watched(Daemon(hub.endpoint, tmp_path, **SETTINGS)) as daemon:
        began = time.monotonic()
        assert daemon.download("resume/straggler", "f.bin", "--quiet").read_bytes() == data
        # Alone, its quarter of the file would take it sixteen seconds.
        assert time.monotonic() - began < 10
