"""Another user who swaps folders and symbolic links as fast as the kernel lets him, to catch a
program between looking at a name and using it. To be run by `acting` of attacks.py."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.attacks import Ready, acting
from tests.support.users import User

_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@dataclass(frozen=True)
class Swap:
    """A name that is now what it should be, now a link to somewhere else."""

    name: Path
    to: Path


def _exchange(one: str, other: str) -> bool:
    done = _libc.renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )
    return done == 0


def _swap_without_end(ready: Ready, swaps: list[tuple[str, str]]) -> None:
    ready(None)
    while True:
        for name, to in swaps:
            trap = f"{name}.trap"
            with contextlib.suppress(OSError):
                os.symlink(to, trap)
            if not _exchange(name, trap):
                with contextlib.suppress(OSError):
                    os.rename(trap, name)  # nothing there yet: the link comes first
                    _pause()
                    os.rename(name, trap)
                continue
            _pause()
            _exchange(name, trap)
        _pause()


def _pause() -> None:
    time.sleep(random.choice((0, 0, 0.0002, 0.002)))


def _restore(name: Path) -> None:
    """What the attacker's end left behind: the link is gone, and what it stood for is back."""
    trap = Path(f"{name}.trap")
    if name.is_symlink():
        name.unlink()
    if trap.is_symlink():
        trap.unlink()
    elif trap.exists() and not name.exists():
        trap.rename(name)


@contextlib.contextmanager
def swapping(attacker: User, swaps: list[Swap]) -> Iterator[None]:
    """The attacker swaps all of these, over and over, until the end of the block.

    Requires: a folder comes before what is in it. Afterwards each is what it should be, wherever in
    a swap the attacker was stopped.
    """
    pairs = [(str(swap.name), str(swap.to)) for swap in swaps]
    try:
        with acting(attacker, _swap_without_end, pairs):
            yield
    finally:
        for swap in swaps:
            _restore(swap.name)
