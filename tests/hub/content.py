"""Serving a blob: conditions, ranges and the headers that go with them."""

from __future__ import annotations

import re
import urllib.parse

from .body import BlobBody
from .objects import Blob
from .wire import Headers, Request, Response, text_response

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Unsatisfiable(Exception):
    """The range lies outside the content."""


def parse_range(value: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte, or None for the whole content.

    Several ranges and malformed ones are ignored, which HTTP allows.
    """
    found = _RANGE.fullmatch((value or "").replace(" ", ""))
    if found is None or found.group(1) == found.group(2) == "":
        return None
    if found.group(1) == "":
        length = int(found.group(2))
        if length == 0 or size == 0:
            raise Unsatisfiable
        return max(size - length, 0), size - 1
    first = int(found.group(1))
    last = min(int(found.group(2)), size - 1) if found.group(2) else size - 1
    if found.group(2) and int(found.group(2)) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, last


def serve_blob(request: Request, blob: Blob, etag: str, headers: list[tuple[str, str]]) -> Response:
    """The content (or the asked range of it) with an entity tag."""
    quoted = f'"{etag}"'
    fields = Headers([("ETag", quoted), ("Accept-Ranges", "bytes"), *headers])
    condition = request.headers.get("If-None-Match")
    if condition is not None and quoted in [
        tag.strip().removeprefix("W/") for tag in condition.split(",")
    ]:
        return Response(304, fields)
    wanted = request.headers.get("Range") if request.method == "GET" else None
    if request.headers.get("If-Range") not in (None, quoted):
        wanted = None
    if "Content-Type" not in fields:
        fields.add("Content-Type", "application/octet-stream")
    try:
        span = parse_range(wanted, blob.size)
    except Unsatisfiable:
        refusal = text_response("Requested Range Not Satisfiable", 416)
        refusal.headers.add("Content-Range", f"bytes */{blob.size}")
        return refusal
    if span is None:
        return Response(200, fields, BlobBody(blob, 0, blob.size))
    first, last = span
    fields.add("Content-Range", f"bytes {first}-{last}/{blob.size}")
    return Response(206, fields, BlobBody(blob, first, last - first + 1))


def disposition(path: str) -> str:
    """`Content-Disposition` for a file of a repository."""
    name = path.rpartition("/")[2]
    plain = name.encode("ascii", "replace").decode().replace('"', "_").replace("\\", "_")
    return f"inline; filename*=UTF-8''{urllib.parse.quote(name)}; filename=\"{plain}\";"
