"""What `wharf download` asks of the daemon, and what it prints."""

from __future__ import annotations


import pytest

from tests.support.wharf_command import COMMIT, REPO, Wharf, progress, result

DOWNLOAD = "org.wharf.Downloads.Download"
LIST = "org.wharf.Downloads.List"
SNAPSHOT = f"/cache/models--org--model/snapshots/{COMMIT}"


@pytest.fixture
def wharf(tmp_path):
    command = Wharf(tmp_path)
    yield command
    command.daemon.close()


def answers(wharf, *steps):
    wharf.daemon.on(DOWNLOAD, lambda parameters: list(steps))


def asked(wharf, method=DOWNLOAD):
    calls = wharf.daemon.parameters_of(method)
    assert len(calls) == 1
    return calls[0]


class TestDownload:
    def test_the_last_line_is_the_snapshot(self, wharf):
        answers(wharf, {"job": 3}, progress(), result(SNAPSHOT))
        ended = wharf.run("download", REPO)
        assert (ended.code, ended.out) == (0, SNAPSHOT + "\n")
        assert asked(wharf) == {"repo": REPO, "repo_type": "model", "revision": "main"}
        assert wharf.daemon.raw[0]["more"] is True

    def test_one_file_prints_its_path(self, wharf):
        answers(wharf, result(SNAPSHOT, [SNAPSHOT + "/config.json"]))
        ended = wharf.run("download", REPO, "config.json")
        assert (ended.code, ended.out) == (0, SNAPSHOT + "/config.json\n")
        assert asked(wharf)["files"] == ["config.json"]

    def test_several_files_print_the_snapshot(self, wharf):
        answers(wharf, result(SNAPSHOT, [SNAPSHOT + "/a", SNAPSHOT + "/b/c"]))
        ended = wharf.run("download", REPO, "a", "b/c")
        assert (ended.code, ended.out) == (0, SNAPSHOT + "\n")
        assert asked(wharf)["files"] == ["a", "b/c"]

    def test_patterns_go_to_the_daemon_as_they_are(self, wharf):
        answers(wharf, result(SNAPSHOT))
        ended = wharf.run(
            *("download", REPO, "--include", "*.json", "--include=a/", "--include", "**/[!x]?"),
            *("--exclude", "fp32*", "--exclude=*.bin"),
        )
        assert ended.code == 0
        assert asked(wharf)["include"] == ["*.json", "a/", "**/[!x]?"]
        assert asked(wharf)["exclude"] == ["fp32*", "*.bin"]
        assert "files" not in asked(wharf)

    def test_a_value_does_not_swallow_the_names_behind_it(self, wharf):
        answers(wharf, result(SNAPSHOT, [SNAPSHOT + "/a"]))
        ended = wharf.run("download", "--include", "*.json", REPO, "a")
        assert asked(wharf)["files"] == ["a"]
        assert "include" not in asked(wharf)
        assert "--include is ignored" in ended.err

    @pytest.mark.parametrize(
        "names, include",
        [
            (["art/"], ["art/**"]),
            (["art//", "x.json"], ["art/**", "x.json"]),
            (["*.json", "a.txt"], ["*.json", "a.txt"]),
        ],
    )
    def test_folders_and_wildcards_among_names_are_patterns(self, wharf, names, include):
        answers(wharf, result(SNAPSHOT))
        assert wharf.run("download", REPO, *names).out == SNAPSHOT + "\n"
        assert asked(wharf)["include"] == include
        assert "files" not in asked(wharf)

    def test_type_revision_and_force(self, wharf):
        answers(wharf, result(SNAPSHOT))
        wharf.run(
            *("download", REPO, "--repo-type", "dataset", "--revision", "refs/pr/3"),
            *("--force-download", "--max-workers", "4"),
        )
        assert asked(wharf) == {
            "repo": REPO,
            "repo_type": "dataset",
            "revision": "refs/pr/3",
            "force": True,
        }

    def test_uri(self, wharf):
        answers(wharf, result(SNAPSHOT, [SNAPSHOT + "/a/b.txt"]))
        ended = wharf.run("download", "hf://datasets/org/data@v1.0/a/b.txt")
        assert ended.out == SNAPSHOT + "/a/b.txt\n"
        expected = {"repo": "org/data", "repo_type": "dataset", "revision": "v1.0"}
        assert asked(wharf) == expected | {"files": ["a/b.txt"]}

    def test_names_behind_two_dashes(self, wharf):
        answers(wharf, result(SNAPSHOT, [SNAPSHOT + "/--token"]))
        ended = wharf.run("download", REPO, "--", "--token")
        assert (ended.code, asked(wharf)["files"]) == (0, ["--token"])

    def test_json(self, wharf):
        answers(wharf, progress(), result(SNAPSHOT, [SNAPSHOT + "/a"]))
        ended = wharf.run("download", REPO, "a", "--json")
        assert ended.json == {
            "path": SNAPSHOT + "/a",
            "repo": REPO,
            "repo_type": "model",
            "revision": "main",
            "commit": COMMIT,
            "snapshot": SNAPSHOT,
            "files": [SNAPSHOT + "/a"],
            "stale": False,
        }
        assert ended.err == ""

    @pytest.mark.parametrize("flags", [["--quiet"], ["-q"], ["--format", "quiet"]])
    def test_quiet_prints_only_the_path(self, wharf, flags):
        answers(wharf, progress(), result(SNAPSHOT))
        ended = wharf.run("download", REPO, *flags)
        assert (ended.out, ended.err) == (SNAPSHOT + "\n", "")

    @pytest.mark.parametrize("flags", [[], ["--quiet"], ["--json"]])
    def test_stale_is_said_on_standard_error(self, wharf, flags):
        answers(wharf, result(SNAPSHOT, stale=True, why="the Hub did not answer"))
        ended = wharf.run("download", REPO, *flags)
        assert ended.code == 0
        assert "the Hub did not answer" in ended.err and COMMIT in ended.err
        assert "warning" not in ended.out
        if flags == ["--json"]:
            assert ended.json["stale"] is True
            assert ended.json["why"] == "the Hub did not answer"

    def test_plain_lines_in_a_pipe(self, wharf):
        waiting = progress(state="waiting", reason="the Hub asked to wait 12 s")
        answers(wharf, progress(), progress(), waiting, progress(), result(SNAPSHOT))
        lines = wharf.run("download", REPO).err.splitlines()
        assert lines[0] == "1/4 files, 1.0 MB of 4.0 MB, 500.0 KB/s, ETA 6s"
        assert lines[1].startswith("waiting: the Hub asked to wait 12 s; 1/4 files")
        assert len(lines) == 4  # running, waiting, running again, the summary
        assert "\x1b" not in "".join(lines)

    def test_the_summary_counts_only_what_was_fetched(self, wharf):
        queued = progress(state="queued", files_total=0, bytes_done=0, bytes_total=0)
        done = progress(files_done=4, bytes_done=4_000_000)
        answers(wharf, queued, progress(bytes_done=3_000_000), done, result(SNAPSHOT))
        lines = wharf.run("download", REPO).err.splitlines()
        assert lines[-1].startswith("4 files, 4.0 MB, 1.0 MB of it fetched in ")

    def test_nothing_is_said_before_there_is_a_listing(self, wharf):
        queued = progress(state="queued", files_total=0, bytes_done=0, bytes_total=0)
        running = progress(files_done=0, files_total=0, bytes_done=0, bytes_total=0)
        answers(wharf, {"job": 1}, queued, running, result(SNAPSHOT))
        assert wharf.run("download", REPO).err == ""

    def test_no_progress_when_it_is_disabled(self, wharf):
        answers(wharf, progress(), result(SNAPSHOT))
        ended = wharf.run("download", REPO, environment={"HF_HUB_DISABLE_PROGRESS_BARS": "1"})
        assert ended.err == ""


class TestDryRun:
    def files(self, wharf):
        rows = [
            {"name": "b.bin", "size": 5_000_000, "etag": "b" * 64, "cached": False},
            {"name": "a.json", "size": 120, "etag": "a" * 40, "cached": True},
        ]
        head = {"commit": COMMIT, "snapshot": SNAPSHOT, "stale": False}
        wharf.daemon.on(
            LIST, lambda _: [head | {"files": rows[:1]}, head | {"files": rows[1:]}]
        )

    def test_table(self, wharf):
        self.files(wharf)
        ended = wharf.run("download", REPO, "--dry-run", "--include", "*")
        assert ended.out.splitlines() == [
            "[dry-run] Will download 1 file (out of 2) totalling 5.0 MB.",
            "FILE      SIZE  STATE",
            "a.json   120 B  cached",
            "b.bin   5.0 MB  to download",
        ]
        assert wharf.daemon.raw[0]["more"] is True
        assert asked(wharf, LIST)["include"] == ["*"]
        assert wharf.daemon.parameters_of(DOWNLOAD) == []

    def test_json(self, wharf):
        self.files(wharf)
        listed = wharf.run("download", REPO, "--dry-run", "--json").json
        assert listed["dry_run"] is True and listed["commit"] == COMMIT
        assert (listed["total_files"], listed["download_files"]) == (2, 1)
        assert (listed["total_bytes"], listed["download_bytes"]) == (5_000_120, 5_000_000)
        assert [row["file"] for row in listed["files"]] == ["a.json", "b.bin"]
        assert [row["will_download"] for row in listed["files"]] == [False, True]

    def test_force_would_fetch_all(self, wharf):
        self.files(wharf)
        ended = wharf.run("download", REPO, "--dry-run", "--force-download")
        assert "Will download 2 files (out of 2) totalling 5.0 MB." in ended.out

    def test_quiet(self, wharf):
        self.files(wharf)
        assert wharf.run("download", REPO, "--dry-run", "--quiet").out == "a.json\nb.bin\n"
