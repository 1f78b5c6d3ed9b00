"""The official client and the daemon want the same bytes at the same time, on one cache: whoever
comes first fetches them, the other waits and uses them."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.official_client import OfficialClient
from tests.support.scenes import check_sent_once, check_snapshot, daemon_in, repo_folder

WAITING = "waiting for another program's lock"
LOCKS = {"cache": {"lock_files": True}, "transfer": {"piece_size": "1MiB"}}
SIZE = 5_000_000


@pytest.fixture(scope="module")
def module_daemon(
    session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    with daemon_in(tmp_path_factory.mktemp("locks"), session_hub, **LOCKS) as daemon:
        yield daemon


@pytest.fixture
def box(module_daemon: Daemon, hub: TestHub) -> Daemon:
    """The daemon, with an empty log of the Hub."""
    return module_daemon


@pytest.fixture(params=["2", "0.36"])
def client(request: pytest.FixtureRequest, box: Daemon, tmp_path: Path) -> Iterator[OfficialClient]:
    with client_on(box, request.param, tmp_path / "home") as client:
        client.run("hf.hf_hub_download")  # imported, which takes longest
        yield client


def client_on(daemon: Daemon, name: str, home: Path) -> OfficialClient:
    endpoint = str(daemon.settings["hub"]["endpoint"])
    return OfficialClient(name, endpoint, home, HF_HUB_CACHE=str(daemon.cache))


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub) -> str:
    """A model with one large file of its own."""
    name = re.sub(r"[^a-z0-9._]+", "-", request.node.name.removeprefix("test_").strip("]"))
    files = {"w.safetensors": {"random": SIZE, "seed": name}}
    hub.admin.create_repo(f"locks/{name}", files=files)
    return f"locks/{name}"


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def etag_of(hub: TestHub, repo: str) -> str:
    return hub.admin.files(repo)["w.safetensors"]["etag"]


def test_the_daemon_waits_for_the_client(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str, background: ThreadPoolExecutor
) -> None:
    rule = hub.faults.add("stall", after=1_000_000, seconds=60, match={"server": "cdn"})
    theirs = background.submit(
        client.call, "hf_hub_download", repo_id=repo, filename="w.safetensors"
    )
    hub.faults.wait(rule, 1)
    ours = background.submit(box.download, repo, "w.safetensors")
    box.wait_for_log(f"{WAITING} on {etag_of(hub, repo)}")
    hub.faults.clear()
    assert Path(theirs.result(30)) == ours.result(30)
    check_sent_once(hub, etag_of(hub, repo), SIZE)
    check_snapshot(hub, repo, box.download(repo))


def test_the_client_waits_for_the_daemon(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str, background: ThreadPoolExecutor
) -> None:
    rule = hub.faults.add("stall", after=500_000, seconds=60, match={"server": "cdn"}, times=None)
    ours = background.submit(box.download, repo, "w.safetensors")
    hub.faults.wait(rule, 1)
    theirs = background.submit(
        client.call, "hf_hub_download", repo_id=repo, filename="w.safetensors"
    )
    hub.log.wait(method="HEAD", file="w.safetensors")  # its last question before the lock
    hub.faults.clear()
    assert Path(theirs.result(30)) == ours.result(30)
    check_sent_once(hub, etag_of(hub, repo), SIZE)
    check_snapshot(hub, repo, box.download(repo))


def test_a_whole_repo_at_the_same_time(
    box: Daemon, hub: TestHub, client: OfficialClient, background: ThreadPoolExecutor
) -> None:
    """Each holds locks that the other waits for, which must not end in a deadlock."""
    repo = f"locks/whole-{client.name}"
    files: dict[str, object] = {f"{n:02}.txt": f"{client.name} {n}" for n in range(20)}
    files |= {
        f"{n}.safetensors": {"random": 700_000, "seed": f"{client.name} {n}"} for n in range(4)
    }
    hub.admin.create_repo(repo, files=files)
    hub.faults.add(
        "delay", seconds=0.05, match={"method": "GET", "path": "resolve|/lfs|/cdn"}, times=None
    )
    hub.faults.add("dribble", rate=2_000_000, match={"server": "cdn"}, times=None)
    theirs = background.submit(client.call, "snapshot_download", repo_id=repo)
    ours = background.submit(box.download, repo)
    assert Path(theirs.result(60)) == ours.result(60)
    check_snapshot(hub, repo, ours.result())
    for name, facts in hub.admin.files(repo).items():
        if name != ".gitattributes":  # which other repos hold, too
            check_sent_once(hub, facts["etag"], facts["size"])


def test_a_killed_client_blocks_nobody(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str, background: ThreadPoolExecutor
) -> None:
    rule = hub.faults.add("stall", after=1_000_000, seconds=60, match={"server": "cdn"})
    theirs = background.submit(
        client.call, "hf_hub_download", repo_id=repo, filename="w.safetensors"
    )
    hub.faults.wait(rule, 1)
    ours = background.submit(box.download, repo)
    box.wait_for_log(f"{WAITING} on {etag_of(hub, repo)}")
    client.kill()
    with pytest.raises(RuntimeError):
        theirs.result(30)
    check_snapshot(hub, repo, ours.result(30))


def test_a_killed_daemon_blocks_nobody(
    hub: TestHub, tmp_path: Path, repo: str, background: ThreadPoolExecutor
) -> None:
    rule = hub.faults.add("stall", after=500_000, seconds=60, match={"server": "cdn"}, times=4)
    with Daemon(hub.endpoint, tmp_path, **LOCKS) as daemon, client_on(
        daemon, "2", tmp_path / "home"
    ) as client:
        ours = daemon.start_wharf("download", repo)
        hub.faults.wait(rule, 4)  # as many pieces as it fetches at once
        theirs = background.submit(client.call, "snapshot_download", repo_id=repo)
        hub.log.wait(method="HEAD", file="w.safetensors")
        daemon.kill()
        check_snapshot(hub, repo, Path(theirs.result(30)))
        assert ours.wait(30) == 8
        daemon.start()
        since = hub.log.last_number()
        check_snapshot(hub, repo, daemon.download(repo))
        assert hub.log.count(since=since, file="w.safetensors") == 0


def test_without_lock_files_a_lock_is_no_obstacle(hub: TestHub, tmp_path: Path, repo: str) -> None:
    """A shared cache is ours alone: whoever may make lock files must not be able to block it."""
    with Daemon(hub.endpoint, tmp_path) as daemon:
        lock = (
            daemon.cache / ".locks" / repo_folder(daemon, repo).name / f"{etag_of(hub, repo)}.lock"
        )
        lock.parent.mkdir(parents=True)
        with open(lock, "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            check_snapshot(hub, repo, daemon.download(repo))
