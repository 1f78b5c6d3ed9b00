"""Completions of the installed command, asked of bash, zsh and fish."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.complete import offers
from tests.support.daemon import BUILD, CLEAN_ENVIRONMENT, PROJECT, Daemon

sys.path.insert(0, str(PROJECT / "tools"))

import command_help

SCRIPTS = {
    "bash": "share/bash-completion/completions/wharf",
    "zsh": "share/zsh/site-functions/_wharf",
    "fish": "share/fish/vendor_completions.d/wharf.fish",
}
COMMANDS = list(command_help.read(BUILD / "wharf"))

Ask = Callable[..., set[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    command = ["meson", "install", "--no-rebuild", "--quiet", "-C", str(BUILD)]
    subprocess.run(command, env={**os.environ, "DESTDIR": str(folder)}, check=True, capture_output=True)
    return folder / "usr/local"


@pytest.fixture(params=SCRIPTS)
def ask(request: pytest.FixtureRequest, installed: Path, tmp_path: Path) -> Ask:
    """What this shell offers for a line."""
    environment = {
        **CLEAN_ENVIRONMENT,
        "PATH": f"{BUILD}:{CLEAN_ENVIRONMENT['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "WHARF_SOCKET": str(tmp_path / "nobody-listens"),
    }
    turns = itertools.count()

    def run(line: str, **more: str) -> set[str]:
        scratch = tmp_path / f"turn-{next(turns)}"
        scratch.mkdir()
        script = installed / SCRIPTS[request.param]
        return offers(request.param, script, line, {**environment, **more}, scratch)

    return run


def test_every_subcommand_and_flag_of_the_help(ask: Ask) -> None:
    """And no others: they are made of it, and each shell understands what was made."""
    for command in COMMANDS:
        line = f"wharf {command.path} ".replace("  ", " ")
        if command.subcommands:
            assert ask(line) == {item.name for item in command.subcommands}, line
        known = {flag for option in command.options for flag in option.flags}
        # zsh leaves "-h" out where "--help" would do.
        found = {flag.rstrip("=") for flag in ask(f"{line}--")}
        assert found == {flag for flag in known if flag.startswith("--")}, line


@pytest.mark.parametrize(
    "line, expected",
    [
        ("wharf jo", {"jobs"}),
        ("wharf jobs pri", {"prioritize"}),
        ("wharf --socket jobs dow", {"download"}),
        ("wharf download --repo-type ", {"model", "dataset", "space"}),
        ("wharf download org/model --priority b", {"background"}),
        ("wharf prefetch --priority ", {"interactive", "normal", "background"}),
        ("wharf jobs prioritize 12 i", {"interactive"}),
        ("wharf status --format ", {"human", "json", "quiet"}),
        ("wharf auth log", {"login", "logout"}),
        ("wharf repo-files del", {"delete"}),
        ("wharf upload --repo-type d", {"dataset"}),
        ("wharf download --revision ", set()),
    ],
)
def test_words(ask: Ask, line: str, expected: set[str]) -> None:
    assert ask(line) == expected


def test_nothing_is_said_of_a_daemon_that_is_not_there(ask: Ask) -> None:
    assert all(offer.startswith("-") for offer in ask("wharf jobs cancel "))


def test_a_value_behind_an_equals_sign(ask: Ask) -> None:
    found = {offer.rpartition("=")[2] for offer in ask("wharf download --repo-type=da")}
    assert found == {"dataset"}


def test_folders(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models-list.txt").write_text("")
    found = ask(f"wharf download org/model --local-dir {tmp_path}/mod")
    names = {Path(offer.rstrip("/")).name for offer in found}
    assert "models" in names and "models-list.txt" not in names  # zsh asks for the way there, too


def test_files_to_push(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_text("")
    found = ask(f"wharf upload org/model {tmp_path}/wei")
    assert "weights.bin" in {Path(offer).name for offer in found}


def test_accounts(ask: Ask) -> None:
    assert "nobody" in ask("wharf quota --user nob")


def test_numbers_of_jobs(ask: Ask, hub: TestHub, tmp_path: Path) -> None:
    """Of those that the command can be about."""
    name = "completions/" + tmp_path.name.replace("_", "-")
    hub.admin.create_repo(f"{name}-over", files={"a.txt": "1"})
    hub.admin.create_repo(f"{name}-running", files={"w.bin": {"random": 3_000_000, "seed": name}})
    with Daemon(hub.endpoint, tmp_path / "box") as daemon:
        where = {"WHARF_SOCKET": str(daemon.socket)}
        over = daemon.wharf("download", f"{name}-over", "--json")
        assert over.returncode == 0, over.stderr
        hub.faults.add("stall", after=1000, seconds=60, match={"server": "cdn"}, times=None)
        running = daemon.wharf("prefetch", f"{name}-running", "--quiet").stdout.strip()
        every = set(daemon.wharf("jobs", "ls", "--all", "--quiet").stdout.split())
        assert running in every and len(every) == 2
        assert ask("wharf jobs cancel ", **where) == {running}
        assert ask("wharf jobs retry ", **where) == every
        assert ask(f"wharf jobs pause {running} ", **where) <= {running}
        assert ask("wharf jobs prioritize ", **where) >= {running, "background"}
        hub.faults.clear()
