"""Kills the daemon at random moments of pushes to a faulty Hub, and counts what is sent again.

    python3 tests/bench/kill9_push.py [--kills 100] [--seed 1] [--tls] [--quick]

The same as tests/integration/test_kill9_push.py, which does it only so often as a suite of tests can
wait for: tests/support/push_kills.py says what must hold in the end. Otherwise it fails and keeps the
log.
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
from tests.support.push_kills import CONNECTIONS, PART, PushKillTrial, settings_for  # noqa: E402


def main() -> int:
    parser = measure.parser(__doc__, rounds=1)
    parser.add_argument("--kills", type=int, help="default: 100, with --quick 10")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tls", action="store_true", help="the Hub speaks TLS")
    arguments = parser.parse_args()
    kills = arguments.kills or (10 if arguments.quick else 100)
    for number in range(arguments.rounds):
        with (
            measure.folder(arguments) as base,
            TestHub(tls=arguments.tls, directory=base / "hub") as hub,
        ):
            daemon = Daemon(hub.endpoint, base / "daemon", **settings_for(hub))
            trial = PushKillTrial(hub, daemon, base / "contents", arguments.seed + number)
            begin = time.monotonic()
            try:
                account = trial.run(kills, drain=600)
            except AssertionError as error:
                kept = Path(tempfile.mkdtemp(prefix="wharf-kill9-push-", dir=arguments.directory))
                daemon.log_file.rename(kept / "wharfd.log")
                print(f"BROKEN (seed {trial.seed}; the log: {kept}/wharfd.log) {error}")
                return 1
            print(
                f"holds  {account}: {CONNECTIONS} connections, parts of {PART >> 10} KiB, "
                f"seed {trial.seed}, {time.monotonic() - begin:.0f} s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
