"""`wharf status`, `jobs`, `env`, `version` and the help."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.fake_daemon import failure
from tests.support.wharf_command import COMMIT, Wharf


@pytest.fixture
def wharf(tmp_path):
    command = Wharf(tmp_path)
    yield command
    command.daemon.close()


STATUS = {
    "version": "0.1.0",
    "pid": 4242,
    "uptime_seconds": 7800,
    "endpoint": "https://huggingface.co",
    "cache_dir": "/var/cache/wharf/hub",
    "clients": 3,
    "jobs_active": 2,
    "jobs_waiting": 1,
    "bytes_received": 1_500_000_000,
    "bytes_per_second": 210_300_000,
    "transfers": [
        {
            "etag": "a" * 64,
            "path": "model.safetensors",
            "repo": "org/model",
            "done": 250_000_000,
            "total": 1_000_000_000,
            "bytes_per_second": 210_300_000,
            "jobs": 2,
        }
    ],
}


def job(**changes):
    return {
        "id": 12,
        "uid": 1000,
        "kind": "download",
        "repo": "org/data",
        "repo_type": "dataset",
        "revision": "main",
        "commit": COMMIT,
        "state": "running",
        "created": "2026-05-01T03:00:00Z",
        "watchers": 2,
        "files_done": 3,
        "files_total": 40,
        "bytes_done": 1_000_000,
        "bytes_total": 4_000_000,
        "bytes_per_second": 500_000,
    } | changes


class TestStatus:
    def test_for_people(self, wharf):
        wharf.daemon.on("org.wharf.Status", lambda _: [STATUS])
        assert wharf.run("status").out.splitlines() == [
            "daemon    wharfd 0.1.0, process 4242, up 2h 10m",
            f"socket    {wharf.daemon.path}",
            "endpoint  https://huggingface.co",
            "cache     /var/cache/wharf/hub",
            "clients   3",
            "jobs      2 active, 1 waiting",
            "received  1.5 GB, now 210.3 MB/s",
            "",
            "FILE               REPO           DONE    SIZE       SPEED  JOBS",
            "model.safetensors  org/model  250.0 MB  1.0 GB  210.3 MB/s     2",
        ]

    def test_for_programs(self, wharf):
        wharf.daemon.on("org.wharf.Status", lambda _: [STATUS])
        assert wharf.run("status", "--json").json == STATUS
        assert wharf.run("status", "--quiet").out == "0.1.0\n"

    def test_no_daemon(self, wharf):
        ended = wharf.run("status", "--json", "--socket", "/nowhere")
        assert (ended.code, ended.error["exit_code"]) == (8, 8)

    def test_an_answer_without_a_member(self, wharf):
        wharf.daemon.on("org.wharf.Status", lambda _: [{"version": "1"}])
        ended = wharf.run("status")
        assert ended.code == 1 and "wharf version" in ended.err


class TestJobs:
    def test_list(self, wharf):
        newer = job(id=13, repo="org/model", repo_type="model", state="waiting")
        wharf.daemon.on("org.wharf.Jobs.List", lambda _: [{"jobs": [newer, job()]}])
        assert wharf.run("jobs", "ls").out.splitlines() == [
            "ID  STATE    REPO               REV   FILES    SIZE  DONE       SPEED  CREATED",
            "13  waiting  org/model          main   3/40  4.0 MB   25%"
            "              2026-05-01T03:00:00Z",
            "12  running  datasets/org/data  main   3/40  4.0 MB   25%"
            "  500.0 KB/s  2026-05-01T03:00:00Z",
        ]
        assert wharf.run("jobs", "list", "--quiet").out == "13\n12\n"
        assert wharf.run("jobs", "ls", "--json").json == {"jobs": [newer, job()]}
        assert [p["all"] for p in wharf.daemon.parameters_of("org.wharf.Jobs.List")] == [False] * 3

    def test_all(self, wharf):
        wharf.daemon.on("org.wharf.Jobs.List", lambda _: [{"jobs": []}])
        assert wharf.run("jobs", "ls", "-a").out == "No jobs.\n"
        assert wharf.run("jobs", "ls", "--all", "--quiet").out == ""
        assert wharf.daemon.parameters_of("org.wharf.Jobs.List") == [{"all": True}] * 2

    def test_show(self, wharf):
        failed = job(
            state="failed",
            finished="2026-05-01T04:00:00Z",
            failure={"name": "org.wharf.Gated", "message": "no access", "hint": "ask for it"},
        )
        files = [{"path": "a\x1b.bin", "done": 1, "total": 4}]
        wharf.daemon.on("org.wharf.Jobs.Show", lambda _: [{"job": failed, "files": files}])
        out = wharf.run("jobs", "show", "12").out
        for line in ["state     failed", "failure   no access", "hint      ask for it"]:
            assert line in out.splitlines()
        assert "a\\x1b.bin   1 B   4 B  25%" in out.splitlines()
        assert wharf.daemon.parameters_of("org.wharf.Jobs.Show") == [{"id": 12}]
        assert wharf.run("jobs", "show", "12", "--json").json == {"job": failed, "files": files}

    def test_cancel(self, wharf):
        wharf.daemon.on("org.wharf.Jobs.Cancel", lambda _: [{"job": job(state="cancelled")}])
        ended = wharf.run("jobs", "cancel", "12")
        assert (ended.code, ended.out) == (0, "job 12 is cancelled; what it fetched stays\n")
        wharf.daemon.on("org.wharf.Jobs.Cancel", lambda _: [{"job": job(state="done")}])
        assert wharf.run("jobs", "cancel", "12").out == "job 12 had ended already: done\n"

    def test_no_such_job(self, wharf):
        wharf.daemon.on("org.wharf.Jobs.Show", lambda _: [failure("JobNotFound", "no job 9")])
        assert wharf.run("jobs", "show", "9").code == 3


class TestEnv:
    @pytest.mark.parametrize(
        "folder",
        ["/var/cache/wharf/hub", "/a b/$HOME/`id`", "/it's/\"here\"", "/new\nline", "/ü;rm -rf x"],
    )
    def test_a_shell_reads_back_the_folder(self, wharf, folder):
        wharf.daemon.on("org.wharf.Status", lambda _: [STATUS | {"cache_dir": folder}])
        script = wharf.run("env").out + 'printf %s "$HF_HUB_CACHE"'
        read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert read.stdout == folder
        assert wharf.run("env", "--json").json == {"HF_HUB_CACHE": folder}

    def test_nothing_but_the_lines_in_a_pipe(self, wharf):
        wharf.daemon.on("org.wharf.Status", lambda _: [STATUS])
        ended = wharf.run("env")
        assert (ended.out, ended.err) == ("export HF_HUB_CACHE=/var/cache/wharf/hub\n", "")


class TestVersion:
    def test_with_a_daemon(self, wharf):
        info = {"version": "9.8.7", "vendor": "wharf", "product": "wharfd", "interfaces": []}
        wharf.daemon.on("org.varlink.service.GetInfo", lambda _: [info])
        for arguments in (["version"], ["--version"]):
            lines = wharf.run(*arguments).out.splitlines()
            assert lines[0].startswith("wharf ") and lines[1] == "wharfd 9.8.7"
        assert wharf.run("version", "--json").json["daemon_version"] == "9.8.7"

    def test_without(self, wharf):
        ended = wharf.run("version", "--socket", "/nowhere")
        assert ended.code == 0 and "cannot be reached" in ended.out
        assert wharf.run("version", "--json", "--socket", "/nowhere").json["daemon_version"] is None
        assert len(wharf.run("version", "-q").out.splitlines()) == 1


COMMANDS = [[], ["download"], ["status"], ["jobs"], ["env"], ["version"]]
COMMANDS += [["jobs", "ls"], ["jobs", "show"], ["jobs", "cancel"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(wharf, command, flag):
    ended = wharf.run(*command, flag)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Usage: wharf")
    assert max(map(len, ended.out.splitlines())) <= 88
    assert wharf.daemon.calls == []


def test_the_socket_may_stand_before_or_behind_the_command(wharf):
    wharf.daemon.on("org.wharf.Status", lambda _: [STATUS])
    nowhere = {"WHARF_SOCKET": "/nowhere"}
    for arguments in (
        ["--socket", wharf.daemon.path, "status", "-q"],
        ["status", "-q", f"--socket={wharf.daemon.path}"],
    ):
        assert wharf.run(*arguments, environment=nowhere).out == "0.1.0\n"
