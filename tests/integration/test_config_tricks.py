"""Files and folders of the configuration that are not what they should be: a clear error, no wait."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon
from tests.support.trials import QUICK
from tests.support.users import (
    DAEMON,
    DAEMON_UID,
    OPEN_TO_ALL,
    folder_of,
    needs_root,
    new_user,
    open_folder,
)

pytestmark = needs_root

OPEN = {**QUICK, **OPEN_TO_ALL}


@pytest.fixture
def place() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def check(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return DAEMON.run(BUILD / "wharfd", "--config", config, *words, timeout=15)


def sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(100_000_000)


def unreadable(path: Path) -> None:
    path.write_text("")
    path.chmod(0o600)


ODD: dict[str, Callable[[Path], object]] = {
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path),
    "folder": Path.mkdir,
    "unreadable": unreadable,
    "100 MB of zeros": sparse,
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 100),
    "fifo": lambda path: (os.mkfifo(path), path.chmod(0o644)),
    "program": lambda path: path.symlink_to(BUILD / "wharfd"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("words", [["--check-config"], []], ids=["check", "start"])
def test_an_odd_configuration_file(place: Path, kind: str, words: list[str]) -> None:
    config = place / "wharfd.toml"
    ODD[kind](config)
    done = check(config, *words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[:500]
    assert done.stderr.startswith(f"wharfd: {config}:"), done.stderr[:500]
    assert len(done.stderr) < 1000 and len(done.stderr.splitlines()) <= 2, done.stderr[:500]
    assert done.stderr.replace("\n", "").isprintable()


def test_the_audit_file_is_a_planted_link(place: Path, hub: TestHub) -> None:
    """Whoever may write to its folder cannot have the daemon write to another file of its own."""
    hub.admin.create_repo("tricks/audit", files={"a.txt": "a"})
    attacker, user = new_user(), new_user()
    folder = folder_of(DAEMON, place, "box")
    folder.chmod(0o755)
    treasure = folder / "treasure"
    treasure.write_text("precious\n")
    os.chown(treasure, DAEMON_UID, DAEMON_UID)
    logs = place / "logs"
    logs.mkdir()
    logs.chmod(0o777)
    attacker.do(os.symlink, treasure, logs / "audit")
    attacker.do(os.symlink, folder / "made", logs / "dangling")
    for name in ("audit", "dangling"):
        settings = {**OPEN, "audit": {"file": str(logs / name), "log": "all"}}
        with Daemon(hub.endpoint, folder, user=DAEMON_UID, **settings) as daemon:
            with user.client(daemon.socket) as client:
                assert client.call("Downloads.Download", repo="tricks/audit")["result"]["commit"]
            daemon.wait_for_log(f"opening the audit file {logs / name}")
            assert daemon.stop() == 0, daemon.log
    assert treasure.read_text() == "precious\n"
    assert not (folder / "made").exists()


def test_the_socket_is_in_a_closed_folder_of_another(place: Path) -> None:
    other = folder_of(new_user(), place, "closed")
    other.chmod(0o755)
    folder = folder_of(DAEMON, place, "box")
    daemon = Daemon("http://127.0.0.1:9", folder)
    daemon.settings["daemon"]["socket"] = str(other / "wharfd.sock")
    daemon.write_config()
    daemon.config.chmod(0o644)
    done = check(daemon.config)
    assert done.returncode in (1, 2) and str(other) in done.stderr, done.stderr
    assert os.listdir(other) == []
