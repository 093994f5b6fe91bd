"""Buckets in memory that keep to Google's JSON API: generations, preconditions, checksums, ranges, resumable uploads."""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import json
import re
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import google_crc32c

Query = Mapping[str, str]


@dataclass
class Answer:
    """An HTTP response."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that ends in an error of the client's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Object:
    """One generation of an object."""

    bucket: str
    name: str
    data: bytes
    generation: int
    content_type: str
    updated: str

    @functools.cached_property
    def checksums(self) -> dict[str, str]:
        """``crc32c`` and ``md5``, base64."""
        crc = google_crc32c.Checksum(self.data).digest()
        return {
            "crc32c": base64.b64encode(crc).decode(),
            "md5": base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode(),
        }

    def resource(self) -> dict[str, Any]:
        """The object's metadata, as the API tells it."""
        return {
            "kind": "storage#object",
            "name": self.name,
            "bucket": self.bucket,
            "size": str(len(self.data)),
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "crc32c": self.checksums["crc32c"],
            "md5Hash": self.checksums["md5"],
            "etag": f"G{self.generation}",
            "updated": self.updated,
            "timeCreated": self.updated,
            "id": f"{self.bucket}/{self.name}/{self.generation}",
        }


@dataclass
class Session:
    """A resumable upload that has not ended."""

    bucket: str
    metadata: dict[str, Any]
    query: Query
    content_type: str
    data: bytearray = field(default_factory=bytearray)
    done: Object | None = None


class Buckets:
    """All buckets of an emulator; every method is one request.

    Parameters
    ----------
    page
        Objects in a page of a listing at most.
    """

    def __init__(self, page: int = 1000) -> None:
        self._page, self._lock, self._generations = page, threading.RLock(), itertools.count(1)
        self._objects: dict[str, dict[str, Object]] = {}
        self._sessions: dict[str, Session] = {}

    def create(self, name: str) -> Answer:
        """Make a bucket; one that is there stays."""
        self._objects.setdefault(name, {})
        return self.bucket(name)

    def bucket(self, name: str) -> Answer:
        """A bucket's metadata."""
        self._of(name)
        return _json({"kind": "storage#bucket", "name": name, "id": name, "location": "US"})

    def _of(self, bucket: str) -> dict[str, Object]:
        if bucket not in self._objects:
            raise Refused(404, "The specified bucket does not exist.")
        return self._objects[bucket]

    def _find(self, bucket: str, name: str, query: Query) -> Object:
        found = self._of(bucket).get(name)
        if found is None or int(query.get("generation", found.generation)) != found.generation:
            raise Refused(404, f"No such object: {bucket}/{name}")
        return found

    def _precondition(self, bucket: str, name: str, query: Query) -> None:
        found = self._of(bucket).get(name)
        generation = found.generation if found else 0
        wanted, unwanted = query.get("ifGenerationMatch"), query.get("ifGenerationNotMatch")
        if (wanted and int(wanted) != generation) or (unwanted and int(unwanted) == generation):
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")

    def list(self, bucket: str, query: Query) -> Answer:
        """One page of a listing, with or without a delimiter."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        with self._lock:
            names = sorted(name for name in self._of(bucket) if name.startswith(prefix))
            below: dict[str, Object | None] = {}
            for name in names:
                head, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
                below[prefix + head + cut if cut else name] = None if cut else self._of(bucket)[name]
        keys = [key for key in below if key > query.get("pageToken", "")]
        size = min(self._page, int(query.get("maxResults", self._page)))
        page, more = keys[:size], keys[size:]
        found: dict[str, Any] = {
            "kind": "storage#objects",
            "items": [below[key].resource() for key in page if below[key]],
            "prefixes": [key for key in page if not below[key]],
        }
        return _json(found | ({"nextPageToken": page[-1]} if more else {}))

    def get(self, bucket: str, name: str, query: Query, wanted: str | None) -> Answer:
        """An object's metadata, or with ``alt=media`` its content or the part that a Range header asks for."""
        found = self._find(bucket, name, query)
        self._precondition(bucket, name, query)
        if query.get("alt") != "media":
            return _json(found.resource())
        headers = {
            "Content-Type": found.content_type,
            "X-Goog-Generation": str(found.generation),
            "X-Goog-Hash": ",".join(f"{kind}={value}" for kind, value in found.checksums.items()),
            "X-Goog-Stored-Content-Length": str(len(found.data)),
            "Accept-Ranges": "bytes",
        }
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if not match:
            return Answer(200, found.data, headers)
        start, end = int(match[1]), min(int(match[2] or len(found.data)), len(found.data) - 1)
        if start > end:
            raise Refused(416, "The requested range cannot be satisfied.")
        return Answer(
            206, found.data[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{len(found.data)}"}
        )

    def delete(self, bucket: str, name: str, query: Query) -> Answer:
        """Delete an object."""
        with self._lock:
            self._find(bucket, name, query)
            self._precondition(bucket, name, query)
            del self._of(bucket)[name]
        return Answer(204)

    def put(self, bucket: str, metadata: Mapping[str, Any], data: bytes, content_type: str, query: Query) -> Object:
        """Write a whole object, if its preconditions hold and its content has the checksums that were declared."""
        with self._lock:
            name = metadata["name"]
            self._precondition(bucket, name, query)
            new = Object(
                bucket,
                name,
                bytes(data),
                time.time_ns() // 1000 * 100 + next(self._generations) % 100,
                metadata.get("contentType") or content_type,
                time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            )
            for key, kind in (("crc32c", "crc32c"), ("md5Hash", "md5")):
                if metadata.get(key, new.checksums[kind]) != new.checksums[kind]:
                    raise Refused(400, f"Provided {key} does not match the content.")
            self._of(bucket)[name] = new
            return new

    def upload(self, bucket: str, query: Query, body: bytes, content_type: str, declared: str, base: str) -> Answer:
        """``uploadType`` media, multipart, or the beginning of a resumable one."""
        kind = query.get("uploadType")
        if kind == "media":
            return _json(self.put(bucket, {"name": query["name"]}, body, content_type, query).resource())
        if kind == "multipart":
            metadata, data, kind_of_data = _parts(body, content_type)
            return _json(self.put(bucket, {"name": query.get("name")} | metadata, data, kind_of_data, query).resource())
        metadata = {"name": query.get("name")} | (json.loads(body) if body else {})
        self._precondition(bucket, metadata["name"], query)
        token = uuid.uuid4().hex
        self._sessions[token] = Session(bucket, metadata, query, declared or "application/octet-stream")
        place = f"{base}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={token}"
        return Answer(200, headers={"Location": place})

    def resume(self, token: str, body: bytes, told: str) -> Answer:
        """A part of a resumable upload, or a question how much has arrived; what had arrived before is passed over."""
        session = self._sessions.get(token)
        if session is None:
            raise Refused(404, "No such upload.")
        with self._lock:
            if session.done:
                return _json(session.done.resource())
            match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", told)
            if not match:
                raise Refused(400, "Invalid Content-Range.")
            start, arrived = int(match[1] or len(session.data)), len(session.data)
            if start > arrived:
                raise Refused(503, "A part is missing.")
            session.data += body[arrived - start :]
            if match[2] != "*" and len(session.data) == int(match[2]):
                session.done = self.put(
                    session.bucket, session.metadata, bytes(session.data), session.content_type, session.query
                )
                return _json(session.done.resource())
            return Answer(308, headers={"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {})


def _json(content: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def _parts(body: bytes, content_type: str) -> tuple[dict[str, Any], bytes, str]:
    """Metadata, content and its type of a multipart/related body."""
    mark = b"--" + re.search(r'boundary="?([^";]+)"?', content_type)[1].encode()
    first, second, last = body.index(mark), body.index(mark, body.index(mark) + 1), body.rindex(mark + b"--")
    _, metadata = re.split(rb"\r?\n\r?\n", body[first:second], maxsplit=1)
    head, data = re.split(rb"\r?\n\r?\n", body[second:last], maxsplit=1)
    kind = re.search(rb"content-type: *([^\r\n]+)", head, re.I)
    return json.loads(metadata), re.sub(rb"\r?\n\Z", b"", data), kind[1].decode() if kind else "application/octet-stream"
