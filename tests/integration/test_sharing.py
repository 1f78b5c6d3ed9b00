"""One download per box: however many ask, for whatever repos, each byte comes once."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import Daemon
from tests.support.scenes import (
    ReadWatch,
    check_sent_once,
    check_snapshot,
    contents,
    daemon_in,
    files_below,
    questions,
    repo_folder,
)


@pytest.fixture(scope="module")
def module_daemon(
    session_hub: TestHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    with daemon_in(
        tmp_path_factory.mktemp("sharing"), session_hub, transfer={"piece_size": "4MiB"}
    ) as daemon:
        yield daemon


@pytest.fixture
def box(module_daemon: Daemon, hub: TestHub) -> Daemon:
    """The daemon, with an empty log of the Hub."""
    return module_daemon


def head(hub: TestHub, repo: str, kind: str = "model") -> str:
    return hub.state.get(kind, repo).head.id


def etags_and_sizes(hub: TestHub, repo: str, kind: str = "model") -> dict[str, int]:
    return {facts["etag"]: facts["size"] for facts in hub.admin.files(repo, kind).values()}


def test_fifty_processes_cause_one_download(box: Daemon, hub: TestHub) -> None:
    files: dict[str, object] = {f"part/{n:02}.json": json.dumps({"n": n}) for n in range(30)}
    files["a.safetensors"] = {"random": 24_000_000, "seed": 1}
    files["b.safetensors"] = {"random": 40_000_000, "seed": 2}
    hub.admin.create_repo("org/fifty", files=files)

    begun = time.monotonic()
    answers = finish([box.start_wharf("download", "org/fifty") for _ in range(50)])
    print(f"\n50 processes: {time.monotonic() - begun:.1f} s, {questions(hub)} questions, ", end="")
    print(f"{contents(hub)} requests for contents")

    folder = (
        repo_folder(box, "org/fifty") / "snapshots" / hub.state.get("model", "org/fifty").head.id
    )
    assert [a for a in answers if a[:2] != (0, str(folder))] == []
    check_snapshot(hub, "org/fifty", folder)
    for etag, size in etags_and_sizes(hub, "org/fifty").items():
        check_sent_once(hub, etag, size)
    assert questions(hub) <= 12


def finish(running: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Exit code, last line and what was said on standard error, of each."""
    answers = []
    try:
        for process in running:
            out, error = process.communicate(timeout=60)
            answers.append((process.returncode, (out.splitlines() or [""])[-1], error))
    finally:
        for process in running:
            process.kill()
    return answers


def test_different_wishes_share_their_transfers(box: Daemon, hub: TestHub) -> None:
    files: dict[str, object] = {f"{n:02}.json": f"wish {n}" for n in range(10)}
    files |= {f"{n}.safetensors": {"random": 6_000_000, "seed": f"wish {n}"} for n in range(3)}
    commit = hub.admin.create_repo("org/wishes", files=files)
    hub.admin.set_ref("org/wishes", "v1", commit, ref_kind="tag")
    wishes = [
        [],
        ["--include", "*.safetensors"],
        ["--exclude", "0.safetensors"],
        ["1.safetensors", "03.json"],
        ["2.safetensors"],
        ["--revision", commit],
        ["--revision", "v1", "--include", "*.json"],
    ]
    hub.faults.add("dribble", rate=10_000_000, match={"server": "cdn"}, times=None)
    answers = finish([box.start_wharf("download", "org/wishes", *w) for w in wishes for _ in "abc"])
    assert [answer for answer in answers if answer[0] != 0] == []
    snapshot = repo_folder(box, "org/wishes") / "snapshots" / commit
    assert {answer[1] for answer in answers} == {str(snapshot), str(snapshot / "2.safetensors")}
    check_snapshot(hub, "org/wishes", snapshot)
    for name, facts in hub.admin.files("org/wishes").items():
        if name != ".gitattributes":  # which other repos hold, too
            check_sent_once(hub, facts["etag"], facts["size"])


def test_fifty_processes_learn_together_that_there_is_nothing(box: Daemon, hub: TestHub) -> None:
    answers = finish([box.start_wharf("download", "org/nowhere") for _ in range(50)])
    assert {answer[:2] for answer in answers} == {(3, "")}
    assert all("org/nowhere" in answer[2] for answer in answers)
    assert questions(hub) <= 12
    assert contents(hub) == 0


def test_everybody_gets_one_whole_commit_while_a_branch_moves(box: Daemon, hub: TestHub) -> None:
    """Whoever asks after a push gets what was pushed, or something newer."""
    names = ["a.txt", "b.txt", "c.txt"]
    content = {name: "push 0" for name in names}
    commits = [hub.admin.create_repo("org/busy", files=content)]
    asked: list[tuple[int, subprocess.Popen[str]]] = []
    for number in range(1, 9):
        asked += [(len(commits) - 1, box.start_wharf("download", "org/busy")) for _ in range(3)]
        commits.append(hub.admin.commit("org/busy", files=dict.fromkeys(names, f"push {number}")))
    answers = finish([process for _, process in asked])
    for (known, _), (code, path, error) in zip(asked, answers):
        assert code == 0, error
        number = commits.index(Path(path).name)
        assert number >= known
        assert {(Path(path) / name).read_text() for name in names} == {f"push {number}"}


def test_a_deleted_repo_is_not_served_as_if_it_were_there(box: Daemon, hub: TestHub) -> None:
    hub.admin.create_repo("org/deleted", files={"a.txt": "deleted"})
    snapshot = box.download("org/deleted")
    hub.admin.delete_repo("org/deleted")
    done = box.wharf("download", "org/deleted")
    assert (done.returncode, done.stdout) == (3, "")
    assert box.download("org/deleted", "--revision", snapshot.name) == snapshot


def test_late_comers_join_what_is_on_its_way(box: Daemon, hub: TestHub) -> None:
    """Another user of the same blob, in another repo, waits for the one transfer there is."""
    blob = {"random": 9_000_000, "seed": 3}
    hub.admin.create_repo("org/early", files={"w.safetensors": blob})
    hub.admin.create_repo("org/late", "dataset", files={"other/name.safetensors": blob})
    rule = hub.faults.add("stall", after=500_000, seconds=60, match={"server": "cdn"}, times=None)
    early = box.start_wharf("download", "org/early")
    hub.faults.wait(rule, 1)
    late = box.start_wharf("download", "org/late", "--repo-type", "dataset")
    hub.log.wait(path_matches="^/api/datasets/org/late/tree/")
    hub.faults.clear()
    for process in (early, late):
        out, error = process.communicate(timeout=30)
        assert process.returncode == 0, error
    (etag,) = {f["etag"] for f in hub.admin.files("org/early").values() if f["lfs"]}
    check_sent_once(hub, etag, 9_000_000)
    check_snapshot(
        hub, "org/early", Path(repo_folder(box, "org/early") / "snapshots" / head(hub, "org/early"))
    )
    check_snapshot(hub, "org/late", Path(out.splitlines()[-1]), "dataset")


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_blob_that_another_repo_holds_is_linked(box: Daemon, hub: TestHub, kind: str) -> None:
    files = {
        "w.safetensors": {"random": 3_000_000, "seed": f"link {kind}"},
        "config.json": f'{{"for": "{kind}"}}',
    }
    hub.admin.create_repo(f"org/holds-{kind}", files=files)
    hub.admin.create_repo(f"org/wants-{kind}", kind, files={**files, "more.txt": f"more {kind}"})
    first = box.download(f"org/holds-{kind}")
    before = hub.log.last_number()
    second = box.download(f"org/wants-{kind}", "--repo-type", kind)
    check_snapshot(hub, f"org/wants-{kind}", second, kind)
    for name in files:
        assert (first / name).stat().st_ino == (second / name).stat().st_ino
    fetched = {r.file for r in hub.log.find(since=before) if r.file}
    assert fetched == {"more.txt"}, "what was held was asked for again"


def test_revisions_share_their_blobs(box: Daemon, hub: TestHub) -> None:
    first = hub.admin.create_repo(
        "org/two", files={"w.safetensors": {"random": 2_000_000, "seed": 5}, "a.txt": "one"}
    )
    old = box.download("org/two")
    second = hub.admin.commit(
        "org/two", files={"a.txt": "two", "renamed.safetensors": {"random": 2_000_000, "seed": 5}}
    )
    before = hub.log.last_number()
    new = box.download("org/two")
    assert {r.file for r in hub.log.find(since=before) if r.file} == {"a.txt"}
    assert (old.name, new.name) == (first, second)
    check_snapshot(hub, "org/two", new)
    check_snapshot(hub, "org/two", box.download("org/two", "--revision", first), revision=first)
    assert (old / "w.safetensors").resolve() == (new / "renamed.safetensors").resolve()


@pytest.fixture(scope="module")
def warm(module_daemon: Daemon, session_hub: TestHub) -> Path:
    """The snapshot of a repo with a blob of 100 MB, held since before."""
    files = {"w.safetensors": {"sparse": 100_000_000}, "config.json": "{}", "n/x.txt": "x"}
    session_hub.admin.create_repo("org/warm", files=files)
    return module_daemon.download("org/warm")


def test_a_warm_download_reads_nothing(box: Daemon, hub: TestHub, warm: Path) -> None:
    files = [(warm / name).resolve() for name in files_below(warm)]
    with ReadWatch(files) as watch:
        begun = time.monotonic()
        assert box.download("org/warm") == warm
        assert box.download("org/warm", "w.safetensors") == warm / "w.safetensors"
        print(f"\ntwo warm downloads: {1000 * (time.monotonic() - begun):.0f} ms")
        assert watch.touched() == set()
        files[0].read_bytes()
        assert watch.touched() == {files[0]}, "the watch does not work"
    assert contents(hub) == 0


def test_a_warm_download_asks_once_by_branch_and_never_by_commit(
    box: Daemon, hub: TestHub, warm: Path
) -> None:
    assert box.download("org/warm") == warm
    assert hub.log.count() == questions(hub) == 1
    assert box.download("org/warm", "--revision", warm.name) == warm
    assert box.download("org/warm", "config.json", "--revision", warm.name) == warm / "config.json"
    assert hub.log.count() == 1


def test_a_restarted_daemon_is_warm(session_hub: TestHub, hub: TestHub, tmp_path: Path) -> None:
    hub.admin.create_repo("org/again", files={"w.safetensors": {"random": 200_000}, "a": "a"})
    with Daemon(hub.endpoint, tmp_path) as daemon:
        snapshot = daemon.download("org/again")
    before = hub.log.last_number()
    with Daemon(hub.endpoint, tmp_path) as daemon:
        with ReadWatch([(snapshot / name).resolve() for name in files_below(snapshot)]) as watch:
            assert daemon.download("org/again", "--revision", snapshot.name) == snapshot
            assert hub.log.count(since=before) == 0
            assert daemon.download("org/again") == snapshot
            assert hub.log.count(since=before) == 1
            assert watch.touched() == set()


def test_a_new_commit_is_seen_at_once(box: Daemon, hub: TestHub) -> None:
    hub.admin.create_repo("org/fresh", files={"a.txt": "0"})
    for number in range(1, 4):
        commit = hub.admin.commit("org/fresh", files={"a.txt": str(number)})
        path = box.download("org/fresh", "a.txt")
        assert path.parent.name == commit
        assert path.read_text() == str(number)
        ref = repo_folder(box, "org/fresh") / "refs" / "main"
        assert ref.read_text() == commit


def test_a_moved_branch_is_seen_and_old_snapshots_stay(box: Daemon, hub: TestHub) -> None:
    first = hub.admin.create_repo("org/moved", files={"a.txt": "first"})
    second = hub.admin.commit("org/moved", files={"a.txt": "second"})
    assert box.download("org/moved").name == second
    hub.admin.set_ref("org/moved", "main", first)
    back = box.download("org/moved")
    assert back.name == first
    assert (back / "a.txt").read_text() == "first"
    assert (back.parent / second / "a.txt").read_text() == "second"


def test_force_fetches_again(box: Daemon, hub: TestHub) -> None:
    hub.admin.create_repo(
        "org/force", files={"w.safetensors": {"random": 6_000_000, "seed": 6}, "a.txt": "forced"}
    )
    snapshot = box.download("org/force")
    before = hub.log.last_number()
    assert box.download("org/force", "--force-download") == snapshot
    check_snapshot(hub, "org/force", snapshot)
    for facts in hub.admin.files("org/force").values():
        check_sent_once(hub, facts["etag"], facts["size"], since=before)
    before = hub.log.last_number()
    assert box.download("org/force", "a.txt", "--force-download") == snapshot / "a.txt"
    assert {r.file for r in hub.log.find(since=before) if r.file} == {"a.txt"}
    before = hub.log.last_number()
    box.download("org/force")
    assert contents(hub, since=before) == 0


def test_what_a_user_deleted_comes_back(box: Daemon, hub: TestHub) -> None:
    """Snapshots, pointers and blobs may go while the daemon runs; nothing is believed blindly."""
    hub.admin.create_repo(
        "org/gone", files={"w.safetensors": {"random": 300_000, "seed": 7}, "d/a.txt": "gone"}
    )
    snapshot = box.download("org/gone")
    (snapshot / "d/a.txt").unlink()
    box.download("org/gone")
    check_snapshot(hub, "org/gone", snapshot)
    shutil.rmtree(snapshot)
    before = hub.log.last_number()
    box.download("org/gone")
    check_snapshot(hub, "org/gone", snapshot)
    assert contents(hub, since=before) == 0
    (snapshot / "w.safetensors").resolve().unlink()
    box.download("org/gone")
    check_snapshot(hub, "org/gone", snapshot)
    assert {r.file for r in hub.log.find(since=before) if r.file} == {"w.safetensors"}
    shutil.rmtree(repo_folder(box, "org/gone"))
    box.download("org/gone")
    check_snapshot(hub, "org/gone", snapshot)
