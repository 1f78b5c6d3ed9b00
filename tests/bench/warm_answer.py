"""How long the daemon takes to answer for a cached file over its socket.

    python3 tests/bench/warm_answer.py [--quick]

The peer, for scale: the official client finding the same file in its cache without the network.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.hub import TestHub  # noqa: E402
from tests.support.client_venvs import ensure  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402

OFFICIAL = """
import sys, time
from huggingface_hub import hf_hub_download
times = []
for _ in range(2000):
    begin = time.perf_counter()
    hf_hub_download("bench/model", "config.json", revision=sys.argv[1], local_files_only=True)
    times.append((time.perf_counter() - begin) * 1e6)
times.sort()
print(times[len(times) // 2], times[len(times) * 99 // 100])
"""


def main() -> None:
    arguments = measure.parser(__doc__, rounds=1).parse_args()
    program = measure.build("socket_latency")
    for _ in range(arguments.rounds):
        run(program, "4000" if arguments.quick else "64000")


def run(program: Path, calls: str) -> None:
    with TestHub() as hub:
        files = {f"part-{i}.bin": {"random": 1000, "seed": i} for i in range(200)}
        commit = hub.admin.create_repo("bench/model", files={"config.json": "{}", **files})
        with Daemon(hub.endpoint, daemon={"log_level": "warning"}) as daemon:
            daemon.download("bench/model")
            subprocess.run(
                [program, daemon.socket, "bench/model", commit, "config.json", calls], check=True
            )
            starts = []
            for _ in range(20):
                command, environment = daemon.command(
                    "download", "bench/model", "config.json", "--revision", commit, "--quiet"
                )
                timed = subprocess.run(
                    ["bash", "-c", 'TIMEFORMAT=%R; time "$@" >/dev/null', "-", *command],
                    env=environment, capture_output=True, text=True, check=True,
                )  # fmt: skip
                starts.append(float(timed.stderr.split()[-1]) * 1000)
            print(f"\nwhole `wharf download` of a cached file: {statistics.median(starts):.0f} ms")
            official = subprocess.run(
                [ensure("2"), "-c", OFFICIAL, commit],
                env={"HF_HUB_CACHE": str(daemon.cache), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            p50, p99 = (float(each) for each in official.stdout.split())
            print(f"official client, imported already, same cache: p50 {p50:.0f} us, p99 {p99:.0f} us")


if __name__ == "__main__":
    main()
