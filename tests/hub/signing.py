"""Signed, expiring URLs for the CDN."""

from __future__ import annotations

import hashlib
import hmac
import time
import urllib.parse

_KEY_ID = "test-hub"


def sign(key: bytes, path: str, expires: float, filename: str) -> str:
    """`path` (percent-encoded) with a query that lets anyone fetch it until `expires`."""
    shown = urllib.parse.quote(filename.rpartition("/")[2])
    disposition = f"inline; filename*=UTF-8''{shown};"
    return sign_fields(key, path, expires, **{"response-content-disposition": disposition})


def sign_fields(key: bytes, path: str, expires: float, **named: str) -> str:
    """The same with any other fields in the query."""
    fields = {**named, "Expires": str(int(expires * 1000)), "Key-Pair-Id": _KEY_ID}
    query = urllib.parse.urlencode(fields)
    return f"{path}?{query}&Signature={_signature(key, path, query)}"


def verify(key: bytes, path: str, query: str) -> str | None:
    """Why a URL is not acceptable, or None if it is."""
    signed, found, signature = query.rpartition("&Signature=")
    if not found:
        return "the URL is not signed"
    if not hmac.compare_digest(_signature(key, path, signed).encode(), signature.encode()):
        return "the signature does not match"
    expires = urllib.parse.parse_qs(signed).get("Expires", ["0"])[0]
    if int(expires) / 1000 <= time.time():
        return "the URL has expired"
    return None


def _signature(key: bytes, path: str, query: str) -> str:
    return hmac.new(key, f"{path}?{query}".encode(), hashlib.sha256).hexdigest()
