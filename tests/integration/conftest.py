"""Fixtures shared by the integration tests. Anything longer belongs into tests/support."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hub import TestHub
from tests.support.client_venvs import CLIENTS
from tests.support.daemon import Daemon
from tests.support.fake_uploads import FakeUploads, write_files
from tests.support.official_client import OfficialClient
from tests.support.trials import QUICK, watched
from tests.support.users import place_of_daemon
from tests.support.wharf_command import Wharf


# A run in the background of a shell script ignores these, and every program inherits that: the
# tests of Ctrl-C would wait for ever.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(
            _number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        )


@pytest.fixture(scope="session")
def session_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHub]:
    """One test Hub for the whole run; tests make the repositories they need on it."""
    with TestHub(directory=tmp_path_factory.mktemp("hub")) as hub:
        hub.admin.add_user("alice", token="hf_alice", fullname="Alice", orgs=["wonderland"])
        hub.admin.add_user("bob", token="hf_bob")
        yield hub


@pytest.fixture
def hub(session_hub: TestHub) -> Iterator[TestHub]:
    """The session's Hub without faults, limits or log entries of other tests."""
    settings = session_hub.admin.configure()
    session_hub.reset()
    yield session_hub
    leaks = session_hub.log.leaks()
    session_hub.reset()
    session_hub.admin.configure(**settings)
    assert not leaks, "credentials were sent to the CDN"


@pytest.fixture(scope="session", params=list(CLIENTS))
def session_client(
    request: pytest.FixtureRequest, session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OfficialClient]:
    """The newest release of every line, one after the other."""
    home = tmp_path_factory.mktemp("home")
    with OfficialClient(request.param, session_hub.endpoint, home) as client:
        yield client


@pytest.fixture
def client(session_client: OfficialClient, hub: TestHub) -> OfficialClient:
    return session_client


@pytest.fixture
def daemon(hub: TestHub) -> Iterator[Daemon]:
    """A daemon with short limits for this test alone."""
    with watched(Daemon(hub.endpoint, **QUICK)) as running:
        yield running


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a daemon of an account of its own may live, with users who come from elsewhere."""
    with place_of_daemon() as place:
        yield place


@pytest.fixture
def wharf(tmp_path: Path) -> Iterator[Wharf]:
    """The command, with a stand-in for the daemon."""
    command = Wharf(tmp_path)
    yield command
    command.daemon.close()


@pytest.fixture
def uploads(wharf: Wharf) -> FakeUploads:
    return FakeUploads(wharf.daemon)


@pytest.fixture
def tree(wharf: Wharf) -> Path:
    """A small folder to push."""
    folder = wharf.folder / "tree"
    write_files(folder, a="1", b__c="22", b__d__e="333", z="")
    return folder
