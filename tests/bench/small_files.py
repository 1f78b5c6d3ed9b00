"""Many small files over TLS on loopback: wharf beside aria2c and the official client.

    python3 tests/bench/small_files.py [--rounds 3] [--quick] [--files 20000]

Files of 1 to 50 KiB. nginx serves them as the Hub serves regular files, by repo, commit and path,
and passes everything else on to the test Hub, whose listings it keeps: no client waits for Python.
aria2c is given the addresses, and checks nothing; wharf and the official client have to find out
what there is. Requests are counted in nginx's log. Memory and CPU of wharf are those of daemon and
command together.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.bench.measure import KIB, MIB, Run, run_command, run_wharf  # noqa: E402
from tests.bench.peers import NEWEST, run_official  # noqa: E402
from tests.hub import TestHub  # noqa: E402
from tests.hub.objects import Blob  # noqa: E402
from tests.hub.tls import Authority  # noqa: E402
from tests.support.client_venvs import ensure  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402
from tests.support.nginx import Nginx  # noqa: E402

OURS = "wharf (verified)"
REPO = "bench/small"
SMALLEST, LARGEST = 1 * KIB, 50 * KIB


@dataclass
class Outcome(Run):
    requests: int = 0


def make_files(folder: Path, count: int) -> dict[str, Path]:
    """Path in the repo → file. A name ends in the content's id, so that nginx can tell its ETag."""
    numbers = random.Random(1)
    files = {}
    for number in range(count):
        data = numbers.randbytes(numbers.randint(SMALLEST, LARGEST))
        name = f"part-{number // 500:03}/{number:05}-{Blob(data).git_sha1}.json"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        files[name] = path
    return files


def locations(hub: TestHub, commit: str) -> list[str]:
    """What nginx does for a request: the files itself, the rest through the test Hub."""
    return [
        f"""
        location ~ "^/{REPO}/resolve/{commit}/(?<file>.+-(?<id>[0-9a-f]{{40}})[.]json)$" {{
            etag off;
            add_header ETag '"$id"';
            add_header X-Repo-Commit {commit};
            add_header Accept-Ranges bytes;
            try_files /$file =404;
        }}""",
        f"""
        location / {{
            proxy_pass {hub.endpoint};
            proxy_set_header Host $http_host;
            proxy_cache listings; proxy_cache_valid 200 1d;
        }}""",
    ]


class Contest:
    """The files on the server, and every way to get them."""

    def __init__(self, base: Path, nginx: Nginx, ca_file: Path, commit: str, names: list[str]) -> None:
        self._base = self._work = base
        self._turns = 0
        self._nginx = nginx
        self._ca_file = ca_file
        self._names = names
        self._list = base / "urls"
        self._list.write_text(
            "".join(f"{nginx.url}/{REPO}/resolve/{commit}/{n}\n  out={n}\n" for n in names)
        )

    def clients(self) -> dict[str, Callable[[], Outcome]]:
        return {
            OURS: self._counted(self._wharf),
            "aria2c -j16 -i": self._counted(self._aria2),
            "hf download --max-workers 8": self._counted(lambda: self._official(8)),
            "hf download --max-workers 32": self._counted(lambda: self._official(32)),
        }

    def _counted(self, client: Callable[[], Run]) -> Callable[[], Outcome]:
        def run() -> Outcome:
            # Nothing is removed between turns: ext4 is slow for minutes where thousands of files
            # were just removed, and whoever comes next would pay for it.
            self._turns += 1
            self._work = self._base / f"work-{self._turns}"
            self._work.mkdir()
            before = self._nginx.requests()
            made = client()
            found = sum(1 for path in self._work.rglob("*.json") if path.is_file())
            if found < len(self._names):
                raise RuntimeError(f"only {found} of {len(self._names)} files came")
            return Outcome(made.wall, made.cpu, made.memory, 0, self._nginx.requests() - before)

        return run

    def _wharf(self) -> Run:
        hub = {"ca_file": str(self._ca_file)}
        log = {"log_level": "warning"}
        with Daemon(self._nginx.url, self._work / "wharf", hub=hub, daemon=log) as daemon:
            return run_wharf(daemon, "download", REPO, "--include", "*.json", "--quiet")

    def _aria2(self) -> Run:
        return run_command(
            ["aria2c", "-q", "-j16", "-i", self._list, "--file-allocation=none",
             f"--ca-certificate={self._ca_file}", "-d", self._work]
        )  # fmt: skip

    def _official(self, workers: int) -> Run:
        return run_official(
            NEWEST, self._work / "hf", self._nginx.url, self._ca_file,
            REPO, "--include", "*.json", "--max-workers", str(workers),
        )  # fmt: skip


def report(runs: dict[str, list[Outcome]], count: int) -> None:
    ours = measure.median(runs[OURS], "wall")
    rows = []
    for name, each in runs.items():
        wall = measure.median(each, "wall")
        rows.append(
            [
                name,
                f"{wall:.2f}",
                f"{count / wall:.0f}",
                f"{measure.median(each, 'requests') / count:.3f}",
                f"{measure.median(each, 'cpu'):.2f}",
                f"{measure.median(each, 'memory') / MIB:.0f}",
                measure.ratio(wall, ours),
            ]
        )
    measure.print_table(
        f"{count} files of {SMALLEST // KIB} to {LARGEST // KIB} KiB over TLS, "
        f"medians of {len(runs[OURS])} rounds",
        ["client", "wall s", "files/s", "requests per file", "CPU s", "peak MiB", "wharf is so many times as fast"],
        rows,
    )


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--files", type=int, help="default: 20000, with --quick 2000")
    arguments = parser.parse_args()
    count = arguments.files or (2_000 if arguments.quick else 20_000)
    ensure(NEWEST)
    with measure.folder(arguments) as base, TestHub(tls=True, directory=base / "hub") as hub:
        assert hub.ca_file
        served = base / "served"
        files = make_files(served, count)
        specs = {name: {"path": str(path)} for name, path in files.items()}
        commit = hub.admin.create_repo(REPO, files=specs)
        cache = f"proxy_cache_path {base}/listings keys_zone=listings:1m;"
        with Nginx(
            base / "nginx", served, Authority(hub.ca_file.parent),
            locations=locations(hub, commit), settings=[cache], log=True,
        ) as nginx:  # fmt: skip
            contest = Contest(base, nginx, hub.ca_file, commit, list(files))
            runs = measure.take_turns(
                contest.clients(),
                arguments.rounds,
                lambda run: f"{run.wall:.2f} s, {run.cpu:.2f} CPU s, {run.requests} requests",
            )
    report(runs, count)


if __name__ == "__main__":
    main()
