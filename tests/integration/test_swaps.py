"""Somebody swaps folders for symbolic links while the daemon and `wharf` work in them: nothing
outside is written to, and nothing outside is read and handed out."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.attacks import message
from tests.support.daemon import BUILD, Daemon
from tests.support.scenes import eventually
from tests.support.swaps import Swap, swapping
from tests.support.trials import QUICK, clear_failure, content
from tests.support.users import (
    DAEMON,
    DAEMON_UID,
    OPEN_TO_ALL,
    User,
    folder_of,
    needs_root,
    new_user,
    open_folder,
)

pytestmark = needs_root

OPEN = {**QUICK, **OPEN_TO_ALL}
ROUNDS = 20
LARGE = "nested/deep/w.bin"
FILES = {LARGE: content("swaps", 200_000), "config.json": b'{"of": "swaps"}', "data/a.txt": b"a"}


@pytest.fixture
def place() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def box(place: Path, hub: TestHub) -> Iterator[Daemon]:
    folder = folder_of(DAEMON, place, "box")
    folder.chmod(0o755)
    with Daemon(hub.endpoint, folder, user=DAEMON_UID, **OPEN) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log


@pytest.fixture
def victim() -> User:
    return new_user()


@pytest.fixture
def attacker() -> User:
    return new_user()


def make_folder(owner: User, path: Path, mode: int = 0o777) -> Path:
    """With exactly that mode."""
    path.mkdir()
    os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)
    return path


def canary_of(user: User, place: Path) -> Path:
    """A folder that only this user may write to, and nobody should."""
    return make_folder(user, place / f"canary-{user.uid}", 0o755)


def check_untouched(canary: Path) -> None:
    found = [str(path.relative_to(canary)) for path in canary.rglob("*")]
    assert found == [], f"written outside: {found}"


# --- wharf download --local-dir ---


def fetch_into(
    target: Path, repo: str, user: User, box: Daemon, home: Path
) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "WHARF_SOCKET": str(box.socket)}
    words = ["download", repo, "--quiet", "--local-dir", str(target)]
    return user.run(BUILD / "wharf", *words, environment=environment)


FOLDERS = ["nested", "nested/deep", "data", ".cache", ".cache/huggingface"]
FOLDERS += [".cache/huggingface/download", ".cache/huggingface/download/nested"]


def inner_swaps(target: Path, canary: Path) -> list[Swap]:
    """Every folder that `wharf` makes below the target, and some files."""
    files = ["config.json", ".cache/huggingface/.gitignore"]
    return [Swap(target / name, canary) for name in FOLDERS] + [
        Swap(target / name, canary / "planted") for name in files
    ]


def replace_by_link(name: Path, to: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        name.rename(f"{name}.away")
    name.symlink_to(to)


def check_ended(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        clear_failure(done, done.returncode)
        assert done.returncode in (1, 7), done.stderr


@pytest.mark.parametrize("who", ["the same user", "another"])
def test_folders_inside_a_local_dir(
    box: Daemon, hub: TestHub, place: Path, victim: User, attacker: User, who: str
) -> None:
    """All in the target is open to the attacker, who may be a second program of the victim's."""
    repo = f"swaps/inner-{who.split()[-1]}"
    hub.admin.create_repo(repo, files=FILES)
    swapper = victim if who == "the same user" else attacker
    canary, home = canary_of(victim, place), folder_of(victim, place)
    kept = make_folder(victim, place / "targets", 0o755)
    done = fetch_into(make_folder(victim, kept / "quiet"), repo, victim, box, home)
    assert done.returncode == 0, done.stderr
    for number in range(ROUNDS):
        target = make_folder(victim, kept / str(number))
        if number % 2:  # what is there already can be swapped from the start
            for name in ("nested", "nested/deep", ".cache", ".cache/huggingface"):
                make_folder(victim, target / name)
        with swapping(swapper, inner_swaps(target, canary)):
            done = fetch_into(target, repo, victim, box, home)
        check_ended(done)
        check_untouched(canary)
    assert {path.name for path in kept.iterdir()} == {"quiet", *map(str, range(ROUNDS))}


def test_folders_that_are_swapped_while_it_waits(
    box: Daemon, hub: TestHub, place: Path, victim: User, attacker: User
) -> None:
    """Where the race is up to chance, this is not: each swap comes when the program has begun and
    has not placed a file yet, and stays."""
    canary, home = canary_of(victim, place), folder_of(victim, place)
    kept = make_folder(victim, place / "targets", 0o755)
    environment = {"HOME": str(home), "WHARF_SOCKET": str(box.socket)}
    for number, swap in enumerate(inner_swaps(Path(), canary)):
        repo = f"swaps/waiting-{number}"
        files = {name: data + str(number).encode() for name, data in FILES.items()}
        hub.admin.create_repo(repo, files=files)
        target = make_folder(victim, kept / str(number))
        for name in FOLDERS:  # those that it would make later, too
            make_folder(victim, target / name)
        rule = hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
        words = ["download", repo, "--quiet", "--local-dir", str(target)]
        with victim.start(BUILD / "wharf", *words, environment=environment) as process:
            eventually((target / ".cache/huggingface/.gitignore").exists)
            hub.faults.wait(rule, 1)
            attacker.do(replace_by_link, target / swap.name, swap.to)
            hub.faults.clear()
            _, error = process.communicate(timeout=60)
        check_untouched(canary)
        if str(swap.name) in FOLDERS:
            assert process.returncode == 1, error
            assert f"{target / swap.name} is not a folder, or is a symbolic link" in error
        else:
            assert process.returncode == 0, error
            for name, data in files.items():
                assert (target / name).read_bytes() == data and not (target / name).is_symlink()


def test_a_folder_of_the_target_that_is_renamed_away(
    box: Daemon, hub: TestHub, place: Path, victim: User, attacker: User
) -> None:
    """Once it is open, the target is that folder and no name: what stands there later gets nothing."""
    repo = "swaps/renamed"
    hub.admin.create_repo(repo, files={**FILES, "big.bin": content("swaps big", 2_000_000)})
    canary, home = canary_of(victim, place), folder_of(victim, place)
    parent = make_folder(attacker, place / "of-the-attacker")
    target = make_folder(victim, parent / "target", 0o755)
    rule = hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
    environment = {"HOME": str(home), "WHARF_SOCKET": str(box.socket)}
    words = ["download", repo, "--quiet", "--local-dir", str(target)]
    with victim.start(BUILD / "wharf", *words, environment=environment) as process:
        eventually((target / ".cache/huggingface/.gitignore").exists)
        hub.faults.wait(rule, 1)
        attacker.do(os.rename, target, parent / "moved")
        attacker.do(os.symlink, canary, target)
        hub.faults.clear()
        _, error = process.communicate(timeout=60)
    check_untouched(canary)
    assert process.returncode == 0, error
    assert (parent / "moved" / LARGE).read_bytes() == FILES[LARGE]


# --- An adopted cache that others may write to ---


def open_by_daemon(user: User, box: Daemon, repo: str, file: str) -> tuple[bytes, str]:
    """What a descriptor of the daemon gives, or nothing and the error's name."""
    with user.connect(box.socket) as connection:
        connection.sendall(message("Downloads.Open", repo=repo, file=file))
        data, descriptors = b"", []
        while b"\0" not in data:
            part, more, _, _ = socket.recv_fds(connection, 1 << 16, 8)
            assert part, f"the daemon hung up\n{box.log[-3000:]}"
            data, descriptors = data + part, descriptors + list(more)
    if not descriptors:
        return b"", data.decode().split('"error":"')[1].split('"')[0]
    with os.fdopen(descriptors[0], "rb") as opened:
        return opened.read(), ""


def plant_secrets(hub: TestHub, repo: str, outside: Path) -> bytes:
    """Files of the daemon's own, named and sized as those of the repo; their common text."""
    secret = b"secret of the daemon's account "
    for name, facts in hub.admin.files(repo).items():
        size = int(facts["size"])
        text = (secret * (size // len(secret) + 1))[:size]
        for path in (outside / str(facts["etag"]), outside / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
            path.chmod(0o600)
    for path in [outside, *outside.rglob("*")]:
        os.chown(path, DAEMON_UID, DAEMON_UID)
    return secret


def cache_swaps(box: Daemon, repo: str, commit: str, to: list[Path]) -> list[Swap]:
    name = f"models--{repo.replace('/', '--')}"
    names = [name, ".locks", f".locks/{name}", ".locks/.wharf"]
    names += [f"{name}/{part}" for part in ("blobs", "refs", "snapshots", "trees")]
    names += [f"{name}/snapshots/{commit}", f"{name}/snapshots/{commit}/nested"]
    return [Swap(box.cache / name, target) for name in names for target in to]


@pytest.mark.parametrize("owner", ["daemon", "attacker"])
@pytest.mark.parametrize("lure", ["canary", "outside"])
def test_an_adopted_cache_that_others_write_to(
    hub: TestHub, place: Path, victim: User, attacker: User, owner: str, lure: str
) -> None:
    """No descriptor ever leads to a file outside or has wrong bytes, and nothing is made there; once
    nobody swaps any more, the same daemon hands out everything."""
    folder = folder_of(DAEMON, place, "box")
    folder.chmod(0o755)
    settings = {**OPEN, "cache": {"lock_files": True}}
    box = Daemon(hub.endpoint, folder, user=DAEMON_UID, **settings)
    cache = make_folder(DAEMON, box.cache)
    canary = make_folder(DAEMON, place / "canary", 0o700)
    outside = make_folder(DAEMON, place / "outside", 0o700)
    target = canary if lure == "canary" else outside
    held = DAEMON if owner == "daemon" else attacker
    make_folder(held, cache / ".locks")
    with box:
        for number in range(ROUNDS // 2):
            repo = f"swaps/cache-{owner}-{lure}-{number}"
            files = {name: data + str(number).encode() for name, data in FILES.items()}
            commit = hub.admin.create_repo(repo, files=files)
            secret = plant_secrets(hub, repo, outside)
            before = sorted(outside.rglob("*"))
            base = make_folder(held, cache / f"models--{repo.replace('/', '--')}")
            for part in ("blobs", "refs", "snapshots", f"snapshots/{commit}"):
                make_folder(held, base / part)
            with swapping(attacker, cache_swaps(box, repo, commit, [target])):
                for file in [LARGE, "config.json", LARGE, "data/a.txt"]:
                    got, error = open_by_daemon(victim, box, repo, file)
                    assert secret[:20] not in got, "a file outside of the cache was handed out"
                    assert error or got == files[file], f"wrong bytes of {file}"
            check_untouched(canary)
            assert sorted(outside.rglob("*")) == before, "something was made outside of the cache"
            for path in before:
                assert stat.S_IMODE(path.stat().st_mode) in (0o600, 0o755, 0o700)
            for file, data in files.items():  # what he did is over when he is gone
                assert open_by_daemon(victim, box, repo, file) == (data, ""), file
        assert box.process is not None and box.process.poll() is None, box.log
        assert box.stop() == 0, box.log


# --- The folder of one person's socket ---


def start_user_daemon(
    user: User, home: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Only for a daemon that refuses."""
    return user.run(
        BUILD / "wharfd", "--user", environment={"HOME": str(home), **environment}, timeout=10
    )


@pytest.mark.parametrize("planted", ["folder", "open folder", "link", "file", "fifo"])
def test_a_planted_runtime_folder(
    place: Path, victim: User, attacker: User, planted: str
) -> None:
    while os.path.lexists(folder := Path(f"/tmp/wharf-{victim.uid}")):  # of a run that was killed
        victim = new_user()
    bait = make_folder(victim, place / "bait", 0o700)
    try:
        if planted == "folder":
            make_folder(attacker, folder, 0o700)
        elif planted == "open folder":
            make_folder(victim, folder, 0o777)
        elif planted == "link":
            attacker.do(os.symlink, bait, folder)  # to what would pass
        elif planted == "file":
            attacker.do(folder.touch)
        else:
            attacker.do(os.mkfifo, folder)
        done = start_user_daemon(victim, folder_of(victim, place))
    finally:
        if stat.S_ISDIR(folder.lstat().st_mode):
            shutil.rmtree(folder)
        else:
            folder.unlink()
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert f"{folder} is not a directory that only you can use" in done.stderr
    assert "XDG_RUNTIME_DIR" in done.stderr
    check_untouched(bait)


@pytest.mark.parametrize("planted", ["folder", "link"])
def test_a_planted_folder_below_the_runtime_folder(
    place: Path, victim: User, attacker: User, hub: TestHub, planted: str
) -> None:
    """XDG_RUNTIME_DIR names a folder that others may write to, and one of them was first: whoever
    owns the socket's folder could put his own socket there and answer."""
    runtime = make_folder(victim, place / "runtime", 0o777)
    home = folder_of(victim, place)
    if planted == "folder":
        attacker.do(make_folder, attacker, runtime / "wharf")
    else:
        theirs = make_folder(attacker, place / "theirs")
        attacker.do(os.symlink, theirs, runtime / "wharf")
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "HF_ENDPOINT": hub.endpoint}
    with victim.start(BUILD / "wharfd", "--user", environment=environment) as process:
        deadline = time.monotonic() + 3
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        runs = process.poll() is None
        process.kill()
        _, error = process.communicate(timeout=10)
    assert not runs, f"it serves from a folder that is another's:\n{error}"
    assert process.returncode in (1, 2) and str(runtime / "wharf") in error
