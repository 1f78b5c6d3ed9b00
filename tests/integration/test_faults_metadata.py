"""Faults of what the Hub says about repos: hostile listings, garbled answers, refusals, no Hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import (
    KIB,
    QUICK,
    blobs,
    clear_failure,
    content,
    etag,
    eventually,
    finished,
    make_repo,
    right_bytes,
    watched,
)


@pytest.fixture(scope="module")
def shared(session_hub: TestHub) -> Iterator[Daemon]:
    with watched(Daemon(session_hub.endpoint, **QUICK)) as daemon:
        yield daemon


def info_of(repo: str) -> dict[str, Any]:
    """Matches the question for a branch's commit."""
    return {"server": "hub", "path": f"^/api/models/{repo}/revision/"}


def tree_of(repo: str) -> dict[str, Any]:
    return {"server": "hub", "path": f"^/api/models/{repo}/tree/"}


def kept(daemon: Daemon, repo: str) -> list[str]:
    """What the cache holds of a repo."""
    folder = daemon.cache / f"models--{repo.replace('/', '--')}"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


# --- Hostile listings ---------------------------------------------------------------------------


def entry(path: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": 5, "oid": "ab" * 20, **fields}


def lfs(path: str, **fields: Any) -> dict[str, Any]:
    return entry(path, lfs={"oid": "cd" * 32, "size": 5, "pointerSize": 130, **fields})


def raw(path: bytes) -> bytes:
    """A listing that Python's encoder would not write."""
    return b'[{"type":"file","path":"%s","size":5,"oid":"%s"}]' % (path, b"ab" * 20)


HOSTILE: dict[str, tuple[Any, str]] = {
    "parent": ([entry("../../../etc/cron.d/job")], r"\.\./\.\./\.\./etc/cron\.d/job"),
    "parent-inside": ([entry("a/../../b")], "'a/../../b'"),
    "parent-last": ([entry("a/..")], "'a/..'"),
    "here": ([entry("./a")], "'./a'"),
    "absolute": ([entry("/etc/passwd")], "'/etc/passwd'.*absolute"),
    "backslash": ([entry("..\\..\\x")], r"\.\."),
    "empty": ([entry("")], "empty"),
    "empty-part": ([entry("a//b")], "'a//b'"),
    "folder-name": ([entry("a/")], "'a/'"),
    "nul": ([entry("a\0b")], "control character"),
    "newline": ([entry("a\nb")], "control character"),
    "escape": ([entry("a\x1b[31mred")], "control character"),
    "git": ([entry(".git/hooks/post-checkout")], "'.git/hooks/post-checkout'"),
    "git-case": ([entry("sub/.GiT/config")], "GiT"),
    "long-part": ([entry("x" * 256)], "255"),
    "long-path": ([entry("/".join(["abcdefg"] * 129))], "1024"),
    "clash": ([entry("a/b"), entry("a")], "'a'.*both a file and a folder"),
    "clash-deep": ([entry("d/e/f"), entry("d-x"), entry("d/e")], "'d/e'"),
    "twice": ([entry("a"), entry("b"), entry("a")], "'a'.*twice"),
    "negative": ([entry("a", size=-1)], "size|'a'"),
    "huge": ([entry("a", size=2**60)], "'a'.*size"),
    "beyond": ([entry("a", size=2**64)], "size|'a'|number"),
    "fraction": ([entry("a", size=1.5)], "size|'a'|number"),
    "text-size": ([entry("a", size="5")], "size|'a'|number"),
    "lfs-negative": ([lfs("a", size=-5)], "size|'a'|number"),
    "oid": ([entry("a", oid="../../../../tmp/x")], "'a'.*40 hex"),
    "oid-short": ([entry("a", oid="abc")], "'a'.*40 hex"),
    "lfs-oid": ([lfs("a", oid="../" * 20 + "abcd")], "'a'.*64 hex"),
    "path-missing": ([{"type": "file", "size": 1, "oid": "ab" * 20}], "listing|path"),
    "path-number": ([entry(7)], "listing|path"),
    "latin": (raw(b"caf\xe9"), "hostile/latin"),
    "overlong": (raw(b"a\xc0\xafb"), "hostile/overlong"),
    "surrogate": (raw(b"a\\ud800b"), "hostile/surrogate"),
    "not-a-list": ({"error": "hello"}, "listing|list"),
    "no-objects": (["a", "b"], "listing|entr"),
}


def test_a_hostile_listing_is_refused_as_a_whole(shared: Daemon, hub: TestHub) -> None:
    clients = {}
    for name, (entries, _) in HOSTILE.items():
        make_repo(hub, f"hostile/{name}", {"good.txt": b"good"})
        rule = {"json": entries}
        if isinstance(entries, list):
            rule = {"json": [entry("0first"), *entries, entry("zlast")]}
        elif isinstance(entries, bytes):
            rule = {"hex": entries.hex()}
        hub.faults.add("body", match=tree_of(f"hostile/{name}"), times=None, **rule)
        clients[name] = shared.start_wharf("download", f"hostile/{name}", "--quiet")
    for name, (_, words) in HOSTILE.items():
        clear_failure(finished(clients[name]), 1, words)
        assert kept(shared, f"hostile/{name}") == [], name
    hub.faults.clear()
    snapshot = shared.download("hostile/parent", "--quiet")
    right_bytes(snapshot, {"good.txt": b"good"})


def test_a_bad_entry_on_a_later_page_spoils_the_earlier_ones(shared: Daemon, hub: TestHub) -> None:
    hub.admin.configure(page_size=2)
    files = {f"{letter}.txt": letter.encode() for letter in "abcdef"}
    make_repo(hub, "hostile/pages", files)
    bad = [entry("../x")]
    rule = hub.faults.add("body", json=bad, match=tree_of("hostile/pages"), skip=2, times=None)
    done = shared.wharf("download", "hostile/pages", "--quiet")
    clear_failure(done, 1, r"'\.\./x'")
    assert kept(shared, "hostile/pages") == []
    hub.faults.remove(rule)
    right_bytes(shared.download("hostile/pages", "--quiet"), files)


# --- Garbled answers ----------------------------------------------------------------------------

STYLES = ["truncated", "garbage", "trailing", "empty", "html", "not_utf8", "deep"]


def test_garbled_answers_heal_or_end_in_a_clear_error(shared: Daemon, hub: TestHub) -> None:
    spoilt, healing = {}, {}
    for style in STYLES:
        for part, match in (("revision", info_of), ("tree", tree_of)):
            name = f"{style}-{part}"
            make_repo(hub, f"garbled/{name}", {"a.txt": b"a"})
            make_repo(hub, f"garbled-once/{name}", {"a.txt": b"a"})
            rule = {"kind": "malformed_json", "style": style}
            hub.faults.add(match=match(f"garbled/{name}"), times=None, **rule)
            hub.faults.add(match=match(f"garbled-once/{name}"), **rule)
            spoilt[name] = shared.start_wharf("download", f"garbled/{name}", "--quiet")
            healing[name] = shared.start_wharf("download", f"garbled-once/{name}", "--quiet")
    for name, client in healing.items():
        done = finished(client)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        right_bytes(Path(done.stdout.strip()), {"a.txt": b"a"})
    for name, client in spoilt.items():
        clear_failure(finished(client), 1, f"garbled/{name}")
        assert kept(shared, f"garbled/{name}") == [], name


PASSING: dict[str, list[dict[str, Any]]] = {
    "unavailable": [{"kind": "status", "status": status} for status in (500, 502, 503)],
    "limited": [{"kind": "status", "status": 429, "headers": {"Retry-After": "1"}}],
    "dropped": [{"kind": "drop"}, {"kind": "drop", "reset": True}],
    "cut": [{"kind": "close", "after": 20}, {"kind": "reset", "after": 20}],
    "stalled": [{"kind": "stall", "after": 20}],
    "late": [{"kind": "delay", "seconds": 30}],
    "compressed": [{"kind": "gzip"}],
    "lengths": [{"kind": "wrong_length", "delta": 9}, {"kind": "wrong_length", "delta": -9}],
    "framing": [{"kind": "chunked"}, {"kind": "no_length"}],
    "interim": [{"kind": "interim", "statuses": [100, 103]}],
    "headers": [{"kind": "huge_header"}],
    "redirect": [{"kind": "redirect"}],
}


def test_passing_faults_of_questions_heal(shared: Daemon, hub: TestHub) -> None:
    clients = {}
    for name, script in PASSING.items():
        make_repo(hub, f"passing/{name}", {"a.txt": name.encode()})
        for match in (info_of, tree_of):
            for rule in script:
                hub.faults.add(match=match(f"passing/{name}"), **rule)
        clients[name] = shared.start_wharf("download", f"passing/{name}", "--quiet")
    for name, client in clients.items():
        done = finished(client)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        right_bytes(Path(done.stdout.strip()), {"a.txt": name.encode()})


LASTING: dict[str, tuple[dict[str, Any], int, str]] = {
    "unavailable": ({"kind": "status", "status": 503}, 5, "503"),
    "dropped": ({"kind": "drop"}, 5, "closed|answer"),
    "limited": ({"kind": "status", "status": 429}, 5, "fewer requests"),
    "refused": ({"kind": "status", "status": 403}, 4, "refuses"),
    "legal": ({"kind": "status", "status": 451}, 4, "refuses"),
    "loop": ({"kind": "redirect"}, 1, "redirected more than"),
    "compressed": ({"kind": "gzip"}, 1, "compressed"),
    "huge-header": ({"kind": "huge_header"}, 1, "header"),
    "flood": ({"kind": "header_flood"}, 1, "header"),
    "teapot": ({"kind": "status", "status": 418}, 1, "418"),
}


def test_lasting_faults_of_questions_end_in_a_clear_error(shared: Daemon, hub: TestHub) -> None:
    clients = {}
    for name, (rule, _, _) in LASTING.items():
        for part, match in (("revision", info_of), ("tree", tree_of)):
            make_repo(hub, f"lasting/{name}-{part}", {"a.txt": name.encode()})
            hub.faults.add(match=match(f"lasting/{name}-{part}"), times=None, **rule)
            clients[name, part] = shared.start_wharf(
                "download", f"lasting/{name}-{part}", "--quiet"
            )
    for (name, part), client in clients.items():
        _, code, words = LASTING[name]
        clear_failure(finished(client), code, words)
        assert kept(shared, f"lasting/{name}-{part}") == []


# --- Where tokens go ----------------------------------------------------------------------------


def test_a_question_that_leads_elsewhere_is_refused(shared: Daemon, hub: TestHub) -> None:
    """By a redirect or a next page; the fixture sees whether the token went to another host."""
    targets = {
        "host": f"{hub.cdn_endpoint}/api/models/foreign/host/tree/main",
        "port": f"http://127.0.0.1:{hub.cdn_endpoint.rpartition(':')[2]}/api/models/x/y/tree/main",
        "scheme": f"https://{hub.endpoint.partition('://')[2]}/api/models/x/y/tree/main",
        "path": f"{hub.endpoint}/org/m/resolve/main/x",
        "garbage": "http://[::1",
        "circle": f"{hub.endpoint}/api/models/foreign/circle/tree/main?x=1",
    }
    clients = {}
    for name, target in targets.items():
        make_repo(hub, f"foreign/{name}", {"a.txt": b"a"})
        lead_on = [{"kind": "link_next", "to": target}, {"kind": "body", "json": []}]
        hub.faults.add(actions=lead_on, match=tree_of(f"foreign/{name}"), times=None)
        clients[name] = shared.start_wharf(
            "download", f"foreign/{name}", "--quiet", HF_TOKEN="hf_alice"
        )
    make_repo(hub, "foreign/api", {"a.txt": b"a"})
    to = f"{hub.cdn_endpoint}/api/models/foreign/api/revision/main"
    hub.faults.add("redirect", to=to, match=info_of("foreign/api"), times=None)
    clients["api"] = shared.start_wharf("download", "foreign/api", "--quiet", HF_TOKEN="hf_alice")
    words = {"circle": "circle", "api": "not the Hub"}
    for name, client in clients.items():
        clear_failure(finished(client), 1, words.get(name, "next page"))
        assert kept(shared, f"foreign/{name}") == []
    assert hub.log.count(server="cdn") == 0
    assert hub.log.count(server="hub", path_matches="/resolve/") == 0


def test_a_renamed_repo_is_followed(shared: Daemon, hub: TestHub) -> None:
    make_repo(hub, "foreign/old-name", {"a.txt": b"renamed"})
    hub.admin.move_repo("foreign/old-name", "foreign/new-name")
    snapshot = shared.download("foreign/old-name", "--quiet", HF_TOKEN="hf_alice")
    right_bytes(snapshot, {"a.txt": b"renamed"})


# --- Refusals -----------------------------------------------------------------------------------


def test_refusals_have_their_exit_codes(shared: Daemon, hub: TestHub) -> None:
    make_repo(hub, "wonderland/open", {"a.txt": b"a"})
    make_repo(hub, "wonderland/hidden", {"a.txt": b"hidden"}, private=True)
    make_repo(hub, "wonderland/gated-faults", {"a.txt": b"gated"}, gated="manual")
    make_repo(hub, "wonderland/off", {"a.txt": b"off"}, disabled=True)

    def ask(*arguments: str, token: str = "hf_bob") -> Any:
        return shared.wharf("download", *arguments, "--quiet", HF_TOKEN=token)

    for token in ("hf_bob", ""):
        clear_failure(ask("wonderland/gated-faults", token=token), 4, "gated")
        hidden = clear_failure(ask("wonderland/hidden", token=token), 3, "does not exist")
        missing = clear_failure(ask("wonderland/h1dden", token=token), 3, "does not exist")
        assert hidden == missing.replace("h1dden", "hidden")
        clear_failure(ask("wonderland/open", "--revision", "none", token=token), 3, "'none'")
        clear_failure(ask("wonderland/open", "--revision", "ab" * 20, token=token), 3, "abab")
        clear_failure(ask("wonderland/open", "b.txt", token=token), 3, "b.txt")
    clear_failure(ask("wonderland/open", token="hf_wrong"), 4, "token")
    clear_failure(ask("wonderland/open", token="hf_bad\r\nX: y"), 2, "token")
    clear_failure(ask("wonderland/off"), 4, "disabled")
    assert etag(hub, "wonderland/gated-faults", "a.txt") not in blobs(shared, "wonderland/gated-faults")
    assert not kept(shared, "wonderland/hidden")
    allowed = ask("wonderland/hidden", token="hf_alice")
    right_bytes(Path(allowed.stdout.strip()), {"a.txt": b"hidden"})


# --- A Hub that is away -------------------------------------------------------------------------


def test_a_hub_that_is_gone_leaves_what_is_cached(tmp_path: Path) -> None:
    hub = TestHub(directory=tmp_path / "hub")
    hub.start()
    files = {"a.txt": b"a", "b.bin": content("offline", 50 * KIB)}
    commit = make_repo(hub, "org/m", files)
    other = hub.admin.commit("org/m", branch="dev", files={"c.txt": "c"})
    with ExitStack() as stack:
        daemon = stack.enter_context(watched(Daemon(hub.endpoint, **QUICK)))
        daemon.download("org/m", "--quiet")
        daemon.download("org/m", "a.txt", "--revision", "dev", "--quiet")
        hub.stop()
        # What is not cached is out of reach, and says so; also by a daemon that never saw the Hub.
        fresh = stack.enter_context(watched(Daemon(hub.endpoint, **QUICK)))
        clients = [
            fresh.start_wharf("download", "org/m", "--quiet"),
            daemon.start_wharf("download", "org/other", "--quiet"),
            daemon.start_wharf("download", "org/m", "--revision", "v2", "--quiet"),
            daemon.start_wharf("download", "org/m", "c.txt", "--revision", other, "--quiet"),
        ]
        by_branch = daemon.wharf("download", "org/m")
        assert by_branch.returncode == 0, by_branch.stderr
        assert "last known" in by_branch.stderr or "not be asked" in by_branch.stderr
        right_bytes(Path(by_branch.stdout.splitlines()[-1]), files)
        as_json = daemon.wharf("download", "org/m", "--json")
        assert json.loads(as_json.stdout)["stale"] is True
        by_commit = daemon.wharf("download", "org/m", "--revision", commit, "--quiet")
        assert (by_commit.returncode, by_commit.stderr) == (0, "")
        right_bytes(Path(by_commit.stdout.strip()), files)
        for client in clients:
            clear_failure(finished(client), 5, "refused")


def test_a_hub_that_does_not_answer_is_not_waited_for_when_there_is_an_answer(
    daemon: Daemon, hub: TestHub
) -> None:
    files = {"a.txt": b"slow hub"}
    make_repo(hub, "slow/hub", files)
    daemon.download("slow/hub", "--quiet")
    rule = hub.faults.add("delay", seconds=60, match=info_of("slow/hub"), times=None)
    done = daemon.wharf("download", "slow/hub", timeout=15)
    assert done.returncode == 0, done.stderr
    right_bytes(Path(done.stdout.splitlines()[-1]), files)
    asked = hub.faults.hits(rule)
    done = daemon.wharf("download", "slow/hub", "--quiet", timeout=1.5)  # nor asked every time
    assert done.returncode == 0 and hub.faults.hits(rule) == asked


# --- Being asked to wait ------------------------------------------------------------------------


def test_a_wait_that_the_hub_asks_for_is_shown(daemon: Daemon, hub: TestHub) -> None:
    make_repo(hub, "wait/shown", {"a.txt": b"a"})
    limit = {"kind": "status", "status": 429, "headers": {"Retry-After": "2"}}
    asking = hub.faults.add(match=info_of("wait/shown"), **limit)
    fetching = hub.faults.add(match={"file": "a.txt"}, **limit)
    client = daemon.start_wharf("download", "wait/shown", "a.txt")
    hub.faults.wait(asking)
    hub.faults.wait(fetching)

    def waiting() -> bool:
        listed = json.loads(daemon.wharf("jobs", "ls", "--json").stdout)["jobs"]
        return bool(listed) and listed[0]["state"] == "waiting" and "wait" in (listed[0]["reason"])

    eventually(waiting, "the job says that it waits")
    done = finished(client)
    assert done.returncode == 0
    assert "wait" in done.stderr or "fewer requests" in done.stderr


def test_a_wait_that_is_too_long_is_refused_or_done_without(daemon: Daemon, hub: TestHub) -> None:
    make_repo(hub, "wait/long", {"a.txt": b"a"})
    daemon.download("wait/long", "--quiet")
    limit = {"kind": "status", "status": 429, "headers": {"Retry-After": "100"}}
    hub.faults.add(match=info_of("wait/long"), times=None, **limit)
    for _ in range(2):  # asked, and then not even asked: what is cached serves
        done = daemon.wharf("download", "wait/long", timeout=5)
        assert done.returncode == 0, done.stderr
        assert "last known" in done.stderr
    assert hub.log.count(status=429) == 1


def test_one_refusal_keeps_all_requests_of_that_token_away(daemon: Daemon, hub: TestHub) -> None:
    files = {f"{number}.txt": content(f"limited {number}", 2000) for number in range(12)}
    make_repo(hub, "wait/window", files)
    hub.admin.configure(rate_limits={"resolvers": (5, 2)})
    snapshot = daemon.download("wait/window", "--quiet", HF_TOKEN="hf_alice")
    right_bytes(snapshot, files)
    # 13 files, 5 in a window: two refused rounds, each at most of what was in the air at once.
    assert hub.log.count(status=429) <= 2 * 16
