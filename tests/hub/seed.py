"""Filling the Hub from a directory; the layout is described in README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .objects import Blob
from .repository import KINDS, Repository
from .state import State

_ACCESS = ("private", "gated", "disabled", "members", "granted")
_REFS = {"branches": "branch", "tags": "tag", "converts": "convert", "pulls": "pull"}
_KEYS = {*_ACCESS, *_REFS, "visibility", "lfs", "commits"}


def load(state: State, directory: Path) -> None:
    """Adds all users and repositories of `directory`. Its files must stay as they are."""
    if not directory.is_dir():
        raise ValueError(f"{directory} is not a directory")
    users = directory / "users.json"
    if users.exists():
        _load_users(state, json.loads(users.read_text()))
    for kind in KINDS:
        for path in sorted(_subdirectories(directory / f"{kind}s")):
            if (path / ".hub.json").exists():  # a repository without namespace, like `gpt2`
                _load_repository(state, kind, path.name, path)
                continue
            for repo in sorted(_subdirectories(path)):
                _load_repository(state, kind, f"{path.name}/{repo.name}", repo)


def _subdirectories(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []


def _load_users(state: State, users: dict[str, Any]) -> None:
    for name, details in users.items():
        details = dict(details)
        tokens = details.pop("tokens", {})
        state.directory.add_user(name, **details)
        for label, token in tokens.items():
            spec = {"token": token} if isinstance(token, str) else token
            state.directory.add_token(name, spec["token"], spec.get("role", "write"), label)


def _load_repository(state: State, kind: str, repo_id: str, directory: Path) -> None:
    config_file = directory / ".hub.json"
    config = json.loads(config_file.read_text()) if config_file.exists() else {}
    if unknown := set(config) - _KEYS:
        raise ValueError(f"{config_file}: unknown keys {', '.join(sorted(unknown))}")
    repo = state.create(kind, repo_id)
    _configure(repo, config)
    author = repo.namespace or "hub"
    files = _read_tree(directory, top=True)
    head = repo.commit(repo.head.id, files, title="Add files", author=author)
    for step in config.get("commits", []):
        head = _extend(repo, directory, head.id, step)
    repo.set_ref("branch", "main", head.id)
    for key, ref_kind in _REFS.items():
        for name, spec in config.get(key, {}).items():
            if isinstance(spec, str):
                target = repo.find_revision(spec).id
            else:
                start = repo.find_revision(spec.get("from", "main")).id
                target = _extend(repo, directory, start, spec).id
            repo.set_ref(ref_kind, name, target)


def _configure(repo: Repository, config: dict[str, Any]) -> None:
    repo.private = config.get("visibility") == "private" or config.get("private", False)
    repo.gated = config.get("gated") or None
    repo.disabled = config.get("disabled", False)
    repo.members = set(config.get("members", []))
    repo.granted = set(config.get("granted", []))
    lfs = config.get("lfs", {})
    if "patterns" in lfs:
        repo.lfs_patterns = tuple(lfs["patterns"])
    repo.lfs_threshold = lfs.get("threshold", repo.lfs_threshold)


def _extend(repo: Repository, directory: Path, parent: str, spec: dict[str, Any]) -> Any:
    """A commit from a step: `overlay` names a folder in `.hub/`, `files` maps paths to texts."""
    changes: dict[str, Blob] = {}
    if overlay := spec.get("overlay"):
        changes.update(_read_tree(directory / ".hub" / overlay))
    changes.update({path: Blob(text.encode()) for path, text in spec.get("files", {}).items()})
    return repo.commit(
        parent,
        changes,
        spec.get("delete", []),
        title=spec.get("message", "Update files"),
        author=spec.get("author") or repo.namespace or "hub",
    )


def _read_tree(directory: Path, top: bool = False) -> dict[str, Blob]:
    """All files below; at the top of a repository our own are left out."""
    files: dict[str, Blob] = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if top and (name == ".hub.json" or name.partition("/")[0] == ".hub"):
            continue
        if path.is_file():
            files[name] = Blob(path=str(path.resolve()))
    return files
