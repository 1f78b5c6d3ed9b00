"""The Hub's fixed-window rate limits and the headers that announce them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import HubError


@dataclass
class _Window:
    ends: float
    used: int = 0


class RateLimiter:
    """Counts requests per sender and bucket."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], _Window] = {}

    def account(
        self, limits: dict[str, tuple[int, float]], bucket: str, sender: str
    ) -> list[tuple[str, str]]:
        """Counts one request and returns the headers for its answer; raises the 429 if over."""
        if bucket not in limits:
            return []
        quota, seconds = limits[bucket]
        now = self._clock()
        with self._lock:
            window = self._windows.get((bucket, sender))
            if window is None or window.ends <= now:
                window = self._windows[bucket, sender] = _Window(now + seconds)
            allowed = window.used < quota
            if allowed:
                window.used += 1
            remaining, reset = quota - window.used, math.ceil(window.ends - now)
        headers = {
            "RateLimit": f'"{bucket}";r={remaining};t={reset}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={math.ceil(seconds)}',
        }
        if not allowed:
            error = HubError(429, f"We had to rate limit you: {quota} requests per {seconds:g} s")
            error.headers.update(headers)
            raise error
        return list(headers.items())

    def reset(self) -> None:
        with self._lock:
            self._windows.clear()


def bucket_of(path: str) -> str:
    if "/resolve/" in path or path.startswith("/api/resolve-cache/"):
        return "resolvers"
    return "api" if path.startswith("/api/") else "pages"
