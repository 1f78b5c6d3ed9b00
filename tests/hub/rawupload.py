"""Uploading step by step, each request by itself, so that tests can do any of it wrong."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .rawclient import Answer, fetch


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def header(summary: str = "Change", **more: str) -> dict[str, Any]:
    return {"key": "header", "value": {"summary": summary, "description": "", **more}}


def file(path: str, data: bytes) -> dict[str, Any]:
    content = base64.b64encode(data).decode()
    return {"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}}


def large(path: str, oid: str, size: int | None = None) -> dict[str, Any]:
    value: dict[str, Any] = {"path": path, "algo": "sha256", "oid": oid}
    return {"key": "lfsFile", "value": value if size is None else {**value, "size": size}}


def deleted(path: str) -> dict[str, Any]:
    return {
        "key": "deletedFolder" if path.endswith("/") else "deletedFile",
        "value": {"path": path},
    }


@dataclass
class Uploader:
    """One sender and one repository."""

    endpoint: str
    repo: str
    token: str | None = "hf_alice"
    kind: str = "model"

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def api(self, path: str) -> str:
        return f"{self.endpoint}/api/{self.kind}s/{self.repo}/{path}"

    def post(self, url: str, value: Any) -> Answer:
        return fetch(url, self.headers, "POST", json.dumps(value).encode())

    def preupload(self, files: dict[str, bytes], revision: str = "main", **more: str) -> Answer:
        items = [
            {"path": path, "size": len(data), "sample": base64.b64encode(data[:512]).decode()}
            for path, data in files.items()
        ]
        return self.post(self.api(f"preupload/{revision}"), {"files": items, **more})

    def advice(
        self, files: dict[str, bytes], revision: str = "main", **more: str
    ) -> dict[str, Any]:
        """Path → row of a preupload that must succeed."""
        answer = self.preupload(files, revision, **more)
        assert answer.status == 200, answer.body
        return {row["path"]: row for row in json.loads(answer.body)["files"]}

    def commit(self, *lines: dict[str, Any], revision: str = "main") -> Answer:
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return fetch(self.api(f"commit/{revision}"), self.headers, "POST", body)

    def batch(self, *contents: bytes, ref: str | None = "main", **more: Any) -> Answer:
        objects = [{"oid": sha256(data), "size": len(data)} for data in contents]
        value: dict[str, Any] = {"operation": "upload", "transfers": ["basic", "multipart"]}
        value |= {"objects": objects, "hash_algo": "sha256", **more}
        if ref is not None:
            value["ref"] = {"name": ref}
        prefix = "" if self.kind == "model" else f"{self.kind}s/"
        return self.post(f"{self.endpoint}/{prefix}{self.repo}.git/info/lfs/objects/batch", value)

    def actions(self, data: bytes, **more: Any) -> dict[str, Any] | None:
        """What is to be done with one object."""
        answer = self.batch(data, **more)
        assert answer.status == 200, answer.body
        (row,) = json.loads(answer.body)["objects"]
        assert "error" not in row, row
        actions: dict[str, Any] | None = row.get("actions")
        return actions

    def verify(self, actions: dict[str, Any], data: bytes, **more: Any) -> Answer:
        return self.post(
            actions["verify"]["href"], {"oid": sha256(data), "size": len(data), **more}
        )

    def upload(self, data: bytes) -> str:
        """Uploads an object, whole or in parts; returns its id."""
        if (actions := self.actions(data)) is not None:
            if "header" in actions["upload"]:
                assert complete(actions, data, put_parts(actions, data)).status == 200
            else:
                assert put(actions["upload"]["href"], data).status == 200
            assert self.verify(actions, data).status == 200
        return sha256(data)


def put(url: str, data: bytes) -> Answer:
    return fetch(url, {}, "PUT", data)


def parts_of(actions: dict[str, Any], data: bytes) -> list[tuple[int, str, bytes]]:
    """Number, URL and content of each part."""
    found = dict(actions["upload"]["header"])
    size = int(found.pop("chunk_size"))
    urls = [url for _, url in sorted(found.items())]
    return [(n + 1, url, data[n * size : (n + 1) * size]) for n, url in enumerate(urls)]


def put_parts(actions: dict[str, Any], data: bytes) -> dict[int, str]:
    """Number → etag."""
    etags: dict[int, str] = {}
    for number, url, part in parts_of(actions, data):
        answer = put(url, part)
        etag = answer.get("ETag")
        assert answer.status == 200 and etag is not None
        etags[number] = etag
    return etags


def complete(actions: dict[str, Any], data: bytes, etags: dict[int, str]) -> Answer:
    rows = [{"partNumber": number, "etag": etag} for number, etag in etags.items()]
    body = json.dumps({"oid": sha256(data), "parts": rows}).encode()
    return fetch(actions["upload"]["href"], {}, "POST", body)


def error_of(answer: Answer) -> tuple[int, str | None, str]:
    """Status, code and message."""
    return answer.status, answer.get("X-Error-Code"), answer.get("X-Error-Message") or ""
