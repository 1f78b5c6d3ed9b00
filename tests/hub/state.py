"""Everything the test Hub knows: accounts, repositories, settings, and who may do what."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path

from .errors import RepoMoved, disabled_repo, forbidden, gated_for_token, gated_repo, repo_not_found
from .objects import Blob
from .repository import DEFAULT_GITATTRIBUTES, KINDS, Repository
from .uploads import Uploads
from .users import Directory, Identity


@dataclass
class Settings:
    """What a test may change while the Hub runs (see `Admin.configure`)."""

    page_size: int = 1000
    """Entries per page of a tree listing."""
    expanded_page_size: int = 50
    """The same with `expand=true`."""
    commits_page_size: int = 50
    """Commits per page of a history."""
    url_lifetime: float = 3600
    """Seconds until a signed CDN URL expires."""
    resolve_cache: bool = False
    """Answer for regular files with a relative redirect, as the real Hub does."""
    redirect_status: int = 302
    """Status of the redirect to the CDN."""
    cdn_for_regular: bool = False
    """Serve regular files from the CDN as well."""
    outside_cdn: str = ""
    """Redirect to `<this URL>/<etag>`, unsigned, instead of to our own CDN: benchmarks put a real
    web server there."""
    lfs_part_size: int = 64 << 20
    """Size of the parts that large objects are uploaded in."""
    lfs_multipart_above: int = 5_000_000_000
    """Objects of more bytes are uploaded in parts."""
    sniff_binaries: bool = True
    """New files whose sample has a zero byte are to be uploaded as large ones."""
    preupload_files: int = 256
    """Files that one preupload may ask about."""
    commit_regular_bytes: int = 1 << 30
    """Bytes of all regular files of one commit."""
    commit_files: int = 25_000
    """Operations of one commit."""
    files_per_folder: int = 10_000
    rate_limits: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Bucket ("api", "resolvers") → (requests per window, window in seconds)."""


class State:
    """The model behind all servers. Every method may be called from any thread."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory` is for contents that clients upload."""
        self.lock = threading.RLock()
        self.directory = Directory()
        self.settings = Settings()
        self.signing_key = secrets.token_bytes(32)
        self.uploads = Uploads(directory)
        self.cdn_objects: dict[str, Blob] = {}
        """Contents that URLs were signed for; they outlive their repository, as on a real CDN."""
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._moved: dict[tuple[str, str], str] = {}

    def create(self, kind: str, repo_id: str) -> Repository:
        """A new repository whose first commit holds `.gitattributes` alone."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind of repository: {kind}")
        key = (kind, repo_id.lower())
        with self.lock:
            if key in self._repositories:
                raise ValueError(f"{kind} {repo_id} exists already")
            repo = Repository(kind, repo_id)
            author = repo.namespace or "hub"
            files = {".gitattributes": Blob(DEFAULT_GITATTRIBUTES.encode())}
            first = repo.commit(None, files, title="initial commit", author=author)
            repo.set_ref("branch", "main", first.id)
            self._repositories[key] = repo
            self._moved.pop(key, None)
        return repo

    def find(self, kind: str, repo_id: str) -> Repository | None:
        with self.lock:
            return self._repositories.get((kind, repo_id.lower()))

    def get(self, kind: str, repo_id: str) -> Repository:
        """For administration: the repository whoever asks."""
        repo = self.find(kind, repo_id)
        if repo is None:
            raise ValueError(f"no {kind} {repo_id}")
        return repo

    def repositories(self) -> list[Repository]:
        with self.lock:
            return list(self._repositories.values())

    def move(self, kind: str, old_id: str, new_id: str) -> None:
        """Renames; the old id keeps leading to the new one."""
        with self.lock:
            repo = self.get(kind, old_id)
            if self.find(kind, new_id) not in (None, repo):
                raise ValueError(f"A {kind} repository called {new_id} already exists")
            del self._repositories[kind, old_id.lower()]
            repo.id = new_id
            self._repositories[kind, new_id.lower()] = repo
            self._moved[kind, old_id.lower()] = new_id
            self._moved.pop((kind, new_id.lower()), None)

    def delete(self, kind: str, repo_id: str) -> None:
        with self.lock:
            self.get(kind, repo_id)
            del self._repositories[kind, repo_id.lower()]

    def visible(self, kind: str, repo_id: str, who: Identity) -> Repository:
        """The repository if `who` may know that it exists; raises the Hub's reply otherwise."""
        with self.lock:
            target = self._moved.get((kind, repo_id.lower()))
            repo = self.find(kind, target or repo_id)
            # A target may have been renamed in turn.
            if repo is None and target is not None and (kind, target.lower()) in self._moved:
                return self.visible(kind, target, who)
        if repo is None or (repo.private and not is_member(repo, who)):
            raise repo_not_found(who.anonymous)
        if repo.disabled:
            raise disabled_repo()
        if repo.id.lower() != repo_id.lower():
            raise RepoMoved(repo.id)
        return repo


def is_member(repo: Repository, who: Identity) -> bool:
    """True for those to whom the repository belongs: they see it private and read it gated."""
    if who.token is not None and not who.token.is_for(repo.id):
        return False
    return who.belongs_to(repo.namespace) or (who.name is not None and who.name in repo.members)


def check_files(repo: Repository, who: Identity, base_url: str) -> None:
    """Raises unless `who` may read the contents (as opposed to the listing) of a visible repo."""
    if repo.gated is None or is_member(repo, who):
        return
    if who.name is None or who.name not in repo.granted:
        raise gated_repo(repo.kind, repo.id, repo.url(base_url), who.anonymous)
    assert who.token is not None
    if not who.token.is_for(repo.id) and not who.token.reads_gated:
        raise gated_for_token()


def check_write(repo: Repository, who: Identity) -> None:
    """Raises unless `who` may change a visible repo."""
    if who.anonymous:
        raise repo_not_found(anonymous=True)
    if not (is_member(repo, who) and who.can_write):
        raise forbidden()
