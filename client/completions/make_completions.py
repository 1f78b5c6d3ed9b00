"""Makes the completions of `wharf` for a shell of what its help says.

usage: make_completions.py WHARF bash|zsh|fish >FILE

The template beside this file has what is the shell's; here is filled in what is the command's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))

from command_help import Command, Item, read

WORDS = {
    "TYPE": "model dataset space",
    "CLASS": "interactive normal background",
    "FORMAT": "human json quiet",
}
"""What may stand where the help names a value so."""

PAST_TOO = {"jobs show", "jobs watch", "jobs retry"}
"""Commands that take the numbers of jobs that have ended; the others get those that have not."""


def kinds(command: Command) -> list[str]:
    """Names of the arguments, without their dots and brackets."""
    return [] if command.subcommands else [re.sub(r"[].[]", "", word) for word in command.arguments]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# --- bash: tables as functions ---


def arms(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"    {quoted(pattern)}) echo {quoted(words)} ;;" for pattern, words in rows if words)


def value_rows(commands: list[Command]) -> Iterable[tuple[str, str]]:
    for command in commands:
        for option in command.options:
            for flag in option.flags if option.value else ():
                yield f"{command.path} {flag}".strip(), option.value


def bash(commands: list[Command]) -> dict[str, str]:
    return {
        "commands": arms((c.path, " ".join(item.name for item in c.subcommands)) for c in commands),
        "flags": arms((c.path, " ".join(f for o in c.options for f in o.flags)) for c in commands),
        "values": arms(value_rows(commands)),
        "arguments": arms((c.path, " ".join(kinds(c))) for c in commands),
        "words": arms(WORDS.items()),
        "past": "|".join(quoted(path) for path in sorted(PAST_TOO)),
    }


# --- zsh: a function for each command; with two underscores those that are none ---


def zsh_action(kind: str, path: str) -> str:
    """What completes such a value. After a space it is called with these words and no others."""
    actions = {
        "DIR": "_files -/",
        "PATH": "_files",
        "USER": "_users",
        "ID": f" _wharf__jobs {quoted(path)}",
    }
    return actions.get(kind) or (f"({WORDS[kind]})" if kind in WORDS else " ")


def zsh_text(text: str) -> str:
    return re.sub(r"([][:\\])", r"\\\1", text)


def zsh_option(option: Item, path: str) -> str:
    text = f"[{zsh_text(option.text)}]"
    repeats = "*" if "may be repeated" in option.text else ""
    value = f":{option.value}:{zsh_action(option.value, path)}" if option.value else ""
    flags = [flag + ("=" if value and flag.startswith("--") else "") for flag in option.flags]
    if len(flags) == 1:
        return quoted(f"{repeats}{flags[0]}{text}{value}")
    return f"{quoted('(' + ' '.join(option.flags) + ')')}{{{','.join(flags)}}}{quoted(text + value)}"


def zsh_arguments(command: Command) -> list[str]:
    specs = []
    for index, kind in enumerate(kinds(command)):
        # "ID... CLASS": what ends the list may come at any place in it.
        several = "*" if command.arguments[index].endswith("...") else ""
        specs.append(quoted(f"{several}:{kind}:{zsh_action(kind, command.path)}"))
    if len(specs) > 1 and specs[0].startswith("'*"):
        return [quoted(f"*:argument: _wharf__several {quoted(command.path)} {' '.join(kinds(command))}")]
    return specs


def zsh_function(command: Command) -> str:
    name = "_".join(["_wharf", *command.path.split()])
    specs = [zsh_option(option, command.path) for option in command.options]
    if not command.subcommands:
        specs += zsh_arguments(command)
        return "\n".join([f"{name}() {{", "    _arguments -s \\", *(f"        {s} \\" for s in specs), "", "}", ""])
    choices = "\n".join(f"        {quoted(zsh_text(i.name) + ':' + i.text)}" for i in command.subcommands)
    specs += ["'1:command:->command'", "'*::argument:->argument'"]
    lines = "\n".join(f"        {spec} \\" for spec in specs)
    return (
        f"{name}() {{\n    local context state state_descr line\n    typeset -A opt_args\n"
        f"    local -a choices=(\n{choices}\n    )\n    _arguments -s -C \\\n{lines}\n\n"
        f"    case $state in\n    command) _describe -t commands command choices ;;\n"
        f"    argument) (( $+functions[{name}_$words[1]] )) && {name}_$words[1] ;;\n    esac\n}}\n"
    )


def zsh(commands: list[Command]) -> dict[str, str]:
    words = "\n".join(f"        {kind}) compadd -- {words} ;;" for kind, words in WORDS.items())
    past = "|".join(quoted(path) for path in sorted(PAST_TOO))
    return {"functions": "\n".join(map(zsh_function, commands)), "words": words, "past": past}


# --- fish: a line for each thing ---


def fish_source(kind: str, path: str) -> str:
    if kind == "ID":
        return f"-x -a {quoted('(__wharf_jobs' + (' --all' if path in PAST_TOO else '') + ')')}"
    if kind in WORDS:
        return f"-x -a {quoted(WORDS[kind])}"
    sources = {
        "DIR": "-x -a '(__fish_complete_directories)'",
        "PATH": "-r -F",
        "USER": "-x -a '(__fish_complete_users)'",
    }
    return sources.get(kind, "-x")


def fish_lines(command: Command) -> Iterable[str]:
    at = f"complete -c wharf -n {quoted(('__wharf_at ' + command.path).strip())}"
    for item in command.subcommands:
        yield f"{at} -a {item.name} -d {quoted(item.text)}"
    for kind in kinds(command):
        if kind in WORDS or kind in ("ID", "PATH"):
            yield f"{at} {fish_source(kind, command.path)} -d {kind}"
    for option in command.options:
        names = " ".join(
            f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
        )
        value = f" {fish_source(option.value, command.path)}" if option.value else ""
        yield f"{at} {names}{value} -d {quoted(option.text)}"


def fish(commands: list[Command]) -> dict[str, str]:
    paths = " ".join(quoted(command.path) for command in commands if command.path)
    values = " ".join(f for o in commands[0].options if o.value for f in o.flags)
    lines = "\n".join(line for command in commands for line in fish_lines(command))
    return {"paths": paths, "values": values, "lines": lines}


SHELLS: dict[str, Callable[[list[Command]], dict[str, str]]] = {"bash": bash, "zsh": zsh, "fish": fish}


def main() -> None:
    shell = sys.argv[2]
    text = (HERE / f"wharf.{shell}.in").read_text()
    for name, value in SHELLS[shell](list(read(Path(sys.argv[1])))).items():
        text = text.replace(f"@{name}@", value)
    print(text, end="")


if __name__ == "__main__":
    main()
