"""A mixed load on a daemon that is killed again and again, and what must be true in the end.

The load are detached jobs for several repos with large and small files, and clients that wait for
the same repos. Answers are slowed down, so that a life of the daemon ends in the middle of things,
and some are reset or cut short. `kill -9` comes at random moments, sometimes before the daemon
has started.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import KIB, MIB, partials
from tests.support.varlink_client import VarlinkClient

PIECE = 1 * MIB
CONNECTIONS = 4
SETTINGS: dict[str, dict[str, object]] = {
    "transfer": {
        "piece_size": "1MiB",
        "max_connections": CONNECTIONS,
        "max_connections_per_file": 3,
        "stall_timeout": "2s",
    },
    "hub": {"connect_timeout": "2s", "first_byte_timeout": "2s"},
}

RATE = 3 * MIB
"""Bytes per second that the server gives one connection: a life brings about twice what a kill may
cost, so that a daemon which forgets is found out."""
LONGEST_LIFE = 1.4
"""Seconds from the daemon's first answer to its end."""
LARGE = {"a.bin": 24 * MIB, "b.bin": 7 * MIB + 12345, "c.bin": 3 * MIB}
SMALL_FILES = 60
REPOS_AT_A_TIME = 3
UNFINISHED_STATES = ("queued", "running", "waiting", "paused")


@dataclass
class Account:
    """What it took: bytes of contents."""

    kills: int = 0
    wanted: int = 0
    sent: int = 0
    requests: int = 0

    @property
    def again(self) -> int:
        return self.sent - self.wanted

    @property
    def allowed(self) -> int:
        return self.kills * CONNECTIONS * PIECE

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.wanted / MIB:.1f} MiB of files in {self.requests} requests, "
            f"{self.again / MIB:.2f} MiB fetched again ({self.again / max(self.kills, 1) / KIB:.0f} "
            f"KiB a kill), allowed are {self.allowed / MIB:.0f} MiB"
        )


@dataclass
class KillTrial:
    """Requires: nobody else uses the hub, and the daemon is not running; it is not afterwards."""

    hub: TestHub
    daemon: Daemon
    work: Path
    """For contents; large enough for a few MiB per kill."""
    seed: int = 1
    _repos: list[str] = field(default_factory=list)
    _submitted: dict[str, int] = field(default_factory=dict)
    """Repo → number of its job."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def run(self, kills: int, drain: float = 120) -> Account:
        """Kills the daemon so often, then lets it end its work; raises AssertionError."""
        for _ in range(kills):
            self._one_life()
        self.hub.faults.clear()
        with self.daemon:
            self._submit()
            self._wait_for_jobs(drain)
            self._check_files()
            assert self.daemon.stop() == 0, f"wharfd did not end well:\n{self.daemon.log[-5000:]}"
        return self._account(kills)

    # --- A life of the daemon ---

    def _one_life(self) -> None:
        self._spoil_some_answers()
        self.daemon.launch()
        if self._random.random() < 0.15:
            time.sleep(self._random.uniform(0, 0.05))
            self.daemon.kill()
            return
        self.daemon.wait_until_it_answers()
        self._keep_busy()
        # Beside the kill, which may come before the answer does.
        asking = threading.Thread(target=self._submit)
        asking.start()
        waiting = self.daemon.start_wharf("download", self._random.choice(self._repos), "--quiet")
        time.sleep(self._random.uniform(0, LONGEST_LIFE))
        self.daemon.kill()
        asking.join()
        waiting.communicate(timeout=30)

    def _spoil_some_answers(self) -> None:
        """A reset or an early end of one of the next answers; all of them slow."""
        faults, numbers = self.hub.faults, self._random
        faults.clear()
        slow = {"kind": "dribble", "rate": RATE}
        cut = {"kind": numbers.choice(("reset", "close")), "after": numbers.randrange(PIECE)}
        faults.add(
            actions=[slow, cut], match={"server": "cdn"}, skip=numbers.randrange(8), times=1
        )
        faults.add("dribble", rate=RATE, match={"server": "cdn"}, times=None)
        faults.add("reset", after=numbers.randrange(8 * KIB), match={"file": "small/7.json"}, times=1)

    def _keep_busy(self) -> None:
        """Adds repos when the jobs so far are about to end."""
        with VarlinkClient(self.daemon.socket) as client:
            unfinished = sum(job["state"] in UNFINISHED_STATES for job in client.jobs())
        unfinished += len(self._repos) - len(self._submitted)
        while unfinished < REPOS_AT_A_TIME:
            self._add_repo()
            unfinished += 1

    def _add_repo(self) -> None:
        number = len(self._repos)
        repo = f"kills/repo-{number}"
        folder = self.work / str(number)
        folder.mkdir(parents=True)
        files: dict[str, object] = {}
        for name, size in LARGE.items():
            (folder / name).write_bytes(self._random.randbytes(size))
            files[name] = {"path": str(folder / name)}
        for index in range(SMALL_FILES):
            size = self._random.randrange(1 * KIB, 50 * KIB)
            files[f"small/{index}.json"] = {"random": size, "seed": number * 1000 + index}
        self.hub.admin.create_repo(repo, files=files)
        self._repos.append(repo)

    def _submit(self) -> None:
        """Every repo becomes a detached job; what could not be asked for is asked for next time."""
        with contextlib.suppress(OSError), VarlinkClient(self.daemon.socket) as client:
            for repo in self._repos:
                if repo not in self._submitted:
                    answer = client.call("org.wharf.Downloads.Download", repo=repo, detach=True)
                    self._submitted[repo] = answer.get("job") or 0

    # --- In the end ---

    def _wait_for_jobs(self, limit: float) -> None:
        deadline = time.monotonic() + limit
        while True:
            with VarlinkClient(self.daemon.socket) as client:
                jobs = {job["id"]: job for job in client.jobs()}
            missing = [n for n in self._submitted.values() if n and n not in jobs]
            assert not missing, f"jobs {missing} were answered for and are forgotten"
            ours = [jobs[number] for number in self._submitted.values() if number]
            failed = [job for job in ours if job["state"] in ("failed", "cancelled")]
            assert not failed, f"{failed}\n{self.daemon.log[-5000:]}"
            if all(job["state"] == "done" for job in ours):
                return
            states = dict(Counter(job["state"] for job in ours))
            assert time.monotonic() < deadline, f"not done: {states}\n{self.daemon.log[-5000:]}"
            time.sleep(0.1)

    def _check_files(self) -> None:
        """All is there and right, and nothing else is."""
        for repo in self._repos:
            commit = self.hub.state.get("model", repo).head
            folder = self.daemon.cache / f"models--{repo.replace('/', '--')}"
            for path, entry in commit.files.items():
                data = (folder / "snapshots" / commit.id / path).read_bytes()
                right = hashlib.sha256(data).hexdigest() == entry.blob.sha256
                assert right, f"{repo}/{path} is wrong"
            found = {path.name for path in (folder / "blobs").iterdir()}
            assert found == {entry.etag for entry in commit.files.values()}, repo
        assert partials(self.daemon) == []

    def _account(self, kills: int) -> Account:
        account = Account(kills=kills)
        wanted = {
            entry.etag: entry.blob.size
            for repo in self._repos
            for entry in self.hub.state.get("model", repo).head.files.values()
        }
        account.wanted = sum(wanted.values())
        contents = {"method": "GET", "status": [200, 206], "blob": list(wanted)}
        account.requests = self.hub.log.count(**contents)
        self.hub.log.settle(**contents)
        account.sent = sum(record.bytes_sent for record in self.hub.log.find(**contents))
        assert account.again <= account.allowed, f"too much was fetched again: {account}"
        return account
