"""Makes wharfd.toml(5) of docs/configuration.md, the page that a test holds to the keys there are.

It knows as much of Markdown as that page needs: headings, paragraphs, lists, tables of keys, and
indented text.

usage: configuration_page.py CONFIGURATION.MD VERSION >wharfd.toml.5
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import roff


def blocks(text: str) -> Iterator[list[str]]:
    """The lines between empty ones; indented text is one block also where it has empty lines."""
    text = re.sub(r"(?m)(?<=\n)( {4}.*)\n\n(?= {4})", r"\1\n    \n", text)
    for block in re.split(r"\n\s*\n(?!    \n)", text):
        if lines := block.strip("\n").splitlines():
            yield lines


def table(lines: list[str]) -> Iterator[str]:
    """A row "| `key` | default | new value after | meaning |" becomes an entry."""
    heads = [cell.strip() for cell in lines[0].strip("|").split("|")]
    for line in lines[2:]:
        first, *cells = (cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
        row = dict(zip(heads[1:], cells))
        meaning = row.pop("meaning", None) or row.pop(heads[-1])
        rest = "; ".join(f"{head}: {cell}" for head, cell in row.items())
        yield from roff.tagged(roff.prose(first), f"{meaning} ({rest})" if rest else meaning)


def bullets(lines: list[str]) -> Iterator[str]:
    for entry in re.split(r"(?m)^(?:- |\d+\. )", "\n".join(lines))[1:]:
        yield from (".IP \\(bu 2", roff.prose(" ".join(entry.split())))


def block(lines: list[str]) -> Iterator[str]:
    first = lines[0]
    if heading := re.match(r"(#+) (.*)", first):
        yield f'{".SH" if len(heading[1]) == 2 else ".SS"} "{roff.escaped(heading[2].replace("`", ""))}"'
        if lines[1:]:
            yield from block(lines[1:])
    elif first.startswith("    "):
        yield from roff.literal([line[4:] for line in lines])
    elif first.startswith("|"):
        yield from table(lines)
    elif re.match(r"- |\d+\. ", first):
        yield from bullets(lines)
    else:
        yield from (".PP", roff.prose(" ".join(lines)))


def page(text: str, version: str) -> Iterator[str]:
    yield from roff.title("WHARFD.TOML", 5, version)
    yield from (".SH NAME", roff.prose("wharfd.toml - configuration of the Hugging Face Hub daemon"))
    yield ".SH DESCRIPTION"
    for lines in blocks(text.split("\n", 1)[1]):  # its own title says less
        yield from block(lines)
    yield from (".SH SEE ALSO", roff.prose("`wharfd`(8), `wharf`(1)"))


if __name__ == "__main__":
    print(roff.document(page(Path(sys.argv[1]).read_text(), sys.argv[2])))
