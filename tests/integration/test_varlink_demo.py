"""Judges our Varlink server by a client that is not ours: the `varlink` package of PyPI.

Needs the packages of tests/requirements.txt, and the program varlink_demo_server of the build in
WHARF_BUILD (default: build/).
"""
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import threading

import pytest
import varlink

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WHARF_BUILD", ROOT / "build"))


@pytest.fixture
def server(tmp_path):
    path = tmp_path / "demo" / "demo.sock"
    program = BUILD / "tests/unit/service/varlink_demo_server"
    with subprocess.Popen([program, path], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "ready\n"
        server.path = path
        yield server
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
    assert not path.exists()


@pytest.fixture
def path(server):
    return server.path


@pytest.fixture
def client(path):
    with varlink.Client(f"unix:{path}") as client:
        yield client


@pytest.fixture
def demo(client):
    with client.open("org.example.demo") as connection:
        yield connection


def test_introspection(client):
    assert client.get_interfaces() == ["org.varlink.service", "org.example.demo"]
    assert client.info["vendor"] == "wharf"
    assert client.info["product"] == "wharf"
    assert client.info["version"]
    interface = client.get_interface("org.example.demo")
    source = ROOT / "tests/support/org.example.demo.varlink"
    assert interface.get_description() == source.read_text()
    assert "Ping" in interface.members


def test_our_own_definitions_are_understood():
    for file in sorted((ROOT / "protocol").glob("*.varlink")):
        interface = varlink.Interface(file.read_text())
        assert file.name == f"{interface.name}.varlink"


def test_calls(demo):
    assert demo.Ping("hello") == {"text": "hello"}
    assert demo.Ping("hëllo \U0001f433 \n") == {"text": "hëllo \U0001f433 \n"}
    whole = {
        "flag": True, "number": 2**63 - 1, "ratio": 0.25, "text": "", "colour": "blue",
        "point": {"x": 1, "y": -1}, "points": [{"x": 0, "y": 0, "label": "origin"}],
        "by_name": {"a": {"x": 1, "y": 2}}, "anything": {"k": [1, None, {}]},
    }
    assert demo.Echo(whole) == {"all": whole}


def test_long_messages(demo):
    text = "x" * 4_000_000
    assert demo.Ping(text) == {"text": text}


def test_more(demo):
    assert [reply["number"] for reply in demo.Count(50, _more=True)] == list(range(1, 51))
    assert demo.Count(50) == {"number": 50}
    assert [reply["text"] for reply in demo.Ping("one", _more=True)] == ["one"]


def test_oneway(demo):
    for _ in range(10):
        assert demo.Ping("unanswered", _oneway=True) is None
    assert demo.Ping("answered") == {"text": "answered"}


def test_standard_errors(client, demo):
    with pytest.raises(varlink.InterfaceNotFound) as caught:
        client.get_interface("org.example.none")
    assert caught.value.parameters() == {"interface": "org.example.none"}
    with pytest.raises(varlink.InvalidParameter) as caught:
        demo.Positive(-1)
    assert caught.value.parameters() == {"parameter": "number"}
    with pytest.raises(varlink.InvalidParameter) as caught:
        demo.Ping()
    assert caught.value.parameters() == {"parameter": "text"}
    with pytest.raises(varlink.MethodNotImplemented) as caught:
        demo.Missing()
    assert caught.value.parameters() == {"method": "org.example.demo.Missing"}
    with pytest.raises(varlink.VarlinkError) as caught:
        demo.Watch(3)
    assert caught.value.error() == "org.varlink.service.ExpectedMore"
    with pytest.raises(varlink.VarlinkError) as caught:
        demo._send_message(b'{"method":"org.example.demo.Nope"}')
        demo._next_varlink_message()
    assert caught.value.error() == "org.varlink.service.MethodNotFound"
    assert caught.value.parameters() == {"method": "org.example.demo.Nope"}
    assert demo.Ping("still here") == {"text": "still here"}


def test_our_errors_are_typed(demo):
    with pytest.raises(varlink.VarlinkError) as caught:
        demo.Fail("repo_not_found", "there is no repo a/b")
    assert caught.value.error() == "org.wharf.RepoNotFound"
    assert caught.value.parameters() == {
        "message": "there is no repo a/b", "hint": "do something else"}
    with pytest.raises(varlink.VarlinkError) as caught:
        demo.Print(7)
    assert caught.value.error() == "org.example.demo.OutOfPaper"
    assert caught.value.parameters() == {"sheets": 7}
    with pytest.raises(varlink.VarlinkError) as caught:
        demo.Crash("hf_secret")
    assert caught.value.error() == "org.wharf.Internal"
    assert "hf_secret" not in json.dumps(caught.value.as_dict())


def test_many_clients_at_once(client):
    failures = []

    def work(number):
        try:
            with client.open("org.example.demo") as connection:
                for i in range(50):
                    assert connection.Ping(f"{number}-{i}") == {"text": f"{number}-{i}"}
                assert len(list(connection.Count(100, _more=True))) == 100
        except Exception as error:  # reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_descriptors(path, tmp_path):
    (tmp_path / "file").write_text("from the client")
    with socket.socket(socket.AF_UNIX) as raw, open(tmp_path / "file") as file:
        raw.connect(str(path))
        call = {"method": "org.example.demo.Open", "parameters": {"content": "from the server"}}
        raw.sendall(json.dumps(call).encode() + b"\0")
        message, descriptors, _, _ = socket.recv_fds(raw, 65536, 4)
        reply = json.loads(message.rstrip(b"\0"))
        with os.fdopen(descriptors[reply["parameters"]["descriptor"]]) as received:
            received.seek(0)
            assert received.read() == "from the server"
        socket.send_fds(raw, [b'{"method":"org.example.demo.Read"}\0'], [file.fileno()])
        reply = json.loads(raw.recv(65536).rstrip(b"\0"))
        assert reply == {"parameters": {"contents": ["from the client"]}}


def resident(pid):
    """The memory of a process, in KiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.fixture
def many_descriptors():
    """Raises the limit of this process, and of the server that is started after it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2200:
        pytest.skip("not enough descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections_are_cheap(many_descriptors, server, demo):
    before = resident(server.pid)
    idle = []
    for _ in range(2000):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(server.path))
        connection.sendall(b'{"method":"org.varlink.service.GetInfo"}\0')
        assert connection.recv(4096).endswith(b"\0")
        idle.append(connection)
    each = (resident(server.pid) - before) / len(idle)
    print(f"{each:.1f} KiB resident for each idle connection")
    assert demo.Ping("quick") == {"text": "quick"}
    for connection in idle:
        connection.close()
    assert demo.Ping("quick") == {"text": "quick"}
    if "asan" not in str(BUILD) and "tsan" not in str(BUILD):
        assert each < 8


def test_a_second_server_is_refused(path):
    program = BUILD / "tests/unit/service/varlink_demo_server"
    second = subprocess.run([program, path], capture_output=True, text=True, timeout=10)
    assert second.returncode == 1
    assert "another daemon serves" in second.stderr


def test_a_killed_server_leaves_room_for_the_next(tmp_path):
    path = tmp_path / "demo.sock"
    program = BUILD / "tests/unit/service/varlink_demo_server"
    for _ in range(2):
        with subprocess.Popen([program, path], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout.readline() == "ready\n"
            with varlink.Client(f"unix:{path}") as client, \
                    client.open("org.example.demo") as connection:
                assert connection.Ping("x") == {"text": "x"}
            server.kill()
    assert path.exists()
