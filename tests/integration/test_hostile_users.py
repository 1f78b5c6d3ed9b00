"""Users who want to harm the daemon, or other users through it: each has a uid of its own.

Whatever one of them does, another gets his answers in bounded time, the daemon's memory and
descriptors stay bounded, and nothing of one user is told to another.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support import attacks
from tests.support.attacks import acting, message
from tests.support.daemon import BUILD, Daemon
from tests.support.trials import MIB, QUICK, content, make_repo, watched
from tests.support.users import (
    DAEMON_UID,
    OPEN_TO_ALL,
    User,
    folder_of,
    needs_root,
    new_group,
    new_user,
)
from tests.support.varlink_client import CallFailed, VarlinkClient

pytestmark = needs_root

# How long somebody may wait for an answer that needs nobody but the daemon while another attacks
# it. It takes a millisecond or two on an idle machine; tests may run on a busy one.
PATIENCE = 2.0

# Of one account, as daemon/service/server_options.hpp has it, and a moment's worth beside them.
MOST_DESCRIPTORS_ON_THEIR_WAY = 1024 + 100


def box_at(place: Path, hub: TestHub, **settings: dict[str, Any]) -> Daemon:
    """A daemon that is nobody special, for everybody."""
    tables = {**QUICK, **OPEN_TO_ALL, **settings}
    return Daemon(hub.endpoint, place, user=DAEMON_UID, **tables)


@pytest.fixture
def box(place: Path, hub: TestHub) -> Iterator[Daemon]:
    with watched(box_at(place, hub)) as daemon:
        yield daemon


@pytest.fixture
def mallory() -> User:
    return new_user()


@pytest.fixture
def ann() -> User:
    return new_user()


def slowest_answer(box: Daemon, user: User, calls: int = 30) -> float:
    """Of calls on one connection and on new ones."""
    slowest = 0.0
    with user.client(box.socket) as client:
        for _ in range(calls):
            begin = time.monotonic()
            client.call("Status")
            slowest = max(slowest, time.monotonic() - begin)
            time.sleep(0.01)
    begin = time.monotonic()
    with user.client(box.socket) as client:
        client.call("Jobs.List")
    return max(slowest, time.monotonic() - begin)


def settled(box: Daemon, most: int, patience: float = 20) -> None:
    """The daemon has given back what an attack took."""
    deadline = time.monotonic() + patience
    while (count := len(box.open_descriptors())) > most:
        assert time.monotonic() < deadline, f"{count} descriptors are still open"
        time.sleep(0.05)


MALFORMED = {
    "only NULs": b"\0" * 200_000,
    "half a message and then nothing": b'{"method":"org.wharf.Status"',
    "no JSON": b"GET / HTTP/1.1\r\n\r\n\0",
    "no object": b"[]\0",
    "deep lists": b"[" * 1_000_000 + b"\0",
    "deep objects": b'{"a":' * 300_000 + b"1" + b"}" * 300_000 + b"\0",
    "deep parameters": b'{"method":"org.wharf.Status","parameters":{"a":' + b"[" * 40 + b"]" * 40 + b"}}\0",
    "too long, without an end": b"x" * (5 * MIB),
    "too long, with an end": b'{"method":"' + b"x" * (5 * MIB) + b'"}\0',
    "a million elements": b'{"method":"org.wharf.Downloads.Download","parameters":{"repo":"a/b","files":['
    + b'"",' * 1_000_000
    + b'""]}}\0',
    "not UTF-8": b'{"method":"org.wharf.\xff\xfe"}\0',
    "half a surrogate": b'{"method":"org.wharf.\\ud800"}\0',
    "a member twice": b'{"method":"org.wharf.Status","method":"org.wharf.Jobs.List"}\0',
    "numbers for texts": b'{"method":17,"parameters":{}}\0',
    "a text for parameters": b'{"method":"org.wharf.Status","parameters":"all"}\0',
    "a number beyond all numbers": b'{"method":"org.wharf.Jobs.Show","parameters":{"id":1e999}}\0',
    "no method of ours": b'{"method":"org.wharf.Shutdown"}\0',
    "no interface": b'{"method":""}\0',
    "an upgrade": b'{"method":"org.wharf.Status","upgrade":true}\0',
    "unknown parameters": message("Status", sudo=True),
    "a negative job": message("Jobs.Show", id=-1),
}


def test_malformed_messages_harm_only_who_sends_them(box: Daemon, mallory: User, ann: User) -> None:
    def send(text: bytes) -> bytes:
        with attacks.connect(str(box.socket)) as connection:
            try:
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            return attacks.read_to_end(connection)

    with ann.client(box.socket) as client:
        for name, text in MALFORMED.items():
            said = mallory.do(send, text)
            for reply in said.split(b"\0")[:-1]:
                assert "error" in json.loads(reply), f"{name}: {said[:200]!r}"
            assert client.call("Status")["version"], name
    assert box.process and box.process.poll() is None


def test_messages_in_pieces_from_many_sides(box: Daemon, mallory: User, ann: User) -> None:
    def interleave() -> list[int]:
        sockets = [attacks.connect(str(box.socket)) for _ in range(100)]
        call = message("Jobs.Show", id=4711)
        for begin in range(0, len(call), 7):
            for connection in sockets:
                connection.send(call[begin : begin + 7])
        answers = []
        for connection in sockets:
            answers.append(json.loads(connection.recv(4096).rstrip(b"\0"))["error"])
        return [answers.count("org.wharf.JobNotFound"), len(answers)]

    assert mallory.do(interleave) == [100, 100]
    assert slowest_answer(box, ann, 3) < PATIENCE


def test_five_thousand_connections_of_one_user(box: Daemon, mallory: User, ann: User) -> None:
    before = len(box.open_descriptors())
    memory = box.memory()
    with acting(mallory, attacks.open_many, str(box.socket), 5000) as result:
        assert result["held"] == 1024  # a quarter of what there is
        (told,) = result["told"]
        assert "1024 connections" in told
        assert slowest_answer(box, ann) < PATIENCE
        assert len(box.open_descriptors()) < before + 1024 + 50
        assert box.memory() < memory + 32 * MIB
        assert mallory.do(refused, box.socket).startswith("this account has 1024 connections")
    settled(box, before + 10)


def refused(path: Path) -> str:
    """What somebody is told who connects and says nothing."""
    with attacks.connect(str(path)) as connection:
        return str(json.loads(attacks.read_to_end(connection).rstrip(b"\0"))["parameters"]["message"])


@pytest.mark.parametrize(
    "call",
    [
        b"\0",
        message("Status"),
        message("Jobs.List", all=True),
        b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.wharf"}}\0',
        message("Downloads.Download", repo="a/" + "b" * 30_000, files=["x"] * 1000),
    ],
    ids=["nothing", "status", "jobs", "description", "long"],
)
@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_calls_without_pause(
    box: Daemon, mallory: User, ann: User, call: bytes, reads: bool
) -> None:
    memory = box.memory()
    before = len(box.open_descriptors())
    with acting(mallory, attacks.call_without_pause, str(box.socket), 300, call, reads):
        assert slowest_answer(box, ann) < PATIENCE
        assert box.memory() < memory + 64 * MIB
    settled(box, before + 10)


def test_coming_and_going_without_pause(box: Daemon, mallory: User, ann: User) -> None:
    before = len(box.open_descriptors())
    memory = box.memory()
    with acting(mallory, attacks.come_and_go, str(box.socket)):
        with acting(mallory, attacks.come_and_go, str(box.socket)):
            assert slowest_answer(box, ann, 100) < PATIENCE
            assert box.memory() < memory + 32 * MIB
    settled(box, before + 10)


def test_floods_of_descriptors(box: Daemon, mallory: User, ann: User) -> None:
    before = len(box.open_descriptors())
    with acting(mallory, attacks.send_descriptors, str(box.socket), 40, 40) as sent:
        assert sent >= 40
        # At any moment no more than an account may have on its way, and soon none of them: those
        # that still send halves are ended, and what they sent is closed.
        assert len(box.open_descriptors()) < before + MOST_DESCRIPTORS_ON_THEIR_WAY
        assert slowest_answer(box, ann) < PATIENCE
        settled(box, before + 100)
    settled(box, before + 10)


def test_calls_that_wait_have_a_limit_for_each_user(
    box: Daemon, hub: TestHub, mallory: User, ann: User
) -> None:
    make_repo(hub, "hostile/waited-for", {"w.bin": content("waited", MIB)})
    hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
    call = message("Downloads.Download", repo="hostile/waited-for")
    with acting(mallory, attacks.wait_for_files, str(box.socket), 600, call) as told:
        assert list(told) == [
            "org.wharf.Forbidden: this account has 512 calls waiting, the most it may have"
        ]
        assert sum(told.values()) == 600 - 512
        with mallory.client(box.socket) as client:  # what waits can be looked at, and ended
            assert [job["watchers"] for job in client.jobs()] == [512]
        assert slowest_answer(box, ann) < PATIENCE


TRICKS = [
    "../../../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "..",
    ".",
    "a//b",
    "a/./b",
    ".git/config",
    "a/.git",
    "a\\..\\..\\b",
    "a\x00b",
    "a\nb",
    "x" * 300,
    "/".join(["y" * 200] * 30),
    "\ud800",
    "~root/x",
    "$HOME/x",
    "%2e%2e/%2e%2e",
    "a?b#c",
    " ",
    "",
]


REFUSALS = {"InvalidRequest", "InvalidParameter", "RepoNotFound", "RevisionNotFound", "FileNotFound"}


def test_tricks_with_names_lead_nowhere(
    box: Daemon, hub: TestHub, mallory: User, place: Path
) -> None:
    make_repo(hub, "hostile/names", {"a.txt": b"a"})
    box.download("hostile/names", "--quiet")
    before = set(place.rglob("*"))
    client = mallory.client(box.socket)
    for trick in TRICKS:
        for parameters in (
            {"repo": trick},
            {"repo": f"a/{trick}"},
            {"repo": f"{trick}/a"},
            {"repo": "hostile/names", "revision": "refs/pr/" + trick},
            *([{"repo": "hostile/names", "revision": trick}] if trick else []),
            {"repo": "hostile/names", "files": [trick]},
        ):
            try:
                client.call("Downloads.Download", **parameters)
                raise AssertionError(f"{parameters} was done")
            except CallFailed as failed:
                assert failed.name in REFUSALS, (parameters, failed)
            except ConnectionError:  # half a surrogate is no text at all
                assert "\ud800" in trick
                client = mallory.client(box.socket)
    client.close()
    assert set(place.rglob("*")) - before <= {box.cache / ".locks"}


def test_others_jobs_do_not_exist(box: Daemon, hub: TestHub, mallory: User, ann: User) -> None:
    secret = content("shared blob", 3 * MIB)
    make_repo(hub, "hostile/of-ann", {"secret-name.bin": secret})
    make_repo(hub, "hostile/of-mallory", {"w.bin": secret})
    rule = hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
    with ann.client(box.socket) as client, mallory.client(box.socket) as other:
        number = client.call("Downloads.Download", repo="hostile/of-ann", detach=True)["job"]
        hub.faults.wait(rule, 1)
        assert [job["id"] for job in client.jobs()] == [number]
        assert other.jobs() == []
        for method in ("Show", "Cancel", "Pause", "Resume", "Retry"):
            assert refusal(other, f"Jobs.{method}", id=number) == "JobNotFound"
        assert refusal(other, "Jobs.Prioritize", id=number, priority="background") == "JobNotFound"
        assert refusal(other, "Jobs.List", all_users=True) == "Forbidden"
        other.send("Jobs.Watch", more=True, id=number)
        with pytest.raises(CallFailed, match="JobNotFound"):
            other.receive()
        # As if it did not exist:
        with pytest.raises(CallFailed) as theirs:
            other.call("Jobs.Show", id=number)
        with pytest.raises(CallFailed) as nobodys:
            other.call("Jobs.Show", id=987654)
        assert str(theirs.value).replace(str(number), "N") == str(nobodys.value).replace("987654", "N")

        assert client.call("Jobs.Show", id=number)["job"]["state"] == "running"
        (mine,) = client.call("Status")["transfers"]
        assert (mine["repo"], mine["path"]) == ("hostile/of-ann", "secret-name.bin")
        status = other.call("Status")
        assert (status["transfers"], status["transfers_active"], status["jobs_active"]) == ([], 1, 1)

        # Who joins the same transfer knows it by his own repo.
        other.call("Downloads.Download", repo="hostile/of-mallory", detach=True)
        status = other.call("Status")
        assert "of-ann" not in json.dumps(status) and "secret-name" not in json.dumps(status)
        assert [(t["repo"], t["path"], t["jobs"]) for t in status["transfers"]] == [
            ("hostile/of-mallory", "w.bin", 1)
        ]
        with VarlinkClient(box.socket) as root:  # an administrator
            (seen,) = root.call("Status")["transfers"]
            assert (seen["repo"], seen["jobs"]) == ("hostile/of-ann", 2)
            assert root.jobs() == []  # his own
            everybody = root.call("Jobs.List", all_users=True)["jobs"]
            assert [job["uid"] for job in everybody] == [mallory.uid, ann.uid]
            assert root.call("Jobs.Cancel", id=number)["job"]["state"] == "cancelled"
        listed = box.wharf("jobs", "ls", "--all-users")
        assert f"{mallory.uid}" in listed.stdout and "USER" in listed.stdout
        assert box.wharf("jobs", "ls", "--quiet").stdout == ""


def refusal(client: VarlinkClient, method: str, **parameters: Any) -> str:
    with pytest.raises(CallFailed) as failed:
        client.call(method, **parameters)
    return failed.value.name


def test_rights_come_and_go_with_a_reload(place: Path, hub: TestHub, mallory: User) -> None:
    group = new_group()
    member = new_user(groups=[group])
    settings = {"allow_users": [], "allow_groups": [group, "no-such-group-at-all"], "admin_users": ["root"]}
    with watched(box_at(place, hub, access=settings)) as box:
        box.wait_for_log("allow_groups names the group no-such-group-at-all")
        with mallory.client(box.socket) as client, pytest.raises(CallFailed) as failed:
            client.call("Status")
        assert failed.value.name == "Forbidden" and f"group {group}" in failed.value.hint
        done = mallory.run(
            BUILD / "wharf", "status", environment={"WHARF_SOCKET": str(box.socket), "HOME": "/"}
        )
        assert done.returncode == 4 and f"group {group}" in done.stderr
        with member.client(box.socket) as client:
            assert client.call("Status")["clients"] >= 1
            assert refusal(client, "Jobs.List", all_users=True) == "Forbidden"
            settings["admin_groups"] = [group]
            reload(box, access=settings)
            assert client.call("Jobs.List", all_users=True)["jobs"] == []
            settings["admin_groups"] = settings["allow_groups"] = []
            reload(box, access=settings)
            assert refusal(client, "Status") == "Forbidden"  # on a connection that was open before


def reload(box: Daemon, **settings: dict[str, Any]) -> None:
    before = box.log.count("configuration reloaded")
    box.settings.update(settings)
    box.write_config()
    os.kill(box.pid, signal.SIGHUP)
    deadline = time.monotonic() + 10
    while box.log.count("configuration reloaded") == before:
        assert time.monotonic() < deadline, box.log
        time.sleep(0.01)


def test_a_token_is_not_sent_to_somebody_elses_socket(
    box: Daemon, hub: TestHub, mallory: User, ann: User, place: Path
) -> None:
    make_repo(hub, "hostile/token", {"a.txt": b"a"})
    heard: list[bytes] = []
    folder = folder_of(mallory, place, "trap")
    folder.chmod(0o755)
    path = folder / "wharfd.sock"
    with listening(mallory, path) as trap:

        def listen() -> None:
            while True:
                try:
                    connection, _ = trap.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    heard.append(attacks.read_to_end(connection))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        home = folder_of(ann, place)
        secret = "hf_" + "alice"
        environment = {"HOME": str(home), "HF_TOKEN": secret, "WHARF_SOCKET": str(path)}
        done = ann.run(BUILD / "wharf", "download", "hostile/token", environment=environment)
        assert done.returncode == 4, done
        assert str(mallory.uid) in done.stderr and secret not in done.stderr + done.stdout
        done = ann.run(BUILD / "wharf", "jobs", "retry", "1", environment=environment)
        assert done.returncode == 4, done
        # The right daemon has another account, too, and is named by who trusts it.
        environment["WHARF_SOCKET"] = str(box.socket)
        assert ann.run(BUILD / "wharf", "download", "hostile/token", environment=environment).returncode == 4
        environment["WHARF_DAEMON_USER"] = str(DAEMON_UID)
        done = ann.run(BUILD / "wharf", "download", "hostile/token", environment=environment)
        assert done.returncode == 0, done.stderr
        trap.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert heard and not any(secret.encode() in said for said in heard)


def listening(user: User, path: Path) -> socket.socket:
    """A socket at which that user listens, by the kernel's word."""
    ours, theirs = socket.socketpair()

    def listen() -> None:
        with socket.socket(socket.AF_UNIX) as trap:
            trap.bind(str(path))
            path.chmod(0o777)
            trap.listen()
            socket.send_fds(theirs, [b"s"], [trap.fileno()])

    with ours, theirs:
        user.do(listen)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=descriptors[0])


def test_the_daemon_heeds_no_environment_but_its_own_configuration(place: Path, hub: TestHub) -> None:
    environment = {
        "HF_HOME": "/tmp/elsewhere",
        "HF_HUB_CACHE": "/tmp/elsewhere/hub",
        "HF_ENDPOINT": "http://127.0.0.1:1",
        "HF_TOKEN": "hf_" + "bob",
        "HOME": "/tmp/elsewhere",
        "WHARF_SOCKET": "/tmp/elsewhere/sock",
        "XDG_RUNTIME_DIR": "/tmp/elsewhere",
    }
    daemon = box_at(place, hub)
    daemon.environment.update(environment)
    make_repo(hub, "hostile/environment", {"a.txt": b"a"})
    with watched(daemon), VarlinkClient(daemon.socket) as client:
        status = client.call("Status")
        assert (status["endpoint"].rstrip("/"), status["cache_dir"]) == (
            hub.endpoint.rstrip("/"),
            str(daemon.cache),
        )
        client.call("Downloads.Download", repo="hostile/environment")
        assert hub.log.count(user="bob") == 0
    assert not Path("/tmp/elsewhere").exists()
