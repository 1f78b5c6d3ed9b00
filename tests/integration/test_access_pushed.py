"""Who may read what somebody pushed, by which way, and in whose name it is pushed.

What is pushed is shared with the cache without a download, so that the folder it gets there must be
as closed as that of a repo that was fetched: from the first moment, before anybody has asked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.hub import TestHub
from tests.support.access_ways import (
    ASKING,
    LARGE,
    SIZE,
    SMALL,
    Person,
    Repo,
    asked,
    command,
    list_files,
    list_folder,
    read_path,
)
from tests.support.daemon import Daemon
from tests.support.pushes import give, head
from tests.support.trials import eventually
from tests.support.users import DAEMON_UID, User, folder_of, needs_root, new_user, open_folder
from tests.support.varlink_client import CallFailed

pytestmark = needs_root

OWNER = "pushowner"
TABLE = """
                 pushowner  member  outsider      admin         nobody
public           reads      reads   reads         reads         reads
private          reads      reads   RepoNotFound  RepoNotFound  RepoNotFound
gated            reads      reads   Gated         Gated         Gated
copy_of_private  reads      reads   reads         reads         reads
"""
EXIT_CODES = {"reads": 0, "RepoNotFound": 3, "Gated": 4}

PEOPLE, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
STATES = [row[0] for row in _ROWS]
EXPECTED = {
    (row[0], person): cell for row in _ROWS for person, cell in zip(PEOPLE, row[1:], strict=True)
}
ACCESS = {
    "public": {},
    "private": {"private": True, "members": ["member"]},
    "gated": {"gated": "manual", "granted": ["member"]},
    "copy_of_private": {},
}


@dataclass
class Box:
    hub: TestHub
    daemon: Daemon
    people: dict[str, Person] = field(default_factory=dict)
    repos: dict[str, Repo] = field(default_factory=dict)
    first_looks: dict[str, dict[str, str]] = field(default_factory=dict)
    """What a stranger finds by paths right after the push, before anybody has asked for it."""


def push(box: Box, who: str, repo: str, content: dict[str, bytes]) -> dict[str, object]:
    person = box.people[who]
    token = {} if person.token is None else {"token": person.token}
    with person.user.client(box.daemon.socket) as client:
        upload = give(client, repo, dict(content), **{"token": "", **token})
        return dict(client.call("Uploads.Submit", upload=upload)["result"])


def make_repo(box: Box, state: str) -> Repo:
    name = f"{OWNER}/{state.replace('_', '-')}"
    box.hub.admin.create_repo(name, files={"README.md": "of " + name}, **ACCESS[state])
    like = box.repos["private"].contents if state == "copy_of_private" else None
    content = like or {
        LARGE: name.encode().ljust(SIZE, b"."), SMALL: json.dumps({"of": name}).encode()
    }
    push(box, OWNER, name, content)
    etag = str(box.hub.admin.files(name)[LARGE]["etag"])
    return Repo(state, name, box.daemon, head(box.hub, name), etag, content)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with ExitStack() as stack:
        hub = stack.enter_context(TestHub(directory=tmp_path_factory.mktemp("pushed-hub")))
        place = stack.enter_context(open_folder())
        admin = new_user()
        directory = folder_of(User(DAEMON_UID, DAEMON_UID), place, "daemon")
        directory.chmod(0o755)
        access = {"allow_users": ["*"], "admin_users": [str(admin.uid)]}
        daemon = Daemon(hub.endpoint, directory, user=DAEMON_UID, access=access)
        made = Box(hub, stack.enter_context(daemon))
        for name in PEOPLE:
            token = None if name == "nobody" else f"hf_pushed{name}"
            hub.admin.add_user(name, token=token)
            user = admin if name == "admin" else new_user()
            made.people[name] = Person(name, user, folder_of(user, place), token)
        stranger = new_user()
        for state in STATES:
            repo = made.repos[state] = make_repo(made, state)
            looks = {way: stranger.do(read_path, path) for way, path in repo.paths.items()}
            made.first_looks[state] = looks | {"folder": stranger.do(list_folder, repo.folder)}
        yield made
        assert "hf_pushed" not in daemon.log
        assert daemon.stop() == 0, daemon.log


@pytest.mark.parametrize("state", ["private", "gated"])
def test_it_is_closed_from_the_first_moment(box: Box, state: str) -> None:
    assert set(box.first_looks[state].values()) == {"closed"}
    assert box.repos[state].paths["blob"].stat().st_size == SIZE, "it is there"


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("state", STATES)
def test_who_reads_what_was_pushed_by_which_way(box: Box, state: str, person: str) -> None:
    repo, who = box.repos[state], box.people[person]
    expected = EXPECTED[state, person]
    found = {way: asked(function, repo, who) for way, function in ASKING.items()}
    assert found == dict.fromkeys(ASKING, expected), repo.daemon.log[-4000:]
    code, said = command(repo, who)
    assert code == EXIT_CODES[expected], said
    by_path = "reads" if expected == "reads" else "closed"
    asked(list_files, repo, who)
    opened = {way: who.user.do(read_path, path) for way, path in repo.paths.items()}
    assert opened == dict.fromkeys(repo.paths, by_path)
    assert who.user.do(list_folder, repo.folder) == by_path


def test_the_same_bytes_are_one_file_with_two_doors(box: Box) -> None:
    private, copy = box.repos["private"], box.repos["copy_of_private"]
    assert private.paths["blob"].stat().st_ino == copy.paths["blob"].stat().st_ino
    nobody = box.people["nobody"].user
    assert nobody.do(read_path, copy.paths["blob"]) == "reads"
    assert nobody.do(read_path, private.paths["blob"]) == "closed"


@pytest.mark.parametrize(
    ("person", "state", "error"),
    [
        ("outsider", "private", "RepoNotFound"),
        ("admin", "private", "RepoNotFound"),  # of this machine, and not of the Hub
        ("outsider", "public", "Forbidden"),
        ("nobody", "public", "Unauthorized"),
        ("nobody", "private", "Unauthorized"),
    ],
)
def test_nobody_pushes_with_anothers_right(box: Box, person: str, state: str, error: str) -> None:
    repo = box.repos[state]
    before = head(box.hub, repo.id)
    since = box.hub.log.last_number()
    data = {"stolen.bin": os.urandom(SIZE)}
    with pytest.raises(CallFailed) as refusal:
        push(box, person, repo.id, data)
    assert refusal.value.name == error, refusal.value.message
    assert head(box.hub, repo.id) == before
    box.hub.log.settle()
    names = {record.user for record in box.hub.log.find(since=since) if repo.id in record.path}
    assert OWNER not in names
    large = [path.name for path in (repo.folder / "blobs").iterdir() if path.stat().st_size == SIZE]
    assert large == [repo.etag], "what was not pushed is not in the cache"


def test_what_waits_to_be_pushed_is_nobodys_to_read(box: Box) -> None:
    repo, owner = box.repos["public"], box.people[OWNER]
    stall = box.hub.faults.add("upload_stall", after=1000, seconds=60, match={"server": "cdn", "method": "PUT"})
    with owner.user.client(box.daemon.socket) as client:
        upload = give(client, repo.id, {"late.bin": os.urandom(SIZE)}, token=owner.token)
        job = int(client.call("Uploads.Submit", upload=upload, detach=True)["job"])
    box.hub.faults.wait(stall, 1)
    staging = box.daemon.cache / ".locks" / ".wharf" / "uploads"
    staged = [path for path in staging.rglob("*") if path.is_file()]
    assert staged
    for name in ("outsider", "member", "nobody", OWNER):
        user = box.people[name].user
        assert {user.do(read_path, path) for path in staged} == {"closed"}
        assert user.do(list_folder, staging) == "closed"
    outsider = box.people["outsider"].user
    with outsider.client(box.daemon.socket) as client:
        for method in ("Show", "Cancel", "Pause"):
            with pytest.raises(CallFailed) as refusal:
                client.call(f"Jobs.{method}", id=job)
            assert refusal.value.name == "JobNotFound"
    box.hub.faults.release(stall)
    eventually(lambda: "late.bin" in box.hub.admin.files(repo.id), "the commit is made")
