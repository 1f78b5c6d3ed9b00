"""What the kin of `wharf upload` hand over to the daemon, and what they print."""

from __future__ import annotations

from tests.support.fake_uploads import URL, pushed

REPO = "org/model"
PR = "https://hub.example/org/model/discussions/3"


class TestLargeFolder:
    def test_is_the_same_push(self, wharf, uploads, tree):
        ended = wharf.run(
            *("upload-large-folder", REPO, tree, "--repo-type", "dataset", "--revision", "dev"),
            *("--private", "--include", "b/*", "--exclude", "*e", "--num-workers", "8"),
            *("--no-report", "--no-bars"),
        )
        assert (ended.code, ended.out) == (0, URL + "\n"), ended.err
        assert uploads.only.files == {"b/c": b"22"}
        assert uploads.only.order["repo_type"] == "dataset"
        assert uploads.only.order["private"] is True
        assert ended.err.count("--num-workers changes nothing: the daemon decides") == 1

    def test_a_number_of_workers_gets_no_note_when_quiet_or_absent(self, wharf, uploads, tree):
        order = ("upload-large-folder", REPO, tree, "--repo-type", "model")
        quiet = wharf.run(*order, "--num-workers", "8", "--quiet")
        assert (quiet.code, quiet.err) == (0, "")
        assert "num-workers" not in wharf.run(*order).err

    def test_what_it_does_not_take(self, wharf, uploads, tree):
        assert wharf.run("upload-large-folder", REPO, tree).code == 2
        ended = wharf.run("upload-large-folder", REPO, tree / "a", "--repo-type", "model")
        assert ended.code == 2 and "`wharf upload` pushes single files" in ended.err
        assert uploads.uploads == []


class TestDelete:
    def test_patterns_and_folders(self, wharf, uploads):
        ended = wharf.run("repo-files", "delete", REPO, "a.txt", "*.bin", "old/", "x*/")
        assert (ended.code, ended.out) == (0, URL + "\n"), ended.err
        assert uploads.only.deletions == [
            {"delete_patterns": ["a.txt", "*.bin", "x*/"], "delete_folders": ["old"]}
        ]
        assert uploads.only.order == {
            "repo": REPO,
            "repo_type": "model",
            "revision": "main",
            "message": "Delete a.txt *.bin old/ x*/ with wharf",
        }
        assert uploads.only.files == {}

    def test_options(self, wharf, uploads):
        uploads.steps = [pushed(pull_request=PR)]
        ended = wharf.run(
            *("repo-files", "delete", REPO, "a", "--type", "space", "--create-pr", "--token", "t"),
            *("--commit-message", "m", "--commit-description", "d"),
        )
        assert (ended.code, ended.out) == (0, PR + "\n")
        assert uploads.only.order == {
            "repo": REPO,
            "repo_type": "space",
            "revision": "main",
            "message": "m",
            "description": "d",
            "token": "t",
            "create_pr": True,
        }

    def test_wrong_usage(self, wharf, uploads):
        assert wharf.run("repo-files", "delete", REPO).code == 2
        assert wharf.run("repo-files", "delete", REPO, "/").code == 2
        assert wharf.run("repo-files", "delete", REPO, "a/../b/").code == 2
        assert wharf.run("repo-files").code == 2
        assert uploads.uploads == []
