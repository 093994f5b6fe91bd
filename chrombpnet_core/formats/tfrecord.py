"""TFRecord, the framing of records in the shards of training data and in TensorBoard's event files."""

from __future__ import annotations

import struct

__all__ = ["RECORD_HEAD", "RECORD_TAIL", "as_tfrecord", "masked_crc32c"]


RECORD_HEAD, RECORD_TAIL = 12, 4
"""Bytes of a TFRecord before and behind its data; the latter are the checksum."""


def masked_crc32c(data: bytes) -> int:
    """Compute the masked CRC32C of TFRecord.

    Parameters
    ----------
    data
        Any bytes.

    Returns
    -------
    int
        32 bits.
    """
    import google_crc32c  # the light core does without it

    crc = int(google_crc32c.value(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def as_tfrecord(data: bytes) -> bytes:
    """Frame data as a TFRecord: length, masked CRC32C of the length, data, masked CRC32C of the data.

    Parameters
    ----------
    data
        The record.

    Returns
    -------
    bytes
        :data:`RECORD_HEAD` and :data:`RECORD_TAIL` bytes longer than the data.
    """
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
