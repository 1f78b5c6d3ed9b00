#!/usr/bin/env python3
"""Holds the house rules that a compiler does not: who may include whom, where heavy headers stop,
and how long a file may be.

usage: tests/check_layers.py [ROOT]     prints one line per violation; exit code 1 if there are any
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

MAY_INCLUDE = {
    "base": set(),
    "protocol": {"base"},
    "client": {"base", "protocol"},
    "daemon/async": {"base"},
    "daemon/net": {"base", "daemon/async"},
    "daemon/sqlite": {"base"},
    "daemon/hub": {"base", "daemon/async", "daemon/net"},
    "daemon/store": {"base", "daemon/async", "daemon/net", "daemon/sqlite", "daemon/hub"},
    "daemon/access": {"base", "daemon/async", "daemon/net", "daemon/sqlite", "daemon/hub", "daemon/store"},
    "daemon/scheduling": {"base", "daemon/async", "daemon/hub"},
    "daemon/transfer": {
        "base", "daemon/async", "daemon/net", "daemon/hub", "daemon/store", "daemon/access",
        "daemon/scheduling",
    },
    "daemon/jobs": {
        "base", "daemon/async", "daemon/net", "daemon/sqlite", "daemon/hub", "daemon/store",
        "daemon/access", "daemon/scheduling", "daemon/transfer",
    },
    "daemon/service": {
        "base", "protocol", "daemon/async", "daemon/net", "daemon/hub", "daemon/store",
        "daemon/access", "daemon/scheduling", "daemon/transfer", "daemon/jobs",
    },
}
"""What each folder may include besides itself: the layers of docs/architecture.md, bottom first.
Files right in daemon/ (main, app, config) wire everything and may include all of daemon/."""


@dataclass(frozen=True)
class Border:
    """Headers that only some files may include."""

    headers: re.Pattern
    allowed: re.Pattern
    why: str


BORDERS = [
    Border(re.compile(r"simdjson|dom_json\.hpp$"),
           re.compile(r"json\.cpp$|^daemon/hub/dom_json\.hpp$"),
           "JSON from outside is parsed in *json.cpp only"),
    Border(re.compile(r"sqlite3"), re.compile(r"^daemon/sqlite/[^/]+\.cpp$"),
           "sqlite3.h stops in daemon/sqlite/*.cpp"),
    Border(re.compile(r"openssl/(ssl|err|x509|tls)|boost/asio/ssl|boost/beast"),
           re.compile(r"^(daemon/net|tests/unit/net)/[^/]+\.cpp$"),
           "TLS and HTTP stop in daemon/net/*.cpp"),
    Border(re.compile(r"^xxhash"), re.compile(r"^base/piece_checksum\.cpp$"),
           "xxhash.h stops in base/piece_checksum.cpp"),
    Border(re.compile(r"openssl/(evp|rand|crypto)"),
           re.compile(r"^(base/digest|daemon/access/sealer|(daemon/net|tests/unit/net)/[^/]+)\.cpp$"),
           "cryptography stops in base/digest.cpp, daemon/access/sealer.cpp and daemon/net/*.cpp"),
    Border(re.compile(r"^toml"), re.compile(r"^daemon/config\.cpp$"),
           "TOML is read in daemon/config.cpp only"),
    Border(re.compile(r"^systemd/"), re.compile(r"^daemon/systemd\.cpp$"),
           "libsystemd stops in daemon/systemd.cpp"),
    Border(re.compile(r"^boost/asio\.hpp$"), re.compile(r"(?!)"),
           "boost/asio.hpp costs seconds in every file: include its parts"),
]

LIMITS = [  # first match counts
    (re.compile(r"^tests/.*\.(cpp|hpp|py)$"), 600),
    (re.compile(r"\.hpp$"), 250),
    (re.compile(r"\.(cpp|h|py)$"), 500),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
ROOTS = ("base", "protocol", "client", "daemon", "tests", "tools")


def folder_of(path: str) -> str:
    """The layer that a file belongs to: "daemon/net", "base", or "daemon" for what is right in it."""
    parts = path.split("/")
    if parts[:2] == ["tests", "unit"] and len(parts) > 3:
        # A folder's tests see what the folder sees, and the folder.
        below = f"daemon/{parts[2]}"
        return below if below in MAY_INCLUDE else parts[2]
    if parts[0] == "daemon" and len(parts) > 2:
        return f"daemon/{parts[1]}"
    return parts[0]


def layer_violation(path: str, included: str) -> str | None:
    source, target = folder_of(path), folder_of(included)
    if source == target or target == "tests" or source == "tests":
        return None
    if source in MAY_INCLUDE:
        if target in MAY_INCLUDE[source]:
            return None
        return f"{source} may not include {target}"
    if path.startswith("daemon/"):
        if "/" in path.removeprefix("daemon/"):
            return f"{source} is not in the list of layers: add it to tests/check_layers.py"
        return f"{source} may not include {target}" if target == "client" else None
    return None


def check_file(path: str, text: str) -> list[str]:
    """All violations in one file; `path` is relative to the root, with slashes."""
    found = []
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        quoted, header = match.group(1) == '"', match.group(2)
        if quoted and header.split("/")[0] in ROOTS:
            if problem := layer_violation(path, header):
                found.append(f"{path}:{line}: {problem} ({header})")
        elif quoted and ("/" in header or not path.startswith("tests/")):  # tests may name a neighbour
            found.append(f"{path}:{line}: our own headers are named from the root ({header})")
        for border in BORDERS:
            if border.headers.search(header) and not border.allowed.search(path):
                found.append(f"{path}:{line}: {border.why} ({header})")
    if path.endswith(".hpp") and not re.search(r"^#pragma once$", text, re.MULTILINE):
        found.append(f"{path}:1: header without #pragma once")
    lines = text.count("\n")
    limit = next((most for pattern, most in LIMITS if pattern.search(path)), None)
    if limit and lines > limit:
        found.append(f"{path}:{limit + 1}: {lines} lines are more than {limit}: split it")
    return found


def check_tree(root: Path) -> tuple[int, list[str]]:
    """Number of files looked at, and all violations."""
    files, found = 0, []
    for top in ROOTS:
        for file in sorted((root / top).rglob("*")):
            if file.suffix in {".cpp", ".hpp", ".h", ".py"} and file.is_file():
                files += 1
                found += check_file(file.relative_to(root).as_posix(), file.read_text("utf-8"))
    return files, found


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    files, found = check_tree(root)
    for line in found:
        print(line)
    print(f"{files} files looked at, {len(found)} violations")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
