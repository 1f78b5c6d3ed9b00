"""The official client reads our cache with no network: every release line, every kind of repo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.client_venvs import CLIENTS
from tests.support.daemon import Daemon
from tests.support.official_client import OfficialClient
from tests.support.scenes import KINDS, MIXED_FILES, daemon_in, files_below, repo_folder

REPO = "org/off"  # short: `hf cache ls` cuts long names
REVISIONS = ["main", "dev/next", "v1.0", "refs/pr/1"]


@pytest.fixture(scope="module")
def box(session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that has fetched several revisions of a repo of each kind."""
    with daemon_in(tmp_path_factory.mktemp("offline"), session_hub) as daemon:
        for kind in KINDS:
            admin = session_hub.admin
            first = admin.create_repo(REPO, kind, files={**MIXED_FILES, "kind.txt": kind})
            admin.set_ref(REPO, "v1.0", first, kind, ref_kind="tag")
            admin.commit(REPO, kind, branch="dev/next", files={"config.json": f"dev {kind}"})
            admin.commit(REPO, kind, branch="1", ref_kind="pull", files={"config.json": "pr"})
            admin.commit(REPO, kind, files={"config.json": "second"})
            for revision in REVISIONS:
                daemon.download(REPO, "--repo-type", kind, "--revision", revision)
        session_hub.admin.create_repo("org/only-listed", files=MIXED_FILES)
        assert daemon.wharf("download", "--dry-run", "org/only-listed").returncode == 0
        yield daemon


@pytest.fixture(scope="module", params=list(CLIENTS))
def reader(
    request: pytest.FixtureRequest, box: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OfficialClient]:
    """A client that is told to stay offline, and has a Hub that nobody answers for anyway."""
    home = tmp_path_factory.mktemp("home")
    with OfficialClient(
        request.param, "http://127.0.0.1:9", home, HF_HUB_CACHE=str(box.cache), HF_HUB_OFFLINE="1"
    ) as client:
        yield client


@pytest.fixture(scope="module", params=list(CLIENTS))
def local_reader(
    request: pytest.FixtureRequest, box: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OfficialClient]:
    """A client that would go to the network, but for what each call says."""
    home = tmp_path_factory.mktemp("home")
    with OfficialClient(
        request.param, "http://127.0.0.1:9", home, HF_HUB_CACHE=str(box.cache)
    ) as client:
        yield client


def check_reads(
    client: OfficialClient, hub: TestHub, box: Daemon, kind: str, **arguments: object
) -> None:
    for revision in [*REVISIONS, hub.state.get(kind, REPO).head.id]:
        commit = hub.state.get(kind, REPO).find_revision(revision)
        wanted = {"repo_id": REPO, "repo_type": kind, "revision": revision, **arguments}
        folder = repo_folder(box, REPO, kind) / "snapshots" / commit.id
        assert client.call("snapshot_download", **wanted) == str(folder)
        assert files_below(folder) == set(commit.files)
        for path, entry in commit.files.items():
            found = Path(client.call("hf_hub_download", filename=path, **wanted))
            assert found == folder / path
            assert found.read_bytes() == entry.blob.read()


@pytest.mark.parametrize("kind", KINDS)
def test_offline_mode_finds_our_files(
    reader: OfficialClient, session_hub: TestHub, box: Daemon, kind: str
) -> None:
    check_reads(reader, session_hub, box, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_local_files_only_finds_our_files(
    local_reader: OfficialClient, session_hub: TestHub, box: Daemon, kind: str
) -> None:
    check_reads(local_reader, session_hub, box, kind, local_files_only=True)


def test_the_cache_lookup_finds_our_files(
    reader: OfficialClient, session_hub: TestHub, box: Daemon
) -> None:
    found = reader.call("try_to_load_from_cache", repo_id=REPO, filename="config.json")
    head = session_hub.state.get("model", REPO).head.id
    assert found == str(repo_folder(box, REPO) / "snapshots" / head / "config.json")
    assert reader.call("try_to_load_from_cache", repo_id=REPO, filename="nothing") is None


_SCAN = """
report = hf.scan_cache_dir()
result = {**plain(report), "warnings": [str(warning) for warning in report.warnings]}
"""


def test_the_scanner_has_no_complaint(
    reader: OfficialClient, session_hub: TestHub, box: Daemon
) -> None:
    report = reader.run(_SCAN)
    complaints = report["warnings"]
    if reader.name == "0.36":  # it does not know the tag that newer lines write themselves
        complaints = [text for text in complaints if "CACHEDIR.TAG" not in text]
        assert len(report["warnings"]) == 1
    assert complaints == []
    found = {repo["repo_type"]: repo for repo in report["repos"] if repo["repo_id"] == REPO}
    assert set(found) == set(KINDS)
    for kind, repo in found.items():
        held = session_hub.state.get(kind, REPO)
        commits = {held.find_revision(revision).id: revision for revision in REVISIONS}
        assert {r["commit_hash"]: r["refs"] for r in repo["revisions"]} == {
            commit: [revision] for commit, revision in commits.items()
        }
        blobs = {
            entry.etag: entry.blob.size
            for commit in commits
            for entry in held.find_revision(commit).files.values()
        }
        assert (repo["nb_files"], repo["size_on_disk"]) == (len(blobs), sum(blobs.values()))


def test_the_command_lists_our_repos(reader: OfficialClient) -> None:
    words = ["cache", "scan"] if reader.name == "0.36" else ["cache", "ls"]
    done = reader.cli(*words)
    assert done.returncode == 0, done.stderr
    for kind in KINDS:
        assert any(kind in line and REPO in line for line in done.stdout.splitlines()), done.stdout


@pytest.fixture(scope="module")
def partial(session_hub: TestHub, box: Daemon) -> Path:
    """A snapshot of which only some files were asked for."""
    files = {"a.json": "a", "b.json": "b", "n/c.txt": "c", "n/w.safetensors": {"random": 50_000}}
    session_hub.admin.create_repo("org/partial", files=files)
    return box.download("org/partial", "--include", "*.json")


def test_partial_downloads_are_seen_as_such(reader: OfficialClient, partial: Path) -> None:
    found = reader.call("hf_hub_download", repo_id="org/partial", filename="a.json")
    assert found == str(partial / "a.json")
    error = reader.fails("hf_hub_download", repo_id="org/partial", filename="n/c.txt")
    assert "LocalEntryNotFoundError" in error.types
    some = {"repo_id": "org/partial", "allow_patterns": ["*.json"]}
    assert reader.call("snapshot_download", **some) == str(partial)
    if reader.name == "0.36":  # it takes a snapshot that exists for a complete one
        assert reader.call("snapshot_download", repo_id="org/partial") == str(partial)
    else:
        error = reader.fails("snapshot_download", repo_id="org/partial")
        assert error.types[0] == "IncompleteSnapshotError"
        assert "n/c.txt" in error.message
