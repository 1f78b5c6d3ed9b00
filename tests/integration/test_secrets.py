"""No secret appears anywhere. A daemon that logs everything works with secrets of every kind; then
each place that anybody could look at is searched for each of them."""

from __future__ import annotations

import base64
import ctypes
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon
from tests.support.job_calls import wait_for_state
from tests.support.secret_search import (
    DETACHED,
    FORGOTTEN,
    GIVEN,
    HELD,
    ODD,
    PASSWORD,
    REFUSED,
    STORED,
    Use,
    needles,
    occurrences,
    files_of,
    places_of,
    read_process,
    trail_in,
)
from tests.support.trials import MIB, QUICK, watched
from tests.support.users import (
    DAEMON,
    DAEMON_UID,
    OPEN_TO_ALL,
    User,
    folder_of,
    needs_root,
    new_user,
)
from tests.support.varlink_client import CallFailed, VarlinkClient

pytestmark = needs_root

class Proxy:
    """A proxy of plain HTTP that wants a user and a password and hands on to the Hub."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.authorized = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(1 << 16)
                if not part:
                    return
                head += part
            if f"Basic {base64.b64encode(f'user:{PASSWORD}'.encode()).decode()}".encode() not in head:
                connection.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            self.authorized += 1
            method, url, rest = head.split(b" ", 2)
            path = b"/" + url.split(b"/", 3)[3]
            rest = re.sub(rb"\r\n(Proxy-Authorization|Connection):[^\r]*", b"", rest)
            rest = rest.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
            with socket.create_connection(self._target) as hub:
                hub.sendall(b" ".join([method, path, rest]))
                while part := hub.recv(1 << 16):
                    connection.sendall(part)


@pytest.fixture
def box(place: Path, hub: TestHub) -> Iterator[Daemon]:
    settings = {**QUICK, **OPEN_TO_ALL, **trail_in(place)}
    with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **settings)) as daemon:
        yield daemon


@pytest.fixture(scope="module", autouse=True)
def secretary(session_hub: TestHub) -> None:
    """Somebody at the Hub with a token for every purpose."""
    admin = session_hub.admin
    admin.add_user("secretary", token=STORED)
    for token in (GIVEN, DETACHED, HELD, FORGOTTEN):
        admin.add_token("secretary", token)
    for name in ("given", "stored", "detached", "held"):
        content = {"random": 3 * MIB, "seed": name}
        admin.create_repo(f"secretary/{name}", files={"w.safetensors": content}, private=True)


def test_no_secret_is_anywhere(box: Daemon, hub: TestHub, place: Path) -> None:
    user = new_user()
    use = Use(box, hub, folder_of(user, place.parent), user)

    # Given in calls, with and without success.
    assert use.call("Downloads.Download", repo="secretary/given", token=GIVEN) == ""
    assert use.call("Downloads.Download", repo="secretary/given", token=REFUSED) == "Unauthorized"
    assert use.call("Downloads.Download", repo="secretary/none", token=GIVEN) == "RepoNotFound"
    assert use.call("Downloads.Download", repo="secretary/given", token=ODD) == "Unauthorized"
    assert use.call("Downloads.Download", repo="secretary/given", token=GIVEN, files=[7]) != ""
    assert use.call("Downloads.Download", token=GIVEN) != ""
    assert use.call("Downloads.Nothing", token=GIVEN) != ""
    assert use.wharf("download", "secretary/given", HF_TOKEN=GIVEN) == 0
    assert use.wharf("download", "secretary/given", HF_TOKEN=REFUSED) == 4
    assert use.wharf("download", "secretary/given", "--token", GIVEN, "--json") == 0
    (use.home / "token").write_text(GIVEN)
    os.chown(use.home / "token", user.uid, user.gid)
    assert use.wharf("download", "secretary/given", HF_TOKEN_PATH=str(use.home / "token")) == 0
    (use.home / "token").unlink()

    # Stored, refused, forgotten.
    assert use.wharf("auth", "login", text=REFUSED) == 4
    assert use.wharf("auth", "login", text=FORGOTTEN) == 0
    assert use.wharf("auth", "logout") == 0
    assert use.wharf("auth", "login", text=STORED) == 0
    assert use.wharf("download", "secretary/stored") == 0
    assert use.wharf("auth", "whoami", "--json") == 0
    assert use.wharf("auth", "whoami", "--token", REFUSED) == 4
    assert use.wharf("auth", "list") == 0

    # Of jobs that are over, and of one that is not.
    number = use.detach("secretary/detached", DETACHED)
    wait_for_state(box, number, "done")
    rule = hub.faults.add("stall", after=0, match={"server": "cdn"}, times=None)
    held = use.detach("secretary/held", HELD)
    wait_for_state(box, held, "running", "waiting")

    # Signed addresses that fail: their query is a secret, too.
    for arguments in (["status", "--json"], ["jobs", "ls", "--all", "--json"], ["env"], ["jobs", "show", str(held)]):
        assert use.wharf(*arguments) == 0
    signatures = {
        value.encode()
        for record in hub.log.find(server="cdn")
        for value in re.findall(r"(?i)(?:signature|sig|policy)=([^&]{8,})", record.query)
    }
    assert signatures, "the CDN was asked with signed addresses"

    secrets = needles() + sorted(signatures)
    places = places_of(box, place, use.said)
    assert b"debug" in places["the log"]
    trail = (place / "audit.log").read_text()
    for action in ("grant", "refuse", "download", "login", "logout"):
        assert f'"action":"{action}"' in trail, f"nothing to search for {action}"
    assert occurrences(places, secrets) == []
    # The test finds what it looks for.
    assert occurrences({"a test": f"x{STORED}y".encode()}, secrets) == ["StoredToken in a test"]

    # After a restart, with the job taken up, and after the crash of it.
    box.kill()
    box.start()
    hub.faults.release(rule)
    hub.faults.remove(rule)
    wait_for_state(box, held, "done")
    assert use.wharf("download", "secretary/stored") == 0
    box.stop()
    places = {"the log": box.log.encode(), **files_of(place)}
    assert occurrences(places, secrets) == []


def test_a_proxys_password_is_nowhere(place: Path, hub: TestHub) -> None:
    hub.admin.create_repo("org/secrets-proxied", files={"a.txt": "a"})
    proxy = Proxy(hub.endpoint)
    address = f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"
    try:
        # In the environment: a configuration file with it would be read by this very test.
        environment = {"HTTP_PROXY": address, "http_proxy": address, "HTTPS_PROXY": address}
        settings = {**QUICK, **OPEN_TO_ALL, **trail_in(place)}
        with watched(Daemon(hub.endpoint, place, environment, DAEMON_UID, **settings)) as box:
            user = new_user()
            use = Use(box, hub, folder_of(user, place.parent), user)
            assert use.wharf("download", "org/secrets-proxied") == 0, box.log[-2000:]
            assert proxy.authorized > 0
            proxy.close()
            assert use.wharf("status", "--json") == 0
            use.call("Downloads.Download", repo="org/secrets-proxied", force=True)
            places = places_of(box, place, use.said)
            del places["/proc/PID/environ"]  # root's: it is there that it was given
            assert occurrences(places, needles()) == []
    finally:
        proxy.close()


# --- The process itself ---


def test_nobody_reads_or_traces_the_process_not_even_its_own_account(box: Daemon) -> None:
    pid = box.pid
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{DAEMON_UID}" in status
    # Root owns what /proc shows of a process that may not be dumped.
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    for somebody in (DAEMON, new_user()):
        for name in ("mem", "environ", "maps", "auxv"):
            with pytest.raises(PermissionError):
                somebody.do(_open_of, pid, name)
        assert somebody.do(_trace, pid) == "refused"
    assert limit_of(pid, "Max core file size") == ("0", "0")


def limit_of(pid: int, name: str) -> tuple[str, str]:
    """The soft and the hard limit."""
    (line,) = re.findall(rf"(?m)^{name} +(\S+) +(\S+)", Path(f"/proc/{pid}/limits").read_text())
    return line


def _open_of(pid: int, name: str) -> int:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return len(file.read(16))


def _trace(pid: int) -> str:
    """PTRACE_ATTACH, and a read of the memory as a debugger would do it."""
    libc = ctypes.CDLL(None, use_errno=True)
    attached = libc.ptrace(16, pid, 0, 0) == 0

    class Piece(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    buffer = ctypes.create_string_buffer(16)
    here = Piece(ctypes.cast(buffer, ctypes.c_void_p), 16)
    there = Piece(ctypes.c_void_p(0x400000), 16)
    libc.process_vm_readv.restype = ctypes.c_ssize_t
    ctypes.set_errno(0)
    count = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    refused = count < 0 and ctypes.get_errno() == 1  # EPERM, not a fault at that address
    return "refused" if not attached and refused else "possible"


def test_the_memory_of_secrets_is_locked_and_left_out_of_dumps(box: Daemon) -> None:
    with VarlinkClient(box.socket) as client:
        client.call("Auth.WhoAmI", token=STORED)
    regions = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{box.pid}/smaps").read_text())
    guarded = [region for region in regions if re.search(r"VmFlags:.*\bdd\b", region)]
    locked = [region for region in guarded if re.search(r"VmFlags:.*\blo\b", region)]
    assert guarded, "pages that are left out of dumps"
    soft, _ = limit_of(box.pid, "Max locked memory")
    if soft == "unlimited" or int(soft) >= 1 << 20:
        assert locked, "pages that are never written to swap"


def test_a_limit_on_locked_memory_is_told_and_no_obstacle(place: Path, hub: TestHub) -> None:
    limited = ("prlimit", "--memlock=0:0")
    with Daemon(hub.endpoint, place, user=DAEMON_UID, prefix=limited, **OPEN_TO_ALL) as box:
        assert "tokens may be written to swap" in box.log
        with VarlinkClient(box.socket) as client:
            assert client.call("Auth.WhoAmI", token=STORED)["user"] == "secretary"


def test_the_daemons_memory_forgets_a_token(box: Daemon, hub: TestHub) -> None:
    """Root searches all of the memory: when the calls are over no copy of their token is left."""
    token = "hf_a_PassingToken" + "q7" * 8
    hub.admin.add_token("secretary", token)
    with VarlinkClient(box.socket) as client:
        for _ in range(20):
            client.call("Auth.WhoAmI", token=token)
    assert copies_in_memory(box.pid, token.encode()) == 0


def copies_in_memory(pid: int, needle: bytes) -> int:
    count = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if "w" not in rights:
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(begin)
                count += memory.read(end - begin).count(needle)
            except (OSError, OverflowError, ValueError):
                continue
    return count


def test_the_command_hides_the_token_of_its_arguments(box: Daemon, hub: TestHub, place: Path) -> None:
    rule = hub.faults.add("delay", seconds=30, match={"path": "whoami"}, times=None)
    user = new_user()
    home = folder_of(user, place.parent)
    environment = {
        "HOME": str(home),
        "WHARF_SOCKET": str(box.socket),
        "WHARF_DAEMON_USER": str(DAEMON_UID),
    }
    with user.start(
        BUILD / "wharf", "auth", "login", "--token", STORED, environment=environment
    ) as process:
        hub.faults.wait(rule, 1)
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
        process.communicate()
    hub.faults.release(rule)
    assert b"--token" in arguments and b"StoredToken" not in arguments
