"""What the benchmarks share: what a program costs, taking turns, tables, bounds."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.support.daemon import BUILD, PROJECT, Daemon

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
UNITS = {"KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": 1 << 40}

Result = TypeVar("Result")


def parse_size(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMGT]iB)?", text)
    if not found:
        raise ValueError(f"not a size: {text}")
    return int(found[1]) * UNITS.get(found[2], 1)


def buffer_budget() -> int:
    """The default of `[transfer] buffer_budget`, from the sample that holds every default."""
    sample = (PROJECT / "config" / "wharfd.toml").read_text()
    found = re.search(r'^#?\s*buffer_budget = "(\w+)"', sample, re.MULTILINE)
    return parse_size(found[1]) if found else 0


# --- What a program costs -----------------------------------------------------------------------


@dataclass
class Run:
    wall: float
    """Seconds that a person waits."""
    cpu: float
    """Seconds of CPU of the client's own processes, user and system."""
    memory: int
    """Largest resident size in bytes."""
    code: int = 0


def run_command(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    limit: float | None = None,
) -> Run:
    """Runs a program to its end. Raises if it fails; `limit` seconds end it, which is no failure."""
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    timer = threading.Timer(limit or 0, process.kill)
    if limit:
        timer.start()
    with _MemoryWatch(process.pid) as memory:
        assert process.stderr
        complaints = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    if process.returncode != 0 and not (limit and wall >= limit):
        raise RuntimeError(
            f"{command[0]} ended with {process.returncode}: "
            f"{complaints.decode(errors='replace')[-2000:]}"
        )
    return Run(wall, usage.ru_utime + usage.ru_stime, memory.peak, process.returncode)


class _MemoryWatch:
    """Looks at a process and its children every few milliseconds. What `wait4` says of memory does
    not do: it begins with that of the process which forked, and that is ours."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> _MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            with contextlib.suppress(OSError):  # they end when they like
                children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text()
                for pid in (self._pid, *map(int, children.split())):
                    self.peak = max(self.peak, peak_memory(pid))


def process_cpu(pid: int) -> float:
    """Seconds of CPU that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """Largest resident size of a process so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) * KIB if found else 0


def run_wharf(daemon: Daemon, *arguments: str, limit: float | None = None) -> Run:
    """Runs `wharf`; what it costs is the daemon's part and the command's."""
    before = process_cpu(daemon.pid)
    command, environment = daemon.command(*arguments)
    try:
        run = run_command(command, environment, limit)
    except RuntimeError as error:
        raise RuntimeError(f"{error}\n{daemon.log[-3000:]}") from None
    run.cpu += process_cpu(daemon.pid) - before
    run.memory = peak_memory(daemon.pid)
    return run


# --- Taking turns -------------------------------------------------------------------------------


def take_turns(
    clients: Mapping[str, Callable[[], Result]],
    rounds: int,
    tell: Callable[[Result], str],
    warm_up: bool = True,
) -> dict[str, list[Result]]:
    """Runs every client once in each round, so that a slow minute of the machine meets them all.

    The warm-up is a round that does not count: it fills the page cache and touches memory and disk
    for the first time.
    """
    results: dict[str, list[Result]] = {name: [] for name in clients}
    for number in range(0 if warm_up else 1, rounds + 1):
        label = f"round {number} of {rounds}" if number else "warm-up"
        for name, client in clients.items():
            os.sync()
            result = client()
            print(f"  {label}: {name}: {tell(result)}", flush=True)
            if number:
                results[name].append(result)
    return results


def median(results: Sequence[Any], field: str) -> float:
    return float(statistics.median(getattr(result, field) for result in results))


def ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else ""


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """As Markdown, so that it can go into docs/measurements.md as it is."""
    print(f"\n{title}\n")
    print(f"| {' | '.join(header)} |")
    print(f"|{' --- |' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


class Bounds:
    """What must hold. Says of each whether it does; `code` is the exit code then."""

    def __init__(self) -> None:
        self.broken = 0

    def at_most(self, what: str, value: float, limit: float, unit: str = "") -> None:
        self._say(value <= limit, f"{what}: {value:.2f}{unit}, at most {limit:.2f}{unit}")

    def at_least(self, what: str, value: float, limit: float, unit: str = "") -> None:
        self._say(value >= limit, f"{what}: {value:.2f}{unit}, at least {limit:.2f}{unit}")

    def _say(self, holds: bool, text: str) -> None:
        self.broken += not holds
        print(f"{'holds ' if holds else 'BROKEN'} {text}", flush=True)

    @property
    def code(self) -> int:
        return 1 if self.broken else 0


# --- Around it ----------------------------------------------------------------------------------


def parser(description: str | None, rounds: int = 3) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("--rounds", type=int, default=rounds, help=f"default: {rounds}")
    made.add_argument("--quick", action="store_true", help="small: only shows that it works")
    made.add_argument("--directory", type=Path, help="where files are written; default: as mktemp")
    return made


@contextlib.contextmanager
def folder(arguments: argparse.Namespace) -> Iterator[Path]:
    """A folder for one run, open to programs of other users, and gone afterwards, also when the run is
    ended: mounts, namespaces and servers would stay behind with it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="wharf-bench-", dir=arguments.directory) as name:
        base = Path(name).resolve()
        base.chmod(0o755)
        yield base


def make_file(path: Path, size: int, key: int = 1) -> None:
    """Bytes that do not compress and differ from key to key, made quickly: a key stream."""
    with open(path, "wb") as out:
        zeros = subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE)
        subprocess.run(
            ["openssl", "enc", "-aes-128-ctr", "-K", f"{key:032x}", "-iv", "0" * 32],
            stdin=zeros.stdout,
            stdout=out,
            check=True,
        )
        zeros.wait()


def build(name: str) -> Path:
    """Builds a program of tests/bench in the build folder at hand; its path."""
    subprocess.run(["ninja", "-C", BUILD, f"tests/bench/{name}"], check=True, stdout=sys.stderr)
    return BUILD / "tests" / "bench" / name


def need(condition: object, why: str) -> None:
    """Ends a benchmark that cannot run here."""
    if not condition:
        print(f"skipped: {why}")
        sys.exit(0)
