"""The test Hub as a process of its own, controlled over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rawclient import fetch
from .remote import ControlError, HubControl, HubProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("process")
    seed = directory / "seed"
    (seed / "models/org/repo").mkdir(parents=True)
    (seed / "models/org/repo/a.txt").write_text("a")
    with HubProcess(directory, "--seed", str(seed), "--page-size", "1") as process:
        yield process


def test_serves_what_was_seeded(process: HubProcess) -> None:
    summary = process.control.summary()
    assert summary["pid"] == process.pid
    assert summary == json.loads(process.state_file.read_text())
    assert fetch(f"{process.endpoint}/org/repo/resolve/main/a.txt").body == b"a"
    assert fetch(f"{process.endpoint}/api/models/org/repo/tree/main").get("Link")


def test_everything_can_be_controlled(process: HubProcess) -> None:
    control = process.control
    control.admin.add_user("carol", token="hf_carol", orgs=["org"])
    head = control.admin.create_repo("org/made", files={"x.bin": {"random": 1000}}, private=True)
    assert [repo["head"] for repo in control.admin.repos() if repo["id"] == "org/made"] == [head]
    url = f"{process.endpoint}/api/models/org/made"
    rule = control.faults.add("status", status=503, match={"path": "/org/made$"})
    headers = {"Authorization": "Bearer hf_carol"}
    assert [fetch(url, headers).status for _ in range(2)] == [503, 200]
    assert control.faults.hits(rule) == 1
    assert control.log.count(user="carol") == 2
    (spoilt,) = control.log.find(status=503)
    assert (spoilt["faults"], spoilt["repo"]) == ([rule], "models/org/made")
    control.log.clear()
    assert control.log.count() == 0
    with pytest.raises(TimeoutError):
        control.log.wait(timeout=0.01)
    with pytest.raises(ControlError, match="no model org/none"):
        control.admin.delete_repo("org/none")


def test_from_a_state_file(process: HubProcess) -> None:
    assert HubControl.from_state_file(process.state_file).summary()["endpoint"] == process.endpoint


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_on_signals(tmp_path: Path, number: signal.Signals) -> None:
    pid_file = tmp_path / "hub.pid"
    with HubProcess(tmp_path, "--tls", "--pid-file", str(pid_file)) as process:
        assert pid_file.read_text() == f"{process.pid}\n"
        assert process.endpoint.startswith("https://")
        assert Path(process.control.summary()["ca_file"]).exists()
        assert process.stop(number) == 0


def test_refuses_wrong_options(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.hub", "--seed", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 1
    assert "is not a directory" in done.stderr
    assert "Traceback" not in done.stderr
