"""The LFS side of uploads: which objects to send and where, and that they have arrived."""

from __future__ import annotations

import re
import time
from typing import Any

from .context import KIND, REPO_ID, Context, Router, plural
from .errors import HubError, bad_request, forbidden, unprocessable
from .objects import Blob
from .repository import Repository
from .signing import sign_fields, verify
from .state import check_files, check_write
from .uploads import Refused, Upload, check_object, check_parts, drop_blob
from .wire import Headers, Response, json_response
from .writing import check_propose, check_push

_MEDIA_TYPE = "application/vnd.git-lfs+json"
_COMPLETE = "/api/complete_multipart"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def register(router: Router) -> None:
    repo = rf"/(?P<kind>datasets/|spaces/)?(?P<id>{REPO_ID})\.git/info/lfs/objects"
    router.add("POST", f"{repo}/batch", batch)
    router.add("POST", f"{repo}/verify", verify_object)
    router.add("POST", _COMPLETE, complete)
    router.add("POST", f"/api/{KIND}/(?P<id>{REPO_ID})/lfs-files/duplicate", duplicate)


# --- Batch ---------------------------------------------------------------------------------


def batch(ctx: Context) -> Response:
    """What to do with each object: nothing, send it, or send it in parts."""
    repo, body = ctx.repository(), ctx.request.json()
    if body.get("operation") != "upload" or body.get("hash_algo", "sha256") != "sha256":
        raise unprocessable("Only uploads of objects named by sha256")
    ref = (body.get("ref") or {}).get("name")
    if ref is None:
        check_propose(repo, ctx.who)
    else:
        check_push(repo, ctx.who, str(ref))
    transfers = body.get("transfers") or ["basic"]
    with ctx.state.lock:
        rows = [_row(ctx, repo, item, transfers) for item in body.get("objects", [])]
    in_parts = any("chunk_size" in _upload_header(row) for row in rows)
    response = json_response({"transfer": "multipart" if in_parts else "basic", "objects": rows})
    response.headers.set("Content-Type", _MEDIA_TYPE)
    return response


def _upload_header(row: dict[str, Any]) -> dict[str, str]:
    header: dict[str, str] = row.get("actions", {}).get("upload", {}).get("header", {})
    return header


def _row(ctx: Context, repo: Repository, item: Any, transfers: list[str]) -> dict[str, Any]:
    oid, size = item.get("oid"), item.get("size")
    row: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    if (
        not (isinstance(oid, str) and _SHA256.fullmatch(oid))
        or not isinstance(size, int)
        or size < 0
    ):
        return row | {"error": {"code": 422, "message": "Invalid object"}}
    if known := repo.large.get(oid):
        if known.size != size:
            return row | {"error": {"code": 422, "message": f"The object has {known.size} bytes"}}
        return row
    settings = ctx.state.settings
    part_size = settings.lfs_part_size if size > settings.lfs_multipart_above else 0
    if part_size and "multipart" not in transfers:
        message = "You need to configure your repository to enable upload of files > 5GB."
        return row | {"error": {"code": 400, "message": message}}
    upload = ctx.state.uploads.begin(repo, oid, size, part_size)
    lifetime = -60 if ctx.exchange.expired_url else settings.url_lifetime
    return row | {"actions": _actions(ctx, upload, time.time() + lifetime)}


def _actions(ctx: Context, upload: Upload, expires: float) -> dict[str, Any]:
    repo, key, base = upload.repo, ctx.state.signing_key, ctx.request.base_url
    path = f"/uploads/{plural(repo.kind)}/{repo.id}/{upload.oid}"

    def url(**fields: str) -> str:
        return ctx.cdn_url + sign_fields(key, path, expires, uploadId=upload.id, **fields)

    action: dict[str, Any] = {"href": url()}
    if upload.part_size:
        parts = {f"{n:05}": url(partNumber=str(n)) for n in range(1, upload.part_count + 1)}
        target = sign_fields(key, _COMPLETE, expires, uploadId=upload.id)
        action = {
            "href": base + target,
            "header": {"chunk_size": str(upload.part_size), **parts},
        }
    verifying = {"href": f"{repo.url(base)}.git/info/lfs/objects/verify"}
    return {"upload": action, "verify": verifying}


# --- Arrival -------------------------------------------------------------------------------


def complete(ctx: Context) -> Response:
    """Puts the parts together. Needs no credentials besides the signed URL itself."""
    request, state = ctx.request, ctx.state
    problem = verify(state.signing_key, request.path, request.query_string)
    if problem is not None or ctx.exchange.expired_url:
        raise forbidden(f"Forbidden: {problem or 'the URL has expired'}")
    body = request.json()
    with state.lock:
        upload = state.uploads.find(request.query().get("uploadId", [""])[0])
    if upload is None:
        raise HubError(404, "NoSuchUpload: it does not exist, or was completed before")
    ctx.exchange.record.blob, ctx.exchange.record.upload = upload.oid, upload.id
    ctx.exchange.record.repo = f"{plural(upload.repo.kind)}/{upload.repo.id}"
    try:
        claimed = [(int(part["partNumber"]), str(part["etag"])) for part in body["parts"]]
    except (KeyError, TypeError, ValueError):
        raise bad_request("A list of parts with partNumber and etag is needed") from None
    if body.get("oid") != upload.oid:
        raise bad_request("The upload is of another object")
    _assemble(ctx, upload, claimed)
    return json_response({"success": True})


def _assemble(ctx: Context, upload: Upload, claimed: list[tuple[int, str]]) -> None:
    state = ctx.state
    try:
        with state.lock:
            check_parts(upload, claimed)
    except Refused as error:
        raise bad_request(str(error)) from None
    blob = Blob(path=str(upload.path))
    try:
        check_object(blob, upload.oid, upload.size)
    except Refused as error:
        drop_blob(blob)
        raise bad_request(str(error)) from None
    finally:
        with state.lock:
            state.uploads.close(upload)
    with state.lock:
        upload.repo.large.setdefault(upload.oid, blob)


def verify_object(ctx: Context) -> Response:
    """Takes an object from storage into the repository, if it is what was announced."""
    repo, body = ctx.repository(), ctx.request.json()
    check_propose(repo, ctx.who)
    oid, size = str(body.get("oid")), body.get("size")
    if not isinstance(size, int):
        raise bad_request("An object has an oid and a size")
    ctx.exchange.record.blob = oid
    with ctx.state.lock:
        blob = repo.large.get(oid) or repo.staged.get(oid)
        if blob is None:
            raise HubError(404, f"Object {oid} was not uploaded")
        try:
            check_object(blob, oid, size)
        except Refused as error:
            if repo.staged.pop(oid, None) is not None:
                drop_blob(blob)
            raise unprocessable(str(error)) from None
        repo.staged.pop(oid, None)
        repo.large[oid] = blob
    response = json_response({"success": True})
    response.headers = Headers([("Content-Type", _MEDIA_TYPE)])
    return response


def duplicate(ctx: Context) -> Response:
    """Gives objects of one repository to another."""
    source, body = ctx.repository(), ctx.request.json()
    check_files(source, ctx.who, ctx.request.base_url)
    wanted = body.get("target") or {}
    target = ctx.state.visible(str(wanted.get("type", "model")), str(wanted.get("name")), ctx.who)
    check_write(target, ctx.who)
    failed: list[dict[str, str]] = []
    with ctx.state.lock:
        for item in body.get("files", []):
            blob = source.large.get(oid := str(item.get("sha256")))
            if blob is None:
                failed.append({"sha256": oid, "error": "no such object"})
            else:
                target.large.setdefault(oid, blob)
    return json_response({"success": not failed, "failed": failed})
