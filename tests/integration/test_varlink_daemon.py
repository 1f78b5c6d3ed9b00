"""The real daemon, judged by a client that is not ours (the `varlink` package of PyPI) and by raw
messages with descriptors."""

from __future__ import annotations

import array
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.scenes import (
    MIXED_FILES,
    check_snapshot,
    daemon_in,
    eventually,
    files_below,
    repo_folder,
)

varlink = pytest.importorskip("varlink")

PROTOCOL = Path(__file__).resolve().parents[2] / "protocol"
REPO = "org/varlink"


@pytest.fixture(scope="module")
def module_daemon(
    session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    session_hub.admin.create_repo(REPO, files=MIXED_FILES)
    with daemon_in(tmp_path_factory.mktemp("varlink"), session_hub) as daemon:
        daemon.directory.chmod(0o755)
        yield daemon


@pytest.fixture
def box(module_daemon: Daemon, hub: TestHub) -> Daemon:
    return module_daemon


@pytest.fixture
def client(box: Daemon) -> Iterator[Any]:
    with varlink.Client(f"unix:{box.socket}") as client:
        yield client


@pytest.fixture
def downloads(client: Any) -> Iterator[Any]:
    with client.open("org.wharf.Downloads") as connection:
        yield connection


@pytest.fixture
def jobs(client: Any) -> Iterator[Any]:
    with client.open("org.wharf.Jobs") as connection:
        yield connection


def head(hub: TestHub, repo: str = REPO) -> str:
    return hub.state.get("model", repo).head.id


def test_introspection(client: Any) -> None:
    files = {file.stem: file.read_text() for file in PROTOCOL.glob("*.varlink")}
    assert set(client.get_interfaces()) == set(files)
    assert client.info["vendor"] == "wharf"
    assert client.info["product"] and client.info["version"] and client.info["url"]
    for name, text in files.items():
        assert client.get_interface(name).get_description() == text


def test_a_download_with_progress(box: Daemon, hub: TestHub, downloads: Any) -> None:
    size = 3_000_000
    hub.admin.create_repo("org/watched", files={"w.safetensors": {"random": size, "seed": "v"}})
    rule = hub.faults.add("stall", after=1_000_000, seconds=60, match={"server": "cdn"})
    replies = downloads.Download(repo="org/watched", files=["w.safetensors"], _more=True)
    seen = []
    for reply in replies:
        seen.append(reply)
        if reply.get("progress", None) and reply["progress"]["bytes_done"] >= 700_000:
            break
        assert len(seen) < 100
    hub.faults.release(rule)
    seen.extend(replies)
    numbers = {reply["job"] for reply in seen if reply.get("job")}
    assert len(numbers) == 1
    counted = [r["progress"]["bytes_done"] for r in seen if r.get("progress") and r.get("job")]
    assert counted == sorted(counted)
    totals = [r["progress"]["bytes_total"] for r in seen if r.get("job")]
    assert set(totals[1:]) == {size}  # the first only tells the job's number
    in_air = [f for r in seen if r.get("job") for f in r["progress"]["files"]]
    assert {(f["path"], f["total"]) for f in in_air} == {("w.safetensors", size)}
    assert [r for r in seen if r.get("result")] == seen[-1:]
    snapshot = repo_folder(box, "org/watched") / "snapshots" / head(hub, "org/watched")
    assert {"why": None, **seen[-1]["result"]} == {
        "commit": head(hub, "org/watched"),
        "snapshot": str(snapshot),
        "files": [str(snapshot / "w.safetensors")],
        "count": 1,
        "stale": False,
        "why": None,
        "by_descriptor": False,
    }


def test_a_download_without_progress(box: Daemon, hub: TestHub, downloads: Any) -> None:
    reply = downloads.Download(repo=REPO)
    check_snapshot(hub, REPO, Path(reply["result"]["snapshot"]))
    assert reply["result"]["files"] == []


def test_a_list_fetches_no_file(box: Daemon, hub: TestHub, downloads: Any) -> None:
    hub.admin.create_repo("org/listed", files={f"{n:04}.txt": f"listed {n}" for n in range(1200)})
    parts = list(downloads.List(repo="org/listed", _more=True))
    assert len(parts) > 1
    files = {file["name"]: file for part in parts for file in part["files"]}
    assert {name: (f["size"], f["etag"]) for name, f in files.items()} == {
        name: (facts["size"], facts["etag"])
        for name, facts in hub.admin.files("org/listed").items()
    }
    assert not any(file["cached"] for name, file in files.items() if name != ".gitattributes")
    assert {part["commit"] for part in parts} == {head(hub, "org/listed")}
    folder = repo_folder(box, "org/listed")
    assert files_below(folder) == {f"trees/{head(hub, 'org/listed')}.json"}
    path = box.download("org/listed", "0007.txt")
    (part,) = downloads.List(repo="org/listed", files=["0007.txt", "0008.txt"], _more=True)
    assert [(f["name"], f["cached"], f.get("path")) for f in part["files"]] == [
        ("0007.txt", True, str(path)),
        ("0008.txt", False, None),
    ]


def test_status_and_jobs(box: Daemon, hub: TestHub, client: Any, jobs: Any) -> None:
    hub.admin.create_repo("org/slow", files={"w.safetensors": {"random": 2_000_000, "seed": "s"}})
    rule = hub.faults.add("stall", after=500_000, seconds=60, match={"server": "cdn"}, times=None)
    process = box.start_wharf("download", "org/slow")
    hub.faults.wait(rule, 1)
    with client.open("org.wharf") as connection:
        status = connection.Status()
    assert (status["pid"], status["cache_dir"]) == (box.pid, str(box.cache))
    assert status["endpoint"].rstrip("/") == hub.endpoint
    assert status["clients"] >= 2
    (transfer,) = status["transfers"]
    assert (transfer["path"], transfer["repo"], transfer["total"]) == (
        "w.safetensors",
        "org/slow",
        2_000_000,
    )
    (job,) = jobs.List()["jobs"]
    assert (job["repo"], job["uid"], job["kind"], job["watchers"]) == (
        "org/slow",
        os.getuid(),
        "download",
        1,
    )
    assert job["state"] in ("running", "waiting")
    shown = jobs.Show(job["id"])
    assert [file["path"] for file in shown["files"]] == ["w.safetensors"]
    assert jobs.Cancel(job["id"])["job"]["state"] == "cancelled"
    _, error = process.communicate(timeout=20)
    assert process.returncode == 1 and "cancel" in error
    hub.faults.clear()
    assert jobs.List()["jobs"] == []
    past = {entry["id"]: entry["state"] for entry in jobs.List(all=True)["jobs"]}
    assert past[job["id"]] == "cancelled"


@pytest.mark.parametrize(
    "parameters, name",
    [
        ({"repo": "org/nowhere"}, "org.wharf.RepoNotFound"),
        ({"repo": REPO, "revision": "nope"}, "org.wharf.RevisionNotFound"),
        ({"repo": REPO, "files": ["nope"]}, "org.wharf.FileNotFound"),
        ({"repo": REPO, "token": "hf_wrong"}, "org.wharf.Unauthorized"),
        ({"repo": "wonderland/guarded"}, "org.wharf.Gated"),
        ({"repo": "../.."}, "org.wharf.InvalidRequest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_are_typed(
    hub: TestHub, downloads: Any, parameters: dict[str, Any], name: str
) -> None:
    if parameters["repo"] == "wonderland/guarded":
        hub.admin.create_repo(parameters["repo"], files={"a": "a"}, gated="manual")
    with pytest.raises(varlink.VarlinkError) as caught:
        downloads.Download(**parameters)
    assert caught.value.error() == name
    assert set(caught.value.parameters()) == {"message", "hint"}
    assert caught.value.parameters()["message"]
    assert "hf_wrong" not in json.dumps(caught.value.as_dict())


def test_standard_errors(jobs: Any, downloads: Any) -> None:
    with pytest.raises(varlink.VarlinkError) as caught:
        jobs.Show(10**9)
    assert caught.value.error() == "org.wharf.JobNotFound"
    with pytest.raises(varlink.VarlinkError) as caught:
        downloads.List(repo=REPO)
    assert caught.value.error() == "org.varlink.service.ExpectedMore"
    with pytest.raises(varlink.InvalidParameter) as caught:
        downloads.Download(repo=REPO, repo_type="kernel")
    assert caught.value.parameters() == {"parameter": "repo_type"}
    with pytest.raises(varlink.InvalidParameter):
        downloads.Download()


# --- Descriptors: the package cannot receive them, so the messages are made by hand ---


def call(
    connection: socket.socket, method: str, **parameters: Any
) -> tuple[dict[str, Any], list[int]]:
    """One call and its one answer, with the descriptors that came along."""
    message = {"method": method, "parameters": parameters}
    connection.sendall(json.dumps(message).encode() + b"\0")
    text, descriptors = b"", array.array("i")
    while not text.endswith(b"\0"):
        room = socket.CMSG_SPACE(16 * descriptors.itemsize)
        data, ancillary, _, _ = connection.recvmsg(65536, room)
        assert data, "the daemon hung up"
        text += data
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content)
    return json.loads(text[:-1]), list(descriptors)


@pytest.fixture
def raw(box: Daemon) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(box.socket))
        yield connection


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "empty.txt"])
def test_open_hands_over_a_descriptor(
    box: Daemon, hub: TestHub, raw: socket.socket, name: str
) -> None:
    answer, descriptors = call(raw, "org.wharf.Downloads.Open", repo=REPO, file=name)
    facts = hub.admin.files(REPO)[name]
    path = repo_folder(box, REPO) / "snapshots" / head(hub) / name
    assert answer == {
        "parameters": {
            "descriptor": 0,
            "size": facts["size"],
            "etag": facts["etag"],
            "commit": head(hub),
            "path": str(path),
            "by_descriptor": False,
        }
    }
    (descriptor,) = descriptors
    with os.fdopen(descriptor, "rb") as file:
        assert fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        assert os.fstat(file.fileno()).st_ino == path.stat().st_ino
        assert file.read() == hub.state.get("model", REPO).head.files[name].blob.read()
        with pytest.raises(OSError):
            os.write(file.fileno(), b"x")


def test_open_keeps_no_descriptor_behind(box: Daemon, hub: TestHub, raw: socket.socket) -> None:
    for _ in range(20):
        _, descriptors = call(
            raw, "org.wharf.Downloads.Open", repo=REPO, file="config.json", revision=head(hub)
        )
        os.close(descriptors[0])
    eventually(lambda: not [link for link in box.open_descriptors() if "/blobs/" in link])


def test_open_of_what_is_not_there(raw: socket.socket) -> None:
    answer, descriptors = call(raw, "org.wharf.Downloads.Open", repo=REPO, file="nope")
    assert (answer["error"], descriptors) == ("org.wharf.FileNotFound", [])


# --- Other accounts ---

_CALL_AS_SOMEBODY_ELSE = """
import json, os, socket, sys
os.setgid(65534); os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
connection.connect(sys.argv[1])
connection.sendall(sys.argv[2].encode() + b"\\0")
answer = b""
while not answer.endswith(b"\\0"):
    part = connection.recv(65536)
    if not part:
        break
    answer += part
print(answer.rstrip(b"\\0").decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
@pytest.mark.parametrize(
    "method",
    [
        "org.wharf.Status",
        "org.wharf.Downloads.Download",
        "org.wharf.Jobs.List",
        "org.varlink.service.GetInfo",
    ],
)
def test_another_account_is_refused(box: Daemon, hub: TestHub, method: str, tmp_path: Path) -> None:
    message = {"method": method, "parameters": {"repo": REPO} if "Download" in method else {}}
    for folder in [box.socket.parent, *box.socket.parents]:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", _CALL_AS_SOMEBODY_ELSE, str(box.socket), json.dumps(message)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["error"] == "org.wharf.Forbidden"
    assert "account" in answer["parameters"]["message"]
    assert hub.log.count() == 0
