"""Pushes to a faulty Hub by a daemon that is killed again and again, and what must be true then.

Every push that the daemon took over, and every one that it was asked to take over once more because
no answer came, ends in exactly one commit, or its series, with exactly its changes. What was finished
is not sent again. Finished means: its answer had come to the daemon, and was taken down. An answer
that was lost to a fault, or came in the moment of a kill, was not.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hub import TestHub
from tests.hub.log import Record
from tests.support.daemon import Daemon
from tests.support.push_load import BRANCHES, HUB_SETTINGS, PART, History, Push, PushLoad, Pusher
from tests.support.pushes import staged
from tests.support.trials import MIB, eventually
from tests.support.users import OPEN_TO_ALL, new_user
from tests.support.varlink_client import VarlinkClient

CONNECTIONS = 4
_SETTINGS: dict[str, dict[str, object]] = {
    "transfer": {
        "max_connections": CONNECTIONS,
        "max_connections_per_file": 3,
        "stall_timeout": "2s",
    },
    "hub": {"connect_timeout": "2s", "first_byte_timeout": "2s"},
    **OPEN_TO_ALL,
}

RATE = 3 * MIB
"""Bytes per second that the storage takes from one connection: a life sends several times what a kill
may cost, so that a daemon which forgets is found out."""
LONGEST_LIFE = 1.4
PUSHES_AT_A_TIME = 6
MOMENT = 0.05
"""Seconds before a kill in which an answer may not have been taken down."""
REPOS = ("kill-push/one", "kill-push/two")
ENDED_BADLY = ("failed", "cancelled")


def settings_for(hub: TestHub) -> dict[str, dict[str, object]]:
    """The daemon's, with which it trusts the hub."""
    trust = {"ca_file": str(hub.ca_file)} if hub.ca_file else {}
    return {**_SETTINGS, "hub": {**_SETTINGS["hub"], **trust}}


@dataclass
class PushAccount:
    """What it took: bytes of contents."""

    kills: int = 0
    pushes: int = 0
    commits: int = 0
    pull_requests: int = 0
    faults: int = 0
    content: int = 0
    sent: int = 0
    """All that the Hub received of contents: objects, parts, and what was in bodies of commits."""
    in_air: int = 0
    """The most that can have been in the air at the kills."""
    begun_anew: int = 0
    """Of `sent`, parts that the Hub forgot, as it does when their URLs expire."""
    repeated: int = 0
    """PUTs of what was there: their answers were lost."""

    @property
    def allowed(self) -> float:
        return 1.1 * self.content + self.in_air + self.begun_anew

    def __str__(self) -> str:
        again = max(self.sent - self.content, 0)
        return (
            f"{self.kills} kills and {self.faults} faults in {self.pushes} pushes, each is in exactly "
            f"once: {self.commits} commits, {self.pull_requests} pull requests; "
            f"{self.content / MIB:.1f} MiB of contents, {self.sent / MIB:.1f} MiB sent "
            f"({self.sent / max(self.content, 1):.3f} of it; {again / max(self.kills, 1) / 1024:.0f} KiB "
            f"more a kill), allowed are {self.allowed / MIB:.0f} MiB; {self.repeated} PUTs repeated whose "
            f"answers were lost at a kill, none else; {self.begun_anew / MIB:.1f} MiB in expired uploads"
        )


@dataclass
class PushKillTrial:
    """Requires: nobody else uses the hub, and the daemon is not running; it is not afterwards."""

    hub: TestHub
    daemon: Daemon
    work: Path
    seed: int = 1
    _kills: list[float] = field(default_factory=list)
    """When."""
    _spoiling: list[int] = field(default_factory=list)
    """Ids of the faults that were ever set, but for those that only make things slow."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.hub.admin.configure(**HUB_SETTINGS)
        pushers = [Pusher("alice", "hf_alice")]
        if os.geteuid() == 0:
            pushers.append(Pusher("bob", "hf_bob", new_user().uid))
        for pusher in pushers:
            self.hub.admin.add_user(pusher.name, token=pusher.token)
        for repo in REPOS:
            members = [pusher.name for pusher in pushers]
            self.hub.admin.create_repo(repo, files={"config.json": "{}"}, members=members)
            for branch in set(BRANCHES) - {"main"}:
                self.hub.admin.set_ref(repo, branch, "main")
        self._pushers = pushers
        self._load = PushLoad(self.work, list(REPOS), pushers, self.seed)

    def run(self, kills: int, drain: float = 120) -> PushAccount:
        """Kills the daemon so often, then lets it end its work; raises AssertionError."""
        for _ in range(kills):
            self._one_life()
        self.hub.faults.clear()
        with self.daemon:
            self._ask()
            self._wait_for_jobs(drain)
            eventually(lambda: staged(self.daemon) == [], "staging is empty")
            assert self.daemon.stop() == 0, f"wharfd did not end well:\n{self.daemon.log[-5000:]}"
        return self._check()

    # --- A life of the daemon ---

    def _one_life(self) -> None:
        self._spoil_some_answers()
        self.daemon.launch()
        if self._random.random() < 0.15:
            time.sleep(self._random.uniform(0, 0.05))
            self._kill()
            return
        self.daemon.wait_until_it_answers()
        # Beside the kill, which may come at any moment of it.
        asking = threading.Thread(target=self._ask_if_alive)
        asking.start()
        time.sleep(self._random.uniform(0, LONGEST_LIFE))
        self._kill()
        asking.join()

    def _kill(self) -> None:
        self._kills.append(time.time())
        self.daemon.kill()

    def _spoil_some_answers(self) -> None:
        """One thing goes wrong with a PUT and one with another request; bytes go slowly, and commits
        take their time."""
        faults, numbers = self.hub.faults, self._random
        faults.clear()
        slow = {"kind": "upload_dribble", "rate": RATE}
        puts = {"server": "cdn", "method": "PUT"}
        wrong = [slow, numbers.choices(_PUT_FAULTS, _PUT_WEIGHTS)[0](numbers)]
        put = faults.add(actions=wrong, match=puts, skip=numbers.randrange(12), times=1)
        faults.add("upload_dribble", rate=RATE, match=puts, times=None)
        calls = {"method": "POST", "path": numbers.choice(_CALLS)}
        wrong = [numbers.choice(_CALL_FAULTS)]
        call = faults.add(actions=wrong, match=calls, skip=numbers.randrange(2), times=1)
        self._spoiling += (put, call)
        faults.add("delay", seconds=numbers.choice((0, 0.1, 0.3)), match={"path": "/commit/"}, times=None)
        if numbers.random() < 0.05:
            self.hub.admin.expire_urls()

    def _client(self, who: Pusher) -> VarlinkClient:
        return VarlinkClient(self.daemon.socket, user=who.uid)

    def _ask_if_alive(self) -> None:
        with contextlib.suppress(OSError):
            self._ask()
            jobs = self._jobs()
            unfinished = sum(job["state"] != "done" for job in jobs.values())
            while unfinished < PUSHES_AT_A_TIME:
                self._submit(self._load.make())
                unfinished += 1

    def _ask(self) -> None:
        """Asks for what was not taken over, in the order in which it was made."""
        for push in self._load.pushes:
            if push.asked and not push.job:
                self._look_for_job(push)
            if not push.job:
                self._submit(push)

    def _submit(self, push: Push) -> None:
        with self._client(push.who) as client:
            push.submit(client)

    def _look_for_job(self, push: Push) -> None:
        """Submit got no answer: only the list of jobs says whether it was done."""
        with self._client(push.who) as client:
            found = [job["id"] for job in client.jobs() if job.get("message") == push.title]
        assert len(found) <= 1, f"{push.title} became jobs {found}"
        push.job = found[0] if found else 0
        push.asked = bool(found)

    def _jobs(self) -> dict[int, dict[str, Any]]:
        jobs: dict[int, dict[str, Any]] = {}
        for who in self._pushers:
            with self._client(who) as client:
                jobs |= {job["id"]: job for job in client.jobs()}
        lost = [push.title for push in self._load.pushes if push.job and push.job not in jobs]
        assert not lost, f"{lost} were answered for and are forgotten"
        failed = [job for job in jobs.values() if job["state"] in ENDED_BADLY]
        assert not failed, f"{failed}\n{self.daemon.log[-5000:]}"
        return jobs

    # --- In the end ---

    def _wait_for_jobs(self, limit: float) -> None:
        deadline = time.monotonic() + limit
        while (states := Counter(job["state"] for job in self._jobs().values())).keys() != {"done"}:
            late = time.monotonic() > deadline
            assert not late, f"not done: {dict(states)}\n{self.daemon.log[-5000:]}"
            time.sleep(0.1)

    def _check(self) -> PushAccount:
        account = PushAccount(
            kills=len(self._kills), pushes=len(self._load.pushes), faults=len(self._spoilt())
        )
        for repo in REPOS:
            history = History(self.hub, repo, self._load.pushes)
            for branch in BRANCHES:
                history.check(branch)
            account.pull_requests += history.check_pull_requests()
            account.commits += history.commits
            for path, size in self.hub.admin.objects(repo).items():
                account.content += size
        self._check_bytes(account)
        return account

    def _check_bytes(self, account: PushAccount) -> None:
        log = self.hub.log
        account.content += sum(
            len(content) if isinstance(content, bytes) else content.stat().st_size
            for push in self._load.pushes
            for path, content in push.files.items()
            if path.endswith(".json")
        )
        account.in_air = account.kills * CONNECTIONS * PART
        puts = {"server": "cdn", "method": "PUT"}
        account.sent = log.bytes_received(**puts)
        # Base64 takes four bytes for three.
        account.sent += log.bytes_received(method="POST", path_matches="/commit/") * 3 // 4
        account.begun_anew = sum(record.bytes_received for record in self._in_expired_uploads())
        account.repeated = self._check_repeated()
        assert account.sent <= account.allowed, f"too much was sent: {account}"

    def _in_expired_uploads(self) -> list[Record]:
        """Parts of uploads that were not gone on with; the Hub must have refused their URLs."""
        parts = [r for r in self.hub.log.find(server="cdn", method="PUT") if r.part]
        last = {(record.repo, record.blob): record.upload for record in parts}
        refused = {record.upload for record in parts if record.status == 403}
        left = [r for r in parts if r.completed and last[r.repo, r.blob] != r.upload]
        needless = {record.upload for record in left} - refused
        assert not needless, f"uploads {needless} were begun anew for no reason"
        return left

    def _check_repeated(self) -> int:
        """Of what is sent again, the answer before came in the moment of a kill, or was lost."""
        again = self.hub.log.sent_again()
        spoilt = self._spoilt()
        for record in again:
            same = self.hub.log.find(blob=record.blob, upload=record.upload, part=record.part)
            before = [one for one in same if one.completed and one.number < record.number]
            answered = max(one.time + (one.seconds or 0) for one in before)
            lost = before[-1].number in spoilt
            lost |= any(answered - MOMENT < kill < record.time for kill in self._kills)
            assert lost, f"sent again: {before}, {record}; kills at {self._kills}"
        return len(again)

    def _spoilt(self) -> set[int]:
        """Requests that a fault met."""
        spoiling = set(self._spoiling)
        return {r.number for r in self.hub.log.find() if spoiling.intersection(r.faults)}


def _cut(numbers: random.Random) -> dict[str, Any]:
    kind = numbers.choice(("upload_reset", "upload_close"))
    return {"kind": kind, "after": numbers.randrange(PART)}


_PUT_FAULTS = (
    _cut,
    lambda _: {"kind": "status", "status": 503},
    lambda _: {"kind": "status", "status": 500, "run": True},
    lambda _: {"kind": "drop", "run": True},
    lambda _: {"kind": "expired_signature"},
)
"""Half the bytes; none carried out; carried out, and no good answer, or none; a URL too old: then
the Hub forgets the parts that it has, so it is rare."""
_PUT_WEIGHTS = (30, 20, 20, 25, 5)
_CALLS = ("/commit/", "/commit/", "/commit/", "/batch$", "complete_multipart", "/verify$", "/preupload/", "/discussions$")
_CALL_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop", "run": True},
    {"kind": "drop"},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500, "run": True},
    {"kind": "upload_reset", "after": 100},
)
