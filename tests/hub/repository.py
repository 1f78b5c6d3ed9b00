"""A repository as the Hub shows it: commits, trees, refs and who may see it.

Commits are real git objects as far as names go (tree and commit ids are what git would compute),
so ids are the same on every run, but nothing is stored beyond path → content.
"""

from __future__ import annotations

import datetime
import fnmatch
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .errors import revision_not_found
from .objects import Blob, git_object_id, lfs_pointer, tree_ids

COMMIT_ID = re.compile(r"[0-9a-f]{40}")
KINDS = ("model", "dataset", "space")

_LFS_BY_DEFAULT = (
    "7z arrow bin bz2 ckpt ftz gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb"
    " pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst"
).split()
DEFAULT_GITATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in [
        *(f"*.{ending}" for ending in _LFS_BY_DEFAULT),
        "saved_model/**/*",
        "*tfevents*",
    ]
)
"""What a new repository starts with, like on the real Hub."""

DEFAULT_LFS_THRESHOLD = 10 << 20


@dataclass(frozen=True)
class FileEntry:
    """One file of one commit."""

    path: str
    blob: Blob
    lfs: bool

    @cached_property
    def pointer(self) -> Blob:
        return Blob(lfs_pointer(self.blob.sha256, self.blob.size))

    @property
    def oid(self) -> str:
        """The git object id: of the pointer for LFS files."""
        return self.pointer.git_sha1 if self.lfs else self.blob.git_sha1

    @property
    def etag(self) -> str:
        """What names the content itself: sha256 for LFS files, else the git object id."""
        return self.blob.sha256 if self.lfs else self.blob.git_sha1


@dataclass(frozen=True)
class Commit:
    """An immutable commit with its whole tree."""

    id: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    files: Mapping[str, FileEntry]
    changed_in: Mapping[str, str]
    """For each path, the id of the commit that last changed it."""
    folders: Mapping[str, str]
    """For each directory, its git tree id."""


@dataclass(frozen=True)
class LfsRules:
    """Which files are large."""

    patterns: tuple[str, ...] = ()
    threshold: int = DEFAULT_LFS_THRESHOLD

    @staticmethod
    def from_gitattributes(text: str, threshold: int) -> LfsRules:
        lines = (line.split() for line in text.splitlines())
        return LfsRules(tuple(words[0] for words in lines if "filter=lfs" in words[1:]), threshold)

    def is_lfs(self, path: str, size: int) -> bool:
        if size == 0:
            return False
        name = path.rpartition("/")[2]
        for pattern in self.patterns:
            # A pattern without slash is about names; `**/` may also stand for no folder at all.
            subject = path if "/" in pattern else name
            if fnmatch.fnmatchcase(subject, pattern):
                return True
            if fnmatch.fnmatchcase(subject, pattern.replace("**/", "")):
                return True
        return size > self.threshold


@dataclass
class Repository:
    """A model, dataset or space. Mutable; guarded by the lock of the state that holds it."""

    kind: str
    id: str
    private: bool = False
    gated: str | None = None
    """None, "auto" or "manual"."""
    disabled: bool = False
    members: set[str] = field(default_factory=set)
    """Users who may read and write besides the namespace's own."""
    granted: set[str] = field(default_factory=set)
    """Users whose request for access to the gated repo was accepted."""
    lfs_patterns: tuple[str, ...] | None = None
    """Overrides `.gitattributes`."""
    lfs_threshold: int = DEFAULT_LFS_THRESHOLD
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    converts: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.id.rpartition("/")[0]

    @property
    def epoch(self) -> int:
        """A start of time of its own, so that equal trees in two repos differ in commit id."""
        digest = hashlib.sha1(f"{self.kind}:{self.id.lower()}".encode()).digest()
        return 1_700_000_000 + int.from_bytes(digest[:3], "big")

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    @property
    def created_at(self) -> str:
        return next(iter(self.commits.values())).date

    def lfs_rules(self, files: Mapping[str, FileEntry]) -> LfsRules:
        """The rules for the next commit on top of `files`."""
        if self.lfs_patterns is not None:
            return LfsRules(self.lfs_patterns, self.lfs_threshold)
        attributes = files.get(".gitattributes")
        text = attributes.blob.read().decode("utf-8", "replace") if attributes else ""
        return LfsRules.from_gitattributes(text, self.lfs_threshold)

    def commit(
        self,
        parent: str | None,
        changes: Mapping[str, Blob],
        deleted: Iterable[str] = (),
        title: str = "Update files",
        message: str = "",
        author: str = "hub",
    ) -> Commit:
        """Makes a commit on top of `parent`. No ref moves: see `set_ref`."""
        base = self.commits[parent] if parent else None
        files = dict(base.files) if base else {}
        touched: set[str] = set(changes)
        for path in deleted:
            gone = [
                name for name in files if name == path or name.startswith(path.rstrip("/") + "/")
            ]
            touched.update(gone)
            for name in gone:
                del files[name]
        # A `.gitattributes` in this very commit counts for the files beside it.
        for path in sorted(changes, key=lambda name: name != ".gitattributes"):
            blob = changes[path]
            lfs = path != ".gitattributes" and self.lfs_rules(files).is_lfs(path, blob.size)
            files[path] = FileEntry(path, blob, lfs)

        folders = tree_ids({path: entry.oid for path, entry in files.items()})
        seconds = self.epoch + 60 * len(self.commits)
        commit_id = _commit_id(folders[""], parent, author, seconds, title, message)
        changed_in = {path: (base.changed_in.get(path, "") if base else "") for path in files}
        changed_in.update({path: commit_id for path in touched if path in files})
        date = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        commit = Commit(
            id=commit_id,
            parent=parent,
            title=title,
            message=message,
            author=author,
            date=date.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            files=dict(sorted(files.items())),
            changed_in=changed_in,
            folders=folders,
        )
        self.commits[commit_id] = commit
        return commit

    def refs(self, kind: str) -> dict[str, str]:
        """The refs of one kind: "branch", "tag", "convert" or "pull"."""
        table = {
            "branch": self.branches,
            "tag": self.tags,
            "convert": self.converts,
            "pull": self.pulls,
        }
        return table[kind]

    def set_ref(self, kind: str, name: str, commit_id: str) -> None:
        self.refs(kind)[name] = commit_id

    def find_revision(self, revision: str) -> Commit:
        """The commit that a branch, tag, ref or (possibly short) hash stands for."""
        commit_id = self._ref_target(revision)
        if commit_id is None and re.fullmatch(r"[0-9a-f]{7,40}", revision):
            found = [name for name in self.commits if name.startswith(revision)]
            commit_id = found[0] if len(found) == 1 else None
        if commit_id is None:
            raise revision_not_found(revision)
        return self.commits[commit_id]

    def _ref_target(self, revision: str) -> str | None:
        for prefix, names in (
            ("", self.branches),
            ("", self.tags),
            ("refs/heads/", self.branches),
            ("refs/tags/", self.tags),
            ("refs/convert/", self.converts),
            ("refs/pr/", self.pulls),
        ):
            if revision.startswith(prefix) and (target := names.get(revision[len(prefix) :])):
                return target
        return None


def _commit_id(
    tree: str, parent: str | None, author: str, seconds: int, title: str, message: str
) -> str:
    who = f"{author} <{author}@users.hub.test> {seconds} +0000"
    lines = [f"tree {tree}"]
    if parent:
        lines.append(f"parent {parent}")
    lines += [f"author {who}", f"committer {who}", "", title]
    if message:
        lines += ["", message]
    return git_object_id("commit", ("\n".join(lines) + "\n").encode())
