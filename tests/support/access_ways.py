"""The ways to a repo's files: by asking the daemon, by its command, and by paths past it."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import client_venvs
from tests.support.daemon import BUILD, Daemon
from tests.support.scenes import repo_folder
from tests.support.users import DAEMON_UID, User
from tests.support.varlink_client import CallFailed

LARGE, SMALL = "w.bin", "config.json"
SIZE = 300_000


@dataclass
class Person:
    name: str
    user: User
    home: Path
    token: str | None
    """What goes along with calls; those who logged in let the daemon keep it."""


@dataclass
class Repo:
    state: str
    id: str
    daemon: Daemon
    commit: str
    etag: str
    contents: dict[str, bytes]

    @property
    def folder(self) -> Path:
        return repo_folder(self.daemon, self.id)

    @property
    def paths(self) -> dict[str, Path]:
        """The ways that lead past the daemon."""
        return {
            "snapshot": self.folder / "snapshots" / self.commit / LARGE,
            "blob": self.folder / "blobs" / self.etag,
            "ref": self.folder / "refs" / "main",
            "tree": self.folder / "trees" / f"{self.commit}.json",
        }


def call(repo: Repo, person: Person, method: str, **parameters: Any) -> dict[str, Any]:
    """One question to the daemon, with the person's token; its last answer."""
    if person.token is not None:
        parameters["token"] = person.token
    with person.user.client(repo.daemon.socket) as client:
        *_, last = client.stream(f"Downloads.{method}", repo=repo.id, **parameters)
        return last


def download(repo: Repo, person: Person) -> str:
    result = call(repo, person, "Download")["result"]
    assert result["commit"] == repo.commit
    return "reads"


def list_files(repo: Repo, person: Person) -> str:
    files = call(repo, person, "List")["files"]
    assert {LARGE, SMALL} <= {file["name"] for file in files}
    return "reads"


def open_file(repo: Repo, person: Person) -> str:
    """The bytes come by a descriptor, whatever the path allows."""
    token = {} if person.token is None else {"token": person.token}
    question = {"method": "org.wharf.Downloads.Open", "parameters": {"repo": repo.id, "file": LARGE, **token}}
    with person.user.connect(repo.daemon.socket) as connection:
        connection.sendall(json.dumps(question).encode() + b"\0")
        data, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 8)
        for number in descriptors:
            with os.fdopen(number, "rb") as file:
                assert file.read() == repo.contents[LARGE]
        answer = json.loads(data.rstrip(b"\0"))
    if "error" in answer:
        assert not descriptors
        raise CallFailed(answer["error"], answer["parameters"])
    assert len(descriptors) == 1
    return "reads"


def command(repo: Repo, person: Person, *arguments: str | Path) -> tuple[int, str]:
    """How `wharf download` ended, and what it said where it failed."""
    environment = {
        "HOME": str(person.home),
        "WHARF_SOCKET": str(repo.daemon.socket),
        "WHARF_DAEMON_USER": str(DAEMON_UID),  # else no token is shown to it
    }
    if person.token is not None:
        environment["HF_TOKEN"] = person.token
    done = person.user.run(
        BUILD / "wharf", "download", repo.id, *arguments, "--quiet", environment=environment
    )
    return done.returncode, done.stderr


def read_path(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return "reads" if file.read() else "empty"
    except (PermissionError, FileNotFoundError):
        return "closed"


def list_folder(path: Path) -> str:
    try:
        return "reads" if os.listdir(path) else "empty"
    except (PermissionError, FileNotFoundError):
        return "closed"


class OfflineClient:
    """The official client with the daemon's cache and without the Hub, in one process for all: it is
    root and looks for each file with the rights of whoever is named. The client reads paths only."""

    _CODE = """
import json, os, sys
from huggingface_hub import hf_hub_download
os.setgroups([])
for line in sys.stdin:
    uid, cache, repo, file = json.loads(line)
    os.setegid(uid)
    os.seteuid(uid)
    try:
        with open(hf_hub_download(repo, file, cache_dir=cache, local_files_only=True), "rb") as found:
            answer = "reads" if found.read() else "empty"
    except Exception as error:
        answer = "closed" if type(error).__name__ in ("LocalEntryNotFoundError", "PermissionError") else repr(error)
    os.seteuid(0)
    os.setegid(0)
    print(json.dumps(answer), flush=True)
"""

    def __init__(self, home: Path) -> None:
        python = client_venvs.ensure("1")
        self._process = User(0, 0).start(
            python, "-c", self._CODE, stdin=-1, stderr=sys.stderr,
            environment={"HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
        )

    def read(self, repo: Repo, person: Person) -> str:
        question = [person.user.uid, str(repo.daemon.cache), repo.id, LARGE]
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return str(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate(timeout=20)


def asked(way: Callable[[Repo, Person], str], repo: Repo, person: Person) -> str:
    """What a way through the socket gives: "reads", or the error's name."""
    try:
        return way(repo, person)
    except CallFailed as error:
        return error.name


ASKING = {"Download": download, "List": list_files, "Open": open_file}
