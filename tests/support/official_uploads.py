"""What tests of uploads by the official client share: a repository, a folder, and operations."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.hub import TestHub

from .official_client import OfficialClient

ALICE, BOB = "hf_alice", "hf_bob"

_CREATE_COMMIT = """
made = [getattr(hf, kind)(**fields) for kind, fields in operations]
info = hf.create_commit(operations=made, **arguments)
result = {"oid": info.oid, "url": info.commit_url, "pull_request": info.pr_url}
"""

Operation = tuple[str, dict[str, Any]]


def add(path: str, source: Path) -> Operation:
    return "CommitOperationAdd", {"path_in_repo": path, "path_or_fileobj": str(source)}


def delete(path: str) -> Operation:
    return "CommitOperationDelete", {"path_in_repo": path}


def copy(source: str, path: str, **more: str) -> Operation:
    return "CommitOperationCopy", {"src_path_in_repo": source, "path_in_repo": path, **more}


def content(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


@contextlib.contextmanager
def public_repo(hub: TestHub, test: str) -> Iterator[str]:
    """A public model of one test's own. Objects of more than a MB go up in parts."""
    repo_id = f"wonderland/upload-{test.removeprefix('test_').replace('_', '-')}"
    hub.admin.configure(lfs_part_size=400_000, lfs_multipart_above=1_000_000)
    hub.admin.create_repo(
        repo_id, files={"config.json": "{}", "old.bin": {"random": 5000}, "logs/1.txt": "one"}
    )
    try:
        yield repo_id
    finally:
        for kept in hub.admin.repos():
            if kept["id"].startswith(repo_id):
                hub.admin.delete_repo(kept["id"], kept["kind"])


def make_folder(folder: Path) -> Path:
    """Fills a folder with a file of every sort."""
    files = {
        "README.md": b"---\nlicense: mit\n---\n# Model\n",
        "config.json": b'{"hidden": 8}\n',
        "empty.bin": b"",
        "small.bin": content(70_000, 1),
        "deep/er/large.safetensors": content(1_500_000, 2),
        "deep/notes with gr\u00f6\u00dfe.txt": b"notes\n",
        "train.log": b"not wanted\n",
        ".gitignore": b"*.log\n",
    }
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def commit(
    client: OfficialClient, repo: str, *operations: Operation, **more: Any
) -> dict[str, Any]:
    """`create_commit` by alice, unless `more` says otherwise: ids and addresses of the result."""
    arguments = {"repo_id": repo, "token": ALICE, "commit_message": "Change", **more}
    info: dict[str, Any] = client.run(_CREATE_COMMIT, operations=operations, arguments=arguments)
    return info


def titles(hub: TestHub, repo: str) -> list[str]:
    return [row["title"] for row in hub.admin.commits(repo)]
