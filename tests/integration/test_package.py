"""The Debian package on a machine with systemd: installed, upgraded while it works, removed, purged.

Each test has a box of its own (tests/support/box.py), so the machine that runs them stays as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.box import Box, CannotBoot
from tests.support.daemon import BUILD, PROJECT
from tests.support.pushes import titles
from tests.support.scenes import eventually

CONFIG = "/etc/wharf/wharfd.toml"
CACHE = "/var/cache/wharf/hub"
NEWER = "99.0"


def make_package(folder: Path, *options: str) -> Path:
    command = [PROJECT / "tools/package", "--build-dir", BUILD, "--output", folder, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def field(package: Path, name: str) -> str:
    return subprocess.check_output(["dpkg-deb", "--field", package, name], text=True).strip()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("packages"))


@pytest.fixture
def box() -> Iterator[Box]:
    """With an account that may use the daemon, and one with nothing to do with it."""
    try:
        with Box() as running:
            running.run("useradd", "--create-home", "researcher")
            running.run("useradd", "--create-home", "stranger")
            yield running
    except CannotBoot as reason:
        pytest.skip(str(reason))


def install(box: Box, package: Path) -> None:
    box.run("dpkg", "--install", box.put(package))


def use_test_hub(box: Box, hub: TestHub) -> None:
    """As an administrator would: an edit, and a restart."""
    line = '#endpoint = "https://huggingface.co"'
    text = box.read(CONFIG)
    assert line in text
    box.write(CONFIG, text.replace(line, f'endpoint = "{hub.endpoint}"'))
    box.run("systemctl", "restart", "wharfd.service")


def daemon_pid(box: Box) -> int:
    return int(box.run("systemctl", "show", "--property=MainPID", "--value", "wharfd.service").stdout)


def is_active(box: Box, unit: str) -> bool:
    return box.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active"


def check_contents(box: Box, path: str, hub: TestHub, repo: str) -> None:
    blob = hub.state.get("model", repo).find_revision("main").files[Path(path).name].blob
    assert box.run("sha256sum", path).stdout.split()[0] == hashlib.sha256(blob.read()).hexdigest()


# --- The package itself ---


def test_package_says_what_it_is(package: Path) -> None:
    assert re.fullmatch(r"0\.1\.0([~+]\d{14}\.g[0-9a-f]{8})?", field(package, "Version"))
    needs = field(package, "Depends")
    for library in ("libc6", "libssl3", "libsqlite3-0", "libsystemd0", "ca-certificates"):
        assert library in needs
    listing = subprocess.check_output(["dpkg-deb", "--contents", package], text=True)
    assert "/usr/local" not in listing
    assert all(line.split()[1] == "root/root" for line in listing.splitlines())


def test_the_same_build_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    again = make_package(tmp_path)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest()


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_debians_own_check_has_nothing_to_say(package: Path) -> None:
    done = subprocess.run(["lintian", "--allow-root", package], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")


# --- On a machine ---


def test_installed_it_serves(box: Box, package: Path, hub: TestHub) -> None:
    hub.admin.create_repo("package/served", files={"config.json": "{}", "w.bin": {"random": 400_000}})
    install(box, package)
    assert is_active(box, "wharfd.socket") and is_active(box, "wharfd.service")
    for unit in ("wharfd.socket", "wharfd.service"):
        assert box.run("systemctl", "is-enabled", unit).stdout.strip() == "enabled"
    use_test_hub(box, hub)
    box.run("usermod", "--append", "--groups", "wharf", "researcher")
    path = box.run("wharf", "download", "package/served", "w.bin", user="researcher").stdout.strip()
    assert path.startswith(f"{CACHE}/models--package--served/snapshots/")
    check_contents(box, path, hub, "package/served")
    assert box.run("stat", "--dereference", "--format=%U %a", path).stdout.strip() == "wharf 444"
    assert box.run("cat", f"{path.rsplit('/', 1)[0]}/w.bin", user="stranger", check=False).returncode == 0
    refused = box.run("wharf", "download", "package/served", user="stranger", check=False)
    assert refused.returncode == 4, "only the group may ask"


def test_the_unit_leaves_the_daemon_its_access_lists(box: Box, package: Path, hub: TestHub) -> None:
    """A private repo's folder opens to who proved that he may read it, under all that the unit forbids."""
    hub.admin.create_repo("wonderland/package-private", files={"notes.txt": "for some\n"}, private=True)
    install(box, package)
    use_test_hub(box, hub)
    for user in ("researcher", "stranger"):
        box.run("usermod", "--append", "--groups", "wharf", user)
    ask = ["env", "HF_TOKEN=hf_alice", "wharf", "download", "wonderland/package-private", "notes.txt"]
    path = box.run(*ask, user="researcher").stdout.strip()
    assert box.run("cat", path, user="researcher").stdout == "for some\n"
    assert box.run("cat", path, user="stranger", check=False).returncode != 0


def test_it_has_no_privilege_and_no_way_to_others_files(box: Box, package: Path) -> None:
    install(box, package)
    status = dict(
        line.split(":\t", 1) for line in box.read(f"/proc/{daemon_pid(box)}/status").splitlines() if ":\t" in line
    )
    account = box.run("id", "--user", "wharf").stdout.strip()
    assert status["Uid"].split() == [account] * 4
    assert all(int(status[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    modes = box.run("stat", "--format=%n %U:%G %a", "/var/lib/wharf", CACHE, "/run/wharf", "/var/log/wharf").stdout
    assert modes.splitlines() == [
        "/var/lib/wharf wharf:wharf 700",
        f"{CACHE} wharf:wharf 711",
        "/run/wharf wharf:wharf 755",
        "/var/log/wharf wharf:wharf 750",
    ]
    assert box.run("getent", "group", "wharf-admin").returncode == 0


def test_the_key_may_be_a_credential(box: Box, package: Path) -> None:
    """As administration.md says it: a file that only root can read, given to the service by systemd."""
    install(box, package)
    box.run("systemctl", "stop", "wharfd.service", "wharfd.socket")
    box.run("rm", "/var/lib/wharf/key")
    box.write("/etc/wharf/key", os.urandom(32))
    box.run("chmod", "600", "/etc/wharf/key")
    unit = box.read("/lib/systemd/system/wharfd.service")
    line = next(line for line in unit.splitlines() if line.startswith("#LoadCredential="))
    box.write("/etc/systemd/system/wharfd.service.d/key.conf", f"[Service]\n{line.removeprefix('#')}\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "wharfd.socket")
    box.run("wharf", "status")
    assert not box.exists("/var/lib/wharf/key")
    box.write("/etc/wharf/key", "too short")
    assert box.run("systemctl", "restart", "wharfd.service", check=False).returncode != 0
    assert "wharf-key" in box.journal()


def test_it_comes_back_when_killed_and_when_it_hangs(box: Box, package: Path) -> None:
    install(box, package)
    pid = daemon_pid(box)
    box.run("kill", "-KILL", str(pid))
    eventually(lambda: daemon_pid(box) not in (0, pid) and is_active(box, "wharfd.service"), timeout=20)
    box.run("wharf", "status")
    # The watchdog, made impatient for the test.
    box.write("/etc/systemd/system/wharfd.service.d/dog.conf", "[Service]\nWatchdogSec=1s\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "wharfd.service")
    pid = daemon_pid(box)
    box.run("kill", "-STOP", str(pid))
    eventually(lambda: daemon_pid(box) not in (0, pid) and is_active(box, "wharfd.service"), timeout=30)
    assert "watchdog" in box.journal().lower()


def test_upgraded_with_a_job_in_flight(box: Box, package: Path, hub: TestHub, tmp_path: Path) -> None:
    size = 6_000_000
    hub.admin.create_repo("package/upgraded", files={"model.safetensors": {"random": size}})
    install(box, package)
    use_test_hub(box, hub)
    edited = box.read(CONFIG)
    rule = hub.faults.add("stall", after=1_000_000, seconds=120, match={"server": "cdn"}, times=None)
    number = box.run("wharf", "prefetch", "--quiet", "package/upgraded").stdout.strip()
    hub.faults.wait(rule, 1)
    before = daemon_pid(box)
    socket = box.run("stat", "--format=%i", "/run/wharf/wharfd.sock").stdout

    newer = make_package(tmp_path, "--version", NEWER)
    done = box.run("dpkg", "--install", box.put(newer))
    assert NEWER in done.stdout
    assert daemon_pid(box) not in (0, before), "the new program runs"
    assert box.run("stat", "--format=%i", "/run/wharf/wharfd.sock").stdout == socket, "nobody was turned away"
    assert box.read(CONFIG) == edited

    hub.faults.clear()
    box.run("wharf", "jobs", "watch", number, timeout=60)
    path = box.run("wharf", "download", "package/upgraded", "model.safetensors").stdout.strip()
    check_contents(box, path, hub, "package/upgraded")


def test_upgraded_with_a_push_in_flight(box: Box, package: Path, hub: TestHub, tmp_path: Path) -> None:
    """Bytes on their way, of a user who is not there any more; its file is gone, too."""
    hub.admin.create_repo("alice/package-pushed", files={"README.md": "x"}, private=True)
    install(box, package)
    use_test_hub(box, hub)
    box.run("usermod", "--append", "--groups", "wharf", "researcher")
    data = os.urandom(6_000_000)
    box.write("/home/researcher/w.bin", data)
    box.run("chown", "researcher", "/home/researcher/w.bin")
    match = {"server": "cdn", "method": "PUT"}
    rule = hub.faults.add("upload_stall", after=1_000_000, seconds=120, match=match, times=None)
    box.run(
        "env", "HF_TOKEN=hf_alice", "wharf", "upload", "--detach", "alice/package-pushed",
        "/home/researcher/w.bin", user="researcher",
    )
    hub.faults.wait(rule, 1)
    box.run("rm", "/home/researcher/w.bin")
    before = daemon_pid(box)
    box.run("dpkg", "--install", box.put(make_package(tmp_path, "--version", NEWER)))
    assert daemon_pid(box) not in (0, before), "the new program runs"
    hub.faults.clear()
    eventually(lambda: "w.bin" in hub.admin.files("alice/package-pushed"), timeout=60)
    blob = hub.state.get("model", "alice/package-pushed").find_revision("main").files["w.bin"].blob
    assert blob.read() == data
    assert len(titles(hub, "alice/package-pushed")) == 1, "it was made once"


def test_an_upgrade_starts_nothing_that_was_stopped(box: Box, package: Path, tmp_path: Path) -> None:
    install(box, package)
    box.run("systemctl", "disable", "--now", "wharfd.service", "wharfd.socket")
    install(box, make_package(tmp_path, "--version", NEWER))
    for unit in ("wharfd.socket", "wharfd.service"):
        assert not is_active(box, unit)
        assert box.run("systemctl", "is-enabled", unit, check=False).stdout.strip() == "disabled"


def test_removed_and_purged(box: Box, package: Path, hub: TestHub) -> None:
    hub.admin.create_repo("package/removed", files={"config.json": "{}"})
    install(box, package)
    use_test_hub(box, hub)
    path = box.run("wharf", "download", "package/removed", "config.json").stdout.strip()
    pid = daemon_pid(box)
    staged = f"{CACHE}/.locks/.wharf/uploads/left-over"
    box.write(staged, "what was to be pushed")

    box.run("dpkg", "--remove", "wharf")
    assert not box.exists(f"/proc/{pid}") and not box.exists("/usr/bin/wharfd")
    assert not is_active(box, "wharfd.socket")
    for kept in (CONFIG, "/var/lib/wharf/key", path, staged):
        assert box.exists(kept), kept

    told = box.run("dpkg", "--purge", "wharf").stdout
    for gone in (CONFIG, "/var/lib/wharf", "/var/log/wharf", "/run/wharf", staged):
        assert not box.exists(gone), gone
    assert box.exists(path) and "the cache stays in /var/cache/wharf" in told
    assert box.run("stat", "--dereference", "--format=%U", path).stdout.strip() == "wharf"
    assert not box.run("find", "/etc/systemd/system", "-name", "wharfd*").stdout
