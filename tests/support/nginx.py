"""nginx: a real web server on an address of its own, as the CDN or in front of the test Hub."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.hub.tls import Authority

HOST = "127.0.0.2"
"""Another host than the Hub's, as with a real CDN."""


class Nginx:
    """Serves the files of `root`, over TLS if there is an authority; a context manager.

    `url` is where they are. `locations` are directives for the server besides `root`, `settings`
    for all of it. With `log` each request is a line "METHOD PATH STATUS BYTES" in `access_log`.
    """

    def __init__(
        self,
        directory: Path,
        root: Path,
        authority: Authority | None = None,
        *,
        host: str = HOST,
        locations: Sequence[str] = (),
        settings: Sequence[str] = (),
        log: bool = False,
        workers: int = 1,
    ) -> None:
        self._directory = directory
        self._root = root
        self._certificate = authority.issue("nginx", ("localhost", host)) if authority else None
        self._host = host
        self._port = _free_port(host)
        self._locations = "\n".join(locations)
        self._settings = "\n".join(settings)
        self._log = log
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        self.access_log = directory / "access.log"
        self.url = f"{'https' if authority else 'http'}://{host}:{self._port}"

    def __enter__(self) -> Nginx:
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "nginx.conf"
        config.write_text(self._config())
        self._process = subprocess.Popen(
            ["nginx", "-p", str(self._directory), "-c", str(config), "-e", "error.log"],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise RuntimeError(f"nginx did not start:\n{self._errors()}")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        # At once: clients may have left requests of many GiB behind.
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def requests(self) -> int:
        """How many it has answered. Requires: `log`."""
        with open(self.access_log, "rb") as lines:
            return sum(1 for _ in lines)

    def _config(self) -> str:
        user = "user root;" if os.geteuid() == 0 else ""
        log = f"{self.access_log} brief" if self._log else "off"
        tls = ""
        if self._certificate:
            certificate, key = self._certificate
            tls = f"""
        ssl_certificate {certificate}; ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:1m;"""
        return f"""
daemon off; {user} worker_processes {self._workers}; pid {self._directory}/nginx.pid;
error_log {self._directory}/error.log;
events {{ worker_connections 2048; }}
http {{
    log_format brief '$request_method $request_uri $status $body_bytes_sent';
    access_log {log};
    sendfile on; keepalive_requests 100000; default_type application/octet-stream;
    client_body_temp_path {self._directory}; proxy_temp_path {self._directory};
    fastcgi_temp_path {self._directory}; uwsgi_temp_path {self._directory};
    scgi_temp_path {self._directory};
    {self._settings}
    server {{
        listen {self._host}:{self._port} {"ssl" if tls else ""};{tls}
        root {self._root};
        {self._locations}
    }}
}}
"""

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self._host, self._port), 1):
            return True
        return False

    def _errors(self) -> str:
        log = self._directory / "error.log"
        return log.read_text() if log.exists() else ""


def _free_port(host: str) -> int:
    # nginx cannot say which port it was given; between here and its start the port might be taken,
    # which ends in a clear failure to start.
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
