#!/usr/bin/env python3
"""Writes a C++ source that holds the given texts unchanged.

usage: embed.py OUTPUT NAMESPACE FUNCTION FILE...

The source defines `std::span<const std::string_view> NAMESPACE::FUNCTION()`, the files' texts in
order.
"""
import sys
from pathlib import Path

# Compilers need not take longer literals; the parts of one text are joined by the compiler.
PART = 8000


def literal(text: str) -> str:
    parts = [text[i:i + PART] for i in range(0, len(text), PART)] or [""]
    return "\n".join(f'R"varlink({part})varlink"' for part in parts)


def main() -> None:
    output, namespace, function, *files = sys.argv[1:]
    texts = [Path(file).read_text(encoding="utf-8") for file in files]
    if any(')varlink"' in text for text in texts):
        sys.exit("a text holds the end of a raw string")
    lines = [
        "#include <array>",
        "#include <span>",
        "#include <string_view>",
        f"namespace {namespace} {{",
        f"std::span<const std::string_view> {function}() noexcept;",
        f"std::span<const std::string_view> {function}() noexcept {{",
        f"static constexpr std::array<std::string_view, {len(texts)}> texts{{",
        *(f"std::string_view{{{literal(text)}, {len(text.encode())}}}," for text in texts),
        "};",
        "return texts;",
        "}",
        f"}} // namespace {namespace}",
        "",
    ]
    Path(output).write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
