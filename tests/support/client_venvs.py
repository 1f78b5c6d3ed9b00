"""Virtual environments with the official client, one per supported release line.

Run it to create them (`python3 tests/support/client_venvs.py [NAME…]`); it prints where they are
and does nothing if they are there. Tests use `python_of`.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CLIENTS = {
    "2": "huggingface_hub>=2,<3",
    "1": "huggingface_hub>=1,<2",
    "0.36": "huggingface_hub>=0.36,<0.37",
}
"""Newest of the two current lines, and the last before the client changed its HTTP library."""

WITHOUT_XET = "2-without-xet"
"""The newest line without the package that it brings for Xet: for benchmarks only."""

_RELEASES = {**CLIENTS, WITHOUT_XET: CLIENTS["2"]}


def directory() -> Path:
    return Path(os.environ.get("WHARF_TEST_VENVS") or ROOT / "build" / "venvs")


def python_of(name: str) -> Path:
    """The interpreter of a client's environment, whether or not it exists yet."""
    return directory() / f"huggingface_hub-{name}" / "bin" / "python"


def ensure(name: str) -> Path:
    """Creates the environment unless a complete one is there; returns its interpreter."""
    python = python_of(name)
    home = python.parents[1]
    home.parent.mkdir(parents=True, exist_ok=True)
    stamp = home / "installed"
    # Parallel test runs must not build the same environment twice.
    with open(home.parent / f"{home.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = python.exists() and stamp.exists() and stamp.read_text() == _RELEASES[name]
        if not complete:
            stamp.unlink(missing_ok=True)
            _run(sys.executable, "-m", "venv", "--clear", str(home))
            pip = (str(python), "-m", "pip", "--quiet", "--disable-pip-version-check")
            _run(*pip, "install", _RELEASES[name])
            if name == WITHOUT_XET:
                _run(*pip, "uninstall", "--yes", "hf-xet")
            stamp.write_text(_RELEASES[name])
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def main(names: list[str]) -> int:
    if unknown := set(names) - set(_RELEASES):
        print(f"unknown client {', '.join(unknown)}; known: {', '.join(_RELEASES)}", file=sys.stderr)
        return 2
    for name in names or CLIENTS:
        print(ensure(name), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
