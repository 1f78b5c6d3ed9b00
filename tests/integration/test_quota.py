"""What one account may take of the machine: its share of the cache, its jobs. Several real users."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon
from tests.support.scenes import contents, eventually
from tests.support.trials import MIB, QUICK, watched
from tests.support.users import DAEMON, DAEMON_UID, User, needs_root, new_group, new_user
from tests.support.varlink_client import CallFailed

pytestmark = needs_root

EVERYBODY = {"allow_users": ["*"], "allow_groups": [], "admin_users": [], "admin_groups": []}


class Box(Daemon):
    """A daemon for everybody; `[quota]` as given, and for some users by number."""

    def __init__(self, hub: TestHub, place: Path, quota: dict[str, Any], **users: dict[str, Any]) -> None:
        tables = {f"quota.user.{uid.lstrip('u')}": table for uid, table in users.items()}
        super().__init__(
            hub.endpoint, place, user=DAEMON_UID, **QUICK, access=dict(EVERYBODY), quota=quota, **tables
        )

    def quota(self, user: User, **parameters: Any) -> dict[str, Any]:
        with user.client(self.socket) as client:
            return client.call("Quota.Show", **parameters)

    def bytes_of(self, user: User) -> int:
        return self.quota(user)["account"]["bytes_used"]

    def run(self, user: User, *arguments: str) -> CompletedProcess[str]:
        environment = {"WHARF_SOCKET": str(self.socket), "HOME": "/nonexistent"}
        return user.run(BUILD / "wharf", *arguments, environment=environment)

    def fetch(self, user: User, repo: str) -> CompletedProcess[str]:
        return self.run(user, "download", repo, "w.safetensors")


def make(hub: TestHub, name: str, size: int = MIB, seed: str = "") -> str:
    """A repo with one large file; its name."""
    hub.admin.create_repo(name, files={"w.safetensors": {"random": size, "seed": seed or name}})
    return name


def test_too_much_is_refused_with_numbers_before_a_byte_is_fetched(hub: TestHub, place: Path) -> None:
    ann, bob = new_user(), new_user()
    first, second = make(hub, "quota/first"), make(hub, "quota/second")
    with watched(Box(hub, place, {"bytes": "1500KiB"})) as box:
        assert box.fetch(ann, first).returncode == 0
        sent = contents(hub)
        refused = box.fetch(ann, second)
        assert refused.returncode == 6, refused
        assert "your quota is 1.5 MB, 1.0 MB are attributed to you" in refused.stderr
        assert f"{second} needs 1.0 MB more" in refused.stderr
        assert "wharf quota release" in refused.stderr
        assert contents(hub) == sent
        # What she has is hers, and others have their own.
        assert box.fetch(ann, first).returncode == 0
        assert box.fetch(bob, second).returncode == 0


def test_a_detached_job_over_quota_fails_and_does_not_wait(hub: TestHub, place: Path) -> None:
    ann = new_user()
    repo = make(hub, "quota/detached")
    with watched(Box(hub, place, {"bytes": "100KiB"})) as box:
        refused = box.run(ann, "download", repo, "--detach")
        assert refused.returncode == 6, refused
        with ann.client(box.socket) as client:
            (job,) = client.call("Jobs.List", all=True)["jobs"]
        assert job["state"] == "failed"
        assert job["failure"]["name"] == "org.wharf.QuotaExceeded"


def test_what_two_asked_for_costs_each_half(hub: TestHub, place: Path) -> None:
    ann, bob = new_user(), new_user()
    repo, copy = make(hub, "quota/shared-one", seed="same"), make(hub, "quota/shared-copy", seed="same")
    with watched(Box(hub, place, {"bytes": "100MiB"})) as box:
        assert box.fetch(ann, repo).returncode == 0
        eventually(lambda: box.bytes_of(ann) == MIB)
        # From the cache, and out of another repo: the same bytes.
        assert box.fetch(bob, copy).returncode == 0
        eventually(lambda: box.bytes_of(bob) == MIB // 2)
        assert box.bytes_of(ann) == MIB // 2
        shown = box.quota(bob)
        assert shown["repos"] == [{"repo": copy, "repo_type": "model", "bytes": MIB // 2}]
        assert shown["account"]["bytes_limit"] == 100 * MIB
        # It stays so over a restart.
        box.stop()
        box.start()
        assert box.bytes_of(ann) == box.bytes_of(bob) == MIB // 2


def test_giving_up_a_share_makes_room(hub: TestHub, place: Path) -> None:
    ann, bob = new_user(), new_user()
    first, second = make(hub, "quota/given-up"), make(hub, "quota/instead")
    with watched(Box(hub, place, {"bytes": "1600KiB"})) as box:
        assert box.fetch(ann, first).returncode == 0
        assert box.fetch(bob, first).returncode == 0
        assert box.fetch(bob, second).returncode == 0  # half and one
        released = box.run(ann, "quota", "release", first)
        assert released.returncode == 0 and released.stdout == f"{first}: gave up 524.3 KB\n"
        assert box.bytes_of(ann) == 0
        assert box.bytes_of(bob) == 2 * MIB  # over by no act of his: he keeps it
        assert box.run(ann, "quota", "release", first, "--quiet").stdout == "0\n"
        assert box.fetch(ann, second).returncode == 0
        # She may still read what she gave up, and carries it again then.
        assert box.fetch(ann, first).returncode == 0
        eventually(lambda: box.bytes_of(ann) == MIB)


def test_users_and_groups_have_quotas_of_their_own(hub: TestHub, place: Path) -> None:
    ann, bob = new_user(), new_user()
    tables = {f"u{ann.uid}": {"bytes": "2GiB", "queued_jobs": 0}}
    with watched(Box(hub, place, {"bytes": "1GiB", "running_jobs": 3, "queued_jobs": 4}, **tables)) as box:
        account = box.quota(ann)["account"]
        assert account["bytes_limit"] == 2 << 30
        assert account["running_limit"] == 3
        assert account.get("queued_limit") is None
        assert box.quota(bob)["account"]["bytes_limit"] == 1 << 30
        # Root and the daemon's account bring things for all.
        assert box.quota(DAEMON)["account"].get("bytes_limit") is None
        # A reload changes them.
        box.settings["quota"]["bytes"] = "3GiB"
        box.write_config()
        assert box.process
        box.process.send_signal(signal.SIGHUP)
        eventually(lambda: box.quota(bob)["account"]["bytes_limit"] == 3 << 30)


def test_only_administrators_see_others(hub: TestHub, place: Path) -> None:
    ann = new_user()
    repo = make(hub, "quota/seen")
    admins = new_group()
    carol = new_user(groups=[admins])
    box = Box(hub, place, {})
    box.settings["access"]["admin_groups"] = [str(admins)]
    with watched(box):
        assert box.fetch(ann, repo).returncode == 0
        eventually(lambda: box.bytes_of(ann) == MIB)
        for method, parameters in [("List", {}), ("Show", {"user": "root"}), ("Show", {"user": "nobody-here"})]:
            with ann.client(box.socket) as client, pytest.raises(CallFailed) as caught:
                client.call(f"Quota.{method}", **parameters)
            assert caught.value.name == "Forbidden"
        assert box.run(ann, "quota", "ls").returncode == 4
        listed = json.loads(box.run(carol, "quota", "ls", "--json").stdout)
        assert [account["uid"] for account in listed["accounts"]] == [ann.uid]
        shown = box.run(carol, "quota", "--user", str(ann.uid))
        assert shown.stdout.splitlines() == [
            f"account   {ann.uid} (uid {ann.uid})",
            "cache     1.0 MB, no limit",
            "running   0, no limit",
            "queued    0, no limit",
            "to push   0 B, no limit",
            "",
            "REPO         SHARE",
            "quota/seen  1.0 MB",
        ]
        assert box.run(carol, "quota", "--user", "nobody-here").returncode == 2


def test_jobs_beyond_what_may_run_wait_and_beyond_what_may_wait_are_refused(
    hub: TestHub, place: Path
) -> None:
    ann, bob = new_user(), new_user()
    repos = [make(hub, f"quota/job-{number}", size=3 * MIB) for number in range(4)]
    with watched(Box(hub, place, {"running_jobs": 1, "queued_jobs": 1})) as box:
        hub.faults.add("dribble", rate=100_000, after=100_000, match={"server": "cdn"}, times=None)
        with ann.client(box.socket) as client:
            jobs = [
                client.call("Downloads.Download", repo=repo, detach=True)["job"] for repo in repos[:2]
            ]
            waiting = client.call("Jobs.Show", id=jobs[1])["job"]
            assert waiting["state"] == "queued"
            assert waiting["reason"] == "as many jobs of this account run as it may have (1)"
            with pytest.raises(CallFailed) as caught:
                client.call("Downloads.Download", repo=repos[2], detach=True)
            assert caught.value.name == "QuotaExceeded"
            assert "1 running and 1 waiting jobs, and may have 1 waiting" in caught.value.message
            account = box.quota(ann)["account"]
            assert (account["jobs_running"], account["jobs_queued"]) == (1, 1)
            # Nobody else is held up.
            with bob.client(box.socket) as other:
                number = other.call("Downloads.Download", repo=repos[3], detach=True)["job"]
                assert other.call("Jobs.Show", id=number)["job"]["state"] != "queued"
            client.call("Jobs.Cancel", id=jobs[0])
            hub.faults.clear()
            eventually(lambda: client.call("Jobs.Show", id=jobs[1])["job"]["state"] == "done")
