"""Pushes of every sort, and what each must have made of a branch when it is in."""

from __future__ import annotations

import fnmatch
import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hub import TestHub
from tests.support.pushes import Changes, give
from tests.support.trials import KIB, MIB
from tests.support.varlink_client import VarlinkClient

PART = 256 * KIB
"""Large files above this go up in parts of this size."""
HUB_SETTINGS = {"lfs_part_size": PART, "lfs_multipart_above": PART}
BRANCHES = ("main", "dev/x")
_SERIES_FROM = 250
"""Files from which on a push may become several commits."""
_PART_TITLE = re.compile(r"(?P<title>.*?)(?: \(part (?P<part>\d+)\))?")

Tree = dict[str, str]
"""Path → sha256 of the content."""


@dataclass(frozen=True)
class Pusher:
    """Whose pushes these are: an account of the Hub, and one of this machine (none: our own)."""

    name: str
    token: str
    uid: int | None = None


@dataclass
class Push:
    who: Pusher
    repo: str
    branch: str
    title: str
    files: Changes = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    """Path → where it is copied from, in the same branch."""
    deletes: dict[str, Any] = field(default_factory=dict)
    create_pr: bool = False
    asked: bool = False
    """Submit was called; whether the daemon took the push over is not known until it has a job."""
    job: int = 0
    hashes: Tree = field(default_factory=dict)
    """Of the files."""

    @property
    def is_series(self) -> bool:
        return len(self.files) > _SERIES_FROM

    def submit(self, client: VarlinkClient) -> None:
        order = {"token": self.who.token, "message": self.title, "revision": self.branch}
        if self.create_pr:
            order["create_pr"] = True
        copies = [{"path": to, "from_path": path} for to, path in self.copies.items()]
        upload = give(
            client, self.repo, self.files, deletes=dict(self.deletes), copies=copies, **order
        )
        self.asked = True
        self.job = int(client.call("Uploads.Submit", upload=upload, detach=True)["job"])

    def added_to(self, tree: Mapping[str, str]) -> Tree:
        """What it brings into a branch that is like this."""
        return {**self.hashes, **{to: tree[path] for to, path in self.copies.items()}}

    def deleted_from(self, tree: Mapping[str, str]) -> set[str]:
        folders = tuple(f"{name}/" for name in self.deletes.get("delete_folders", ()))
        patterns = self.deletes.get("delete_patterns", ())
        return {
            path
            for path in tree
            if path in self.deletes.get("delete", ())
            or path.startswith(folders)
            or any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
        } - set(self.files)


class PushLoad:
    """Makes pushes: large files whole and in parts, folders of small ones, copies, deletions, pull
    requests, to several branches; now and then one that becomes a series of commits. What a push
    deletes or copies is of an earlier push of the same account to the same branch, which is in
    before it. All of them write one file, so that their order shows."""

    def __init__(self, folder: Path, repos: list[str], pushers: list[Pusher], seed: int) -> None:
        self.pushes: list[Push] = []
        self._folder = folder
        self._repos = repos
        self._pushers = pushers
        self._random = random.Random(seed)
        self._there: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        """Folders that a pusher has on a branch."""

    def make(self) -> Push:
        numbers = self._random
        who = numbers.choice(self._pushers)
        branch = numbers.choice(BRANCHES)
        push = Push(who, numbers.choice(self._repos), branch, f"Push {len(self.pushes)}")
        there = self._there[who.name, push.repo, branch]
        kind = numbers.choices(
            ("parts", "whole", "folder", "series", "deletion", "copy", "pull request"),
            (20, 20, 25, 5, 10, 10, 10),
        )[0]
        name = f"push-{len(self.pushes)}"
        if kind == "deletion" and there:
            self._delete(push, there)
        else:
            self._fill(push, name, kind)
        if kind == "copy" and there:
            self._copy(push, name, numbers.choice(there))
        if kind == "pull request":
            push.branch, push.create_pr = "main", True
        else:
            push.files["latest.json"] = self._text()
            if kind != "deletion":
                there.append(name)
        for path, content in push.files.items():
            data = content.read_bytes() if isinstance(content, Path) else content
            push.hashes[path] = hashlib.sha256(data).hexdigest()
        self.pushes.append(push)
        return push

    def _fill(self, push: Push, name: str, kind: str) -> None:
        """Each has a large and a small file that can be copied or deleted."""
        numbers = self._random
        large = numbers.randrange(60 * KIB, PART)
        if kind in ("parts", "folder"):
            large = numbers.randrange(6 * PART, 24 * PART)
        folder = self._folder / name
        folder.mkdir(parents=True)
        (folder / "model.bin").write_bytes(numbers.randbytes(large))
        push.files[f"{name}/model.bin"] = folder / "model.bin"
        small = {"folder": 20, "series": _SERIES_FROM + 40}.get(kind, 1)
        for number in range(small):
            file = folder / f"{number}.json"
            file.write_bytes(self._text())
            # Small ones come as descriptors and as bytes of the call.
            push.files[f"{name}/{number}.json"] = file if number % 2 else file.read_bytes()
        if kind == "folder":
            push.files[f"{name}/again/same.bin"] = folder / "model.bin"

    def _delete(self, push: Push, there: list[str]) -> None:
        name = there.pop(self._random.randrange(len(there)))
        push.deletes = self._random.choice(
            (
                {"delete_folders": [name]},
                {"delete_patterns": [f"{name}/*.json"]},
                {"delete": [f"{name}/model.bin", f"{name}/0.json"]},
            )
        )

    def _copy(self, push: Push, name: str, source: str) -> None:
        for file in ("model.bin", "0.json"):
            push.copies[f"{name}/copied-{file}"] = f"{source}/{file}"

    def _text(self) -> bytes:
        return self._random.randbytes(self._random.randrange(100, 3 * KIB)).hex().encode()


# --- What became of them --------------------------------------------------------------------


class History:
    """The commits of a branch, replayed: each must be what one push makes of the tree before it."""

    def __init__(self, hub: TestHub, repo: str, pushes: list[Push]) -> None:
        self.commits = 0
        """That were seen to be right."""
        self._repo = hub.state.get("model", repo)
        self._pushes = {push.title: push for push in pushes if push.repo == repo}
        self._brought: dict[str, Tree] = defaultdict(dict)
        self._parts: dict[str, int] = defaultdict(int)
        self._order: dict[str, list[int]] = defaultdict(list)

    def check(self, branch: str) -> None:
        wanted = [p for p in self._pushes.values() if p.branch == branch and not p.create_pr]
        self._replay(branch, {push.title for push in wanted})
        self._check_whole(wanted)

    def check_pull_requests(self) -> int:
        """Each push that asked for one has one of its own, and there is no other."""
        wanted = [push for push in self._pushes.values() if push.create_pr]
        numbers = {push.title: [] for push in wanted}
        for number, discussion in self._repo.discussions.items():
            numbers[discussion.title].append(number)
        for push in wanted:
            assert len(numbers[push.title]) == 1, f"{push.title}: {numbers[push.title]}"
            self._replay(f"refs/pr/{numbers[push.title][0]}", {push.title}, since_main=True)
        self._check_whole(wanted)
        return len(wanted)

    def _replay(self, branch: str, titles: set[str], since_main: bool = False) -> None:
        at = self._repo.find_revision(branch).id
        line: list[str] = []
        known = set(self._ids("main")) if since_main else set()
        for commit in self._ids(branch, at):
            if commit in known:
                break
            line.append(commit)
        for commit in reversed(line):
            parent = self._repo.commits[commit].parent
            if parent is not None and self._repo.commits[commit].title != "Add files":
                self._check_commit(commit, parent, titles)

    def _ids(self, branch: str, start: str | None = None) -> list[str]:
        at: str | None = start or self._repo.find_revision(branch).id
        found = []
        while at is not None:
            found.append(at)
            at = self._repo.commits[at].parent
        return found

    def _tree(self, commit: str) -> Tree:
        files = self._repo.commits[commit].files
        return {path: entry.blob.sha256 for path, entry in files.items()}

    def _check_commit(self, commit: str, parent: str, titles: set[str]) -> None:
        title = self._repo.commits[commit].title
        found = _PART_TITLE.fullmatch(title)
        assert found and found["title"] in titles, f"whose commit is {title!r}?"
        push = self._pushes[found["title"]]
        self._parts[push.title] += 1
        assert int(found["part"] or 1) == self._parts[push.title], f"{title!r} is there twice"
        assert push.is_series or not found["part"], f"{title!r}: one commit was to be made"
        self._order[push.who.name].append(int(push.title.split()[1]))
        before, after = self._tree(parent), self._tree(commit)
        added = {path: sha for path, sha in after.items() if before.get(path) != sha}
        wanted = push.added_to(before)
        wrong = [path for path, sha in added.items() if wanted.get(path) != sha]
        assert not wrong, f"{title!r} has wrong {wrong}"
        deleted = push.deleted_from(before) if self._parts[push.title] == 1 else set()
        assert before.keys() - after.keys() == deleted, f"{title!r} deleted the wrong files"
        self._brought[push.title].update(added)
        self.commits += 1

    def _check_whole(self, pushes: list[Push]) -> None:
        for push in pushes:
            assert self._parts[push.title] > 0, f"{push.title}: no commit"
            brought = self._brought[push.title].keys()
            assert brought == push.files.keys() | push.copies.keys(), f"{push.title}: not all"
        for who, numbers in self._order.items():
            assert numbers == sorted(numbers), f"{who}'s pushes went out of order: {numbers}"
        self._order.clear()
