"""TODO."""

from __future__ import annotations

import struct

import google_crc32c

__all__ = ["RECORD_HEAD", "RECORD_TAIL", "as_tfrecord", "masked_crc32c"]


RECORD_HEAD, RECORD_TAIL = 12, 4
"""Bytes of a TFRecord before and behind its data; the latter are the checksum."""


def masked_crc32c(data: bytes) -> int:
    """TFRecord's masked CRC32C."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def as_tfrecord(data: bytes) -> bytes:
    """A TFRecord: length, masked CRC32C of the length, data, masked CRC32C of the data."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
