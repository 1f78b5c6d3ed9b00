"""Accepts connections and runs each in a thread of its own."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
import traceback

from .connection import Connection, Face
from .transport import Channel

_numbers = itertools.count(1)
"""Connection ids are unique over all servers of the process."""


class Listener:
    """A listening socket. The address is known (and connectable) once it is constructed."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=512)
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"
        self._tls = tls
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, face: Face) -> None:
        self._thread = threading.Thread(
            target=self._accept, args=(face,), daemon=True, name=f"accept-{face.name}"
        )
        self._thread.start()

    def _accept(self, face: Face) -> None:
        while True:
            try:
                sock, address = self._socket.accept()
            except OSError:
                if self._stopping:
                    return
                # A client that has gone, or a system short of descriptors. To end here would leave
                # all later clients connected by the kernel, and without an answer.
                traceback.print_exc()
                time.sleep(0.05)
                continue
            thread = threading.Thread(
                target=self._serve, args=(sock, address[0], face), daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # a busy system may have no thread for us
                traceback.print_exc()
                sock.close()

    def _serve(self, sock: socket.socket, peer: str, face: Face) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True, suppress_ragged_eofs=True)
        except (OSError, ValueError):
            sock.close()
            return
        connection = Connection(Channel(sock), face, next(_numbers), peer)
        with self._lock:
            if self._stopping:
                sock.close()
                return
            self._connections.add(connection)
        try:
            connection.run()
        except Exception:  # a bug of ours must show, and not as a client that waits for ever:
            traceback.print_exc()  # whoever keeps the exception keeps the socket open
        finally:
            sock.close()
            with self._lock:
                self._connections.discard(connection)

    def close_idle(self) -> int:
        """Ends the connections that are kept alive between requests; tells how many."""
        # A client may have its whole answer a moment before our thread knows it is idle again.
        deadline = time.monotonic() + 0.1
        while self._busy() and time.monotonic() < deadline:
            time.sleep(0.001)
        with self._lock:
            idle = [connection for connection in self._connections if connection.idle]
        for connection in idle:
            connection.interrupt()
        return len(idle)

    def _busy(self) -> bool:
        with self._lock:
            return any(not connection.idle for connection in self._connections)

    def stop(self) -> None:
        """Stops accepting and ends all connections."""
        with self._lock:
            self._stopping = True
            connections = list(self._connections)
        try:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the accept()
        except OSError:
            pass
        self._socket.close()
        for connection in connections:
            connection.interrupt()
        if self._thread:
            self._thread.join(5)
