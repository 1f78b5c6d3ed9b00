"""Who may connect and read what is cached, but not have the daemon fetch: `[access] download_users`."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon
from tests.support.job_calls import wait_for_state
from tests.support.scenes import contents
from tests.support.trials import MIB, QUICK, eventually, watched
from tests.support.users import DAEMON, DAEMON_UID, User, folder_of, needs_root, new_user
from tests.support.varlink_client import CallFailed

pytestmark = needs_root

ROOT = User(0, 0)

HELD, MISSING = "held.txt", "missing.bin"
FORBIDDEN = 4
"""The exit code for what one may not have."""


class Box(Daemon):
    """A daemon that everybody may connect to; only `fetchers` may have files fetched."""

    def __init__(self, hub: TestHub, place: Path, *fetchers: str) -> None:
        access = {
            "allow_users": ["*"], "allow_groups": [], "admin_users": [], "admin_groups": [],
            "download_users": list(fetchers), "download_groups": [],
        }
        super().__init__(hub.endpoint, place, user=DAEMON_UID, **QUICK, access=access)

    def let_fetch(self, *fetchers: str) -> None:
        """Reloads the configuration; returns when it counts."""
        assert self.process
        before = self.log.count("configuration reloaded")
        self.settings["access"]["download_users"] = list(fetchers)
        self.write_config()
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.log.count("configuration reloaded") > before, "it was reloaded")

    def call(self, user: User, method: str, **parameters: Any) -> dict[str, Any]:
        with user.client(self.socket) as client:
            return client.call(method, **parameters)

    def fetch(self, user: User, repo: str, *files: str, **parameters: Any) -> dict[str, Any]:
        if files:
            parameters["files"] = list(files)
        return self.call(user, "Downloads.Download", repo=repo, **parameters)

    def refused(self, user: User, method: str, **parameters: Any) -> bool:
        """Whether the call ends with org.wharf.Forbidden; it may not end well."""
        with pytest.raises(CallFailed) as failed:
            self.call(user, method, **parameters)
        assert failed.value.hint, "it says whom to ask"
        return failed.value.name == "Forbidden"

    def run(self, user: User, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {"WHARF_SOCKET": str(self.socket), "HOME": "/nonexistent"}
        return user.run(BUILD / "wharf", *arguments, environment=environment)


@pytest.fixture
def box(place: Path, hub: TestHub) -> Iterator[Box]:
    with watched(Box(hub, place, "root")) as daemon:
        assert isinstance(daemon, Box)
        yield daemon


def make(hub: TestHub, repo: str) -> str:
    hub.admin.create_repo(
        repo, files={HELD: f"of {repo}", MISSING: {"random": 2 * MIB, "seed": repo}}
    )
    return repo


def read(path: str) -> str:
    return Path(path).read_text()


def test_what_is_cached_may_be_had(box: Box, hub: TestHub, place: Path) -> None:
    repo, reader = make(hub, "org/rights-held"), new_user()
    commit = box.fetch(ROOT, repo, HELD)["result"]["commit"]
    sent = contents(hub)
    for revision in ("main", commit):
        result = box.fetch(reader, repo, HELD, revision=revision)["result"]
        assert reader.do(read, result["files"][0]) == f"of {repo}"
        assert box.fetch(reader, repo, HELD, revision=revision, detach=True)["result"]
        result = box.fetch(reader, repo, HELD, revision=revision, descriptors=True)["result"]
        assert result["descriptors"] == [0]
        opened = box.call(reader, "Downloads.Open", repo=repo, file=HELD, revision=revision)
        assert opened["size"] == len(f"of {repo}")
    with reader.client(box.socket) as client:
        (part,) = client.stream("Downloads.List", repo=repo)
    cached = {file["name"]: file["cached"] for file in part["files"]}
    assert cached[HELD] is True and cached[MISSING] is False
    home = folder_of(reader, place.parent)
    assert box.run(reader, "download", repo, HELD).returncode == 0
    assert box.run(reader, "prefetch", repo, HELD).returncode == 0
    done = box.run(reader, "download", repo, HELD, "--local-dir", home / "local")
    assert done.returncode == 0 and (home / "local" / HELD).read_text() == f"of {repo}"
    assert contents(hub) == sent


def test_what_is_not_cached_is_not_fetched(box: Box, hub: TestHub, place: Path) -> None:
    repo, unknown, reader = make(hub, "org/rights-missing"), make(hub, "org/rights-unknown"), new_user()
    commit = box.fetch(ROOT, repo, HELD)["result"]["commit"]
    sent = contents(hub)
    ways: list[dict[str, Any]] = [
        {"repo": repo},
        {"repo": repo, "files": [MISSING]},
        {"repo": repo, "files": [HELD, MISSING]},
        {"repo": repo, "files": [MISSING], "revision": commit},
        {"repo": repo, "files": [HELD], "force": True},
        {"repo": repo, "files": [MISSING], "descriptors": True},
        {"repo": unknown},
    ]
    for way in ways:
        assert box.refused(reader, "Downloads.Download", **way), way
        if "descriptors" not in way:
            assert box.refused(reader, "Downloads.Download", **way, detach=True), way
    assert box.refused(reader, "Downloads.Open", repo=repo, file=MISSING)
    home = folder_of(reader, place.parent)
    for arguments in (
        ["download", repo], ["download", repo, MISSING], ["download", repo, HELD, "--force-download"],
        ["download", repo, "--detach"], ["prefetch", repo], ["prefetch", unknown],
        ["download", repo, "--local-dir", home / "local"],
    ):
        done = box.run(reader, *arguments)
        assert done.returncode == FORBIDDEN, (arguments, done)
        assert "download_groups" in done.stderr and done.stdout == "", done
    assert not (home / "local" / MISSING).exists()
    assert contents(hub) == sent
    assert box.call(reader, "Jobs.List", all=True)["jobs"] == []


def test_a_job_of_somebody_else_is_not_joined(box: Box, hub: TestHub) -> None:
    repo, reader = make(hub, "org/rights-joined"), new_user()
    rule = hub.faults.add("stall", after=0, match={"server": "cdn"}, times=None)
    number = box.fetch(ROOT, repo, detach=True)["job"]
    hub.faults.wait(rule, 1)
    assert box.refused(reader, "Downloads.Download", repo=repo)
    assert box.refused(reader, "Downloads.Download", repo=repo, detach=True)
    hub.faults.release(rule)
    hub.faults.remove(rule)
    wait_for_state(box, number, "done")
    assert box.fetch(reader, repo)["result"]["count"] >= 2


def test_a_reload_that_adds_somebody_counts_at_once(box: Box, hub: TestHub) -> None:
    repo, reader = make(hub, "org/rights-added"), new_user()
    with reader.client(box.socket) as before:
        with pytest.raises(CallFailed, match="Forbidden"):
            before.call("Downloads.Download", repo=repo)
        box.let_fetch("root", str(reader.uid))
        # Also on a connection that is older.
        assert before.call("Downloads.Download", repo=repo, files=[HELD])["result"]
    assert box.fetch(reader, repo)["result"]["count"] >= 2
    other = make(hub, "org/rights-added-later")
    assert box.run(reader, "download", other).returncode == 0
    box.let_fetch("root")
    assert box.run(reader, "download", other).returncode == 0
    assert box.refused(reader, "Downloads.Download", repo=other, force=True)


def test_who_lost_the_right_moves_no_job_of_his(box: Box, hub: TestHub) -> None:
    paused_repo, ended_repo = make(hub, "org/rights-paused"), make(hub, "org/rights-ended")
    owner = new_user()
    box.let_fetch(str(owner.uid))
    rule = hub.faults.add("stall", after=0, match={"server": "cdn"}, times=None)
    paused = box.fetch(owner, paused_repo, detach=True)["job"]
    ended = box.fetch(owner, ended_repo, detach=True)["job"]
    box.call(owner, "Jobs.Pause", id=paused)
    box.call(owner, "Jobs.Cancel", id=ended)
    hub.faults.release(rule)
    hub.faults.remove(rule)

    def state(number: int) -> str:
        return str(box.call(owner, "Jobs.Show", id=number)["job"]["state"])

    box.let_fetch("root")
    for method, command, number in (("Resume", "resume", paused), ("Retry", "retry", ended)):
        assert box.refused(owner, f"Jobs.{method}", id=number)
        done = box.run(owner, "jobs", command, str(number))
        assert done.returncode == FORBIDDEN and done.stdout == "", done
    assert (state(paused), state(ended)) == ("paused", "cancelled")
    # What is his he still sees, and may give up.
    assert {found["id"] for found in box.call(owner, "Jobs.List", all=True)["jobs"]} == {paused, ended}

    box.let_fetch("root", str(owner.uid))
    assert box.run(owner, "jobs", "resume", str(paused)).returncode == 0
    assert box.call(owner, "Jobs.Retry", id=ended)["job"]["id"] == ended
    for number in (paused, ended):
        eventually(lambda: state(number) == "done", f"job {number} is done", 30)  # noqa: B023


def test_a_job_without_the_right_can_be_cancelled(box: Box, hub: TestHub) -> None:
    repo, owner = make(hub, "org/rights-cancelled"), new_user()
    box.let_fetch(str(owner.uid))
    rule = hub.faults.add("stall", after=0, match={"server": "cdn"}, times=None)
    number = box.fetch(owner, repo, detach=True)["job"]
    hub.faults.wait(rule, 1)
    box.let_fetch("root")
    assert box.run(owner, "jobs", "cancel", str(number)).returncode == 0
    assert box.call(owner, "Jobs.Show", id=number)["job"]["state"] == "cancelled"
    hub.faults.release(rule)


def test_the_daemons_own_account_and_administrators_may_always(hub: TestHub, place: Path) -> None:
    repo, other, administrator = make(hub, "org/rights-owner"), make(hub, "org/rights-admin"), new_user()
    nobody = Box(hub, place, str(new_user().uid))
    nobody.settings["access"]["admin_users"] = [str(administrator.uid)]
    with watched(nobody):
        assert nobody.fetch(DAEMON, repo)["result"]
        assert nobody.fetch(administrator, other)["result"]
