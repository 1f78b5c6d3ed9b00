"""What a download brings: which files, of which revision and kind, under which names."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.official_client import OfficialClient
from tests.support.scenes import (
    KINDS,
    MIXED_FILES,
    check_snapshot,
    contents,
    daemon_in,
    files_below,
    questions,
    repo_folder,
)


@pytest.fixture(scope="module")
def module_daemon(
    session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    with daemon_in(tmp_path_factory.mktemp("downloads"), session_hub) as daemon:
        yield daemon


@pytest.fixture
def box(module_daemon: Daemon, hub: TestHub) -> Daemon:
    """The daemon, with an empty log of the Hub."""
    return module_daemon


SELECTABLE = [
    "README.md",
    "config.json",
    "Config.JSON",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "pytorch_model.bin",
    "onnx/model.onnx",
    "onnx/model.onnx_data",
    "onnx/config.json",
    "data/train/a.parquet",
    "data/train/b.parquet",
    "data/test/a.parquet",
    "data/[x].txt",
    "data/x.txt",
    "größe/ü.txt",
    "a b.txt",
    ".hidden/file",
    "deep/er/and/deeper/x.txt",
]

PATTERNS: list[tuple[list[str], list[str]]] = [
    ([], []),
    (["*.json"], []),
    (["*.safetensors"], []),
    (["*.json", "*.md"], []),
    ([], ["*.safetensors", "*.bin"]),
    (["*"], ["*.json"]),
    (["onnx/*"], []),
    (["onnx/"], []),
    (["onnx"], []),
    (["data/"], ["data/test/"]),
    (["data/*/a.parquet"], []),
    (["data/**/*.parquet"], []),
    (["**/*.txt"], []),
    (["*/*"], []),
    (["model-0000?-of-*"], ["*-00002-*"]),
    (["[Cc]onfig*"], []),
    (["[!c]*"], []),
    (["data/[x].txt"], []),
    (["data/[[]x].txt"], []),
    (["data/[x.txt"], []),
    (["config.json"], []),
    (["CONFIG.JSON"], []),
    (["größe/*"], []),
    (["größe/?.txt"], []),
    (["a b*"], []),
    ([".*"], []),
    (["nothing*"], []),
    (["*"], ["*"]),
    ([], ["deep/"]),
    (["./config.json"], []),
    (["/config.json"], []),
    (["[a-d]*"], []),
    (["[]]"], ["[]"]),
    (["\\*"], []),
]


@pytest.fixture(scope="module")
def official(
    session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OfficialClient]:
    with OfficialClient("2", session_hub.endpoint, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.fixture(scope="module")
def selectable(session_hub: TestHub) -> str:
    files = {name: f"content of {name}" for name in SELECTABLE}
    session_hub.admin.create_repo("org/selectable", files=files)
    return "org/selectable"


_FILTER = """
from huggingface_hub.utils import filter_repo_objects
result = [list(filter_repo_objects(paths, allow_patterns=include or None, ignore_patterns=exclude or None))
          for include, exclude in rows]
"""


@pytest.fixture(scope="module")
def official_choice(
    official: OfficialClient, selectable: str, session_hub: TestHub
) -> dict[str, set[str]]:
    """What the official client selects, for each row of `PATTERNS`."""
    paths = list(session_hub.admin.files(selectable))
    chosen = official.run(_FILTER, paths=paths, rows=PATTERNS)
    return {str(row): set(names) for row, names in zip(PATTERNS, chosen)}


@pytest.mark.parametrize("row", PATTERNS, ids=str)
def test_patterns_select_what_the_official_client_selects(
    box: Daemon,
    selectable: str,
    official_choice: dict[str, set[str]],
    row: tuple[list[str], list[str]],
) -> None:
    arguments = [f"--include={pattern}" for pattern in row[0]]
    arguments += [f"--exclude={pattern}" for pattern in row[1]]
    shutil.rmtree(repo_folder(box, selectable) / "snapshots", ignore_errors=True)
    folder = box.download(selectable, *arguments)
    assert files_below(folder) == official_choice[str(row)]


def test_the_official_command_agrees(
    box: Daemon, hub: TestHub, official: OfficialClient, selectable: str, tmp_path: Path
) -> None:
    """The same words to both commands: the same files, and the same last line but for the cache."""
    for number, words in enumerate(
        [
            ["config.json"],
            ["onnx/config.json", "config.json"],
            ["onnx/"],
            ["data/*.parquet", "README.md"],
            ["--include", "*.json", "--include", "*.md", "--exclude", "onnx/*"],
        ]
    ):
        shutil.rmtree(repo_folder(box, selectable) / "snapshots", ignore_errors=True)
        path = box.download(selectable, *words)
        cache = tmp_path / str(number)
        done = official.cli("download", selectable, *words, "--cache-dir", str(cache), "--quiet")
        assert done.returncode == 0, done.stderr
        theirs = Path(done.stdout.splitlines()[-1])
        assert path.relative_to(box.cache) == theirs.relative_to(cache), words
        (snapshot,) = cache.glob("models--*/snapshots/*")
        ours = repo_folder(box, selectable) / "snapshots" / snapshot.name
        assert files_below(ours) == files_below(snapshot), words


def test_one_named_file_prints_its_path(box: Daemon, selectable: str) -> None:
    for name in ("config.json", "onnx/model.onnx", "a b.txt", "größe/ü.txt", "data/[x].txt"):
        path = box.download(selectable, name)
        assert path.read_text() == f"content of {name}"
        assert path.parts[-len(Path(name).parts) :] == Path(name).parts


def test_several_named_files_come_in_their_order(box: Daemon, selectable: str) -> None:
    names = ["pytorch_model.bin", "onnx/config.json", "README.md", "config.json"]
    done = box.wharf("download", selectable, *names, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [Path(f).relative_to(answer["snapshot"]).as_posix() for f in answer["files"]] == names
    assert box.download(selectable, *names) == Path(answer["snapshot"])
    assert answer["path"] == answer["snapshot"]


@pytest.mark.parametrize(
    "name", ["nothing.txt", "onnx", "config.json/x", "../config.json", "/etc/passwd"]
)
def test_a_named_file_that_is_not_there(box: Daemon, selectable: str, name: str) -> None:
    done = box.wharf("download", selectable, "config.json", name)
    assert (done.returncode, done.stdout) == (3, "")
    assert name in done.stderr


def test_every_kind_of_revision(box: Daemon, hub: TestHub) -> None:
    repo = "org/revisions"
    first = hub.admin.create_repo(repo, files={"a.txt": "first"})
    hub.admin.set_ref(repo, "v1.0", first, ref_kind="tag")
    commits = {
        "dev/next": hub.admin.commit(repo, branch="dev/next", files={"a.txt": "dev"}),
        "refs/pr/1": hub.admin.commit(repo, branch="1", ref_kind="pull", files={"a.txt": "pr"}),
        "refs/convert/parquet": hub.admin.commit(
            repo, branch="parquet", ref_kind="convert", files={"a.txt": "converted"}
        ),
        "main": hub.admin.commit(repo, files={"a.txt": "second"}),
        "v1.0": first,
        first: first,
    }
    refs = repo_folder(box, repo) / "refs"
    for revision, commit in commits.items():
        folder = box.download(repo, "--revision", revision)
        check_snapshot(hub, repo, folder, revision=revision)
        assert folder.name == commit
        if revision != commit:
            assert (refs / revision).read_text() == commit
    assert files_below(refs) == set(commits) - {first}


def test_unknown_repos_and_revisions(box: Daemon, selectable: str) -> None:
    for arguments in (
        ["org/nowhere"],
        [selectable, "--revision", "nope/nope"],
        [selectable, "--revision", "f" * 40],
        [selectable, "--repo-type", "dataset"],
    ):
        done = box.wharf("download", *arguments)
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert not repo_folder(box, "org/nowhere").exists()
    assert not repo_folder(box, selectable, "dataset").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_repo(box: Daemon, hub: TestHub, kind: str) -> None:
    hub.admin.create_repo("org/kinds", kind, files={**MIXED_FILES, "kind.txt": kind})
    folder = box.download("org/kinds", "--repo-type", kind)
    check_snapshot(hub, "org/kinds", folder, kind)
    assert folder.parent.parent == repo_folder(box, "org/kinds", kind)
    plural = "" if kind == "model" else f"{kind}s/"
    assert box.download(f"hf://{plural}org/kinds") == folder


def test_repos_without_namespace(box: Daemon, hub: TestHub) -> None:
    hub.admin.create_repo("gpt2", files={"config.json": "{}"})
    folder = box.download("gpt2")
    check_snapshot(hub, "gpt2", folder)
    assert folder.parent.parent.name == "models--gpt2"


def test_private_repos_by_each_way_to_a_token(box: Daemon, hub: TestHub, tmp_path: Path) -> None:
    repo = "wonderland/secret"
    files = {**MIXED_FILES, "model.safetensors": {"random": 300_000, "seed": "secret"}}
    hub.admin.create_repo(repo, files=files, private=True)
    token_file = tmp_path / "token"
    token_file.write_text("hf_alice\n")
    hf_home = tmp_path / "hf-home"
    hf_home.mkdir()
    (hf_home / "token").write_text("hf_alice")
    for arguments, environment, code in (
        ([], {}, 3),
        (["--token", "hf_bob"], {}, 3),
        (["--token", "hf_wrong"], {}, 4),
        (["--token", "hf_alice"], {}, 0),
        ([], {"HF_TOKEN": "hf_alice"}, 0),
        ([], {"HF_TOKEN_PATH": str(token_file)}, 0),
        ([], {"HF_HOME": str(hf_home)}, 0),
    ):
        shutil.rmtree(repo_folder(box, repo), ignore_errors=True)
        done = box.wharf("download", repo, *arguments, **environment)
        assert done.returncode == code, done.stderr
        if code == 0:
            check_snapshot(hub, repo, Path(done.stdout.splitlines()[-1]))
        assert "hf_" not in done.stderr
    assert hub.log.count(server="cdn") == 4
    assert hub.log.leaks() == []
    for place in (box.cache, box.state):
        for file in place.rglob("*"):
            assert not file.is_file() or b"hf_alice" not in file.read_bytes(), file
    assert "hf_alice" not in box.log


def test_a_gated_repo_is_refused_until_it_is_granted(box: Daemon, hub: TestHub) -> None:
    repo = "wonderland/gated"
    hub.admin.create_repo(repo, files={"a.txt": "gated"}, gated="manual")
    for arguments in ([], ["--token", "hf_bob"]):
        done = box.wharf("download", repo, *arguments)
        assert done.returncode == 4, done.stderr
    hub.admin.set_access(repo, granted=["bob"])
    assert (box.download(repo, "--token", "hf_bob") / "a.txt").read_text() == "gated"


def test_a_renamed_repo_answers_to_both_names(box: Daemon, hub: TestHub) -> None:
    hub.admin.create_repo("org/old-name", files=MIXED_FILES)
    before = box.download("org/old-name")
    hub.admin.move_repo("org/old-name", "org/new-name")
    hub.admin.commit("org/new-name", files={"a.txt": "after"})
    since = hub.log.last_number()
    old = box.download("org/old-name")
    new = box.download("org/new-name")
    assert old.name == new.name != before.name
    for folder in (old, new):
        check_snapshot(hub, "org/new-name", folder)
    assert (old.parent.parent.name, new.parent.parent.name) == (
        "models--org--old-name",
        "models--org--new-name",
    )
    assert {r.file for r in hub.log.find(since=since, status=[200, 206]) if r.file} == {"a.txt"}


ODD_NAMES = [
    "with space.txt",
    "größe.txt",
    "日本語/ファイル.txt",
    "100%.txt",
    "100%25.txt",
    "%2e%2e",
    "why?.txt",
    "a=b&c=d.txt",
    "#1.txt",
    "it's.txt",
    'say "hi".txt',
    "semi;colon,comma.txt",
    "plus+plus.txt",
    "[brackets]{braces}.txt",
    "tilde~/~.txt",
    "at@colon:.txt",
    "star*.txt",
    "<angle>|pipe.txt",
    "-dash",
    "--help",
    "...",
    "emoji \U0001f433.txt",
    "e\u0301 combining.txt",
    "back`tick$HOME.txt",
    "x" * 200,
    "d/" * 40 + "deep.txt",
]


def test_odd_names(box: Daemon, hub: TestHub) -> None:
    files: dict[str, object] = {name: f"content of {name}" for name in ODD_NAMES}
    files |= {
        f"large {name}.safetensors": {"random": 70_000, "seed": name} for name in ODD_NAMES[:14]
    }
    hub.admin.create_repo("org/odd", files=files)
    folder = box.download("org/odd")
    check_snapshot(hub, "org/odd", folder)
    for name in ODD_NAMES:
        path = box.download("--revision", folder.name, "org/odd", "--", name)
        assert path.read_text() == f"content of {name}"


def test_empty_files_and_empty_repos(box: Daemon, hub: TestHub) -> None:
    hub.admin.create_repo(
        "org/empty-files",
        files={"a.txt": "", "b/c.txt": "", "w.safetensors": ""},
        lfs_patterns=["*.safetensors"],
    )
    folder = box.download("org/empty-files")
    check_snapshot(hub, "org/empty-files", folder)
    assert (folder / "a.txt").resolve() == (folder / "b/c.txt").resolve()

    hub.admin.create_repo("org/empty")
    commit = hub.admin.commit("org/empty", delete=[".gitattributes"])
    folder = box.download("org/empty")
    assert (folder.name, folder.is_dir(), files_below(folder)) == (commit, True, set())


def test_a_repo_of_three_thousand_files(box: Daemon, hub: TestHub) -> None:
    files = {f"{n % 30:02}/{n:04}.txt": f"file {n}" for n in range(3000)}
    hub.admin.create_repo("org/many", files=files)
    begun = time.monotonic()
    folder = box.download("org/many")
    cold = time.monotonic() - begun
    check_snapshot(hub, "org/many", folder)
    assert contents(hub) in (3000, 3001)  # .gitattributes may be held for another repo
    begun = time.monotonic()
    assert box.download("org/many") == folder
    print(f"\n3,000 files: {cold:.1f} s cold, {time.monotonic() - begun:.2f} s warm")


def test_follows_the_pages_of_a_listing(box: Daemon, hub: TestHub) -> None:
    hub.admin.configure(page_size=7)
    hub.admin.create_repo("org/pages", files={f"{n:02}.txt": f"page {n}" for n in range(50)})
    check_snapshot(hub, "org/pages", box.download("org/pages"))
    assert hub.log.count(path_matches="/tree/") == 8  # 51 files
    assert questions(hub) == 10  # and who may read it


def test_a_thousand_named_files(box: Daemon, hub: TestHub) -> None:
    names = [f"named/{'x' * 100}-{n:04}.txt" for n in range(1500)]
    hub.admin.create_repo("org/named", files={name: f"named {name}" for name in names})
    assert files_below(box.download("org/named", *names[:1000])) == set(names[:1000])


def test_https_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    with TestHub(tls=True, directory=tmp_path / "hub") as secure:
        secure.admin.create_repo("org/secure", files=MIXED_FILES)
        for endpoint in (secure.endpoint, secure.endpoint.replace("127.0.0.1", "localhost")):
            settings = {"hub": {"ca_file": str(secure.ca_file)}}
            with Daemon(endpoint, tmp_path / endpoint[8:11], **settings) as daemon:
                check_snapshot(secure, "org/secure", daemon.download("org/secure"))
        asked = secure.log.count(path_matches="org/secure")
        with Daemon(secure.endpoint, tmp_path / "distrust") as daemon:
            with daemon.start_wharf("download", "org/secure") as client:
                daemon.wait_for_log("the certificate of 127.0.0.1")
                client.kill()  # it would try a few times more
            assert secure.log.count(path_matches="org/secure") == asked


def test_says_that_no_file_matches(box: Daemon, hub: TestHub) -> None:
    hub.admin.create_repo("org/no-match", files={"config.json": "{}"})
    done = box.wharf("download", "org/no-match", "--include", "*.safetensor")
    assert done.returncode == 0
    assert "no file of org/no-match matches" in done.stderr
    assert done.stdout.strip().endswith(hub.admin.refs("org/no-match")["branch"]["main"])
    matching = box.wharf("download", "org/no-match", "--include", "*.json")
    assert "matches" not in matching.stderr
