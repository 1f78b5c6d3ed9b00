"""No secret of a push appears anywhere: neither its token, nor the addresses that its bytes go to."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.job_calls import wait_for_state
from tests.support.pushes import give
from tests.support.secret_search import (
    DETACHED,
    GIVEN,
    HELD,
    REFUSED,
    STORED,
    Use,
    files_of,
    needles,
    occurrences,
    places_of,
    trail_in,
)
from tests.support.trials import MIB, QUICK, eventually, watched
from tests.support.users import DAEMON_UID, OPEN_TO_ALL, folder_of, needs_root, new_user

pytestmark = needs_root

PUT = {"server": "cdn", "method": "PUT"}


def make_secretary(hub: TestHub) -> None:
    """Somebody at the Hub with tokens, and a private repo for each way to push."""
    hub.admin.configure(lfs_multipart_above=2 * MIB, lfs_part_size=2 * MIB)
    hub.admin.add_user("pusher", token=STORED)
    for token in (GIVEN, DETACHED, HELD):
        hub.admin.add_token("pusher", token)
    for name in ("waited", "stored", "failing", "held"):
        hub.admin.create_repo(f"pusher/{name}", files={"config.json": "{}"}, private=True)


def signed_secrets(hub: TestHub) -> list[bytes]:
    """What makes the addresses that bytes were put to worth something."""
    found = {
        value.encode()
        for record in hub.log.find(server="cdn", method="PUT")
        for value in re.findall(r"(?i)(?:signature|sig|policy)=([^&]{8,})", record.query)
    }
    assert found, "bytes were put to signed addresses"
    return sorted(found)


def submitted(use: Use, repo: str, data: bytes, token: str) -> int:
    with use.user.client(use.box.socket) as client:
        upload = give(client, repo, {"w.bin": data}, token=token)
        return int(client.call("Uploads.Submit", upload=upload, detach=True)["job"])


def test_no_secret_of_a_push_is_anywhere(place: Path, hub: TestHub) -> None:
    make_secretary(hub)
    user = new_user()
    settings = {**QUICK, **OPEN_TO_ALL, **trail_in(place)}
    with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **settings)) as box:
        use = Use(box, hub, folder_of(user, place.parent), user)
        large = use.home / "w.bin"
        large.write_bytes(os.urandom(5 * MIB))
        large.chmod(0o644)

        # With a token of the call, of the environment, and a stored one; with a wrong one.
        assert use.wharf("upload", "pusher/waited", str(large), HF_TOKEN=GIVEN) == 0
        assert use.wharf("upload", "pusher/waited", str(large), "b.bin", "--token", GIVEN) == 0
        assert use.wharf("upload", "pusher/waited", str(large), HF_TOKEN=REFUSED) == 4
        assert use.call("Uploads.Begin", repo="pusher/waited", token=GIVEN, message=7) != ""
        assert use.wharf("auth", "login", text=STORED) == 0
        assert use.wharf("upload", "pusher/stored", str(large)) == 0

        # Storage that refuses, and says the whole address in its answer; the job fails.
        refusing = hub.faults.add("status", status=403, json={"error": "no"}, match=PUT, times=None)
        failing = submitted(use, "pusher/failing", os.urandom(5 * MIB), DETACHED)
        hub.faults.wait(refusing, 3)
        assert use.wharf("jobs", "show", str(failing)) == 0
        assert use.call("Jobs.Cancel", id=failing) == ""
        hub.faults.remove(refusing)

        # One that goes on while it is looked at: its addresses are kept for after a crash.
        stalled = hub.faults.add("upload_stall", after=1000, seconds=60, match=PUT, times=None)
        held = submitted(use, "pusher/held", os.urandom(5 * MIB), HELD)
        hub.faults.wait(stalled, 1)
        for arguments in (["status", "--json"], ["jobs", "ls", "--all", "--json"], ["jobs", "show", str(held)]):
            assert use.wharf(*arguments) == 0
        assert list(place.rglob("uploads.db")), "where addresses are kept"

        secrets = needles() + signed_secrets(hub)
        places = places_of(box, place, use.said)
        assert b"debug" in places["the log"]
        assert any("/.locks/.wharf/uploads/" in name for name in places), "something is staged"
        trail = (place / "audit.log").read_text()
        assert '"action":"upload"' in trail and '"result":"cancelled"' in trail
        assert occurrences(places, secrets) == []

        # After the crash, and when it is done.
        box.kill()
        box.start()
        hub.faults.release(stalled)
        hub.faults.remove(stalled)
        wait_for_state(box, held, "done")
        eventually(lambda: "pusher/held" in (place / "audit.log").read_text(), "the push is taken down")
        box.stop()
        secrets = needles() + signed_secrets(hub)
        assert occurrences({"the log": box.log.encode(), **files_of(place)}, secrets) == []
