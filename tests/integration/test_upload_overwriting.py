"""Two who write the same file at the same time: nothing is overwritten silently."""

from __future__ import annotations

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.pushes import submit, titles, tree
from tests.support.trials import QUICK, content, watched
from tests.support.varlink_client import VarlinkClient


def test_what_others_changed_meanwhile_is_overwritten_and_told(hub: TestHub) -> None:
    repo = "alice/push-overwriting"
    hub.admin.create_repo(repo, files={"config.json": "{}", "other.txt": "old"})
    large = content("overwriting", 400_000)
    stall = hub.faults.add("upload_stall", after=100_000, seconds=60, match={"server": "cdn"})
    with watched(Daemon(hub.endpoint, **QUICK)) as box, VarlinkClient(box.socket) as client:
        added = {"w.bin": large, "config.json": b'{"of": "the push"}'}
        number = submit(box, repo, added, message="Push")
        hub.faults.wait(stall, 1)
        files = {"config.json": '{"of": "somebody else"}', "other.txt": "new"}
        hub.admin.commit(repo, files=files, message="Meanwhile")
        hub.faults.clear()
        job = client.call("Jobs.Watch", id=number)["job"]
        assert job["state"] == "done", job
        [warning] = job["warnings"]
    assert "'config.json' was changed" in warning
    assert tree(hub, repo) == {**added, "other.txt": b"new"}
    assert titles(hub, repo)[-2:] == ["Meanwhile", "Push"]
