"""CRAM containers: their records are counted in every layout, every damage is seen."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pysam
import pytest

from chrombpnet_core.errors import DamagedError
from chrombpnet_core.formats import count_cram_records, cram
from tests.core.reads.test_read_files import SIZES, write_bam


def write_cram(folder, records, *options):
    """The records of :func:`write_bam`, as CRAM that needs no genome."""
    bam = write_bam(folder / "r.bam", records)
    path = folder / "r.cram"
    with (
        pysam.AlignmentFile(bam) as source,
        pysam.AlignmentFile(
            path, "wc", template=source, format_options=[option.encode() for option in ("no_ref=1", *options)]
        ) as file,
    ):
        for read in source:
            file.write(read)
    return path


def records(count):
    rng = np.random.default_rng(0)
    return [
        (str(rng.choice([*SIZES])), int(rng.integers(0, 450)), int(rng.choice([0, 16])), "9M")
        if at % 10
        else (None, -1, 4, None)
        for at in range(count)
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("version=3.0",),
        ("version=3.1",),
        ("seqs_per_slice=7",),
        ("seqs_per_slice=5", "slices_per_container=4"),
        ("multi_seq_per_slice=1",),
    ],
)
def test_records_of_versions_and_layouts(tmp_path, options):
    for count in (0, 1, 1000):
        assert count_cram_records(write_cram(tmp_path, records(count), *options)) == count


def test_every_truncation_and_what_follows_the_end_are_seen(tmp_path):
    path = write_cram(tmp_path, records(60), "seqs_per_slice=20")
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(DamagedError):
            count_cram_records(path)
    path.write_bytes(data + b"x")
    with pytest.raises(DamagedError, match="bytes follow the end marker"):
        count_cram_records(path)


def test_every_flipped_byte_behind_the_file_definition_is_seen(tmp_path):
    path = write_cram(tmp_path, records(20), "seqs_per_slice=10")
    data = path.read_bytes()
    for at in [*range(5), *range(26, len(data))]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        with pytest.raises(DamagedError, match=r"damaged|truncated|beginning|follow"):
            count_cram_records(path)


def test_cram_without_checksums_is_refused(tmp_path):
    with pytest.raises(DamagedError, match="its beginning is not that of CRAM 3"):
        count_cram_records(write_cram(tmp_path, records(9), "version=2.1"))


def test_an_unknown_compression_is_named(tmp_path):
    path = write_cram(tmp_path, records(20))
    data = bytearray(path.read_bytes())
    first = data.index(b"@HD") if b"@HD" in data else data.index(b"@SQ")
    at = next(spot for spot in range(first - 4, 26, -1) if _is_block(data, spot))
    length = _length_of(data, at)
    data[at] = 77
    struct.pack_into("<I", data, at + length, zlib.crc32(data[at : at + length]))
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"compressed by method 77, unknown: CRAM 3\.1 has 0 to 8"):
        count_cram_records(path)


def _length_of(data, at):
    size, end = cram._integer(data, cram._integer(data, at + 2)[1])
    return cram._integer(data, end)[1] + size - at


def _is_block(data, at):
    """Whether a block of the header's kind, whose checksum is right, begins here."""
    try:
        length = _length_of(data, at)
        return struct.unpack_from("<I", data, at + length)[0] == zlib.crc32(data[at : at + length])
    except (IndexError, struct.error):
        return False
