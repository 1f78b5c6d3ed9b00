"""Large files over TLS on loopback: wharf beside curl, aria2c and the official client.

    python3 tests/bench/large_files.py [--rounds 3] [--quick] [--cases 1GiB 4GiB 8x512MiB]

nginx plays the CDN, the test Hub the Hub. Every client starts with nothing and writes to the same
disk; they take turns. Wall time is what a person waits for; CPU seconds are the client's own (for
wharf: daemon and command together), memory is its peak. Of the peers only curl with openssl and
aria2c with --checksum verify what they got. Several files go to curl with --parallel. The last rows
are limits of the machine, measured in the same turns. The official client is run as it comes,
and without the package for Xet; this Hub offers plain HTTP only. Afterwards the targets: exit code
1 if one is missed. Needs the disk for one case twice.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.bench.measure import GIB, MIB, Bounds, Run, run_command, run_wharf  # noqa: E402
from tests.bench.peers import NEWEST, run_official  # noqa: E402
from tests.hub import TestHub  # noqa: E402
from tests.hub.tls import Authority  # noqa: E402
from tests.support.client_venvs import WITHOUT_XET, ensure  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402
from tests.support.nginx import Nginx  # noqa: E402

OURS = "wharf (verified)"
CURL_AND_HASH = "curl, then openssl dgst -sha256"
PEERS = ("curl", "aria2c -x8", "aria2c -x16", "aria2c -x16 --checksum")
OFFICIAL = ("hf download", "hf download without hf_xet")
OVERHEAD = 64 * MIB
"""What the daemon may take beside its buffers."""


@dataclass(frozen=True)
class Case:
    count: int
    size: int

    @staticmethod
    def parse(text: str) -> Case:
        found = re.fullmatch(r"(?:(\d+)x)?(\w+)", text)
        if not found:
            raise argparse.ArgumentTypeError(f"not a case: {text}")
        return Case(int(found[1] or 1), measure.parse_size(found[2]))

    def __str__(self) -> str:
        size = f"{self.size / GIB:g} GiB" if self.size >= GIB else f"{self.size / MIB:g} MiB"
        return size if self.count == 1 else f"{self.count} × {size}"

    @property
    def gib(self) -> float:
        return self.count * self.size / GIB


CASES = [Case(1, GIB), Case(1, 4 * GIB), Case(8, 512 * MIB)]
QUICK = [Case(1, 64 * MIB), Case(1, 128 * MIB), Case(4, 32 * MIB)]


class Contest:
    """One case: its files on the servers, and every way to get or handle them."""

    def __init__(self, base: Path, case: Case, hub: TestHub, cdn: Nginx, served: Path) -> None:
        assert hub.ca_file
        self._work = base / "work"
        self._net_read = measure.build("net_read")
        self._hub = hub
        self._ca_file = hub.ca_file
        self._repo = f"bench/files-{case.count}-{case.size}"
        names = [f"model-{number}.bin" for number in range(case.count)]
        for number, name in enumerate(names):
            measure.make_file(base / name, case.size, key=number + 1)
        files = {name: {"path": str(base / name)} for name in names}
        hub.admin.create_repo(self._repo, files=files, lfs_threshold=1)
        etags = {name: each["etag"] for name, each in hub.admin.files(self._repo).items()}
        for name in names:
            (base / name).rename(served / etags[name])
        self._served = [served / etags[name] for name in names]
        self._urls = [f"{cdn.url}/{etags[name]}" for name in names]
        self._bytes = case.count * case.size

    def remove(self) -> None:
        for path in self._served:
            path.unlink()

    def clients(self) -> dict[str, Callable[[], Run]]:
        made: dict[str, Callable[[], Run]] = {
            OURS: self._wharf,
            "curl": lambda: run_command(self._curl()),
            CURL_AND_HASH: self._curl_and_hash,
            "aria2c -x8": lambda: self._aria2(8),
            "aria2c -x16": lambda: self._aria2(16),
            "aria2c -x16 --checksum": lambda: self._aria2(16, verify=True),
            OFFICIAL[0]: lambda: self._official(NEWEST),
            OFFICIAL[1]: lambda: self._official(WITHOUT_XET),
            "limit: curl, bytes discarded": lambda: run_command(self._curl(keep=False)),
            "limit: sha256 of cached files": self._hash,
            "limit: dd with fdatasync": self._write,
        }
        if len(self._urls) == 1:
            made["limit: net_read, bytes discarded"] = self._read_and_discard
        return {name: self._in_empty_folder(client) for name, client in made.items()}

    def _in_empty_folder(self, client: Callable[[], Run]) -> Callable[[], Run]:
        def run() -> Run:
            self._work.mkdir()
            try:
                return client()
            finally:
                shutil.rmtree(self._work)

        return run

    def _wharf(self) -> Run:
        hub = {"ca_file": str(self._ca_file)}
        log = {"log_level": "warning"}
        with Daemon(self._hub.endpoint, self._work / "wharf", hub=hub, daemon=log) as daemon:
            return run_wharf(daemon, "download", self._repo, "--include", "*.bin", "--quiet")

    def _curl(self, keep: bool = True) -> list[str | Path]:
        command: list[str | Path] = ["curl", "-sS", "--fail", "--cacert", self._ca_file]
        if len(self._urls) > 1:
            command.append("--parallel")
        for number, url in enumerate(self._urls):
            command += ["-o", self._work / f"{number}.bin" if keep else "/dev/null", url]
        return command

    def _curl_and_hash(self) -> Run:
        return run_command(
            ["sh", "-c", f'"$@" && openssl dgst -sha256 {self._work}/*.bin', "-", *self._curl()]
        )

    def _aria2(self, connections: int, verify: bool = False) -> Run:
        listed = self._work / "urls"
        with open(listed, "w") as lines:
            for url, path in zip(self._urls, self._served):
                check = f"  checksum=sha-256={path.name}\n" if verify else ""
                lines.write(f"{url}\n{check}")
        return run_command(
            ["aria2c", "-q", f"-x{connections}", f"-s{connections}", "-j8", "-k1M", "-i", listed,
             "--file-allocation=falloc", f"--ca-certificate={self._ca_file}", "-d", self._work]
        )  # fmt: skip

    def _official(self, venv: str) -> Run:
        return run_official(
            venv, self._work / "hf", self._hub.endpoint, self._ca_file,
            self._repo, "--include", "*.bin",
        )  # fmt: skip

    def _hash(self) -> Run:
        return run_command(["openssl", "dgst", "-sha256", *self._served])

    def _write(self) -> Run:
        count = f"count={self._bytes // MIB}"
        target = f"of={self._work / 'zeros'}"
        return run_command(["dd", "if=/dev/zero", target, "bs=1M", count, "conv=fdatasync"])

    def _read_and_discard(self) -> Run:
        return run_command([self._net_read, self._urls[0], "--ca", self._ca_file])


def report(case: Case, runs: dict[str, list[Run]]) -> None:
    wall = {name: measure.median(each, "wall") for name, each in runs.items()}
    cpu = {name: measure.median(each, "cpu") for name, each in runs.items()}
    rows = [
        [
            name,
            f"{wall[name]:.2f}",
            f"{wall[name] / case.gib:.2f}",
            f"{cpu[name] / case.gib:.2f}",
            f"{measure.median(runs[name], 'memory') / MIB:.0f}",
            measure.ratio(wall[OURS], wall[name]),
            measure.ratio(cpu[OURS], cpu[name]),
        ]
        for name in runs
    ]
    measure.print_table(
        f"{case} over TLS, medians of {len(runs[OURS])} rounds",
        ["client", "wall s", "wall s/GiB", "CPU s/GiB", "peak MiB", "wall ratio", "CPU ratio"],
        rows,
    )


def check(case: Case, runs: dict[str, list[Run]], bounds: Bounds) -> None:
    def wall(name: str) -> float:
        return measure.median(runs[name], "wall")

    fastest = min(PEERS, key=wall)
    if case.count == 1:
        most = 0.7 if case.size <= GIB else 1.0
        bounds.at_most(f"{case}: wall beside {fastest}", wall(OURS) / wall(fastest), most)
    official = min(wall(name) for name in OFFICIAL)
    bounds.at_least(f"{case}: times as fast as hf download", official / wall(OURS), 3)
    cpu = measure.median(runs[OURS], "cpu")
    theirs = measure.median(runs[CURL_AND_HASH], "cpu")
    bounds.at_most(f"{case}: CPU beside {CURL_AND_HASH}", cpu / theirs, 1)
    memory = max(run.memory for run in runs[OURS]) / MIB
    limit = (OVERHEAD + measure.buffer_budget()) / MIB
    bounds.at_most(f"{case}: the daemon's peak memory", memory, limit, " MiB")


def main() -> int:
    parser = measure.parser(__doc__)
    parser.add_argument("--cases", nargs="+", type=Case.parse, metavar="[COUNTx]SIZE")
    parser.add_argument("--workers", type=int, default=1, help="nginx's processes; default: 1")
    arguments = parser.parse_args()
    for venv in (NEWEST, WITHOUT_XET):
        ensure(venv)
    bounds = Bounds()
    with measure.folder(arguments) as base, TestHub(tls=True, directory=base / "hub") as hub:
        served = base / "served"
        served.mkdir()
        assert hub.ca_file
        authority = Authority(hub.ca_file.parent)
        with Nginx(base / "nginx", served, authority, workers=arguments.workers) as cdn:
            hub.admin.configure(outside_cdn=cdn.url)
            for case in arguments.cases or (QUICK if arguments.quick else CASES):
                print(f"{case}:", flush=True)
                contest = Contest(base, case, hub, cdn, served)
                runs = measure.take_turns(
                    contest.clients(),
                    arguments.rounds,
                    lambda run: f"{run.wall:.2f} s, {run.cpu:.2f} CPU s, {run.memory / MIB:.0f} MiB",
                )
                contest.remove()
                report(case, runs)
                check(case, runs, bounds)
    return 0 if arguments.quick else bounds.code


if __name__ == "__main__":
    sys.exit(main())
