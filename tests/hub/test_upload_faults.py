"""Faults while a request's body arrives, and around what it does."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .rawclient import RawClient
from .rawupload import Uploader, complete, file, header, parts_of, put, put_parts, sha256
from .server import TestHub

DATA = random.Random(6).randbytes(3_000_000)


@pytest.fixture
def repo(hub: TestHub) -> Iterator[Uploader]:
    hub.admin.create_repo("org/faulty")
    hub.admin.configure(lfs_part_size=1_000_000, lfs_multipart_above=2_000_000)
    yield Uploader(hub.endpoint, "org/faulty")
    hub.admin.delete_repo("org/faulty")


def begin(repo: Uploader, data: bytes = DATA) -> dict[str, Any]:
    actions = repo.actions(data)
    assert actions is not None
    return actions


def sends(hub: TestHub) -> list[tuple[int | None, int, bool, bool]]:
    """Part, bytes, completed, aborted of all PUTs."""
    hub.log.settle()
    return [
        (record.part, record.bytes_received, record.completed, record.aborted)
        for record in hub.log.find(server="cdn", method="PUT")
    ]


@pytest.mark.parametrize("kind", ["upload_reset", "upload_close"])
@pytest.mark.parametrize(("after", "arrives"), [(0, 0), (400_001, 400_001), (-1, 999_999)])
def test_cut_parts(hub: TestHub, repo: Uploader, kind: str, after: int, arrives: int) -> None:
    actions = begin(repo)
    parts = parts_of(actions, DATA)
    etags = put_parts(actions, DATA)
    hub.log.clear()
    rule = hub.faults.add(kind, after=after, match={"part": 2, "blob": sha256(DATA)})
    with pytest.raises((ConnectionError, EOFError)):
        put(parts[1][1], parts[1][2])
    assert hub.faults.hits(rule) == 1
    assert sends(hub) == [(2, arrives, False, True)]
    # The part that was there before is still there.
    assert complete(actions, DATA, etags).status == 200


def test_all_arrived_and_nothing_was_done(hub: TestHub, repo: Uploader) -> None:
    before = hub.admin.commits("org/faulty")
    body = json.dumps(header()).encode() + b"\n"
    hub.faults.add("upload_reset", after=len(body), match={"path": "/commit/"})
    with pytest.raises((ConnectionError, EOFError)):
        repo.commit(header())
    (record,) = hub.log.wait(path_matches="/commit/", finished=True)
    assert (record.bytes_received, record.aborted, record.status) == (len(body), True, None)
    assert hub.admin.commits("org/faulty") == before


@pytest.mark.parametrize("after", [0, 100, 500_000, -1])
def test_commits_that_are_cut_off_leave_nothing(hub: TestHub, repo: Uploader, after: int) -> None:
    hub.faults.add("upload_close", after=after, match={"path": "/commit/"})
    lines = header(), file("a.txt", DATA[:300_000]), file("b.txt", DATA[:300_000])
    with pytest.raises((ConnectionError, EOFError)):
        repo.commit(*lines)
    assert len(hub.admin.commits("org/faulty")) == 1
    assert repo.commit(*lines).status == 200
    assert hub.admin.commits("org/faulty")[0]["changed"] == ["a.txt", "b.txt"]


def test_a_client_that_goes_away(hub: TestHub, repo: Uploader) -> None:
    url = begin(repo)["upload"]["header"]["00001"]
    with RawClient(url) as client:
        head = f"PUT {url.removeprefix(hub.cdn_endpoint)} HTTP/1.1\r\nContent-Length: 1000000\r\n"
        client.sock.sendall(f"{head}Host: {client.host}\r\n\r\n".encode() + DATA[:5000])
    (record,) = hub.log.wait(server="cdn", finished=True)
    assert (record.bytes_received, record.completed, record.aborted) == (5000, False, True)


def test_lost_answers(hub: TestHub, repo: Uploader) -> None:
    """Carried out, every one of them, and nobody was told."""
    actions = begin(repo)
    parts = parts_of(actions, DATA)
    hub.faults.add("drop", run=True, match={"part": 1})
    with pytest.raises((ConnectionError, EOFError)):
        put(parts[0][1], parts[0][2])
    assert sends(hub) == [(1, 1_000_000, True, True)]
    etags = put_parts(actions, DATA)
    assert hub.log.sent_again() == []  # since the first was never answered
    hub.faults.add("drop", run=True, match={"path": "complete_multipart"})
    with pytest.raises((ConnectionError, EOFError)):
        complete(actions, DATA, etags)
    assert repo.actions(DATA) is None
    hub.faults.add("drop", run=True, match={"path": "/commit/"})
    with pytest.raises((ConnectionError, EOFError)):
        repo.commit(header("Made"))
    assert hub.admin.commits("org/faulty")[0]["title"] == "Made"


@pytest.mark.parametrize("run", [False, True])
def test_statuses_before_and_after(hub: TestHub, repo: Uploader, run: bool) -> None:
    hub.faults.add("status", status=503, run=run, match={"path": "/commit/"})
    assert repo.commit(header("Made")).status == 503
    assert (hub.admin.commits("org/faulty")[0]["title"] == "Made") == run
    actions = begin(repo)
    url, part = parts_of(actions, DATA)[0][1:]
    hub.log.clear()
    hub.faults.add("status", status=500, run=run, match={"server": "cdn"})
    assert put(url, part).status == 500
    # The client is heard to the end either way, or it might miss the answer.
    assert sends(hub) == [(1, 1_000_000, run, False)]


def test_early_answers(hub: TestHub, repo: Uploader) -> None:
    url = parts_of(begin(repo), DATA)[0][1]
    hub.faults.add("status", status=503, early=True, match={"server": "cdn"})
    with RawClient(url) as client:
        target = url.removeprefix(hub.cdn_endpoint)
        head = f"PUT {target} HTTP/1.1\r\nHost: {client.host}\r\nContent-Length: 5000000\r\n\r\n"
        client.sock.sendall(head.encode())
        answer = client.answer()
    assert (answer.status, answer.get("Connection")) == (503, "close")


def test_stalls(hub: TestHub, repo: Uploader) -> None:
    rule = hub.faults.add("upload_stall", after=1000, match={"server": "cdn"})
    url, part = parts_of(begin(repo), DATA)[0][1:]
    with RawClient(url) as client:
        client.send("PUT", url.removeprefix(hub.cdn_endpoint), body=part)
        (record,) = hub.log.wait(stalled=True)
        assert record.bytes_received == 1000
        hub.faults.release(rule)
        assert client.answer().status == 200
    assert sends(hub) == [(1, 1_000_000, True, False)]


def test_a_stall_ends_with_the_client(hub: TestHub, repo: Uploader) -> None:
    hub.faults.add("upload_stall", after=1000, match={"server": "cdn"})
    url, part = parts_of(begin(repo), DATA)[0][1:]
    with RawClient(url) as client:
        client.send("PUT", url.removeprefix(hub.cdn_endpoint), body=part[:2000])
        hub.log.wait(stalled=True)
    (record,) = hub.log.wait(server="cdn", finished=True)
    assert (record.bytes_received, record.completed, record.aborted) == (1000, False, True)


def test_a_deaf_stall_hears_of_no_end(hub: TestHub, repo: Uploader) -> None:
    rule = hub.faults.add("upload_stall", after=1000, deaf=True, match={"server": "cdn"})
    url, part = parts_of(begin(repo), DATA)[0][1:]
    with RawClient(url) as client:
        client.send("PUT", url.removeprefix(hub.cdn_endpoint), body=part[:2000])
        hub.log.wait(stalled=True)
    time.sleep(0.2)  # in which the end of the client's connection would be noticed
    assert hub.log.count(server="cdn", finished=True) == 0
    hub.faults.release(rule)
    (record,) = hub.log.wait(server="cdn", finished=True)
    assert (record.bytes_received, record.completed, record.aborted) == (1000, False, True)


def test_dribble(hub: TestHub, repo: Uploader) -> None:
    hub.faults.add("upload_dribble", rate=2_000_000, after=600_000, match={"server": "cdn"})
    url, part = parts_of(begin(repo), DATA)[0][1:]
    started = time.monotonic()
    assert put(url, part).status == 200
    assert 0.1 < time.monotonic() - started < 2
    assert sends(hub) == [(1, 1_000_000, True, False)]


def test_expect_continue(hub: TestHub, repo: Uploader) -> None:
    """A client that asks first is told to go on, or gets the refusal without having sent all."""
    url, part = parts_of(begin(repo), DATA)[0][1:]
    target = url.removeprefix(hub.cdn_endpoint)
    for refused in (False, True):
        if refused:
            hub.admin.expire_urls()
        with RawClient(url) as client:
            head = [f"PUT {target} HTTP/1.1", f"Host: {client.host}", "Expect: 100-continue"]
            head.append(f"Content-Length: {len(part)}")
            client.sock.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
            if not refused:
                assert client.head().status == 100
                client.sock.sendall(part)
            assert client.answer().status == (403 if refused else 200)
    assert sends(hub) == [(1, 1_000_000, True, False), (1, 0, False, False)]
