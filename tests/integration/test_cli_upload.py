"""What `wharf upload` and its kin hand over to the daemon, and what they print."""

from __future__ import annotations

import os

import pytest

from tests.support.fake_uploads import COMMIT, URL, pushed, pushing, write_files

REPO = "org/model"
PR = "https://hub.example/org/model/discussions/3"


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
        write_files(tree, **{".git__config": "x", "b__.git__config": "x", ".gitignore": "k"})
        write_files(tree, **{".cache__huggingface__m": "x", "b__.cache__huggingface__m": "x", ".cache__o": "k"})
        (tree / "b" / "d" / ".git").write_text("gitdir: elsewhere")
        assert wharf.run("upload", REPO, tree).code == 0
        new = set(uploads.only.files) - {"a", "b/c", "b/d/e", "z"}
        assert new == {".gitignore", ".cache/o"}

    def test_links(self, wharf, uploads, tree):
        """As pathlib's glob treats them: files behind links are taken, linked folders are not."""
        outside = wharf.folder / "outside"
        write_files(outside, file="linked", sub__deep="no")
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

    @pytest.mark.parametrize(
        "result, said",
        [
            ({"files": 2, "bytes_sent": 5_000}, "2 files, 5.0 KB sent in 0s\n"),
            ({"files": 2, "bytes_sent": 0}, "2 files in 0s\n"),
            ({"files": 0, "bytes_sent": 0}, "files deleted in 0s\n"),
        ],
    )
    def test_the_summary_counts_what_there_was(self, wharf, uploads, tree, result, said):
        """Small files go within the commit: "0 B sent" would read as if they had not arrived."""
        uploads.steps = [{"job": 3}, pushed(**result)]
        ended = wharf.run("upload", REPO, tree)
        assert ended.err == said

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
        write_files(wharf.folder, **{"out__w.bin": "bytes"})
        ended = wharf.run("upload", REPO, "out/w.bin", *place)
        assert (ended.code, ended.out) == (0, URL + "\n"), ended.err
        assert uploads.only.files == {path: b"bytes"}
        assert uploads.only.order["message"] == f"Upload {path} with wharf"

    def test_patterns_mean_nothing(self, wharf, uploads):
        write_files(wharf.folder, f="1")
        ended = wharf.run("upload", REPO, "f", "--include", "x", "--exclude", "f", "--delete", "*")
        assert ended.code == 0 and set(uploads.only.files) == {"f"}
        assert uploads.only.deletions == []
        for option in ("--include", "--exclude", "--delete"):
            assert f"warning: {option} is ignored" in ended.err

    def test_a_name_with_brackets_is_no_wildcard(self, wharf, uploads):
        write_files(wharf.folder, **{"model [v2].bin": "1"})
        assert wharf.run("upload", REPO, "model [v2].bin").code == 0
        assert set(uploads.only.files) == {"model [v2].bin"}
