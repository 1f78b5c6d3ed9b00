"""`wharf download --local-dir`: what is placed how, what is left alone, and whether the official
client agrees with the books."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.client_venvs import ensure
from tests.support.fake_daemon import Descriptor, Pause, failure
from tests.support.wharf_command import COMMIT, REPO, FakeRepo, Wharf, etag_of, result

DOWNLOAD = "org.wharf.Downloads.Download"
LIST = "org.wharf.Downloads.List"
OPEN = "org.wharf.Downloads.Open"


@pytest.fixture
def wharf(tmp_path):
    command = Wharf(tmp_path)
    yield command
    command.daemon.close()


@pytest.fixture
def repo(wharf):
    fake = FakeRepo(wharf.folder, wharf.daemon)
    fake.add("config.json", b'{"a": 1}')
    fake.add("data/train.txt", b"some text\n")
    fake.add("model.safetensors", b"weights" * 1000, large=True)
    return fake


@pytest.fixture
def local(wharf):
    return wharf.folder / "local"


def metadata(local, name):
    text = (local / ".cache/huggingface/download" / f"{name}.metadata").read_text()
    assert text.endswith("\n")
    return text.splitlines()


def downloads(wharf):
    return wharf.daemon.parameters_of(DOWNLOAD)


class TestPlacing:
    def test_files_and_books(self, wharf, repo, local):
        before = time.time()
        ended = wharf.run("download", REPO, "--local-dir", "local")
        assert (ended.code, ended.out) == (0, f"{local}\n"), ended.err
        for name, (content, large) in repo.files.items():
            path = local / name
            assert path.read_bytes() == content and not path.is_symlink()
            commit, etag, saved = metadata(local, name)
            assert (commit, etag) == (COMMIT, etag_of(content, large))
            assert before - 1 < float(saved) < time.time() + 1
        books = local / ".cache/huggingface"
        assert (books / ".gitignore").read_bytes() == b"*"
        tag = (books / "CACHEDIR.TAG").read_text()
        assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
        leftovers = [p for p in local.rglob("*") if p.suffix in (".lock", ".incomplete")]
        assert leftovers == []

    def test_large_files_are_linked_and_small_ones_are_not(self, wharf, repo, local):
        ended = wharf.run("download", REPO, "--local-dir", "local")
        weights = etag_of(repo.files["model.safetensors"][0], True)
        if "reflinks" not in ended.err:  # nothing else shares blocks
            assert (local / "model.safetensors").samefile(repo.blobs / weights)
        config = etag_of(repo.files["config.json"][0], False)
        assert not (local / "config.json").samefile(repo.blobs / config)
        (local / "config.json").write_text("edited")
        assert (repo.blobs / config).read_bytes() == repo.files["config.json"][0]

    def test_across_file_systems_all_is_copied(self, wharf, repo, tmp_path):
        other = Path("/dev/shm") / f"wharf-test-{os.getpid()}"
        if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == os.stat(
            tmp_path
        ).st_dev:
            pytest.skip("no second file system here")
        try:
            ended = wharf.run("download", REPO, "--local-dir", other)
            assert (ended.code, "3 copied" in ended.err) == (0, True)
            assert (other / "model.safetensors").read_bytes() == b"weights" * 1000
        finally:
            subprocess.run(["rm", "-rf", other], check=True)

    def test_the_real_path_is_printed(self, wharf, repo, local):
        real = wharf.folder / "real"
        real.mkdir()
        local.symlink_to(real)
        assert wharf.run("download", REPO, "--local-dir", "local/").out == f"{real}\n"
        ended = wharf.run("download", REPO, "data/train.txt", "--local-dir", "./local")
        assert ended.out == f"{real}/data/train.txt\n"

    def test_home_is_expanded(self, wharf, repo):
        ended = wharf.run("download", REPO, "--local-dir=~/models/x")
        assert ended.out == f"{wharf.home}/models/x\n"

    def test_json(self, wharf, repo, local):
        ended = wharf.run("download", REPO, "config.json", "--local-dir", "local", "--json")
        assert ended.json["path"] == f"{local}/config.json"
        assert ended.json["local_dir"] == str(local)
        assert ended.json["files"] == [f"{local}/config.json"]
        assert ended.json["commit"] == COMMIT

    def test_patterns_reach_the_daemon(self, wharf, repo):
        wharf.run("download", REPO, "--include", "*.json", "--exclude", "b*", "--local-dir", "l")
        listed = wharf.daemon.parameters_of(LIST)[0]
        assert (listed["include"], listed["exclude"]) == (["*.json"], ["b*"])
        assert downloads(wharf)[0] == listed | {"revision": COMMIT}

    def test_what_cannot_be_opened_comes_as_a_descriptor(self, wharf, repo, local):
        hidden = wharf.folder / "hidden"
        repo.storage.rename(hidden)
        content, _ = repo.files["config.json"]
        answer = {
            "descriptor": 0,
            "size": len(content),
            "etag": etag_of(content, False),
            "commit": COMMIT,
            "path": "/not/visible",
        }
        wharf.daemon.on(
            OPEN, lambda p: [Descriptor(hidden / "blobs" / etag_of(content, False), answer)]
        )
        ended = wharf.run("download", REPO, "config.json", "--local-dir", "local")
        assert ended.code == 0, ended.err
        assert (local / "config.json").read_bytes() == content
        asked = wharf.daemon.parameters_of(OPEN)[0]
        assert (asked["file"], asked["revision"]) == ("config.json", COMMIT)


class TestAgain:
    def again(self, wharf, *arguments):
        wharf.daemon.calls.clear()
        ended = wharf.run("download", REPO, "--local-dir", "local", *arguments)
        assert ended.code == 0, ended.err
        return ended

    def test_nothing_is_fetched_nor_touched(self, wharf, repo, local):
        self.again(wharf)
        before = {p: p.lstat().st_mtime_ns for p in local.rglob("*") if p.is_file()}
        self.again(wharf)
        assert downloads(wharf) == []
        after = {p: p.lstat().st_mtime_ns for p in local.rglob("*") if p.is_file()}
        assert before == after

    def test_only_what_is_missing_is_asked_for(self, wharf, repo, local):
        self.again(wharf)
        (local / "config.json").unlink()
        self.again(wharf)
        assert downloads(wharf)[0]["files"] == ["config.json"]
        assert downloads(wharf)[0]["revision"] == COMMIT
        assert (local / "config.json").exists()

    def test_a_new_version_takes_the_place(self, wharf, repo, local):
        self.again(wharf)
        etag = repo.add("config.json", b"new")
        ended = self.again(wharf)
        assert (local / "config.json").read_bytes() == b"new"
        assert metadata(local, "config.json")[1] == etag
        assert "changed here" not in ended.err

    def test_a_new_version_of_a_linked_file(self, wharf, repo, local):
        """A hard link brings the blob's old time: the books of the version before must not cover
        it."""
        self.again(wharf)
        etag = repo.add("model.safetensors", b"other" * 1400, large=True)
        os.utime(repo.blobs / etag, (1, 1))
        self.again(wharf)
        assert (local / "model.safetensors").read_bytes() == b"other" * 1400
        assert metadata(local, "model.safetensors")[1] == etag

    def test_the_same_etag_at_another_commit_only_renews_the_books(self, wharf, repo, local):
        self.again(wharf)
        path = local / ".cache/huggingface/download/config.json.metadata"
        commit, etag, saved = path.read_text().splitlines()
        path.write_text(f"{'0' * 40}\n{etag}\n{saved}\n")
        before = (local / "config.json").stat().st_mtime_ns
        self.again(wharf)
        assert metadata(local, "config.json")[0] == COMMIT
        assert (local / "config.json").stat().st_mtime_ns == before
        assert downloads(wharf) == []

    def test_an_edited_file_is_replaced_and_that_is_said(self, wharf, repo, local):
        self.again(wharf)
        (local / "config.json").write_text("mine")
        os.utime(local / "config.json", (time.time() + 100,) * 2)
        ended = self.again(wharf)
        assert "config.json was changed here" in ended.err
        assert (local / "config.json").read_bytes() == b'{"a": 1}'

    @pytest.mark.parametrize("damage", ["missing", "garbage", "stale"])
    @pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
    def test_without_books_the_content_decides(self, wharf, repo, local, damage, name):
        self.again(wharf)
        path = local / f".cache/huggingface/download/{name}.metadata"
        if damage == "missing":
            path.unlink()
        elif damage == "garbage":
            path.write_text("one\ntwo\nnot a number\n")
        else:
            path.write_text(f"{COMMIT}\n{'0' * 40}\n1.5\n")
        before = (local / name).stat().st_ino
        self.again(wharf)
        assert downloads(wharf) == []
        assert (local / name).stat().st_ino == before
        assert metadata(local, name)[1] == etag_of(*repo.files[name])

    def test_a_truncated_file_is_not_current(self, wharf, repo, local):
        self.again(wharf)
        saved = (local / "config.json").stat().st_mtime
        os.truncate(local / "config.json", 3)
        os.utime(local / "config.json", (saved, saved))
        self.again(wharf)
        assert (local / "config.json").read_bytes() == b'{"a": 1}'

    def test_force_places_all_again(self, wharf, repo, local):
        self.again(wharf)
        (local / "config.json").write_text("mine")
        self.again(wharf, "--force-download")
        assert downloads(wharf)[0]["force"] is True
        assert (local / "config.json").read_bytes() == b'{"a": 1}'
        leftovers = [p for p in local.rglob("*.incomplete")]
        assert leftovers == []  # a link over the same link is no rename


HOSTILE = [
    "../escape",
    "a/../../escape",
    "/etc/wharf-test",
    "a//b",
    "./a",
    "",
    "a/",
    ".cache/huggingface/download/x.metadata",
    ".cache",
    ".git/hooks/post-checkout",
    "a/.GIT/config",
    "..\\escape",
    "C:evil",
    "\\\\host\\share",
    "nul\0l",
]


class TestSafety:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names_refuse_the_whole(self, wharf, repo, local, name):
        row = {"size": 1, "etag": "a" * 40, "cached": True}
        rows = [row | {"name": "harmless"}, row | {"name": name}]
        head = {"commit": COMMIT, "snapshot": str(repo.snapshot), "stale": False}
        wharf.daemon.on(LIST, lambda _: [head | {"files": rows}])
        ended = wharf.run("download", REPO, "--local-dir", "local")
        assert (ended.code, ended.out) == (1, "")
        assert "cannot be placed" in ended.err
        assert downloads(wharf) == [] and not local.exists()

    @pytest.mark.parametrize("etag", ["", "../../x", "A" * 40, "a" * 41])
    def test_an_etag_must_be_a_hash(self, wharf, repo, local, etag):
        row = {"name": "a", "size": 1, "etag": etag, "cached": True}
        head = {"commit": COMMIT, "snapshot": str(repo.snapshot), "stale": False}
        wharf.daemon.on(LIST, lambda _: [head | {"files": [row]}])
        assert wharf.run("download", REPO, "--local-dir", "local").code == 1
        assert not local.exists()

    def test_links_among_the_parents_are_not_followed(self, wharf, repo, local):
        outside = wharf.folder / "outside"
        outside.mkdir()
        local.mkdir()
        (local / "data").symlink_to(outside)
        ended = wharf.run("download", REPO, "--local-dir", "local")
        assert ended.code == 1 and "symbolic link" in ended.err
        assert list(outside.iterdir()) == []

    def test_a_link_in_the_place_of_a_file_is_replaced(self, wharf, repo, local):
        target = wharf.folder / "target"
        target.write_text("keep me")
        local.mkdir()
        (local / "config.json").symlink_to(target)
        assert wharf.run("download", REPO, "--local-dir", "local").code == 0
        assert target.read_text() == "keep me"
        assert not (local / "config.json").is_symlink()

    def test_a_folder_in_the_place_of_a_file(self, wharf, repo, local):
        (local / "config.json").mkdir(parents=True)
        ended = wharf.run("download", REPO, "--local-dir", "local")
        assert ended.code == 1 and "config.json" in ended.err

    def test_a_blob_of_another_size_is_not_placed(self, wharf, repo, local):
        (repo.blobs / etag_of(*repo.files["config.json"])).write_bytes(b"short")
        ended = wharf.run("download", REPO, "--local-dir", "local")
        assert ended.code == 7 and not (local / "config.json").exists()

    def test_a_folder_that_cannot_be_made(self, wharf, repo):
        ended = wharf.run("download", REPO, "--local-dir", "/proc/nothing")
        assert ended.code == 1 and "/proc/nothing" in ended.err

    def test_failures_of_the_daemon_leave_no_folder(self, wharf, repo, local):
        wharf.daemon.on(LIST, lambda _: [failure("RepoNotFound", "no such repo")])
        assert wharf.run("download", REPO, "--local-dir", "local").code == 3
        assert not local.exists()

    def test_an_interruption_leaves_nothing_half_done(self, wharf, repo, local):
        pause = Pause()
        wharf.daemon.on(DOWNLOAD, lambda _: [{"job": 5}, pause, result(repo.snapshot)])
        with wharf.start("download", REPO, "--local-dir", "local") as process:
            assert pause.reached.wait(10)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
        assert process.returncode == 130
        assert not (local / "config.json").exists()


def test_waits_for_the_official_lock(wharf, repo, local):
    books = local / ".cache/huggingface/download"
    books.mkdir(parents=True)
    with open(books / "config.json.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with wharf.start("download", REPO, "config.json", "--local-dir", "local") as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.7)
            assert not (local / "config.json").exists()
            threading.Timer(0.1, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
            out, _ = process.communicate(timeout=10)
    assert out == f"{local}/config.json\n"


def test_an_interruption_while_it_waits_for_the_lock(wharf, repo, local):
    books = local / ".cache/huggingface/download"
    books.mkdir(parents=True)
    with open(books / "config.json.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with wharf.start("download", REPO, "config.json", "--local-dir", "local") as process:
            while not downloads(wharf):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, "")
    assert "run the same command again" in err
    assert list(local.rglob("*.incomplete")) == []


def test_nothing_matches(wharf, repo, local):
    head = {"commit": COMMIT, "snapshot": str(repo.snapshot), "stale": False, "files": []}
    wharf.daemon.on(LIST, lambda _: [head])
    ended = wharf.run("download", REPO, "--include", "*.none", "--local-dir", "local")
    assert (ended.code, ended.out) == (0, f"{local}\n")
    assert "no file matches" in ended.err
    assert wharf.run("download", REPO, "none", "--local-dir", "local").code == 3


OFFICIAL = """
import sys
from huggingface_hub import hf_hub_download, snapshot_download
local, commit, whole = sys.argv[1:4]
print(hf_hub_download("org/model", "config.json", revision=commit, local_dir=local))
if whole == "whole":
    print(snapshot_download("org/model", revision=commit, local_dir=local))
"""


@pytest.mark.parametrize("client", ["2", "1", "0.36"])
@pytest.mark.parametrize("with_tree", [True, False])
def test_the_official_client_finds_all_in_order(wharf, repo, local, with_tree, client):
    if with_tree:
        repo.write_tree()
    assert wharf.run("download", REPO, "--local-dir", "local").code == 0
    before = {p: p.lstat().st_ino for p in local.rglob("*") if p.is_file()}
    whole = with_tree or client != "1"  # that one asks for a missing listing even offline
    done = subprocess.run(
        [ensure(client), "-c", OFFICIAL, local, COMMIT, "whole" if whole else "file"],
        env=wharf.environment | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(local / "config.json"), str(local)][: 1 + whole]
    after = {p: p.lstat().st_ino for p in local.rglob("*") if p.is_file()}
    assert {p: before[p] for p in before} == {p: after.get(p) for p in before}
