"""`wharf upload` while the daemon works: left, interrupted, or waited for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.fake_daemon import CLOSE, Pause
from tests.support.fake_uploads import UPLOADS, FakeUploads, pushed, pushing

REPO = "org/model"


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
