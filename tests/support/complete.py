"""What a shell would offer at the end of a line, asked of the shell itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_BASH = r"""
source "$1"
shift
# As readline does it: where it breaks words, `=` is a word of its own.
COMP_WORDS=() COMP_LINE=$1
for word in $1; do
    if [[ $word == --*=* ]]; then COMP_WORDS+=("${word%%=*}" =); word=${word#*=}; [[ $word ]] || continue; fi
    COMP_WORDS+=("$word")
done
[[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#1}
_wharf
printf '%s\n' "${COMPREPLY[@]}"
"""

# An interactive shell on a terminal of its own; `compadd`, through which all offers go, notes them down.
_ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
ask() { zpty -w shell "$1"; }
ask 'PS1= PS2= ; stty -echo; unsetopt prompt_sp zle_bracketed_paste; fpath=('${(q)1}' $fpath)'
ask 'autoload -Uz compinit; compinit -u -D; bindkey "^I" complete-word'
ask 'compadd() { local -a hits; builtin compadd -A hits "$@" 2>/dev/null; print -rl -- $hits >>'${(q)3}'; builtin compadd "$@"; }'
ask 'finished() { print -r -- end >'${(q)3}'.end; }; zle -N finished; bindkey "^X" finished'
ask 'print loaded >'${(q)3}'.loaded'
while [[ ! -e $3.loaded ]]; do zpty -r -t shell line; sleep 0.02; done
zpty -w -n shell "$2"$'\t\x18'
for try in {1..500}; do
    [[ -e $3.end ]] && break
    zpty -r -t shell line
    sleep 0.02
done
zpty -d shell
cat $3 2>/dev/null
"""


def _run(command: list[str | Path], environment: dict[str, str]) -> set[str]:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()) - {""}


def offers(shell: str, script: Path, line: str, environment: dict[str, str], scratch: Path) -> set[str]:
    """The words that could stand at the end of `line`. `script` is the installed completion."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    if shell == "bash":
        return _run(["bash", "--norc", "-c", _BASH, "bash", script, line], environment)
    if shell == "fish":
        code = "source $argv[1]; complete -C $argv[2]"
        found = _run(["fish", "--no-config", "-c", code, str(script), line], environment)
        return {offer.partition("\t")[0] for offer in found}
    return _run(["zsh", "-f", "-c", _ZSH, "zsh", script.parent, line, scratch / "hits"], environment)
