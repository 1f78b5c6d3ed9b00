"""The daemon is killed at random moments of a mixed load; nothing is lost, little is fetched twice.

`WHARF_KILLS` says how often (default 20); tests/bench/kill9.py does it 200 times.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.kills import SETTINGS, KillTrial

KILLS = int(os.environ.get("WHARF_KILLS", "20"))


def test_kill9_loses_nothing(tmp_path: Path) -> None:
    with TestHub(directory=tmp_path / "hub") as hub:
        daemon = Daemon(hub.endpoint, tmp_path / "daemon", **SETTINGS)
        account = KillTrial(hub, daemon, tmp_path / "contents").run(KILLS)
    print(account)
