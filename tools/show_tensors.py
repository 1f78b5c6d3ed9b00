"""Finds a repo with the official client and shows what its safetensors files hold.

usage: show_tensors.py REPO [PATTERN]...

Run with HF_HUB_OFFLINE=1 it proves that the files are in the cache. Reads the format
(https://github.com/huggingface/safetensors) with nothing but the standard library.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from pathlib import Path

from huggingface_hub import __version__, snapshot_download

VALUES_SHOWN = 4


def read_header(file: Path) -> tuple[dict, int]:
    """The tensors by name, and where their bytes begin in the file."""
    with file.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(size))
    header.pop("__metadata__", None)
    return header, 8 + size


def first_values(file: Path, tensor: dict, begin: int) -> str:
    with file.open("rb") as stream:
        stream.seek(begin + tensor["data_offsets"][0])
        values = struct.unpack(f"<{VALUES_SHOWN}f", stream.read(4 * VALUES_SHOWN))
    return ", ".join(f"{value:+.4f}" for value in values)


def main() -> int:
    repo, patterns = sys.argv[1], [pattern for pattern in sys.argv[2:] if pattern]
    snapshot = Path(snapshot_download(repo, allow_patterns=patterns or None))
    print(f"huggingface_hub {__version__} finds {repo} in")
    print(snapshot)
    for file in sorted(snapshot.rglob("*.safetensors")):
        tensors, begin = read_header(file)
        parameters = sum(math.prod(tensor["shape"]) for tensor in tensors.values())
        print(f"{file.name}: {len(tensors)} tensors, {parameters:,} parameters")
        singles = [name for name, tensor in tensors.items() if tensor["dtype"] == "F32"]
        if singles:
            name = singles[0]
            print(f"{name} {tensors[name]['shape']} begins with {first_values(file, tensors[name], begin)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
