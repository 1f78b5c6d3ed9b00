"""The audit in the journal: through the socket that systemd-journald listens at."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.journal import Journal, ProtocolError, parse
from tests.support.trials import QUICK, eventually, watched
from tests.support.users import OPEN_TO_ALL, needs_root, new_user, place_of_daemon
from tests.support.varlink_client import CallFailed


def may_mount() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


pytestmark = [needs_root, pytest.mark.skipif(not may_mount(), reason="no mount namespaces here")]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    folder = tmp_path / "journal"
    folder.mkdir()
    made = Journal(folder)
    yield made
    made.close()


def test_the_reader_knows_wrong_from_right() -> None:
    assert parse(b"A=1\nB\n\x03\0\0\0\0\0\0\0x\ny\nC_D=\n") == {"A": b"1", "B": b"x\ny", "C_D": b""}
    for wrong in (b"A=1", b"A\n\x09\0\0\0\0\0\0\0x\n", b"a=1\n", b"_A=1\n", b"A=1\nA=2\n"):
        with pytest.raises(ProtocolError):
            parse(wrong)


def test_events_are_entries_of_the_journal(hub: TestHub, tmp_path: Path, journal: Journal) -> None:
    repo = "alice/audit-journal"
    hub.admin.create_repo(repo, files={"a.txt": "a"}, private=True)
    ann = new_user()
    with place_of_daemon() as place:
        box = Daemon(hub.endpoint, place, prefix=journal.prefix, **QUICK, **OPEN_TO_ALL)
        with watched(box), ann.client(box.socket) as client:
            client.call("Downloads.Download", repo=repo, token="hf_alice")
            with pytest.raises(CallFailed):
                client.call("Downloads.Download", repo="bob/audit-none", token="hf_bob")
            eventually(lambda: len(journal.entries) >= 3, "three entries")
            assert "audit: " not in box.log, "what is in the journal is not in the log as well"
    assert not journal.errors
    assert journal.uids == {os.getuid()}
    found = {
        (entry["WHARF_ACTION"].decode(), entry["WHARF_REPO"].decode(), entry["WHARF_RESULT"].decode())
        for entry in journal.entries
    }
    assert found == {
        ("grant", f"model {repo}", "ok"),
        ("download", f"model {repo}", "ok"),
        ("refuse", "model bob/audit-none", "repo_not_found"),
    }
    for entry in journal.entries:
        assert entry["WHARF_UID"] == str(ann.uid).encode()
        assert entry["MESSAGE"].startswith(entry["WHARF_ACTION"] + f" uid {ann.uid} ".encode())
        assert set(entry) <= {
            "MESSAGE", "WHARF_ACTION", "WHARF_UID", "WHARF_USER", "WHARF_REPO", "WHARF_DETAIL",
            "WHARF_RESULT", "SYSLOG_IDENTIFIER",
        }
        assert all(b"\n" not in value and b"hf_" not in value for value in entry.values())
