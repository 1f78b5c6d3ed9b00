"""Files by descriptor: `Download` with `descriptors`, and caches where paths let nobody in."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon
from tests.support.scenes import contents
from tests.support.trials import QUICK, content, watched
from tests.support.users import DAEMON_UID, OPEN_TO_ALL, User, folder_of, needs_root, new_user
from tests.support.varlink_client import CallFailed

pytestmark = needs_root

OPEN = {**QUICK, **OPEN_TO_ALL}

MOST = 200
"""Descriptors that come with one answer, as the protocol says."""

LARGE, SMALL, NESTED = "w.bin", "config.json", "nested/notes.txt"


def files_of(repo: str) -> dict[str, bytes]:
    return {LARGE: content(repo, 300_000), SMALL: json.dumps({"of": repo}).encode(), NESTED: b"notes"}


def make(hub: TestHub, repo: str, **access: Any) -> dict[str, bytes]:
    """A repo with three files; their contents."""
    files = files_of(repo)
    hub.admin.create_repo(repo, files=dict(files), **access)
    return files


def ask(box: Daemon, user: User, method: str, **parameters: Any) -> tuple[dict[str, Any], list[int]]:
    """The answer to one call, and the descriptors that came with it. An error brings none."""
    call = {"method": f"org.wharf.Downloads.{method}", "parameters": parameters}
    data, numbers = b"", []
    with user.connect(box.socket) as connection:
        connection.sendall(json.dumps(call).encode() + b"\0")
        while not data.endswith(b"\0"):
            part, more, _, _ = socket.recv_fds(connection, 1 << 16, 253)
            assert part, "the daemon closed the connection"
            data += part
            numbers += more
    reply = json.loads(data.rstrip(b"\0"))
    if "error" in reply:
        assert not numbers
        raise CallFailed(reply["error"], reply.get("parameters") or {})
    return reply["parameters"], numbers


def named(
    box: Daemon, user: User, repo: str, names: list[str], **parameters: Any
) -> tuple[dict[str, Any], list[int]]:
    """The result of a download with descriptors, and these in the order that it says."""
    reply, numbers = ask(box, user, "Download", repo=repo, files=names, descriptors=True, **parameters)
    result = reply["result"]
    assert sorted(result["descriptors"]) == list(range(len(numbers)))
    return result, [numbers[index] for index in result["descriptors"]]


def refusal(box: Daemon, user: User, **parameters: Any) -> str:
    with pytest.raises(CallFailed) as failed:
        ask(box, user, "Download", **parameters)
    return failed.value.name


def take(numbers: list[int], user: User) -> list[bytes]:
    """What is behind the descriptors, which must be good for reading and nothing else. Closes them."""
    taken = []
    for number in numbers:
        try:
            assert fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
            with pytest.raises(OSError):
                os.write(number, b"x")
            with pytest.raises(OSError):
                os.ftruncate(number, 0)
            with pytest.raises(PermissionError):  # nor does it lead to a descriptor for writing
                user.do(_open_anew_for_writing, number)
            taken.append(os.pread(number, 1 << 20, 0))
        finally:
            os.close(number)
    return taken


def _open_anew_for_writing(number: int) -> None:
    os.close(os.open(f"/proc/self/fd/{number}", os.O_WRONLY))


def read(path: str) -> bytes:
    return Path(path).read_bytes()


@pytest.fixture
def box(place: Path, hub: TestHub) -> Iterator[Daemon]:
    with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **OPEN)) as daemon:
        yield daemon


# --- Download with descriptors ---


def test_the_named_files_come_in_their_order_cold_and_warm(box: Daemon, hub: TestHub) -> None:
    files = make(hub, "org/descriptors")
    user = new_user()
    for names in ([NESTED, LARGE, SMALL], [LARGE, SMALL, NESTED], [SMALL]):
        result, numbers = named(box, user, "org/descriptors", names)
        assert take(numbers, user) == [files[name] for name in names]
        assert [Path(path).relative_to(result["snapshot"]).as_posix() for path in result["files"]] == names
        assert result["by_descriptor"] is False
    # By its commit it is answered without a question to the Hub.
    before = hub.log.last_number()
    result, numbers = named(box, user, "org/descriptors", [LARGE, NESTED], revision=result["commit"])
    assert take(numbers, user) == [files[LARGE], files[NESTED]]
    assert contents(hub, since=before) == 0


def test_an_answer_with_progress_brings_them_with_the_result(box: Daemon, hub: TestHub) -> None:
    files = make(hub, "org/descriptors-more")
    user = new_user()
    call = {
        "method": "org.wharf.Downloads.Download", "more": True,
        "parameters": {"repo": "org/descriptors-more", "files": [LARGE, SMALL], "descriptors": True},
    }
    data, numbers = b"", []
    with user.connect(box.socket) as connection:
        connection.sendall(json.dumps(call).encode() + b"\0")
        while b'"result"' not in data or not data.endswith(b"\0"):
            part, more, _, _ = socket.recv_fds(connection, 1 << 16, 253)
            assert part, data
            data += part
            numbers += more
    last = json.loads(data.rstrip(b"\0").split(b"\0")[-1])
    assert last["parameters"]["result"]["descriptors"] == [0, 1]
    assert take(numbers, user) == [files[LARGE], files[SMALL]]


def test_they_are_for_a_number_of_named_files(box: Daemon, hub: TestHub) -> None:
    names = [f"part-{number:03}.txt" for number in range(MOST + 1)]
    hub.admin.create_repo("org/descriptors-many", files={name: f"of {name}" for name in names})
    user = new_user()
    repo = {"repo": "org/descriptors-many", "descriptors": True}
    before = hub.log.last_number()
    assert refusal(box, user, **repo) == "InvalidRequest"
    assert refusal(box, user, **repo, files=[]) == "InvalidRequest"
    assert refusal(box, user, **repo, include=["part-00*"]) == "InvalidRequest"
    assert refusal(box, user, **repo, files=names) == "InvalidRequest"
    assert refusal(box, user, **repo, files=names[:1], detach=True) == "InvalidParameter"
    assert hub.log.count(since=before) == 0, "nothing is asked or fetched for a call that is wrong"
    for _ in ("cold", "warm"):
        _, numbers = named(box, user, "org/descriptors-many", names[:MOST])
        assert len(numbers) == MOST
        taken = []
        for number in numbers:
            with os.fdopen(number, "rb") as file:
                taken.append(file.read())
        assert taken == [f"of {name}".encode() for name in names[:MOST]]


def test_without_asking_there_are_none(box: Daemon, hub: TestHub) -> None:
    make(hub, "org/descriptors-unasked")
    reply, numbers = ask(box, new_user(), "Download", repo="org/descriptors-unasked", files=[SMALL])
    assert not numbers and reply["result"].get("descriptors") is None


def test_what_one_may_not_have_brings_none(box: Daemon, hub: TestHub) -> None:
    files = make(hub, "alice/descriptors-private", private=True)
    ann, ben = new_user(), new_user()
    _, numbers = named(box, ann, "alice/descriptors-private", [LARGE], token="hf_alice")
    assert take(numbers, ann) == [files[LARGE]]
    asked = {"repo": "alice/descriptors-private", "files": [LARGE], "descriptors": True}
    assert refusal(box, ben, **asked) == "RepoNotFound"
    assert refusal(box, ben, **asked, token="hf_bob") == "RepoNotFound"
    asked["files"] = [LARGE, "none.txt"]
    assert refusal(box, ann, **asked, token="hf_alice") == "FileNotFound"


# --- A cache on a file system without ACLs ---


@pytest.fixture
def bare_box(place: Path, hub: TestHub) -> Iterator[Daemon]:
    """Its cache is on a ramfs, which knows no ACLs."""
    cache = place / "cache"
    cache.mkdir()
    done = subprocess.run(
        ["mount", "-t", "ramfs", "-o", "mode=755", "wharf-test", cache], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    with ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "--lazy", cache], check=True)
        os.chown(cache, DAEMON_UID, DAEMON_UID)
        cache.chmod(0o755)
        yield stack.enter_context(watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **OPEN)))


def command(
    box: Daemon, user: User, home: Path, *arguments: str | Path, token: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {
        "HOME": str(home),
        "WHARF_SOCKET": str(box.socket),
        "WHARF_DAEMON_USER": str(DAEMON_UID),
        **({"HF_TOKEN": token} if token else {}),
    }
    return user.run(BUILD / "wharf", "download", *arguments, environment=environment)


def test_without_acls_a_grant_gives_descriptors_and_no_path(
    bare_box: Daemon, hub: TestHub, place: Path
) -> None:
    repo = "alice/descriptors-no-acls"
    files = make(hub, repo, private=True)
    ann, ben = new_user(), new_user()
    home = folder_of(ann, place.parent)

    result, numbers = named(bare_box, ann, repo, [SMALL, LARGE], token="hf_alice")
    assert take(numbers, ann) == [files[SMALL], files[LARGE]]
    assert result["by_descriptor"] is True
    for path in result["files"]:
        with pytest.raises(PermissionError):
            ann.do(read, path)
    assert read(result["files"][1]) == files[LARGE], "it is there, for root"

    reply, numbers = ask(bare_box, ann, "Open", repo=repo, file=LARGE, token="hf_alice")
    assert reply["by_descriptor"] is True and reply["size"] == len(files[LARGE])
    assert take(numbers, ann) == [files[LARGE]]
    reply, _ = ask(bare_box, ann, "Download", repo=repo, token="hf_alice")
    assert reply["result"]["by_descriptor"] is True

    done = command(bare_box, ann, home, repo, token="hf_alice")
    assert done.returncode == 0 and done.stdout == result["snapshot"] + "\n", done.stderr
    assert "you cannot open this path" in done.stderr and "--local-dir" in done.stderr
    target = home / "local"
    done = command(bare_box, ann, home, repo, "--local-dir", target, token="hf_alice")
    assert done.returncode == 0, done.stderr
    assert "you cannot open this path" not in done.stderr
    for name, expected in files.items():
        assert (target / name).read_bytes() == expected
        assert (target / name).stat().st_uid == ann.uid

    # Who has no grant has neither.
    assert refusal(bare_box, ben, repo=repo, files=[LARGE], descriptors=True) == "RepoNotFound"
    with pytest.raises(PermissionError):
        ben.do(read, result["files"][1])


def test_without_acls_a_public_repo_is_read_by_path(bare_box: Daemon, hub: TestHub, place: Path) -> None:
    repo = "org/descriptors-no-acls"
    files = make(hub, repo)
    ann = new_user()
    result, numbers = named(bare_box, ann, repo, [LARGE, NESTED])
    assert take(numbers, ann) == [files[LARGE], files[NESTED]]
    assert result["by_descriptor"] is False
    assert [ann.do(read, path) for path in result["files"]] == [files[LARGE], files[NESTED]]
    reply, numbers = ask(bare_box, ann, "Open", repo=repo, file=SMALL)
    assert reply["by_descriptor"] is False
    assert take(numbers, ann) == [files[SMALL]] == [ann.do(read, reply["path"])]
    done = command(bare_box, ann, folder_of(ann, place.parent), repo)
    assert done.returncode == 0 and "cannot open" not in done.stderr
