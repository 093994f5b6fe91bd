"""TFRecord framing."""

from __future__ import annotations

import struct

from chrombpnet_core.formats import RECORD_HEAD, RECORD_TAIL, as_tfrecord, masked_crc32c


def test_the_checksum_is_crc32c_masked_as_tensorflow_does():
    crc = 0xE3069283  # of "123456789", the check value of CRC-32C (RFC 3720)
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_a_record_is_length_data_and_their_checksums():
    data = bytes(range(200))
    record = as_tfrecord(data)
    assert len(record) == RECORD_HEAD + len(data) + RECORD_TAIL
    length, check = struct.unpack_from("<QI", record)
    assert (length, check) == (200, masked_crc32c(record[:8]))
    assert record[RECORD_HEAD:-RECORD_TAIL] == data
    assert struct.unpack_from("<I", record, len(record) - RECORD_TAIL)[0] == masked_crc32c(data)
