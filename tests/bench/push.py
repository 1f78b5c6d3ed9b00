"""Pushing one large file and many small ones, beside the official client.

    python3 tests/bench/push.py [--rounds 2] [--quick] [--tls] [--files 2000]

One file of 4 GiB, sent in parts of 64 MiB, the same sent whole, and 2,000 files of 1 to 50 KiB, to the
test Hub on this machine, each time into a new repo. `hf upload` without Xet reads the files where
they are, as `wharf upload --attached` does; else wharf stages them first, and where the file system
cannot clone that is a copy. Its CPU is that of daemon and command together. How long Submit takes is
what test_reflink_push.py prints.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.bench.measure import GIB, KIB, MIB, Run, run_command, run_wharf  # noqa: E402
from tests.hub.remote import HubProcess  # noqa: E402
from tests.support.client_venvs import WITHOUT_XET, ensure  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402

OURS, ATTACHED, THEIRS = "wharf upload", "wharf upload --attached", "hf upload"
TOKEN = "hf_alice"
PART = 64 * MIB


@dataclass
class Case:
    title: str
    folder: Path
    parts_above: int
    """Larger objects go up in parts."""
    files: int
    size: int


def small_files(folder: Path, count: int) -> int:
    numbers = random.Random(1)
    size = 0
    for number in range(count):
        path = folder / f"part-{number // 500:03}" / f"{number:05}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Text: a new file with a zero byte would be a large one.
        data = numbers.randbytes(numbers.randint(1 * KIB, 50 * KIB) // 2).hex().encode()
        path.write_bytes(data)
        size += len(data)
    return size


class Contest:
    """One case, and every way to push it."""

    _turns = itertools.count()

    def __init__(self, base: Path, hub: HubProcess, case: Case) -> None:
        self._base = base
        self._hub = hub
        self._case = case
        self._admin = hub.control.admin
        ca_file = json.loads(hub.state_file.read_text())["ca_file"]
        self._settings = {"ca_file": ca_file} if ca_file else {}
        self._environment = {"SSL_CERT_FILE": ca_file} if ca_file else {}
        self._admin.configure(lfs_part_size=PART, lfs_multipart_above=case.parts_above)

    def clients(self) -> dict[str, Callable[[], Run]]:
        return {
            OURS: lambda: self._push(self._wharf),
            ATTACHED: lambda: self._push(lambda *at: self._wharf(*at, "--attached")),
            THEIRS: lambda: self._push(self._official),
        }

    def _push(self, client: Callable[[str, Path], Run]) -> Run:
        """A large file is gone afterwards. Small ones stay: ext4 is slow for minutes where thousands
        of files were just removed, and whoever comes next would pay for it."""
        repo = f"alice/push-{next(self._turns)}"
        self._admin.create_repo(repo)
        work = self._base / repo
        work.mkdir(parents=True)
        try:
            run = client(repo, work)
            found = len(self._admin.files(repo)) - 1
            if found != self._case.files:
                raise RuntimeError(f"{found} of {self._case.files} files are there")
            return run
        finally:
            if self._case.files == 1:
                self._admin.delete_repo(repo)
                shutil.rmtree(work)
                for left in (self._base / "hub" / "uploads").glob("*"):
                    left.unlink()

    def daemon(self, work: Path) -> Daemon:
        log = {"log_level": "warning"}
        return Daemon(self._hub.endpoint, work / "wharf", hub=self._settings, daemon=log)

    def _wharf(self, repo: str, work: Path, *options: str) -> Run:
        order = ("upload", repo, str(self._case.folder), "--quiet", "--token", TOKEN, *options)
        with self.daemon(work) as daemon:
            return run_wharf(daemon, *order)

    def _official(self, repo: str, work: Path) -> Run:
        environment = {
            "HF_HOME": str(work),
            "HF_ENDPOINT": self._hub.endpoint,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **self._environment,
        }
        program = ensure(WITHOUT_XET).parent / "hf"
        command = [program, "upload", repo, self._case.folder, "--quiet", "--token", TOKEN]
        return run_command(command, environment)


def hub_in(folder: Path, *options: str) -> HubProcess:
    folder.mkdir()
    return HubProcess(folder, *options)


def cases(base: Path, quick: bool, files: int) -> list[Case]:
    size = 256 * MIB if quick else 4 * GIB
    large = base / "large"
    large.mkdir()
    measure.make_file(large / "model.safetensors", size)
    small = base / "small"
    name = f"{size // MIB} MiB" if quick else "4 GiB"
    total = small_files(small, files)
    return [
        Case(f"{name} in parts of {PART // MIB} MiB", large, 0, 1, size),
        Case(f"{name} in one piece", large, 1 << 40, 1, size),
        Case(f"{files} small files", small, 1 << 40, files, total),
    ]


def main() -> None:
    parser = measure.parser(__doc__, rounds=2)
    parser.add_argument("--tls", action="store_true", help="the Hub speaks TLS")
    parser.add_argument("--files", type=int, default=2000, help="default: 2000")
    arguments = parser.parse_args()
    ensure(WITHOUT_XET)
    rows = []
    with (
        measure.folder(arguments) as base,
        hub_in(base / "hub", *(["--tls"] if arguments.tls else [])) as hub,
    ):
        hub.control.admin.add_user("alice", token=TOKEN)
        for case in cases(base, arguments.quick, arguments.files):
            print(case.title, flush=True)
            runs = measure.take_turns(
                Contest(base, hub, case).clients(),
                arguments.rounds,
                lambda run: f"{run.wall:.2f} s, {run.cpu:.2f} CPU s",
                warm_up=not arguments.quick,
            )
            wall, cpu = (measure.median(runs[OURS], field) for field in ("wall", "cpu"))
            for name, each in runs.items():
                their_wall, their_cpu = (measure.median(each, f) for f in ("wall", "cpu"))
                rows.append(
                    [
                        case.title,
                        name,
                        f"{their_wall:.2f}",
                        f"{case.size / their_wall / MIB:.0f}",
                        f"{their_cpu:.2f}",
                        f"{measure.median(each, 'memory') / MIB:.0f}",
                        measure.ratio(wall, their_wall) if name != OURS else "",
                        measure.ratio(cpu, their_cpu) if name != OURS else "",
                    ]
                )
    measure.print_table(
        f"Pushing {'over TLS' if arguments.tls else 'over plain HTTP'}, medians of "
        f"{arguments.rounds} rounds",
        ["what", "client", "wall s", "MiB/s", "CPU s", "peak MiB", "wharf's wall ratio", "CPU ratio"],
        rows,
    )


if __name__ == "__main__":
    main()
