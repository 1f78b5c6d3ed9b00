"""Faults while the bytes of files are moved: right bytes or a clear error, never anything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import (
    KIB,
    MIB,
    QUICK,
    blobs,
    clear_failure,
    content,
    etag,
    eventually,
    finished,
    make_repo,
    partials,
    right_bytes,
    watched,
)

# A regular file (from the Hub itself), a large one that comes in one request, one in five pieces.
SHAPES = {"plain.txt": 40 * KIB, "small.bin": 300 * KIB, "pieces.bin": 5 * MIB - 7}


@pytest.fixture(scope="module")
def shared(session_hub: TestHub) -> Iterator[Daemon]:
    """One daemon for the whole file: what a fault leaves behind must not harm the next test."""
    with watched(Daemon(session_hub.endpoint, **QUICK)) as daemon:
        yield daemon


def shape_contents(repo: str) -> dict[str, bytes]:
    return {name: content(f"{repo}/{name}", size) for name, size in SHAPES.items()}


def three_files(hub: TestHub, repo: str) -> dict[str, bytes]:
    files = shape_contents(repo)
    make_repo(hub, repo, files)
    return files


def spoil(hub: TestHub, file: str, script: list[dict[str, Any]], **match: Any) -> list[int]:
    """One rule after the other, each for as many requests as it says."""
    server = "hub" if file.endswith("plain.txt") else "cdn"
    match = {"server": server, "file": file, **match}
    return [hub.faults.add(match=match, **rule) for rule in script]


# Each fault hits each of the three files: what comes once or twice must heal unnoticed.
HEALS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "broken connections": {
        "reset at once": [{"kind": "reset"}],
        "reset in the middle": [{"kind": "reset", "after": 10_000}],
        "reset shortly before the end": [{"kind": "reset", "after": -1}],
        "closed at once": [{"kind": "close"}],
        "closed in the middle": [{"kind": "close", "after": 10_000}],
        "closed again and again": [{"kind": "close", "after": 10_000, "times": 3}],
        "not answered": [{"kind": "drop"}, {"kind": "drop", "reset": True}],
        "not kept": [{"kind": "hangup", "times": None}],
        "reset instead of kept": [{"kind": "hangup", "reset": True, "times": None}],
    },
    "time": {
        "stalled": [{"kind": "stall", "after": 10_000}],
        "stalled before the first byte": [{"kind": "stall"}],
        "dribbled": [{"kind": "dribble", "rate": 900_000, "times": None}],
        "answered late": [{"kind": "delay", "seconds": 0.7}],
        "answered too late": [{"kind": "delay", "seconds": 30}],
    },
    "bytes": {
        "a wrong byte": [{"kind": "corrupt", "offset": 100}],
        "other bytes": [{"kind": "corrupt", "offset": 0, "length": 30_000}],
        "a page instead of the file": [{"kind": "status", "status": 200, "body": "<html>hello"}],
        "compressed": [{"kind": "gzip"}],
        "length too long": [{"kind": "wrong_length", "delta": 5}],
        "length too short": [{"kind": "wrong_length", "delta": -5}],
        "chunked": [{"kind": "chunked", "times": None}],
        "chunked and cut": [{"actions": [{"kind": "chunked"}, {"kind": "close", "after": 10_000}]}],
        "without length": [{"kind": "no_length", "times": None}],
        "without length and cut": [
            {"actions": [{"kind": "no_length"}, {"kind": "close", "after": 10_000}]}
        ],
    },
    "parts": {  # the break makes sure that a part is asked for
        "range ignored": [{"kind": "reset", "after": 10_000}, {"kind": "ignore_range"}],
        "another part": [{"kind": "close", "after": 10_000}, {"kind": "bad_content_range"}],
        "part of nothing known": [
            {"kind": "close", "after": 10_000},
            {"kind": "headers", "remove": ["Content-Range"]},
        ],
        "part of another size": [
            {"kind": "close", "after": 10_000},
            {"kind": "bad_content_range", "value": "bytes 10000-10009/10010"},
        ],
        "not satisfiable": [{"kind": "close", "after": 10_000}, {"kind": "status", "status": 416}],
    },
    "statuses": {
        "500": [{"kind": "status", "status": 500}],
        "502, 503, 504": [{"kind": "status", "status": status} for status in (502, 503, 504)],
        "503 with Retry-After": [
            {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}}
        ],
        "408": [{"kind": "status", "status": 408}],
        "429": [{"kind": "status", "status": 429}],
    },
    "headers": {
        "interim answers": [
            {"kind": "interim", "statuses": [100, 103, 102], "headers": {"Link": "</x>"}}
        ],
        "a huge header": [{"kind": "huge_header"}],
        "thousands of headers": [{"kind": "header_flood"}],
        "redirected to itself once": [{"kind": "redirect"}],
        "redirected to nowhere": [{"kind": "redirect", "to": "ftp://nowhere/x"}],
        "redirected without saying where": [{"kind": "status", "status": 302}],
    },
}


@pytest.mark.parametrize("family", HEALS)
def test_passing_faults_heal(shared: Daemon, hub: TestHub, family: str) -> None:
    clients = {}
    for fault, script in HEALS[family].items():
        repo = f"heals/{fault.replace(' ', '-').replace(',', '')}"
        files = {f"{fault}/{name}": data for name, data in shape_contents(repo).items()}
        make_repo(hub, repo, files)
        rules = [rule for file in files for rule in spoil(hub, file, script)]
        clients[fault] = files, rules, shared.start_wharf("download", repo, "--quiet")
    for fault, (files, rules, client) in clients.items():
        done = finished(client)
        assert done.returncode == 0, f"{fault}: {done.stderr}"
        right_bytes(Path(done.stdout.strip()), files)
        assert all(hub.faults.hits(rule) for rule in rules), f"not every fault happened: {fault}"
    eventually(lambda: partials(shared) == [], "no unfinished file is left")


def test_a_range_ignored_from_the_start_brings_the_file_in_one_go(
    shared: Daemon, hub: TestHub
) -> None:
    files = three_files(hub, "files/no-ranges")
    spoil(hub, "pieces.bin", [{"kind": "ignore_range", "times": None}], range=True)
    right_bytes(shared.download("files/no-ranges", "--quiet"), files)


def test_damage_in_what_comes_again_is_seen(shared: Daemon, hub: TestHub) -> None:
    """A server without ranges sends all again, and now the beginning is wrong: it was hashed."""
    data = content("again", 3 * MIB)
    make_repo(hub, "files/again", {"again.bin": data})
    no_ranges = {"kind": "ignore_range"}
    broken = {"actions": [no_ranges, {"kind": "close", "after": 2 * MIB + 9}]}
    spoilt = {"actions": [no_ranges, {"kind": "corrupt", "offset": 5, "length": MIB}]}
    spoil(hub, "again.bin", [broken, spoilt, {**no_ranges, "times": None}])
    assert shared.download("files/again", "again.bin", "--quiet").read_bytes() == data


def test_an_outage_of_seconds_is_survived_by_files_in_pieces(shared: Daemon, hub: TestHub) -> None:
    """It hits all connections of the file, each time: that must not use up the tries."""
    files = three_files(hub, "files/outage")
    rule = spoil(hub, "pieces.bin", [{"kind": "reset", "skip": 1, "times": None}])[0]
    client = shared.start_wharf("download", "files/outage", "--quiet")
    hub.faults.wait(rule)
    time.sleep(1.5)
    hub.faults.remove(rule)
    done = finished(client)
    assert done.returncode == 0, done.stderr
    right_bytes(Path(done.stdout.strip()), files)


def test_what_arrived_before_a_break_is_not_fetched_again(shared: Daemon, hub: TestHub) -> None:
    repo = "files/breaks"
    files = three_files(hub, repo)
    for file in files:
        spoil(hub, file, [{"kind": "reset", "after": -5_000, "times": 2}])
    right_bytes(shared.download(repo, "--quiet"), files)
    for file, expected in files.items():
        sent = hub.log.bytes_sent(etag(hub, repo, file))
        assert sent < 1.1 * len(expected), f"{file}: {sent} bytes for {len(expected)}"


def test_damaged_bytes_cost_one_more_fetch(shared: Daemon, hub: TestHub) -> None:
    repo = "files/damaged"
    files = three_files(hub, repo)
    for file in files:
        spoil(hub, file, [{"kind": "corrupt", "offset": 20_000}])
    right_bytes(shared.download(repo, "--quiet"), files)
    for file, expected in files.items():
        assert hub.log.bytes_sent(etag(hub, repo, file)) == 2 * len(expected), file


def test_a_signature_that_expires_in_the_middle_is_renewed(shared: Daemon, hub: TestHub) -> None:
    files = three_files(hub, "files/expiring")
    slow = spoil(hub, "pieces.bin", [{"kind": "dribble", "rate": 4 * MIB, "times": None}])[0]
    client = shared.start_wharf("download", "files/expiring", "--quiet")
    hub.faults.wait(slow, 2)
    hub.admin.expire_urls()
    done = finished(client)
    assert done.returncode == 0, done.stderr
    right_bytes(shared.download("files/expiring", "--quiet"), files)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_cdn_that_refuses_what_it_served_before_is_no_failure(
    shared: Daemon, hub: TestHub, status: int
) -> None:
    repo = f"files/refused-{status}"
    files = three_files(hub, repo)
    refusal = {"kind": "status", "status": status, "skip": 2, "times": 2}
    rule = spoil(hub, "pieces.bin", [refusal])[0]
    right_bytes(shared.download(repo, "--quiet"), files)
    assert hub.faults.hits(rule) == 2


def test_a_url_that_is_too_old_from_the_start_is_asked_for_again(
    shared: Daemon, hub: TestHub
) -> None:
    files = three_files(hub, "files/old-url")
    spoil(hub, "pieces.bin", [{"kind": "expired_signature", "times": 2}], server="hub")
    spoil(hub, "small.bin", [{"kind": "expired_signature"}])
    right_bytes(shared.download("files/old-url", "--quiet"), files)


def test_connections_closed_while_unused_are_no_failure(shared: Daemon, hub: TestHub) -> None:
    for number in range(3):
        files = three_files(hub, f"files/idle-{number}")
        right_bytes(shared.download(f"files/idle-{number}", "--quiet"), files)
        hub.admin.close_idle_connections()


def test_regular_files_behind_redirects(shared: Daemon, hub: TestHub) -> None:
    """To the Hub itself, and to another host; the fixture sees whether a token went along."""
    for number, settings in enumerate([{"resolve_cache": True}, {"cdn_for_regular": True}]):
        before = hub.admin.configure()
        hub.admin.configure(**settings)
        repo = f"files/behind-redirects-{number}"
        files = three_files(hub, repo)
        snapshot = shared.download(repo, "--quiet", HF_TOKEN="hf_alice")
        hub.admin.configure(**{key: before[key] for key in settings})
        right_bytes(snapshot, files)
    assert hub.log.count(server="hub", auth="valid") > 0


def test_a_redirect_elsewhere_never_carries_the_token(shared: Daemon, hub: TestHub) -> None:
    files = three_files(hub, "files/elsewhere")
    elsewhere = f"{hub.cdn_endpoint}/models/files/elsewhere/{'0' * 64}/plain.txt"
    rules = spoil(hub, "plain.txt", [{"kind": "redirect", "to": elsewhere}])
    right_bytes(shared.download("files/elsewhere", "--quiet", HF_TOKEN="hf_alice"), files)
    assert hub.faults.hits(rules[0]) == 1
    assert hub.log.count(server="cdn", path_matches="0{64}", auth="none") == 1


# --- Faults that do not pass --------------------------------------------------------------------

ALWAYS: dict[str, tuple[str, int, dict[str, Any], str]] = {
    "reset": ("small.bin", 5, {"kind": "reset"}, "connection reset|closed"),
    "closed": ("pieces.bin", 5, {"kind": "close"}, "ended|closed"),
    "stalled": ("small.bin", 5, {"kind": "stall"}, "no byte|stall"),
    "unanswered": ("plain.txt", 5, {"kind": "drop"}, "closed|answer"),
    "slow": ("pieces.bin", 5, {"kind": "delay", "seconds": 30}, "answer"),
    "unavailable": ("small.bin", 5, {"kind": "status", "status": 503}, "503"),
    "broken": ("plain.txt", 5, {"kind": "status", "status": 500}, "500"),
    "limited": ("plain.txt", 5, {"kind": "status", "status": 429}, "fewer requests"),
    "refused": ("pieces.bin", 5, {"kind": "status", "status": 403}, "no longer serves"),
    "corrupt": ("small.bin", 7, {"kind": "corrupt", "offset": 9}, "hash(?s:.*)nothing was"),
    "corrupt-pieces": ("pieces.bin", 7, {"kind": "corrupt", "offset": 3 * MIB}, "hash"),
    "corrupt-plain": ("plain.txt", 7, {"kind": "corrupt", "offset": 9}, "hash"),
    "page": ("small.bin", 1, {"kind": "status", "status": 200, "body": "<html>"}, "6 bytes"),
    "longer": ("small.bin", 1, {"kind": "wrong_length", "delta": 10}, "bytes, expected"),
    "shorter": ("plain.txt", 1, {"kind": "wrong_length", "delta": -10}, "bytes, expected"),
    "part": ("pieces.bin", 1, {"kind": "bad_content_range"}, "bytes .* came"),
    "compressed": ("plain.txt", 1, {"kind": "gzip"}, "compressed"),
    "header": ("small.bin", 1, {"kind": "huge_header"}, "header"),
    "loop": ("pieces.bin", 1, {"kind": "redirect"}, "redirected more than"),
    "teapot": ("small.bin", 1, {"kind": "status", "status": 418}, "418"),
}


def test_a_fault_that_stays_ends_in_a_clear_error(shared: Daemon, hub: TestHub) -> None:
    """All at once: each takes its tries, some seconds."""
    clients = {}
    for name, (file, _, rule, _) in ALWAYS.items():
        repo = f"always/{name}"
        make_repo(hub, repo, {f"{name}-{file}": content(repo, SHAPES[file])})
        spoil(hub, f"{name}-{file}", [{**rule, "times": None}])
        clients[name] = shared.start_wharf("download", repo, f"{name}-{file}", "--quiet")
    for name, (file, code, _, words) in ALWAYS.items():
        clear_failure(finished(clients[name]), code, words, f"{name}-{file}|always/{name}")
        assert etag(hub, f"always/{name}", f"{name}-{file}") not in blobs(shared, f"always/{name}")
        assert not list(shared.cache.glob(f"models--always--{name}/snapshots/*/*")), name
    hub.faults.clear()
    for name, (file, *_) in ALWAYS.items():  # and once it is over, the same command does it
        clients[name] = shared.start_wharf("download", f"always/{name}", "--quiet")
    for name, (file, *_) in ALWAYS.items():
        done = finished(clients[name])
        assert done.returncode == 0, f"{name}: {done.stderr}"
        data = content(f"always/{name}", SHAPES[file])
        right_bytes(Path(done.stdout.strip()), {f"{name}-{file}": data})


def test_a_wait_that_is_too_long_is_refused_at_once(daemon: Daemon, hub: TestHub) -> None:
    """By the host that asked for it, and only there."""
    files = three_files(hub, "files/long-wait")
    limit = {"kind": "status", "status": 429, "headers": {"Retry-After": "3000"}}
    rule = spoil(hub, "small.bin", [{**limit, "times": None}])[0]
    for _ in range(2):
        done = daemon.wharf("download", "files/long-wait", "small.bin", "--quiet", timeout=5)
        clear_failure(done, 5, "fewer requests", "small.bin")
    path = daemon.download("files/long-wait", "plain.txt", "--quiet")
    assert path.read_bytes() == files["plain.txt"]
    hub.faults.remove(rule)
    spoil(hub, "pieces.bin", [{**limit, "times": None}], server="hub")
    done = daemon.wharf("download", "files/long-wait", "pieces.bin", "--quiet", timeout=5)
    clear_failure(done, 5, "fewer requests", "pieces.bin")
    asked = hub.log.count(server="hub")
    done = daemon.wharf("download", "files/long-wait", "pieces.bin", "--quiet", timeout=5)
    clear_failure(done, 5, "asked to wait 49m")
    assert hub.log.count(server="hub") == asked, [r.path for r in hub.log.find()]
    # Another account has a limit of its own.
    hub.faults.clear()
    right_bytes(daemon.download("files/long-wait", "--quiet", HF_TOKEN="hf_alice"), files)


def test_bytes_that_stay_wrong_leave_nothing_behind(daemon: Daemon, hub: TestHub) -> None:
    files = {"x.bin": content("wrong", 3 * MIB)}
    make_repo(hub, "files/wrong", files)
    spoil(hub, "x.bin", [{"kind": "corrupt", "offset": MIB + 5, "times": None}])
    done = daemon.wharf("download", "files/wrong", "x.bin", "--quiet")
    clear_failure(done, 7, "x.bin")
    assert partials(daemon) == []
    assert blobs(daemon, "files/wrong") == []
    assert hub.log.bytes_sent(etag(hub, "files/wrong", "x.bin")) == 2 * len(files["x.bin"])


def test_a_file_that_is_not_the_listed_one_is_not_taken(shared: Daemon, hub: TestHub) -> None:
    files = three_files(hub, "files/other")
    rules = [
        {"kind": "etag", "value": f'"{"ab" * 20}"', "times": None},
        {"kind": "headers", "set": {"X-Repo-Commit": "ab" * 20}, "times": None},
        {"kind": "headers", "set": {"X-Linked-Size": "5"}, "times": None},
    ]
    clients = []
    for file, rule in zip(files, rules, strict=True):
        spoil(hub, file, [rule], server="hub")
        clients.append(shared.start_wharf("download", "files/other", file, "--quiet"))
    for client in clients:
        clear_failure(finished(client), 1, "has changed")
    hub.faults.clear()
    right_bytes(shared.download("files/other", "--quiet"), files)


def test_missing_etags_are_no_failure(shared: Daemon, hub: TestHub) -> None:
    files = three_files(hub, "files/no-etags")
    for file in files:
        hub.faults.add("etag", match={"file": file}, times=None)
    right_bytes(shared.download("files/no-etags", "--quiet"), files)


def test_encrypted_questions_get_no_unencrypted_files(tmp_path: Path) -> None:
    with TestHub(tls=True, directory=tmp_path / "hub") as hub, TestHub() as plain:
        files = {"x.bin": content("downgrade", 100 * KIB), "y.bin": content("tls", 2 * MIB)}
        for each in (hub, plain):
            make_repo(each, "org/m", files)
        target = f"{plain.endpoint}/org/m/resolve/main/x.bin"
        hub.faults.add("redirect", to=target, match={"file": "x.bin"}, times=None)
        settings = {**QUICK, "hub": {**QUICK["hub"], "ca_file": str(hub.ca_file)}}
        with watched(Daemon(hub.endpoint, **settings)) as daemon:
            done = daemon.wharf("download", "org/m", "x.bin", "--quiet", HF_TOKEN="hf_alice")
            clear_failure(done, 4, "token")  # nobody knows alice here
            done = daemon.wharf("download", "org/m", "x.bin", "--quiet")
            clear_failure(done, 1, "without encryption")
            path = daemon.download("org/m", "y.bin", "--quiet")
            assert path.read_bytes() == files["y.bin"]
        assert plain.log.count() == 0


# --- Afterwards ---------------------------------------------------------------------------------


@pytest.fixture
def frugal(hub: TestHub) -> Iterator[Daemon]:
    """A daemon whose memory can be measured: a sanitizer must not keep what was freed."""
    sanitizer = {"ASAN_OPTIONS": "quarantine_size_mb=1"}
    with watched(Daemon(hub.endpoint, environment=sanitizer, **QUICK)) as daemon:
        yield daemon


def test_no_descriptor_and_no_memory_is_left_behind(frugal: Daemon, hub: TestHub) -> None:
    """Unused connections to the Hub are kept for a while, but those that broke are not."""
    daemon = frugal

    def batch(number: int) -> None:
        clients = []
        for fault in ("reset", "corrupt", "gzip", "drop"):
            repo = f"leaks/{number}-{fault}"
            for file in three_files(hub, repo):
                spoil(hub, file, [{"kind": fault}])
            clients.append(daemon.start_wharf("download", repo, "--quiet"))
        make_repo(hub, f"leaks/{number}", {"bad.bin": content(f"bad {number}", MIB)})
        spoil(hub, "bad.bin", [{"kind": "corrupt", "times": None}])
        clients.append(daemon.start_wharf("download", f"leaks/{number}", "bad.bin", "--quiet"))
        codes = [finished(client).returncode for client in clients]
        assert codes == [0, 0, 0, 0, 7]
        hub.faults.clear()

    def standing() -> int:
        return len(daemon.open_descriptors()) - len(daemon.tcp_connections())

    idle = standing()
    batch(0)
    memory = daemon.memory()
    for number in range(1, 4):
        batch(number)
    eventually(lambda: standing() <= idle, f"back to {idle} descriptors")
    # Each batch breaks more than a dozen, and has never more than 32 at once.
    assert len(daemon.tcp_connections()) <= 32
    assert daemon.memory() < memory + 32 * MIB
