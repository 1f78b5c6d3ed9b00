"""Reads what `wharf --help` says, for the pages and completions that are made of it.

The help is the one place where commands and flags are described. It has a fixed form: paragraphs,
and sections such as "Options:" whose lines are a term, two or more spaces, and what it means.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HEADING = re.compile(r"[A-Z][a-z]+( [a-z]+)*:$")
_TERM = re.compile(r"  (\S.*?)(?:\s{2,}(\S.*))?$")


@dataclass
class Item:
    """A line of a section: an option, an argument, a subcommand, a variable."""

    term: str
    text: str

    @property
    def flags(self) -> list[str]:
        return [word for word in re.split(r"[ ,]+", self.term) if word.startswith("-")]

    @property
    def value(self) -> str:
        """What an option wants behind it, by its name in the help; "" for a switch."""
        last = re.split(r"[ ,]+", self.term)[-1]
        return "" if last.startswith("-") else last

    @property
    def name(self) -> str:
        return self.term.split()[0]


@dataclass
class Command:
    path: str
    """As typed behind "wharf": "", "jobs", "jobs ls"."""
    usages: list[str] = field(default_factory=list)
    parts: list[tuple[str, list[str]]] = field(default_factory=list)
    """The sections as they come, each with its lines; those without heading are prose."""

    def items(self, heading: str) -> list[Item]:
        return next((items(lines) for name, lines in self.parts if name == heading), [])

    @property
    def options(self) -> list[Item]:
        return self.items("Options")

    @property
    def subcommands(self) -> list[Item]:
        return self.items("Commands")

    @property
    def arguments(self) -> list[str]:
        """What stands behind the command that is no flag: "REPO", "[FILES]...", "ID..."."""
        words = re.sub(r"\[(-[^]]*|OPTIONS)\]", "", self.usages[0]).split()
        return words[1 + len(self.path.split()) :]


def items(lines: list[str]) -> list[Item]:
    found: list[Item] = []
    for line in lines:
        if match := _TERM.match(line):
            found.append(Item(match[1], match[2] or ""))
        elif line.strip() and found:
            found[-1].text = f"{found[-1].text} {line.strip()}".strip()
    return found


def _parse(path: str, text: str) -> Command:
    command = Command(path, parts=[("", [])])
    for line in text.splitlines():
        if line.startswith(("Usage: ", "       wharf ")) and not command.parts[0][1]:
            command.usages.append(line[7:])
        elif _HEADING.match(line):
            command.parts.append((line.removesuffix(":"), []))
        else:
            if line and not line.startswith(" ") and command.parts[-1][0]:
                command.parts.append(("", []))  # prose ends a section
            command.parts[-1][1].append(line)
    return command


def paragraphs(lines: list[str]) -> list[str]:
    text = "\n".join(lines).strip()
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _help(wharf: Path, path: str) -> str:
    command = [str(wharf), *path.split(), "--help"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout


def read(wharf: Path, path: str = "") -> Iterator[Command]:
    """The command and all below it, in the order of the help."""
    command = _parse(path, _help(wharf, path))
    yield command
    for item in command.subcommands:
        yield from read(wharf, f"{path} {item.name}".strip())
