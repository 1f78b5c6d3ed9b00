"""Commits: what gets into a repository, and what is refused without a trace."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator

import pytest

from .rawclient import fetch
from .rawupload import Uploader, deleted, error_of, file, header, large, sha256
from .server import TestHub

FILES = {"a.txt": "a", "dir/b.txt": "b", "dir/c.txt": "c", "w.bin": {"random": 5000, "seed": 1}}


@pytest.fixture
def repo(hub: TestHub) -> Iterator[Uploader]:
    hub.admin.add_user("carol", token="hf_carol")
    hub.admin.create_repo("org/upload", files=FILES)
    yield Uploader(hub.endpoint, "org/upload")
    hub.admin.delete_repo("org/upload")


def head(hub: TestHub) -> str:
    newest: str = hub.admin.commits("org/upload")[0]["id"]
    return newest


def test_a_commit_of_everything(hub: TestHub, repo: Uploader) -> None:
    before = head(hub)
    oid = repo.upload(b"large" * 1000)
    answer = repo.commit(
        header("Title", description="Longer\ntext", parentCommit=before),
        file("a.txt", b"new a"),
        large("new.bin", oid, 5000),
        large(
            "copy.bin", sha256(hub.state.get("model", "org/upload").head.files["w.bin"].blob.read())
        ),
        file("empty.bin", b""),
        {"key": "unheard-of", "value": {}},
        deleted("dir/"),
        deleted("w.bin"),
    )
    assert answer.status == 200, answer.body
    reply = json.loads(answer.body)
    newest = hub.admin.commits("org/upload")[0]
    assert newest == {
        "id": reply["commitOid"],
        "parent": before,
        "title": "Title",
        "message": "Longer\ntext",
        "author": "alice",
        "changed": ["a.txt", "copy.bin", "empty.bin", "new.bin"],
        "deleted": ["dir/b.txt", "dir/c.txt", "w.bin"],
    }
    assert reply["commitUrl"] == f"{hub.endpoint}/org/upload/commit/{newest['id']}"
    assert "pullRequestUrl" not in reply
    files = hub.admin.files("org/upload")
    assert sorted(files) == [".gitattributes", "a.txt", "copy.bin", "empty.bin", "new.bin"]
    assert (files["new.bin"]["etag"], files["new.bin"]["lfs"]) == (oid, True)
    assert not files["empty.bin"]["lfs"]
    assert fetch(f"{hub.endpoint}/org/upload/resolve/main/a.txt").body == b"new a"
    listed = json.loads(fetch(repo.api("commits/main")).body)[0]
    assert (listed["id"], listed["title"], listed["message"]) == (
        newest["id"],
        "Title",
        "Longer\ntext",
    )
    assert listed["authors"][0]["user"] == "alice"


def test_a_commit_of_nothing_is_made(hub: TestHub, repo: Uploader) -> None:
    before = hub.admin.files("org/upload")
    assert repo.commit(header("Nothing")).status == 200
    assert hub.admin.commits("org/upload")[0]["title"] == "Nothing"
    assert hub.admin.commits("org/upload")[0]["changed"] == []
    assert repo.commit(header("The same"), file("a.txt", b"a")).status == 200
    assert hub.admin.commits("org/upload")[0]["changed"] == []
    assert hub.admin.files("org/upload") == before


@pytest.mark.parametrize(
    ("line", "status", "code", "text"),
    [
        (deleted("nope.txt"), 404, "EntryNotFound", "A file with this name doesn't exist"),
        (deleted("nope/"), 404, "EntryNotFound", "A file with this name doesn't exist"),
        (large("x.bin", "0" * 64, 3), 400, None, "an LFS pointer pointed to a file that does not"),
        (large("x.bin", "0" * 63), 400, None, "sha256"),
        (file("..\\ddd", b""), 422, None, "Invalid path"),
        (file("a/../b", b""), 422, None, "Invalid path"),
        (file("/a", b""), 422, None, "Invalid path"),
        (file("x/.GIT/config", b""), 422, None, "Invalid path"),
        (file("a.txt/b", b""), 400, None, "both a file and a folder"),
        (file("huge.txt", b"x" * ((10 << 20) + 1)), 400, None, "larger than 10 MiB"),
        (
            {"key": "file", "value": {"path": "x", "content": "!", "encoding": "base64"}},
            400,
            None,
            "",
        ),
        ({"value": {}}, 400, None, "Malformed line"),
    ],
)
def test_refused_whole(
    hub: TestHub, repo: Uploader, line: dict[str, object], status: int, code: str, text: str
) -> None:
    before = hub.admin.commits("org/upload"), hub.admin.files("org/upload")
    found = error_of(repo.commit(header(), file("fine.txt", b""), line))
    assert found[:2] == (status, code) and text in found[2]
    assert (hub.admin.commits("org/upload"), hub.admin.files("org/upload")) == before


def test_deletion_of_a_folder_without_its_slash(hub: TestHub, repo: Uploader) -> None:
    assert repo.commit(header(), deleted("dir")).status == 200
    assert "dir/b.txt" not in hub.admin.files("org/upload")


def test_stale_parents(hub: TestHub, repo: Uploader) -> None:
    old = head(hub)
    assert repo.commit(header(parentCommit=old[:7].upper())).status == 200
    status, _, text = error_of(repo.commit(header(parentCommit=old), file("b", b"")))
    assert status == 412
    assert text == (
        "The branch was updated since you opened this page. Please refresh and try again."
    )
    assert "b" not in hub.admin.files("org/upload")


def test_revisions(hub: TestHub, repo: Uploader) -> None:
    hub.admin.set_ref("org/upload", "v1", "main", ref_kind="tag")
    hub.admin.set_ref("org/upload", "dev/x", "main")
    before = head(hub)
    for revision in ("nowhere", "v1", before):
        for query in ("", "?create_pr=1"):
            answer = repo.commit(header(), revision=revision + query)
            assert error_of(answer)[:2] == (404, "RevisionNotFound")
    assert repo.commit(header(), file("x", b""), revision="dev%2Fx").status == 200
    assert "x" in hub.admin.files("org/upload", revision="dev/x")
    assert head(hub) == before


def test_pull_requests(hub: TestHub, repo: Uploader) -> None:
    """Whoever sees a repository may open them, and go on with their own."""
    before = head(hub)
    hub.admin.commit("org/upload", files={"later.txt": ""})
    carol = Uploader(repo.endpoint, repo.repo, "hf_carol")
    lines = header("Proposal", parentCommit=before), file("p.txt", b"p")
    reply = json.loads(carol.commit(*lines, revision="main?create_pr=1").body)
    assert reply["pullRequestUrl"] == f"{hub.endpoint}/org/upload/discussions/1"
    assert "p.txt" not in hub.admin.files("org/upload")
    first = hub.admin.commits("org/upload", revision="refs/pr/1")[0]
    assert (first["parent"], first["author"], first["changed"]) == (before, "carol", ["p.txt"])
    assert carol.commit(header("More"), revision="refs%2Fpr%2F1").status == 200
    assert repo.commit(header("A member's"), revision="refs%2Fpr%2F1").status == 200
    assert error_of(carol.commit(header()))[0] == 403

    draft = carol.post(carol.api("discussions"), {"title": "Draft", "pullRequest": True})
    assert json.loads(draft.body)["num"] == 2
    details = json.loads(fetch(carol.api("discussions/2")).body)
    assert (details["status"], details["isPullRequest"]) == ("draft", True)
    pulls = json.loads(fetch(carol.api("discussions?p=0&type=pull_request&status=all")).body)
    assert (pulls["count"], pulls["start"]) == (2, 0)
    assert [found["num"] for found in pulls["discussions"]] == [2, 1]
    assert json.loads(fetch(carol.api("discussions?p=1")).body)["discussions"] == []
    assert carol.commit(header("Into it"), revision="refs%2Fpr%2F2").status == 200
    reply = json.loads(repo.commit(header("Third"), revision="main?create_pr=1").body)
    assert reply["pullRequestUrl"].endswith("/discussions/3")

    def listed(**query: str) -> list[tuple[int, str]]:
        answer = fetch(carol.api("discussions") + "?" + urllib.parse.urlencode(query))
        return [(row["num"], row["title"]) for row in json.loads(answer.body)["discussions"]]

    assert listed() == [(3, "Third"), (2, "Draft"), (1, "Proposal")]
    assert listed(type="pull_request", status="all", author="carol", p="0") == listed()[1:]
    assert listed(type="discussion") == listed(status="closed") == listed(p="1") == []


def test_limits_of_a_commit(hub: TestHub, repo: Uploader) -> None:
    hub.admin.configure(commit_regular_bytes=1000, commit_files=3, files_per_folder=4)
    small = [file(f"dir/{n}", b"x" * 200) for n in range(4)]
    assert error_of(repo.commit(header(), file("x", b"x" * 1001)))[0] == 413
    assert error_of(repo.commit(header(), *small[:1], file("x", b"x" * 801)))[0] == 413
    assert error_of(repo.commit(header(), *small))[0] == 400
    status, _, text = error_of(repo.commit(header(), *small[:3]))
    assert (status, "too many files per directory" in text) == (400, True)
    assert repo.commit(header(), *small[:2]).status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b"{", b"[]\n", b'{"key":"file","value":{}}\n', b'{"key":"header","value":{}}'],
)
def test_malformed_commits(hub: TestHub, repo: Uploader, body: bytes) -> None:
    assert fetch(repo.api("commit/main"), repo.headers, "POST", body).status == 400


def test_writers_wait_for_each_other(hub: TestHub, repo: Uploader) -> None:
    """Of many commits at once none is lost; of those with the same parent one is made."""
    count = 8
    statuses: list[int] = []
    same = header("Race", parentCommit=head(hub))

    def write(number: int) -> None:
        assert repo.commit(header(f"n{number}"), file(f"n{number}", b"")).status == 200

    def race(number: int) -> None:
        statuses.append(repo.commit(same, file(f"r{number}", b"")).status)

    for target in (race, write):
        threads = [threading.Thread(target=target, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] + [412] * (count - 1)
    assert {f"n{n}" for n in range(count)} <= set(hub.admin.files("org/upload"))
    titles = [commit["title"] for commit in hub.admin.commits("org/upload")]
    assert sorted(titles[:count]) == [f"n{n}" for n in range(count)]


def test_super_squash(hub: TestHub, repo: Uploader) -> None:
    before = hub.admin.files("org/upload")
    assert repo.post(repo.api("super-squash/main"), {"message": "One"}).status == 200
    assert [commit["title"] for commit in hub.admin.commits("org/upload")] == ["One"]
    assert hub.admin.files("org/upload") == before


def test_history_in_pages(hub: TestHub, repo: Uploader) -> None:
    hub.admin.configure(commits_page_size=2)
    url: str | None = repo.api("commits/main")
    titles: list[str] = []
    repo.commit(header("Last"))
    while url:
        answer = fetch(url)
        titles += [row["title"] for row in json.loads(answer.body)]
        link = answer.get("Link")
        url = link[1 : link.index(">")] if link else None
    assert titles == ["Last", "Add files", "initial commit"]
