"""Patterns of `.gitattributes` and `.gitignore`, compared with what git itself makes of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .gitpatterns import IgnoreRules, LfsRules

PATHS = [
    "a.bin",
    "a.txt",
    "dir/a.bin",
    "dir/sub/a.txt",
    "dir/sub/b.log",
    "build/out.txt",
    "src/build/out.txt",
    "build.txt",
    "keep/a.log",
    "keep/important.log",
    "x[1].txt",
    "x1.txt",
    "saved_model/v1/variables",
    "deep/saved_model/v1/variables",
    "#odd",
    "a b.txt",
]

IGNORES = [
    "*.log",
    "*.log\n!important.log",
    "build/",
    "/build/",
    "build",
    "dir/*",
    "dir/**",
    "**/build/out.txt",
    "keep/\n!keep/important.log",
    "keep/*\n!keep/important.log",
    "x[0-9].txt",
    "x\\[1\\].txt",
    "?.txt\n# a comment\n\n\\#odd",
    "[!a]*",
    "/*.txt",
    "dir/sub",
    "a b.txt",
]

ATTRIBUTES = [
    "*.bin filter=lfs diff=lfs merge=lfs -text",
    "*.bin filter=lfs\na.bin -filter",
    "*.bin filter=lfs\ndir/*.bin !filter",
    "saved_model/**/* filter=lfs",
    "/a.* filter=lfs",
    "dir/** filter=lfs",
    "*.txt filter=other\n*.txt filter=lfs",
    "*.txt filter=lfs\n*.txt filter=other",
    "*.txt text\n# *.log filter=lfs",
]


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    command = ["git", "-C", str(folder), *arguments]
    text = "\n".join(PATHS)
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment)
    return done.stdout


@pytest.mark.parametrize("text", IGNORES)
def test_ignoring_like_git(work_tree: Path, text: str) -> None:
    (work_tree / ".gitignore").write_text(text + "\n")
    ignored = git(work_tree, "-c", "core.quotePath=false", "check-ignore", "--stdin", "--no-index")
    rules = IgnoreRules(text)
    assert [path for path in PATHS if rules.ignores(path)] == ignored.splitlines()


@pytest.mark.parametrize("text", ATTRIBUTES)
def test_attributes_like_git(work_tree: Path, text: str) -> None:
    (work_tree / ".gitattributes").write_text(text + "\n")
    said = git(work_tree, "check-attr", "--stdin", "filter").splitlines()
    large = [line.rpartition(": filter: ")[0] for line in said if line.endswith(": lfs")]
    rules = LfsRules.from_gitattributes(text, 1000)
    assert [path for path in PATHS if rules.by_name(path)] == large


def test_size_counts_besides_the_name() -> None:
    rules = LfsRules.from_gitattributes("*.bin filter=lfs\n*.txt -filter", 1000)
    assert [rules.is_lfs("a.bin", size) for size in (0, 1, 2000)] == [False, True, True]
    assert [rules.is_lfs("a.json", size) for size in (0, 1000, 1001)] == [False, False, True]
    assert [rules.excludes(path) for path in ("a.txt", "a.json", "a.bin")] == [True, False, False]
