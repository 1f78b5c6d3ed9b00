"""The test Hub's plain behaviour: contents, ranges, access, signatures, limits and the log."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import LARGE_SIZE, SMALL
from .errors import HubError
from .ratelimit import RateLimiter
from .rawclient import Answer, RawClient, fetch
from .server import TestHub
from .signing import sign, verify

ALICE = {"Authorization": "Bearer hf_alice"}
BOB = {"Authorization": "Bearer hf_bob"}


def code(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.get("X-Error-Code")


# --- Contents ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=10-19", 206, 10, 19),
        ("bytes=990-", 206, 990, 999),
        ("bytes=990-5000", 206, 990, 999),
        ("bytes=-10", 206, 990, 999),
        ("bytes=-5000", 206, 0, 999),
        ("bytes=0-1,5-6", 200, 0, 999),
        ("bytes=9-3", 200, 0, 999),
        ("items=0-1", 200, 0, 999),
        ("bytes=-", 200, 0, 999),
    ],
)
def test_ranges(hub: TestHub, small: str, header: str, status: int, first: int, last: int) -> None:
    answer = fetch(small, {"Range": header})
    assert (answer.status, answer.body) == (status, SMALL[first : last + 1])
    expected = f"bytes {first}-{last}/1000" if status == 206 else None
    assert answer.get("Content-Range") == expected
    assert answer.get("Content-Length") == str(last - first + 1)


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_ranges_outside(hub: TestHub, small: str, header: str) -> None:
    answer = fetch(small, {"Range": header})
    assert (answer.status, answer.get("Content-Range")) == (416, "bytes */1000")


def test_empty_files(hub: TestHub) -> None:
    url = f"{hub.endpoint}/org/repo/resolve/main/empty.txt"
    answer = fetch(url)
    assert (answer.status, answer.get("Content-Length"), answer.body) == (200, "0", b"")
    assert fetch(url, {"Range": "bytes=0-"}).status == 416


def test_conditions(hub: TestHub, small: str) -> None:
    etag = fetch(small).get("ETag")
    assert etag is not None
    assert fetch(small, {"Range": "bytes=1-2", "If-Range": etag}).status == 206
    assert fetch(small, {"Range": "bytes=1-2", "If-Range": '"other"'}).status == 200
    assert fetch(small, {"If-None-Match": f'"other", W/{etag}'}).status == 304
    assert fetch(small, {"If-None-Match": '"other"'}).status == 200


def test_head_says_the_same_without_a_body(hub: TestHub, small: str) -> None:
    with RawClient(small) as client:
        client.send("HEAD", urllib.parse.urlsplit(small).path)
        head = client.answer("HEAD")
        again = client.get(urllib.parse.urlsplit(small).path)
    volatile = {"Date", "X-Request-Id"}
    assert [h for h in head.headers if h[0] not in volatile] == [
        h for h in again.headers if h[0] not in volatile
    ]
    assert head.body == b"" and again.body == SMALL


def test_metadata_of_regular_and_large_files(hub: TestHub, small: str) -> None:
    facts = hub.admin.files("org/repo")
    commit = hub.admin.repos()[0]["head"]
    answer = fetch(small, method="HEAD")
    assert (answer.status, answer.get("X-Repo-Commit")) == (200, commit)
    assert answer.get("ETag") == f'"{facts["small.txt"]["etag"]}"'
    answer = fetch(f"{hub.endpoint}/org/repo/resolve/main/dir/large.bin", method="HEAD")
    assert (answer.status, answer.get("X-Repo-Commit")) == (302, commit)
    assert answer.get("X-Linked-Etag") == f'"{facts["dir/large.bin"]["etag"]}"'
    assert answer.get("X-Linked-Size") == str(LARGE_SIZE)
    # Not to be mistaken for the file's: it is that of the redirect's text.
    assert answer.get("Content-Length") != str(LARGE_SIZE)
    raw = fetch(f"{hub.endpoint}/org/repo/raw/main/dir/large.bin")
    assert raw.body.startswith(b"version https://git-lfs.github.com/spec/v1\noid sha256:")


@pytest.mark.parametrize("revision", ["refs/pr/7", "refs%2Fpr%2F7", "dev%2Fx"])
def test_revisions_in_paths(hub: TestHub, revision: str) -> None:
    hub.admin.set_ref("org/repo", "7", "main", ref_kind="pull")
    hub.admin.set_ref("org/repo", "dev/x", "main")
    assert fetch(f"{hub.endpoint}/org/repo/resolve/{revision}/small.txt").body == SMALL
    assert (
        fetch(f"{hub.endpoint}/api/models/org/repo/revision/{revision.replace('/', '%2F')}").status
        == 200
    )
    hub.admin.delete_ref("org/repo", "7", ref_kind="pull")
    hub.admin.delete_ref("org/repo", "dev/x")


# --- Access --------------------------------------------------------------------------------


def test_errors_by_code(hub: TestHub) -> None:
    base, api = f"{hub.endpoint}/org/repo/resolve", f"{hub.endpoint}/api/models"
    missing = fetch(f"{base}/main/nope")
    assert code(missing) == (404, "EntryNotFound")
    assert missing.get("X-Repo-Commit") == hub.admin.repos()[0]["head"]
    assert code(fetch(f"{base}/nope/small.txt")) == (404, "RevisionNotFound")
    assert code(fetch(f"{api}/org/repo/tree/main/nope")) == (404, "EntryNotFound")
    for headers, status in (({}, 401), (BOB, 404)):
        assert code(fetch(f"{api}/org/nowhere", headers)) == (status, "RepoNotFound")
        assert code(fetch(f"{hub.endpoint}/org/nowhere/resolve/main/x", headers)) == (
            status,
            "RepoNotFound",
        )
    wrong = fetch(f"{api}/org/repo", {"Authorization": "Bearer hf_stolen"})
    assert (*code(wrong), wrong.get("X-Error-Message")) == (
        401,
        None,
        "Invalid credentials in Authorization header",
    )
    assert code(fetch(f"{hub.endpoint}/api/nothing/here")) == (404, None)


@pytest.fixture
def restricted(hub: TestHub) -> Iterator[str]:
    hub.admin.create_repo("org/restricted", files={"a.txt": "a"})
    yield "org/restricted"
    hub.admin.delete_repo("org/restricted")


def test_private_and_gated(hub: TestHub, restricted: str) -> None:
    file = f"{hub.endpoint}/{restricted}/resolve/main/a.txt"
    info = f"{hub.endpoint}/api/models/{restricted}"
    hub.admin.set_access(restricted, private=True)
    assert [fetch(file, who).status for who in ({}, BOB, ALICE)] == [401, 404, 200]
    hub.admin.set_access(restricted, members=["bob"])
    assert fetch(file, BOB).status == 200
    hub.admin.set_access(restricted, private=False, members=[], gated="auto")
    assert [code(fetch(file, who)) for who in ({}, BOB)] == [(401, "GatedRepo"), (403, "GatedRepo")]
    assert [fetch(info, who).status for who in ({}, BOB)] == [200, 200]
    hub.admin.set_access(restricted, granted=["bob"])
    assert fetch(file, BOB).status == 200
    hub.admin.set_access(restricted, granted=[])
    assert fetch(file, BOB).status == 403


def test_who_may_read_is_answered_without_reading(hub: TestHub, restricted: str) -> None:
    check = f"{hub.endpoint}/api/models/{restricted}/auth-check"

    def answers() -> list[tuple[int, str | None]]:
        return [code(fetch(check, who)) for who in ({}, BOB, ALICE)]

    assert answers() == [(200, None)] * 3
    hub.admin.set_access(restricted, gated="manual")
    assert answers() == [(401, "GatedRepo"), (403, "GatedRepo"), (200, None)]
    hub.admin.grant(restricted, "bob")
    assert answers() == [(401, "GatedRepo"), (200, None), (200, None)]
    hub.admin.withdraw(restricted, "bob")
    assert answers()[1] == (403, "GatedRepo")
    hub.admin.set_access(restricted, private=True, gated=None)
    assert answers() == [(401, "RepoNotFound"), (404, "RepoNotFound"), (200, None)]
    before = hub.log.last_number()
    hub.admin.move_repo(restricted, "org/elsewhere")
    moved = fetch(check, ALICE)
    assert (moved.status, moved.get("Location")) == (307, "/api/models/org/elsewhere/auth-check")
    assert fetch(check, BOB).status == 404  # nor does the old name tell
    assert hub.log.count(since=before, path_matches="/auth-check$", repo=f"models/{restricted}") == 2
    hub.admin.move_repo("org/elsewhere", restricted)
    hub.admin.set_access(restricted, private=False, disabled=True)
    for who in ({}, BOB, ALICE):
        disabled = fetch(check, who)
        assert code(disabled) == (403, None)
        assert disabled.get("X-Error-Message") == "Access to this resource is disabled."


def test_fine_grained_tokens(hub: TestHub, restricted: str) -> None:
    def answers(secret: str) -> tuple[int, int, int]:
        own = {"Authorization": f"Bearer {secret}"}
        checks = [
            fetch(f"{hub.endpoint}/api/models/{repo}/auth-check", own).status
            for repo in (restricted, "org/repo")
        ]
        return checks[0], checks[1], fetch(f"{hub.endpoint}/api/whoami-v2", own).status

    hub.admin.set_access(restricted, private=True)
    hub.admin.add_token("alice", "hf_narrow", role="fineGrained", label="narrow")
    hub.admin.add_token("alice", "hf_wide", role="fineGrained", label="wide", repos=[restricted])
    hub.admin.add_token("alice", "hf_gated", role="fineGrained", label="gated", reads_gated=True)
    try:
        assert answers("hf_narrow") == (404, 200, 200)
        assert answers("hf_wide") == (200, 200, 200)
        hub.admin.set_access(restricted, private=False, gated="auto", granted=["alice"])
        assert answers("hf_narrow") == (403, 200, 200)
        assert answers("hf_wide") == (200, 200, 200)
        assert answers("hf_gated") == (200, 200, 200)
        hub.admin.withdraw(restricted, "alice")
        assert answers("hf_gated") == (403, 200, 200)
    finally:
        for label in ("narrow", "wide", "gated"):
            hub.admin.revoke_token(label)
    assert answers("hf_wide") == (401, 401, 401)


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_only_what_is_expanded_is_told(hub: TestHub, kind: str) -> None:
    hub.admin.create_repo("org/expanded", kind, gated=None if kind == "space" else "auto")
    url = f"{hub.endpoint}/api/{kind}s/org/expanded"
    told = json.loads(fetch(f"{url}?expand=private&expand=disabled").body)
    assert set(told) == {"_id", "id", "private", "disabled"}
    asked = fetch(f"{url}?expand=private&expand=gated")
    assert asked.status == (400 if kind == "space" else 200)
    assert fetch(f"{url}?expand=nonsense").status == 400
    hub.admin.delete_repo("org/expanded", kind)


def test_read_tokens_cannot_write(hub: TestHub) -> None:
    hub.admin.add_token("alice", "hf_alice_read", role="read", label="reader")
    url = f"{hub.endpoint}/api/models/org/repo/branch/x"
    headers = {"Authorization": "Bearer hf_alice_read"}
    assert fetch(url, headers, "POST", b"{}").status == 403
    assert fetch(f"{hub.endpoint}/api/models/org/repo/auth-check/write", headers).status == 403
    assert fetch(f"{hub.endpoint}/api/models/org/repo/auth-check/write", ALICE).status == 200
    hub.admin.revoke_token("reader")
    assert fetch(url, headers, "POST", b"{}").status == 401


def test_moved_repositories(hub: TestHub, restricted: str) -> None:
    hub.admin.move_repo(restricted, "org/second")
    hub.admin.move_repo("org/second", "org/third")
    answer = fetch(f"{hub.endpoint}/api/models/{restricted}/tree/main/x%2Fy?recursive=true")
    assert answer.status == 307
    assert answer.get("Location") == "/api/models/org/third/tree/main/x%2Fy?recursive=true"
    answer = fetch(f"{hub.endpoint}/{restricted}/resolve/main/a.txt", method="HEAD")
    assert (answer.status, answer.get("Location")) == (307, "/org/third/resolve/main/a.txt")
    hub.admin.set_access("org/third", private=True)
    assert fetch(f"{hub.endpoint}/api/models/{restricted}", BOB).status == 404
    hub.admin.move_repo("org/third", restricted)
    assert fetch(f"{hub.endpoint}/api/models/{restricted}", ALICE).status == 200


def test_request_ids(hub: TestHub, small: str) -> None:
    assert "trace-7" in (fetch(small, {"X-Amzn-Trace-Id": "trace-7"}).get("X-Request-Id") or "")
    assert fetch(small, {"X-Request-Id": "mine"}).get("X-Request-Id") == "mine"


# --- The CDN -------------------------------------------------------------------------------


def test_signatures() -> None:
    key, now = b"key", time.time()
    path, _, query = sign(key, "/a/b", now + 60, "b").partition("?")
    assert verify(key, path, query) is None
    assert verify(b"other", path, query) == "the signature does not match"
    assert verify(key, "/a/c", query) == "the signature does not match"
    assert (
        verify(key, path, query.replace("Expires=1", "Expires=2")) == "the signature does not match"
    )
    assert verify(key, path, "") == "the URL is not signed"
    path, _, query = sign(key, "/a/b", now - 1, "b").partition("?")
    assert verify(key, path, query) == "the URL has expired"


def test_signed_urls_expire(hub: TestHub, large_url: str) -> None:
    assert fetch(large_url).status == 200
    assert fetch(large_url[:-1] + "x").status == 403
    assert fetch(large_url.partition("?")[0]).status == 403
    hub.admin.expire_urls()
    assert fetch(large_url).status == 403
    hub.admin.configure(url_lifetime=-1)
    location = fetch(f"{hub.endpoint}/org/repo/resolve/main/dir/large.bin").get("Location")
    assert location is not None and fetch(location).status == 403


def test_credentials_on_the_cdn_are_noticed(hub: TestHub, large_url: str) -> None:
    assert hub.log.leaks() == []
    assert fetch(large_url, ALICE).status == 400
    assert [(record.server, record.user) for record in hub.log.leaks()] == [("cdn", "alice")]
    assert "hf_alice" not in repr(hub.log.find())


# --- Limits, connections, log --------------------------------------------------------------


def test_rate_limits(hub: TestHub, small: str) -> None:
    hub.admin.configure(rate_limits={"api": [2, 300]})
    info = f"{hub.endpoint}/api/models/org/repo"
    answers = [fetch(info) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [a.get("RateLimit") for a in answers] == [f'"api";r={r};t=300' for r in (1, 0, 0)]
    assert answers[2].get("RateLimit-Policy") == '"fixed window";"api";q=2;w=300'
    assert fetch(info, BOB).status == 200  # everybody has a window of their own
    assert fetch(small).status == 200  # and every bucket


def test_rate_limit_windows_end() -> None:
    now = [1000.0]
    limiter = RateLimiter(clock=lambda: now[0])
    limits = {"api": (1, 10.0)}
    assert limiter.account(limits, "api", "me")[0] == ("RateLimit", '"api";r=0;t=10')
    now[0] += 9.5
    with pytest.raises(HubError) as refused:
        limiter.account(limits, "api", "me")
    assert (refused.value.status, refused.value.headers["RateLimit"]) == (429, '"api";r=0;t=1')
    now[0] += 0.5
    assert limiter.account(limits, "api", "me")[0] == ("RateLimit", '"api";r=0;t=10')


def test_many_connections_at_once(hub: TestHub, large_url: str, large: bytes) -> None:
    path = large_url.removeprefix(hub.cdn_endpoint)
    clients = [RawClient(large_url, timeout=30) for _ in range(100)]
    wrong: list[int] = []

    def read(number: int, client: RawClient) -> None:
        with client:
            for start in (number * 1000, number * 2000):
                answer = client.get(path, {"Range": f"bytes={start}-{start + 99_999}"})
                if answer.body != large[start : start + 100_000]:
                    wrong.append(number)

    threads = [threading.Thread(target=read, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert hub.log.count(status=206) == 200
    assert len({record.connection for record in hub.log.find()}) == 100
    assert hub.log.bytes_sent(hub.admin.files("org/repo")["dir/large.bin"]["etag"]) == 200 * 100_000


def test_idle_connections_can_be_closed(hub: TestHub, small: str) -> None:
    with RawClient(small) as client:
        assert client.get(urllib.parse.urlsplit(small).path).status == 200
        assert hub.admin.close_idle_connections() >= 1
        assert client.is_closed()


def test_log_answers_questions(hub: TestHub, small: str) -> None:
    mark = hub.log.last_number()
    fetch(small, {**ALICE, "Range": "bytes=0-9"})
    fetch(small + "?x=1", method="HEAD")
    fetch(f"{hub.endpoint}/api/models/org/repo", BOB)
    assert hub.log.count() == 3
    assert hub.log.count(since=mark, method="GET") == 2
    assert hub.log.count(path="/org/repo/resolve/main/small.txt", repo="models/org/repo") == 2
    assert hub.log.count(path_matches="^/api/", status=200) == 1
    assert hub.log.count(query_matches="x=") == 1
    assert hub.log.count(method=["HEAD", "POST"]) == 1
    assert hub.log.ranges(file="small.txt") == ["bytes=0-9", None]
    assert hub.log.bytes_sent(file="small.txt") == 10
    (record,) = hub.log.find(user="alice")
    assert (record.token, record.auth, record.status) == ("alice-1", "valid", 206)
    with pytest.raises(ValueError):
        hub.log.count(pth="x")
    with pytest.raises(TimeoutError):
        hub.log.wait(user="nobody", timeout=0.01)
    hub.log.clear()
    assert hub.log.count() == 0


def test_malformed_requests(hub: TestHub) -> None:
    for text in (
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
    ):
        with RawClient(hub.endpoint) as client:
            client.sock.sendall(text)
            assert client.answer().status == 400
            assert client.is_closed()
    answer = fetch(f"{hub.endpoint}/api/repos/create", ALICE, "POST", b"{nonsense")
    assert answer.status == 400


def test_chunked_and_expected_request_bodies(hub: TestHub) -> None:
    with RawClient(hub.endpoint) as client:
        headers = {**ALICE, "Transfer-Encoding": "chunked", "Expect": "100-continue"}
        client.send("POST", "/api/models/org/repo/tag/main", headers)
        client.sock.sendall(b'6\r\n{"tag"\r\n6;x=y\r\n: "v9"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n')
        assert client.answer().status == 200
        assert client.get("/api/models/org/repo").status == 200  # nothing of the body was left over
    assert "v9" in hub.admin.refs("org/repo")["tag"]
    hub.admin.delete_ref("org/repo", "v9", ref_kind="tag")


# --- TLS -----------------------------------------------------------------------------------


def test_certificate_fits_all_local_names(tmp_path: Path) -> None:
    with TestHub(tls=True, directory=tmp_path) as hub:
        hub.admin.create_repo("org/repo", files={"w.bin": {"random": 1000}})
        assert hub.ca_file is not None and hub.endpoint.startswith("https://")
        context = ssl.create_default_context(cafile=str(hub.ca_file))
        for name in ("127.0.0.1", "localhost"):
            base = hub.endpoint.replace("127.0.0.1", name)
            with urllib.request.urlopen(
                f"{base}/org/repo/resolve/main/w.bin", context=context
            ) as reply:
                assert reply.url.startswith(
                    hub.cdn_endpoint
                )  # the CDN's certificate was accepted too
                assert len(reply.read()) == 1000
        text = ssl._ssl._test_decode_cert(str(tmp_path / "tls" / "server.pem"))  # type: ignore[attr-defined]
        assert ("IP Address", "0:0:0:0:0:0:0:1") in text["subjectAltName"]


def test_faults_over_tls(tmp_path: Path) -> None:
    with TestHub(tls=True, directory=tmp_path) as hub:
        hub.admin.create_repo("org/repo", files={"a.txt": "x" * 1000})
        context = ssl.create_default_context(cafile=str(hub.ca_file))
        url = f"{hub.endpoint}/org/repo/resolve/main/a.txt"
        hub.faults.add("close", after=400)
        with urllib.request.urlopen(url, context=context) as reply:
            with pytest.raises(http.client.IncompleteRead) as cut:
                reply.read()
            assert len(cut.value.partial) == 400
        hub.faults.add("reset", after=400)
        with RawClient(hub.endpoint) as client:
            client.sock = context.wrap_socket(client.sock, server_hostname="127.0.0.1")
            client.send("GET", "/org/repo/resolve/main/a.txt")
            # Below TLS: Python's module reports a reset as just another end of the stream.
            with pytest.raises(ConnectionResetError):
                while socket.socket.recv(client.sock, 65536):
                    pass
        hub.faults.add("stall", after=400)
        with urllib.request.urlopen(url, context=context) as reply:
            hub.log.wait(stalled=True)
            hub.faults.release()
            assert len(reply.read()) == 1000


def test_stops_at_once_whatever_is_under_way() -> None:
    with TestHub() as hub:
        hub.admin.create_repo("org/repo", files={"a.txt": "a"})
        hub.faults.add("stall")
        with RawClient(hub.endpoint) as client:
            client.send("GET", "/org/repo/resolve/main/a.txt")
            hub.log.wait(stalled=True)
            begin = time.monotonic()
            hub.stop()
            assert time.monotonic() - begin < 1
            client.head()
            assert client.is_closed()


def test_control_server_is_plain_json(hub: TestHub) -> None:
    assert json.loads(fetch(hub.control_url + "/").body)["endpoint"] == hub.endpoint
    assert json.loads(fetch(hub.control_url + "/log/count?method=GET").body) == {"result": 0}
    for path, status in (
        ("/nope/x", 404),
        ("/admin/_set_access", 404),
        ("/admin/refs?id=no/no", 400),
    ):
        assert fetch(hub.control_url + path).status == status
    assert fetch(hub.control_url + "/faults/add", method="POST", body=b'{"kind":"x"}').status == 400


# --- What must not leave clients without an answer -----------------------------------------


def test_a_connection_without_a_thread_is_ended_and_the_next_served(
    hub: TestHub, small: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = threading.Thread.start
    left = [1]

    def fail_once(thread: threading.Thread) -> None:
        if left and thread.name.endswith("(_serve)"):
            left.pop()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)
    with pytest.raises((EOFError, ConnectionResetError)):
        fetch(small)
    assert left == []
    assert fetch(small).body == SMALL
    assert "can't start new thread" in capfd.readouterr().err


def test_a_bug_in_a_connection_ends_it(
    hub: TestHub, small: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("bug")

    kept: list[object] = []
    monkeypatch.setattr(threading, "excepthook", kept.append)
    with monkeypatch.context() as patch:
        patch.setattr(type(hub.faults), "pick", fail)
        with pytest.raises((EOFError, ConnectionResetError)):
            fetch(small)
    assert fetch(small).body == SMALL
    assert "bug" in capfd.readouterr().err
