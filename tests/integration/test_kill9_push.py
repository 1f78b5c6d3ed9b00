"""The daemon is killed at random moments of pushes to a faulty Hub: each is in exactly once, and
whole, and what was finished is not sent again.

`WHARF_PUSH_KILLS` says how often (default 8, and 3 with TLS); tests/bench/kill9_push.py does it 100 times.
"""

from __future__ import annotations

import os

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.push_kills import PushKillTrial, settings_for
from tests.support.users import open_folder

KILLS = os.environ.get("WHARF_PUSH_KILLS")


@pytest.mark.parametrize(("tls", "kills"), [(False, 8), (True, 3)], ids=["plain", "tls"])
def test_kill9_pushes_exactly_once(tls: bool, kills: int) -> None:
    with open_folder() as base, TestHub(tls=tls, directory=base / "hub") as hub:
        daemon = Daemon(hub.endpoint, base / "daemon", **settings_for(hub))
        account = PushKillTrial(hub, daemon, base / "contents").run(int(KILLS or kills))
    print(account)
