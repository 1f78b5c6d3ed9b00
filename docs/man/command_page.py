"""Makes wharf(1) of what `wharf --help` and the help of its subcommands say.

usage: command_page.py WHARF VERSION >wharf.1
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(Path(__file__).parent)]

import command_help
import roff

ABOUT = "wharf asks the daemon of this machine, `wharfd`(8), which keeps one cache for everybody."


def term(item: command_help.Item) -> str:
    """Flags bold, what stands for a value italic."""
    words = re.split(r"( |, )", item.term)
    return "".join(
        word if word in (" ", ", ") else roff.bold(word) if not word.isupper() else f"\\fI{word}\\fP"
        for word in words
    )


def exit_codes(lines: list[str]) -> Iterator[str]:
    """The help has them in two columns."""
    pairs = re.findall(r"(\d+)  (\S.*?)(?=\s{2,}|$)", "\n".join(lines), re.MULTILINE)
    for code, meaning in sorted(pairs, key=lambda pair: int(pair[0])):
        yield from roff.tagged(f"\\fB{code}\\fP", meaning)


def usage(command: command_help.Command) -> Iterator[str]:
    for index, line in enumerate(command.usages):
        yield from ((".br",) if index else ())
        yield roff.prose(line)


def part(name: str, lines: list[str]) -> Iterator[str]:
    """What stands below a heading of the help, or between two of them."""
    if name.startswith("Example"):
        yield from roff.literal([line.strip() for line in lines if line.strip()])
    elif name == "Exit codes":
        yield from exit_codes(lines)
    elif name:
        for item in command_help.items(lines):
            yield from roff.tagged(term(item), item.text)
    else:
        for paragraph in command_help.paragraphs(lines):
            yield from (".PP", roff.prose(paragraph))


def detail(command: command_help.Command) -> Iterator[str]:
    """A subcommand as a section of its own."""
    yield from (f'.SS "wharf {command.path}"', *usage(command))
    for name, lines in command.parts:
        if name:
            yield from (".PP", f"\\fI{name}\\fP")
        yield from part(name, lines)


def page(commands: list[command_help.Command], version: str) -> Iterator[str]:
    top, *others = commands
    yield from roff.title("WHARF", 1, version)
    yield from (".SH NAME", roff.prose("wharf - files of the Hugging Face Hub through a shared cache"))
    yield from (".SH SYNOPSIS", *usage(top), ".SH DESCRIPTION")
    for paragraph in (*command_help.paragraphs(top.parts[0][1]), ABOUT):
        yield from (roff.prose(paragraph), ".PP")
    for name, lines in top.parts[1:]:
        yield from (f".SH {name.upper()}", *part(name, lines))
    yield ".SH THE COMMANDS IN DETAIL"
    for command in others:
        yield from detail(command)
    yield from (".SH SEE ALSO", roff.prose("`wharfd`(8), `wharfd.toml`(5)"))


if __name__ == "__main__":
    known = list(command_help.read(Path(sys.argv[1])))
    print(roff.document(page(known, sys.argv[2])))
