"""The time of a refusal tells nothing: not whether the repo exists, nor whether it is cached and others
may read it. Distributions are compared by how often one call of the first kind takes longer than one of
the second: half of the time, when nothing tells them apart."""

from __future__ import annotations

import bisect
import random
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.trials import watched
from tests.support.users import DAEMON_UID, OPEN_TO_ALL, needs_root, new_user, place_of_daemon
from tests.support.varlink_client import CallFailed, VarlinkClient

pytestmark = needs_root

ROUNDS = 500
MOST_APART = 0.15
"""From one half. What chance does with so many calls of both is a tenth of that (its standard error
is 0.018); a look into the cache, which a refusal must not depend on, moves it to 1."""

CACHED, UNCACHED, MISSING = "timing/cached", "timing/uncached", "timing/missing"


@pytest.fixture(scope="module")
def box(session_hub: TestHub) -> Iterator[Daemon]:
    """One private repo is cached and granted to somebody, one is private and not here."""
    session_hub.reset()
    session_hub.admin.add_user("timing", token="hf_timing")
    session_hub.admin.add_user("timed-outsider", token="hf_timedoutsider")
    for repo in (CACHED, UNCACHED):
        session_hub.admin.create_repo(repo, files={"w.bin": {"random": 100_000}}, private=True)
    with place_of_daemon() as place:
        with watched(Daemon(session_hub.endpoint, place, user=DAEMON_UID, **OPEN_TO_ALL)) as daemon:
            with new_user().client(daemon.socket) as client:
                client.call("Downloads.Download", repo=CACHED, token="hf_timing")
            yield daemon


def time_of(client: VarlinkClient, repo: str, error: str, **token: str) -> float:
    began = time.perf_counter()
    with pytest.raises(CallFailed) as refusal:
        client.call("Downloads.Download", repo=repo, **token)
    taken = time.perf_counter() - began
    assert refusal.value.name == error
    return taken


def share_of_longer(first: list[float], second: list[float]) -> float:
    """In how many of all pairs the first one is the longer."""
    ordered = sorted(second)
    return sum(bisect.bisect_left(ordered, value) for value in first) / (len(first) * len(second))


def measured(
    box: Daemon, repos: list[str], error: str, rounds: int = ROUNDS, **token: str
) -> dict[str, list[float]]:
    """In random order, so that whatever else the machine does falls on all of them."""
    order = repos * rounds
    random.Random(7).shuffle(order)
    times: dict[str, list[float]] = {repo: [] for repo in repos}
    with new_user().client(box.socket) as client:
        for repo in repos * 2:
            time_of(client, repo, error, **token)
        for repo in order:
            times[repo].append(time_of(client, repo, error, **token))
    return times


def check_alike(times: dict[str, list[float]], repo: str, other: str) -> None:
    share = share_of_longer(times[repo], times[other])
    medians = {name: f"{1000 * statistics.median(values):.2f} ms" for name, values in times.items()}
    print(f"{repo} takes longer than {other} in {share:.0%} of all pairs; medians {medians}")
    assert abs(share - 0.5) < MOST_APART, medians


@pytest.mark.parametrize("token", [{"token": "hf_timedoutsider"}, {}], ids=["own_token", "no_token"])
def test_who_may_not_read_is_told_so_in_the_same_time(
    box: Daemon, hub: TestHub, token: dict[str, str]
) -> None:
    times = measured(box, [CACHED, UNCACHED, MISSING], "RepoNotFound", **token)
    check_alike(times, CACHED, MISSING)
    check_alike(times, UNCACHED, MISSING)


def test_while_the_hub_is_away_too(box: Daemon, hub: TestHub) -> None:
    hub.faults.add("status", status=503, match={"path": "timing/"}, times=None)
    times = measured(box, [CACHED, MISSING], "Offline", rounds=8, token="hf_timedoutsider")
    medians = [statistics.median(values) for values in times.values()]
    assert max(medians) < 2 * min(medians), medians
