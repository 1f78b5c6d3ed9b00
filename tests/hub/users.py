"""Users, organisations and tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

ROLES = ("read", "write", "fineGrained")


@dataclass
class User:
    """A person with an account. Organisations are only names that users belong to."""

    name: str
    fullname: str = ""
    email: str = ""
    orgs: tuple[str, ...] = ()
    is_pro: bool = False


@dataclass(frozen=True)
class Token:
    """An access token. `label` is what logs and replies call it; the secret is never shown."""

    secret: str
    user: str
    label: str
    role: str = "write"
    repos: frozenset[str] = frozenset()
    """Of a fine-grained token: the repositories it was made for, in lower case."""
    reads_gated: bool = False
    """Of a fine-grained token: whether it may read gated repositories that its user may read."""

    def is_for(self, repo_id: str) -> bool:
        """Whether what the user may do with a repository of theirs, this token may do."""
        return self.role != "fineGrained" or repo_id.lower() in self.repos


@dataclass(frozen=True)
class Identity:
    """Who sent a request: nobody, or a user with one of their tokens."""

    user: User | None = None
    token: Token | None = None

    @property
    def anonymous(self) -> bool:
        return self.user is None

    @property
    def name(self) -> str | None:
        return self.user.name if self.user else None

    @property
    def can_write(self) -> bool:
        return self.token is not None and self.token.role != "read"

    def belongs_to(self, namespace: str) -> bool:
        """True if `namespace` is the user or one of their organisations."""
        if self.user is None:
            return False
        names = {self.user.name.lower(), *(org.lower() for org in self.user.orgs)}
        return namespace.lower() in names


ANONYMOUS = Identity()


@dataclass
class Directory:
    """All accounts. Guarded by the lock of the state that holds it."""

    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)

    def add_user(self, name: str, **details: Any) -> User:
        orgs = tuple(details.pop("orgs", ()))
        user = User(name=name, orgs=orgs, **details)
        self.users[name] = user
        return user

    def add_token(
        self,
        user: str,
        secret: str,
        role: str = "write",
        label: str | None = None,
        repos: Iterable[str] = (),
        reads_gated: bool = False,
    ) -> Token:
        if user not in self.users:
            raise ValueError(f"no user {user}")
        if role not in ROLES:
            raise ValueError(f"unknown role {role}")
        count = sum(token.user == user for token in self.tokens.values())
        names = frozenset(repo.lower() for repo in repos)
        token = Token(secret, user, label or f"{user}-{count + 1}", role, names, reads_gated)
        self.tokens[secret] = token
        return token

    def revoke(self, secret_or_label: str) -> int:
        """Removes tokens by secret or by label; tells how many."""
        gone = [
            secret
            for secret, token in self.tokens.items()
            if secret_or_label in (secret, token.label)
        ]
        for secret in gone:
            del self.tokens[secret]
        return len(gone)

    def identify(self, authorization: str | None) -> Identity | None:
        """The sender of a request; None if it carries credentials that are not valid."""
        if authorization is None:
            return ANONYMOUS
        scheme, _, secret = authorization.partition(" ")
        token = self.tokens.get(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None or token.user not in self.users:
            return None
        return Identity(self.users[token.user], token)


def stable_id(*parts: str) -> str:
    """A 24-digit hex id like the Hub's database ids, the same on every run."""
    return hashlib.sha1(":".join(parts).encode()).hexdigest()[:24]


def whoami(identity: Identity) -> dict[str, Any]:
    """The reply of `/api/whoami-v2`."""
    user, token = identity.user, identity.token
    assert user is not None and token is not None
    return {
        "type": "user",
        "id": stable_id("user", user.name),
        "name": user.name,
        "fullname": user.fullname or user.name,
        "email": user.email or f"{user.name}@hub.test",
        "emailVerified": True,
        "canPay": False,
        "periodEnd": None,
        "isPro": user.is_pro,
        "avatarUrl": f"/avatars/{user.name}.svg",
        "orgs": [
            {
                "type": "org",
                "id": stable_id("org", org),
                "name": org,
                "fullname": org,
                "email": None,
                "canPay": False,
                "isEnterprise": False,
                "avatarUrl": f"/avatars/{org}.svg",
                "roleInOrg": "write",
            }
            for org in user.orgs
        ],
        "auth": {"type": "access_token", "accessToken": _describe(token)},
    }


def _describe(token: Token) -> dict[str, Any]:
    value: dict[str, Any] = {
        "displayName": token.label,
        "role": token.role,
        "createdAt": "2024-01-01T00:00:00.000Z",
    }
    if token.role == "fineGrained":
        value["fineGrained"] = {
            "canReadGatedRepos": token.reads_gated,
            "global": [],
            "scoped": [
                {
                    "entity": {"_id": stable_id("model", repo), "type": "model", "name": repo},
                    "permissions": ["repo.content.read", "repo.write"],
                }
                for repo in sorted(token.repos)
            ],
        }
    return value
