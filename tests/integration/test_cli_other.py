"""`wharf status`, `jobs`, `env`, `version` and the help."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.wharf_command import Wharf, job


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
    "bytes_sent": 20_000_000,
    "bytes_sent_per_second": 1_200_000,
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


class TestStatus:
    def test_for_people(self, wharf):
        wharf.daemon.on("org.wharf.Status", lambda _: [STATUS | {"jobs_waiting": 0}])
        assert wharf.run("status").out.splitlines() == [
            "daemon    wharfd 0.1.0, process 4242, up 2h 10m",
            f"socket    {wharf.daemon.path}",
            "endpoint  https://huggingface.co",
            "cache     /var/cache/wharf/hub",
            "clients   3",
            "jobs      2 active, 0 waiting",
            "received  1.5 GB, now 210.3 MB/s",
            "sent      20.0 MB, now 1.2 MB/s",
            "",
            "FILE               REPO           DONE    SIZE       SPEED  JOBS",
            "model.safetensors  org/model  250.0 MB  1.0 GB  210.3 MB/s     2",
        ]

    def test_why_jobs_wait(self, wharf):
        until = "2026-05-01T13:04:05Z"
        waiting = job(id=13, state="waiting", reason="the Hub asked to wait", waiting_until=until)
        wharf.daemon.on("org.wharf.Status", lambda _: [STATUS])
        wharf.daemon.on("org.wharf.Jobs.List", lambda _: [{"jobs": [waiting]}, {"jobs": [job()]}])
        lines = wharf.run("status", environment={"TZ": "TEST-2"}).out.splitlines()
        assert lines[-2:] == [
            "",
            "job 13 is waiting: the Hub asked to wait, until 2026-05-01 15:04",
        ]
        assert wharf.run("status", "--json").json == STATUS

    def test_hosts_of_daemons_that_tell_of_them(self, wharf):
        hosts = [
            {"host": "huggingface.co", "connections": 4, "limit": 16, "waiting": 2},
            {"host": "cdn.hf.co", "connections": 1, "limit": 12, "waiting": 0},
        ]
        answer = STATUS | {"jobs_waiting": 0, "hosts": hosts, "something_newer": {"a": 1}}
        wharf.daemon.on("org.wharf.Status", lambda _: [answer])
        assert wharf.run("status").out.splitlines()[-4:] == [
            "",
            "HOST            CONNECTIONS  LIMIT  WAITING",
            "huggingface.co            4     16        2",
            "cdn.hf.co                 1     12        0",
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


COMMANDS = [[], ["download"], ["prefetch"], ["status"], ["jobs"], ["env"], ["version"]]
COMMANDS += [["jobs", "ls"], ["jobs", "show"], ["jobs", "watch"], ["jobs", "pause"]]
COMMANDS += [["auth"], ["auth", "login"], ["auth", "logout"], ["auth", "whoami"], ["auth", "list"]]
COMMANDS += [["jobs", "resume"], ["jobs", "cancel"], ["jobs", "retry"], ["jobs", "prioritize"]]


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
