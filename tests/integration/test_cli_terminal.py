"""What a person at a terminal sees of a download."""

from __future__ import annotations

import signal

import pytest

from tests.support.fake_daemon import Pause, failure
from tests.support.screen import Terminal
from tests.support.wharf_command import COMMIT, REPO, Wharf, progress, result

DOWNLOAD = "org.wharf.Downloads.Download"
SNAPSHOT = f"/cache/models--org--model/snapshots/{COMMIT}"
FILES = [
    {"path": "model-00001-of-00002.safetensors", "done": 250_000_000, "total": 1_000_000_000},
    {"path": "日本語/データ.bin", "done": 0, "total": 2_000_000_000},
]


@pytest.fixture
def wharf(tmp_path):
    command = Wharf(tmp_path)
    command.environment["TERM"] = "xterm-256color"
    yield command
    command.daemon.close()


@pytest.fixture
def terminal():
    pseudo = Terminal(80)
    yield pseudo
    pseudo.close()


def start(wharf, terminal, *steps, arguments=(), **environment):
    wharf.daemon.on(DOWNLOAD, lambda _: list(steps))
    return wharf.start(
        "download", REPO, *arguments, stderr=terminal.slave, environment=environment
    )


def shows(*texts):
    return lambda terminal: all(
        any(text in row for row in terminal.screen.text()) for text in texts
    )


BIG = dict(bytes_done=1_000_000_000, bytes_total=4_000_000_000, bytes_per_second=200_000_000)


def test_bars_then_a_summary(wharf, terminal):
    pause = Pause()
    steps = [progress(**BIG, files=FILES), pause, progress(bytes_done=4_000_000_000,
             bytes_total=4_000_000_000, files_done=4, files=[]), result(SNAPSHOT)]
    with start(wharf, terminal, *steps) as process:
        terminal.read_until(shows("1/4 files"))
        rows = terminal.screen.text()
        assert len(rows) == 3
        assert rows[0].startswith("model-00001") or "…" in rows[0]
        assert " 25%  250.0 MB / 1.0 GB" in rows[0]
        assert "  0%  0 B / 2.0 GB" in rows[1]
        assert rows[2].endswith(" 25%  1.0 GB / 4.0 GB  200.0 MB/s  ETA 15s")
        assert all("━" in row or "─" in row for row in rows)
        pause.go_on.set()
        terminal.read_rest(process)
        out = process.stdout.read()
    assert out == SNAPSHOT + "\n"
    assert terminal.screen.text()[0].startswith("4 files, 4.0 GB, 3.0 GB of it fetched in ")
    assert terminal.screen.text()[1:] == [""]
    assert terminal.screen.colors > 0


@pytest.mark.parametrize("columns", [200, 80, 60, 40, 20, 10, 2])
def test_no_line_is_wider_than_the_window(wharf, columns):
    terminal = Terminal(columns)
    pause = Pause()
    with start(wharf, terminal, progress(**BIG, files=FILES), pause, result(SNAPSHOT)) as process:
        assert pause.reached.wait(10)
        terminal.read_until(lambda t: len(t.screen.text()) == 3 and t.received.endswith("\x1b[J"))
        assert len(terminal.screen.text()) == 3  # none has wrapped
        pause.go_on.set()
        terminal.read_rest(process)
    terminal.close()


def test_a_window_made_narrower_leaves_nothing_behind(wharf, terminal):
    pause = Pause()
    steps = [progress(**BIG, files=FILES), pause, progress(**BIG, state="waiting"), result(SNAPSHOT)]
    with start(wharf, terminal, *steps) as process:
        terminal.read_until(shows("1/4 files"))
        before = [row.ljust(79) for row in terminal.screen.text()]
        terminal.resize(40)
        terminal.screen.columns = 40  # a real terminal wraps what is there
        terminal.screen.rows = [part for row in before for part in (row[:40], row[40:])]
        terminal.screen.row, terminal.screen.column = 5, 39
        pause.go_on.set()
        terminal.read_rest(process)
    assert "".join(terminal.screen.text()).startswith("4 files, 4.0 GB")
    assert len(terminal.screen.text()) == 3  # the summary, which wraps here, and the line after it


def test_many_files_leave_the_window_room(wharf, terminal):
    terminal.resize(80, rows=7)
    files = [{"path": f"file-{i}", "done": 1, "total": 2} for i in range(20)]
    pause = Pause()
    with start(wharf, terminal, progress(files=files), pause, result(SNAPSHOT)) as process:
        terminal.read_until(shows("1/4 files"))
        assert len(terminal.screen.text()) == 5
        pause.go_on.set()
        terminal.read_rest(process)


def test_why_it_waits_is_shown(wharf, terminal):
    pause = Pause()
    waiting = progress(state="waiting", reason="the Hub asked to wait 12 s", bytes_per_second=0)
    with start(wharf, terminal, waiting, pause, result(SNAPSHOT)) as process:
        terminal.read_until(shows("waiting, 1/4 files", "the Hub asked to wait 12 s"))
        assert not any("ETA" in row for row in terminal.screen.text())
        pause.go_on.set()
        terminal.read_rest(process)


def test_ctrl_c_takes_the_bars_away(wharf, terminal):
    pause = Pause()
    with start(wharf, terminal, {"job": 9}, progress(), pause, result(SNAPSHOT)) as process:
        terminal.read_until(shows("1/4 files"))
        process.send_signal(signal.SIGINT)
        terminal.read_rest(process)
    rows = terminal.screen.text()
    assert process.returncode == 130
    assert rows[0].startswith("wharf: Interrupted: job 9")
    assert not any("1/4 files" in row for row in rows)


def test_a_failure_takes_the_bars_away(wharf, terminal):
    with start(wharf, terminal, progress(), failure("NoSpace", "the disk is full")) as process:
        terminal.read_rest(process)
    assert process.returncode == 6
    assert terminal.screen.text() == ["wharf: the disk is full", ""]


def test_no_color(wharf, terminal):
    with start(wharf, terminal, progress(), result(SNAPSHOT), NO_COLOR="1") as process:
        terminal.read_rest(process)
    assert terminal.screen.colors == 0 and "\x1b[" in terminal.received


def test_without_utf8_the_bars_are_ascii(wharf, terminal):
    pause = Pause()
    with start(wharf, terminal, progress(), pause, result(SNAPSHOT), LANG="C") as process:
        terminal.read_until(shows("1/4 files"))
        assert terminal.received.isascii() and "###" in terminal.received
        pause.go_on.set()
        terminal.read_rest(process)


@pytest.mark.parametrize(
    "arguments, environment",
    [([], {"TERM": "dumb"}), (["--quiet"], {}), ([], {"HF_HUB_DISABLE_PROGRESS_BARS": "true"})],
)
def test_no_escape_codes_where_none_are_wanted(wharf, terminal, arguments, environment):
    steps = [progress(), result(SNAPSHOT)]
    with start(wharf, terminal, *steps, arguments=arguments, **environment) as process:
        terminal.read_rest(process)
    assert "\x1b" not in terminal.received


def test_redrawn_at_most_ten_times_a_second(wharf, terminal):
    steps = [progress(bytes_done=n) for n in range(500)]
    with start(wharf, terminal, *steps, result(SNAPSHOT)) as process:
        terminal.read_rest(process)
    assert terminal.received.count("1/4 files") < 20
