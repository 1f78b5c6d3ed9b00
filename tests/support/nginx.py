"""nginx as a CDN: a real web server with TLS on loopback, for benchmarks."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.hub.tls import Authority

HOST = "127.0.0.2"
"""Another host than the Hub's, as with a real CDN."""


class Nginx:
    """Serves the files of `root` over TLS; a context manager. `url` is where they are."""

    def __init__(self, directory: Path, root: Path, authority: Authority) -> None:
        self._directory = directory
        self._root = root
        self._certificate, self._key = authority.issue("nginx", ("localhost", HOST))
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"https://{HOST}:{self._port}"

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
                raise RuntimeError(f"nginx did not start; see {self._directory}/error.log")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(10)

    def _config(self) -> str:
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
daemon off; {user} worker_processes 1; pid {self._directory}/nginx.pid;
error_log {self._directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off; sendfile on; keepalive_requests 100000; default_type application/octet-stream;
    client_body_temp_path {self._directory}; proxy_temp_path {self._directory};
    fastcgi_temp_path {self._directory}; uwsgi_temp_path {self._directory};
    scgi_temp_path {self._directory};
    server {{
        listen {HOST}:{self._port} ssl;
        ssl_certificate {self._certificate}; ssl_certificate_key {self._key};
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:1m;
        root {self._root};
    }}
}}
"""

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), 1):
            return True
        return False


def _free_port() -> int:
    # nginx cannot say which port it was given; between here and its start the port might be taken,
    # which ends in a clear failure to start.
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
