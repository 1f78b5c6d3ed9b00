"""The unmodified official client works against the test Hub.

The test Hub is only as good as this judge: where the client would not accept a behaviour, the
test Hub is wrong. Each test runs with the newest release of every line in `CLIENTS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.client_venvs import CLIENTS
from tests.support.official_client import OfficialClient

FILES: dict[str, Any] = {
    "config.json": '{"hidden": 8}\n',
    "empty.txt": "",
    "nested/deep/notes with space.txt": "notes\n",
    "nested/größe?#%.txt": "odd name\n",
    "model.safetensors": {"random": 300_000, "seed": 1},
}


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub, client: OfficialClient) -> Iterator[str]:
    """A public model of this test's own."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")
    repo_id = f"wonderland/{name}"
    hub.admin.create_repo(repo_id, files=FILES)
    yield repo_id
    kept = {repo["id"] for repo in hub.admin.repos()}
    if repo_id in kept:
        hub.admin.delete_repo(repo_id)


def check_snapshot(
    hub: TestHub, repo_id: str, folder: Path, kind: str = "model", revision: str = "main"
) -> None:
    """All files of a revision are in `folder` with the right contents, and no others."""
    commit = hub.state.get(kind, repo_id).find_revision(revision)
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == set(commit.files)
    for path, entry in commit.files.items():
        assert (folder / path).read_bytes() == entry.blob.read(), path


def test_downloads_a_snapshot(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    folder = Path(client.call("snapshot_download", repo_id=repo, cache_dir=str(tmp_path)))
    assert folder.name == hub.state.get("model", repo).head.id
    check_snapshot(hub, repo, folder)

    before = hub.log.last_number()
    assert client.call("snapshot_download", repo_id=repo, cache_dir=str(tmp_path)) == str(folder)
    assert hub.log.count(since=before, method="GET", path_matches="/resolve/") == 0
    assert hub.log.count(since=before, server="cdn") == 0


def test_cache_passes_the_official_scanner(
    client: OfficialClient, repo: str, tmp_path: Path
) -> None:
    client.call("snapshot_download", repo_id=repo, cache_dir=str(tmp_path))
    report = client.call("scan_cache_dir", cache_dir=str(tmp_path))
    assert report["warnings"] == []
    assert [found["repo_id"] for found in report["repos"]] == [repo]
    assert report["repos"][0]["nb_files"] == len(FILES) + 1  # and .gitattributes


@pytest.mark.parametrize("page_size", [1, 3])
def test_follows_pages(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path, page_size: int
) -> None:
    hub.admin.configure(page_size=page_size)
    pages = -(-(len(FILES) + 1 + 2) // page_size)  # .gitattributes and two directories
    assert set(client.call("list_repo_files", repo_id=repo)) == set(hub.admin.files(repo))
    assert hub.log.count(path_matches="/tree/main") == pages
    folder = Path(client.call("snapshot_download", repo_id=repo, cache_dir=str(tmp_path)))
    check_snapshot(hub, repo, folder)
    if client.name != "0.36":  # which takes the listing of the repository's info instead
        assert hub.log.count(path_matches="/tree/[0-9a-f]{40}") == pages


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_downloads_single_files_of_every_kind(
    client: OfficialClient, hub: TestHub, tmp_path: Path, kind: str
) -> None:
    repo_id = f"wonderland/single-{client.name}"
    hub.admin.create_repo(repo_id, kind, files=FILES)
    files = hub.admin.files(repo_id, kind)
    for path, facts in files.items():
        found = client.call(
            "hf_hub_download",
            repo_id=repo_id,
            repo_type=kind,
            filename=path,
            cache_dir=str(tmp_path),
        )
        assert Path(found).as_posix().endswith(path)
        # The blob's name is the etag, so the scheme of names is right as well.
        assert Path(found).resolve().name == facts["etag"]
        assert Path(found).stat().st_size == facts["size"]
    hub.admin.delete_repo(repo_id, kind)


def test_downloads_repositories_without_namespace(
    client: OfficialClient, hub: TestHub, tmp_path: Path
) -> None:
    repo_id = f"gpt-{client.name}"
    hub.admin.create_repo(repo_id, files={"config.json": "{}"})
    folder = Path(client.call("snapshot_download", repo_id=repo_id, cache_dir=str(tmp_path)))
    check_snapshot(hub, repo_id, folder)
    hub.admin.delete_repo(repo_id)


def test_downloads_any_revision(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    first = hub.state.get("model", repo).head.id
    hub.admin.set_ref(repo, "v1.0", first, ref_kind="tag")
    commits = {
        "dev/next": hub.admin.commit(repo, branch="dev/next", files={"config.json": "dev"}),
        "refs/pr/1": hub.admin.commit(
            repo, branch="1", ref_kind="pull", files={"config.json": "pr"}
        ),
        "refs/convert/parquet": hub.admin.commit(
            repo, branch="parquet", ref_kind="convert", files={"config.json": "converted"}
        ),
        "main": hub.admin.commit(repo, files={"config.json": "second"}),
        "v1.0": first,
        first: first,
    }
    for revision, commit in commits.items():
        arguments = {"repo_id": repo, "revision": revision, "cache_dir": str(tmp_path)}
        path = Path(client.call("hf_hub_download", filename="config.json", **arguments))
        assert path.parent.name == commit
        folder = Path(client.call("snapshot_download", **arguments))
        assert folder.name == commit
        check_snapshot(hub, repo, folder, revision=revision)


def test_fetches_large_files_from_the_cdn_without_token(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    client.call(
        "hf_hub_download",
        repo_id=repo,
        filename="model.safetensors",
        cache_dir=str(tmp_path),
        token="hf_alice",
    )
    (head,) = hub.log.find(method="HEAD", file="model.safetensors")
    assert (head.status, head.user, head.token) == (302, "alice", "alice-1")
    (fetch,) = hub.log.find(server="cdn")
    assert (fetch.method, fetch.status, fetch.auth) == ("GET", 200, "none")
    etag = hub.admin.files(repo)["model.safetensors"]["etag"]
    assert hub.log.bytes_sent(etag) == 300_000


def test_follows_relative_redirects(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    hub.admin.configure(resolve_cache=True)
    folder = Path(client.call("snapshot_download", repo_id=repo, cache_dir=str(tmp_path)))
    check_snapshot(hub, repo, folder)
    assert hub.log.count(method="GET", status=200, path_matches="^/api/resolve-cache/") > 0


def test_private_repositories_need_a_token(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    hub.admin.set_access(repo, private=True)
    arguments = {"repo_id": repo, "cache_dir": str(tmp_path)}
    for token, status in ((False, 401), ("hf_bob", 404)):
        for function in ("snapshot_download", "model_info"):
            own = arguments if function == "snapshot_download" else {"repo_id": repo}
            error = client.fails(function, token=token, **own)
            assert (error.types[0], error.status) == ("RepositoryNotFoundError", status)
        error = client.fails("hf_hub_download", filename="config.json", token=token, **arguments)
        assert error.types[0] == "RepositoryNotFoundError"
    folder = Path(client.call("snapshot_download", token="hf_alice", **arguments))
    check_snapshot(hub, repo, folder)


def test_missing_repositories(client: OfficialClient, hub: TestHub, tmp_path: Path) -> None:
    arguments = {"repo_id": "wonderland/nowhere", "filename": "a", "cache_dir": str(tmp_path)}
    for token in (False, "hf_alice"):
        assert (
            client.fails("hf_hub_download", token=token, **arguments).types[0]
            == "RepositoryNotFoundError"
        )
        assert client.call("repo_exists", repo_id="wonderland/nowhere", token=token) is False


def test_gated_repositories_need_to_be_granted(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    hub.admin.set_access(repo, gated="manual")
    arguments = {"repo_id": repo, "filename": "config.json", "cache_dir": str(tmp_path)}
    for token, status in ((False, 401), ("hf_bob", 403)):
        error = client.fails("hf_hub_download", token=token, **arguments)
        assert (error.types[0], error.status) == ("GatedRepoError", status)
        error = client.fails("auth_check", repo_id=repo, token=token)
        assert (error.types[0], error.status) == ("GatedRepoError", status)
    assert "not in the authorized list" in error.message
    assert client.call("model_info", repo_id=repo, token=False)["gated"] == "manual"

    hub.admin.set_access(repo, granted=["bob"])
    client.call("auth_check", repo_id=repo, token="hf_bob")
    client.call("hf_hub_download", token="hf_bob", **arguments)
    client.call("auth_check", repo_id=repo, token="hf_alice")


def test_disabled_repositories(client: OfficialClient, hub: TestHub, repo: str) -> None:
    hub.admin.set_access(repo, disabled=True)
    assert client.fails("model_info", repo_id=repo).types[0] == "DisabledRepoError"


def test_unknown_revisions(client: OfficialClient, repo: str, tmp_path: Path) -> None:
    arguments = {"repo_id": repo, "revision": "nope/nope", "cache_dir": str(tmp_path)}
    assert client.fails("snapshot_download", **arguments).types[0] == "RevisionNotFoundError"
    error = client.fails("hf_hub_download", filename="config.json", **arguments)
    assert error.types[0] == "RevisionNotFoundError"
    assert client.call("revision_exists", repo_id=repo, revision="nope/nope") is False
    assert client.call("revision_exists", repo_id=repo, revision="main") is True


def test_unknown_files_are_remembered(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    error = client.fails(
        "hf_hub_download", repo_id=repo, filename="no/pe.txt", cache_dir=str(tmp_path)
    )
    assert "EntryNotFoundError" in error.types
    assert error.status == 404
    commit = hub.state.get("model", repo).head.id
    assert (
        tmp_path / f"models--{repo.replace('/', '--')}" / ".no_exist" / commit / "no/pe.txt"
    ).exists()
    assert client.call("file_exists", repo_id=repo, filename="no/pe.txt") is False
    assert client.call("file_exists", repo_id=repo, filename="config.json") is True


def test_invalid_tokens(client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path) -> None:
    error = client.fails(
        "hf_hub_download",
        repo_id=repo,
        filename="config.json",
        cache_dir=str(tmp_path),
        token="hf_wrong",
    )
    assert (error.types[0], error.status) == ("HfHubHTTPError", 401)
    hub.admin.add_token("bob", "hf_bob_second", label="second")
    assert client.call("whoami", token="hf_bob_second")["name"] == "bob"
    hub.admin.revoke_token("second")
    assert client.fails("whoami", token="hf_bob_second").status == 401


def test_whoami(client: OfficialClient) -> None:
    me = client.call("whoami", token="hf_alice")
    assert (me["name"], me["fullname"]) == ("alice", "Alice")
    assert [org["name"] for org in me["orgs"]] == ["wonderland"]
    assert me["auth"]["accessToken"]["role"] == "write"


def test_lists_refs(client: OfficialClient, hub: TestHub, repo: str) -> None:
    head = hub.state.get("model", repo).head.id
    hub.admin.set_ref(repo, "v1", head, ref_kind="tag")
    hub.admin.set_ref(repo, "dev/x", head)
    hub.admin.set_ref(repo, "3", head, ref_kind="pull")
    refs = client.call("list_repo_refs", repo_id=repo, include_pull_requests=True)
    named = {key: {row["ref"]: row["target_commit"] for row in refs[key]} for key in refs}
    assert named == {
        "branches": {"refs/heads/main": head, "refs/heads/dev/x": head},
        "tags": {"refs/tags/v1": head},
        "converts": {},
        "pull_requests": {"refs/pr/3": head},
    }


_TREE = "result = [(type(e).__name__, plain(e)) for e in hf.list_repo_tree(repo, **arguments)]"


def test_lists_trees(client: OfficialClient, hub: TestHub, repo: str) -> None:
    last = hub.admin.commit(repo, files={"nested/new.txt": "new"}, message="Add one")

    def tree(**arguments: Any) -> dict[str, tuple[str, dict[str, Any]]]:
        rows = client.run(_TREE, repo=repo, arguments=arguments)
        return {entry["path"]: (kind, entry) for kind, entry in rows}

    top = tree()
    assert {path for path in top if "/" in path} == set()
    assert top["nested"][0] == "RepoFolder"
    files = hub.admin.files(repo)
    everything = tree(recursive=True, expand=True)
    assert {path for path, (kind, _) in everything.items() if kind == "RepoFile"} == set(files)
    large = everything["model.safetensors"][1]
    assert large["size"] == large["lfs"]["size"] == 300_000
    assert large["lfs"]["sha256"] == files["model.safetensors"]["etag"]
    assert large["blob_id"] == files["model.safetensors"]["oid"]
    assert everything["nested/new.txt"][1]["last_commit"]["oid"] == last
    assert everything["nested"][1]["last_commit"]["title"] == "Add one"
    assert everything["config.json"][1]["last_commit"]["title"] == "Add files"
    assert set(tree(path_in_repo="nested/deep")) == {"nested/deep/notes with space.txt"}
    with pytest.raises(Exception, match="Entry"):
        tree(path_in_repo="nested/nope")


def test_asks_for_paths(client: OfficialClient, hub: TestHub, repo: str) -> None:
    wanted = ["nested/größe?#%.txt", "nested", "nope", "model.safetensors"]
    found = client.call("get_paths_info", repo_id=repo, paths=wanted, expand=True)
    assert [entry["path"] for entry in found] == [
        "nested/größe?#%.txt",
        "nested",
        "model.safetensors",
    ]
    assert found[2]["last_commit"]["title"] == "Add files"


def test_repo_info_with_files(client: OfficialClient, hub: TestHub, repo: str) -> None:
    info = client.call("model_info", repo_id=repo, files_metadata=True)
    assert (info["id"], info["private"], info["gated"]) == (repo, False, False)
    siblings = {row["rfilename"]: row for row in info["siblings"]}
    assert siblings["model.safetensors"]["lfs"]["size"] == 300_000
    assert siblings["empty.txt"]["size"] == 0
    assert [row["id"] for row in client.call("list_models", search=repo.partition("/")[2])] == [
        repo
    ]
    commits = client.call("list_repo_commits", repo_id=repo)
    assert [commit["title"] for commit in commits] == ["Add files", "initial commit"]


def test_renamed_repositories(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    new = repo + "-renamed"
    hub.admin.set_access(repo, private=True)
    hub.admin.move_repo(repo, new)
    arguments = {"repo_id": repo, "cache_dir": str(tmp_path), "token": "hf_alice"}
    folder = Path(client.call("snapshot_download", **arguments))
    check_snapshot(hub, new, folder)
    assert client.call("model_info", repo_id=repo, token="hf_alice")["id"] == new
    assert (
        client.fails("model_info", repo_id=repo, token="hf_bob").types[0]
        == "RepositoryNotFoundError"
    )
    hub.admin.delete_repo(new)


def test_ids_do_not_depend_on_case(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    assert client.call("model_info", repo_id=repo.upper())["id"] == repo
    client.call("snapshot_download", repo_id=repo.upper(), cache_dir=str(tmp_path))


def test_downloads_into_a_local_directory(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    target = tmp_path / "here"
    arguments = {"repo_id": repo, "local_dir": str(target), "cache_dir": str(tmp_path / "cache")}
    client.call("snapshot_download", **arguments)
    for path, entry in hub.state.get("model", repo).head.files.items():
        assert (target / path).read_bytes() == entry.blob.read()
        assert not (target / path).is_symlink()
    before = hub.log.last_number()
    client.call("snapshot_download", **arguments)
    assert hub.log.count(since=before, method="GET", path_matches="/resolve/") == 0


def test_reloads_offline(client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path) -> None:
    folder = client.call("snapshot_download", repo_id=repo, cache_dir=str(tmp_path))
    before = hub.log.last_number()
    arguments = {"repo_id": repo, "cache_dir": str(tmp_path)}
    assert client.call("snapshot_download", local_files_only=True, **arguments) == folder
    with OfficialClient(
        client.name, hub.endpoint, tmp_path / "home", HF_HUB_OFFLINE="1"
    ) as offline:
        assert offline.call("snapshot_download", **arguments) == folder
        found = offline.call("hf_hub_download", filename="config.json", **arguments)
        assert Path(found).read_text() == FILES["config.json"]
    assert hub.log.count(since=before) == 0


def test_goes_on_after_a_dropped_connection(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    size = 12 << 20
    hub.admin.commit(repo, files={"big.bin": {"random": size, "seed": 2}})
    rule = hub.faults.add("close", after=11 << 20, match={"server": "cdn", "method": "GET"})
    arguments = {"repo_id": repo, "filename": "big.bin", "cache_dir": str(tmp_path)}
    if client.name == "0.36":  # gives up at once, but keeps what it has for the next call
        assert client.fails("hf_hub_download", **arguments).types[0] == "ChunkedEncodingError"
    path = Path(client.call("hf_hub_download", **arguments))
    assert path.read_bytes() == hub.state.get("model", repo).head.files["big.bin"].blob.read()
    assert hub.faults.hits(rule) == 1
    first, second = hub.log.find(server="cdn")
    assert (first.status, first.aborted, first.bytes_sent) == (200, True, 11 << 20)
    # The client keeps whole chunks of 10 MiB.
    assert (second.status, second.range) == (206, "bytes=10485760-")


def test_manages_repositories_and_refs(client: OfficialClient, hub: TestHub) -> None:
    repo_id, token = f"wonderland/made-{client.name}", "hf_alice"
    url = client.call("create_repo", repo_id=repo_id, private=True, token=token)
    assert url == f"{hub.endpoint}/{repo_id}"
    assert client.fails("create_repo", repo_id=repo_id, token=token).status == 409
    client.call("create_repo", repo_id=repo_id, token=token, exist_ok=True)
    assert client.call("model_info", repo_id=repo_id, token=token)["private"] is True
    assert client.call("list_repo_files", repo_id=repo_id, token=token) == [".gitattributes"]

    client.call("create_branch", repo_id=repo_id, branch="dev/a", token=token)
    assert client.fails("create_branch", repo_id=repo_id, branch="dev/a", token=token).status == 409
    client.call("create_tag", repo_id=repo_id, tag="v1", revision="dev/a", token=token)
    head = hub.state.get("model", repo_id).head.id
    assert hub.admin.refs(repo_id) == {
        "branch": {"main": head, "dev/a": head},
        "tag": {"v1": head},
        "convert": {},
        "pull": {},
    }
    client.call("delete_tag", repo_id=repo_id, tag="v1", token=token)
    error = client.fails("delete_tag", repo_id=repo_id, tag="v1", token=token)
    assert error.types[0] == "RevisionNotFoundError"
    client.call("delete_branch", repo_id=repo_id, branch="dev/a", token=token)
    client.call("update_repo_settings", repo_id=repo_id, private=False, gated="auto", token=token)
    assert client.call("model_info", repo_id=repo_id)["gated"] == "auto"
    assert client.fails("delete_repo", repo_id=repo_id, token="hf_bob").status == 403
    client.call("move_repo", from_id=repo_id, to_id=repo_id + "-moved", token=token)
    client.call("delete_repo", repo_id=repo_id + "-moved", token=token)
    assert client.call("repo_exists", repo_id=repo_id, token=token) is False


def test_waits_when_rate_limited(client: OfficialClient, hub: TestHub, repo: str) -> None:
    """Only the pages after the first are retried, so the quota ends right after the first."""
    hub.admin.configure(page_size=5, rate_limits={"api": [1, 1]})
    paths = client.call("list_repo_files", repo_id=repo)
    assert set(paths) == set(hub.admin.files(repo))
    assert hub.log.count(status=429) >= 1
    assert hub.log.count(status=200) == 2


def test_command_line_download(
    client: OfficialClient, hub: TestHub, repo: str, tmp_path: Path
) -> None:
    done = client.cli("download", repo, "--cache-dir", str(tmp_path), "--token", "hf_alice")
    assert done.returncode == 0, done.stderr
    head = hub.state.get("model", repo).head.id
    (folder,) = tmp_path.glob(f"models--*/snapshots/{head}")
    assert str(folder) in done.stdout
    check_snapshot(hub, repo, folder)

    done = client.cli(
        "download", repo, "config.json", "--revision", "nope", "--cache-dir", str(tmp_path)
    )
    assert done.returncode == 1


@pytest.fixture(scope="module")
def tls_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHub]:
    with TestHub(tls=True, directory=tmp_path_factory.mktemp("tls-hub")) as hub:
        hub.admin.create_repo("wonderland/secure", files=FILES)
        yield hub


@pytest.mark.parametrize("name", list(CLIENTS))
def test_https(name: str, tls_hub: TestHub, tmp_path: Path) -> None:
    endpoint = tls_hub.endpoint.replace("127.0.0.1", "localhost")
    with OfficialClient(name, endpoint, tmp_path / "home", tls_hub.ca_file) as client:
        folder = Path(
            client.call(
                "snapshot_download", repo_id="wonderland/secure", cache_dir=str(tmp_path / "c")
            )
        )
        check_snapshot(tls_hub, "wonderland/secure", folder)
        # Over https, a bare 401 already means "not found" to the client.
        assert client.call("repo_exists", repo_id="wonderland/nowhere") is False
