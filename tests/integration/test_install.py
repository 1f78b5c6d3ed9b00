"""What `meson install` puts on a machine."""

from __future__ import annotations

import os
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


def test_everything_is_in_place(prefix: Path) -> None:
    """Nothing is missing, and nothing is installed that should not be."""
    files = {p.relative_to(prefix).as_posix() for p in prefix.rglob("*") if p.is_file()}
    pages = {"man1/wharf.1", "man5/wharfd.toml.5", "man8/wharfd.8"}
    documents = {
        "CHANGELOG.md", "LICENSE", "README.md", "administration.md", "cache-layout.md", "configuration.md",
        "protocol.md", "security.md", "timeouts.md", "wharfd.toml",
    }
    assert files == {
        "bin/wharf", "bin/wharfd", "etc/wharf/wharfd.toml",
        "lib/sysusers.d/wharf.conf", "lib/tmpfiles.d/wharf.conf",
        *(f"lib/systemd/{manager}/wharfd.{kind}" for manager in ("system", "user") for kind in ("service", "socket")),
        *(f"share/man/{page}" for page in pages),
        *(f"share/doc/wharf/{name}" for name in documents),
        "share/bash-completion/completions/wharf", "share/fish/vendor_completions.d/wharf.fish",
        "share/zsh/site-functions/_wharf",
    }
    for name in files:
        mode = (prefix / name).stat().st_mode & 0o777
        assert mode == (0o755 if name.startswith("bin/") else 0o644), name


def test_nothing_names_the_build_folder(prefix: Path) -> None:
    for file in (p for p in prefix.rglob("*") if p.is_file() and p.parent.name != "bin"):
        assert str(BUILD) not in file.read_text(), file
