"""How two users share a box that is busy, how exact the limit is, and how soon urgent work gets on.

    python3 tests/bench/fairness.py [--rounds 1] [--quick] [--rate 100MiB] [--only limited …]

Needs root: the daemon runs as an ordinary user, who asks for many files, and root asks for few.

unlimited: nothing but connections is scarce; the bytes of each user in 20 s.
limited: `[limits] download_rate` is; the bytes of each user in 20 s, and of both in 10 s.
urgent: background downloads fill the limit, then the other user asks for something interactive; how
long until that has its share.

What is fetched is zeros and goes to the disk, to a file system in a sparse file: as much as comes in
a minute should be free. Exit code 1 if a bound is broken.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.bench.endless import EndlessFiles, Load, SparseVolume, bytes_done  # noqa: E402
from tests.bench.measure import GIB, MIB, Bounds, parse_size  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402

NOBODY, ROOT = 65534, 0
MANY, FEW = 8, 4
"""Files of the two users. Either could use all connections: there are 4 a file, 16 in all."""
SIZE = 20 * GIB
MANY_REPO, FEW_REPO = "bench/many", "bench/few"
WARM_UP = 2.0
"""Seconds until things run evenly."""
SHARE_BOUND, LIMIT_BOUND = 0.05, 0.02
INTERACTIVE_SHARE = 8 / 9
"""Of what there is, beside background work: the classes have weights of 8, 4 and 1."""
SHARE_TOLERANCE = 0.1
STEP = 0.1
"""Seconds between two looks at the urgent download."""


@dataclass
class Moment:
    time: float
    bytes: dict[str, int]
    """Etag → what has come of it."""

    @staticmethod
    def now(daemon: Daemon) -> Moment:
        done = bytes_done(daemon)
        return Moment(time.monotonic(), done)

    def since(self, earlier: Moment, etags: list[str]) -> int:
        return sum(self.bytes.get(etag, 0) - earlier.bytes.get(etag, 0) for etag in etags)


@contextmanager
def running(base: Path, files: EndlessFiles, rate: str | None) -> Iterator[Daemon]:
    """A daemon for one measurement. What comes under a limit goes to memory: a disk that pauses for
    longer than the limit makes up for (100 ms) is no fault of the limit's."""
    with ExitStack() as stack:
        if rate:
            base = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
            base.chmod(0o755)  # for the daemon's user
        volume = stack.enter_context(SparseVolume(base))
        directory = volume.path / "daemon"
        directory.mkdir()
        os.chown(directory, NOBODY, NOBODY)
        with Daemon(
            files.hub.endpoint, directory, user=NOBODY,
            daemon={"log_level": "warning", "shutdown_grace": "0s"},
            **({"limits": {"download_rate": rate}} if rate else {}),
        ) as daemon:  # fmt: skip
            yield daemon


@dataclass
class Bench:
    base: Path
    files: EndlessFiles
    many: list[str]
    """Etags of the one user's files, and of the other's."""
    few: list[str]
    rate: str
    quick: bool
    bounds: Bounds

    def unlimited(self) -> None:
        with running(self.base, self.files, None) as daemon:
            self._both_users(daemon, "unlimited")

    def limited(self) -> None:
        with running(self.base, self.files, self.rate) as daemon:
            total, seconds = self._both_users(daemon, f"limit of {self.rate}/s")
        limit = parse_size(self.rate)
        self.bounds.at_most(
            f"bytes in {seconds:.1f} s beside the limit, off by",
            100 * abs(total / seconds / limit - 1), 100 * LIMIT_BOUND, " %",
        )  # fmt: skip

    def _both_users(self, daemon: Daemon, title: str) -> tuple[int, float]:
        """Bytes of both in the first half of the time, and how long that was."""
        seconds = 6 if self.quick else 20
        loads = [
            Load(daemon, MANY_REPO, MANY, user=NOBODY),
            Load(daemon, FEW_REPO, FEW, user=ROOT),
        ]
        time.sleep(WARM_UP)
        first = Moment.now(daemon)
        time.sleep(seconds / 2)
        second = Moment.now(daemon)
        time.sleep(seconds / 2)
        third = Moment.now(daemon)
        for load in loads:
            load.stop()
        missing = [etag for etag in self.many + self.few if etag not in third.bytes]
        assert not missing, f"{len(missing)} files have ended: the box is too fast for their size"
        many, few = third.since(first, self.many), third.since(first, self.few)
        measure.print_table(
            f"Two users, {title}, {third.time - first.time:.1f} s",
            ["user", "files", "MiB/s", "share"],
            [
                [name, str(count), f"{each / (third.time - first.time) / MIB:.1f}", f"{each / (many + few):.3f}"]
                for name, count, each in (("one", MANY, many), ("other", FEW, few))
            ],
        )
        self.bounds.at_most(
            f"{title}: share of the user with few files, off from half by",
            100 * abs(2 * few / (many + few) - 1), 100 * SHARE_BOUND, " %",
        )  # fmt: skip
        everything = self.many + self.few
        return second.since(first, everything), second.time - first.time

    def urgent(self) -> None:
        with running(self.base, self.files, self.rate) as daemon:
            background = Load(daemon, MANY_REPO, MANY, user=NOBODY, priority="background")
            time.sleep(WARM_UP)
            moments = [Moment.now(daemon)]
            urgent = Load(daemon, FEW_REPO, FEW, user=ROOT, priority="interactive")
            while moments[-1].time < moments[0].time + 3:
                time.sleep(STEP)
                moments.append(Moment.now(daemon))
            urgent.stop()
            background.stop()
        self._report_urgent(moments)

    def _report_urgent(self, moments: list[Moment]) -> None:
        begin = moments[0]
        rows, reached = [], None
        for earlier, later in zip(moments, moments[3:]):  # over three steps: reads come in bursts
            share = self._urgent_share(earlier, later)
            if reached is None and share >= INTERACTIVE_SHARE * (1 - SHARE_TOLERANCE):
                reached = later.time - begin.time
            rows.append([f"{later.time - begin.time:.1f}", f"{share:.2f}"])
        measure.print_table(
            f"An interactive download on a box full of background work, limit of {self.rate}/s",
            ["seconds after it was asked for", "its share of the last 0.3 s"], rows[:12],
        )  # fmt: skip
        self.bounds.at_most("seconds until it has its share", reached or 99, 1, " s")
        after = next(moment for moment in moments if moment.time >= begin.time + 1)
        self.bounds.at_least(
            "its share from then on", self._urgent_share(after, moments[-1]),
            INTERACTIVE_SHARE * (1 - SHARE_TOLERANCE),
        )  # fmt: skip

    def _urgent_share(self, earlier: Moment, later: Moment) -> float:
        urgent = later.since(earlier, self.few)
        return urgent / max(urgent + later.since(earlier, self.many), 1)


def main() -> int:
    parser = measure.parser(__doc__, rounds=1)
    names = ("unlimited", "limited", "urgent")
    parser.add_argument("--rate", default="100MiB", help="the limit per second; default: 100MiB")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    measure.need(os.geteuid() == 0, "only root may run programs of two users")
    bounds = Bounds()
    with measure.folder(arguments) as base:
        measure.need(shutil.disk_usage(base).free > 30 * GIB, "30 GiB of disk are not free")
        with EndlessFiles(base, SIZE) as files:
            many, few = files.add_repo(MANY_REPO, MANY), files.add_repo(FEW_REPO, FEW)
            bench = Bench(base, files, many, few, arguments.rate, arguments.quick, bounds)
            parts: dict[str, Callable[[], None]] = {
                "unlimited": bench.unlimited, "limited": bench.limited, "urgent": bench.urgent
            }  # fmt: skip
            for _ in range(arguments.rounds):
                for name in arguments.only:
                    parts[name]()
    return bounds.code


if __name__ == "__main__":
    sys.exit(main())
