"""Large objects: who must send what where, and when the Hub has them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .rawclient import RawClient, fetch
from .rawupload import (
    Uploader,
    complete,
    error_of,
    header,
    large,
    parts_of,
    put,
    put_parts,
    sha256,
)
from .server import TestHub

DATA = random.Random(5).randbytes(2_500_000)


@pytest.fixture
def repo(hub: TestHub) -> Iterator[Uploader]:
    hub.admin.create_repo("org/objects", "dataset", files={"old.bin": {"random": 5000}})
    hub.admin.configure(lfs_part_size=1_000_000, lfs_multipart_above=3_000_000)
    yield Uploader(hub.endpoint, "org/objects", kind="dataset")
    hub.admin.delete_repo("org/objects", "dataset")


def actions_of(repo: Uploader, data: bytes) -> dict[str, Any]:
    actions = repo.actions(data)
    assert actions is not None
    return actions


def has(hub: TestHub, data: bytes) -> bool:
    return sha256(data) in hub.admin.objects("org/objects", "dataset")


def uploaded_files(hub: TestHub) -> list[Path]:
    return list((hub.directory / "uploads").glob("*"))


def test_a_whole_object(hub: TestHub, repo: Uploader) -> None:
    actions = actions_of(repo, DATA)
    url = actions["upload"]["href"]
    assert url.startswith(hub.cdn_endpoint + "/")
    assert put(url, DATA).status == 200
    # In storage, but nobody has told the Hub.
    assert not has(hub, DATA)
    assert repo.actions(DATA) is not None
    lines = header(), large("new.bin", sha256(DATA))
    assert error_of(repo.commit(*lines))[0] == 400
    assert repo.verify(actions, DATA).status == 200
    assert repo.actions(DATA) is None
    assert repo.commit(*lines).status == 200
    target = f"{hub.endpoint}/datasets/org/objects/resolve/main/new.bin"
    location = fetch(target).get("Location")
    assert location is not None and fetch(location).body == DATA

    (record,) = hub.log.find(server="cdn", method="PUT")
    assert (record.blob, record.part, record.completed) == (sha256(DATA), None, True)
    assert (record.repo, record.upload is None) == ("datasets/org/objects", False)
    assert (record.bytes_received, hub.log.bytes_received(sha256(DATA))) == (len(DATA),) * 2
    assert hub.log.sent_again() == []


def test_an_object_in_parts(hub: TestHub, repo: Uploader) -> None:
    hub.admin.configure(lfs_multipart_above=1_000_000)
    actions = actions_of(repo, DATA)
    parts = parts_of(actions, DATA)
    assert [len(part) for _, _, part in parts] == [1_000_000, 1_000_000, 500_000]
    etags = {number: put(url, part).get("ETag") or "" for number, url, part in reversed(parts)}
    etags = dict(sorted(etags.items()))
    assert not has(hub, DATA)
    assert complete(actions, DATA, etags).status == 200
    assert has(hub, DATA) and repo.actions(DATA) is None
    assert repo.verify(actions, DATA).status == 200
    assert hub.state.get("dataset", "org/objects").large[sha256(DATA)].read() == DATA
    assert complete(actions, DATA, etags).status == 404  # over, as with S3
    assert put(parts[0][1], parts[0][2]).status == 404
    done = hub.log.find(server="cdn", completed=True)
    assert [record.part for record in done] == [3, 2, 1]
    assert {record.upload for record in done} == {
        hub.log.find(path_matches="complete_multipart", status=200)[0].upload
    }


def test_parts_that_do_not_fit(hub: TestHub, repo: Uploader) -> None:
    hub.admin.configure(lfs_multipart_above=1_000_000)
    actions = actions_of(repo, DATA)
    parts = parts_of(actions, DATA)
    before = len(uploaded_files(hub))
    etags = put_parts(actions, DATA)
    first, second, third = etags.values()
    for wrong in (
        {},
        {1: first, 2: second},
        {1: first, 3: third},
        {2: second, 1: first, 3: third},
        {1: first, 2: second, 3: '"other"'},
        {1: first, 2: second, 3: third, 4: third},
    ):
        assert complete(actions, DATA, wrong).status == 400, wrong
    for length in (1, 499_999, 500_001):
        assert put(parts[2][1], (DATA * 2)[:length]).status == 400
    # Another content has another etag; sent again as it was, it has its old one.
    other = put(parts[2][1], parts[2][2][::-1]).get("ETag")
    assert other != third
    assert complete(actions, DATA, etags).status == 400
    assert put(parts[2][1], parts[2][2]).get("ETag") == third
    assert complete(actions, DATA, etags).status == 200
    assert len(hub.log.sent_again()) == 2 + 3
    assert len(uploaded_files(hub)) == before + 1


def test_parts_of_other_contents(hub: TestHub, repo: Uploader) -> None:
    """All in order, but not the object that was promised: the Hub looks when it is complete."""
    hub.admin.configure(lfs_multipart_above=1_000_000)
    before = uploaded_files(hub)
    actions = actions_of(repo, DATA)
    status, _, text = error_of(complete(actions, DATA, put_parts(actions, DATA[::-1])))
    assert (status, "hash" in text) == (400, True)
    assert not has(hub, DATA)
    assert uploaded_files(hub) == before


@pytest.mark.parametrize("wrong", [DATA[:-1], DATA[:-1] + b"\0"])
def test_storage_takes_anything_and_verification_does_not(
    hub: TestHub, repo: Uploader, wrong: bytes
) -> None:
    actions = actions_of(repo, DATA)
    assert repo.verify(actions, DATA).status == 404
    assert put(actions["upload"]["href"], wrong).status == 200
    assert repo.verify(actions, DATA).status == 422
    assert not has(hub, DATA)
    assert repo.verify(actions, DATA).status == 404  # it was thrown away
    assert put(actions["upload"]["href"], DATA).status == 200
    assert repo.verify(actions, DATA, size=1).status == 422


def test_urls_expire(hub: TestHub, repo: Uploader) -> None:
    hub.admin.configure(lfs_multipart_above=1_000_000)
    small, in_parts = actions_of(repo, DATA[:10]), actions_of(repo, DATA)
    etags = put_parts(in_parts, DATA)
    hub.admin.expire_urls()
    assert put(small["upload"]["href"], DATA[:10]).status == 403
    assert put(parts_of(in_parts, DATA)[0][1], DATA[:1_000_000]).status == 403
    assert complete(in_parts, DATA, etags).status == 403
    hub.faults.add("expired_signature", match={"path": "objects/batch"})
    assert put(actions_of(repo, DATA[:10])["upload"]["href"], DATA[:10]).status == 403
    hub.admin.configure(url_lifetime=-1)
    assert put(actions_of(repo, DATA[:10])["upload"]["href"], DATA[:10]).status == 403
    assert hub.log.find(server="cdn", status=403, completed=True) == []


def test_a_large_body_that_nobody_wants_does_not_hide_the_answer(
    hub: TestHub, repo: Uploader
) -> None:
    url = actions_of(repo, DATA)["upload"]["href"]
    hub.admin.expire_urls()
    answer = put(url, DATA * 10)
    assert (answer.status, answer.get("Connection"), answer.end) == (403, "close", "complete")


def test_urls_of_storage_are_for_one_thing(hub: TestHub, repo: Uploader) -> None:
    hub.admin.configure(lfs_multipart_above=1_000_000)
    whole, in_parts = actions_of(repo, DATA[:10]), actions_of(repo, DATA)
    url = whole["upload"]["href"]
    assert fetch(url).status == 404
    assert put(url.replace("uploadId=", "partNumber=1&uploadId="), b"x").status == 403
    assert put(url.partition("?")[0], b"x").status == 405
    part = parts_of(in_parts, DATA)[0][1]
    assert put(part.replace("partNumber=1", "partNumber=2"), b"x").status == 403
    assert fetch(url, repo.headers, "PUT", b"x").status == 400
    assert len(hub.log.leaks()) == 1
    with RawClient(url) as client:
        client.send("PUT", url.removeprefix(hub.cdn_endpoint), {"Transfer-Encoding": "chunked"})
        client.sock.sendall(b"0\r\n\r\n")
        assert client.answer().status == 411


def test_objects_belong_to_their_repository(hub: TestHub, repo: Uploader) -> None:
    oid = repo.upload(DATA)
    hub.admin.create_repo("org/second")
    second = Uploader(hub.endpoint, "org/second")
    assert second.actions(DATA) is not None
    assert error_of(second.commit(header(), large("x.bin", oid)))[0] == 400
    wanted = [{"sha256": oid, "filename": "x.bin"}, {"sha256": "0" * 64, "filename": "y.bin"}]
    body = {"target": {"type": "model", "name": "org/second"}, "files": wanted}
    answer = repo.post(repo.api("lfs-files/duplicate"), body)
    assert [row["sha256"] for row in json.loads(answer.body)["failed"]] == ["0" * 64]
    assert second.commit(header(), large("x.bin", oid)).status == 200
    hub.admin.delete_repo("org/second")


def test_what_the_hub_has_and_forgets(hub: TestHub, repo: Uploader) -> None:
    committed = hub.state.get("dataset", "org/objects").head.files["old.bin"].blob.read()
    assert repo.actions(committed) is None
    oid = repo.upload(DATA)
    assert hub.admin.collect_garbage("org/objects", "dataset") == [oid]
    assert repo.actions(DATA) is not None and repo.actions(committed) is None


def test_errors_of_single_objects(hub: TestHub, repo: Uploader) -> None:
    hub.faults.add("object_error", code=507, message="No room", oid=sha256(b"one"))
    first, second = json.loads(repo.batch(b"one", b"two").body)["objects"]
    assert first["error"] == {"code": 507, "message": "No room"} and "actions" not in first
    assert "error" not in second and "actions" in second
    odd = [{"oid": "x", "size": 1}, {"oid": sha256(b""), "size": -1}]
    for row in json.loads(repo.batch(objects=odd).body)["objects"]:
        assert row["error"]["code"] == 422
    large_one = json.loads(repo.batch(DATA * 2, transfers=["basic"]).body)["objects"][0]
    assert large_one["error"]["code"] == 400
    assert repo.batch(b"x", operation="download").status == 422
