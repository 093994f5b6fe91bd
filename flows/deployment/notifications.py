"""What a bucket notifies, read from Google's Pub/Sub or Amazon's EventBridge, and the Prefect event that it becomes."""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

__all__ = ["FINALIZED_GCS", "FINALIZED_S3", "Malformed", "Written", "event_of", "read_notification"]

FINALIZED_GCS, FINALIZED_S3 = "gcs.object.finalized", "s3.object.created"
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

    @property
    def printable(self) -> bool:
        """Whether its address is of letters, digits, marks and spaces: no control, direction or line characters."""
        return self.uri.isprintable() and self.generation.isprintable()


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
    except RecursionError:
        raise Malformed("nested too deeply") from None
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise Malformed(f"{type(error).__name__}: {ascii(str(error))[:200]}") from None
    raise Malformed("neither a Pub/Sub push nor an event of S3")


def _of_gcs(message: dict[str, Any]) -> Written | None:
    """Attributes of the notification; the object's metadata, which it may carry, tells the size."""
    told = message["attributes"]
    if told["eventType"] != "OBJECT_FINALIZE":
        return None
    data = json.loads(base64.b64decode(message["data"], validate=True)) if message.get("data") else {}
    return Written(
        FINALIZED_GCS,
        _name(told["bucketId"]),
        _name(told["objectId"]),
        _name(told["objectGeneration"]),
        _size(data.get("size")),
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
        _size(told.get("size")),
    )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("expected a name")
    return value


def _size(value: Any) -> int | None:
    """Google writes it as text, Amazon as a number."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    if not isinstance(value, str) or not value.isdecimal():
        raise TypeError("expected a size in bytes")
    return int(value)


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
