"""`wharf upload` through the real daemon: the same trees as `hf upload` makes of the same folder.

For comparison the newest release without Xet: the test Hub has none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.client_venvs import WITHOUT_XET
from tests.support.daemon import Daemon
from tests.support.official_client import OfficialClient
from tests.support.official_uploads import ALICE, make_folder

NAMES = ("ours", "theirs")


@pytest.fixture(scope="module")
def official(session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficialClient]:
    home = tmp_path_factory.mktemp("uploading-home")
    with OfficialClient(WITHOUT_XET, session_hub.endpoint, home) as client:
        yield client


@pytest.fixture
def repos(request: pytest.FixtureRequest, hub: TestHub) -> Iterator[dict[str, str]]:
    """Two repos of the same content: one for our command, one for theirs."""
    base = request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")
    number = request.node.callspec.id if hasattr(request.node, "callspec") else "0"
    found = {name: f"wonderland/cli-push-{base}-{number}-{name}" for name in NAMES}
    for repo in found.values():
        hub.admin.create_repo(
            repo, files={"config.json": "{}", "old.bin": {"random": 5000}, "logs/1.txt": "one"}
        )
    yield found
    for repo in found.values():
        hub.admin.delete_repo(repo)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_folder(tmp_path / "source")
    (made / "linked").symlink_to("config.json")
    (made / ".git").mkdir()
    (made / ".git" / "config").write_text("x")
    return made


def push(daemon: Daemon, *arguments: str | Path) -> str:
    """The address that a push prints last."""
    ended = daemon.wharf("upload", *map(str, arguments), HF_TOKEN=ALICE)
    assert ended.returncode == 0, f"{ended.stderr}\n{daemon.log}"
    return ended.stdout.splitlines()[-1]


def head(hub: TestHub, repo: str) -> str:
    commit: str = hub.admin.commits(repo)[0]["id"]
    return commit


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["sub/dir"],
        [".", "--include", "*.bin", "--include", "deep/*"],
        [".", "--exclude", "deep/", "--exclude", "*.bin"],
        [".", "--delete", "*.bin", "--delete", "logs/"],
        ["logs", "--delete", "*"],
    ],
    ids=map(str, range(1, 7)),
)
def test_same_trees(
    daemon: Daemon, official: OfficialClient, hub: TestHub, repos: dict[str, str], folder: Path,
    options: list[str],
) -> None:  # fmt: skip
    place = options or ["."]
    url = push(daemon, repos["ours"], folder, *place)
    theirs = official.cli("upload", repos["theirs"], str(folder), *place, "--token", ALICE)
    assert theirs.returncode == 0, theirs.stderr
    assert hub.admin.files(repos["ours"]) == hub.admin.files(repos["theirs"])
    assert url.endswith(f"/{repos['ours']}/commit/{head(hub, repos['ours'])}")
    assert len(hub.admin.commits(repos["ours"])) == len(hub.admin.commits(repos["theirs"]))


def test_one_file(
    daemon: Daemon, official: OfficialClient, hub: TestHub, repos: dict[str, str], folder: Path
) -> None:
    push(daemon, repos["ours"], folder / "small.bin", "weights/w.bin")
    file = str(folder / "small.bin")
    ended = official.cli("upload", repos["theirs"], file, "weights/w.bin", "--token", ALICE)
    assert ended.returncode == 0, ended.stderr
    assert hub.admin.files(repos["ours"]) == hub.admin.files(repos["theirs"])


def test_nothing_changed_makes_no_commit(
    daemon: Daemon, hub: TestHub, repos: dict[str, str], folder: Path
) -> None:
    first = push(daemon, repos["ours"], folder)
    before = head(hub, repos["ours"])
    ended = daemon.wharf("upload", repos["ours"], str(folder), HF_TOKEN=ALICE)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, first)
    assert "no commit was made" in ended.stderr
    assert head(hub, repos["ours"]) == before


def test_detached_and_watched(
    daemon: Daemon, hub: TestHub, repos: dict[str, str], folder: Path
) -> None:
    number = push(daemon, repos["ours"], folder, "--detach", "--quiet")
    watched = daemon.wharf("jobs", "watch", number, "--json")
    assert watched.returncode == 0, watched.stderr
    job: dict[str, Any] = json.loads(watched.stdout)["job"]
    assert (job["kind"], job["state"]) == ("commit", "done")
    assert job["commit"] == head(hub, repos["ours"])
    assert "small.bin" in hub.admin.files(repos["ours"])


def test_attached(daemon: Daemon, hub: TestHub, repos: dict[str, str], folder: Path) -> None:
    push(daemon, repos["ours"], folder, "--attached")
    assert "deep/er/large.safetensors" in hub.admin.files(repos["ours"])


def test_a_pull_request(daemon: Daemon, hub: TestHub, repos: dict[str, str], folder: Path) -> None:
    before = head(hub, repos["ours"])
    url = push(daemon, repos["ours"], folder, "--create-pr")
    assert url.endswith(f"/{repos['ours']}/discussions/1")
    assert head(hub, repos["ours"]) == before
    assert "small.bin" in hub.admin.files(repos["ours"], revision="refs/pr/1")


def test_a_repo_and_a_branch_that_are_missing(
    daemon: Daemon, hub: TestHub, repos: dict[str, str], folder: Path
) -> None:
    new = repos["ours"] + "-new"
    push(daemon, new, folder, "--private")
    kept = next(repo for repo in hub.admin.repos() if repo["id"] == new)
    assert kept["private"]
    push(daemon, repos["ours"], folder, "--revision", "dev")
    assert "small.bin" in hub.admin.files(repos["ours"], revision="dev")
    assert "small.bin" not in hub.admin.files(repos["ours"])
    hub.admin.delete_repo(new)


def test_a_stale_parent_is_a_conflict_with_both_heads(
    daemon: Daemon, hub: TestHub, repos: dict[str, str], folder: Path
) -> None:
    stale = head(hub, repos["ours"])
    push(daemon, repos["ours"], folder / "small.bin")
    now = head(hub, repos["ours"])
    ended = daemon.wharf(
        "upload", repos["ours"], str(folder), "--parent-commit", stale, HF_TOKEN=ALICE
    )
    assert ended.returncode == 1
    assert stale in ended.stderr and now in ended.stderr
    assert head(hub, repos["ours"]) == now


def test_deletions(daemon: Daemon, hub: TestHub, repos: dict[str, str]) -> None:
    ended = daemon.wharf("repo-files", "delete", repos["ours"], "*.bin", "logs/", HF_TOKEN=ALICE)
    assert ended.returncode == 0, ended.stderr
    assert set(hub.admin.files(repos["ours"])) == {".gitattributes", "config.json"}
