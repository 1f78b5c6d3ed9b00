"""The socket of one connection: plain or TLS, orderly closes and resets."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import threading
import time

_SENDFILE_STEP = 4 << 20
_SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A program of one instruction for the kernel's packet filter: return 0."""
_HANG_UP = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Channel:
    """Wraps a connected socket. Used by one thread, except for `interrupt`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._tls = isinstance(sock, ssl.SSLSocket)

    def recv(self, limit: int) -> bytes:
        return self._sock.recv(limit)

    def recv_into(self, view: memoryview) -> int:
        return self._sock.recv_into(view)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    @property
    def can_sendfile(self) -> bool:
        return not self._tls

    def sendfile(self, fd: int, offset: int, length: int) -> int:
        """Sends some of a file; returns how many bytes."""
        sent = os.sendfile(self._sock.fileno(), fd, offset, min(length, _SENDFILE_STEP))
        if sent == 0:
            raise OSError("file shrank while it was being served")
        return sent

    def wait(self, released: threading.Event, seconds: float | None) -> None:
        """Waits that long or until released; raises if the peer goes away meanwhile."""
        deadline = None if seconds is None else time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._sock.fileno(), _HANG_UP)
        while not released.is_set():
            left = 0.05 if deadline is None else min(0.05, deadline - time.monotonic())
            if left <= 0:
                return
            if any(events & _HANG_UP for _, events in poll.poll(0)):
                raise ConnectionResetError("the peer went away")
            released.wait(left)

    def deafen(self) -> None:
        """From here on nothing of the peer arrives, or is acknowledged: as if a cable had been
        pulled. Neither side hears of the other's end."""
        program = ctypes.create_string_buffer(_DROP_ALL, len(_DROP_ALL))
        described = struct.pack("HP", 1, ctypes.addressof(program))
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)

    def linger(self, seconds: float) -> None:
        """Ends our half and takes what still comes for a while: a client that is still sending
        would lose our answer to the reset that unread bytes provoke."""
        deadline = time.monotonic() + seconds
        try:
            if not self._tls:
                self._sock.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self._sock.settimeout(left)
                if not self._sock.recv(1 << 20):
                    return
        except (OSError, ValueError):
            pass

    def close(self) -> None:
        """An orderly end: the peer gets everything sent so far and then the end of the stream."""
        try:
            if self._tls:
                self._say_goodbye()
            socket.socket.shutdown(self._sock, socket.SHUT_WR)
            # Unread input would turn the close into a reset.
            self._sock.setblocking(False)
            while socket.socket.recv(self._sock, 65536):
                pass
        except (OSError, ValueError):
            pass
        self._sock.close()

    def _say_goodbye(self) -> None:
        """Sends TLS close_notify without waiting for the peer's."""
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._sock.settimeout(0)
            self._sock.unwrap()
        except (ssl.SSLError, OSError, ValueError):
            pass

    def reset(self) -> None:
        """A RST, after what was sent has arrived: unsent data would be lost with it."""
        self._drain()
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self._sock.close()

    def _drain(self, seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                raw = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            except (OSError, ValueError):
                return
            if struct.unpack("i", raw)[0] == 0:
                return
            time.sleep(0.001)

    def interrupt(self) -> None:
        """Ends the connection from another thread: blocked calls of its own thread fail."""
        try:
            # Not the TLS object's method: that one is not made for two threads.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        except (OSError, ValueError):
            pass
