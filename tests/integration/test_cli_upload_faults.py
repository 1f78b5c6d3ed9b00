"""What `wharf upload` refuses, and what it says to that."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.support.fake_daemon import failure
from tests.support.fake_uploads import COMMIT, UPLOADS, write_files
from tests.support.users import needs_root, new_user, open_folder
from tests.support.wharf_command import Wharf, binary

REPO = "org/model"


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
        write_files(wharf.folder / "empty", a="1")
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
            write_files(folder, a="1", b__c="2", d__e="3")
            for closed, mode in ((folder / "b" / "c", 0o600), (folder / "d", 0o700)):
                before = closed.stat().st_mode
                closed.chmod(mode)
                nowhere = str(folder / "no.sock")
                ended = user.run(binary(), "--socket", nowhere, "upload", REPO, str(folder))
                assert ended.returncode == 1, ended
                assert f"reading '{closed}': Permission denied" in ended.stderr
                assert "or leave it out with --exclude" in ended.stderr
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

    @pytest.mark.parametrize(
        "name, code",
        [("Unauthorized", 4), ("RepoNotFound", 3), ("Offline", 5), ("NoSpace", 6)],
    )
    def test_a_job_that_may_do_better_is_named(self, wharf, uploads, tree, name, code):
        uploads.steps = [{"job": 3}, failure(name, "no", "do this")]
        ended = wharf.run("upload", REPO, tree)
        assert ended.code == code
        assert "hint: do this; then `wharf jobs retry 3` pushes" in ended.err
        attached = wharf.run("upload", REPO, tree, "--attached")
        assert attached.code == code and "retry" not in attached.err

    @pytest.mark.parametrize("name, code", [("InvalidRequest", 2), ("FileNotFound", 3), ("Conflict", 1)])
    def test_a_job_that_would_fail_again_is_not(self, wharf, uploads, tree, name, code):
        uploads.steps = [{"job": 3}, failure(name, "not as it is", "mend it")]
        ended = wharf.run("upload", REPO, tree)
        assert ended.code == code and ended.err.endswith("hint: mend it\n")

    def test_a_refusal_while_staging_gives_the_upload_up(self, wharf, uploads, tree):
        wharf.daemon.on(UPLOADS + "Add", lambda _: [failure("QuotaExceeded", "too much", "ask for more")])
        wharf.daemon._file_scripts.clear()
        ended = wharf.run("upload", REPO, tree)
        assert ended.code == 6
        assert "hint: or push with --attached" not in ended.err and "--attached" in ended.err
        assert uploads.only.state == "discarded"
