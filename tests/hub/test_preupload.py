"""What clients ask before they upload: how to send each file, and whether a README is sound."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .rawupload import Uploader, error_of
from .server import TestHub


@pytest.fixture
def repo(hub: TestHub) -> Iterator[Uploader]:
    hub.admin.create_repo("org/upload", files={"a.txt": "a", "w.bin": {"random": 5000}})
    yield Uploader(hub.endpoint, "org/upload")
    hub.admin.delete_repo("org/upload")


def test_what_is_large(hub: TestHub, repo: Uploader) -> None:
    files = {
        "new.bin": b"text",
        "new.txt": b"text",
        "binary.dat": b"\0\1\2",
        "empty.bin": b"",
        "big.txt": b"x" * ((10 << 20) + 1),
        "a.txt": b"\0 now binary",
    }
    modes = {path: row["uploadMode"] for path, row in repo.advice(files).items()}
    assert modes == {
        "new.bin": "lfs",
        "new.txt": "regular",
        "binary.dat": "lfs",
        "empty.bin": "regular",
        "big.txt": "lfs",
        "a.txt": "regular",
    }
    hub.admin.configure(sniff_binaries=False)
    assert repo.advice({"binary.dat": b"\0"})["binary.dat"]["uploadMode"] == "regular"


def test_attributes_of_the_target_revision(hub: TestHub, repo: Uploader) -> None:
    hub.admin.commit("org/upload", branch="dev", files={".gitattributes": "*.txt filter=lfs\n"})
    assert repo.advice({"x.txt": b"x", "x.bin": b"x"})["x.txt"]["uploadMode"] == "regular"
    on_dev = repo.advice({"x.txt": b"x", "x.bin": b"x"}, "dev")
    assert [row["uploadMode"] for row in on_dev.values()] == ["lfs", "regular"]


def test_objects_that_are_there(hub: TestHub, repo: Uploader) -> None:
    facts = hub.admin.files("org/upload")
    rows = repo.advice({"a.txt": b"z", "w.bin": b"z", "new.txt": b"z"})
    assert rows["a.txt"]["oid"] == facts["a.txt"]["oid"]
    assert rows["w.bin"]["oid"] == facts["w.bin"]["etag"]  # sha256, not the pointer's id
    assert "oid" not in rows["new.txt"]


def test_ignored_files(hub: TestHub, repo: Uploader) -> None:
    hub.admin.commit("org/upload", files={".gitignore": "*.log\n", "dir/.gitignore": "*.txt\n"})
    files = {"x.log": b"", "dir/x.txt": b""}
    assert [row["shouldIgnore"] for row in repo.advice(files).values()] == [True, False]
    mine = repo.advice(files, gitIgnore="dir/\n")
    assert [row["shouldIgnore"] for row in mine.values()] == [False, True]


def test_limits_and_nonsense_in_preupload(hub: TestHub, repo: Uploader) -> None:
    files = {f"f{n}": b"" for n in range(257)}
    status, _, text = error_of(repo.preupload(files))
    assert (status, "256" in text) == (400, True)
    hub.admin.configure(preupload_files=257)
    assert len(repo.advice(files)) == 257
    assert error_of(repo.preupload({"..\\ddd": b""}))[0] == 422
    assert error_of(repo.preupload({"x": b""}, "nowhere"))[:2] == (404, "RevisionNotFound")
    assert error_of(repo.post(repo.api("preupload/main"), {"files": [{"path": 7}]}))[0] == 400


@pytest.mark.parametrize(
    ("text", "errors", "warnings"),
    [
        ("---\nlicense: mit\ntags:\n- a\n- b: c\nlist: [1, 2]\n---\n# Title", 0, 0),
        ("# Title", 0, 1),
        ("---\nlicense: mit\n", 1, 0),
        ("---\nlicense mit\n---\n", 1, 0),
        ("---\n\tlicense: mit\n---\n", 1, 0),
        ("---\ntags: [a, b\nname: 'x\n---\n", 2, 0),
    ],
)
def test_front_matter(hub: TestHub, repo: Uploader, text: str, errors: int, warnings: int) -> None:
    url = f"{hub.endpoint}/api/validate-yaml"
    answer = repo.post(url, {"content": text, "repoType": "model"})
    found = json.loads(answer.body)
    assert (len(found["errors"]), len(found["warnings"])) == (errors, warnings)
    assert answer.status == (400 if errors else 200)
