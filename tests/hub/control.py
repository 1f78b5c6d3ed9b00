"""The control server: the in-process API over HTTP, for tests in other processes.

`POST /<object>/<method>` with the arguments as a JSON object; the reply is `{"result": …}` or
`{"error": "…"}` with status 400 (503 for a wait that timed out). Objects are `admin`, `faults` and
`log`. GET works as well, with the query as string arguments; `GET /` tells where everything is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from .arrival import BadRequest
from .exchange import Exchange
from .log import Record
from .wire import Request, Response, json_response


class ControlFace:
    """Serves the public methods of some objects. Not logged, and no fault applies to it."""

    name = "control"

    def __init__(
        self, base_url: str, objects: dict[str, object], summary: Callable[[], dict[str, Any]]
    ) -> None:
        self.base_url = base_url
        self._objects = objects
        self._summary = summary

    def answer(self, request: Request, connection: int) -> tuple[Response, Exchange]:
        record = Record(
            0, 0, self.name, request.method, request.path, "", connection, request.reused
        )
        try:
            response = self._call(request)
        except (ValueError, TypeError, BadRequest) as error:
            response = json_response({"error": str(error)}, 400)
        except TimeoutError as error:
            response = json_response({"error": str(error)}, 503)
        except OSError as error:
            response = json_response({"error": str(error)}, 400)
        return response, Exchange(request, record)

    def sent(self, exchange: Exchange, count: int) -> None:
        pass

    def stalled(self, exchange: Exchange, now: bool) -> None:
        pass

    def ended(self, exchange: Exchange, aborted: bool) -> None:
        pass

    def _call(self, request: Request) -> Response:
        if request.path == "/":
            return json_response(self._summary())
        name, _, method = request.path.strip("/").partition("/")
        target = self._objects.get(name)
        function = getattr(target, method, None) if not method.startswith("_") else None
        if target is None or not callable(function):
            return json_response({"error": f"no {request.path}"}, 404)
        if request.method == "GET":
            arguments: Any = {key: values[0] for key, values in request.query().items()}
        else:
            arguments = request.json()
        if not isinstance(arguments, dict):
            raise ValueError("the arguments are a JSON object")
        return json_response({"result": _plain(function(**arguments))})


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return dataclasses.asdict(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
