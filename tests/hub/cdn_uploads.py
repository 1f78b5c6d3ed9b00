"""The CDN's storage side: it takes what comes to a signed URL, like S3, and looks at nothing."""

from __future__ import annotations

import re
from typing import Any

from .exchange import Exchange
from .log import RequestLog
from .state import State
from .uploads import drop_blob, receive_object, receive_part
from .wire import Headers, Request, Response

_PATH = re.compile(r"/uploads/(?P<repo>[^/]+/.+)/(?P<oid>[0-9a-f]{64})")


class StorageError(Exception):
    """An error reply in S3's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def about(request: Request) -> dict[str, Any]:
    """What the URL says, for the log and the faults; nothing for URLs of other kinds."""
    if (match := _PATH.fullmatch(request.path)) is None:
        return {}
    query = request.query()
    part = query.get("partNumber", [""])[0]
    return {
        "repo": match["repo"],
        "blob": match["oid"],
        "upload": query.get("uploadId", [None])[0],
        "part": int(part) if part.isdecimal() else None,
    }


def put(state: State, log: RequestLog, exchange: Exchange) -> Response:
    """Stores an object or a part, for which a signed URL of an upload was checked before."""
    body, record = exchange.request.body, exchange.record
    if body.chunked or "Content-Length" not in exchange.request.headers:
        raise StorageError(411, "MissingContentLength", "You must provide Content-Length")
    with state.lock:
        upload, path = state.uploads.find(record.upload or ""), state.uploads.file()
    if upload is None or upload.oid != record.blob:
        raise StorageError(404, "NoSuchUpload", "The specified upload does not exist")
    if (record.part or 0) not in (range(1, upload.part_count + 1) if upload.part_size else (0,)):
        raise StorageError(400, "InvalidArgument", "There is no such part")
    if record.part is not None:
        part = receive_part(body, path)
        with state.lock:
            old, upload.parts[record.part] = upload.parts.get(record.part), part
        if old is not None:
            old.path.unlink(missing_ok=True)
        etag = part.etag
    else:
        blob = receive_object(body, path)
        with state.lock:
            before, upload.repo.staged[upload.oid] = upload.repo.staged.get(upload.oid), blob
        if before is not None:
            drop_blob(before)
        etag = f'"{blob.sha256[:32]}"'
    log.update(record, completed=True)
    return Response(200, Headers([("ETag", etag)]))
