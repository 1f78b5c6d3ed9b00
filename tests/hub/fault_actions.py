"""All kinds of faults by the names they have in JSON."""

from __future__ import annotations

from typing import Any

from . import faults_of_answers as answers
from . import faults_of_transfer as transfer
from . import faults_of_uploads as uploads
from .fault_action import Action

ACTIONS: dict[str, type[Action]] = {
    "reset": transfer.Reset,
    "close": transfer.Close,
    "stall": transfer.Stall,
    "dribble": transfer.Dribble,
    "drop": transfer.Drop,
    "hangup": transfer.Hangup,
    "delay": transfer.Delay,
    "interim": transfer.Interim,
    "status": answers.Status,
    "body": answers.Body,
    "malformed_json": answers.MalformedJson,
    "redirect": answers.Redirect,
    "headers": answers.HeaderEdit,
    "etag": answers.Etag,
    "huge_header": answers.HugeHeader,
    "header_flood": answers.HeaderFlood,
    "link_next": answers.LinkNext,
    "expired_signature": answers.ExpiredSignature,
    "corrupt": transfer.Corrupt,
    "ignore_range": transfer.IgnoreRange,
    "bad_content_range": transfer.BadContentRange,
    "wrong_length": transfer.WrongLength,
    "chunked": transfer.Chunked,
    "no_length": transfer.NoLength,
    "gzip": transfer.Gzip,
    "upload_reset": uploads.UploadReset,
    "upload_close": uploads.UploadClose,
    "upload_stall": uploads.UploadStall,
    "upload_dribble": uploads.UploadDribble,
    "object_error": uploads.ObjectError,
}


def make_action(spec: dict[str, Any]) -> Action:
    """An action from its JSON form; raises ValueError for unknown kinds and parameters."""
    parameters = dict(spec)
    kind = parameters.pop("kind", None)
    if kind not in ACTIONS:
        raise ValueError(f"unknown kind of fault {kind!r}; known: {', '.join(ACTIONS)}")
    try:
        return ACTIONS[kind](**parameters)
    except TypeError as error:
        raise ValueError(f"{kind}: {error}") from None
