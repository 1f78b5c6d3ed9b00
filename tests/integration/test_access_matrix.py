"""Who may read what, by which way: one table of people and states of a repo, tried in every way.

The daemon runs as an account of its own, all people are real users of this machine, and the kernel
decides about paths. docs/security.md has the rules.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.access_ways import (
    ASKING,
    LARGE,
    SIZE,
    SMALL,
    OfflineClient,
    Person,
    Repo,
    asked,
    command,
    download,
    list_files,
    list_folder,
    open_file,
    read_path,
)
from tests.support.daemon import Daemon
from tests.support.scenes import check_sent_once
from tests.support.users import (
    DAEMON_UID,
    User,
    folder_of,
    needs_root,
    new_user,
    open_folder,
)
from tests.support.varlink_client import CallFailed

pytestmark = needs_root

TTL = 2.0
GRACE = 4.0
"""`grant_ttl` and `offline_grace` in seconds."""

SLACK = 3.0
"""What a busy machine may add to a time that is promised."""

# What is in a cell is what asking the daemon gives: the bytes, or an error's name. Files by their
# paths are open to those who get the bytes and to nobody else; where it is not so, what paths give
# stands behind a slash. A token that the Hub does not know is refused for public repos, too, as the
# official client is; it gives the same for all that is not public, whether it exists or not.
#
# granted and own_grant have access at the Hub and proved it, the second one later. outsider has a
# good token without access; admin too, and administers the daemon. nobody has no token. The last
# three could read: then the Hub took their access away, their token was revoked at the Hub, or they
# logged out here.
TABLE = """
                 granted  own_grant  outsider  admin   nobody   revoked  expired        logged_out
public           reads    reads      reads     reads   reads    reads    BadToken/reads reads
gated            reads    reads      Gated     Gated   Gated    Gated    BadToken       Gated
private          reads    reads      None      None    None     None     BadToken       None
copy_of_private  reads    reads      reads     reads   reads    reads    BadToken/reads reads
became_private   reads    reads      None      None    None     None     BadToken       None
became_gated     reads    reads      Gated     Gated   Gated    Gated    BadToken       Gated
became_public    reads    reads      reads     reads   reads    reads    BadToken/reads reads
deleted          None     None       None      None    None     None     BadToken       None
renamed          reads    reads      None      None    None     None     BadToken       None
missing          None     None       None      None    None     None     BadToken       None
away_public      reads    reads      reads     reads   reads    reads    reads          reads
away_gated       reads    reads      Offline   Offline Offline  Offline  Offline        Offline
away_private     reads    reads      Offline   Offline Offline  Offline  Offline        Offline
late_public      reads    reads      reads     reads   reads    reads    reads          reads
late_gated       Offline  Offline    Offline   Offline Offline  Offline  Offline        Offline
"""
# away: the Hub cannot be asked, within the grace; late: after it.

ERRORS = {"None": "RepoNotFound", "BadToken": "Unauthorized"}
EXIT_CODES = {"reads": 0, "RepoNotFound": 3, "Gated": 4, "Unauthorized": 4, "Offline": 5}

PEOPLE, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
STATES = [row[0] for row in _ROWS]


def _expected(cell: str) -> tuple[str, str]:
    """By asking, and by path."""
    asking, _, path = cell.partition("/")
    return ERRORS.get(asking, asking), path or ("reads" if asking == "reads" else "closed")


EXPECTED = {
    (row[0], person): _expected(cell)
    for row in _ROWS
    for person, cell in zip(PEOPLE, row[1:], strict=True)
}

WITH_ACCESS = ["granted", "own_grant", "revoked", "expired", "logged_out"]
"""Whom the Hub lets in at first."""
@dataclass
class Box:
    hub: TestHub
    people: dict[str, Person]
    repos: dict[str, Repo] = field(default_factory=dict)
    daemons: dict[str, Daemon] = field(default_factory=dict)


# --- The scene ------------------------------------------------------------------------------------


def start_daemons(hub: TestHub, place: Path, admin: User, stack: ExitStack) -> dict[str, Daemon]:
    """One for what the Hub tells, and two that will not reach it: within their grace and after."""
    daemons = {}
    for name, grace in (("here", GRACE), ("away", 3600.0), ("late", GRACE)):
        directory = folder_of(User(DAEMON_UID, DAEMON_UID), place, name)
        directory.chmod(0o755)
        access = {
            "allow_users": ["*"],
            "admin_users": [str(admin.uid)],
            "grant_ttl": f"{TTL:g}s",
            "offline_grace": f"{grace:g}s",
        }
        daemon = Daemon(
            hub.endpoint, directory, user=DAEMON_UID, access=access,
            hub={"connect_timeout": "2s", "first_byte_timeout": "2s"},
        )
        daemons[name] = stack.enter_context(daemon)
    return daemons


def make_people(hub: TestHub, place: Path) -> dict[str, Person]:
    people = {}
    for name in PEOPLE:
        token = None if name == "nobody" else f"hf_matrix{name.replace('_', '')}"
        hub.admin.add_user(name, token=token)
        user = new_user()
        people[name] = Person(name, user, folder_of(user, place), token)
    return people


def make_repo(box: Box, state: str, like: Repo | None = None) -> Repo:
    start = {
        "gated": {"gated": "manual", "granted": WITH_ACCESS},
        "private": {"private": True, "members": WITH_ACCESS},
        "public": {},
    }
    kind = {
        "copy_of_private": "public", "became_private": "public", "became_gated": "public",
        "became_public": "private", "deleted": "private", "renamed": "private",
    }.get(state) or state.removeprefix("away_").removeprefix("late_")
    daemon = box.daemons[state.partition("_")[0] if state.startswith(("away_", "late_")) else "here"]
    name = f"matrix/{state.replace('_', '-')}"
    content = like.contents if like else {
        LARGE: name.encode().ljust(SIZE, b"."), SMALL: json.dumps({"of": name}).encode()
    }
    if state == "missing":
        return Repo(state, name, daemon, "0" * 40, "0" * 64, content)
    commit = box.hub.admin.create_repo(name, files=dict(content), **start[kind])
    etag = str(box.hub.admin.files(name)[LARGE]["etag"])
    return Repo(state, name, daemon, commit, etag, content)


def log_in(box: Box, person: Person) -> None:
    for daemon in box.daemons.values():
        with person.user.client(daemon.socket) as client:
            client.call("Auth.Login", token=person.token)
    person.token = None


def fetch_all(box: Box) -> None:
    """All with access prove it and read. The first one brings the bytes; nobody brings them again."""
    for repo in box.repos.values():
        if repo.state == "missing":
            continue
        for name in WITH_ACCESS:
            assert asked(download, repo, box.people[name]) == "reads", (repo.id, name, repo.daemon.log)


def change_all(box: Box) -> None:
    """What happens at the Hub, and to the people."""
    admin = box.hub.admin
    left = [name for name in WITH_ACCESS if name != "revoked"]
    for state in ("gated", "away_gated", "late_gated"):
        admin.set_access(box.repos[state].id, granted=left)
    for state in ("private", "deleted", "renamed", "away_private"):
        admin.set_access(box.repos[state].id, members=left)
    admin.set_access(box.repos["became_private"].id, private=True, members=left)
    admin.set_access(box.repos["became_gated"].id, gated="manual", granted=left)
    admin.set_access(box.repos["became_public"].id, private=False)
    admin.delete_repo(box.repos["deleted"].id)
    admin.move_repo(box.repos["renamed"].id, "matrix/renamed-since")
    admin.revoke_token("hf_matrixexpired")
    for daemon in box.daemons.values():
        with box.people["logged_out"].user.client(daemon.socket) as client:
            client.call("Auth.Logout")


def leave_the_hub(box: Box) -> None:
    """Those who lost their access hear of it; then the Hub answers two of the daemons no more."""
    time.sleep(TTL + 0.5)
    for repo in box.repos.values():
        if repo.state.startswith(("away_", "late_")):
            for name in ("granted", "own_grant"):
                assert asked(download, repo, box.people[name]) == "reads"
    box.hub.faults.add("drop", times=None, match={"path": "matrix/(away|late)-"})
    time.sleep(GRACE + 0.5)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Everything has happened: what the table says must hold."""
    with ExitStack() as stack:
        hub = stack.enter_context(TestHub(directory=tmp_path_factory.mktemp("matrix-hub")))
        place = stack.enter_context(open_folder())
        box = Box(hub, make_people(hub, place))
        box.daemons = start_daemons(hub, place, box.people["admin"].user, stack)
        for state in STATES:
            like = box.repos["private"] if state == "copy_of_private" else None
            box.repos[state] = make_repo(box, state, like)
        log_in(box, box.people["logged_out"])
        fetch_all(box)
        change_all(box)
        leave_the_hub(box)
        yield box
        for daemon in box.daemons.values():
            assert "hf_matrix" not in daemon.log
            assert daemon.stop() == 0, daemon.log


@pytest.fixture(scope="module")
def offline_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineClient]:
    client = OfflineClient(tmp_path_factory.mktemp("offline-home"))
    yield client
    client.close()


# --- The table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("state", STATES)
def test_who_reads_what_by_which_way(
    box: Box, offline_client: OfflineClient, state: str, person: str
) -> None:
    repo, who = box.repos[state], box.people[person]
    expected, by_path = EXPECTED[state, person]
    found = {way: asked(function, repo, who) for way, function in ASKING.items()}
    assert found == dict.fromkeys(ASKING, expected), repo.daemon.log[-4000:]

    code, said = command(repo, who)
    assert code == EXIT_CODES[expected], said
    target = who.home / f"local-{state}"
    code, said = command(repo, who, "--local-dir", target)
    assert code == EXIT_CODES[expected], said
    if expected == "reads":
        assert (target / LARGE).read_bytes() == repo.contents[LARGE]
        assert (target / LARGE).stat().st_uid == who.user.uid
    else:
        assert not (target / LARGE).exists()

    # A path is open for as long as the grant lives, so it is used just before.
    asked(list_files, repo, who)
    opened = {way: who.user.do(read_path, path) for way, path in repo.paths.items()}
    assert opened == dict.fromkeys(repo.paths, by_path), who.user
    assert offline_client.read(repo, who) == by_path
    assert who.user.do(list_folder, repo.folder) == by_path


@pytest.mark.parametrize("person", PEOPLE)
def test_nobody_sees_what_is_cached(box: Box, person: str) -> None:
    """Which repos there are is not told by the cache folder, nor by the locks and what is on its way."""
    user = box.people[person].user
    for daemon in box.daemons.values():
        for folder in (daemon.cache, daemon.cache / ".locks", daemon.cache / ".locks" / ".wharf", daemon.state):
            assert user.do(list_folder, folder) == "closed", folder


def test_bytes_come_once_however_many_prove_their_own_right(box: Box) -> None:
    """All with access have read; the copy of the private repo's bytes was not fetched either."""
    for repo in box.repos.values():
        if repo.state not in ("missing", "copy_of_private"):
            check_sent_once(box.hub, repo.etag, SIZE)
    private, copy = box.repos["private"], box.repos["copy_of_private"]
    assert private.paths["blob"].stat().st_ino == copy.paths["blob"].stat().st_ino


def test_each_proves_with_the_own_token(box: Box) -> None:
    """What an account without access was told, it was told by the Hub."""
    for state in ("gated", "private"):
        shown = {
            record.user
            for record in box.hub.log.find(server="hub", path_matches=f"{box.repos[state].id}/auth-check")
        }
        assert set(WITH_ACCESS) <= shown, state


def differences(box: Box, person: str, ids: list[str]) -> list[tuple[Any, ...]]:
    """For each repo what the person is told by all ways, and what the Hub was asked meanwhile."""
    who, heard = box.people[person], []
    for id in ids:
        repo = Repo("", id, box.daemons["here"], "", "", {})
        since = box.hub.log.last_number()
        words = []
        for way in ASKING.values():
            with pytest.raises(CallFailed) as refusal:
                way(repo, who)
            words.append((refusal.value.name, refusal.value.message, refusal.value.hint))
        box.hub.log.settle()
        questions = [
            (record.method, record.path.replace(id, "REPO"), record.status, record.user)
            for record in box.hub.log.find(since=since)
            if id in record.path and record.user in (None, person)  # others' grants are renewed, too
        ]
        heard.append((json.dumps(words).replace(id, "REPO"), questions))
    return heard


@pytest.mark.parametrize("person", ["outsider", "nobody", "admin"])
def test_a_private_repo_is_like_one_that_does_not_exist(box: Box, person: str) -> None:
    """In words and in the questions that the Hub is asked, whether or not others keep it cached."""
    private, missing, deleted = differences(
        box, person, [box.repos[state].id for state in ("private", "missing", "deleted")]
    )
    assert private == missing
    assert deleted == missing
    assert private[1], "the Hub was asked"


def test_access_ends_within_the_documented_time(box: Box) -> None:
    """By path and by socket; a public copy of the same bytes stays."""
    hub, granted, other = box.hub, box.people["granted"], box.people["own_grant"]
    content = {LARGE: b"ends".ljust(SIZE, b"."), SMALL: b"{}"}
    repos = {}
    for name, access in (("ends", {"private": True, "members": [granted.name, other.name]}), ("stays", {})):
        commit = hub.admin.create_repo(f"matrix/{name}", files=dict(content), **access)
        etag = str(hub.admin.files(f"matrix/{name}")[LARGE]["etag"])
        repos[name] = Repo(name, f"matrix/{name}", box.daemons["here"], commit, etag, content)
        for person in (granted, other):
            assert asked(download, repos[name], person) == "reads"
    ends, stays = repos["ends"], repos["stays"]
    assert granted.user.do(read_path, ends.paths["blob"]) == "reads"
    assert ends.paths["blob"].stat().st_ino == stays.paths["blob"].stat().st_ino
    hub.admin.set_access(ends.id, members=[other.name])
    changed = time.monotonic()
    while granted.user.do(read_path, ends.paths["blob"]) == "reads":
        assert time.monotonic() - changed < TTL + SLACK, "access by path outlives grant_ttl"
        time.sleep(0.05)
    while asked(open_file, ends, granted) == "reads":
        assert time.monotonic() - changed < TTL + SLACK, "access by descriptor outlives grant_ttl"
    assert asked(open_file, ends, granted) == "RepoNotFound"
    for way in stays.paths.values():
        assert granted.user.do(read_path, way) == "reads"
    assert asked(open_file, ends, other) == "reads"
    assert other.user.do(read_path, ends.paths["snapshot"]) == "reads"
