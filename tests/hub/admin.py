"""What a test may do to the Hub behind the clients' backs.

All arguments and results are plain JSON values, so that the control server can offer the very
same methods to programs that run elsewhere.
"""

from __future__ import annotations

import base64
import dataclasses
import random
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .objects import Blob
from .repository import Commit, Repository
from .state import State


class Admin:
    """Accounts, repositories, settings. Raises ValueError for what makes no sense."""

    def __init__(self, state: State, workspace: Path, close_idle: Callable[[], int]) -> None:
        self._state = state
        self._workspace = workspace
        self._close_idle = close_idle
        self._files_made = 0

    # --- Settings and connections ---

    def configure(self, **changes: Any) -> dict[str, Any]:
        """Changes fields of `Settings`; returns all of them."""
        settings = self._state.settings
        names = {item.name for item in dataclasses.fields(settings)}
        if unknown := set(changes) - names:
            raise ValueError(f"unknown settings {', '.join(sorted(unknown))}")
        with self._state.lock:
            for name, value in changes.items():
                setattr(settings, name, value)
        return dataclasses.asdict(settings)

    def expire_urls(self) -> None:
        """Makes every CDN URL signed so far invalid."""
        with self._state.lock:
            self._state.signing_key = secrets.token_bytes(32)

    def close_idle_connections(self) -> int:
        """Ends connections that clients keep open between requests."""
        return self._close_idle()

    # --- Accounts ---

    def add_user(
        self, name: str, token: str | None = None, role: str = "write", **details: Any
    ) -> None:
        """`details`: fullname, email, orgs, is_pro."""
        with self._state.lock:
            self._state.directory.add_user(name, **details)
            if token is not None:
                self._state.directory.add_token(name, token, role)

    def add_token(
        self,
        user: str,
        token: str,
        role: str = "write",
        label: str | None = None,
        repos: Sequence[str] = (),
        reads_gated: bool = False,
    ) -> None:
        """`repos` and `reads_gated` are for the role fineGrained: what else it may see is public."""
        with self._state.lock:
            self._state.directory.add_token(user, token, role, label, repos, reads_gated)

    def revoke_token(self, token: str) -> int:
        """By secret or label."""
        with self._state.lock:
            return self._state.directory.revoke(token)

    # --- Repositories ---

    def create_repo(
        self, id: str, kind: str = "model", files: dict[str, Any] | None = None, **access: Any
    ) -> str:
        """A repository with `files` on main (see `commit`); returns the head commit's id.

        `access` is what `set_access` takes, `lfs_patterns` and `lfs_threshold` override what
        `.gitattributes` and the default say.
        """
        patterns, threshold = access.pop("lfs_patterns", None), access.pop("lfs_threshold", None)
        with self._state.lock:
            repo = self._state.create(kind, id)
            if patterns is not None:
                repo.lfs_patterns = tuple(patterns)
            if threshold is not None:
                repo.lfs_threshold = int(threshold)
            self._set_access(repo, **access)
        if files:
            return self.commit(id, kind, files=files, message="Add files")
        return repo.head.id

    def commit(
        self,
        id: str,
        kind: str = "model",
        *,
        files: dict[str, Any] | None = None,
        delete: list[str] | None = None,
        branch: str = "main",
        ref_kind: str = "branch",
        start: str | None = None,
        message: str = "Update files",
        author: str | None = None,
    ) -> str:
        """Adds a commit to a branch and returns its id.

        Contents of `files` are text, or {"base64": …}, {"hex": …}, {"path": local file},
        {"random": size, "seed": n} or {"sparse": size}, which may have a made-up "sha256" to be
        told from others of its size. A branch that does not exist begins at
        `start` (default: main). `ref_kind` may also be "tag", "convert" or "pull".
        """
        blobs = {path: self._content(spec) for path, spec in (files or {}).items()}
        with self._state.lock:
            repo = self._state.get(kind, id)
            refs = repo.refs(ref_kind)
            parent = refs.get(branch) or repo.find_revision(start or "main").id
            commit = repo.commit(
                parent, blobs, delete or (), title=message, author=author or repo.namespace or "hub"
            )
            repo.set_ref(ref_kind, branch, commit.id)
        return commit.id

    def set_ref(
        self, id: str, name: str, target: str, kind: str = "model", ref_kind: str = "branch"
    ) -> str:
        """Points a branch, tag, convert ref or pull request at any revision."""
        with self._state.lock:
            repo = self._state.get(kind, id)
            commit_id = repo.find_revision(target).id
            repo.set_ref(ref_kind, name, commit_id)
        return commit_id

    def delete_ref(self, id: str, name: str, kind: str = "model", ref_kind: str = "branch") -> None:
        with self._state.lock:
            if self._state.get(kind, id).refs(ref_kind).pop(name, None) is None:
                raise ValueError(f"no {ref_kind} {name}")

    def set_access(self, id: str, kind: str = "model", **access: Any) -> None:
        """Any of private, gated (None, "auto", "manual"), disabled, members, granted."""
        with self._state.lock:
            self._set_access(self._state.get(kind, id), **access)

    def _set_access(self, repo: Repository, **access: Any) -> None:
        for name, value in access.items():
            if name in ("members", "granted"):
                value = set(value)
            elif name == "gated":
                value = value or None
            elif name not in ("private", "disabled"):
                raise ValueError(f"unknown property {name}")
            setattr(repo, name, value)

    def grant(self, id: str, user: str, kind: str = "model") -> None:
        """Accepts a user's request for access to a gated repository."""
        with self._state.lock:
            self._state.get(kind, id).granted.add(user)

    def withdraw(self, id: str, user: str, kind: str = "model") -> None:
        """Takes back what `grant` gave."""
        with self._state.lock:
            self._state.get(kind, id).granted.discard(user)

    def move_repo(self, id: str, new_id: str, kind: str = "model") -> None:
        self._state.move(kind, id, new_id)

    def delete_repo(self, id: str, kind: str = "model") -> None:
        self._state.delete(kind, id)

    def repos(self) -> list[dict[str, Any]]:
        with self._state.lock:
            return [
                {
                    "kind": repo.kind,
                    "id": repo.id,
                    "head": repo.head.id,
                    "private": repo.private,
                    "gated": repo.gated,
                }
                for repo in self._state.repositories()
            ]

    def files(
        self, id: str, kind: str = "model", revision: str = "main"
    ) -> dict[str, dict[str, Any]]:
        """Path → {etag, oid, size, lfs} of a revision: what a test compares with."""
        with self._state.lock:
            commit = self._state.get(kind, id).find_revision(revision)
        return {
            path: {"etag": entry.etag, "oid": entry.oid, "size": entry.blob.size, "lfs": entry.lfs}
            for path, entry in commit.files.items()
        }

    def commits(self, id: str, kind: str = "model", revision: str = "main") -> list[dict[str, Any]]:
        """The commits of a revision, newest first: id, parent, title, message, author, and the
        paths that were `changed` and `deleted`."""
        rows: list[dict[str, Any]] = []
        with self._state.lock:
            repo = self._state.get(kind, id)
            at: Commit | None = repo.find_revision(revision)
            while at is not None:
                parent = repo.commits[at.parent] if at.parent else None
                before = parent.files if parent else {}
                rows.append(
                    {
                        "id": at.id,
                        "parent": at.parent,
                        "title": at.title,
                        "message": at.message,
                        "author": at.author,
                        "changed": [p for p in at.files if at.changed_in[p] == at.id],
                        "deleted": [p for p in before if p not in at.files],
                    }
                )
                at = parent
        return rows

    def objects(self, id: str, kind: str = "model") -> dict[str, int]:
        """Sha256 → size of the large objects that a repository has, in a commit or not."""
        with self._state.lock:
            repo = self._state.get(kind, id)
            return {oid: blob.size for oid, blob in repo.large.items()}

    def collect_garbage(self, id: str, kind: str = "model") -> list[str]:
        """Forgets large objects that are in no commit, as the Hub does after a day; their ids."""
        with self._state.lock:
            repo = self._state.get(kind, id)
            trees = [commit.files.values() for commit in repo.commits.values()]
            used = {entry.blob.sha256 for tree in trees for entry in tree if entry.lfs}
            gone = sorted(set(repo.large) - used)
            for oid in gone:
                del repo.large[oid]
        return gone

    def refs(self, id: str, kind: str = "model") -> dict[str, dict[str, str]]:
        with self._state.lock:
            repo = self._state.get(kind, id)
            return {name: dict(repo.refs(name)) for name in ("branch", "tag", "convert", "pull")}

    def _content(self, spec: Any) -> Blob:
        if isinstance(spec, str):
            return Blob(spec.encode())
        if isinstance(spec, bytes):  # only from within the same process
            return Blob(spec)
        if not isinstance(spec, dict):
            raise ValueError(f"not a content: {spec!r}")
        if "base64" in spec:
            return Blob(base64.b64decode(spec["base64"]))
        if "hex" in spec:
            return Blob(bytes.fromhex(spec["hex"]))
        if "path" in spec:
            return Blob(path=str(spec["path"]))
        if "random" in spec:
            return Blob(random.Random(spec.get("seed", 0)).randbytes(int(spec["random"])))
        if "sparse" in spec:
            return self._sparse(int(spec["sparse"]), spec.get("sha256"))
        raise ValueError(f"not a content: {spec!r}")

    def _sparse(self, size: int, sha256: str | None) -> Blob:
        with self._state.lock:
            self._files_made += 1
            path = self._workspace / f"sparse-{self._files_made}"
        with open(path, "wb") as file:
            file.truncate(size)
        return Blob(path=str(path), sha256=sha256)
