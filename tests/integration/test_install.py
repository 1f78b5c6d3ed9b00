"""What `meson install` puts on a machine, and whether systemd likes the units."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WHARF_BUILD", ROOT / "build"))
SAMPLE = ROOT / "config" / "wharfd.toml"


def install(folder: Path) -> Path:
    """Installs below `folder`; returns the prefix there."""
    command = ["meson", "install", "--no-rebuild", "--quiet", "-C", str(BUILD)]
    done = subprocess.run(command, env={**os.environ, "DESTDIR": str(folder)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "usr/local"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


def test_programs_run(prefix: Path) -> None:
    for name in ("wharfd", "wharf"):
        done = subprocess.run([prefix / "bin" / name, "--version"], capture_output=True, text=True)
        assert done.returncode == 0, name
        assert "0.1.0" in done.stdout


def test_sample_is_installed_and_accepted(prefix: Path) -> None:
    installed = prefix / "etc/wharf/wharfd.toml"
    assert installed.read_bytes() == SAMPLE.read_bytes()
    command = [prefix / "bin/wharfd", "--check-config", "--config", installed]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_a_changed_configuration_is_never_overwritten(tmp_path: Path) -> None:
    changed = install(tmp_path) / "etc/wharf/wharfd.toml"
    changed.write_text("# mine\n")
    install(tmp_path)
    assert changed.read_text() == "# mine\n"


def test_units_name_what_was_installed(prefix: Path) -> None:
    unit = (prefix / "lib/systemd/system/wharfd.service").read_text()
    assert "ExecStart=/usr/local/bin/wharfd --config /usr/local/etc/wharf/wharfd.toml" in unit
    assert "@" not in "".join(line for line in unit.splitlines() if "SystemCallFilter" not in line)
    assert "ExecStart=/usr/local/bin/wharfd --user" in (prefix / "lib/systemd/user/wharfd.service").read_text()
    account = (prefix / "lib/sysusers.d/wharf.conf").read_text()
    assert "\nu wharf " in account


def test_socket_unit_and_default_agree(prefix: Path) -> None:
    unit = (prefix / "lib/systemd/system/wharfd.socket").read_text()
    path = next(line for line in unit.splitlines() if line.startswith("ListenStream=")).partition("=")[2]
    assert f'#socket = "{path}"' in SAMPLE.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("manager", ["system", "user"])
def test_systemd_accepts_the_units(prefix: Path, tmp_path: Path, manager: str) -> None:
    units = tmp_path / "units"
    shutil.copytree(prefix / "lib/systemd" / manager, units)
    service = units / "wharfd.service"
    # systemd wants to see the program, which is not in /usr/local while tests run.
    service.write_text(service.read_text().replace("/usr/local/bin/", f"{prefix}/bin/"))
    command = ["systemd-analyze", f"--{manager}", "verify", service, units / "wharfd.socket"]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
