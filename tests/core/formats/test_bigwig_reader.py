"""Reading bigWig: as libBigWig reads whole files, and every kind of damage is an error."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pyBigWig
import pytest

from chrombpnet_core.errors import DamagedError
from chrombpnet_core.formats import BigWigFile, Intervals, write_bigwig

SIZES = {"chr1": 9000, "chr2": 4000, "chr10": 300, "empty": 50}


def by_pybigwig(path, layout):
    """Each chromosome in one layout of sections: bedGraph, variableStep, fixedStep."""
    rng = np.random.default_rng(3)
    with pyBigWig.open(str(path), "w") as bigwig:
        bigwig.addHeader([*SIZES.items()])
        for chrom in ("chr1", "chr2", "chr10"):
            at = np.sort(rng.choice(SIZES[chrom] // 5, SIZES[chrom] // 9, replace=False)) * 5
            values = rng.integers(1, 9, len(at)).astype(float)
            if layout == "bedGraph":
                bigwig.addEntries([chrom] * len(at), at, ends=at + rng.integers(1, 6, len(at)), values=values)
            elif layout == "variableStep":
                bigwig.addEntries(chrom, at, values=values, span=3)
            else:
                bigwig.addEntries(chrom, 7, values=values[:25], span=2, step=5)
    return path


def by_us(path):
    rng = np.random.default_rng(4)
    intervals = []
    for chrom in ("chr1", "chr2", "chr10"):
        at = np.flatnonzero(rng.random(SIZES[chrom]) < 0.4)
        intervals.append(Intervals(chrom, at, at + 1, rng.integers(1, 5, len(at)).astype(np.float32)))
    write_bigwig(path, SIZES, intervals, 3000, 1)
    return path


WRITERS = {
    "bedGraph": lambda path: by_pybigwig(path, "bedGraph"),
    "variableStep": lambda path: by_pybigwig(path, "variableStep"),
    "fixedStep": lambda path: by_pybigwig(path, "fixedStep"),
    "ours": by_us,
}


def content(path):
    file = BigWigFile(path)
    try:
        if file.sizes != SIZES:  # a name or length has changed: a run compares these with the genome's
            return None
        return {chrom: file.values(chrom, 1).tobytes() for chrom in file.sizes}
    finally:
        file.close()


@pytest.mark.parametrize("writer", WRITERS)
def test_values_are_those_of_libbigwig(tmp_path, writer):
    path = WRITERS[writer](tmp_path / "x.bw")
    read = content(path)
    with pyBigWig.open(str(path)) as bigwig:
        assert [*read] == [*bigwig.chroms()]
        for chrom, size in bigwig.chroms().items():
            expected = np.nan_to_num(bigwig.values(chrom, 0, size, numpy=True))
            np.testing.assert_array_equal(np.frombuffer(read[chrom], dtype=np.float32), expected)
    file = BigWigFile(path)
    assert sum(len(file.section(row)[0]) for row in range(len(file.sections))) > 70
    file.close()


def damaged(data, seeds):
    """Copies with a place flipped, zeroed, or cut off there; half of the places among header, names and index."""
    index_at = struct.unpack_from("<Q", data, 24)[0]
    outer = [*range(400), *range(index_at, min(index_at + 400, len(data)))]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        at = int(rng.choice(outer) if rng.random() < 0.5 else rng.integers(len(data)))
        kind, wrong = int(rng.integers(4)), bytearray(data)
        if kind == 0:
            wrong[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            wrong[at : at + int(rng.integers(1, 64))] = bytes(min(64, len(data) - at))
        elif kind == 2:
            wrong[at : at + 8] = rng.bytes(8)
        else:
            wrong = wrong[:at]
        yield f"{seed}: {kind} at {at}", bytes(wrong)


@pytest.mark.parametrize("writer", WRITERS)
def test_damage_is_an_error_or_changes_no_value(tmp_path, writer):
    path = WRITERS[writer](tmp_path / "x.bw")
    whole, data, silent = content(path), path.read_bytes(), 0
    for what, wrong in damaged(data, range(150)):
        path.write_bytes(wrong)
        try:
            read = content(path)
        except DamagedError:
            continue
        silent += 1
        assert read in (None, whole), what
    assert silent < 120  # places that hold no data: zoom levels, their headers, what is reserved


def rewritten(path, at, form, value):
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, at, value)
    path.write_bytes(data)


def test_what_is_wrong_is_said(tmp_path):
    path = by_us(tmp_path / "x.bw")
    data = path.read_bytes()
    names_at, _, index_at = struct.unpack_from("<QQQ", data, 8)
    first = struct.unpack_from("<Q", data, index_at + 48 + 4 + 16)[0]
    for at, form, value, message in (
        (0, "<I", 0x26FC8F88, "another order of bytes"),
        (4, "<H", 77, "version 77"),
        (names_at, "<I", 1, "no chromosome names"),
        (names_at + 16, "<Q", 9, "names are not whole"),
        (names_at + 32 + 4, "<B", 255, "no text"),
        (index_at, "<I", 1, "no index"),
        (index_at + 48 + 4 + 16, "<Q", 1 << 60, "sections that cannot be"),
        (index_at + 48 + 2, "<H", 1, "does not hold all"),
        (24, "<Q", 0, "no index"),
        (24, "<Q", 1 << 62, "ends before"),
        (first + 20, "<Q", 0, "damaged"),
    ):
        path.write_bytes(data)
        rewritten(path, at, form, value)
        with pytest.raises(DamagedError, match=message):
            content(path)
    path.write_bytes(b"PK\x03\x04 not a bigWig")
    with pytest.raises(DamagedError, match="does not begin as a bigWig"):
        BigWigFile(path)


def test_trees_that_lead_back_and_sections_that_unpack_to_gigabytes(tmp_path):
    path = by_us(tmp_path / "x.bw")
    data = bytearray(path.read_bytes())
    index_at = struct.unpack_from("<Q", data, 24)[0]
    loop = bytearray(data)
    struct.pack_into("<BBH", loop, index_at + 48, 0, 0, 2)  # the root as its own child, twice
    for child in range(2):
        struct.pack_into("<Q", loop, index_at + 52 + 24 * child + 16, index_at + 48)
    path.write_bytes(loop)
    with pytest.raises(DamagedError, match="leads back to itself"):
        BigWigFile(path)
    bomb = zlib.compress(bytes(1 << 28))
    struct.pack_into("<QQ", data, index_at + 52 + 16, len(data), len(bomb))
    path.write_bytes(data + bomb)
    with pytest.raises(DamagedError, match="is damaged"):
        content(path)


@pytest.mark.parametrize(
    ("starts", "ends"), [([5, 3], [6, 4]), ([5, 5], [9, 9]), ([5, 9000], [6, 9001]), ([7], [7])], ids=str
)
def test_intervals_that_cannot_be(tmp_path, starts, ends):
    path = by_us(tmp_path / "x.bw")
    data = bytearray(path.read_bytes())
    index_at = struct.unpack_from("<Q", data, 24)[0]
    items = b"".join(struct.pack("<IIf", first, last, 1) for first, last in zip(starts, ends, strict=True))
    section = zlib.compress(struct.pack("<IIIIIBBH", 0, starts[0], ends[-1], 0, 0, 1, 0, len(starts)) + items)
    struct.pack_into("<QQ", data, index_at + 52 + 16, len(data), len(section))
    path.write_bytes(data + section)
    with pytest.raises(DamagedError, match="holds no intervals of a bigWig"):
        content(path)
