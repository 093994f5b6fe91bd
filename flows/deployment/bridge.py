"""From bucket notifications to Prefect events: a small HTTP service.

Google's Pub/Sub pushes what a bucket notifies; Amazon's EventBridge does so through an API destination. Prefect's server
takes events, but neither of these forms, and not from everybody. So this service checks a shared token, makes an event of
each object below its address that was written, and forwards it once for every generation. It remembers nothing itself: the
event's id follows from the generation; the server is asked whether it has it, and takes no second one within minutes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["FINALIZED_GCS", "FINALIZED_S3", "Bridge", "Malformed", "Written", "event_of", "read_notification", "serve"]

log = logging.getLogger(__name__)

FINALIZED_GCS, FINALIZED_S3 = "gcs.object.finalized", "s3.object.created"
_LARGEST = 1 << 20  # bytes of a notification
_NAMES = uuid.UUID("8f1d3c0a-53b7-4a3e-9c57-1f0e0a3f5d11")  # of event ids, which follow from the object's generation


class Malformed(Exception):
    """No notification of a kind that is known."""


@dataclass(frozen=True)
class Written:
    """An object that was written: event, bucket, name, generation (S3: version or sequencer), size in bytes."""

    event: str
    bucket: str
    name: str
    generation: str
    size: int | None = None

    @property
    def uri(self) -> str:
        """Its address."""
        return f"{'gs' if self.event == FINALIZED_GCS else 's3'}://{self.bucket}/{self.name}"


def read_notification(body: bytes) -> Written | None:
    """Read a notification.

    Parameters
    ----------
    body
        As it was sent: JSON.

    Returns
    -------
    Written or None
        The object that was written; None where it tells of something else, such as a deletion.

    Raises
    ------
    Malformed
        Where it is neither a Pub/Sub push of a Cloud Storage notification nor an EventBridge event of S3.
    """
    try:
        content = json.loads(body)
        if "message" in content:
            return _of_gcs(content["message"])
        if content["source"] == "aws.s3":
            return _of_s3(content)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None
    raise Malformed("neither a Pub/Sub push nor an event of S3")


def _of_gcs(message: dict[str, Any]) -> Written | None:
    """Attributes of the notification; the object's metadata, which it may carry, tells the size."""
    told = message["attributes"]
    if told["eventType"] != "OBJECT_FINALIZE":
        return None
    data = json.loads(base64.b64decode(message["data"], validate=True)) if message.get("data") else {}
    size = data.get("size")
    return Written(
        FINALIZED_GCS,
        _name(told["bucketId"]),
        _name(told["objectId"]),
        _name(told["objectGeneration"]),
        None if size is None else int(size),
    )


def _of_s3(content: dict[str, Any]) -> Written | None:
    if content["detail-type"] != "Object Created":
        return None
    told = content["detail"]["object"]
    return Written(
        FINALIZED_S3,
        _name(content["detail"]["bucket"]["name"]),
        _name(told["key"]),
        _name(told.get("version-id") or told["sequencer"]),
        told.get("size"),
    )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected a name, found {value!r}")
    return value


def event_of(written: Written) -> dict[str, Any]:
    """Make the Prefect event: the resource is the object's address, ``suffix`` and ``bucket`` are labels to match.

    Parameters
    ----------
    written
        The object that was written.

    Returns
    -------
    dict
        The event as Prefect's API takes it.
    """
    return {
        "id": str(uuid.uuid5(_NAMES, f"{written.uri}#{written.generation}")),
        "event": written.event,
        "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "resource": {
            "prefect.resource.id": written.uri,
            "prefect.resource.name": written.name,
            "bucket": written.bucket,
            "suffix": PurePosixPath(written.name).suffix,
        },
        "payload": {
            "uri": written.uri,
            "bucket": written.bucket,
            "name": written.name,
            "generation": written.generation,
            "size": written.size,
        },
    }


class Bridge:
    """Answers notifications.

    Parameters
    ----------
    client
        Prefect's synchronous client, which knows the server and how to be let in.
    address
        Such as ``gs://bucket/datasets/``; objects elsewhere are none of our business.
    token
        What a notification must bring along, as ``?token=…`` or as a bearer token.
    """

    def __init__(self, client: Any, address: str, token: str) -> None:
        self._client, self._address, self._token = client, address.rstrip("/") + "/", token

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, str]:
        """HTTP status and words for one notification: 2xx is never sent again, anything else may be."""
        given = parse_qs(urlsplit(path).query).get("token", [authorization.removeprefix("Bearer ")])[0]
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return 403, "no or another token"
        try:
            written = read_notification(body)
        except Malformed as error:
            log.warning("a notification was refused: %s", error)
            return 400, str(error)
        if written is None or not written.uri.startswith(self._address):
            return 200, "nothing to do"
        return self._forward(written)

    def _forward(self, written: Written) -> tuple[int, str]:
        event = event_of(written)
        try:
            if self._ask("/events/filter", {"filter": {"id": {"id": [event["id"]]}}, "limit": 1}).json()["events"]:
                return 200, "known already"
            self._ask("/events", [event])
        except Exception as error:  # whatever it was, the sender keeps the notification and sends it again
            log.error("%s: not forwarded: %s", written.uri, type(error).__name__)
            return 502, "Prefect's server did not take it"
        log.info("%s, generation %s: %s", written.uri, written.generation, written.event)
        return 200, "forwarded"

    def _ask(self, path: str, content: Any) -> Any:
        answer = self._client.request("POST", path, json=content)
        answer.raise_for_status()
        return answer


class _Handler(BaseHTTPRequestHandler):
    """POST anywhere is a notification; GET /health tells that this service lives."""

    bridge: Bridge
    timeout = 30
    server_version, sys_version = "chrombpnet", ""

    def do_GET(self) -> None:
        self._say(*((200, "ok") if urlsplit(self.path).path == "/health" else (404, "no such page")))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self._say(411, "how long is it?")
        if int(length) > _LARGEST:
            return self._say(413, "too large for a notification")
        return self._say(*self.bridge.answer(self.path, self.headers.get("Authorization", ""), self.rfile.read(int(length))))

    def _say(self, status: int, words: str) -> None:
        self.close_connection = self.close_connection or status in (411, 413)  # what was sent has not been read
        body = f"{words}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the token is part of the request line."""


def serve(bridge: Bridge, host: str, port: int) -> None:
    """Answer until the process is told to stop; the first line that is printed is the address.

    Parameters
    ----------
    bridge
        What answers.
    host
        Address of this machine to listen at.
    port
        0 takes a free one.
    """
    with ThreadingHTTPServer((host, port), type("Handler", (_Handler,), {"bridge": bridge})) as service:
        print(f"http://{host}:{service.server_address[1]}", flush=True)
        service.serve_forever()
