"""Kills the daemon at random moments of a mixed load, and counts what is fetched again.

    python3 tests/bench/kill9.py [--kills 200] [--seed 1] [--quick]

The same as tests/integration/test_kill9.py, which does it only so often as a suite of tests can
wait for. In the end all files are right, no partial is left, and no more was fetched again than
kills × connections × piece size; otherwise it fails and keeps the log.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.hub import TestHub  # noqa: E402
from tests.support.daemon import Daemon  # noqa: E402
from tests.support.kills import CONNECTIONS, PIECE, SETTINGS, KillTrial  # noqa: E402


def main() -> int:
    parser = measure.parser(__doc__, rounds=1)
    parser.add_argument("--kills", type=int, help="default: 200, with --quick 10")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    kills = arguments.kills or (10 if arguments.quick else 200)
    for number in range(arguments.rounds):
        with measure.folder(arguments) as base, TestHub(directory=base / "hub") as hub:
            daemon = Daemon(hub.endpoint, base / "daemon", **SETTINGS)
            trial = KillTrial(hub, daemon, base / "contents", arguments.seed + number)
            begin = time.monotonic()
            try:
                account = trial.run(kills, drain=600)
            except AssertionError as error:
                kept = Path(tempfile.mkdtemp(prefix="wharf-kill9-", dir=arguments.directory))
                daemon.log_file.rename(kept / "wharfd.log")
                print(f"BROKEN (seed {trial.seed}; the log: {kept}/wharfd.log) {error}")
                return 1
            print(
                f"holds  {account}: {CONNECTIONS} connections, pieces of {PIECE >> 20} MiB, "
                f"seed {trial.seed}, {time.monotonic() - begin:.0f} s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
