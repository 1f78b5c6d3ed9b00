"""Tokens that the daemon keeps for the accounts of the box: `wharf auth` and org.wharf.Auth."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hub import TestHub
from tests.support.daemon import BUILD, Daemon
from tests.support.trials import QUICK, watched
from tests.support.users import (
    DAEMON,
    DAEMON_UID,
    OPEN_TO_ALL,
    User,
    folder_of,
    needs_root,
    new_user,
)
from tests.support.varlink_client import CallFailed

pytestmark = needs_root

OPEN = {**QUICK, **OPEN_TO_ALL}


@dataclass
class Person:
    """Somebody with an account here and one at the Hub, which has a private repo."""

    name: str
    user: User
    token: str
    repo: str
    home: Path
    box: Daemon

    def wharf(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {
            "HOME": str(self.home),
            "WHARF_SOCKET": str(self.box.socket),
            "WHARF_DAEMON_USER": str(DAEMON_UID),
            **options.pop("environment", {}),
        }
        if "input" in options:
            text = options.pop("input")
            with self.user.start(
                BUILD / "wharf", *arguments, environment=environment, stdin=subprocess.PIPE, **options
            ) as process:
                out, err = process.communicate(text, timeout=60)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)
        return self.user.run(BUILD / "wharf", *arguments, environment=environment, **options)

    def login(self) -> None:
        done = self.wharf("auth", "login", input=self.token + "\n")
        assert done.returncode == 0, done.stderr

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        with self.user.client(self.box.socket) as client:
            return client.call(method, **parameters)

    def fetch(self, repo: str, **parameters: Any) -> dict[str, Any]:
        return self.call("Downloads.Download", repo=repo, **parameters)["result"]


@pytest.fixture
def box(place: Path, hub: TestHub) -> Iterator[Daemon]:
    with watched(Daemon(hub.endpoint, place, user=DAEMON_UID, **OPEN)) as daemon:
        yield daemon


_count = iter(range(1000))


def person(name: str, box: Daemon, hub: TestHub, place: Path) -> Person:
    number = next(_count)
    account = f"{name}{number}"
    token = f"hf_stored_{account}_secret"
    hub.admin.add_user(account, token=token, fullname=name.title(), orgs=[f"{account}-lab"])
    repo = f"{account}/auth-private"
    hub.admin.create_repo(repo, files={"a.txt": f"of {account}"}, private=True)
    user = new_user()
    return Person(account, user, token, repo, folder_of(user, place.parent), box)


@pytest.fixture
def ann(box: Daemon, hub: TestHub, place: Path) -> Person:
    return person("ann", box, hub, place)


@pytest.fixture
def ben(box: Daemon, hub: TestHub, place: Path) -> Person:
    return person("ben", box, hub, place)


def refusal(person: Person, repo: str, **parameters: Any) -> str:
    with pytest.raises(CallFailed) as failed:
        person.fetch(repo, **parameters)
    return failed.value.name


# --- Whose token serves whom ---


def test_a_stored_token_serves_its_owner_and_nobody_else(ann: Person, ben: Person, hub: TestHub) -> None:
    assert refusal(ann, ann.repo) == "RepoNotFound"
    ann.login()
    before = hub.log.last_number()
    assert refusal(ben, ann.repo) == "RepoNotFound"
    assert hub.log.count(user=ann.name, since=before) == 0
    assert ann.fetch(ann.repo)["commit"] == hub.state.get("model", ann.repo).head.id
    ben.login()
    before = hub.log.last_number()
    assert refusal(ben, ann.repo) == "RepoNotFound"
    assert hub.log.count(user=ann.name, since=before) == 0
    assert ben.fetch(ben.repo)
    done = ann.wharf("download", ann.repo, "--json")
    assert done.returncode == 0, done.stderr


def test_a_token_that_comes_with_a_call_goes_before_the_stored_one(
    ann: Person, ben: Person, hub: TestHub
) -> None:
    ann.login()
    before = hub.log.last_number()
    assert ann.fetch(ben.repo, token=ben.token)
    assert refusal(ann, ann.repo, token=ben.token) == "RepoNotFound"
    assert hub.log.count(user=ann.name, since=before) == 0


def test_an_empty_token_is_none_by_choice(ann: Person, hub: TestHub) -> None:
    ann.login()
    before = hub.log.last_number()
    assert refusal(ann, ann.repo, token="") == "RepoNotFound"
    assert ann.wharf("download", ann.repo, "--token", "").returncode == 3
    implicit = {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
    assert ann.wharf("download", ann.repo, environment=implicit).returncode == 3
    assert hub.log.count(user=ann.name, since=before) == 0


def test_it_survives_a_restart_and_ends_with_a_logout(ann: Person, box: Daemon) -> None:
    ann.login()
    box.kill()
    box.start()
    assert ann.fetch(ann.repo)
    assert ann.wharf("auth", "logout", "--quiet").stdout == f"{ann.name}\n"
    assert ann.call("Auth.List")["tokens"] == []
    done = ann.wharf("auth", "whoami")
    assert done.returncode == 4 and "wharf auth login" in done.stderr
    box.stop()
    box.start()
    assert ann.call("Auth.List")["tokens"] == []
    done = ann.wharf("auth", "logout")
    assert (done.returncode, done.stdout) == (0, "Not logged in.\n")


def test_a_later_login_takes_the_place_of_the_first(ann: Person, ben: Person) -> None:
    ann.login()
    assert ann.call("Auth.Login", token=ben.token)["token"]["user"] == ben.name
    assert ann.fetch(ben.repo)
    assert refusal(ann, ann.repo) == "RepoNotFound"
    assert [token["user"] for token in ann.call("Auth.List")["tokens"]] == [ben.name]


def test_a_revoked_token_says_what_to_do(ann: Person, hub: TestHub) -> None:
    ann.login()
    hub.admin.revoke_token(ann.token)
    done = ann.wharf("auth", "whoami")
    assert done.returncode == 4 and "wharf auth login" in done.stderr
    done = ann.wharf("download", ann.repo)
    assert done.returncode == 4 and "wharf auth login" in done.stderr


def test_a_key_that_was_lost_says_what_to_do(ann: Person, ben: Person, box: Daemon) -> None:
    ann.login()
    box.stop()
    (box.state / "key").unlink()
    box.start()
    box.wait_for_log(f"the stored token of uid {ann.user.uid} cannot be used")
    done = ann.wharf("download", ann.repo)
    assert done.returncode == 4 and "wharf auth login" in done.stderr
    (token,) = ann.call("Auth.List")["tokens"]
    assert "key" in token["fault"] and token["user"] == ann.name
    ben.login()  # others are not concerned
    assert ben.fetch(ben.repo)
    ann.login()
    assert ann.fetch(ann.repo)


def test_it_is_not_sent_to_another_hub(ann: Person, box: Daemon, hub: TestHub) -> None:
    ann.login()
    box.stop()
    box.settings["hub"]["endpoint"] = hub.endpoint + "/mirror"
    box.start()
    before = hub.log.last_number()
    with pytest.raises(CallFailed, match="another Hub"):
        ann.fetch(ann.repo)
    assert hub.log.count(user=ann.name, since=before) == 0


# --- What is accepted ---


def test_a_token_that_the_hub_does_not_know_is_not_kept(ann: Person) -> None:
    done = ann.wharf("auth", "login", input="hf_mistyped_secret\n")
    assert done.returncode == 4 and done.stdout == ""
    assert "mistyped" not in done.stderr.replace("may be mistyped", "")
    assert ann.call("Auth.List")["tokens"] == []
    ann.login()
    assert ann.wharf("auth", "login", input="hf_mistyped_secret\n").returncode == 4
    assert ann.fetch(ann.repo), "the earlier one stays"


@pytest.mark.parametrize("token", ["", "\n", "api_org_of_a_lab", "two words", "tab\there"])
def test_what_is_no_token_of_a_person_is_refused(ann: Person, hub: TestHub, token: str) -> None:
    before = hub.log.last_number()
    done = ann.wharf("auth", "login", input=token + "\n")
    assert done.returncode == 2, done.stderr
    assert "of_a_lab" not in done.stderr and "words" not in done.stderr
    assert hub.log.last_number() == before
    assert ann.call("Auth.List")["tokens"] == []


def test_nothing_is_kept_when_the_hub_cannot_be_asked(ann: Person, hub: TestHub) -> None:
    hub.faults.add("status", status=503, match={"path": "whoami"}, times=None)
    assert ann.wharf("auth", "login", input=ann.token).returncode == 5
    assert ann.call("Auth.List")["tokens"] == []


def test_the_command_does_not_send_it_to_a_hub_that_is_not_meant(ann: Person) -> None:
    other = {"HF_ENDPOINT": "https://mirror.example"}
    done = ann.wharf("auth", "login", input=ann.token, environment=other)
    assert done.returncode == 2 and ann.token not in done.stderr
    assert ann.call("Auth.List")["tokens"] == []


# --- Who sees what ---


def test_people_see_their_own_and_administrators_all(ann: Person, ben: Person, box: Daemon) -> None:
    ann.login()
    ben.login()
    for person in (ann, ben):
        (token,) = person.call("Auth.List")["tokens"]
        assert token["uid"] == person.user.uid and token["user"] == person.name
    with pytest.raises(CallFailed) as failed:
        ann.call("Auth.List", all=True)
    assert failed.value.name == "Forbidden"
    done = ann.wharf("auth", "list", "--all")
    assert done.returncode == 4
    with DAEMON.client(box.socket) as administrator:
        tokens = administrator.call("Auth.List", all=True)["tokens"]
        assert {token["uid"] for token in tokens} == {ann.user.uid, ben.user.uid}
        assert administrator.call("Auth.List")["tokens"] == []
        for person in (ann, ben):
            assert person.token not in str(tokens) and person.token[:12] not in str(tokens)


# --- The command ---


def test_what_the_commands_print(ann: Person) -> None:
    done = ann.wharf("auth", "login", input=ann.token)
    assert done.stdout.startswith(f"Logged in as {ann.name}.") and done.stderr == ""
    assert ann.wharf("auth", "login", "--quiet", input=ann.token).stdout == f"{ann.name}\n"
    assert f'"user":"{ann.name}"' in ann.wharf("auth", "login", "--json", input=ann.token).stdout
    shown = ann.wharf("auth", "whoami").stdout.splitlines()
    assert shown[:2] == [f"user: {ann.name}", f"orgs: {ann.name}-lab"]
    assert shown[2].startswith("endpoint: http") and shown[3].endswith("(write), stored")
    assert ann.wharf("auth", "whoami", "-q").stdout == f"{ann.name}\n"
    assert '"stored":true' in ann.wharf("auth", "whoami", "--json").stdout
    table = ann.wharf("auth", "ls").stdout.splitlines()
    assert len(table) == 2 and ann.name in table[1] and "in use" in table[1]
    assert ann.wharf("auth", "list", "-q").stdout == f"{ann.name}\n"
    done = ann.wharf("auth", "logout")
    assert done.stdout == f"Logged out. The daemon keeps no token of {ann.name}.\n"
    assert ann.wharf("auth", "ls").stdout.startswith("No token is stored")
    assert ann.wharf("auth", "login", "--token", ann.token).returncode == 0


def test_what_goes_before_a_stored_token_is_said(ann: Person, ben: Person) -> None:
    variables = {"HF_TOKEN": ben.token}
    done = ann.wharf("auth", "login", input=ann.token, environment=variables)
    assert done.returncode == 0 and "HF_TOKEN" in done.stderr and ben.token not in done.stderr
    assert ann.wharf("auth", "whoami", "-q", environment=variables).stdout == f"{ben.name}\n"
    assert ann.wharf("auth", "whoami", "-q", "--token", ann.token).stdout == f"{ann.name}\n"
    assert ann.wharf("auth", "logout", environment=variables).returncode == 0
    assert ann.wharf("auth", "whoami", "-q", environment=variables).stdout == f"{ben.name}\n"


def _type(person: Person, keys: list[bytes]) -> tuple[str, int]:
    """Logs in on a terminal; what stood on it, and the exit code."""
    ours, theirs = pty.openpty()
    environment = {
        "HOME": str(person.home),
        "WHARF_SOCKET": str(person.box.socket),
        "WHARF_DAEMON_USER": str(DAEMON_UID),
    }
    process = person.user.start(
        BUILD / "wharf", "auth", "login", environment=environment,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        text=False,
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 20
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    part = os.read(ours, 4096)
                except OSError:
                    break
                if not part:
                    break
                shown += part
            if b"not shown" in shown and keys:
                os.write(ours, keys.pop(0))
        return shown.decode(), process.wait(10)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_on_a_terminal_it_is_asked_for_and_not_shown(ann: Person) -> None:
    shown, code = _type(ann, [ann.token.encode() + b"\n"])
    assert code == 0, shown
    assert "Logged in as" in shown and ann.token not in shown and "secret" not in shown


def test_the_varlink_client_of_pypi_can_log_in(ann: Person, box: Daemon) -> None:
    pytest.importorskip("varlink")
    program = (
        "import sys, varlink\n"
        "client = varlink.Client('unix:' + sys.argv[1])\n"
        "auth = client.open('org.wharf.Auth')\n"
        "print(auth.Login(sys.stdin.read())['token']['user'])\n"
        "print(auth.WhoAmI()['stored'], len(auth.List()['tokens']))\n"
        "print(auth.Logout()['token']['user'], auth.Logout().get('token'))\n"
        "try:\n"
        "    auth.WhoAmI()\n"
        "except varlink.VarlinkError as error:\n"
        "    print(error.error())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(box.socket)],
        input=ann.token, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        ann.name, "True 1", f"{ann.name} None", "org.wharf.Unauthorized",
    ]
