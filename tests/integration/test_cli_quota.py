"""`wharf quota`: what the command shows of what the daemon says."""

from __future__ import annotations

import pytest

from tests.support.fake_daemon import failure
from tests.support.wharf_command import Wharf

QUOTA = "org.wharf.Quota."
ANN = {
    "uid": 1000,
    "user": "ann",
    "bytes_used": 480_200_000_000,
    "bytes_limit": 500_000_000_000,
    "jobs_running": 2,
    "running_limit": 4,
    "jobs_queued": 0,
    "queued_limit": None,
    "staged_bytes": 70_000_000_000,
    "staged_limit": 80_000_000_000,
}
NAMELESS = {
    "uid": 1001,
    "user": None,
    "bytes_used": 5,
    "bytes_limit": None,
    "jobs_running": 0,
    "running_limit": None,
    "jobs_queued": 1,
    "queued_limit": 1,
    "staged_bytes": 0,
    "staged_limit": None,
}
REPOS = [
    {"repo": "org/model", "repo_type": "model", "bytes": 480_000_000_000},
    {"repo": "org/data", "repo_type": "dataset", "bytes": 200_000_000},
]


@pytest.fixture
def wharf(tmp_path):
    command = Wharf(tmp_path)
    command.daemon.on(QUOTA + "Show", lambda _: [{"account": ANN, "repos": REPOS}])
    command.daemon.on(QUOTA + "List", lambda _: [{"accounts": [ANN, NAMELESS]}])
    command.daemon.on(QUOTA + "Release", lambda _: [{"bytes": 5_000_000}])
    yield command
    command.daemon.close()


def test_ones_own(wharf):
    assert wharf.run("quota").out.splitlines() == [
        "account   ann (uid 1000)",
        "cache     480.2 GB of 500.0 GB",
        "running   2 of 4",
        "queued    0, no limit",
        "to push   70.0 GB of 80.0 GB",
        "",
        "REPO                  SHARE",
        "org/model          480.0 GB",
        "datasets/org/data  200.0 MB",
    ]
    assert wharf.run("quota", "--quiet").out == "480200000000\n"
    assert wharf.run("quota", "--json").json == {"account": ANN, "repos": REPOS}
    assert wharf.daemon.raw[-1].get("parameters", {}) == {}
    wharf.run("quota", "--user", "bob")
    assert wharf.daemon.raw[-1]["parameters"] == {"user": "bob"}


def test_all(wharf):
    rows = [row.split() for row in wharf.run("quota", "ls").out.splitlines()]
    assert rows == [
        "ACCOUNT UID CACHE LIMIT RUNNING LIMIT QUEUED LIMIT TO PUSH LIMIT".split(),
        "ann 1000 480.2 GB 500.0 GB 2 4 0 - 70.0 GB 80.0 GB".split(),
        "1001 1001 5 B - 0 - 1 1 0 B -".split(),
    ]
    assert wharf.run("quota", "list", "--quiet").out == "ann\n1001\n"
    assert len(wharf.run("quota", "ls", "--json").json["accounts"]) == 2


def test_release(wharf):
    assert wharf.run("quota", "release", "datasets/org/data").out == "datasets/org/data: gave up 5.0 MB\n"
    assert wharf.daemon.raw[-1]["parameters"] == {"repo": "org/data", "repo_type": "dataset"}
    assert wharf.run("quota", "release", "org/data", "--type", "space", "--quiet").out == "5000000\n"
    assert wharf.daemon.raw[-1]["parameters"] == {"repo": "org/data", "repo_type": "space"}
    assert wharf.run("quota", "release").code == 2


def test_refused(wharf):
    wharf.daemon.on(QUOTA + "List", lambda _: [failure("Forbidden", "only administrators may")])
    ended = wharf.run("quota", "ls")
    assert ended.code == 4
    assert ended.err.startswith("wharf: only administrators may")
