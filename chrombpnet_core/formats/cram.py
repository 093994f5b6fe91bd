"""The outer structure of CRAM: containers of blocks, whose headers tell their lengths and the number of records.

htslib takes a container header that it cannot read for the end of the file, is silent about it, and leaves the checksums
of some blocks alone: here every checksum is verified, and its records can be held against the number that is promised.
CRAM format specification 3.x, sections 6 (file definition), 7 (containers), 8 (blocks), 9 (end of file marker).
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO

from chrombpnet_core.errors import DamagedError

__all__ = ["count_cram_records"]

_DEFINITION = 26  # bytes of magic, version and name
_END = 0x454F46  # "EOF", the start position of the end marker
_METHODS = 8  # the last compression method of CRAM 3.1
_LONGEST_HEADER = 1 << 16  # bytes: landmarks of some 10,000 slices


def count_cram_records(path: str | os.PathLike[str]) -> int:
    """Count the records that the containers of a CRAM hold by their headers, and verify all checksums.

    Parameters
    ----------
    path
        A CRAM 3 file.

    Returns
    -------
    int
        Records.

    Raises
    ------
    DamagedError
        Where a header or block is damaged, a container or the end marker is not whole, or bytes follow it; and for
        CRAM 2, which has no checksums.
    """
    size, records = os.path.getsize(path), 0
    start: int | None = None
    with open(path, "rb") as file:
        definition = file.read(_DEFINITION)
        if len(definition) < _DEFINITION or definition[:5] != b"CRAM\x03":
            raise DamagedError("its beginning is not that of CRAM 3")
        position = _DEFINITION
        while position < size:
            if start == _END:
                raise DamagedError(f"bytes follow the end marker at byte {position:,}")
            body, length, blocks, start, in_container = _container(file, position)
            if body + length > size:
                raise DamagedError(f"the container at byte {position:,} is truncated")
            file.seek(body)
            _check_blocks(file.read(length), blocks, body)
            records, position = records + in_container, body + length
    if start != _END:
        raise DamagedError(f"it has no end marker after {size:,} bytes")
    return records


def _container(file: BinaryIO, position: int) -> tuple[int, int, int, int, int]:
    """Where the blocks of a container begin, their bytes and number, its start on the reference, its records."""
    file.seek(position)
    data = file.read(_LONGEST_HEADER)
    try:
        length = struct.unpack_from("<i", data)[0]
        _, end = _integer(data, 4)  # reference
        start, end = _integer(data, end)
        _, end = _integer(data, end)  # span
        records, end = _integer(data, end)
        end = _after_long(data, _after_long(data, end))  # records before this container, bases
        blocks, end = _integer(data, end)
        landmarks, end = _integer(data, end)
        for _ in range(landmarks):
            _, end = _integer(data, end)
        intact = struct.unpack_from("<I", data, end)[0] == zlib.crc32(data[:end])
    except (IndexError, struct.error) as error:
        raise DamagedError(f"the container header at byte {position:,} is truncated or damaged") from error
    if not intact or length < 0:
        raise DamagedError(f"the container header at byte {position:,} is damaged")
    return position + end + 4, length, blocks, start, records


def _check_blocks(data: bytes, blocks: int, offset: int) -> None:
    """Verify the checksums of all blocks of a container, whose body lies at ``offset`` in the file."""
    position = 0
    try:
        for _ in range(blocks):
            _, end = _integer(data, position + 2)  # content id, behind method and kind
            size, end = _integer(data, end)
            _, end = _integer(data, end)  # size once decompressed
            if struct.unpack_from("<I", data, end + size)[0] != zlib.crc32(data[position : end + size]):
                raise DamagedError(f"the block at byte {offset + position:,} is damaged")
            if data[position] > _METHODS:
                raise DamagedError(
                    f"the block at byte {offset + position:,} is compressed by method {data[position]}, "
                    f"unknown: CRAM 3.1 has 0 to {_METHODS}"
                )
            position = end + size + 4
    except (IndexError, struct.error) as error:
        raise DamagedError(f"the block at byte {offset + position:,} is damaged") from error


def _leading_ones(byte: int) -> int:
    return 8 - (byte ^ 0xFF).bit_length()


def _integer(data: bytes, start: int) -> tuple[int, int]:
    """Read an ITF8 number, unsigned, and where it ends: leading ones of the first byte tell how many bytes follow."""
    more = min(_leading_ones(data[start]), 4)
    read = data[start : start + more + 1]
    if len(read) <= more:
        raise IndexError("the number is cut")
    if more == 4:  # 4 bits of the first byte, 24, and 4 of the last
        return (read[0] & 15) << 28 | int.from_bytes(read[1:4], "big") << 4 | read[4] & 15, start + 5
    return int.from_bytes(read, "big") & (1 << 7 * (more + 1)) - 1, start + more + 1


def _after_long(data: bytes, start: int) -> int:
    """Find where an LTF8 number ends."""
    return start + 1 + _leading_ones(data[start])
