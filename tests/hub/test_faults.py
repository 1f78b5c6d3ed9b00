"""Every fault does what it says, as seen from a raw socket."""

from __future__ import annotations

import gzip
import json
import time
import urllib.parse
from typing import Any

import pytest

from .conftest import LARGE_SIZE, SMALL
from .fault_actions import ACTIONS
from .faults_of_answers import MalformedJson
from .rawclient import RawClient, fetch
from .server import TestHub

INFO = "/api/models/org/repo"


def target_of(url: str) -> str:
    split = urllib.parse.urlsplit(url)
    return f"{split.path}?{split.query}" if split.query else split.path


# --- The connection ------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "end"), [("reset", "reset"), ("close", "eof")])
@pytest.mark.parametrize(
    ("after", "arrives"), [(0, 0), (1_000_001, 1_000_001), (-1, LARGE_SIZE - 1)]
)
def test_cut_bodies(
    hub: TestHub, large_url: str, large: bytes, kind: str, end: str, after: int, arrives: int
) -> None:
    rule = hub.faults.add(kind, after=after)
    answer = fetch(large_url)
    assert (answer.status, answer.get("Content-Length")) == (200, str(LARGE_SIZE))
    assert answer.end == end
    assert answer.body == large[:arrives]
    (record,) = hub.log.wait(finished=True)
    assert (record.faults, record.bytes_sent, record.aborted) == ([rule], arrives, True)
    assert fetch(large_url).body == large  # once only


def test_drop(hub: TestHub, small: str) -> None:
    hub.faults.add("drop")
    with pytest.raises(EOFError):
        fetch(small)
    hub.faults.add("drop", reset=True)
    with pytest.raises(ConnectionResetError):
        fetch(small)
    hub.log.wait(aborted=True, at_least=2)


def test_drop_of_a_request_that_was_carried_out(hub: TestHub) -> None:
    hub.faults.add("drop", run=True, match={"method": "POST"})
    url = f"{hub.endpoint}{INFO}/branch/survivor"
    with pytest.raises(EOFError):
        fetch(url, {"Authorization": "Bearer hf_alice"}, "POST", b"{}")
    assert "survivor" in hub.admin.refs("org/repo")["branch"]
    hub.admin.delete_ref("org/repo", "survivor")


def test_keep_alive_connection_closed_before_the_next_request(hub: TestHub, small: str) -> None:
    hub.faults.add("drop", match={"reused": True})
    with RawClient(small) as client:
        assert client.get(target_of(small)).body == SMALL
        with pytest.raises(EOFError):
            client.get(target_of(small))
    assert fetch(small).body == SMALL


def test_hangup(hub: TestHub, small: str) -> None:
    hub.faults.add("hangup")
    with RawClient(small) as client:
        answer = client.get(target_of(small))
        assert (answer.body, answer.get("Connection")) == (SMALL, "keep-alive")
        assert client.is_closed()


def test_stall_until_released(hub: TestHub, large_url: str, large: bytes) -> None:
    rule = hub.faults.add("stall", after=5000)
    with RawClient(large_url) as client:
        client.send("GET", target_of(large_url))
        client.head()
        hub.log.wait(stalled=True)
        assert hub.log.bytes_sent(server="cdn") == 5000
        client.sock.settimeout(0.05)
        received = client._buffer
        with pytest.raises(TimeoutError):
            while True:
                received += client.sock.recv(65536)
        assert received == large[:5000]
        client.sock.settimeout(5)
        hub.faults.release(rule)
        while len(received) < LARGE_SIZE:
            received += client.sock.recv(65536)
        assert received == large


def test_stall_ends_when_the_client_gives_up(hub: TestHub, large_url: str) -> None:
    hub.faults.add("stall", after=5)
    with RawClient(large_url) as client:
        client.send("GET", target_of(large_url))
        hub.log.wait(stalled=True)
    hub.log.wait(finished=True, aborted=True)


def test_stall_for_a_time(hub: TestHub, small: str) -> None:
    hub.faults.add("stall", after=5, seconds=0.1)
    begin = time.monotonic()
    assert fetch(small).body == SMALL
    assert time.monotonic() - begin >= 0.1


def test_dribble(hub: TestHub, small: str) -> None:
    hub.faults.add("dribble", after=500, rate=2500)
    begin = time.monotonic()
    assert fetch(small).body == SMALL
    assert time.monotonic() - begin >= 0.15


def test_delay(hub: TestHub, small: str) -> None:
    hub.faults.add("delay", seconds=0.1)
    begin = time.monotonic()
    assert fetch(small).body == SMALL
    assert time.monotonic() - begin >= 0.1


def test_interim_answers(hub: TestHub, small: str) -> None:
    hub.faults.add("interim", statuses=[100, 103, 100], headers={"X-Hint": "1"})
    answer = fetch(small)
    assert (answer.interim, answer.status, answer.body) == ([100, 103, 100], 200, SMALL)


# --- The answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 408, 418, 429, 500, 502, 503, 504])
def test_statuses(hub: TestHub, small: str, status: int) -> None:
    headers = {"Retry-After": "3", "RateLimit": '"api";r=0;t=7', "X-Error-Code": "Odd"}
    hub.faults.add("status", status=status, headers=headers)
    answer = fetch(small)
    assert answer.status == status
    assert {name: answer.get(name) for name in headers} == headers
    assert "error" in json.loads(answer.body)


def test_status_after_the_request_was_carried_out(hub: TestHub) -> None:
    hub.faults.add("status", status=500, run=True, body="oops")
    answer = fetch(
        f"{hub.endpoint}{INFO}/branch/kept", {"Authorization": "Bearer hf_alice"}, "POST", b"{}"
    )
    assert (answer.status, answer.body) == (500, b"oops")
    hub.admin.delete_ref("org/repo", "kept")


def test_body_replacement(hub: TestHub) -> None:
    hostile = [{"type": "file", "path": "../../etc/passwd", "oid": "x", "size": -1}]
    hub.faults.add("body", json=hostile, match={"path": "/tree/"})
    answer = fetch(f"{hub.endpoint}{INFO}/tree/main?recursive=true")
    assert (answer.status, json.loads(answer.body)) == (200, hostile)
    hub.faults.add("body", text="plain", content_type="text/html")
    answer = fetch(f"{hub.endpoint}{INFO}")
    assert (answer.body, answer.get("Content-Type")) == (b"plain", "text/html")
    hub.faults.add("body", hex="00ff")
    assert fetch(f"{hub.endpoint}{INFO}").body == b"\x00\xff"


@pytest.mark.parametrize("style", list(MalformedJson.STYLES))
def test_malformed_json(hub: TestHub, style: str) -> None:
    hub.faults.add("malformed_json", style=style)
    answer = fetch(f"{hub.endpoint}{INFO}")
    assert (answer.status, answer.end) == (200, "complete")
    with pytest.raises((ValueError, RecursionError)):
        json.loads(answer.body.decode())


def test_redirects(hub: TestHub, small: str) -> None:
    hub.faults.add("redirect", times=None, match={"file": "small.txt"})
    answer = fetch(small)
    assert (answer.status, answer.get("Location")) == (302, target_of(small))
    hub.faults.clear()
    hub.faults.add("redirect", to="http://elsewhere.test/x", status=307)
    answer = fetch(small)
    assert (answer.status, answer.get("Location")) == (307, "http://elsewhere.test/x")


def test_header_edits(hub: TestHub, small: str) -> None:
    hub.faults.add(
        "headers", set={"X-Repo-Commit": "zzz"}, add={"X-HF-Warning": "a; b"}, remove=["etag"]
    )
    answer = fetch(small)
    assert (answer.get("X-Repo-Commit"), answer.get("X-HF-Warning"), answer.get("ETag")) == (
        "zzz",
        "a; b",
        None,
    )


def test_etags(hub: TestHub, small: str) -> None:
    hub.faults.add("etag")
    assert fetch(small).get("ETag") is None
    hub.faults.add("etag", value='"../../x"', match={"file": "dir/large.bin"})
    answer = fetch(f"{hub.endpoint}/org/repo/resolve/main/dir/large.bin", method="HEAD")
    assert answer.get("X-Linked-Etag") == '"../../x"'


def test_huge_headers_and_floods(hub: TestHub, small: str) -> None:
    hub.faults.add("huge_header", size=100_000)
    assert len(fetch(small).get("X-Padding") or "") == 100_000
    hub.faults.add("header_flood", count=5000)
    assert len(fetch(small).headers) > 5000


def test_link_to_a_foreign_host(hub: TestHub) -> None:
    hub.faults.add("link_next", to="https://evil.test/steal")
    answer = fetch(f"{hub.endpoint}{INFO}/tree/main")
    assert answer.get("Link") == '<https://evil.test/steal>; rel="next"'


def test_expired_signatures(hub: TestHub, large_url: str) -> None:
    hub.faults.add("expired_signature", match={"server": "hub"})
    location = fetch(f"{hub.endpoint}/org/repo/resolve/main/dir/large.bin").get("Location")
    assert location is not None
    assert fetch(location).status == 403
    hub.faults.add("expired_signature", match={"server": "cdn"})
    assert fetch(large_url).status == 403
    assert fetch(large_url).status == 200


# --- The body ------------------------------------------------------------------------------


def test_corruption_stays_at_its_place_in_the_file(
    hub: TestHub, large_url: str, large: bytes
) -> None:
    hub.faults.add("corrupt", offset=1000, length=2, times=None)
    spoilt = bytearray(large)
    spoilt[1000] ^= 0xFF
    spoilt[1001] ^= 0xFF
    for span in ((0, LARGE_SIZE - 1), (1000, 1000), (1001, 500_000), (0, 999), (1002, 2000)):
        answer = fetch(large_url, {"Range": f"bytes={span[0]}-{span[1]}"})
        assert answer.status == 206
        assert answer.body == bytes(spoilt[span[0] : span[1] + 1])
    assert fetch(large_url).body == bytes(spoilt)


def test_ignored_ranges(hub: TestHub, large_url: str, large: bytes) -> None:
    hub.faults.add("ignore_range", match={"range": True})
    answer = fetch(large_url, {"Range": "bytes=10-19"})
    assert (answer.status, answer.body) == (200, large)
    assert hub.log.ranges(server="cdn") == ["bytes=10-19"]


def test_bad_content_range(hub: TestHub, large_url: str, large: bytes) -> None:
    hub.faults.add("bad_content_range", shift=5)
    answer = fetch(large_url, {"Range": "bytes=10-19"})
    assert answer.get("Content-Range") == f"bytes 15-24/{LARGE_SIZE}"
    assert answer.body == large[10:20]
    hub.faults.add("bad_content_range", value="bytes x")
    assert fetch(large_url, {"Range": "bytes=10-19"}).get("Content-Range") == "bytes x"


def test_wrong_lengths(hub: TestHub, small: str) -> None:
    hub.faults.add("wrong_length", delta=7)
    answer = fetch(small)
    assert (answer.get("Content-Length"), answer.body, answer.end) == ("1007", SMALL, "eof")
    hub.faults.add("wrong_length", delta=-7)
    with RawClient(small) as client:
        answer = client.get(target_of(small), {"Connection": "close"})
        assert (answer.body, client.rest()) == (SMALL[:-7], SMALL[-7:])


@pytest.mark.parametrize("after", [None, 100])
def test_chunked(hub: TestHub, small: str, after: int | None) -> None:
    actions: list[dict[str, Any]] = [{"kind": "chunked"}]
    if after is not None:
        actions.append({"kind": "close", "after": after})
    hub.faults.add(actions=actions)
    answer = fetch(small)
    assert answer.get("Content-Length") is None
    assert (answer.body, answer.end) == (
        (SMALL, "complete") if after is None else (SMALL[:after], "eof")
    )


def test_no_length(hub: TestHub, large_url: str, large: bytes) -> None:
    hub.faults.add("no_length")
    answer = fetch(large_url)
    assert (answer.get("Content-Length"), answer.get("Connection"), answer.body) == (
        None,
        "close",
        large,
    )


def test_gzip_against_all_wishes(hub: TestHub, small: str) -> None:
    hub.faults.add("gzip")
    answer = fetch(small, {"Accept-Encoding": "identity"})
    assert answer.get("Content-Encoding") == "gzip"
    assert gzip.decompress(answer.body) == SMALL


# --- Rules ---------------------------------------------------------------------------------


def test_rules_form_a_script(hub: TestHub, small: str) -> None:
    hub.faults.add("status", status=500)
    hub.faults.add("status", status=429, times=2, skip=1)
    assert [fetch(small).status for _ in range(5)] == [500, 200, 429, 429, 200]


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"server": "hub"}, True),
        ({"server": "cdn"}, False),
        ({"method": "HEAD"}, False),
        ({"path": r"small\.txt$"}, True),
        ({"path": "^small"}, False),
        ({"file": "small.txt"}, True),
        ({"file": "txt"}, False),
        ({"user": "alice"}, True),
        ({"user": "bob"}, False),
        ({"range": "=0-"}, True),
        ({"range": False}, False),
        ({"query": "x=1"}, True),
        ({"reused": True}, False),
    ],
)
def test_matching(hub: TestHub, small: str, match: dict[str, Any], hit: bool) -> None:
    rule = hub.faults.add("status", status=599, match=match)
    answer = fetch(small + "?x=1", {"Authorization": "Bearer hf_alice", "Range": "bytes=0-9"})
    assert (answer.status == 599) == hit
    assert hub.faults.hits(rule) == int(hit)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"kind": "nope"},
        {"kind": "reset", "before": 3},
        {"kind": "reset", "match": {"pth": "x"}},
        {"kind": "reset", "match": {"path": "("}},
        {"kind": "malformed_json", "style": "nope"},
    ],
)
def test_nonsense_is_refused(hub: TestHub, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        hub.faults.add(**arguments)


def test_every_kind_is_documented() -> None:
    readme = __file__.rpartition("/")[0] + "/README.md"
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    assert [kind for kind in ACTIONS if f"`{kind}`" not in text] == []
