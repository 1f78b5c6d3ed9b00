"""Starting, stopping, reloading, and what the daemon and its service manager tell each other."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, CLEAN_ENVIRONMENT, Daemon
from tests.support.scenes import (
    MIXED_FILES,
    ReadWatch,
    check_snapshot,
    contents,
    eventually,
    files_below,
    questions,
)


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: TestHub) -> str:
    """A model whose contents no other test has."""
    name = "running/" + re.sub(r"\W+", "-", request.node.name.removeprefix("test_").strip("]"))
    files = {**MIXED_FILES, "model.safetensors": {"random": 300_000, "seed": name}}
    hub.admin.create_repo(name, files=files)
    return name


@pytest.fixture
def stopped(hub: TestHub, tmp_path: Path) -> Daemon:
    """A daemon that was not started yet; the test ends it."""
    return Daemon(hub.endpoint, tmp_path / "box")


def run_wharfd(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """For a daemon that is expected to end by itself."""
    return subprocess.run(
        [BUILD / "wharfd", *arguments],
        env={**CLEAN_ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=20,
        stdin=subprocess.DEVNULL,
    )


# --- Configuration ---


def test_check_config_accepts_what_is_right(stopped: Daemon) -> None:
    stopped.write_config()
    done = run_wharfd("--check-config", "--config", stopped.config)
    assert (done.returncode, done.stderr) == (0, "")
    assert files_below(stopped.directory) == {"wharfd.toml"}, "checking must not start anything"


@pytest.mark.parametrize(
    "text, line, words",
    [
        ('[transfer]\npice_size = "16MiB"\n', 2, ["pice_size", "piece_size"]),
        ("[transfr]\n", 1, ["transfr", "transfer"]),
        ('[transfer]\n\npiece_size = "sixteen"\n', 3, ["piece_size"]),
        ("[transfer]\nmax_connections = 0\n", 2, ["max_connections"]),
        ("[transfer]\nmax_connections = true\n", 2, ["max_connections"]),
        ('[daemon]\nstate_dir = "relative"\n', 2, ["state_dir"]),
        ('[hub]\nendpoint = "ftp://hub"\n', 2, ["endpoint"]),
        ('[hub]\nendpoint = "http://hub"\nendpoint = "http://twice"\n', 3, []),
        ("[daemon\n", 1, []),
        ('[daemon]\nlog_level = "loud"\n', 2, ["log_level"]),
    ],
)
def test_a_mistake_is_named_with_its_line(
    stopped: Daemon, text: str, line: int, words: list[str]
) -> None:
    stopped.directory.mkdir()
    stopped.config.write_text(text)
    for arguments in (["--check-config"], []):
        done = run_wharfd(*arguments, "--config", stopped.config)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{stopped.config}:{line}: " in done.stderr
        assert all(word in done.stderr for word in words), done.stderr
    assert files_below(stopped.directory) == {"wharfd.toml"}


def test_wrong_usage(tmp_path: Path) -> None:
    for arguments in (["--nonsense"], ["extra"], ["--config", tmp_path / "nothing.toml"]):
        done = run_wharfd(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr
    assert run_wharfd("--version").stdout.startswith("wharfd ")


def test_folders_that_cannot_be_used(stopped: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stopped.settings["daemon"]["state_dir"] = str(tmp_path / "file" / "state")
    stopped.write_config()
    done = run_wharfd("--config", stopped.config)
    assert done.returncode == 1
    assert "state_dir" in done.stderr and str(tmp_path / "file") in done.stderr
    assert not stopped.socket.exists()


# --- One daemon at a time ---


def test_a_second_daemon_on_the_same_socket_refuses(stopped: Daemon, repo: str) -> None:
    with stopped as first:
        other = Daemon("http://127.0.0.1:9", first.directory / "other")
        other.settings["daemon"]["socket"] = str(first.socket)
        other.write_config()
        done = run_wharfd("--config", other.config)
        assert done.returncode == 1
        assert f"another daemon serves {first.socket}" in done.stderr
        first.download(repo)


def test_a_second_daemon_on_the_same_cache_refuses(stopped: Daemon, repo: str) -> None:
    with stopped as first:
        for key in ("cache", "state_dir"):
            other = Daemon("http://127.0.0.1:9", first.directory / f"other-{key}")
            if key == "cache":
                other.settings["cache"]["dir"] = str(first.cache)
            else:
                other.settings["daemon"]["state_dir"] = str(first.state)
            other.write_config()
            done = run_wharfd("--config", other.config)
            assert done.returncode == 1, done.stderr
            assert str(first.cache if key == "cache" else first.state) in done.stderr
        first.download(repo)


def test_a_killed_daemon_leaves_room_for_the_next(stopped: Daemon, repo: str) -> None:
    with stopped as daemon:
        daemon.download(repo)
        daemon.kill()
        assert daemon.socket.exists()
        daemon.start()
        daemon.download(repo)


# --- Signals ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_in_order(stopped: Daemon, repo: str, number: signal.Signals) -> None:
    with stopped as daemon:
        daemon.download(repo)
        assert daemon.process is not None
        daemon.process.send_signal(number)
        assert daemon.process.wait(20) == 0
        assert not daemon.socket.exists()
        assert daemon.log.rstrip().endswith("stopped")


def test_ends_within_the_grace(stopped: Daemon, hub: TestHub, repo: str) -> None:
    stopped.settings["daemon"]["shutdown_grace"] = "1s"
    hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
    with stopped as daemon:
        client = daemon.start_wharf("download", repo)
        hub.log.wait(server="cdn")
        assert daemon.stop(timeout=10) == 0
        _, error = client.communicate(timeout=20)
        assert client.returncode == 1
        assert "the daemon stopped before" in error
        hub.faults.clear()
        daemon.start()
        check_snapshot(hub, repo, daemon.download(repo))


def test_a_call_may_end_within_the_grace(stopped: Daemon, hub: TestHub, repo: str) -> None:
    rule = hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
    with stopped as daemon:
        client = daemon.start_wharf("download", repo)
        hub.faults.wait(rule, 1)
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGTERM)
        eventually(lambda: not daemon.socket.exists())  # nobody new gets in
        hub.faults.clear()
        out, error = client.communicate(timeout=20)
        assert client.returncode == 0, error
        assert daemon.process.wait(20) == 0
        check_snapshot(hub, repo, Path(out.splitlines()[-1]))


def test_reload(stopped: Daemon, hub: TestHub, repo: str) -> None:
    stopped.settings["daemon"]["log_level"] = "info"
    with stopped as daemon:
        daemon.download(repo)
        assert " debug " not in daemon.log
        daemon.settings["daemon"]["log_level"] = "debug"
        daemon.settings["hub"]["revision_ttl"] = "10m"
        daemon.settings["daemon"]["max_clients"] = 77
        reload(daemon, "configuration reloaded")
        assert "daemon.max_clients was changed: takes effect after a restart" in daemon.log
        daemon.download(repo)
        before = hub.log.last_number()
        daemon.download(repo)
        assert questions(hub, since=before) == 0, "revision_ttl was not taken over"
        assert daemon.wharf("download", "running/nowhere").returncode == 3
        assert " debug " in daemon.log

        daemon.settings["hub"]["revision_ttl"] = "0s"
        daemon.settings["daemon"]["log_levle"] = "error"
        reload(daemon, "the configuration stays as it was")
        assert f"{daemon.config}:" in daemon.log and "log_levle" in daemon.log
        daemon.download(repo)
        assert hub.log.count(since=before, path_matches=repo) == 0, "half of it was taken over"

        daemon.config.unlink()
        lines = daemon.log.count("the configuration stays as it was")
        daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
        eventually(lambda: daemon.log.count("the configuration stays as it was") > lines)
        daemon.download(repo)


def reload(daemon: Daemon, words: str) -> None:
    daemon.write_config()
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log(words)


# --- The service manager ---


class Manager:
    """A service manager's ear."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(10)

    def hear(self, start: str) -> str:
        """Waits for a message of which a line starts like that; returns the line."""
        while True:
            message = self._socket.recv(4096).decode()
            self.heard += message.splitlines()
            for line in message.splitlines():
                if line.startswith(start):
                    return line

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_tells_the_service_manager(
    stopped: Daemon, manager: Manager, hub: TestHub, repo: str
) -> None:
    stopped.environment |= {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "200000"}
    with stopped as daemon:
        manager.hear("READY=1")
        assert not any(line.startswith("STOPPING") for line in manager.heard)
        for _ in range(3):
            manager.hear("WATCHDOG=1")
        assert manager.hear("STATUS=") == "STATUS=idle"
        rule = hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
        client = daemon.start_wharf("download", repo)
        hub.faults.wait(rule, 1)
        assert "1 jobs" in (line := manager.hear("STATUS=1")), line
        hub.faults.clear()
        assert client.wait(20) == 0
        daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
        manager.hear("RELOADING=1")
        daemon.stop()
        manager.hear("STOPPING=1")
        client.communicate()


def test_ready_comes_after_a_refused_reload(stopped: Daemon, manager: Manager) -> None:
    """Or the manager would wait for ever."""
    stopped.environment["NOTIFY_SOCKET"] = str(manager.path)
    with stopped as daemon:
        manager.hear("READY=1")
        daemon.config.write_text("nonsense")
        daemon.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
        manager.hear("RELOADING=1")
        manager.hear("READY=1")


_ACTIVATE = """
import os, socket, sys
listening = socket.fromfd(int(sys.argv[1]), socket.AF_UNIX, socket.SOCK_STREAM)
if listening.fileno() != 3:
    os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(stopped: Daemon, hub: TestHub, repo: str) -> None:
    """The manager's socket is used: who came before the daemon is served, and it outlives it."""
    stopped.write_config()
    stopped.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(stopped.socket))
        listening.listen(16)
        inode = stopped.socket.stat().st_ino
        early = stopped.start_wharf("download", repo)
        for _ in range(2):
            daemon = subprocess.Popen(
                [sys.executable, "-c", _ACTIVATE, str(listening.fileno())]
                + [str(BUILD / "wharfd"), "--config", str(stopped.config)],
                env=stopped.environment,
                pass_fds=[listening.fileno()],
                stderr=subprocess.DEVNULL,
            )
            try:
                out, error = early.communicate(timeout=20)
                assert early.returncode == 0, error
                check_snapshot(hub, repo, Path(out.splitlines()[-1]))
                assert stopped.wharf("status").returncode == 0
            finally:
                daemon.send_signal(signal.SIGTERM)
                assert daemon.wait(20) == 0
            assert stopped.socket.stat().st_ino == inode
            early = stopped.start_wharf("download", repo)
        early.kill()
        early.communicate()


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd is not installed")
def test_socket_activation_by_systemd(stopped: Daemon, hub: TestHub, repo: str) -> None:
    stopped.write_config()
    stopped.socket.parent.mkdir()
    log = open(stopped.log_file, "wb")
    with log, subprocess.Popen(
        ["systemd-socket-activate", "-l", stopped.socket]
        + [BUILD / "wharfd", "--config", stopped.config],
        env=stopped.environment,
        stderr=log,
    ) as daemon:
        try:
            eventually(stopped.socket.exists)
            check_snapshot(hub, repo, stopped.download(repo))
            assert "serves" in stopped.log
        finally:
            daemon.send_signal(signal.SIGTERM)
            code = daemon.wait(20)
        assert code == 0


# --- One person's daemon ---


def test_user_mode_adopts_what_is_there(hub: TestHub, repo: str, tmp_path: Path) -> None:
    hub.admin.set_access(repo, private=True, members=["alice"])
    home, runtime = tmp_path / "home", tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment = {
        **CLEAN_ENVIRONMENT,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "HF_ENDPOINT": hub.endpoint,
    }
    cache = home / ".cache/huggingface/hub"
    head = hub.state.get("model", repo).head
    folder = cache / f"models--{repo.replace('/', '--')}"
    for path, entry in head.files.items():  # as the official client leaves it
        blob, pointer = folder / "blobs" / entry.etag, folder / "snapshots" / head.id / path
        blob.parent.mkdir(parents=True, exist_ok=True)
        pointer.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(entry.blob.read())
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(head.id)
    (home / ".cache/huggingface/token").write_text("hf_alice")

    command = [BUILD / "wharfd", "--user"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as daemon:
        try:
            eventually((runtime / "wharf/wharfd.sock").exists)
            done = subprocess.run(
                [BUILD / "wharf", "download", repo],
                env=environment,
                capture_output=True,
                text=True,
                timeout=20,
            )
            assert done.returncode == 0, done.stderr
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(20) == 0
    assert Path(done.stdout.strip()) == folder / "snapshots" / head.id
    check_snapshot(hub, repo, folder / "snapshots" / head.id)
    assert contents(hub) == 0
    # Without a token only whether all may read it, for the sake of the folder's mode.
    asked = {r.user for r in hub.log.find(path_matches="/revision/|/tree/")}
    assert asked == {"alice"}
    assert folder.stat().st_mode & 0o777 == 0o700
    state = home / ".local/state/wharf"
    assert state.stat().st_mode & 0o777 == 0o700
    assert {p.name for p in home.iterdir()} == {".cache", ".local"}


# --- What is lost ---


@pytest.mark.parametrize("loss", ["gone", "damaged"])
def test_a_lost_catalogue_costs_no_byte(stopped: Daemon, hub: TestHub, loss: str) -> None:
    repo = f"running/lost-{loss}"
    hub.admin.create_repo(repo, files={"w.safetensors": {"random": 400_000, "seed": loss}})
    with stopped as daemon:
        snapshot = daemon.download(repo)
    if loss == "gone":
        shutil.rmtree(stopped.state)
    else:
        catalogue = stopped.state / "catalogue.db"
        catalogue.write_bytes(b"no database" * 1000)
    before = hub.log.last_number()
    blobs = [(snapshot / name).resolve() for name in files_below(snapshot)]
    with stopped as daemon, ReadWatch(blobs) as watch:
        assert watch.touched() == set(), "nothing is read before somebody asks"
        assert daemon.download(repo, "w.safetensors") == snapshot / "w.safetensors"
        assert watch.touched() == {(snapshot / "w.safetensors").resolve()}
        daemon.download(repo)
        watch.touched()
        daemon.download(repo)
        assert watch.touched() == set(), "it was verified already"
        check_snapshot(hub, repo, snapshot)
    assert contents(hub, since=before) == 0


def test_a_lost_cache_is_fetched_again(stopped: Daemon, hub: TestHub, repo: str) -> None:
    with stopped as daemon:
        snapshot = daemon.download(repo)
    shutil.rmtree(stopped.cache)
    with stopped as daemon:
        assert daemon.download(repo) == snapshot
        check_snapshot(hub, repo, snapshot)


# --- What people read ---


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_output_fits_the_locale(stopped: Daemon, hub: TestHub, locale: str) -> None:
    repo = f"running/locale-{locale}"
    hub.admin.create_repo(repo, files={"größe.safetensors": {"random": 2_000_000, "seed": locale}})
    rule = hub.faults.add("stall", after=1_000_000, seconds=60, match={"server": "cdn"}, times=None)
    with stopped as daemon:
        command, environment = daemon.command("download", repo, LC_ALL=locale, TERM="xterm")
        terminal, end = os.openpty()
        client = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=end
        )
        os.close(end)
        hub.faults.wait(rule, 1)
        shown = b""
        while not re.search("[━─]|##|--", shown.decode(errors="ignore")):
            assert select.select([terminal], [], [], 20)[0], shown
            shown += os.read(terminal, 4096)
        hub.faults.clear()
        out, _ = client.communicate(timeout=20)
        os.close(terminal)
        assert client.returncode == 0
        assert out.decode().strip().endswith(hub.state.get("model", repo).head.id)
        drawn = shown.replace("größe".encode(), b"")  # names are printed as they are
        assert drawn.isascii() == (locale == "C"), shown
        named = daemon.wharf("download", repo, "größe.safetensors", LC_ALL=locale)
        assert Path(named.stdout.strip()).name == "größe.safetensors"
        for words in (["status"], ["jobs", "ls", "--all"], ["--help"]):
            done = daemon.wharf(*words, LC_ALL=locale)
            assert done.returncode == 0
            assert done.stdout.isascii()
