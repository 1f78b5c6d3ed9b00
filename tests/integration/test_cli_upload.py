"""What `wharf upload` hands over to the daemon, and what it prints."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_daemon import CLOSE, Pause, failure
from tests.support.fake_uploads import COMMIT, UPLOADS, URL, FakeUploads, pushed, pushing
from tests.support.users import needs_root, new_user, open_folder
from tests.support.wharf_command import Wharf, binary, job

REPO = "org/model"
PR = "https://hub.example/org/model/discussions/3"


@pytest.fixture
def wharf(tmp_path: Path) -> Iterator[Wharf]:
    command = Wharf(tmp_path)
    yield command
    command.daemon.close()


@pytest.fixture
def uploads(wharf: Wharf) -> FakeUploads:
    return FakeUploads(wharf.daemon)


def write(folder: Path, **files: str) -> None:
    """Files by their paths, with "/" written as "__"."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def tree(wharf: Wharf) -> Path:
    folder = wharf.folder / "tree"
    write(folder, a="1", b__c="22", b__d__e="333", z="")
    return folder


class TestFolder:
    def test_all_of_it_goes_to_the_root(self, wharf, uploads, tree):
        ended = wharf.run("upload", REPO, tree)
        assert (ended.code, ended.out) == (0, URL + "\n"), ended.err
        upload = uploads.only
        assert upload.files == {"a": b"1", "b/c": b"22", "b/d/e": b"333", "z": b""}
        assert list(upload.files) == sorted(upload.files)
        assert upload.sizes == {} and upload.deletions == []
        assert upload.order == {
            "repo": REPO,
            "repo_type": "model",
            "revision": "main",
            "message": "Upload folder with wharf",
            "create": True,
        }
        assert upload.state == "submitted" and not upload.detached
        assert "4 files, 1.0 MB sent in 0s" in ended.err

    def test_below_a_folder_of_the_repo(self, wharf, uploads, tree):
        assert wharf.run("upload", REPO, tree, "./x/y/", "--delete", "*.old").code == 0
        assert set(uploads.only.files) == {"x/y/a", "x/y/b/c", "x/y/b/d/e", "x/y/z"}
        assert uploads.only.deletions == [{"delete_patterns": ["*.old"], "below": "x/y"}]

    def test_what_is_named_like_the_repo(self, wharf, uploads, tree):
        tree.rename(wharf.folder / "model")
        assert wharf.run("upload", REPO).code == 0
        assert "b/c" in uploads.only.files

    def test_all_that_can_be_said_of_a_commit(self, wharf, uploads, tree):
        parent = "f" * 40
        ended = wharf.run(
            *("upload", REPO, tree, "--repo-type", "dataset", "--revision", "dev", "--private"),
            *("--commit-message", "Epoch 3", "--commit-description", "better", "--token", "hf_x"),
            *("--parent-commit", parent, "--priority", "background"),
        )
        assert ended.code == 0, ended.err
        assert uploads.only.order == {
            "repo": REPO,
            "repo_type": "dataset",
            "revision": "dev",
            "message": "Epoch 3",
            "description": "better",
            "parent_commit": parent,
            "priority": "background",
            "token": "hf_x",
            "create": True,
            "private": True,
        }

    def test_a_uri(self, wharf, uploads, tree):
        assert wharf.run("upload", "hf://datasets/org/data@dev/x", tree).code == 0
        order = uploads.only.order
        assert (order["repo"], order["repo_type"], order["revision"]) == ("org/data", "dataset", "dev")
        assert "x/b/c" in uploads.only.files

    @pytest.mark.parametrize(
        "options, expected",
        [
            (["--include", "b/*"], {"b/c", "b/d/e"}),
            (["--include", "*e", "--include", "a"], {"a", "b/d/e"}),
            (["--exclude", "b/"], {"a", "z"}),
            (["--exclude", "b"], {"a", "b/c", "b/d/e", "z"}),  # names the folder, not what is in it
            (["--exclude", "b?"], {"a", "b/c", "b/d/e", "z"}),
            (["--include", "b/", "--exclude", "*/d/*"], {"b/c"}),
        ],
    )
    def test_patterns(self, wharf, uploads, tree, options, expected):
        assert wharf.run("upload", REPO, tree, *options).code == 0
        assert set(uploads.only.files) == expected

    def test_a_wildcard_selects_below_the_working_folder(self, wharf, uploads, tree):
        assert wharf.run("upload", REPO, "tree/b/*").code == 0
        assert set(uploads.only.files) == {"tree/b/c", "tree/b/d/e"}

    def test_what_is_never_sent(self, wharf, uploads, tree):
        write(tree, **{".git__config": "x", "b__.git__config": "x", ".gitignore": "k"})
        write(tree, **{".cache__huggingface__m": "x", "b__.cache__huggingface__m": "x", ".cache__o": "k"})
        (tree / "b" / "d" / ".git").write_text("gitdir: elsewhere")
        assert wharf.run("upload", REPO, tree).code == 0
        new = set(uploads.only.files) - {"a", "b/c", "b/d/e", "z"}
        assert new == {".gitignore", ".cache/o"}

    def test_links(self, wharf, uploads, tree):
        """As pathlib's glob treats them: files behind links are taken, linked folders are not."""
        outside = wharf.folder / "outside"
        write(outside, file="linked", sub__deep="no")
        (tree / "link").symlink_to(outside / "file")
        (tree / "folder").symlink_to(outside / "sub")
        (tree / "broken").symlink_to("nowhere")
        (tree / "self").symlink_to("self")
        os.mkfifo(tree / "fifo")
        ended = wharf.run("upload", REPO, tree)
        assert ended.code == 0, ended.err
        expected = {p.relative_to(tree).as_posix() for p in tree.glob("**/*") if p.is_file()}
        assert set(uploads.only.files) == expected
        assert uploads.only.files["link"] == b"linked"
        assert "not pushed: '" in ended.err and "and 3 more" in ended.err

    def test_a_link_to_the_folder_itself(self, wharf, uploads, tree):
        (wharf.folder / "latest").symlink_to(tree)
        assert wharf.run("upload", REPO, "latest").code == 0
        assert len(uploads.only.files) == 4

    def test_many_files_in_calls_of_200(self, wharf, uploads):
        folder = wharf.folder / "many"
        folder.mkdir()
        for number in range(450):
            (folder / f"{number:03}").write_text(str(number))
        assert wharf.run("upload", REPO, folder).code == 0
        assert uploads.only.calls == [200, 200, 50]
        assert uploads.only.files["449"] == b"449"

    def test_nothing_changed(self, wharf, uploads, tree):
        uploads.steps = [{"job": 3}, pushed(commits=0, files=0, bytes_sent=0)]
        ended = wharf.run("upload", REPO, tree)
        assert (ended.code, ended.out) == (0, URL + "\n")
        assert "nothing had changed: no commit was made" in ended.err

    def test_a_pull_request(self, wharf, uploads, tree):
        uploads.steps = [{"job": 3}, pushed(pull_request=PR)]
        ended = wharf.run("upload", REPO, tree, "--create-pr")
        assert (ended.code, ended.out) == (0, PR + "\n")
        assert uploads.only.order["create_pr"] is True

    def test_json(self, wharf, uploads, tree):
        uploads.steps = [{"job": 3}, pushing(), pushed(commits=2, files=4, warnings=["big"])]
        ended = wharf.run("upload", REPO, tree, "--json")
        assert ended.json == {
            "repo": REPO,
            "repo_type": "model",
            "revision": "main",
            "commit": COMMIT,
            "url": URL,
            "pull_request": None,
            "commits": 2,
            "files": 4,
            "bytes_sent": 1_000_000,
            "warnings": ["big"],
        }
        assert ended.err == ""

    def test_warnings_are_said(self, wharf, uploads, tree):
        uploads.steps = [{"job": 3}, pushed(commits=2, warnings=["the Hub says: big"])]
        ended = wharf.run("upload", REPO, tree)
        assert "warning: the Hub says: big\n" in ended.err and ", 2 commits" in ended.err
        ended = wharf.run("upload", REPO, tree, "--quiet")
        assert (ended.out, ended.err) == (URL + "\n", "warning: the Hub says: big\n")


class TestFile:
    @pytest.mark.parametrize(
        "place, path",
        [
            ([], "w.bin"),
            (["weights/model.bin"], "weights/model.bin"),
            (["/weights/w.bin"], "weights/w.bin"),
            (["."], "w.bin"),
            (["weights/"], "weights/w.bin"),
        ],
    )
    def test_where_it_goes(self, wharf, uploads, place, path):
        write(wharf.folder, **{"out__w.bin": "bytes"})
        ended = wharf.run("upload", REPO, "out/w.bin", *place)
        assert (ended.code, ended.out) == (0, URL + "\n"), ended.err
        assert uploads.only.files == {path: b"bytes"}
        assert uploads.only.order["message"] == f"Upload {path} with wharf"

    def test_patterns_mean_nothing(self, wharf, uploads):
        write(wharf.folder, f="1")
        ended = wharf.run("upload", REPO, "f", "--include", "x", "--exclude", "f", "--delete", "*")
        assert ended.code == 0 and set(uploads.only.files) == {"f"}
        assert uploads.only.deletions == []
        for option in ("--include", "--exclude", "--delete"):
            assert f"warning: {option} is ignored" in ended.err

    def test_a_name_with_brackets_is_no_wildcard(self, wharf, uploads):
        write(wharf.folder, **{"model [v2].bin": "1"})
        assert wharf.run("upload", REPO, "model [v2].bin").code == 0
        assert set(uploads.only.files) == {"model [v2].bin"}


class TestFaults:
    """Whatever is wrong here is found before the daemon is asked for anything."""

    def refused(self, wharf: Wharf, *arguments: Any, code: int) -> str:
        ended = wharf.run("upload", REPO, *arguments)
        assert (ended.code, ended.out) == (code, ""), ended
        assert wharf.daemon.calls == []
        return ended.err

    def test_local_paths(self, wharf):
        assert "'model' here" in self.refused(wharf, code=2)
        assert "'nothere'" in self.refused(wharf, "nothere", code=3)
        os.mkfifo(wharf.folder / "fifo")
        assert "'fifo'" in self.refused(wharf, "fifo", code=2)

    def test_nothing_to_push(self, wharf):
        (wharf.folder / "empty" / "sub").mkdir(parents=True)
        assert "nothing to push" in self.refused(wharf, "empty", code=2)
        write(wharf.folder / "empty", a="1")
        assert "no file matches" in self.refused(wharf, "empty", "--include", "*.bin", code=2)

    def test_an_empty_folder_may_still_delete(self, wharf, uploads):
        (wharf.folder / "empty").mkdir()
        assert wharf.run("upload", REPO, "empty", "--delete", "*").code == 0
        assert uploads.only.deletions == [{"delete_patterns": ["*"]}]

    @pytest.mark.parametrize(
        "name, said",
        [
            (b"bad\xff", "'bad\\xff'"),
            (b"bad\x1b[2J", "'bad\\x1b[2J'"),
            (b"a\nb", "'a\\x0ab'"),
            (b".GIT", "'.GIT'"),
            (b"..\\up", "'..\\up'"),
        ],
    )
    def test_names_that_no_repo_takes(self, wharf, tree, name, said):
        (os.fsencode(tree) + b"/b/" + name).decode("utf-8", "surrogateescape")
        with open(os.fsencode(tree) + b"/b/" + name, "w"):
            pass
        assert said.replace("'", "").lstrip() in self.refused(wharf, tree, code=2)
        assert wharf.run("upload", REPO, tree, "--exclude", "b/*", "--json").code != 2

    @pytest.mark.parametrize("place", ["a/../b", "a//b", ".git", "x/.cache/huggingface"])
    def test_places_that_no_repo_has(self, wharf, tree, place):
        self.refused(wharf, tree, place, code=2)

    @needs_root
    def test_unreadable_files_are_named(self):
        """Also in folders that are open otherwise, and folders that are not."""
        user = new_user()
        with open_folder() as folder:
            write(folder, a="1", b__c="2", d__e="3")
            for closed, mode in ((folder / "b" / "c", 0o600), (folder / "d", 0o700)):
                before = closed.stat().st_mode
                closed.chmod(mode)
                nowhere = str(folder / "no.sock")
                ended = user.run(binary(), "--socket", nowhere, "upload", REPO, str(folder))
                assert ended.returncode == 1, ended
                assert f"reading '{closed}': Permission denied" in ended.stderr
                skipping = [str(folder), "--exclude", "b/*", "--exclude", "d/"]
                ended = user.run(binary(), "--socket", nowhere, "upload", REPO, *skipping)
                assert ended.returncode == 8, ended
                closed.chmod(before)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["x", "y", "z"],
            ["x", "--every", "5", "--detach"],
            ["x", "--every", "0"],
            ["x", "--every", "soon"],
            ["x", "--attached", "--detach"],
            ["x", "--create-pr", "--revision", "dev"],
            ["x", "--commit-message", " "],
            ["*.bin", "--include", "x"],
            ["*.bin", "place"],
        ],
    )
    def test_wrong_usage(self, wharf, arguments):
        self.refused(wharf, *arguments, code=2)

    def test_conflict(self, wharf, uploads, tree):
        said = f"main is at {COMMIT}, not at {'f' * 40}"
        uploads.steps = [{"job": 3}, failure("Conflict", said, "look at what is new")]
        ended = wharf.run("upload", REPO, tree, "--parent-commit", "f" * 40)
        assert ended.code == 1 and said in ended.err and ended.out == ""

    def test_a_refusal_while_staging_gives_the_upload_up(self, wharf, uploads, tree):
        wharf.daemon.on(UPLOADS + "Add", lambda _: [failure("QuotaExceeded", "too much", "")])
        wharf.daemon._file_scripts.clear()
        assert wharf.run("upload", REPO, tree).code == 6
        assert uploads.only.state == "discarded"


class TestWaiting:
    def test_detached(self, wharf, uploads, tree):
        ended = wharf.run("upload", REPO, tree, "--detach")
        assert (ended.code, ended.out.split()[:2]) == (0, ["job", "41"])
        assert uploads.only.detached
        assert wharf.run("upload", REPO, tree, "--detach", "--quiet").out == "42\n"
        assert wharf.run("upload", REPO, tree, "--detach", "--json").json == {
            "repo": REPO,
            "repo_type": "model",
            "revision": "main",
            "job": 43,
        }

    def test_attached(self, wharf, uploads, tree):
        assert wharf.run("upload", REPO, tree, "--attached").code == 0
        assert uploads.only.order["attached"] is True

    def test_interrupted_before_it_is_submitted(self, wharf, uploads, tree):
        pause = Pause()
        wharf.daemon.on_files(UPLOADS + "Add", lambda parameters, files: [pause])
        with wharf.start("upload", REPO, tree) as process:
            assert pause.reached.wait(20)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (130, "")
        assert "nothing was pushed" in err
        assert uploads.only.state == "discarded"

    @pytest.mark.parametrize("options", [[], ["--attached"]])
    def test_interrupted_after_that(self, wharf, uploads, tree, options):
        pause = Pause()
        uploads.steps = [{"job": 7}, pause, pushed()]
        with wharf.start("upload", REPO, tree, *options) as process:
            assert pause.reached.wait(20)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (130, "")
        assert ("wharf jobs watch 7" in err) == (not options), err
        assert uploads.only.state == "submitted"

    def test_the_daemon_goes_away(self, wharf, uploads, tree):
        uploads.steps = [{"job": 7}, pushing(), CLOSE]
        ended = wharf.run("upload", REPO, tree)
        assert (ended.code, ended.out) == (8, "")
        assert "the push is safe" in ended.err and "wharf jobs watch 7" in ended.err
        uploads.steps = [CLOSE]
        ended = wharf.run("upload", REPO, tree)
        assert ended.code == 8 and "wharf jobs ls" in ended.err
        assert [upload.state for upload in uploads.uploads] == ["submitted", "submitted"]

    def test_a_token_goes_to_no_other_hub(self, wharf, uploads, tree):
        wharf.daemon.on("org.wharf.Status", lambda _: [{"endpoint": "https://huggingface.co"}])
        other = {"HF_ENDPOINT": "https://other.example", "HF_TOKEN": "hf_x"}
        ended = wharf.run("upload", REPO, tree, environment=other)
        assert ended.code == 2 and uploads.uploads == []

    def test_many_files_need_little_memory(self, wharf):
        uploads = FakeUploads(wharf.daemon, keep_content=False)
        pause = Pause()
        uploads.steps = [{"job": 7}, pause, pushed()]
        folder = wharf.folder / "huge"
        for part in range(20):
            (folder / f"{part:02}").mkdir(parents=True)
            for number in range(1000):
                os.close(os.open(folder / f"{part:02}" / f"{number:04}", os.O_CREAT))
        with wharf.start("upload", REPO, folder, "--quiet") as process:
            assert pause.reached.wait(60)
            status = Path(f"/proc/{process.pid}/status").read_text()
            pause.go_on.set()
            process.communicate(timeout=20)
        assert process.returncode == 0
        assert len(uploads.only.files) == 20_000 and max(uploads.only.calls) == 200
        most = int(status.partition("VmHWM:")[2].split()[0])
        assert most < 20_000  # kB, most of which is the program itself


class TestEvery:
    """The loop of `--every`, with a period that the tests end themselves."""

    @pytest.fixture
    def running(self, wharf: Wharf, uploads: FakeUploads, tree: Path) -> Iterator[Callable[..., Any]]:
        wharf.daemon.on("org.wharf.Jobs.Show", lambda p: [{"job": job(id=p["id"], state="done"), "files": []}])
        processes = []

        def start(*options: Any, period: str = "1h") -> Any:
            process = wharf.start("upload", REPO, tree, "--every", period, *options)
            processes.append(process)
            return process

        yield start
        for process in processes:
            process.kill()
            process.communicate()

    @staticmethod
    def until(condition: Callable[[], bool]) -> None:
        for _ in range(400):
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError("it did not come to that")

    @staticmethod
    def submitted(uploads: FakeUploads) -> int:
        return sum(upload.state == "submitted" for upload in uploads.uploads)

    def test_first_all_then_what_changed_then_the_rest(self, running, uploads, tree):
        process = running(period="1s")
        self.until(lambda: self.submitted(uploads) == 1)
        first = uploads.uploads[0]
        assert set(first.files) == {"a", "b/c", "b/d/e", "z"}
        assert first.sizes == {"a": 1, "b/c": 2, "b/d/e": 3, "z": 0}
        assert first.order["message"] == "Scheduled Commit" and first.detached
        with (tree / "a").open("a") as log:
            log.write("more")
        write(tree, new="1")
        self.until(lambda: sum(len(u.files) for u in uploads.uploads if u.state == "submitted") >= 6)
        later = {path: content for upload in uploads.uploads[1:] for path, content in upload.files.items()}
        assert later == {"a": b"1more", "new": b"1"}
        time.sleep(2.2)  # two periods without a change
        assert sum(len(upload.files) for upload in uploads.uploads) == 6
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert out.startswith("job 41: 4 files, 6 B\n")

    @pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_pushes_once_more(self, running, uploads, tree, which):
        process = running("--quiet", "--commit-message", "logs")
        self.until(lambda: self.submitted(uploads) == 1)
        write(tree, last="1")
        process.send_signal(which)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "41\n42\n"), err
        assert uploads.uploads[1].files == {"last": b"1"}
        assert uploads.uploads[1].order["message"] == "logs"

    def test_a_signal_when_nothing_changed(self, running, uploads):
        process = running("--json")
        self.until(lambda: self.submitted(uploads) == 1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0 and len(uploads.uploads) == 1
        assert json.loads(out) == {
            "repo": REPO,
            "repo_type": "model",
            "revision": "main",
            "job": 41,
            "files": 4,
            "bytes": 6,
        }

    def test_what_was_not_submitted_is_tried_again(self, running, uploads, wharf):
        attempts = []

        def refuse_once(parameters: dict[str, Any]) -> list[Any]:
            attempts.append(parameters)
            return [CLOSE] if len(attempts) == 1 else uploads._submit(parameters)

        wharf.daemon.on(UPLOADS + "Submit", refuse_once)
        process = running(period="1s")
        self.until(lambda: self.submitted(uploads) == 1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "lost the daemon" in err
        assert [len(upload.files) for upload in uploads.uploads] == [4, 4]

    def test_what_no_waiting_mends_ends_it(self, running, wharf):
        wharf.daemon.on(UPLOADS + "Begin", lambda _: [failure("Unauthorized", "a bad token")])
        process = running()
        _, err = process.communicate(timeout=20)
        assert process.returncode == 4 and "a bad token" in err

    def test_the_last_push_must_succeed(self, running, uploads, wharf, tree):
        process = running()
        self.until(lambda: self.submitted(uploads) == 1)
        write(tree, last="1")
        wharf.daemon.close()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 8, err

    def test_slow_and_failed_jobs_are_said_once(self, running, uploads, wharf, tree):
        why = {"name": "org.wharf.Gated", "message": "no access", "hint": ""}
        wharf.daemon.on(
            "org.wharf.Jobs.Show",
            lambda p: [
                {
                    "job": job(id=p["id"], state="failed", failure=why) if p["id"] == 42 else job(id=p["id"]),
                    "files": [],
                }
            ],
        )
        process = running(period="1s")
        for number in range(6):
            self.until(lambda: self.submitted(uploads) > number)
            write(tree, **{f"new{number}": "1"})
        self.until(lambda: self.submitted(uploads) == 7)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert err.count("have not ended yet") == 1
        assert err.count("job 42 failed: no access; `wharf jobs retry 42`") == 1

    def test_a_single_file(self, wharf, uploads):
        write(wharf.folder, log="1")
        with wharf.start("upload", REPO, "log", "logs/run.log", "--every", "60") as process:
            self.until(lambda: self.submitted(uploads) == 1)
            (wharf.folder / "log").write_text("12")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        assert [upload.files for upload in uploads.uploads] == [
            {"logs/run.log": b"1"},
            {"logs/run.log": b"12"},
        ]
