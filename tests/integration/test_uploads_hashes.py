"""The hashes of what is pushed are made while it is copied: they belong to that file and no other,
outlive the daemon, and are made again when they are lost."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.pushes import Changes, done, new_repo, push, submit, tree, write
from tests.support.trials import MIB, QUICK, content, watched


@pytest.fixture
def own(hub: TestHub, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that the test may stop and kill."""
    with watched(Daemon(hub.endpoint, tmp_path / "box", **QUICK)) as running:
        yield running


@pytest.fixture
def repo(hub: TestHub, request: pytest.FixtureRequest) -> str:
    return new_repo(hub, "hashes " + request.node.name)


def text(name: str, size: int) -> bytes:
    """Of a regular file."""
    return content(name, size // 2).hex().encode()


def kinds(folder: Path) -> dict[str, Path]:
    """Files of all sizes that are treated apart, regular and large ones."""
    folder.mkdir()
    files = {
        f"text-{size}.json": text(f"hashes {size}", size)
        for size in (2, 1000, 64 << 10, (64 << 10) + 2, 200 << 10, 2 * MIB)
    }
    files["empty.json"] = b""
    files |= {f"{size}.bin": b"\0" + content(f"{size}", size) for size in (9, 3 * MIB, 17 * MIB)}
    return write(folder, **files)


def stored(daemon: Daemon) -> sqlite3.Connection:
    return sqlite3.connect(daemon.state / "uploads.db")


def test_each_file_has_its_own(own: Daemon, hub: TestHub, repo: str, tmp_path: Path) -> None:
    files = kinds(tmp_path / "files")
    push(own, repo, {**files})
    wanted = {name: path.read_bytes() for name, path in files.items()}
    found = tree(hub, repo)
    assert {name: found[name] for name in wanted} == wanted
    assert push(own, repo, {**files})["commits"] == 0
    names = list(files)
    turned: Changes = {name: files[names[i - 1]] for i, name in enumerate(names)}
    push(own, repo, turned)
    found = tree(hub, repo)
    for i, name in enumerate(names):
        assert found[name] == wanted[names[i - 1]], name


@pytest.mark.parametrize("hashes", ["kept", "lost"])
def test_they_outlive_the_daemon(
    own: Daemon, hub: TestHub, repo: str, tmp_path: Path, hashes: str
) -> None:
    files = kinds(tmp_path / "files")
    wanted = {name: path.read_bytes() for name, path in files.items()}
    asked = hub.faults.add("delay", seconds=20, match={"path": "/preupload/"})
    job = submit(own, repo, {**files})
    hub.faults.wait(asked, 1)
    own.kill()
    hub.faults.clear()
    with contextlib.closing(stored(own)) as rows, rows:
        sizes = {len(row[0]) for row in rows.execute("SELECT hashes FROM change")}
        assert sizes == {64, 64 + 1 + 40}
        if hashes == "lost":
            rows.execute("UPDATE change SET hashes = ''")
    own.start()
    done(own, job)
    found = tree(hub, repo)
    assert {name: found[name] for name in wanted} == wanted
