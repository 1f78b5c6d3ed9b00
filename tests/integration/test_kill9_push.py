"""The daemon is killed at random moments of pushes to a faulty Hub: each is in exactly once, and
whole, and what was finished is not sent again.

`WHARF_PUSH_KILLS` says how often (default 8); tests/bench/kill9_push.py does it 100 times.
"""

from __future__ import annotations

import os

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.push_kills import SETTINGS, PushKillTrial
from tests.support.users import open_folder

KILLS = int(os.environ.get("WHARF_PUSH_KILLS", "8"))


def test_kill9_pushes_exactly_once() -> None:
    with open_folder() as base, TestHub(directory=base / "hub") as hub:
        daemon = Daemon(hub.endpoint, base / "daemon", **SETTINGS)
        account = PushKillTrial(hub, daemon, base / "contents").run(KILLS)
    print(account)
