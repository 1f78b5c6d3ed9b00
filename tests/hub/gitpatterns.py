"""Patterns as git reads them: `.gitattributes` (which files are large) and `.gitignore`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class LfsRules:
    """Which files are large."""

    patterns: tuple[str, ...] = ()
    """As in `.gitattributes`, the last that matches decides; with a `!` before it, it says that a
    file is not large by its name."""
    threshold: int = 10 << 20

    @staticmethod
    def from_gitattributes(text: str, threshold: int) -> LfsRules:
        patterns: list[str] = []
        for words in (line.split() for line in text.splitlines()):
            if "filter=lfs" in words[1:]:
                patterns.append(words[0])
            elif any(re.fullmatch(r"[-!]filter|filter(=.*)?", word) for word in words[1:]):
                patterns.append(f"!{words[0]}")
        return LfsRules(tuple(patterns), threshold)

    def is_lfs(self, path: str, size: int) -> bool:
        return size > 0 and (self.by_name(path) or size > self.threshold)

    def by_name(self, path: str) -> bool:
        """Whether the patterns alone make it large."""
        for pattern in reversed(self.patterns):
            if matches(pattern.removeprefix("!"), path):
                return not pattern.startswith("!")
        return False

    def excludes(self, path: str) -> bool:
        """Whether the patterns say outright that it is not large."""
        named = (p for p in reversed(self.patterns) if matches(p.removeprefix("!"), path))
        return next(named, "").startswith("!")


@dataclass(frozen=True)
class _Ignore:
    pattern: str
    folders_only: bool
    negated: bool


class IgnoreRules:
    """The `.gitignore` of a root folder."""

    def __init__(self, text: str) -> None:
        self._rules: list[_Ignore] = []
        for line in text.splitlines():
            pattern = line.rstrip()
            if not pattern or pattern.startswith("#"):
                continue
            negated = pattern.startswith("!")
            pattern = pattern.removeprefix("!")
            if name := pattern.rstrip("/"):
                self._rules.append(_Ignore(name, pattern.endswith("/"), negated))

    def ignores(self, path: str) -> bool:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            # What is inside of an ignored folder cannot be taken back.
            if self._verdict("/".join(parts[:depth]), folder=True):
                return True
        return self._verdict(path, folder=False)

    def _verdict(self, path: str, folder: bool) -> bool:
        for rule in reversed(self._rules):
            if (folder or not rule.folders_only) and matches(rule.pattern, path):
                return not rule.negated
        return False


def matches(pattern: str, path: str) -> bool:
    """A pattern without slash is about names; one with a slash about whole paths."""
    if "/" not in pattern:
        return _compile(pattern).fullmatch(path.rpartition("/")[2]) is not None
    return _compile(pattern.removeprefix("/")).fullmatch(path) is not None


@lru_cache(4096)
def _compile(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stop at slashes, `**/` is any number of folders and a last `/**` all below."""
    out, at = "", 0
    while at < len(pattern):
        first_of_part = at == 0 or pattern[at - 1] == "/"
        if first_of_part and pattern.startswith("**/", at):
            out += "(?:.*/)?"
            at += 3
        elif first_of_part and pattern[at:] == "**":
            out += ".+"
            at += 2
        else:
            piece, length = _translate(pattern, at)
            out += piece
            at += length
    return re.compile(out, re.DOTALL)


def _translate(pattern: str, at: int) -> tuple[str, int]:
    """The expression for what stands at `at`, and how many characters of the pattern it takes."""
    char = pattern[at]
    if char == "*":
        return "[^/]*", 1
    if char == "?":
        return "[^/]", 1
    if char == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), 2
    if char == "[" and (end := pattern.find("]", at + 2)) > 0:
        inside = pattern[at + 1 : end].replace("\\", "\\\\")
        inside = "^" + inside[1:] if inside[0] in "!^" else inside
        return f"(?!/)[{inside}]", end + 1 - at
    return re.escape(char), 1
