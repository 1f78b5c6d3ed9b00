"""Enough of YAML to tell a broken front matter of a README from a sound one."""

from __future__ import annotations

import re

_ENTRY = re.compile(r"""(?:[^\s'"#\[\]{},:][^#:]*|'[^']*'|"[^"]*")\s*:(?:\s+(?P<value>.*))?$""")
_PAIRS = {"[": "]", "{": "}"}


def problems(text: str) -> tuple[list[str], list[str]]:
    """Errors and warnings about the block between `---` and `---` at the beginning."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != "---":
        return [], ["empty or missing yaml metadata in repo card"]
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        return ["The yaml metadata has no end: a line of --- is missing"], []
    errors = [
        f"{what} (line {i})" for i, line in enumerate(lines[1:end], 2) if (what := _line(line))
    ]
    return errors, []


def _line(line: str) -> str:
    """What is wrong with a line, if anything. Values over several lines pass unseen."""
    if line.startswith("\t"):
        return "bad indentation: tabs are not allowed"
    if not line.strip() or line.lstrip().startswith(("#", "- ")) or line[0] in " -":
        return ""
    found = _ENTRY.match(line)
    if found is None:
        return "can not read a block mapping entry"
    value = (found["value"] or "").strip()
    if value[:1] in ("'", '"') and (len(value) < 2 or value.count(value[0]) < 2):
        return "unexpected end of the stream within a quoted scalar"
    if value[:1] in _PAIRS and _PAIRS[value[0]] not in value:
        return "unexpected end of the stream within a flow collection"
    return ""
