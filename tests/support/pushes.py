"""What tests of pushes say again and again: changes that go to a daemon, and what became of them."""

from __future__ import annotations

import base64
import contextlib
import re
import tempfile
from pathlib import Path
from typing import IO, Any

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.job_calls import wait_for_state
from tests.support.varlink_client import VarlinkClient

ALICE = "hf_alice"
MOST_FILES = 200
"""In one call."""

MOST_BYTES = 64 << 10
"""Of a file whose bytes go with the call; larger ones are handed over as a descriptor."""

Changes = dict[str, "bytes | Path"]
"""Paths in the repo to files, or to bytes."""


def repo_name(test: str) -> str:
    """A repo's name that no other test has, of an organisation that alice belongs to."""
    plain = re.sub("[^a-z0-9]+", "-", test.removeprefix("test_").lower())
    return "wonderland/push-" + plain.strip("-")


def new_repo(hub: TestHub, test: str) -> str:
    """A public model with a small file; its name."""
    name = repo_name(test)
    hub.admin.create_repo(name, files={"config.json": "{}"})
    return name


def begin(client: VarlinkClient, repo: str, **order: Any) -> int:
    return int(client.call("Uploads.Begin", repo=repo, **{"token": ALICE, **order})["upload"])


def opened(what: bytes | Path) -> IO[bytes]:
    if isinstance(what, Path):
        return open(what, "rb")
    with tempfile.NamedTemporaryFile() as file:
        file.write(what)
        file.flush()
        return open(file.name, "rb")


def add(client: VarlinkClient, upload: int, added: Changes, **more: Any) -> dict[str, Any]:
    """Adds files (at most MOST_FILES), bytes, and what else Add takes; its answer."""
    with contextlib.ExitStack() as held:
        files, contents, descriptors = [], [], []
        for path, what in added.items():
            if isinstance(what, Path) or len(what) > MOST_BYTES:
                file = held.enter_context(opened(what))
                files.append({"path": path, "descriptor": len(descriptors)})
                descriptors.append(file.fileno())
            else:
                contents.append({"path": path, "content": base64.b64encode(what).decode()})
        lists = {"files": files, "contents": contents}
        given = {name: value for name, value in lists.items() if value}
        return client.call("Uploads.Add", passed=descriptors, upload=upload, **given, **more)


def give(
    client: VarlinkClient,
    repo: str,
    added: Changes,
    *,
    deletes: dict[str, Any] | None = None,
    copies: list[dict[str, Any]] | None = None,
    **order: Any,
) -> int:
    """A draft with all of it; its number. `deletes` is as in Add: delete, delete_folders,
    delete_patterns, below."""
    upload = begin(client, repo, **order)
    entries = list(added.items())
    for start in range(0, len(entries), MOST_FILES):
        add(client, upload, dict(entries[start : start + MOST_FILES]))
    if deletes or copies:
        add(client, upload, {}, **(deletes or {}), **({"copies": copies} if copies else {}))
    return upload


def submit_by(client: VarlinkClient, repo: str, added: Changes, **more: Any) -> int:
    """As `submit`, on a connection that is there."""
    upload = give(client, repo, added, **more)
    return int(client.call("Uploads.Submit", upload=upload, detach=True)["job"])


def submit(daemon: Daemon, repo: str, added: Changes | None = None, **more: Any) -> int:
    """A push that nobody waits for; the job's number. `more` is as in `give`."""
    with VarlinkClient(daemon.socket) as client:
        return submit_by(client, repo, added or {}, **more)


def push(daemon: Daemon, repo: str, added: Changes | None = None, **more: Any) -> dict[str, Any]:
    """A push that somebody waits for; its result. `more` is as in `give`."""
    with VarlinkClient(daemon.socket) as client:
        upload = give(client, repo, added or {}, **more)
        return dict(client.call("Uploads.Submit", upload=upload)["result"])


def done(daemon: Daemon, number: int, timeout: float = 30) -> dict[str, Any]:
    """The job when it is done; it must not fail."""
    found = wait_for_state(daemon, number, "done", "failed", "cancelled", timeout=timeout)
    assert found["state"] == "done", f"{found}\n{daemon.log[-3000:]}"
    return found


def head(hub: TestHub, repo: str, kind: str = "model", revision: str = "main") -> str:
    return str(hub.admin.commits(repo, kind, revision)[0]["id"])


def titles(hub: TestHub, repo: str, revision: str = "main") -> list[str]:
    """Of what came after the repo was made, oldest first."""
    found = [row["title"] for row in hub.admin.commits(repo, revision=revision)]
    return [title for title in reversed(found) if title not in ("Add files", "initial commit")]


def tree(hub: TestHub, repo: str, kind: str = "model", revision: str = "main") -> dict[str, bytes]:
    """All files of a revision but the one that every repo has."""
    commit = hub.state.get(kind, repo).find_revision(revision)
    return {
        path: entry.blob.read()
        for path, entry in commit.files.items()
        if path != ".gitattributes"
    }


def staged(daemon: Daemon) -> list[str]:
    """What lies in staging, relative to it."""
    folder = daemon.cache / ".locks" / ".wharf" / "uploads"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write(folder: Path, **files: bytes) -> dict[str, Path]:
    """Writes files; for `submit` under the same names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}
