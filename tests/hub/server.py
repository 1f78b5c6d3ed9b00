"""The whole test Hub: three servers over one state."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from . import seed as seeding
from .admin import Admin
from .control import ControlFace
from .faces import CdnFace, HubFace
from .faults import Faults
from .listener import Listener
from .log import RequestLog
from .ratelimit import RateLimiter
from .state import State
from .tls import LOCAL_NAMES, Authority, server_context


@dataclasses.dataclass
class HubOptions:
    """How to set up a test Hub. Ports 0 are chosen by the system."""

    seed: Path | None = None
    tls: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    cdn_host: str = "127.0.0.2"
    """Another host than the hub's: some clients look at the name alone, not at the port, when they
    decide whether a redirect leaves the Hub and their token has to stay behind."""
    cdn_port: int = 0
    control_port: int = 0
    directory: Path | None = None
    """For certificates and made-up files; a temporary one if None."""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Initial values for fields of `Settings`."""


class TestHub:
    """A running test Hub; use it as a context manager.

    `endpoint` is what clients get as HF_ENDPOINT. `admin`, `faults` and `log` change and ask it.
    """

    __test__ = False  # not a test case, whatever its name looks like to pytest

    def __init__(self, **options: Any) -> None:
        self.options = HubOptions(**options)
        self.log = RequestLog()
        self.faults = Faults()
        self._limiter = RateLimiter()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if self.options.directory is None:
            self._temporary = tempfile.TemporaryDirectory(
                prefix="test-hub-", ignore_cleanup_errors=True
            )
        self.directory = Path(self.options.directory or self._temporary.name)  # type: ignore[union-attr]
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state = State(self.directory)
        self.admin = Admin(self.state, self.directory, self._close_idle)
        self.admin.configure(**self.options.settings)
        if self.options.seed is not None:
            seeding.load(self.state, Path(self.options.seed))
        self.ca_file: Path | None = None
        self._listeners: list[Listener] = []

    def __enter__(self) -> TestHub:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when all servers accept connections."""
        options, context = self.options, None
        if options.tls:
            authority = Authority(self.directory / "tls")
            names = dict.fromkeys((*LOCAL_NAMES, options.host, options.cdn_host))
            context = server_context(*authority.issue("server", tuple(names)))
            self.ca_file = authority.ca_file
        hub = Listener(options.host, options.port, context)
        cdn = Listener(options.cdn_host, options.cdn_port, context)
        control = Listener("127.0.0.1", options.control_port, None)
        self._listeners = [hub, cdn, control]
        self.endpoint, self.cdn_endpoint, self.control_url = hub.url, cdn.url, control.url
        objects = {"admin": self.admin, "faults": self.faults, "log": self.log}
        hub.start(HubFace(hub.url, cdn.url, self.state, self.log, self.faults, self._limiter))
        cdn.start(CdnFace(cdn.url, self.state, self.log, self.faults))
        control.start(ControlFace(control.url, objects, self.summary))

    def stop(self) -> None:
        """Ends all connections; answers that were held back are never finished."""
        for listener in self._listeners:
            listener.stop()
        self.faults.clear()
        self._listeners = []
        if self._temporary is not None:
            self._temporary.cleanup()

    def reset(self) -> None:
        """Forgets faults, the log and rate-limit windows between tests; contents stay."""
        self.faults.clear()
        self.log.clear()
        self._limiter.reset()

    def summary(self) -> dict[str, Any]:
        """Where everything is; also the contents of the state file."""
        return {
            "endpoint": self.endpoint,
            "cdn": self.cdn_endpoint,
            "control": self.control_url,
            "ca_file": str(self.ca_file) if self.ca_file else None,
            "directory": str(self.directory),
            "pid": os.getpid(),
        }

    def _close_idle(self) -> int:
        # Not the control server: its client is the one who asks.
        return sum(listener.close_idle() for listener in self._listeners[:2])
