"""A repository as the Hub shows it: commits, trees, refs and who may see it.

Commits are real git objects as far as names go (tree and commit ids are what git would compute),
so ids are the same on every run, but nothing is stored beyond path → content.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .errors import revision_not_found
from .gitpatterns import LfsRules
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


@dataclass
class Discussion:
    """A discussion or pull request, as much as uploads need of it."""

    number: int
    title: str
    description: str
    author: str
    date: str
    is_pull: bool
    status: str = "open"
    """Pull requests that were opened without a commit begin as "draft"."""


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
    discussions: dict[int, Discussion] = field(default_factory=dict)
    """By number; pull requests count among them."""
    large: dict[str, Blob] = field(default_factory=dict)
    """The large objects that the Hub has for this repository, by sha256: those of commits, and
    those that were uploaded and verified."""
    staged: dict[str, Blob] = field(default_factory=dict)
    """Objects that lie in storage but were not verified yet."""

    @property
    def namespace(self) -> str:
        return self.id.rpartition("/")[0]

    def url(self, base: str) -> str:
        """The address of its page."""
        return f"{base}/{'' if self.kind == 'model' else f'{self.kind}s/'}{self.id}"

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
        files = dict(self.commits[parent].files) if parent else {}
        for path in deleted:
            for name in [n for n in files if n == path or n.startswith(path.rstrip("/") + "/")]:
                del files[name]
        # A `.gitattributes` in this very commit counts for the files beside it.
        for path in sorted(changes, key=lambda name: name != ".gitattributes"):
            blob = changes[path]
            lfs = path != ".gitattributes" and self.lfs_rules(files).is_lfs(path, blob.size)
            files[path] = FileEntry(path, blob, lfs)

        return self.add_commit(parent, files, title, message, author)

    def add_commit(
        self,
        parent: str | None,
        files: Mapping[str, FileEntry],
        title: str,
        message: str = "",
        author: str = "hub",
    ) -> Commit:
        """Makes a commit of a whole tree. No ref moves. Raises ValueError, and changes nothing,
        for a tree in which something is both a file and a folder."""
        folders = tree_ids({path: entry.oid for path, entry in files.items()})
        seconds = self.epoch + 60 * len(self.commits)
        commit_id = _commit_id(folders[""], parent, author, seconds, title, message)
        base = self.commits[parent] if parent else None
        changed_in = {path: commit_id for path in files}
        for path, entry in base.files.items() if base else ():
            if path in files and files[path].oid == entry.oid:
                changed_in[path] = base.changed_in[path] if base else commit_id
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
        self.large.update({e.blob.sha256: e.blob for e in files.values() if e.lfs})
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
