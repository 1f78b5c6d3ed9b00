"""Sending a file on loopback, plain and with TLS, in pieces of several sizes, beside curl.

    python3 tests/bench/net_send.py [--rounds 3] [--quick] [--pieces 16 64 256]

A server of its own takes the bytes and throws them away. CPU seconds are the client's. Pieces are in
KiB; the client takes none that are larger than its own.
"""

from __future__ import annotations

import multiprocessing
import re
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import measure  # noqa: E402
from tests.bench.measure import GIB, KIB, MIB, Run, run_command  # noqa: E402
from tests.hub.tls import Authority, server_context  # noqa: E402

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def discard_all(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Takes one request after the other, to the last byte of its body."""
    buffer = bytearray(MIB)
    while True:
        connection, _ = listener.accept()
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(64 * KIB)
        header, _, body = head.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", header.lower())
        left = int(length[1]) - len(body) if length else 0
        if b"expect: 100-continue" in header.lower():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while left > 0:
            left -= connection.recv_into(buffer)
        connection.sendall(ANSWER)
        connection.close()


def serve(context: ssl.SSLContext | None) -> str:
    """Starts a server that ends with us; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    multiprocessing.Process(target=discard_all, args=(listener, context), daemon=True).start()
    return f"{'https' if context else 'http'}://localhost:{listener.getsockname()[1]}/"


def cost(*command: str | Path) -> Callable[[], Run]:
    return lambda: run_command(command)


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--pieces", type=int, nargs="+", default=[16, 64, 256], metavar="KIB")
    arguments = parser.parse_args()
    program = measure.build("net_send")
    size = 64 * MIB if arguments.quick else 2 * GIB
    clients = {}
    with measure.folder(arguments) as base:
        authority = Authority(base / "ca")
        ca_file, file = authority.ca_file, base / "file"
        measure.make_file(file, size)
        tls = server_context(*authority.issue("sink"))
        for name, url in (("plain HTTP", serve(None)), ("TLS", serve(tls))):
            for piece in arguments.pieces:
                clients[f"{name}, {piece} KiB"] = cost(
                    program, url, file, "--ca", ca_file, "--piece", str(piece * KIB)
                )
            clients[f"{name}, curl -T"] = cost(
                "curl", "-sS", "--http1.1", "--cacert", ca_file, "-T", file, url
            )
        results = measure.take_turns(
            clients, arguments.rounds, lambda run: f"{run.wall:.2f} s, {run.cpu:.2f} CPU s"
        )
    rows = [
        [
            name,
            f"{size / MIB / measure.median(runs, 'wall'):.0f}",
            f"{measure.median(runs, 'cpu') / (size / GIB):.2f}",
        ]
        for name, runs in results.items()
    ]
    measure.print_table("Sending", ["", "MiB/s", "CPU s per GiB"], rows)


if __name__ == "__main__":
    main()
