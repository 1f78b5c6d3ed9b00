"""What one account can make the daemon hold in memory is far below the unit's MemoryMax= of 1 GiB."""

from __future__ import annotations

import json
from pathlib import Path

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import MIB, QUICK, content, make_repo, watched
from tests.support.users import DAEMON_UID, OPEN_TO_ALL, User, needs_root, new_user

pytestmark = needs_root

MOST = 128 * MIB
"""For 16 MiB of calls on their way, 16 MiB of lists that jobs keep, and what is made of both."""

NAMES = [f"{number:04}" + "n" * 250 for number in range(3_500)]
"""As long a list of files as one call may have."""

AT_ONCE = 12


def detach_long_lists(user: User, box: Daemon, repo: str, first: int) -> list[str]:
    """Asks for jobs with lists of their own, all at once; the errors' names."""
    connections = [user.connect(box.socket) for _ in range(AT_ONCE)]
    for number, connection in enumerate(connections, first):
        files = [f"{number}-{name}" for name in NAMES]
        parameters = {"repo": repo, "detach": True, "files": files}
        call = {"method": "org.wharf.Downloads.Download", "parameters": parameters}
        connection.settimeout(30)
        connection.sendall(json.dumps(call).encode() + b"\0")
    answers = [json.loads(connection.recv(4096).rstrip(b"\0")) for connection in connections]
    for connection in connections:
        connection.close()
    return [answer["error"].rpartition(".")[2] for answer in answers if "error" in answer]


def test_one_account_cannot_fill_the_memory_with_jobs(place: Path, hub: TestHub) -> None:
    make_repo(hub, "hostile/memory", {"w.bin": content("memory", MIB)})
    hub.faults.add("delay", seconds=120, match={"path": "api/models/hostile/memory/.+"}, times=None)
    mallory, ann = new_user(), new_user()
    with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **QUICK, **OPEN_TO_ALL)) as box:
        before, refused = box.memory(), []
        for first in range(0, 4 * AT_ONCE, AT_ONCE):
            refused += detach_long_lists(mallory, box, "hostile/memory", first)
        assert set(refused) == {"InvalidRequest"} and len(refused) >= 2 * AT_ONCE
        grown = box.memory() - before
        print(f"the daemon grew by {grown / MIB:.0f} MiB")
        assert grown < MOST
        with ann.client(box.socket) as client:
            client.call("Status")
        hub.faults.clear()
