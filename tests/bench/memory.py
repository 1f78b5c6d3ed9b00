"""Resident memory of the daemon with 64 downloads of 10 GiB each at once.

    python3 tests/bench/memory.py [--seconds 60] [--quick] [--rate 300MiB]

Needs root: the cache is on a file system of 2 TiB in a sparse file, mounted for the time, since
space is reserved before it is used. What is really written is bounded by the rate (the daemon's
`[limits] download_rate`; "none" for no limit) times the seconds. Exit code 1 if the daemon was
larger than its buffers and 64 MiB at any time, or still grew in the end.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.bench.endless import EndlessFiles, Load, SparseVolume, bytes_done  # noqa: E402
from tests.bench.measure import GIB, KIB, MIB, Bounds, parse_size  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402

FILES = 64
SIZE = 10 * GIB
REPO = "bench/large"
CONNECTIONS = 128
OVERHEAD = 64 * MIB
"""What the daemon may take beside its buffers."""
GROWTH, SLACK = 1.03, 1 * MIB
"""How much larger it may be in the last quarter than in the second: what chance explains."""


@dataclass
class Sample:
    seconds: float
    resident: int
    anonymous: int
    transfers: int
    moving: int
    """Those of the transfers of which something has come."""
    done: int


def sample(daemon: Daemon, begin: float) -> Sample:
    rollup = Path(f"/proc/{daemon.pid}/smaps_rollup").read_text()
    sizes = {name: int(kib) * KIB for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", rollup, re.M)}
    done = bytes_done(daemon).values()
    return Sample(
        time.monotonic() - begin,
        sizes["Rss"],
        sizes["Anonymous"],
        len(done),
        sum(count > 0 for count in done),
        sum(done),
    )


def watch(daemon: Daemon, seconds: float) -> list[Sample]:
    load = Load(daemon, REPO, FILES)
    begin = time.monotonic()
    samples = []
    while time.monotonic() < begin + seconds:
        time.sleep(0.5)
        samples.append(sample(daemon, begin))
    load.stop()
    return samples


def report(samples: list[Sample]) -> Bounds:
    quarters = [samples[len(samples) * n // 4 : len(samples) * (n + 1) // 4] for n in range(4)]
    rows = [
        [
            f"{quarter[0].seconds:.0f}–{quarter[-1].seconds:.0f}",
            f"{statistics.mean(each.resident for each in quarter) / MIB:.1f}",
            f"{max(each.resident for each in quarter) / MIB:.1f}",
            f"{statistics.mean(each.anonymous for each in quarter) / MIB:.1f}",
            f"{quarter[-1].transfers}",
            f"{quarter[-1].moving}",
        ]
        for quarter in quarters
    ]
    measure.print_table(
        f"{FILES} downloads of {SIZE // GIB} GiB at once, {samples[-1].done / GIB:.1f} GiB came",
        ["seconds", "resident MiB, mean", "largest", "of it anonymous, mean", "transfers", "begun"],
        rows,
    )
    bounds = Bounds()
    bounds.at_least("transfers at once", max(each.transfers for each in samples), FILES)
    limit = measure.buffer_budget() + OVERHEAD
    largest = max(each.resident for each in samples)
    bounds.at_most("largest resident size", largest / MIB, limit / MIB, " MiB")
    early, late = (statistics.mean(each.resident for each in quarters[n]) for n in (1, 3))
    bounds.at_most("resident size in the last quarter", late / MIB, (early * GROWTH + SLACK) / MIB, " MiB")
    return bounds


def run(base: Path, rate: str, seconds: float) -> list[Sample]:
    limits = {} if rate == "none" else {"limits": {"download_rate": rate}}
    if limits:
        room = parse_size(rate) * (seconds + 5) + GIB
        measure.need(shutil.disk_usage(base).free > room, "not enough space on the disk")
    with SparseVolume(base) as volume, EndlessFiles(base, SIZE) as files:
        files.add_repo(REPO, FILES)
        daemon = Daemon(
            files.hub.endpoint, base / "daemon",
            daemon={"log_level": "warning", "shutdown_grace": "0s"},
            cache={"dir": str(volume.path / "cache")},
            transfer={"max_connections": CONNECTIONS, "max_connections_per_host": CONNECTIONS},
            **limits,
        )  # fmt: skip
        with daemon:
            return watch(daemon, seconds)


def main() -> int:
    parser = measure.parser(__doc__, rounds=1)
    parser.add_argument("--seconds", type=float, help="default: 60, with --quick 10")
    parser.add_argument("--rate", default="300MiB", help="default: 300MiB")
    arguments = parser.parse_args()
    measure.need(os.geteuid() == 0, "only root may mount a file system")
    seconds = arguments.seconds or (10 if arguments.quick else 60)
    code = 0
    for _ in range(arguments.rounds):
        with measure.folder(arguments) as base:
            code |= report(run(base, arguments.rate, seconds)).code
    return code


if __name__ == "__main__":
    sys.exit(main())
