"""Runs inside an official client's environment and does what a test asks, one line at a time.

Starting Python and importing the client takes longer than most tests, so one process serves many.
It reads JSON lines `{"code": …, "variables": {…}}` and answers `{"result": …}` or
`{"error": {"types": […], "message": …, "status": …}}`. Nothing here depends on the test Hub, and
nothing of the client is replaced.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """Any result of the client as JSON values; objects become their attributes."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):  # also subclasses, like the URL types of the client
        return str(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, Iterator)):
        return [plain(item) for item in value]
    if hasattr(value, "__dict__"):
        return {key: plain(item) for key, item in vars(value).items() if not key.startswith("_")}
    return repr(value)


def failure(error: BaseException) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return {
        "types": [kind.__name__ for kind in type(error).__mro__],
        "message": str(error),
        "status": getattr(response, "status_code", None),
    }


def execute(code: str, variables: dict[str, Any]) -> dict[str, Any]:
    import huggingface_hub

    scope: dict[str, Any] = {"hf": huggingface_hub, "plain": plain, **variables}
    try:
        exec(compile(code, "<test>", "exec"), scope)
        return {"result": plain(scope.get("result"))}
    except Exception as error:
        return {"error": failure(error)}


def main() -> None:
    warnings.simplefilter("ignore")
    # The client may print; only answers may reach the pipe.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(execute(request["code"], request["variables"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
