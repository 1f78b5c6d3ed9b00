"""The units: what systemd thinks of them, and whether the daemon can live with what they forbid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon

MOST_EXPOSURE = 2.0
NOBODY = 65534

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `meson install` put its files: what stands for /usr/local."""
    folder = tmp_path_factory.mktemp("installed")
    command = ["meson", "install", "--no-rebuild", "--quiet", "-C", str(BUILD)]
    done = subprocess.run(command, env={**os.environ, "DESTDIR": str(folder)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "usr/local"


def service(installed: Path) -> Path:
    return installed / "lib/systemd/system/wharfd.service"


def settings(unit: Path, name: str) -> list[str]:
    """The values of a setting, in the order of its lines."""
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{name}=")]


@pytest.mark.parametrize("manager", ["system", "user"])
def test_systemd_accepts_the_units(installed: Path, tmp_path: Path, manager: str) -> None:
    units = tmp_path / "units"
    shutil.copytree(installed / "lib/systemd" / manager, units)
    unit = units / "wharfd.service"
    # systemd wants to see the program and the pages, which are not in /usr/local while tests run.
    text = unit.read_text().replace("/usr/local/bin/", f"{installed}/bin/")
    unit.write_text(text.replace("file:/usr/local/", f"file:{installed}/"))
    command = ["systemd-analyze", f"--{manager}", "verify", "--man=no", unit, units / "wharfd.socket"]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_exposure_is_low(installed: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(service(installed))]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Overall exposure level for wharfd.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    print(f"exposure of wharfd.service: {found[1]}")
    assert float(found[1]) <= MOST_EXPOSURE, done.stdout


def test_writable_is_what_tmpfiles_makes(installed: Path) -> None:
    """The unit's folders are the same as those that are there before the daemon runs."""
    unit = service(installed)
    writable = {
        f"{base}/{folder}"
        for name, base in {
            "RuntimeDirectory": "/run",
            "StateDirectory": "/var/lib",
            "CacheDirectory": "/var/cache",
            "LogsDirectory": "/var/log",
        }.items()
        for folder in settings(unit, name)
    }
    made = {line.split()[1] for line in (installed / "lib/tmpfiles.d/wharf.conf").read_text().splitlines() if line.startswith("d ")}
    assert settings(unit, "ProtectSystem") == ["strict"]
    assert made == writable | {"/var/cache/wharf/hub"}


def test_accounts_and_folders_can_be_made(installed: Path, tmp_path: Path) -> None:
    """In a root of its own; the tools of systemd say what they do not understand."""
    root = tmp_path / "root"
    for folder in ("etc", "run", "var/cache", "var/lib", "var/log"):
        (root / folder).mkdir(parents=True)
    for tool, file in (("systemd-sysusers", "sysusers.d/wharf.conf"), ("systemd-tmpfiles", "tmpfiles.d/wharf.conf")):
        create = ["--create"] if tool == "systemd-tmpfiles" else []
        done = subprocess.run([tool, f"--root={root}", *create, installed / "lib" / file], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    groups = (root / "etc/group").read_text()
    assert re.search(r"^wharf:", groups, re.M) and re.search(r"^wharf-admin:", groups, re.M)
    account = re.search(r"^wharf:x:(\d+):", (root / "etc/passwd").read_text(), re.M)
    assert account
    modes = {
        folder: f"{(root / folder).stat().st_mode & 0o7777:o}"
        for folder in ("run/wharf", "var/cache/wharf", "var/cache/wharf/hub", "var/lib/wharf", "var/log/wharf")
    }
    assert modes == {
        "run/wharf": "755",
        "var/cache/wharf": "755",
        "var/cache/wharf/hub": "711",
        "var/lib/wharf": "700",
        "var/log/wharf": "750",
    }
    assert (root / "var/lib/wharf").stat().st_uid == int(account[1])


# --- System calls ---


def expanded(words: list[str]) -> set[str]:
    """Names of system calls, groups such as @file-system taken apart."""
    calls: set[str] = set()
    for word in words:
        if not word.startswith("@"):
            calls.add(word)
            continue
        text = subprocess.check_output(["systemd-analyze", "--no-pager", "syscall-filter", word], text=True)
        members = [line.strip() for line in text.splitlines()[1:]]
        calls |= expanded([member for member in members if member and not member.startswith("#")])
    return calls


def allowed_calls(unit: Path) -> set[str]:
    calls: set[str] = set()
    for value in settings(unit, "SystemCallFilter"):
        if value.startswith("~"):
            calls -= expanded(value[1:].split())
        else:
            calls |= expanded(value.split())
    return calls


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_daemon_needs_no_other_system_calls(installed: Path, hub: TestHub) -> None:
    """Those it makes while it works are allowed; what it needs for access lists, too."""
    hub.admin.create_repo("units/public", files={"config.json": "{}", "w.bin": {"random": 2_000_000}})
    hub.admin.create_repo("wonderland/units-private", files={"w.bin": {"random": 2_000_000}}, private=True)
    directory = Path(tempfile.mkdtemp(prefix="wharf-test-calls-"))
    os.chown(directory, NOBODY, NOBODY)
    directory.chmod(0o755)
    trace = directory / "trace"
    prefix = ["strace", "--follow-forks", "--quiet=all", "--output", str(trace)]
    # An ordinary account, as in service: for root SQLite does more.
    with Daemon(hub.endpoint, directory, user=NOBODY, prefix=prefix) as daemon:
        daemon.download("units/public")
        daemon.download("wonderland/units-private", HF_TOKEN="hf_alice")
        assert daemon.wharf("status").returncode == 0
        # What a push takes in is staged, shared with the cache and sent.
        file = directory / "pushed.bin"
        file.write_bytes(os.urandom(2_000_000))
        file.chmod(0o644)
        upload = ["upload", "wonderland/units-private", str(file)]
        assert daemon.wharf(*upload, HF_TOKEN="hf_alice").returncode == 0, daemon.log
        # strace passes no signal on: the daemon itself is its child.
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        os.kill(int(children[0]), 1)
        daemon.wait_for_log("configuration reloaded")
        os.kill(int(children[0]), 15)
        assert daemon.process and daemon.process.wait(20) == 0
    calls = trace.read_text(errors="replace")
    shutil.rmtree(directory)
    used = set(re.findall(r"^\d+\s+([a-z]\w*)\(", calls, re.M))
    assert {"openat2", "accept4"} & used and "execve" in used, "the trace has what is looked for"
    allowed = allowed_calls(service(installed))
    assert used - allowed == set()
    assert {"setxattr", "fsetxattr", "fremovexattr", "fchmod", "mlock", "openat2", "renameat2"} <= allowed


def test_openat2_is_not_taken_away(installed: Path) -> None:
    """RestrictSUIDSGID= refuses openat2() with ENOSYS (systemd 252), and nothing in the cache could be opened."""
    for unit in installed.glob("lib/systemd/*/wharfd.service"):
        assert not settings(unit, "RestrictSUIDSGID"), unit


# --- Limits ---


def test_limits_have_room_for_what_can_be_configured(installed: Path) -> None:
    unit = service(installed)
    sample = (installed / "share/doc/wharf/wharfd.toml").read_text()
    budget = re.search(r'^#buffer_budget = "(\d+)MiB"', sample, re.M)
    clients = re.search(r"^#max_clients = (\d+)", sample, re.M)
    assert budget and clients
    assert settings(unit, "MemoryMax") == ["1G"] and 4 * int(budget[1]) <= 1024
    assert int(settings(unit, "LimitNOFILE")[0]) >= 64 * int(clients[1])
    tasks = int(settings(unit, "TasksMax")[0])
    assert tasks >= 64 + 64 + 64, "hanging look-ups, hanging files, and the others"
    assert settings(unit, "LimitCORE") == ["0"]
