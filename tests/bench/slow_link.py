"""One file over a long and lossy link: wharf beside a single curl and aria2c -x16.

    python3 tests/bench/slow_link.py [--rounds 3] [--quick] [--delays 100 300] [--loss 1]

Needs root and /dev/net/tun. Server and client have a network namespace each, and slow_link.cpp
carries packets between them: half of the delay each way, loss by chance, a rate, and a queue that
holds as much as is under way. nginx serves the file over TLS, the test Hub the rest, at the same
far end. A client that has not ended in time is stopped and judged by what had come.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.bench.measure import KIB, MIB, Run, parse_size, run_command, run_wharf  # noqa: E402
from tests.hub import TestHub  # noqa: E402
from tests.hub.tls import Authority  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402
from tests.support.nginx import Nginx  # noqa: E402

OURS = "wharf (verified)"
REPO, FILE = "bench/far", "model.bin"
SERVER_ADDRESS, CLIENT_ADDRESS = "10.99.0.1", "10.99.0.2"
DEVICE = "far0"
SMALLEST_QUEUE = 256 * KIB
CLONE_NEWNET = 0x40000000


@dataclass
class Outcome:
    wall: float
    rate: float
    """Bytes per second."""
    complete: bool


@dataclass
class Namespaces:
    """Two network namespaces of our own; this process, and what it starts, is in the server's."""

    server: str = f"wharf-server-{os.getpid()}"
    client: str = f"wharf-client-{os.getpid()}"

    @property
    def in_client(self) -> list[str]:
        """What makes a command run at the near end."""
        return ["ip", "netns", "exec", self.client]

    @contextlib.contextmanager
    def made(self) -> Iterator[Namespaces]:
        with open("/proc/self/ns/net") as home:
            try:
                for name in (self.server, self.client):
                    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
                    measure.need(made.returncode == 0, f"no network namespaces: {made.stderr.strip()}")
                    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
                with open(f"/run/netns/{self.server}") as there:
                    _enter(there.fileno())
                # A connection must not begin with what an earlier client's has learnt of the link.
                Path("/proc/sys/net/ipv4/tcp_no_metrics_save").write_text("1")
                yield self
            finally:
                _enter(home.fileno())
                for name in (self.server, self.client):
                    subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def linked(self, program: Path, delay: int, arguments: argparse.Namespace) -> Iterator[None]:
        loss, mbit = arguments.loss, arguments.mbit
        queue = max(int(mbit * 1e6 / 8 * delay / 1000), SMALLEST_QUEUE)
        forwarder = subprocess.Popen(
            [program, self.server, self.client, str(delay // 2), str(loss), str(mbit),
             str(queue // KIB), "1"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert forwarder.stdout
            measure.need(forwarder.stdout.readline() == b"ready\n", "the link does not work here")
            for name, own, other in (
                (self.server, SERVER_ADDRESS, CLIENT_ADDRESS),
                (self.client, CLIENT_ADDRESS, SERVER_ADDRESS),
            ):
                for words in (
                    f"address add {own} dev {DEVICE}",
                    f"link set {DEVICE} up",
                    f"route add {other} dev {DEVICE} congctl {arguments.congestion}",
                ):
                    subprocess.run(["ip", "-n", name, *words.split()], check=True)
            yield
        finally:
            forwarder.kill()
            forwarder.wait()

    def received(self) -> int:
        """Bytes that have come to the near end since the link was made."""
        shown = subprocess.check_output(
            ["ip", "-n", self.client, "-s", "-j", "link", "show", DEVICE], text=True
        )
        return int(json.loads(shown)[0]["stats64"]["rx"]["bytes"])


def _enter(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@dataclass
class Contest:
    base: Path
    names: Namespaces
    hub: TestHub
    url: str
    size: int
    limit: float
    """Seconds that a client may take."""
    transfer: dict[str, int]
    """The daemon's settings."""

    def clients(self) -> dict[str, Callable[[], Outcome]]:
        return {
            OURS: self._timed(self._wharf),
            "curl": self._timed(self._curl),
            "aria2c -x16": self._timed(self._aria2),
        }

    def _timed(self, client: Callable[[Path], Run]) -> Callable[[], Outcome]:
        def run() -> Outcome:
            work = self.base / "work"
            work.mkdir()
            before = self.names.received()
            try:
                made = client(work)
            finally:
                shutil.rmtree(work)
            complete = made.code == 0
            came = self.size if complete else self.names.received() - before
            return Outcome(made.wall, came / made.wall, complete)

        return run

    def _wharf(self, work: Path) -> Run:
        hub = {"ca_file": str(self.hub.ca_file)}
        daemon = {"log_level": "warning", "shutdown_grace": "0s"}
        with Daemon(
            self.hub.endpoint, work / "wharf", prefix=self.names.in_client,
            hub=hub, daemon=daemon, transfer=self.transfer,
        ) as running:  # fmt: skip
            return run_wharf(running, "download", REPO, FILE, "--quiet", limit=self.limit)

    def _curl(self, work: Path) -> Run:
        return run_command(
            [*self.names.in_client, "curl", "-sS", "--cacert", self.hub.ca_file, "-o", work / FILE,
             self.url],
            limit=self.limit,
        )  # fmt: skip

    def _aria2(self, work: Path) -> Run:
        return run_command(
            [*self.names.in_client, "aria2c", "-q", "-x16", "-s16", "-k1M",
             f"--ca-certificate={self.hub.ca_file}", "-d", work, self.url],
            limit=self.limit,
        )  # fmt: skip


def tell(outcome: Outcome) -> str:
    end = "" if outcome.complete else ", stopped"
    return f"{outcome.wall:.1f} s, {outcome.rate / MIB:.2f} MiB/s{end}"


def report(title: str, runs: dict[str, list[Outcome]]) -> None:
    ours = measure.median(runs[OURS], "rate")
    rows = []
    for name, each in runs.items():
        rate = measure.median(each, "rate")
        complete = sum(outcome.complete for outcome in each)
        rows.append(
            [name, f"{rate / MIB:.2f}", f"{complete} of {len(each)}", measure.ratio(ours, rate)]
        )
    measure.print_table(
        title, ["client", "MiB/s", "ended in time", "wharf is so many times as fast"], rows
    )


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--delays", type=int, nargs="+", default=[100, 300], help="ms, both ways")
    parser.add_argument("--loss", type=float, default=1, help="percent, each way; default: 1")
    parser.add_argument("--mbit", type=float, default=200, help="of the link, per second; default: 200")
    parser.add_argument("--congestion", default="cubic", help="the server's control; default: cubic")
    parser.add_argument("--per-file", type=int, help="wharf's connections for a file; default: its own")
    parser.add_argument("--size", type=parse_size, help="default: 64MiB, with --quick 4MiB")
    parser.add_argument("--limit", type=float, help="seconds; default: 60, with --quick 15")
    arguments = parser.parse_args()
    measure.need(os.geteuid() == 0, "only root may make network namespaces")
    measure.need(Path("/dev/net/tun").exists(), "there is no /dev/net/tun")
    size = arguments.size or (4 * MIB if arguments.quick else 64 * MIB)
    limit = arguments.limit or (15 if arguments.quick else 60)
    program = measure.build("slow_link")
    with measure.folder(arguments) as base, Namespaces().made() as names:
        measure.make_file(base / FILE, size)
        for delay in arguments.delays:
            title = (
                f"{size // MIB} MiB over TLS, {delay} ms of delay, {arguments.loss:g} % loss, "
                f"{arguments.mbit:g} Mbit/s, {arguments.congestion}, medians of {arguments.rounds} rounds"
            )
            print(title, flush=True)
            with names.linked(program, delay, arguments):
                runs = run(base, names, size, limit, arguments)
            report(title, runs)


def run(
    base: Path, names: Namespaces, size: int, limit: float, arguments: argparse.Namespace
) -> dict[str, list[Outcome]]:
    transfer = {"max_connections_per_file": arguments.per_file} if arguments.per_file else {}
    addresses = {"host": SERVER_ADDRESS, "cdn_host": SERVER_ADDRESS}
    with TestHub(tls=True, directory=base / "hub", **addresses) as hub:
        assert hub.ca_file
        authority = Authority(hub.ca_file.parent)
        hub.admin.create_repo(REPO, files={FILE: {"path": str(base / FILE)}}, lfs_threshold=1)
        etag = hub.admin.files(REPO)[FILE]["etag"]
        served = base / "served"
        served.mkdir(exist_ok=True)
        shutil.copyfile(base / FILE, served / etag)
        with Nginx(base / "nginx", served, authority, host=SERVER_ADDRESS) as nginx:
            hub.admin.configure(outside_cdn=nginx.url)
            contest = Contest(base, names, hub, f"{nginx.url}/{etag}", size, limit, transfer)
            return measure.take_turns(contest.clients(), arguments.rounds, tell, warm_up=False)


if __name__ == "__main__":
    main()
