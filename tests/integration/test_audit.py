"""What is taken down of who did what: complete, in order, and nothing that somebody could forge."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.job_calls import call
from tests.support.scenes import eventually
from tests.support.trials import QUICK, watched
from tests.support.users import DAEMON_UID, User, folder_of, needs_root, new_user, open_folder
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
    with open_folder() as folder:
        place = folder_of(User(DAEMON_UID, DAEMON_UID), folder, "box")
        place.chmod(0o755)
        trail = place / "audit.log"
        settings = {
            **QUICK,
            "access": {"allow_users": ["*"], "allow_groups": []},
            "audit": {"file": str(trail), "log": "all"},
        }
        with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **settings)) as box:
            with new_user().client(box.socket) as client, pytest.raises(CallFailed):
                client.call("Downloads.Download", repo=repo, revision=forged, token="hf_bob")
            eventually(lambda: events(trail, action="refuse"))
            assert all(event["result"] != "ok" for event in events(trail, action="refuse"))
