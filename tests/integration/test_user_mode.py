"""`wharfd --user` as an ordinary user of the machine: it serves that person, and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD
from tests.support.scenes import check_snapshot, eventually
from tests.support.trials import clear_failure
from tests.support.users import User, folder_of, needs_root, new_user, open_folder
from tests.support.varlink_client import CallFailed

pytestmark = needs_root

TOKEN = "hf_user_mode_secret"
PUBLIC, PRIVATE = "usermode/public", "usermode-owner/private"
FILES = {"config.json": '{"a": 1}', "nested/w.safetensors": {"random": 300_000, "seed": "usermode"}}


@dataclass
class Own:
    """A person's own daemon, which runs."""

    user: User
    home: Path
    socket: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]

    @property
    def cache(self) -> Path:
        return self.home / ".cache/huggingface/hub"

    def folder(self, repo: str) -> Path:
        return self.cache / f"models--{repo.replace('/', '--')}"

    def wharf(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.user.run(
            BUILD / "wharf", *words, environment={**self.environment, **environment}
        )

    def status(self) -> dict[str, list[str]]:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


@pytest.fixture(scope="module", autouse=True)
def repos(session_hub: TestHub) -> None:
    session_hub.admin.add_user("usermode-owner", token=TOKEN)
    session_hub.admin.create_repo(PUBLIC, files=FILES)
    session_hub.admin.create_repo(PRIVATE, files=FILES, private=True)


@pytest.fixture
def own(hub: TestHub) -> Iterator[Own]:
    user = new_user()
    with open_folder() as place:
        home, runtime = folder_of(user, place), folder_of(user, place, "run")
        home.chmod(0o755)  # as many machines have it: what is private is so by its own mode
        runtime.chmod(0o755)  # the daemon itself must say who is refused
        environment = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "HF_ENDPOINT": hub.endpoint,
        }
        with open(place / "log", "w") as log, user.start(
            BUILD / "wharfd", "--user", environment=environment, stdout=log, stderr=log
        ) as process:
            try:
                path = runtime / "wharf/wharfd.sock"
                eventually(path.exists)
                yield Own(user, home, path, environment, process)
                assert process.poll() is None, (place / "log").read_text()
            finally:
                process.send_signal(signal.SIGTERM)
                code = process.wait(20)
        said = (place / "log").read_text()
        assert code == 0, said
        assert TOKEN not in said


def read_below(folder: Path) -> list[str]:
    return os.listdir(folder / "snapshots")


def test_it_serves_its_person(own: Own, hub: TestHub) -> None:
    done = own.wharf("download", PUBLIC)
    assert done.returncode == 0, done.stderr
    check_snapshot(hub, PUBLIC, Path(done.stdout.strip()))
    assert own.wharf("download", PRIVATE).returncode == 3
    done = own.wharf("download", PRIVATE, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    check_snapshot(hub, PRIVATE, Path(done.stdout.strip()))
    for path in [own.home, *own.home.rglob("*")]:
        facts = path.lstat()
        assert (facts.st_uid, facts.st_gid) == (own.user.uid, own.user.gid), path
    for path in (own.home / ".local/state/wharf").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_another_user_is_refused(own: Own) -> None:
    """Root as well: it is no administrator of somebody's own daemon."""
    assert own.wharf("download", PRIVATE, HF_TOKEN=TOKEN).returncode == 0
    for other in (new_user(), User(0, 0)):
        environment = {
            "HOME": "/nonexistent",
            "WHARF_SOCKET": str(own.socket),
            "WHARF_DAEMON_USER": str(own.user.uid),
        }
        for words in (["download", PUBLIC], ["jobs", "ls"], ["download", PRIVATE]):
            done = other.run(BUILD / "wharf", *words, "--quiet", environment=environment)
            clear_failure(done, done.returncode, "account|user|uid")
            assert done.returncode == 4, done.stderr
        with other.client(own.socket) as client, pytest.raises(CallFailed) as failed:
            client.call("Downloads.Download", repo=PRIVATE, token=TOKEN)
        assert failed.value.name == "Forbidden" and len(failed.value.message) > 20
    assert own.status() and own.wharf("jobs", "ls").returncode == 0


def test_only_its_person_enters_a_private_repo(own: Own) -> None:
    assert own.wharf("download", PUBLIC).returncode == 0
    assert own.wharf("download", PRIVATE, HF_TOKEN=TOKEN).returncode == 0
    other = new_user()
    assert other.do(read_below, own.folder(PUBLIC)), "the home is open: public is public"
    with pytest.raises(PermissionError):
        other.do(read_below, own.folder(PRIVATE))
    assert own.user.do(read_below, own.folder(PRIVATE))
    etags = os.listdir(own.folder(PRIVATE) / "blobs")
    for etag in etags:
        with pytest.raises(PermissionError):
            other.do((own.folder(PRIVATE) / "blobs" / etag).read_bytes)
    with pytest.raises(PermissionError):
        other.do(os.listdir, own.home / ".local/state/wharf")


def test_a_private_repo_stays_so_after_a_public_twin(own: Own) -> None:
    """The same contents are public elsewhere, which opens that folder and not this one."""
    assert own.wharf("download", PRIVATE, HF_TOKEN=TOKEN).returncode == 0
    assert own.wharf("download", PUBLIC).returncode == 0
    other = new_user()
    with pytest.raises(PermissionError):
        other.do(read_below, own.folder(PRIVATE))
    assert own.folder(PRIVATE).stat().st_mode & 0o777 == 0o700


def test_it_is_an_ordinary_process(own: Own) -> None:
    assert own.wharf("download", PUBLIC).returncode == 0
    status = own.status()
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name][0], 16) == 0, (name, status[name])
    assert status["Uid"] == [str(own.user.uid)] * 4
    assert status["Gid"] == [str(own.user.gid)] * 4
    assert status["Groups"] == []
    for task in Path(f"/proc/{own.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        assert any(line.split() == ["Uid:", *[str(own.user.uid)] * 4] for line in lines), task


# --- What a crash leaves ---


def test_a_crash_leaves_no_memory_behind(hub: TestHub) -> None:
    """A core has every token in it. What allows cores where the daemon starts is not believed."""
    user = new_user()
    with open_folder() as place:
        home, work = folder_of(user, place), folder_of(user, place, "work")
        (place / "run").mkdir(mode=0o700)
        os.chown(place / "run", user.uid, user.gid)
        environment = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(place / "run"),
            "HF_ENDPOINT": hub.endpoint,
        }
        process = user.start(
            "sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" --user', BUILD / "wharfd",
            environment=environment, cwd=work, stderr=subprocess.DEVNULL,
        )
        with process:
            eventually((place / "run/wharf/wharfd.sock").exists)
            limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
            (line,) = [line for line in limits if line.startswith("Max core file size")]
            assert line.split()[4:6] == ["0", "0"], line
            os.kill(process.pid, signal.SIGSEGV)
            _, status = os.waitpid(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSEGV
        assert not os.WCOREDUMP(status)
        assert os.listdir(work) == []
        assert [path for path in place.rglob("core*")] == []
