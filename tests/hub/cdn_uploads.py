"""The CDN's storage side: it takes what comes to a signed URL, like S3, and looks at nothing."""

from __future__ import annotations

import re
from typing import Any

from .arrival import RequestBody
from .exchange import Exchange
from .log import RequestLog
from .state import State
from .uploads import Upload, drop_blob, receive_object, receive_part, replace_part
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
        upload = state.uploads.find(record.upload or "")
    if upload is None or upload.oid != record.blob:
        raise StorageError(404, "NoSuchUpload", "The specified upload does not exist")
    if (record.part or 0) not in (range(1, upload.part_count + 1) if upload.part_size else (0,)):
        raise StorageError(400, "InvalidArgument", "There is no such part")
    if record.part is None:
        etag = _put_object(state, upload, body)
    else:
        etag = _put_part(state, upload, record.part, body)
    log.update(record, completed=True)
    return Response(200, Headers([("ETag", etag)]))


def _put_object(state: State, upload: Upload, body: RequestBody) -> str:
    with state.lock:
        path = state.uploads.file()
    blob = receive_object(body, path)
    with state.lock:
        before, upload.repo.staged[upload.oid] = upload.repo.staged.get(upload.oid), blob
    if before is not None:
        drop_blob(before)
    return f'"{blob.sha256[:32]}"'


def _put_part(state: State, upload: Upload, part: int, body: RequestBody) -> str:
    """Bytes go where they belong at once, unless there are some already: a part that was there
    stays until another one is there whole."""
    if body.length != upload.size_of(part):
        raise StorageError(400, "InvalidPart", f"The part has {upload.size_of(part)} bytes")
    with state.lock:
        direct = part not in upload.etags and part not in upload.arriving
        if direct:
            upload.arriving.add(part)
        aside = state.uploads.file()
    try:
        if direct:
            etag = receive_part(body, upload.path, (part - 1) * upload.part_size)
        else:
            etag = receive_part(body, aside, 0)
        with state.lock:
            if state.uploads.find(upload.id) is None:
                raise StorageError(404, "NoSuchUpload", "The upload was completed meanwhile")
            if not direct and upload.etags.get(part) != etag:
                replace_part(upload, part, aside)
            upload.etags[part] = etag
    finally:
        aside.unlink(missing_ok=True)
        with state.lock:
            if direct:
                upload.arriving.discard(part)
    return etag
