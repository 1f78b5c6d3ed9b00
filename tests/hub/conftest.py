"""Fixtures for the tests of the test Hub itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import TestHub

SMALL = b"0123456789" * 100
LARGE_SIZE = 3_000_000


@pytest.fixture(scope="session")
def session_hub() -> Iterator[TestHub]:
    with TestHub() as hub:
        hub.admin.add_user("alice", token="hf_alice", orgs=["org"])
        hub.admin.add_user("bob", token="hf_bob", role="read")
        files = {
            "small.txt": {"hex": SMALL.hex()},
            "empty.txt": "",
            "dir/large.bin": {"random": LARGE_SIZE, "seed": 7},
        }
        hub.admin.create_repo("org/repo", files=files)
        yield hub


@pytest.fixture
def hub(session_hub: TestHub) -> Iterator[TestHub]:
    settings = session_hub.admin.configure()
    session_hub.reset()
    yield session_hub
    session_hub.reset()
    session_hub.admin.configure(**settings)


@pytest.fixture
def small(hub: TestHub) -> str:
    """URL of a regular file whose content is `SMALL`."""
    return f"{hub.endpoint}/org/repo/resolve/main/small.txt"


@pytest.fixture
def large(hub: TestHub) -> bytes:
    """The content of the large file."""
    return hub.state.get("model", "org/repo").head.files["dir/large.bin"].blob.read()


@pytest.fixture
def large_url(hub: TestHub) -> str:
    """A signed URL of the large file on the CDN."""
    from .rawclient import fetch

    location = fetch(f"{hub.endpoint}/org/repo/resolve/main/dir/large.bin").get("Location")
    assert location is not None
    hub.log.clear()
    return location
