"""`wharf upload --every`: the loop that runs in the client."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_daemon import CLOSE, failure
from tests.support.fake_uploads import UPLOADS, FakeUploads, write_files
from tests.support.wharf_command import Wharf, job

REPO = "org/model"


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
        write_files(tree, new="1")
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
        write_files(tree, last="1")
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
        write_files(tree, last="1")
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
            write_files(tree, **{f"new{number}": "1"})
        self.until(lambda: self.submitted(uploads) == 7)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert err.count("have not ended yet") == 1
        assert err.count("job 42 failed: no access; `wharf jobs retry 42`") == 1

    def test_a_single_file(self, wharf, uploads):
        write_files(wharf.folder, log="1")
        with wharf.start("upload", REPO, "log", "logs/run.log", "--every", "60") as process:
            self.until(lambda: self.submitted(uploads) == 1)
            (wharf.folder / "log").write_text("12")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        assert [upload.files for upload in uploads.uploads] == [
            {"logs/run.log": b"1"},
            {"logs/run.log": b"12"},
        ]
