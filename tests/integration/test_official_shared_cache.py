"""The official client and the daemon write to one cache, and each uses what the other brought."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.client_venvs import CLIENTS
from tests.support.daemon import Daemon
from tests.support.official_client import OfficialClient
from tests.support.scenes import MIXED_FILES, check_snapshot, daemon_in, files_below, repo_folder


@pytest.fixture(scope="module")
def module_daemon(
    session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    with daemon_in(
        tmp_path_factory.mktemp("shared"), session_hub, cache={"lock_files": True}
    ) as daemon:
        yield daemon


@pytest.fixture
def box(module_daemon: Daemon, hub: TestHub) -> Daemon:
    """The daemon, with an empty log of the Hub."""
    return module_daemon


@pytest.fixture(scope="module", params=list(CLIENTS))
def client(
    request: pytest.FixtureRequest,
    module_daemon: Daemon,
    session_hub: TestHub,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OfficialClient]:
    """A client whose cache is the daemon's."""
    home = tmp_path_factory.mktemp("home")
    with OfficialClient(
        request.param, session_hub.endpoint, home, HF_HUB_CACHE=str(module_daemon.cache)
    ) as client:
        yield client


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub, client: OfficialClient) -> str:
    """A model whose contents no other test has."""
    name = "shared/" + re.sub(
        r"[^a-z0-9._]+", "-", request.node.name.removeprefix("test_").strip("]")
    )
    files = {**MIXED_FILES, "config.json": f"config of {name}", "n/a.txt": f"a of {name}"}
    files["model.safetensors"] = {"random": 300_000, "seed": name}
    files["n/more.safetensors"] = {"random": 200_000, "seed": name + "more"}
    hub.admin.create_repo(name, files=files)
    return name


def fetched(hub: TestHub, since: int = 0) -> set[str]:
    """Names of the files whose contents were sent."""
    return {
        record.file
        for record in hub.log.find(since=since, method="GET", status=[200, 206])
        if record.file
    }


def test_the_client_completes_what_we_began(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str
) -> None:
    folder = box.download(repo, "--include", "*.safetensors")
    since = hub.log.last_number()
    assert client.call("snapshot_download", repo_id=repo) == str(folder)
    check_snapshot(hub, repo, folder)
    assert not {name for name in fetched(hub, since) if name.endswith(".safetensors")}
    since = hub.log.last_number()
    assert box.download(repo) == folder
    assert fetched(hub, since) == set()


def test_we_adopt_what_the_client_brought(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str
) -> None:
    folder = Path(client.call("snapshot_download", repo_id=repo))
    since = hub.log.last_number()
    assert box.download(repo) == folder
    assert fetched(hub, since) == set()
    check_snapshot(hub, repo, folder)


def test_we_complete_what_the_client_began(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str
) -> None:
    begun = Path(client.call("hf_hub_download", repo_id=repo, filename="n/more.safetensors"))
    client.call("hf_hub_download", repo_id=repo, filename="n/a.txt")
    since = hub.log.last_number()
    folder = box.download(repo)
    assert folder == begun.parents[1]
    check_snapshot(hub, repo, folder)
    assert not {"n/more.safetensors", "n/a.txt"} & fetched(hub, since)


def test_a_daemon_adopts_an_existing_cache(
    hub: TestHub, client: OfficialClient, repo: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    folder = Path(client.call("snapshot_download", repo_id=repo, cache_dir=str(cache)))
    leftover = folder.parents[1] / "blobs" / ("0" * 64 + ".1234abcd.incomplete")
    leftover.write_bytes(b"half")
    since = hub.log.last_number()
    with Daemon(hub.endpoint, tmp_path, cache={"lock_files": True}) as daemon:
        assert daemon.download(repo) == folder
    check_snapshot(hub, repo, folder)
    assert fetched(hub, since) == set()
    assert leftover.exists(), "it belongs to another program"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_wrong_blob_is_not_served(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str, name: str
) -> None:
    """Right name, right size, wrong bytes: the official client would take it for good."""
    hub.admin.commit(repo, files={name: {"random": 200_001, "seed": repo + name}})
    folder = Path(client.call("snapshot_download", repo_id=repo))
    damage(folder / name)
    since = hub.log.last_number()
    assert box.download(repo) == folder
    check_snapshot(hub, repo, folder)
    assert fetched(hub, since) == {name}


def test_a_verified_blob_that_was_overwritten_is_not_served(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str
) -> None:
    folder = box.download(repo)
    damage(folder / "model.safetensors")
    since = hub.log.last_number()
    assert box.download(repo, "model.safetensors") == folder / "model.safetensors"
    check_snapshot(hub, repo, folder)
    assert fetched(hub, since) == {"model.safetensors"}


def damage(file: Path) -> None:
    blob = file.resolve()
    blob.chmod(0o644)
    with open(blob, "r+b") as opened:
        opened.seek(1000)
        byte = opened.read(1)
        opened.seek(1000)
        opened.write(bytes([byte[0] ^ 1]))


def test_the_client_finds_nothing_to_verify(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str
) -> None:
    if client.name == "0.36":
        pytest.skip("has no `hf cache verify`")
    box.download(repo)
    done = client.cli("cache", "verify", repo, "--fail-on-missing-files", "--fail-on-extra-files")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_client_removed_is_fetched_again(
    box: Daemon, hub: TestHub, client: OfficialClient, repo: str
) -> None:
    """`hf cache rm` while the daemon runs; another repo's links keep their bytes."""
    twin = repo + "-twin"
    hub.admin.create_repo(twin, files={"other.safetensors": {"random": 300_000, "seed": repo}})
    folder = box.download(repo)
    kept = box.download(twin)
    client.run("hf.scan_cache_dir().delete_revisions(commit).execute()", commit=folder.name)
    assert not folder.exists()
    since = hub.log.last_number()
    assert box.download(repo) == folder
    check_snapshot(hub, repo, folder)
    check_snapshot(hub, twin, kept)
    assert "model.safetensors" not in fetched(hub, since), "the twin holds its bytes"
    assert files_below(repo_folder(box, repo) / "refs") == {"main"}
    assert os.stat(folder / "model.safetensors").st_nlink == 2
