"""What is taken down of who did what: complete, in order, and nothing that somebody could forge."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.scenes import eventually
from tests.support.trials import MIB, QUICK, watched
from tests.support.users import (
    DAEMON,
    DAEMON_UID,
    OPEN_TO_ALL,
    User,
    needs_root,
    new_user,
    place_of_daemon,
)
from tests.support.varlink_client import CallFailed


def events(path: Path, **wanted: Any) -> list[dict[str, Any]]:
    """The entries of the file that have all these members."""
    if not path.exists():
        return []
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [event for event in found if wanted.items() <= event.items()]


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def audited(hub: TestHub, tmp_path: Path, **audit: str) -> Daemon:
    return Daemon(hub.endpoint, tmp_path / "box", **QUICK, audit=audit)


def make(hub: TestHub, name: str, **access: Any) -> str:
    hub.admin.create_repo(name, files={"a.txt": f"of {name}"}, **access)
    return name


def test_a_download_of_a_private_repo_is_taken_down(hub: TestHub, tmp_path: Path, trail: Path) -> None:
    secret, public = make(hub, "alice/audited", private=True), make(hub, "org/audit-public")
    with watched(audited(hub, tmp_path, file=str(trail))) as box:
        before = datetime.now().timestamp()
        box.download(secret, "--token", "hf_alice")
        box.download(public)
        eventually(lambda: events(trail, action="download"))
        (event,) = events(trail, action="download")
        assert event["uid"] == os.getuid() and event["repo"] == f"model {secret}"
        assert event["result"] == "ok" and "main" in event["detail"]
        assert abs(datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp() - before) < 60
        assert oct(trail.stat().st_mode & 0o7777) == "0o600"
        assert "hf_alice" not in trail.read_text()


def test_all_takes_down_public_repos_too(hub: TestHub, tmp_path: Path, trail: Path) -> None:
    public = make(hub, "org/audit-all")
    with watched(audited(hub, tmp_path, file=str(trail), log="all")) as box:
        box.download(public)
        eventually(lambda: events(trail, action="download", repo=f"model {public}", result="ok"))


def test_a_file_that_was_moved_away_is_let_go_of(hub: TestHub, tmp_path: Path, trail: Path) -> None:
    first, second = make(hub, "org/audit-before"), make(hub, "org/audit-after")
    with watched(audited(hub, tmp_path, file=str(trail), log="all")) as box:
        box.download(first)
        eventually(lambda: events(trail, repo=f"model {first}"))
        old = trail.rename(trail.with_suffix(".1"))
        assert box.process
        box.process.send_signal(signal.SIGHUP)
        eventually(lambda: "configuration reloaded" in box.log)
        box.download(second)
        eventually(lambda: events(trail, repo=f"model {second}"))
        assert not events(old, repo=f"model {second}")


def test_a_file_that_cannot_be_written_stops_nobody(hub: TestHub, tmp_path: Path, trail: Path) -> None:
    first, second = make(hub, "org/audit-broken"), make(hub, "org/audit-mended")
    trail.mkdir()  # opening a folder for writing fails, for root too
    with watched(audited(hub, tmp_path, file=str(trail), log="all")) as box:
        box.download(first)
        box.download(second)
        assert box.log.count("opening the audit file") == 1
        trail.rmdir()
        assert box.process
        box.process.send_signal(signal.SIGHUP)  # tries at once
        eventually(lambda: events(trail, repo=f"model {second}"))
        assert events(trail, repo=f"model {first}")


def test_without_journal_and_file_events_are_in_the_log(hub: TestHub, tmp_path: Path) -> None:
    if os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("there is a journal here")
    public = make(hub, "org/audit-log")
    with watched(audited(hub, tmp_path, log="all")) as box:
        box.download(public)
        eventually(lambda: f"audit: download root (uid 0) model {public}: ok" in box.log)


@needs_root
def test_names_from_outside_forge_no_entries(hub: TestHub) -> None:
    repo = make(hub, "org/audit-forged", gated="manual")
    forged = 'x","result":"ok","uid":"0'
    with place_of_daemon() as place:
        trail = place / "audit.log"
        settings = {
            **QUICK,
            **OPEN_TO_ALL,
            "audit": {"file": str(trail), "log": "all"},
        }
        with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **settings)) as box:
            with new_user().client(box.socket) as client, pytest.raises(CallFailed):
                client.call("Downloads.Download", repo=repo, revision=forged, token="hf_bob")
            eventually(lambda: events(trail, action="refuse"))
            assert all(event["result"] != "ok" for event in events(trail, action="refuse"))


# --- People who are told apart ---


class Scene:
    """A daemon for everybody, the trail that it leaves, and people with an account at the Hub."""

    def __init__(self, hub: TestHub, place: Path, admin: User, **access: Any) -> None:
        self.hub = hub
        self.trail = place / "audit.log"
        self.tokens: list[str] = []
        self.box = Daemon(
            hub.endpoint, place, user=DAEMON_UID, **QUICK, audit={"file": str(self.trail)},
            access={**OPEN_TO_ALL["access"], "admin_users": [str(admin.uid)], **access},
        )

    def account(self, name: str) -> str:
        """Somebody at the Hub; the token."""
        self.tokens.append(f"hf_of{name.replace('-', '')}")
        self.hub.admin.add_user(name, token=self.tokens[-1])
        return self.tokens[-1]

    def call(self, user: User, method: str, **parameters: Any) -> dict[str, Any]:
        with user.client(self.box.socket) as client:
            return client.call(method, **parameters)

    def refusal(self, user: User, method: str, **parameters: Any) -> str:
        """The name of the error; empty when the call ended well."""
        try:
            self.call(user, method, **parameters)
            return ""
        except CallFailed as failed:
            return failed.name

    def held(self, user: User, repo: str, token: str = "") -> dict[str, Any]:
        """Fetches a file; by what is returned it is asked for without a word to the Hub."""
        result = self.call(user, "Downloads.Download", repo=repo, files=["a.txt"], token=token)["result"]
        return {"repo": repo, "files": ["a.txt"], "revision": result["commit"]}

    def taken_down(self, *actions: str) -> list[dict[str, Any]]:
        """What of these the whole trail holds when the daemon has ended, without time and detail."""
        assert self.box.stop() == 0, self.box.log
        text = self.trail.read_text()
        for token in self.tokens:
            assert token not in text and token[3:] not in text
        assert "hf_" not in text
        members = ("action", "uid", "repo", "result")
        return [
            {name: event[name] for name in members if name in event}
            for event in events(self.trail) if event["action"] in actions
        ]


@contextmanager
def scene(hub: TestHub, admin: User | None = None, **access: Any) -> Iterator[Scene]:
    with place_of_daemon() as place:
        made = Scene(hub, place, admin or new_user(), **access)
        with watched(made.box):
            yield made


def entry(action: str, user: User, repo: str = "", result: str = "ok") -> dict[str, Any]:
    about = {"repo": f"model {repo}"} if repo else {}
    return {"action": action, "uid": user.uid, **about, "result": result}


@needs_root
def test_a_grant_is_taken_down_once(hub: TestHub) -> None:
    ann = new_user()
    with scene(hub) as made:
        token = made.account("audit-granted")
        repo = make(hub, "audit-granted/private", private=True)
        for _ in range(3):
            made.call(ann, "Downloads.Download", repo=repo, token=token)
        assert made.taken_down("grant", "refuse", "revoke") == [entry("grant", ann, repo)]
        assert len(events(made.trail, **entry("download", ann, repo))) == 3


@needs_root
def test_each_account_that_is_let_in_is_taken_down(hub: TestHub) -> None:
    ann, ben = new_user(), new_user()
    with scene(hub) as made:
        token = made.account("audit-both")
        repo = make(hub, "audit-both/private", private=True)
        for user in (ann, ben):
            made.call(user, "Downloads.Download", repo=repo, token=token)
        assert made.taken_down("grant") == [entry("grant", ann, repo), entry("grant", ben, repo)]


@needs_root
@pytest.mark.parametrize("own_token", [True, False], ids=["own_token", "no_token"])
@pytest.mark.parametrize(
    ("name", "access", "error", "result"),
    [
        ("private", {"private": True}, "RepoNotFound", "repo_not_found"),
        ("gated", {"gated": "manual"}, "Gated", "gated"),
    ],
    ids=["private", "gated"],
)
def test_a_refusal_is_taken_down_once(
    hub: TestHub, name: str, access: dict[str, Any], error: str, result: str, own_token: bool
) -> None:
    ann = new_user()
    which = f"{name}-{'own' if own_token else 'none'}"
    with scene(hub) as made:
        token = {"token": made.account(f"audit-refused-{which}")} if own_token else {}
        repo = make(hub, f"org/audit-refused-{which}", **access)
        assert made.refusal(ann, "Downloads.Download", repo=repo, **token) == error
        found = made.taken_down("grant", "refuse", "revoke", "download")
        assert found == [entry("refuse", ann, repo, result)]


@needs_root
def test_what_the_rules_of_this_machine_refuse_is_taken_down(hub: TestHub) -> None:
    ann, ben, stranger = new_user(), new_user(), new_user()
    people = [str(ann.uid), str(ben.uid)]
    rules = {"allow_users": people, "download_users": [str(ben.uid)], "upload_users": [str(ben.uid)]}
    with scene(hub, **rules) as made:
        public = make(hub, "org/audit-rules")
        assert made.refusal(ann, "Downloads.Download", repo=public) == "Forbidden"
        held = made.held(ben, public)
        made.call(ann, "Downloads.Download", **held)  # what is cached may be had
        assert made.refusal(ann, "Uploads.Begin", repo=public, message="m") == "Forbidden"
        assert made.refusal(ann, "Jobs.List", all_users=True) == "Forbidden"
        assert made.refusal(ann, "Auth.List", all=True) == "Forbidden"
        assert made.refusal(ann, "Quota.List") == "Forbidden"
        for _ in range(50):
            assert made.refusal(stranger, "Daemon.Status") == "Forbidden"
        mine = [ann.uid, stranger.uid]  # whoever waited for the daemon to start is a stranger, too
        assert [event for event in made.taken_down("refuse") if event["uid"] in mine] == [
            entry("refuse", ann, public, "forbidden"),
            entry("refuse", ann, public, "forbidden"),
            *[entry("refuse", ann, result="forbidden")] * 3,
            entry("refuse", stranger, result="forbidden"),
        ]
        details = [
            event["detail"].partition(":")[0]
            for event in events(made.trail, action="refuse") if event["uid"] in mine
        ]
        assert details == [
            "org.wharf.Downloads.Download", "org.wharf.Uploads.Begin", "org.wharf.Jobs.List",
            "org.wharf.Auth.List", "org.wharf.Quota.List", "connect",
        ]


@needs_root
@pytest.mark.parametrize("renew_for", ["1h", "0s"])
def test_the_end_of_a_grant_is_taken_down_once(hub: TestHub, renew_for: str) -> None:
    """Whether it is found out in the background or by the next use."""
    ann, ben = new_user(), new_user()
    with scene(hub, grant_ttl="1s", renew_for=renew_for) as made:
        mine, other = made.account(f"audit-ends-{renew_for}"), made.account(f"audit-stays-{renew_for}")
        repo = make(
            hub, f"org/audit-ends-{renew_for}", private=True,
            members=[f"audit-ends-{renew_for}", f"audit-stays-{renew_for}"],
        )
        held = made.held(ann, repo, mine)
        made.held(ben, repo, other)
        hub.admin.set_access(repo, members=[f"audit-stays-{renew_for}"])
        eventually(lambda: made.refusal(ann, "Downloads.Download", **held, token=mine) == "RepoNotFound")
        made.call(ben, "Downloads.Download", **held, token=other)
        found = made.taken_down("grant", "refuse", "revoke")
        assert [event for event in found if event["uid"] == ann.uid] == [
            entry("grant", ann, repo), entry("revoke", ann, repo, "repo_not_found"),
            entry("refuse", ann, repo, "repo_not_found"),
        ]
        # What was not used for so long that it ended is granted anew.
        others = [event for event in found if event["uid"] != ann.uid]
        assert others and all(event == entry("grant", ben, repo) for event in others)


@needs_root
def test_a_repo_that_is_public_no_more_is_taken_down(hub: TestHub) -> None:
    ann = new_user()
    with scene(hub, grant_ttl="600ms") as made:
        repo = make(hub, "org/audit-closed")
        held = made.held(ann, repo)
        hub.admin.set_access(repo, private=True)
        eventually(lambda: made.refusal(ann, "Downloads.Download", **held) == "RepoNotFound")
        assert made.taken_down("grant", "revoke") == [entry("revoke", DAEMON, repo)]


@needs_root
def test_login_and_logout_are_taken_down_once(hub: TestHub) -> None:
    ann = new_user()
    with scene(hub) as made:
        token = made.account("audit-login")
        made.tokens.append("hf_mistypedofaudit")
        assert made.refusal(ann, "Auth.Login", token="hf_mistypedofaudit") == "Unauthorized"
        made.call(ann, "Auth.Login", token=token)
        made.call(ann, "Auth.WhoAmI")
        made.call(ann, "Auth.Logout")
        assert made.call(ann, "Auth.Logout")["token"] is None  # changes nothing
        assert made.taken_down("login", "logout", "admin") == [
            entry("login", ann, result="unauthorized"), entry("login", ann), entry("logout", ann),
        ]
        assert "audit-login" in events(made.trail, action="login", result="ok")[0]["detail"]


@needs_root
def test_a_logout_ends_what_the_stored_token_proved(hub: TestHub) -> None:
    ann = new_user()
    with scene(hub) as made:
        token = made.account("audit-leaves")
        repo = make(hub, "audit-leaves/private", private=True)
        made.call(ann, "Auth.Login", token=token)
        made.call(ann, "Downloads.Download", repo=repo)
        made.call(ann, "Auth.Logout")
        assert made.refusal(ann, "Downloads.Download", repo=repo) == "RepoNotFound"
        found = made.taken_down("login", "grant", "logout", "revoke", "refuse")
        by_action = {event["action"]: event for event in found}
        assert len(found) == len(by_action) == 5, found
        assert all(event["uid"] == ann.uid for event in found)
        assert by_action["revoke"]["repo"] == by_action["grant"]["repo"] == f"model {repo}"


@needs_root
@pytest.mark.parametrize(
    ("acts", "details"),
    [
        (["Cancel"], ["cancelled"]),
        (["Pause", "Resume"], ["paused", "resumed"]),
        (["Cancel", "Retry"], ["cancelled", "retried"]),
        (["Prioritize"], ["made background"]),
    ],
    ids=lambda words: "_".join(words).replace(" ", "_"),
)
def test_what_an_administrator_does_with_anothers_job_is_taken_down_once(
    hub: TestHub, acts: list[str], details: list[str]
) -> None:
    ann, admin = new_user(), new_user()
    which = "-".join(acts).lower()
    with scene(hub, admin) as made:
        token = made.account(f"audit-job-{which}")
        repo = f"audit-job-{which}/private"
        hub.admin.create_repo(repo, files={"w.bin": {"random": 2 * MIB, "seed": repo}}, private=True)
        rule = hub.faults.add("stall", after=0, match={"server": "cdn"}, times=None)
        job = made.call(ann, "Downloads.Download", repo=repo, token=token, detach=True)["job"]
        for act in acts:
            more = {"priority": "background"} if act == "Prioritize" else {}
            made.call(admin, f"Jobs.{act}", id=job, **more)
        made.call(admin, "Jobs.Show", id=job)
        for act in ("Pause", "Resume", "Cancel", "Retry"):  # her own job is her own business
            made.refusal(ann, f"Jobs.{act}", id=job)
        hub.faults.release(rule)
        assert made.taken_down("admin") == [entry("admin", admin, repo) for _ in acts]
        assert [event["detail"] for event in events(made.trail, action="admin")] == [
            f"{detail} job {job} of uid {ann.uid}" for detail in details
        ]


@needs_root
def test_an_act_that_is_not_allowed_changes_nothing_and_is_no_act(hub: TestHub) -> None:
    ann, ben = new_user(), new_user()
    with scene(hub) as made:
        token = made.account("audit-meddled")
        repo = "audit-meddled/private"
        hub.admin.create_repo(repo, files={"w.bin": {"random": 2 * MIB, "seed": repo}}, private=True)
        rule = hub.faults.add("stall", after=0, match={"server": "cdn"}, times=None)
        job = made.call(ann, "Downloads.Download", repo=repo, token=token, detach=True)["job"]
        assert made.refusal(ben, "Jobs.Cancel", id=job) == "JobNotFound"
        hub.faults.release(rule)
        assert made.taken_down("admin") == []
