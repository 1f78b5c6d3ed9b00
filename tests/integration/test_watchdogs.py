"""What hangs, dribbles or dies without a word ends in a retry or a clear error, in time.

The rows of docs/timeouts.md that loopback can show with the real daemon; the others are unit tests
of daemon/net and daemon/async.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import QUICK, content, make_repo, quick, watched

CONNECT = {"connect_timeout": "1s", "first_byte_timeout": "1s"}


@pytest.fixture(scope="session")
def odd_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library to preload: see tests/support/odd_system.c."""
    compiler = shutil.which("clang-19") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = Path(__file__).parents[1] / "support" / "odd_system.c"
    library = tmp_path_factory.mktemp("odd") / "odd_system.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


class Listener:
    """Takes connections, says `answer` to the first bytes that come on each, and then nothing."""

    def __init__(self, answer: bytes = b"") -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self._open: list[socket.socket] = []
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                self._open.append(peer)
                if self._answer and peer.recv(65536):
                    peer.sendall(self._answer)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for peer in self._open:
            peer.close()
        self._thread.join(5)


@contextlib.contextmanager
def full_queue() -> Iterator[int]:
    """A port that neither takes connections nor refuses them."""
    fillers = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        try:
            for _ in range(64):
                filler = socket.socket()
                filler.settimeout(0.05)
                fillers.append(filler)
                filler.connect(listener.getsockname())
        except TimeoutError:
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


def says_why(daemon: Daemon, text: str, timeout: float = 8) -> None:
    """The daemon says so while a download waits; it ends promptly all the same."""
    client = daemon.start_wharf("download", "some/repo")
    try:
        daemon.wait_for_log(text, timeout)
    finally:
        client.kill()
        client.communicate()
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < 5, "the stop waited for what hangs"


def test_an_address_that_does_not_answer() -> None:
    with full_queue() as port, Daemon(f"http://127.0.0.1:{port}", hub=CONNECT) as daemon:
        says_why(daemon, f"connecting to 127.0.0.1:{port} timed out after 1 s")


def test_a_server_that_never_answers() -> None:
    with Listener() as mute, Daemon(f"http://127.0.0.1:{mute.port}", hub=CONNECT) as daemon:
        says_why(daemon, f"waiting for an answer from 127.0.0.1:{mute.port} timed out after 1 s")


def test_a_handshake_that_stalls() -> None:
    with Listener() as mute, Daemon(f"https://127.0.0.1:{mute.port}", hub=CONNECT) as daemon:
        says_why(daemon, f"TLS handshake with 127.0.0.1:{mute.port} timed out after 1 s")


def test_a_proxy_that_takes_connections_and_says_nothing() -> None:
    with Listener() as mute:
        settings = {**CONNECT, "proxy": f"http://127.0.0.1:{mute.port}"}
        with Daemon("https://hub.example", hub=settings) as daemon:
            says_why(daemon, f"through proxy 127.0.0.1:{mute.port} timed out after 1 s")


def test_a_proxy_that_cannot_reach_the_hub() -> None:
    with Listener(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as proxy:
        settings = {**CONNECT, "proxy": f"http://127.0.0.1:{proxy.port}"}
        with Daemon("https://hub.example", hub=settings) as daemon:
            says_why(daemon, f"the proxy 127.0.0.1:{proxy.port} refused with status 502")


def test_a_resolver_that_hangs_keeps_neither_others_nor_the_end(odd_system: Path) -> None:
    environment = {"LD_PRELOAD": str(odd_system)}
    with Daemon("http://hanging.example", environment=environment, hub=CONNECT) as daemon:
        says_why(daemon, "looking up hanging.example timed out after 1 s")


def test_a_server_of_a_byte_a_second(hub: TestHub) -> None:
    files = {"w.bin": content("dribble", 300_000)}
    make_repo(hub, "watch/dribble", files)
    rule = hub.faults.add("dribble", rate=20, match={"file": "w.bin", "server": "cdn"})
    with watched(Daemon(hub.endpoint, **QUICK)) as daemon:
        snapshot = daemon.download("watch/dribble", "--quiet")
        assert (snapshot / "w.bin").read_bytes() == files["w.bin"]
        assert hub.faults.hits(rule) == 1
        assert "bytes in 1 s" in daemon.log


def test_a_slow_server_may_take_its_time(hub: TestHub) -> None:
    """As long as it keeps above the least speed: longer than `stall_timeout` in all."""
    files = {"w.bin": content("slow", 20_000)}
    make_repo(hub, "watch/slow", files)
    hub.faults.add("dribble", rate=8_000, match={"file": "w.bin", "server": "cdn"})
    with watched(Daemon(hub.endpoint, **QUICK)) as daemon:
        snapshot = daemon.download("watch/slow", "--quiet")
        assert (snapshot / "w.bin").read_bytes() == files["w.bin"]
        assert hub.log.count(file="w.bin", server="cdn") == 1


@pytest.mark.parametrize("step", [86_400, -86_400])
def test_a_wall_clock_that_jumps_amid_a_download(
    hub: TestHub, odd_system: Path, tmp_path: Path, step: int
) -> None:
    """Waits and deadlines are on the monotonic clock: nothing ends early or hangs."""
    files = {"w.bin": content(f"clock {step}", 400_000)}
    make_repo(hub, f"watch/clock{step}", files)
    hub.faults.add("status", status=503, headers=[["Retry-After", "1"]], match={"file": "w.bin"})
    hub.faults.add("dribble", rate=200_000, match={"file": "w.bin", "server": "cdn"})
    clock = tmp_path / "clock"
    environment = {"LD_PRELOAD": str(odd_system), "ODD_SYSTEM_CLOCK": str(clock)}
    daemon = Daemon(hub.endpoint, tmp_path / "daemon", environment, **quick())
    with watched(daemon):
        begun = time.monotonic()
        client = daemon.start_wharf("download", f"watch/clock{step}", "--quiet")
        hub.log.wait(file="w.bin")
        clock.write_text(f"{step}\n")
        out, error = client.communicate(timeout=30)
        assert client.returncode == 0, error
        assert (Path(out.strip()) / "w.bin").read_bytes() == files["w.bin"]
        assert time.monotonic() - begun < 15
