"""`wharf jobs`, and downloads that are left to the daemon."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.fake_daemon import CLOSE, Pause, failure
from tests.support.screen import Terminal
from tests.support.wharf_command import COMMIT, REPO, Wharf, job, progress, result

DOWNLOAD = "org.wharf.Downloads.Download"
JOBS = "org.wharf.Jobs."
SNAPSHOT = f"/cache/models--org--model/snapshots/{COMMIT}"
FILES = [{"path": "model.bin", "done": 250_000, "total": 1_000_000}]
GATED = {"name": "org.wharf.Gated", "message": "no access", "hint": "ask for it"}


@pytest.fixture
def wharf(tmp_path):
    command = Wharf(tmp_path)
    command.environment["TZ"] = "TEST-2"  # two hours ahead; needs no database
    yield command
    command.daemon.close()


def shown(**changes):
    return {"job": job(**changes), "files": FILES}


class TestList:
    def test_for_people(self, wharf):
        reason = "huggingface.co asked to wait 40 s"
        until = "2026-05-01T13:04:05Z"
        newer = job(id=13, repo="org/model", repo_type="model", state="waiting", reason=reason,
                    waiting_until=until, priority="background")  # fmt: skip
        older = job(id=9, state="failed", failure=GATED, detached=True)
        wharf.daemon.on(
            JOBS + "List", lambda _: [{"jobs": [newer]}, {"jobs": [job(detached=True), older]}]
        )
        rows = wharf.run("jobs", "ls").out.splitlines()
        assert [row.split("05:00  ")[-1] for row in rows[1:]] == [
            "waiting: huggingface.co asked to wait 40 s, until 2026-05-01 15:04",
            "running (detached), 500.0 KB/s",
            "failed: no access",
        ]
        assert rows[0].split() == "ID REPO REV FILES SIZE DONE PRIORITY CREATED STATE".split()
        assert rows[1].startswith("13  org/model          main   3/40  4.0 MB   25%  background  ")
        assert rows[2].startswith("12  datasets/org/data  main   3/40  4.0 MB   25%  normal  ")
        assert wharf.daemon.raw[0]["more"] is True

    @pytest.mark.parametrize("columns", [80, 200])
    def test_on_a_terminal(self, wharf, columns):
        terminal = Terminal(columns)
        waiting = job(state="waiting", reason="huggingface.co asked to wait 40 s",
                      waiting_until="2026-05-01T13:04:05Z")  # fmt: skip
        wharf.daemon.on(JOBS + "List", lambda _: [{"jobs": [waiting]}])
        with wharf.start("jobs", "ls", stdout=terminal.slave) as process:
            terminal.read_rest(process)
        rows = [row.rstrip() for row in terminal.screen.text() if row]
        assert len(rows) == (2 if columns == 200 else 3)
        words = " ".join(" ".join(rows[1:]).split())
        assert words.endswith("2026-05-01 15:04")
        terminal.close()

    def test_for_programs(self, wharf):
        jobs = [job(id=13), job(id=12)]
        wharf.daemon.on(JOBS + "List", lambda _: [{"jobs": jobs[:1]}, {"jobs": jobs[1:]}])
        assert wharf.run("jobs", "list", "--quiet").out == "13\n12\n"
        assert wharf.run("jobs", "ls", "--json").json == {"jobs": jobs}
        assert wharf.run("jobs", "ls", "--json", "--limit", "1").json == {"jobs": jobs[:1]}
        assert wharf.run("jobs", "ls", "-q", "--limit=5").out == "13\n12\n"
        asked = wharf.daemon.parameters_of(JOBS + "List")
        assert asked == [{"all": False}] * 4

    def test_all(self, wharf):
        wharf.daemon.on(JOBS + "List", lambda _: [{"jobs": []}])
        assert wharf.run("jobs", "ls", "-a").out == "No jobs.\n"
        assert wharf.run("jobs", "ls", "--all", "--quiet").out == ""
        assert wharf.daemon.parameters_of(JOBS + "List") == [{"all": True}] * 2

    def test_a_daemon_that_knows_neither_priority_nor_detached(self, wharf):
        older = job()
        del older["priority"], older["detached"]
        wharf.daemon.on(JOBS + "List", lambda _: [{"jobs": [older]}])
        assert "normal" in wharf.run("jobs", "ls").out


class TestShow:
    def test_show(self, wharf):
        failed = job(state="failed", finished="2026-05-01T04:00:00Z", failure=GATED)
        files = [{"path": "a\x1b.bin", "done": 1, "total": 4}]
        wharf.daemon.on(JOBS + "Show", lambda _: [{"job": failed, "files": files}])
        out = wharf.run("jobs", "show", "12").out
        for line in [
            "state     failed",
            "failure   no access",
            "hint      ask for it",
            "priority  normal",
            "created   2026-05-01 05:00:00",
            "finished  2026-05-01 06:00:00",
            "bytes     1.0 MB of 4.0 MB (25%)",
        ]:
            assert line in out.splitlines()
        assert "a\\x1b.bin   1 B   4 B  25%" in out.splitlines()
        assert wharf.daemon.parameters_of(JOBS + "Show") == [{"id": 12}]
        assert wharf.run("jobs", "show", "12", "--json").json == {"job": failed, "files": files}
        assert wharf.run("jobs", "show", "12", "--quiet").out == "failed\n"

    def test_no_such_job(self, wharf):
        wharf.daemon.on(JOBS + "Show", lambda _: [failure("JobNotFound", "no job 9")])
        assert wharf.run("jobs", "show", "9").code == 3


ACTIONS = [
    ("pause", "Pause", "paused", "job 12 is paused; what it fetched stays\n"),
    ("resume", "Resume", "queued", "job 12 goes on in the background\n"),
    ("cancel", "Cancel", "cancelled", "job 12 is cancelled; what it fetched stays\n"),
    ("retry", "Retry", "running", "job 12 is done once more, in the background\n"),
]


class TestActions:
    @pytest.mark.parametrize("verb, method, state, sentence", ACTIONS)
    def test_one(self, wharf, verb, method, state, sentence):
        changed = job(state=state)
        wharf.daemon.on(JOBS + method, lambda _: [{"job": changed}])
        ended = wharf.run("jobs", verb, "12")
        assert (ended.code, ended.out, ended.err) == (0, sentence, "")
        assert wharf.run("jobs", verb, "12", "--json").json == {"jobs": [changed]}
        assert wharf.run("jobs", verb, "12", "--quiet").out == "12\n"
        assert wharf.daemon.parameters_of(JOBS + method) == [{"id": 12}] * 3

    @pytest.mark.parametrize("verb, method, state, sentence", ACTIONS)
    def test_one_that_had_ended(self, wharf, verb, method, state, sentence):
        wharf.daemon.on(JOBS + method, lambda _: [{"job": job(state="done")}])
        ended = wharf.run("jobs", verb, "12")
        assert (ended.code, ended.out) == (0, "job 12 had ended already: done\n")

    def test_a_cancelled_push_keeps_no_files(self, wharf):
        """The daemon would refuse to retry it, so nobody is told to."""
        cancelled = job(state="cancelled", kind="commit")
        wharf.daemon.on(JOBS + "Cancel", lambda _: [{"job": cancelled}])
        assert "its files are not kept" in wharf.run("jobs", "cancel", "12").out
        wharf.daemon.on(JOBS + "Watch", lambda _: [{"job": cancelled, "files": []}])
        ended = wharf.run("jobs", "watch", "12")
        assert ended.code == 1 and "retry" not in ended.err and "push again" in ended.err

    def test_prioritize(self, wharf):
        wharf.daemon.on(
            JOBS + "Prioritize",
            lambda given: [{"job": job(id=given["id"], priority=given["priority"])}],
        )
        ended = wharf.run("jobs", "prioritize", "12", "13", "background")
        assert ended.out == (
            "job 12 has another class now: background\njob 13 has another class now: background\n"
        )
        assert wharf.daemon.parameters_of(JOBS + "Prioritize") == [
            {"id": 12, "priority": "background"},
            {"id": 13, "priority": "background"},
        ]

    def partly(self, given):
        number = given["id"]
        errors = {
            2: failure("JobNotFound", "there is no job 2", "see `wharf jobs ls`"),
            3: failure("Forbidden", "job 3 is not yours"),
        }
        return [errors.get(number, {"job": job(id=number, state="paused")})]

    def test_the_others_are_done_when_one_fails(self, wharf):
        wharf.daemon.on(JOBS + "Pause", self.partly)
        ended = wharf.run("jobs", "pause", "1", "2", "3", "4", "--quiet")
        assert (ended.code, ended.out) == (3, "1\n4\n")
        assert ended.err == (
            "wharf: there is no job 2\nhint: see `wharf jobs ls`\nwharf: job 3 is not yours\n"
        )
        assert wharf.run("jobs", "pause", "3", "2").code == 4

    def test_the_others_are_done_as_json(self, wharf):
        wharf.daemon.on(JOBS + "Pause", self.partly)
        ended = wharf.run("jobs", "pause", "1", "2", "4", "--json")
        assert [entry["id"] for entry in ended.json["jobs"]] == [1, 4]
        assert (ended.code, ended.error["exit_code"]) == (3, 3)
        ended = wharf.run("jobs", "pause", "2", "--json")
        assert (ended.code, ended.out) == (3, "")

    def test_without_a_daemon_no_further_job_is_tried(self, wharf):
        wharf.daemon.on(JOBS + "Retry", lambda _: [CLOSE])
        ended = wharf.run("jobs", "retry", "1", "2")
        assert ended.code == 8 and ended.err.count("wharf: ") == 1


class TestWatch:
    def answers(self, wharf, *steps):
        wharf.daemon.on(JOBS + "Watch", lambda _: list(steps))

    def test_until_it_is_done(self, wharf):
        done = shown(state="done", bytes_done=4_000_000, files_done=40)
        waiting = shown(state="waiting", reason="the Hub asked to wait 12 s", bytes_done=2_000_000)
        self.answers(wharf, shown(), shown(), waiting, done)
        ended = wharf.run("jobs", "watch", "12")
        assert (ended.code, ended.out) == (0, "job 12 is done\n")
        lines = ended.err.splitlines()
        assert lines[0] == "3/40 files, 1.0 MB of 4.0 MB, 500.0 KB/s, ETA 6s"
        assert lines[1].startswith("waiting: the Hub asked to wait 12 s; 3/40 files")
        assert lines[2].startswith("40 files, 4.0 MB, 3.0 MB of it fetched in ")
        assert len(lines) == 3
        assert wharf.daemon.parameters_of(JOBS + "Watch") == [{"id": 12}]
        assert wharf.daemon.raw[0]["more"] is True

    def test_a_wait_that_counts_down_is_one_line(self, wharf):
        waits = [shown(state="waiting", reason=f"asked to wait {n}s") for n in (30, 29, 28)]
        self.answers(wharf, *waits, shown(), shown(state="done"))
        lines = wharf.run("jobs", "watch", "12").err.splitlines()
        assert lines[0].startswith("waiting: asked to wait 30s; 3/40 files")
        assert len(lines) == 3  # waiting, running, the summary

    def test_for_programs(self, wharf):
        self.answers(wharf, shown(), shown(state="done"))
        ended = wharf.run("jobs", "watch", "12", "--json")
        assert (ended.json, ended.err) == (shown(state="done"), "")
        ended = wharf.run("jobs", "watch", "12", "--quiet")
        assert (ended.out, ended.err) == ("done\n", "")

    def test_one_that_was_done_before(self, wharf):
        self.answers(wharf, shown(state="done", bytes_done=4_000_000))
        ended = wharf.run("jobs", "watch", "12")
        assert (ended.code, ended.out, ended.err) == (0, "job 12 is done\n", "")

    @pytest.mark.parametrize(
        "name, code", [("Gated", 4), ("NoSpace", 6), ("Integrity", 7), ("Offline", 5), ("New", 1)]
    )
    def test_one_that_fails(self, wharf, name, code):
        why = {"name": "org.wharf." + name, "message": "it did not work", "hint": "look there"}
        self.answers(wharf, shown(), shown(state="failed", failure=why))
        ended = wharf.run("jobs", "watch", "12")
        assert (ended.code, ended.out) == (code, "")
        assert ended.err.splitlines()[-2:] == [
            "wharf: job 12 failed: it did not work",
            "hint: look there; then `wharf jobs retry 12` does it once more",
        ]
        ended = wharf.run("jobs", "watch", "12", "--json")
        assert (ended.error["exit_code"], ended.error["error"]["name"]) == (code, why["name"])

    @pytest.mark.parametrize(
        "state, sentence, hint",
        [
            ("paused", "job 12 is paused: by alice", "`wharf jobs resume 12` goes on"),
            ("cancelled", "job 12 was cancelled", "`wharf jobs retry 12` does it once more"),
        ],
    )
    def test_one_that_does_not_go_on(self, wharf, state, sentence, hint):
        self.answers(wharf, shown(), shown(state=state, reason="by alice"))
        ended = wharf.run("jobs", "watch", "12")
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.splitlines()[-2:] == [f"wharf: {sentence}", f"hint: {hint}"]

    def test_a_daemon_that_goes_away(self, wharf):
        self.answers(wharf, shown(), shown(), CLOSE)
        assert wharf.run("jobs", "watch", "12").code == 8

    def test_an_end_that_is_none(self, wharf):
        self.answers(wharf, shown())
        ended = wharf.run("jobs", "watch", "12")
        assert ended.code == 1 and "while job 12 is running" in ended.err

    def test_no_such_job(self, wharf):
        self.answers(wharf, failure("JobNotFound", "there is no job 12"))
        assert wharf.run("jobs", "watch", "12").code == 3

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interruption_ends_the_watching_only(self, wharf, number):
        pause = Pause()
        self.answers(wharf, shown(), pause, shown(state="done"))
        with wharf.start("jobs", "watch", "12") as process:
            assert pause.reached.wait(10)
            while "ETA" not in process.stderr.readline():
                pass
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (130, "")
        assert "stopped watching: job 12 goes on" in err and "wharf jobs cancel 12" in err
        assert [name for name, _ in wharf.daemon.calls] == [JOBS + "Watch"]

    def test_bars_on_a_terminal(self, wharf):
        terminal = Terminal(80)
        pause = Pause()
        self.answers(wharf, shown(), pause, shown(state="done", bytes_done=4_000_000))
        environment = {"TERM": "xterm-256color"}
        with wharf.start(
            "jobs", "watch", "12", stderr=terminal.slave, environment=environment
        ) as process:
            terminal.read_until(lambda t: any("3/40 files" in row for row in t.screen.text()))
            rows = terminal.screen.text()
            assert rows[0].startswith("model.bin") and " 25%  250.0 KB / 1.0 MB" in rows[0]
            pause.go_on.set()
            terminal.read_rest(process)
            assert process.stdout.read() == "job 12 is done\n"
        assert terminal.screen.text()[0].startswith("40 files, 4.0 MB, 3.0 MB of it fetched in ")
        assert terminal.screen.text()[1:] == [""]
        terminal.close()


class TestDetach:
    def answers(self, wharf, *steps):
        wharf.daemon.on(DOWNLOAD, lambda _: list(steps))

    def asked(self, wharf):
        return wharf.daemon.parameters_of(DOWNLOAD)[-1]

    def test_prints_the_number(self, wharf):
        self.answers(wharf, {"job": 12})
        ended = wharf.run("download", REPO, "--detach", "--include", "*.bin")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith("job 12 goes on in the background")
        assert "wharf jobs watch 12" in ended.out
        request = {"repo": REPO, "repo_type": "model", "revision": "main"}
        assert self.asked(wharf) == request | {"include": ["*.bin"], "detach": True}
        assert wharf.run("download", REPO, "--detach", "--quiet").out == "12\n"
        assert wharf.run("download", REPO, "--detach", "--json").json == request | {"job": 12}

    @pytest.mark.parametrize("flags", [[], ["--quiet"], ["--json"]])
    def test_what_is_cached_is_printed_as_usual(self, wharf, flags):
        self.answers(wharf, result(SNAPSHOT, [SNAPSHOT + "/a"], count=1))
        ended = wharf.run("download", REPO, "a", "--detach", *flags)
        assert ended.code == 0
        if flags == ["--json"]:
            assert ended.json["path"] == SNAPSHOT + "/a"
        else:
            assert ended.out == SNAPSHOT + "/a\n"
        assert ("in the cache already" in ended.err) == (flags == [])

    def test_waits_until_the_daemon_has_said_it(self, wharf):
        pause = Pause()
        waiting = progress(state="waiting", reason="the Hub asked to wait")
        self.answers(wharf, waiting, pause, {"job": 12})
        with wharf.start("download", REPO, "--detach", "--quiet") as process:
            assert pause.reached.wait(10)
            assert process.poll() is None
            pause.go_on.set()
            out, _ = process.communicate(timeout=10)
        assert (process.returncode, out) == (0, "12\n")

    def test_a_failure_before_that_is_its_own(self, wharf):
        self.answers(wharf, failure("RepoNotFound", "no such repo"))
        ended = wharf.run("download", REPO, "--detach")
        assert (ended.code, ended.out) == (3, "")

    def test_an_answer_without_a_number(self, wharf):
        self.answers(wharf, progress())
        ended = wharf.run("download", REPO, "--detach")
        assert (ended.code, ended.out) == (1, "")

    def test_interrupted_before_the_number(self, wharf):
        pause = Pause()
        self.answers(wharf, pause, {"job": 12})
        with wharf.start("download", REPO, "--detach", "--json") as process:
            assert pause.reached.wait(10)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (130, "")
        assert "wharf jobs ls" in json.loads(err)["error"]["hint"]

    def test_contradictions_ask_nothing_of_the_daemon(self, wharf):
        for arguments, word in [
            (["download", REPO, "--detach", "--local-dir", "x"], "when the job is done"),
            (["download", REPO, "--detach", "--dry-run"], "starts no job"),
            (["prefetch", REPO, "--local-dir", "x"], "wharf download --local-dir"),
            (["download", REPO, "--priority", "high"], "interactive, normal or background"),
        ]:
            ended = wharf.run(*arguments)
            assert (ended.code, ended.out) == (2, "")
            assert word in ended.err
        assert wharf.daemon.calls == []

    def test_priority(self, wharf):
        self.answers(wharf, {"job": 1}, result(SNAPSHOT))
        wharf.run("download", REPO, "--priority", "interactive")
        assert self.asked(wharf)["priority"] == "interactive"
        assert "detach" not in self.asked(wharf)
        wharf.run("download", REPO)
        assert "priority" not in self.asked(wharf)

    def test_prefetch(self, wharf):
        self.answers(wharf, {"job": 12})
        ended = wharf.run("prefetch", REPO, "a", "b", "--repo-type", "dataset", "--quiet")
        assert (ended.code, ended.out) == (0, "12\n")
        assert self.asked(wharf) == {
            "repo": REPO,
            "repo_type": "dataset",
            "revision": "main",
            "files": ["a", "b"],
            "priority": "background",
            "detach": True,
        }
        wharf.run("prefetch", REPO, "--priority", "interactive")
        assert self.asked(wharf)["priority"] == "interactive"
