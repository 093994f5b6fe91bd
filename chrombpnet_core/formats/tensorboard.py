"""Scalars for TensorBoard: an event file is TFRecords of small protobuf messages, written here without TensorFlow.

Fields are those of TensorFlow's ``event.proto`` (wall_time 1, step 2, file_version 3, summary 5) and ``summary.proto``
(value 1; of a value: tag 1, simple_value 2).
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping, Sequence

from chrombpnet_core.formats.atomic import written_whole
from chrombpnet_core.formats.tfrecord import as_tfrecord

__all__ = ["write_scalars"]


def write_scalars(path: str | os.PathLike[str], steps: Sequence[Mapping[str, float]]) -> None:
    """Write an event file whole or not at all.

    Parameters
    ----------
    path
        Its name must hold ``tfevents`` for TensorBoard to find it.
    steps
        Of each step, from 0, tag → value.
    """
    now = time.time()
    events = [_event(now) + _bytes(3, b"brain.Event:2")]
    for step, values in enumerate(steps):
        summary = b"".join(
            _bytes(1, _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", value)) for tag, value in values.items()
        )
        events.append(_event(now) + b"\x10" + _varint(step) + _bytes(5, summary))
    with written_whole(path) as partial:
        partial.write_bytes(b"".join(map(as_tfrecord, events)))


def _event(wall_time: float) -> bytes:
    return b"\x09" + struct.pack("<d", wall_time)


def _bytes(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
