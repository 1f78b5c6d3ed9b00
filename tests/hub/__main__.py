"""Runs a test Hub until SIGINT or SIGTERM: `python3 -m tests.hub --seed DIR`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from .server import TestHub


def main() -> int:
    options = _parser().parse_args()
    # Blocked before any thread starts, so that only sigwait() below sees them.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    settings = {"page_size": options.page_size, "url_lifetime": options.url_lifetime}
    settings["resolve_cache"] = options.resolve_cache
    try:
        hub = TestHub(
            seed=options.seed,
            tls=options.tls,
            host=options.host,
            port=options.port,
            cdn_host=options.cdn_host,
            cdn_port=options.cdn_port,
            control_port=options.control_port,
            directory=options.directory,
            settings=settings,
        )
        hub.start()
    except (ValueError, OSError) as error:
        print(f"test hub: {error}", file=sys.stderr)
        return 1
    summary = json.dumps(hub.summary())
    for path, text in (
        (options.pid_file, f"{os.getpid()}\n"),
        (options.state_file, summary + "\n"),
    ):
        if path is not None:
            _write_atomically(path, text)
    print(summary, flush=True)
    signal.sigwait(signals)
    hub.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests.hub", description=__doc__)
    parser.add_argument(
        "--seed", type=Path, metavar="DIR", help="users and repositories to start with"
    )
    parser.add_argument(
        "--tls", action="store_true", help="serve HTTPS with a certificate of our own CA"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=0, help="of the hub; 0 is any free one")
    parser.add_argument(
        "--cdn-host", default="127.0.0.2", help="the same for the CDN (default: %(default)s)"
    )
    parser.add_argument("--cdn-port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--directory", type=Path, help="for certificates and made-up files")
    parser.add_argument(
        "--state-file", type=Path, help="where to tell endpoints and pid, once ready"
    )
    parser.add_argument("--pid-file", type=Path)
    parser.add_argument("--page-size", type=int, default=1000, help="entries per page of a tree")
    parser.add_argument(
        "--url-lifetime", type=float, default=3600, metavar="SECONDS", help="of signed URLs"
    )
    parser.add_argument(
        "--resolve-cache", action="store_true", help="redirect for regular files too"
    )
    return parser


def _write_atomically(path: Path, text: str) -> None:
    """Whoever waits for the file to appear finds it complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main())
