"""How `wharf` fails and is interrupted, and which token it sends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.fake_daemon import CLOSE, Error, Pause, failure
from tests.support.wharf_command import (
    COMMIT,
    REPO,
    Process,
    Wharf,
    binary,
    progress,
    result,
)

DOWNLOAD = "org.wharf.Downloads.Download"
SNAPSHOT = f"/cache/models--org--model/snapshots/{COMMIT}"


@pytest.fixture
def wharf(tmp_path):
    command = Wharf(tmp_path)
    yield command
    command.daemon.close()


def answers(wharf, *steps):
    wharf.daemon.on(DOWNLOAD, lambda parameters: list(steps))


EXIT_CODES = [
    ("RepoNotFound", 3),
    ("RevisionNotFound", 3),
    ("FileNotFound", 3),
    ("JobNotFound", 3),
    ("InvalidRequest", 2),
    ("Unauthorized", 4),
    ("Gated", 4),
    ("Forbidden", 4),
    ("Offline", 5),
    ("RateLimited", 5),
    ("Conflict", 1),
    ("BadAnswer", 1),
    ("Integrity", 7),
    ("NoSpace", 6),
    ("QuotaExceeded", 6),
    ("Storage", 1),
    ("Cancelled", 1),
    ("Internal", 1),
    ("SomethingNewer", 1),
]


class TestFailures:
    @pytest.mark.parametrize("name, code", EXIT_CODES)
    def test_exit_codes(self, wharf, name, code):
        answers(wharf, {"job": 1}, failure(name, "it did not work", "try this"))
        ended = wharf.run("download", REPO)
        assert (ended.code, ended.out) == (code, "")
        assert ended.err == "wharf: it did not work\nhint: try this\n"

    def test_as_json(self, wharf):
        answers(wharf, failure("Gated", "no access", "ask for it"))
        ended = wharf.run("download", REPO, "--json")
        assert ended.error == {
            "error": {"name": "org.wharf.Gated", "message": "no access", "hint": "ask for it"},
            "exit_code": 4,
        }
        assert (ended.code, ended.out) == (4, "")

    def test_what_the_daemon_says_cannot_steer_the_terminal(self, wharf):
        answers(wharf, failure("Internal", "x\x1b[2Jy\nwharf: all is well\u202e"))
        assert wharf.run("download", REPO).err == (
            "wharf: x\\x1b[2Jy\\x0awharf: all is well\\u{202e}\n"
        )

    def test_an_older_daemon(self, wharf):
        ended = wharf.run("download", REPO)
        assert ended.code == 1
        assert "older than this command" in ended.err and DOWNLOAD in ended.err

    def test_invalid_parameter(self, wharf):
        answers(wharf, Error("org.varlink.service.InvalidParameter", parameter="repo"))
        ended = wharf.run("download", "a b/c")
        assert (ended.code, "'repo'" in ended.err) == (2, True)

    def test_no_daemon(self, wharf):
        ended = wharf.run("download", REPO, "--socket", "/nowhere/wharfd.sock")
        assert (ended.code, ended.out) == (8, "")
        assert "/nowhere/wharfd.sock" in ended.err and "systemctl start wharfd" in ended.err

    def test_a_daemon_that_goes_away(self, wharf):
        answers(wharf, progress(), progress(), CLOSE)
        ended = wharf.run("download", REPO, "--quiet")
        assert (ended.code, ended.out) == (8, "")

    @pytest.mark.parametrize(
        "message",
        [
            {"result": {"commit": COMMIT}},
            {"progress": {"state": 1}},
            {"job": "seven"},
            {"result": "x"},
            {},
        ],
    )
    def test_answers_that_are_not_what_the_interface_says(self, wharf, message):
        answers(wharf, message)
        ended = wharf.run("download", REPO)
        assert (ended.code, ended.out) == (1, "")
        assert "daemon" in ended.err

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["download"],
            ["nonsense"],
            ["jobs"],
            ["jobs", "show"],
            ["jobs", "show", "x"],
            ["jobs", "cancel", "-1"],
            ["download", REPO, "--no-such-option"],
            ["download", REPO, "--repo-type", "bucket"],
            ["download", REPO, "--json", "--quiet"],
            ["download", REPO, "--cache-dir", "/x"],
            ["download", REPO, "--include"],
            ["download", REPO, "--include="],
            ["download", REPO, "--local-dir="],
            ["download", REPO, ""],
            ["download", ""],
            ["download", REPO, "art/", "--include", "*"],
            ["download", "hf://org"],
            ["download", "hf://org/model", "--revision", "x"],
            ["download", REPO, "--token", "two words"],
            ["status", "--socket", ""],
        ],
    )
    def test_wrong_usage(self, wharf, arguments):
        ended = wharf.run(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "wharf" in ended.err
        assert wharf.daemon.calls == []

    def test_wrong_usage_points_to_help(self, wharf):
        assert "wharf download --help" in wharf.run("download", REPO, "--nope").err
        assert wharf.run("download", "--json", "--nope").error["exit_code"] == 2

    def test_standard_output_that_takes_nothing(self, wharf):
        answers(wharf, result(SNAPSHOT))
        with open("/dev/full", "w") as full:
            ended = wharf.run("download", REPO, stdout=full)
        assert ended.code == 6 and "standard output" in ended.err
        reader, writer = os.pipe()
        os.close(reader)
        ended = wharf.run("download", REPO, stdout=writer)
        os.close(writer)
        assert ended.code == 1 and "standard output" in ended.err

    def test_closed_descriptors_are_not_taken_by_the_socket(self, wharf):
        answers(wharf, result(SNAPSHOT))
        command = f'exec "$0" download {REPO} <&- >&- 2>&-'
        code = subprocess.call(["sh", "-c", command, binary()], env=wharf.environment)
        assert code == 1
        assert len(wharf.daemon.raw) == 1  # and nothing else came through the socket


class TestTokens:
    def sent(self, wharf, *arguments, **environment):
        answers(wharf, result(SNAPSHOT))
        ended = wharf.run("download", REPO, *arguments, environment=environment)
        assert ended.code == 0, ended.err
        assert "secret" not in ended.out + ended.err
        return wharf.daemon.parameters_of(DOWNLOAD)[-1].get("token")

    def test_the_order(self, wharf):
        home = wharf.folder / "hf_home"
        home.mkdir()
        (home / "token").write_text("secret-home\n")
        other = wharf.folder / "token_file"
        other.write_text(" secret-path \r\n")
        everything = {
            "HF_TOKEN": "secret-variable",
            "HUGGING_FACE_HUB_TOKEN": "secret-older",
            "HF_TOKEN_PATH": str(other),
            "HF_HOME": str(home),
        }
        assert self.sent(wharf, "--token", "secret-option", **everything) == "secret-option"
        for name, token in [
            ("HF_TOKEN", "secret-variable"),
            ("HUGGING_FACE_HUB_TOKEN", "secret-older"),
            ("HF_TOKEN_PATH", "secret-path"),
            ("HF_HOME", "secret-home"),
        ]:
            assert self.sent(wharf, **everything) == token
            del everything[name]
        assert self.sent(wharf) is None
        default = wharf.home / ".cache" / "huggingface"
        default.mkdir(parents=True)
        (default / "token").write_text("secret-default")
        assert self.sent(wharf) == "secret-default"
        # None by choice: the daemon uses no stored one, either.
        assert self.sent(wharf, "--token", "") == ""
        assert self.sent(wharf, HF_HUB_DISABLE_IMPLICIT_TOKEN="1") == ""

    def test_an_unreadable_file_is_named_and_passed_over(self, wharf):
        answers(wharf, result(SNAPSHOT))
        ended = wharf.run("download", REPO, environment={"HF_TOKEN_PATH": str(wharf.folder)})
        assert ended.code == 0 and "without a token" in ended.err

    def test_a_bad_token_is_not_shown(self, wharf):
        ended = wharf.run("download", REPO, "--token", "secret\x01word")
        assert ended.code == 2 and "secret" not in ended.err

    def test_the_process_list_does_not_show_it(self, wharf):
        pause = Pause()
        answers(wharf, {"job": 1}, pause, result(SNAPSHOT))
        with wharf.start("download", REPO, "--token", "secret-option") as process:
            assert pause.reached.wait(10)
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            pause.go_on.set()
        assert b"secret" not in arguments and b"--token" in arguments


class TestOtherEndpoint:
    """The daemon has one Hub; a token must not go there when its owner means another."""

    @pytest.fixture
    def wharf(self, wharf):
        wharf.daemon.on("org.wharf.Status", lambda _: [{"endpoint": "https://hub.example"}])
        wharf.daemon.on("org.wharf.Downloads.List", lambda _: [failure("Offline", "asked")])
        answers(wharf, result(SNAPSHOT))
        return wharf

    @pytest.mark.parametrize("flags", [[], ["--dry-run"], ["--detach"], ["--local-dir", "x"]])
    def test_the_token_stays_here(self, wharf, flags):
        variables = {"HF_ENDPOINT": "https://mirror.example", "HF_TOKEN": "secret"}
        ended = wharf.run("download", REPO, *flags, environment=variables)
        assert (ended.code, ended.out) == (2, "")
        assert "https://mirror.example" in ended.err and "https://hub.example" in ended.err
        assert "secret" not in ended.err
        assert [name for name, _ in wharf.daemon.calls] == ["org.wharf.Status"]
        variables = {"HF_ENDPOINT": "https://mirror.example"}
        assert wharf.run("download", REPO, "--token", "secret", environment=variables).code == 2
        assert wharf.run("prefetch", REPO, "--token", "secret", environment=variables).code == 2
        assert {name for name, _ in wharf.daemon.calls} == {"org.wharf.Status"}

    def test_without_a_token_it_is_a_warning(self, wharf):
        variables = {"HF_ENDPOINT": "https://mirror.example", "HF_TOKEN": "secret"}
        ended = wharf.run("download", REPO, "--token", "", environment=variables)
        assert (ended.code, ended.out) == (0, SNAPSHOT + "\n")
        assert ended.err.startswith("warning: HF_ENDPOINT is https://mirror.example")
        assert wharf.daemon.parameters_of(DOWNLOAD)[0]["token"] == ""

    @pytest.mark.parametrize("endpoint", ["https://hub.example/", "HTTPS://Hub.Example:443", ""])
    def test_the_same_one_is_no_matter(self, wharf, endpoint):
        variables = {"HF_ENDPOINT": endpoint, "HF_TOKEN": "secret"}
        ended = wharf.run("download", REPO, environment=variables)
        assert (ended.code, ended.err) == (0, "")
        assert wharf.daemon.parameters_of(DOWNLOAD)[0]["token"] == "secret"

    def test_nothing_more_is_asked_without_the_variable(self, wharf):
        assert wharf.run("download", REPO).code == 0
        assert [name for name, _ in wharf.daemon.calls] == [DOWNLOAD]


class TestInterruption:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_hangs_up_and_says_what_becomes_of_the_job(self, wharf, number):
        pause = Pause()
        answers(wharf, {"job": 12}, progress(), pause, result(SNAPSHOT))
        with wharf.start("download", REPO) as process:
            assert pause.reached.wait(10)
            while "ETA" not in process.stderr.readline():
                pass
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (130, "")
        assert "Interrupted: job 12" in err and "run the same command again" in err
        assert "`wharf jobs resume 12`" in err
        assert wharf.daemon.hangups.acquire(timeout=10)

    def test_as_json(self, wharf):
        pause = Pause()
        answers(wharf, {"job": 12}, pause, result(SNAPSHOT))
        with wharf.start("download", REPO, "--json") as process:
            assert pause.reached.wait(10)
            time.sleep(0.1)  # nothing tells that the job's number has been read
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
        assert process.returncode == 130
        assert json.loads(err)["exit_code"] == 130

    def test_an_ignored_signal_stays_ignored(self, wharf):
        pause = Pause()
        answers(wharf, {"job": 12}, pause, result(SNAPSHOT))
        command = 'trap "" INT; exec "$0" download org/model'
        with Process(
            ["sh", "-c", command, binary()], env=wharf.environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert pause.reached.wait(10)
            process.send_signal(signal.SIGINT)
            pause.go_on.set()
            out, _ = process.communicate(timeout=10)
        assert (process.returncode, out) == (0, SNAPSHOT + "\n")
