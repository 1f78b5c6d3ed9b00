"""What all tests of faults share: a quick daemon that is watched, and what a clear error is."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hub import TestHub
from tests.support.blob_watch import BlobWatch
from tests.support.daemon import Daemon

KIB = 1024
MIB = 1024 * KIB

# Short limits, so that a fault is noticed at once; pieces so small that a few MiB are many, and
# more than are fetched at once.
QUICK: dict[str, dict[str, Any]] = {
    "transfer": {"stall_timeout": "1s", "piece_size": "1MiB", "max_connections_per_file": 4},
    "hub": {"connect_timeout": "2s", "first_byte_timeout": "1s"},
}

# Nothing of this may reach a person or the log: tokens, signed queries, traces of a crash.
_SECRETS = re.compile(r"hf_[a-z]|Bearer|Signature|Key-Pair-Id")
_CRASHES = re.compile(r"terminate called|what\(\)|Traceback|\.[ch]pp\b|0x[0-9a-f]{6}|Aborted|std::")


def quick(**settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """QUICK with changes."""
    tables = {*QUICK, *settings}
    return {table: {**QUICK.get(table, {}), **settings.get(table, {})} for table in tables}


@contextlib.contextmanager
def watched(daemon: Daemon) -> Iterator[Daemon]:
    """Runs the daemon. It must never show a wrong blob, log a secret, or end unasked."""
    with daemon, BlobWatch(daemon.cache) as watch:
        yield daemon
        if daemon.process is not None and daemon.process.returncode is None:
            assert daemon.stop() == 0, f"wharfd crashed:\n{daemon.log}"
    assert not watch.problems, watch.problems
    found = _SECRETS.search(daemon.log)
    assert not found, f"the log shows {found}"
    assert not _CRASHES.search(daemon.log), daemon.log


def content(name: str, size: int) -> bytes:
    """Bytes that are the same whenever asked for and different for each name."""
    return random.Random(name).randbytes(size)


def make_repo(hub: TestHub, repo: str, files: dict[str, bytes], **access: Any) -> str:
    """`*.bin` become large files. Returns the commit."""
    return hub.admin.create_repo(repo, files=dict(files), **access)


def etag(hub: TestHub, repo: str, file: str) -> str:
    return str(hub.admin.files(repo)[file]["etag"])


def clear_failure(
    done: subprocess.CompletedProcess[str], code: int, *words: str, log: str = ""
) -> str:
    """Requires: run with --quiet. One sentence, at most one hint, the right code; the sentence."""
    said = f"exit code {done.returncode}, said:\n{done.stdout}{done.stderr}\n{log}"
    assert done.returncode == code, said
    assert done.stdout == "", said
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 2, said
    assert lines[0].startswith("wharf: ") and len(lines[0]) > 20, said
    assert len(lines) == 1 or (lines[1].startswith("hint: ") and len(lines[1]) > 10), said
    assert not _SECRETS.search(done.stderr), said
    assert not _CRASHES.search(done.stderr), said
    for word in words:
        assert re.search(word, done.stderr), f"no '{word}' in: {said}"
    return done.stderr


def finished(
    client: subprocess.Popen[str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Waits for a client that was started."""
    try:
        out, err = client.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        client.kill()
        out, err = client.communicate()
        raise AssertionError(f"the command hangs; it said:\n{out}{err}") from None
    return subprocess.CompletedProcess(client.args, client.returncode, out, err)


def right_bytes(snapshot: Path, files: dict[str, bytes]) -> None:
    for name, expected in files.items():
        assert (snapshot / name).read_bytes() == expected, f"{name} has wrong bytes"


def partials(daemon: Daemon) -> list[str]:
    """Unfinished files on the disk; one that can be resumed and its log are one."""
    names = set(os.listdir(daemon.cache / ".locks" / ".wharf"))
    logs = {name.replace(".partial", ".pieces") for name in names if name.endswith(".partial")}
    return sorted(names - logs)


def blobs(daemon: Daemon, repo: str) -> list[str]:
    folder = daemon.cache / f"models--{repo.replace('/', '--')}" / "blobs"
    return sorted(os.listdir(folder)) if folder.exists() else []


def eventually(holds: Callable[[], bool], what: str, timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.02)


def jobs(daemon: Daemon) -> list[dict[str, Any]]:
    """All jobs, newest first."""
    done = daemon.wharf("jobs", "ls", "--all", "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["jobs"])
