"""What both generators of manual pages need of roff (man(7))."""

from __future__ import annotations

import re
from collections.abc import Iterable

DAY = "2026-11-23"
"""That of the pages' last change in form; roff wants one. What they say is of the version."""

_FLAG = re.compile(r"(?<![\w/-])(--?[A-Za-z][\w-]*)")


def escaped(text: str) -> str:
    """Text that roff shows as it is, within a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return text.replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")


def bold(text: str) -> str:
    return f"\\fB{escaped(text)}\\fP"


def prose(text: str) -> str:
    """A paragraph: `code` and flags are bold, a link is its text, and nothing is taken for a request."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"\*{1,2}([^*`]+)\*{1,2}", r"\1", text)
    parts = re.split(r"(`[^`]+`)", text)
    shown = [
        bold(part[1:-1]) if part.startswith("`") and len(part) > 1
        else "".join(bold(bit) if _FLAG.fullmatch(bit) else escaped(bit) for bit in _FLAG.split(part))
        for part in parts
    ]
    return _guarded("".join(shown))


def literal(lines: list[str]) -> list[str]:
    """Lines as they are, set apart."""
    return [".PP", ".RS 4", ".nf", *(_guarded(escaped(line)) for line in lines), ".fi", ".RE"]


def tagged(tag: str, text: str) -> list[str]:
    """An entry of a list of terms; `tag` is roff already."""
    return [".TP", tag, prose(text)]


def _guarded(line: str) -> str:
    return f"\\&{line}" if line.startswith((".", "\\(aq")) else line


def title(name: str, section: int, version: str) -> list[str]:
    return [f'.TH {name} {section} "{DAY}" "wharf {version}" "wharf"']


def document(lines: Iterable[str]) -> str:
    """The page. A heading begins a paragraph itself, and there are no empty ones."""
    kept: list[str] = []
    for line in lines:
        if kept and kept[-1] == ".PP" and line.startswith((".PP", ".S")):
            kept.pop()
        if not (line == ".PP" and kept and kept[-1].startswith(".S")):
            kept.append(line)
    return "\n".join(kept)
