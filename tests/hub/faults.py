"""Fault rules: which requests get which misbehaviour, and how often.

For each request the first rule that matches and is not used up applies, so a list of rules with
`times=1` is a script: the first request gets the first rule, the second one the second.
"""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from .exchange import Exchange
from .fault_action import Action
from .fault_actions import make_action
from .log import Record
from .wire import Request


@dataclass
class Match:
    """Which requests a rule is about; what is None is not looked at."""

    server: str | None = None
    """"hub" or "cdn"."""
    method: str | None = None
    path: str | None = None
    """Regular expression searched in the encoded path."""
    query: str | None = None
    """Regular expression searched in the query."""
    file: str | None = None
    """Exact path of a file in its repository, on the hub and on the CDN."""
    range: str | bool | None = None
    """Regular expression searched in the `Range` header; True any range, False none."""
    user: str | None = None
    blob: str | None = None
    """The sha256 (or etag) of a content on the CDN, whether it is fetched or uploaded."""
    part: int | None = None
    """The number of a part that is uploaded."""
    reused: bool | None = None
    """Whether it is a later request on a connection that was kept alive."""

    def __post_init__(self) -> None:
        for pattern in (self.path, self.query, self.range):
            if isinstance(pattern, str):
                re.compile(pattern)

    def accepts(self, request: Request, record: Record) -> bool:
        return (
            self.server in (None, request.server)
            and self.method in (None, request.method)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and (self.query is None or re.search(self.query, request.query_string) is not None)
            and self.file in (None, record.file)
            and self.user in (None, record.user)
            and self.blob in (None, record.blob)
            and self.part in (None, record.part)
            and self.reused in (None, request.reused)
            and self._accepts_range(request.headers.get("Range"))
        )

    def _accepts_range(self, value: str | None) -> bool:
        if self.range is None:
            return True
        if isinstance(self.range, bool):
            return (value is not None) == self.range
        return value is not None and re.search(self.range, value) is not None


@dataclass
class Rule:
    """A rule with its counters, which only `Faults` changes."""

    id: int
    match: Match
    actions: list[Action]
    times: int | None
    """How many requests it spoils; None is forever."""
    skip: int
    """How many matching requests pass first."""
    seen: int = 0
    hits: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "times": self.times,
            "skip": self.skip,
            "seen": self.seen,
            "hits": self.hits,
        }


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rules: list[Rule] = []
        self._all: dict[int, Rule] = {}
        self._ids = itertools.count(1)

    def add(
        self,
        kind: str | None = None,
        *,
        match: dict[str, Any] | None = None,
        times: int | None = 1,
        skip: int = 0,
        actions: list[dict[str, Any]] | None = None,
        **parameters: Any,
    ) -> int:
        """Adds a rule and returns its id.

        Either one `kind` with its parameters, or several `actions` in JSON form that apply
        together. `match` is described in `Match`.
        """
        specs = list(actions or [])
        if kind is not None:
            specs.append({"kind": kind, **parameters})
        elif parameters:
            raise ValueError(f"unknown parameters {', '.join(parameters)}")
        if not specs:
            raise ValueError("a rule needs a kind or a list of actions")
        try:
            matcher = Match(**(match or {}))
        except (TypeError, re.error) as error:
            raise ValueError(f"match: {error}") from None
        made = [make_action(spec) for spec in specs]
        with self._changed:
            rule = Rule(next(self._ids), matcher, made, times, skip)
            self._rules.append(rule)
            self._all[rule.id] = rule
        return rule.id

    def pick(self, exchange: Exchange) -> list[Action]:
        """The actions for this request; counts it."""
        with self._changed:
            for rule in self._rules:
                if rule.times is not None and rule.hits >= rule.times:
                    continue
                if not rule.match.accepts(exchange.request, exchange.record):
                    continue
                rule.seen += 1
                if rule.seen <= rule.skip:
                    continue
                rule.hits += 1
                exchange.record.faults.append(rule.id)
                exchange.released = rule.released
                self._changed.notify_all()
                return rule.actions
        return []

    def rules(self) -> list[dict[str, Any]]:
        """All rules in force with their counters."""
        with self._changed:
            return [rule.describe() for rule in self._rules]

    def hits(self, id: int) -> int:
        """How many requests the rule has spoilt."""
        with self._changed:
            return self._find(id).hits

    def wait(self, id: int, hits: int = 1, timeout: float = 10) -> int:
        """Waits until the rule has spoilt so many requests; raises TimeoutError."""
        with self._changed:
            rule = self._find(id)
            if not self._changed.wait_for(lambda: rule.hits >= hits, timeout):
                raise TimeoutError(f"rule {id} was hit {rule.hits} times in {timeout} s")
            return rule.hits

    def release(self, id: int | None = None) -> None:
        """Lets answers that a rule (or any rule) holds back go on; the rule holds none again."""
        with self._changed:
            for rule in self._all.values() if id is None else [self._find(id)]:
                rule.released.set()

    def remove(self, id: int) -> None:
        """Takes a rule out of force and releases what it holds."""
        with self._changed:
            rule = self._find(id)
            rule.released.set()
            self._rules = [other for other in self._rules if other.id != id]

    def clear(self) -> None:
        """Takes all rules out of force."""
        with self._changed:
            for rule in self._rules:
                rule.released.set()
            self._rules.clear()

    def _find(self, id: int) -> Rule:
        if id not in self._all:
            raise ValueError(f"no fault rule {id}")
        return self._all[id]
