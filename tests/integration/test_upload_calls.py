"""`org.wharf.Uploads` as a program of one's own would call it: descriptors, rights, quotas, audit."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.scenes import eventually
from tests.support.trials import QUICK, watched
from tests.support.users import DAEMON_UID, User, needs_root, new_user, place_of_daemon
from tests.support.varlink_client import CallFailed, VarlinkClient

pytestmark = needs_root

ALICE = "hf_alice"
MIB = 1 << 20


class Box(Daemon):
    """A daemon that all may connect to, and its audit."""

    def __init__(self, hub: TestHub, place: Path, **settings: dict[str, Any]) -> None:
        self.trail = place / "audit.log"
        access = {"allow_users": ["*"], "allow_groups": [], "admin_users": [], "admin_groups": []}
        audit = {"file": str(self.trail), "log": "all"}
        tables = {"access": access, "audit": audit, **settings}
        super().__init__(hub.endpoint, place, user=DAEMON_UID, **QUICK, **tables)

    def reload(self, **tables: dict[str, Any]) -> None:
        assert self.process
        before = self.log.count("configuration reloaded")
        for table, keys in tables.items():
            self.settings.setdefault(table, {}).update(keys)
        self.write_config()
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.log.count("configuration reloaded") > before)

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        """What was taken down and has all these members."""
        if not self.trail.exists():
            return []
        found = [json.loads(line) for line in self.trail.read_text().splitlines()]
        return [event for event in found if wanted.items() <= event.items()]


@pytest.fixture
def place() -> Iterator[Path]:
    with place_of_daemon() as folder:
        yield folder


@pytest.fixture
def box(place: Path, hub: TestHub) -> Iterator[Box]:
    with watched(Box(hub, place)) as daemon:
        assert isinstance(daemon, Box)
        yield daemon


@pytest.fixture
def ann() -> User:
    return new_user()


@pytest.fixture
def client(box: Box, ann: User) -> Iterator[VarlinkClient]:
    with ann.client(box.socket) as connection:
        yield connection


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub) -> str:
    name = f"alice/calls-{request.node.originalname.removeprefix('test_').replace('_', '-')}"[:80]
    hub.admin.create_repo(name, files={"old.txt": "old"})
    return name


def opened(tmp_path: Path, *contents: bytes) -> list[int]:
    """Descriptors of files with these contents; closed with the test's process."""
    numbers = []
    for content in contents:
        path = tmp_path / f"file-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        numbers.append(os.open(path, os.O_RDONLY))
    return numbers


def begin(client: VarlinkClient, repo: str, **more: Any) -> int:
    return client.call("Uploads.Begin", repo=repo, token=ALICE, **more)["upload"]


def text(path: str, content: str) -> dict[str, str]:
    return {"path": path, "content": base64.b64encode(content.encode()).decode()}


def push(client: VarlinkClient, repo: str, path: str = "new.txt", **more: Any) -> dict[str, Any]:
    """One small file, waited for."""
    upload = begin(client, repo, **more)
    client.call("Uploads.Add", upload=upload, contents=[text(path, "new")])
    return client.call("Uploads.Submit", upload=upload)


def failure(call: Any, *arguments: Any, **parameters: Any) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        call(*arguments, **parameters)
    assert caught.value.name != "InvalidParameter", "a sentence says more"
    assert caught.value.hint, caught.value
    return caught.value


def tree(hub: TestHub, repo: str) -> set[str]:
    return set(hub.admin.files(repo)) - {".gitattributes"}


def test_files_contents_and_deletions_become_one_commit(
    box: Box, client: VarlinkClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    upload = begin(client, repo, message="First\n\nand why", description="More")
    files = [{"path": "b/two.bin", "descriptor": 1}, {"path": "one.txt", "descriptor": 0, "size": 3}]
    added = client.call(
        "Uploads.Add", upload=upload, files=files,
        passed=opened(tmp_path, b"one, and more", b"2" * MIB),
    )
    assert added["files"] == 2 and added["bytes"] == 3 + MIB
    added = client.call(
        "Uploads.Add", upload=upload, contents=[text("c", "sea")], delete=["old.txt"],
    )
    assert added["files"] == 3 and added["bytes"] == 6 + MIB
    answers = list(client.stream("Uploads.Submit", upload=upload))
    result = answers[-1]["result"]
    number = answers[0]["job"]
    assert number == answers[-1]["job"] and {"state", "files_total"} <= set(answers[0]["progress"])
    newest = hub.admin.commits(repo)[0]
    assert result["commit"] == newest["id"]
    assert result["url"] == f"{hub.endpoint}/{repo}/commit/{newest['id']}"
    assert (result["commits"], result["files"]) == (1, 3) and result.get("pull_request") is None
    assert newest["title"] == "First" and "and why" in newest["message"]
    assert tree(hub, repo) == {"b/two.bin", "one.txt", "c"}
    assert hub.admin.files(repo)["one.txt"]["size"] == 3
    shown = client.call("Jobs.Show", id=number)["job"]
    assert shown["kind"] == "commit" and shown["state"] == "done"
    assert (shown["message"], shown["url"]) == ("First", result["url"])
    eventually(lambda: box.events(action="upload"))
    (event,) = box.events(action="upload")
    assert event["repo"] == f"model {repo}" and event["result"] == "ok"
    assert newest["id"] in event["detail"] and f"job {number}" in event["detail"]


def test_wrong_descriptors_change_nothing(
    client: VarlinkClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    upload = begin(client, repo)
    one, two = opened(tmp_path, b"one", b"two")

    def refused(files: list[dict[str, Any]], *descriptors: int) -> None:
        parameters: dict[str, Any] = {"upload": upload, "files": files}
        wrong = failure(client.call, "Uploads.Add", passed=descriptors, **parameters)
        assert wrong.name == "InvalidRequest", wrong

    a, b = {"path": "a", "descriptor": 0}, {"path": "b", "descriptor": 0}
    refused([a])
    refused([a, {"path": "b", "descriptor": 2}], one, two)
    refused([{"path": "a", "descriptor": -1}], one)
    refused([a, b], one, two)
    refused([a, b], one)
    refused([a], one, two)
    refused([], one)
    refused([{"path": f"{i}", "descriptor": i} for i in range(201)], *[one] * 201)
    pipe, other = os.pipe()
    os.close(other)
    before = len(hub.admin.commits(repo))
    files = [{"path": f"{i}", "descriptor": i} for i in range(200)]
    assert client.call("Uploads.Add", upload=upload, files=files, passed=[one] * 200)["files"] == 200
    assert client.call("Uploads.Submit", upload=upload)["result"]["files"] == 200
    assert len(hub.admin.commits(repo)) == before + 1
    upload = begin(client, repo)
    wrong = failure(client.call, "Uploads.Add", upload=upload, files=[a], passed=[pipe])
    assert wrong.name == "InvalidRequest" and "a" in wrong.message
    os.close(pipe)


def test_wrong_contents_and_copies(client: VarlinkClient, repo: str) -> None:
    upload = begin(client, repo)
    for wrong in (
        {"contents": [{"path": "a", "content": "Zg"}]},
        {"contents": [{"path": "a", "content": "Zm9v\n"}]},
        {"contents": [text(f"{i}", "") for i in range(201)]},
        {"contents": [text("../a", "")]},
        {"contents": [text("a", ""), text("a", "")]},
        {"copies": [{"path": "a", "from_path": "b", "from_repo_type": "space"}]},
        {"copies": [{"path": "a", "from_path": "b", "from_repo": "a b"}]},
        {"delete": ["/etc/passwd"]},
        {"delete_patterns": ["*" * 5000]},
        {"delete_patterns": ["*"], "below": "../.."},
    ):
        assert failure(client.call, "Uploads.Add", upload=upload, **wrong).name == "InvalidRequest", wrong
    assert failure(client.call, "Uploads.Submit", upload=upload).name == "InvalidRequest"  # nothing to do
    assert failure(begin, client, repo, parent_commit="main").name == "InvalidRequest"
    client.call("Uploads.Discard", upload=upload)
    assert failure(client.call, "Uploads.Add", upload=upload).name == "JobNotFound"


def test_one_way_calls_are_carried_out(
    client: VarlinkClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    upload = begin(client, repo)
    files = [{"path": "a", "descriptor": 0}]
    client.send(
        "Uploads.Add", oneway=True, upload=upload, files=files, passed=opened(tmp_path, b"one")
    )
    client.send("Uploads.Add", oneway=True, upload=upload, files=[{"path": "b", "descriptor": 7}])
    assert client.call("Uploads.Submit", upload=upload)["result"]["files"] == 1
    assert tree(hub, repo) == {"a", "old.txt"}


def test_an_upload_belongs_to_who_began_it(box: Box, client: VarlinkClient, repo: str) -> None:
    upload = begin(client, repo)
    client.call("Uploads.Add", upload=upload, contents=[text("a", "")])
    with new_user().client(box.socket) as other:
        for method in ("Add", "Submit", "Discard"):
            assert failure(other.call, f"Uploads.{method}", upload=upload).name == "JobNotFound"
        assert failure(other.call, "Uploads.Submit", upload=upload, detach=True).name == "JobNotFound"
    assert client.call("Uploads.Submit", upload=upload)["result"]["files"] == 1


def test_who_may_not_push_is_refused_and_that_is_taken_down(
    box: Box, client: VarlinkClient, hub: TestHub, repo: str, ann: User
) -> None:
    upload = begin(client, repo)
    box.reload(access={"upload_users": ["root"]})
    assert "upload_groups" in failure(begin, client, repo).hint
    for method in ("Add", "Submit"):
        assert failure(client.call, f"Uploads.{method}", upload=upload).name == "Forbidden"
    client.call("Uploads.Discard", upload=upload)
    eventually(lambda: len(box.events(action="refuse", result="forbidden", uid=ann.uid)) == 3)
    first = box.events(action="refuse")[0]
    assert first["repo"] == f"model {repo}" and first["detail"].startswith("org.wharf.Uploads.Begin: this account may not push")
    assert client.call("Downloads.Download", repo=repo, files=["old.txt"])["result"]["count"] == 1
    box.reload(access={"upload_users": [str(ann.uid)]})
    assert push(client, repo)["result"]["commits"] == 1


def test_a_failed_push_is_taken_down_and_retried_with_the_right_only(
    box: Box, client: VarlinkClient, hub: TestHub, repo: str
) -> None:
    parent = hub.admin.commits(repo)[0]["id"]
    hub.admin.commit(repo, files={"meanwhile": "x"})
    assert failure(push, client, repo, parent_commit=parent).name == "Conflict"
    eventually(lambda: box.events(action="upload", result="conflict"))
    number = client.jobs()[0]["id"]
    assert client.jobs()[0]["state"] == "failed" and client.jobs()[0].get("url") is None
    box.reload(access={"upload_users": ["root"]})
    assert failure(client.call, "Jobs.Retry", id=number).name == "Forbidden"
    box.reload(access={"upload_users": []})
    client.call("Jobs.Retry", id=number)
    eventually(lambda: len(box.events(action="upload", result="conflict")) == 2)
    client.call("Jobs.Cancel", id=number)
    eventually(lambda: box.events(action="upload", result="cancelled"))
    assert len(box.events(action="upload", result="conflict")) == 2
    assert failure(client.call, "Jobs.Retry", id=number).name == "InvalidRequest"


def test_what_is_staged_is_counted_and_bounded(
    box: Box, client: VarlinkClient, repo: str, tmp_path: Path
) -> None:
    box.reload(quota={"staging": "1MiB"})
    small, large = opened(tmp_path, b"s" * 1000, b"l" * 2 * MIB)
    upload = begin(client, repo)
    client.call("Uploads.Add", upload=upload, files=[{"path": "s", "descriptor": 0}], passed=[small])
    account = client.call("Quota.Show")["account"]
    assert (account["staged_bytes"], account["staged_limit"]) == (1000, MIB)
    files = [{"path": "l", "descriptor": 0}]
    wrong = failure(client.call, "Uploads.Add", upload=upload, files=files, passed=[large])
    assert wrong.name == "QuotaExceeded" and "1.0 MB" in wrong.message
    eventually(lambda: client.call("Quota.Show")["account"]["staged_bytes"] == 0)
    push(client, repo)
    eventually(lambda: client.call("Quota.Show")["account"]["staged_bytes"] == 0)


def test_an_attached_push_ends_with_its_call(
    box: Box, client: VarlinkClient, ann: User, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    files = [{"path": "a.bin", "descriptor": 0}]
    content = os.urandom(2 * MIB)
    with ann.client(box.socket) as caller:
        upload = begin(caller, repo, attached=True)
        caller.call("Uploads.Add", upload=upload, files=files, passed=opened(tmp_path, content))
        assert client.call("Quota.Show")["account"]["staged_bytes"] == 0
        assert failure(caller.call, "Uploads.Submit", upload=upload, detach=True).name == "InvalidRequest"
        rule = hub.faults.add("stall", after=0, match={"method": "PUT"}, times=None)
        caller.send("Uploads.Submit", more=True, upload=upload)
        number = caller.receive()[0]["job"]
        hub.faults.wait(rule, 1)
    states = ("paused", "cancelled", "failed")
    eventually(lambda: client.call("Jobs.Show", id=number)["job"]["state"] in states)
    hub.faults.release(rule)
    hub.faults.remove(rule)
    assert tree(hub, repo) == {"old.txt"}


def test_a_detached_push_is_a_job_at_once(client: VarlinkClient, hub: TestHub, repo: str) -> None:
    upload = begin(client, repo, priority="background")
    client.call("Uploads.Add", upload=upload, contents=[text("a", "now")])
    answer = client.call("Uploads.Submit", upload=upload, detach=True)
    assert answer.get("result") is None
    eventually(lambda: client.call("Jobs.Show", id=answer["job"])["job"]["state"] == "done")
    shown = client.call("Jobs.Show", id=answer["job"])["job"]
    assert shown["priority"] == "background" and shown["detached"] is True
    assert failure(client.call, "Uploads.Submit", upload=upload).name == "JobNotFound"
    assert "a" in tree(hub, repo)
