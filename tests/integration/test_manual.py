"""The manual pages: whole, true, and right roff."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import BUILD, PROJECT

sys.path.insert(0, str(PROJECT / "tools"))

import command_help

PAGES = {
    "wharf.1": BUILD / "docs/man/wharf.1",
    "wharfd.toml.5": BUILD / "docs/man/wharfd.toml.5",
    "wharfd.8": BUILD / "docs/man/wharfd.8",
}
COMMANDS = list(command_help.read(BUILD / "wharf"))


def shown(page: str) -> str:
    """As a reader sees it, on one endless line per paragraph."""
    command = ["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=2000n", "-rHY=0", PAGES[page]]
    text = subprocess.check_output(command, text=True)
    return re.sub(r" {2,}", " ", text.replace("‐", "-").replace("−", "-").replace("’", "'"))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.skipif(not shutil.which("man"), reason="man-db is not installed")
def test_man_has_no_warnings(page: str) -> None:
    done = subprocess.run(["man", "--local-file", "--warnings", PAGES[page]], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "NAME" in done.stdout


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_has_no_warnings(page: str) -> None:
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGES[page]], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_all_of_the_help_is_in_the_page() -> None:
    text = shown("wharf.1")
    words = re.sub(r"\s+", " ", text)
    for command in COMMANDS:
        if command.path:
            assert f"wharf {command.path}\n" in text
        for name, lines in command.parts:
            if name in ("", "Exit codes") or name.startswith("Example"):
                continue
            for item in command_help.items(lines):
                assert f"{item.term} {item.text}".replace("`", "") in words, (command.path, item)
    known = {flag for command in COMMANDS for option in command.options for flag in option.flags}
    # Flags of others that texts speak of, and second names.
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - known <= {"--type"}


def test_exit_codes_are_all_there() -> None:
    section = shown("wharf.1").split("EXIT CODES")[1].split("EXAMPLES")[0]
    assert re.findall(r"^ (\d+)\b", section, re.M) == [*map(str, range(9)), "130"]


def test_the_daemons_page_has_its_options_and_no_others() -> None:
    done = subprocess.run([BUILD / "wharfd", "--help"], capture_output=True, text=True)
    flags = set(re.findall(r"--[a-z][a-z-]+", done.stdout))
    text = shown("wharfd.8")
    options = text.split("OPTIONS")[1].split("SIGNALS")[0]
    assert set(re.findall(r"--[a-z][a-z-]+", options)) == flags
    codes = text.split("EXIT STATUS")[1].split("ENVIRONMENT")[0]
    assert re.findall(r"^ (\d)\b", codes, re.M) == ["0", "1", "2"]


def test_every_key_has_an_entry() -> None:
    """The sample has all keys, as another test holds it to."""
    text = shown("wharfd.toml.5")
    table = ""
    for line in (PROJECT / "config/wharfd.toml").read_text().splitlines():
        if heading := re.match(r"\[(\w+)\]", line):
            table = heading[1]
        elif (key := re.match(r"#(\w+) = ", line)) and table:
            section = text.split(f"\n[{table}]\n")[1]
            assert re.search(rf"^ {key[1]}\s+\S.*new value after: (reload|restart)", section, re.M), key[1]
