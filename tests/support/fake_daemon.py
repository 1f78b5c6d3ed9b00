"""A stand-in for wharfd that answers what a test tells it to, and remembers what it was asked.

Scripts are functions from a call's parameters to a list of steps:

    daemon.on("org.wharf.Status", lambda parameters: [{"version": "1"}])

A step is a dict (the parameters of one answer; all but the last are sent with "continues"), an
Error, a Pause, a Descriptor, or CLOSE, which ends the connection at that point. What was sent along
with a call goes to the scripts of `on_files`, as open descriptors that are closed after them.
"""

import array
import contextlib
import json
import os
import socket
import threading


class Error:
    """A typed error as the answer."""

    def __init__(self, name, **parameters):
        self.name = name
        self.parameters = parameters


def failure(name, message, hint=""):
    """One of the errors of org.wharf."""
    return Error(f"org.wharf.{name}", message=message, hint=hint)


class Pause:
    """Waits until the test sets the event, or the client is gone."""

    def __init__(self):
        self.reached = threading.Event()
        self.go_on = threading.Event()


class Descriptor:
    """An answer with an open file beside it."""

    def __init__(self, path, parameters):
        self.path = path
        self.parameters = parameters


CLOSE = object()


class FakeDaemon:
    """Listens on a Unix socket from construction to `close`; one thread per connection."""

    def __init__(self, path):
        self.path = str(path)
        self.calls = []  # (method, parameters), in order
        self.hangups = threading.Semaphore(0)  # released for each connection that ends
        self.raw = []  # the calls as they came, with "more"
        self._scripts = {}
        self._file_scripts = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, method, script):
        self._scripts[method] = script

    def on_files(self, method, script):
        """As `on`, for a script that also takes the list of descriptors."""
        self._file_scripts[method] = script

    def parameters_of(self, method):
        """The parameters of the calls of one method, in order."""
        return [parameters for name, parameters in self.calls if name == method]

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or accept() waits for ever in its thread
        self._listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        pending = b""
        files = []
        with connection:
            try:
                while True:
                    while b"\0" not in pending:
                        received, more, _, _ = socket.recv_fds(connection, 65536, 253)
                        files += more
                        if not received:
                            return
                        pending += received
                    text, pending = pending.split(b"\0", 1)
                    if not self._answer(connection, json.loads(text), files):
                        return
                    self._close_all(files)
            except OSError:
                pass
            finally:
                self._close_all(files)
                self.hangups.release()

    @staticmethod
    def _close_all(files):
        while files:
            os.close(files.pop())

    def _answer(self, connection, call, files):
        parameters = call.get("parameters", {})
        self.raw.append(call)
        self.calls.append((call["method"], parameters))
        script = self._scripts.get(call["method"])
        if file_script := self._file_scripts.get(call["method"]):
            steps = file_script(parameters, files)
        elif script:
            steps = script(parameters)
        else:
            self._send(
                connection,
                {
                    "error": "org.varlink.service.MethodNotFound",
                    "parameters": {"method": call["method"]},
                },
            )
            return True
        answers = [step for step in steps if not isinstance(step, Pause)]
        for step in steps:
            if step is CLOSE:
                return False
            if isinstance(step, Pause):
                step.reached.set()
                if not self._wait(connection, step.go_on):
                    return False
            elif isinstance(step, Error):
                self._send(connection, {"error": step.name, "parameters": step.parameters})
            elif isinstance(step, Descriptor):
                self._send_descriptor(connection, step)
            else:
                reply = {"parameters": step}
                if step is not answers[-1]:
                    reply["continues"] = True
                self._send(connection, reply)
        return True

    @staticmethod
    def _wait(connection, event):
        """Whether the event came before the client hung up."""
        connection.settimeout(0.02)
        try:
            while not event.is_set():
                try:
                    if connection.recv(1, socket.MSG_PEEK) == b"":
                        return False
                except TimeoutError:
                    pass
            return True
        finally:
            connection.settimeout(None)

    @staticmethod
    def _send(connection, reply):
        connection.sendall(json.dumps(reply).encode() + b"\0")

    @staticmethod
    def _send_descriptor(connection, step):
        fd = os.open(step.path, os.O_RDONLY)
        try:
            connection.sendmsg(
                [json.dumps({"parameters": step.parameters}).encode() + b"\0"],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))],
            )
        finally:
            os.close(fd)
