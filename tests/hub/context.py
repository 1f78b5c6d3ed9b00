"""What a handler is given, and the table of handlers."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from .exchange import Exchange
from .repository import Repository
from .state import State
from .users import Identity
from .wire import Request, Response

REPO_ID = r"[^/]+(?:/[^/]+)?"
KIND = r"(?P<kind>models|datasets|spaces)"


@dataclass
class Context:
    """One request inside a handler. `params` are the named groups of the route, still encoded."""

    state: State
    exchange: Exchange
    params: re.Match[str]
    cdn_url: str

    @property
    def request(self) -> Request:
        return self.exchange.request

    @property
    def who(self) -> Identity:
        return self.exchange.identity

    def param(self, name: str) -> str:
        """A part of the path, decoded."""
        return urllib.parse.unquote(self.params.group(name))

    @property
    def kind(self) -> str:
        return kind_of(self.params)

    def repository(self) -> Repository:
        """The repository of the path, if the sender may know of it."""
        return self.state.visible(self.kind, self.param("id"), self.who)


Handler = Callable[[Context], Response]


@dataclass(frozen=True)
class Route:
    """Requests with one of `methods` whose encoded path matches belong to `handler`."""

    methods: frozenset[str]
    pattern: re.Pattern[str]
    handler: Handler


class Router:
    """An ordered list of routes; the first that matches wins."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(self, methods: str, pattern: str, handler: Handler) -> None:
        self._routes.append(Route(frozenset(methods.split()), re.compile(pattern), handler))

    def find(self, request: Request) -> tuple[Handler, re.Match[str]] | None:
        method = "GET" if request.method == "HEAD" else request.method
        for route in self._routes:
            if method in route.methods and (match := route.pattern.fullmatch(request.path)):
                return route.handler, match
        return None


def kind_of(match: re.Match[str]) -> str:
    """`model`, `dataset` or `space`; web paths of models have no prefix."""
    return (match.group("kind") or "models").rstrip("/").removesuffix("s")


def plural(kind: str) -> str:
    return f"{kind}s"
