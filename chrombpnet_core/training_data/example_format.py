"""The record format of training examples: a region's bases and insertion counts packed small, many regions at once.

A record is, one after the other and all numbers little-endian:

========= =======================================================================================================
header    32 bytes, :data:`HEADER`
bases     2 bits a base, the first base in the lowest bits of its byte
digits    ``width`` bits a position (1, 2, 4 or 8, the first in the lowest bits; 0 where all counts are 0): the count, or
          all bits set where it does not fit
large     a byte for each position whose digit has all bits set: the count, or 255 where it does not fit either
values    a float32 for each 255 among them, so that any value of a bigWig comes back exactly
other     where ``others`` is set: a bit a base, set for letters that are not A, C, G or T
========= =======================================================================================================

Each record takes the width that makes it smallest. Bases are incompressible at 2 bits and digits nearly so: zlib over this
takes less than a tenth off the size and doubles the time to decode (``benchmarks/shards.py``), so it is left out.

In a shard each record is framed as TFRecord, with masked CRC32C checksums, so that ``tf.data`` can stream it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.genome import OTHER_BASE

__all__ = ["HEADER", "VERSION", "ShardLayout", "decode_records", "encode_records"]

VERSION = 2
"""First byte of every record; 1 was never written (a record of the first format began with 0x78, zlib's mark)."""

HEADER = np.dtype(
    [
        ("version", "u1"),
        ("kind", "u1"),
        ("width", "u1"),
        ("others", "u1"),
        ("id", "<u4"),
        ("chrom", "<u4"),
        ("centre", "<u4"),
        ("bases", "<u4"),
        ("positions", "<u4"),
        ("large", "<u4"),
        ("values", "<u4"),
    ]
)
"""``kind`` (0 peak, 1 nonpeak), ``id``, ``chrom`` (its number in the layout), ``centre`` (bp from 0); the rest are sizes."""


_WIDTHS = (1, 2, 4, 8)
_ESCAPE = 255  # in ``large``: the value stands in ``values``


@dataclass(frozen=True)
class ShardLayout:
    """Widths in bp that every record of a shard set shares."""

    input_length: int
    output_length: int
    jitter: int

    @property
    def bases(self) -> int:
        """Bases in a record."""
        return self.input_length + 2 * self.jitter

    @property
    def positions(self) -> int:
        """Count positions in a record."""
        return self.output_length + 2 * self.jitter


def _expansions(width: int) -> AnyArray:
    """Tabulate what a byte of digits of ``width`` bits holds, ``(256,)``: the digits are the bytes of each entry."""
    per_byte = 8 // width
    digits = np.arange(256)[:, None] >> width * np.arange(per_byte) & (1 << width) - 1
    return digits.astype(np.uint8).view(f"u{per_byte}")[:, 0]


_EXPANSIONS = {width: _expansions(width) for width in _WIDTHS}


def _packed(digits: AnyArray, width: int) -> AnyArray:
    """Pack digits below ``2**width``, uint8 ``(n, m)``, into bytes ``(n, ceil(m * width / 8))``."""
    per_byte = 8 // width
    if digits.shape[1] % per_byte:
        digits = np.pad(digits, ((0, 0), (0, -digits.shape[1] % per_byte)))
    packed = digits[:, ::per_byte].copy()
    for place in range(1, per_byte):
        packed |= digits[:, place::per_byte] << np.uint8(width * place)
    return packed


def _unpacked(packed: AnyArray, width: int, count: int) -> AnyArray:
    """Undo :func:`_packed`: uint8 ``(n, count)``."""
    return _EXPANSIONS[width][packed].view(np.uint8)[:, :count]


_Number = TypeVar("_Number", int, AnyArray)


def _bytes_for(count: int, width: _Number) -> _Number:
    """Count the bytes that ``count`` digits of ``width`` bits take."""
    return (count * width + 7) // 8


def encode_records(
    ids: AnyArray, kinds: AnyArray, chroms: AnyArray, centres: AnyArray, codes: AnyArray, counts: AnyArray
) -> list[bytes]:
    """Encode ``n`` regions as records.

    Parameters
    ----------
    ids
        Region ids, ``(n,)``.
    kinds
        0 for peaks, 1 for nonpeaks, ``(n,)``.
    chroms
        Numbers of the chromosomes, ``(n,)``.
    centres
        In bp from 0, ``(n,)``.
    codes
        Base codes, uint8 ``(n, bases)``, 4 for other letters.
    counts
        Values per position, float32 ``(n, positions)``, of any kind; whole numbers from 0 to 254 are stored small.

    Returns
    -------
    list of bytes
        Each record.
    """
    header = np.zeros(len(ids), dtype=HEADER)
    header["version"], header["bases"], header["positions"] = VERSION, codes.shape[1], counts.shape[1]
    header["id"], header["kind"], header["chrom"], header["centre"] = ids, kinds, chroms, centres
    other = codes == OTHER_BASE
    header["others"] = other.any(axis=1)
    small = _small(counts)
    header["width"] = _widths(small)
    bases = _packed(np.where(other, np.uint8(0), codes), 2)
    others = _packed(other[header["others"] > 0].astype(np.uint8), 1)
    digits, large = _digits(small, header["width"])
    values = counts[small == _ESCAPE].astype("<f4")
    header["values"] = np.count_nonzero(small == _ESCAPE, axis=1)
    header["large"] = [len(part) for part in large]
    last = np.cumsum(header["values"])
    others_row = np.cumsum(header["others"]) - 1
    heads = header.view(np.uint8).reshape(len(ids), HEADER.itemsize)
    return [
        b"".join(
            (
                heads[row].data,
                bases[row].data,
                digits[row].data,
                large[row].data,
                values[last[row] - header["values"][row] : last[row]].data,
                others[others_row[row]].data if header["others"][row] else b"",
            )
        )
        for row in range(len(ids))
    ]


def _small(counts: AnyArray) -> AnyArray:
    """Make counts uint8; 255 for what is not exactly a whole number from 0 to 254, -0.0 included."""
    with np.errstate(invalid="ignore"):  # what does not fit becomes any number, which the comparison finds out
        small = counts.astype(np.uint8)
    small[small.astype(np.float32).view(np.uint32) != np.ascontiguousarray(counts).view(np.uint32)] = _ESCAPE
    return small


def _widths(small: AnyArray) -> AnyArray:
    """Choose the bits a digit that make each record smallest, ``(n,)``; 0 where all counts are 0."""
    sizes = [_bytes_for(small.shape[1], width) + np.count_nonzero(small >= (1 << width) - 1, axis=1) for width in _WIDTHS]
    return np.where(small.any(axis=1), np.array(_WIDTHS, np.uint8)[np.argmin(sizes, axis=0)], np.uint8(0))


def _digits(small: AnyArray, widths: AnyArray) -> tuple[list[AnyArray], list[AnyArray]]:
    """Make the bytes of each record's digits, and of the counts that do not fit in one."""
    digits, large = [np.empty(0, np.uint8)] * len(small), [np.empty(0, np.uint8)] * len(small)
    for width in _WIDTHS:
        rows = np.flatnonzero(widths == width)
        limit = np.uint8((1 << width) - 1)
        counts = small[rows]
        beyond = counts >= limit
        values, last = counts[beyond], np.cumsum(np.count_nonzero(beyond, axis=1)).tolist()
        packed = _packed(np.minimum(counts, limit), width)
        for number, (first, end) in enumerate(pairwise([0, *last])):
            digits[rows[number]], large[rows[number]] = packed[number], values[first:end]
    return digits, large


def decode_records(records: Sequence[bytes], layout: ShardLayout) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Decode records.

    Parameters
    ----------
    records
        As :func:`encode_records` makes them.
    layout
        Widths that they must have.

    Returns
    -------
    tuple of numpy.ndarray
        Headers (:data:`HEADER`) ``(n,)``, base codes uint8 ``(n, bases)`` and counts float32 ``(n, positions)``.

    Raises
    ------
    ValueError
        Where a record is not of this version, has other widths than ``layout``, or ends early.
    """
    sizes = np.array([len(record) for record in records], dtype=np.int64)
    if not len(sizes) or sizes.min() < HEADER.itemsize:
        if len(sizes):
            raise ValueError(f"a record of {sizes.min()} bytes")
        return np.empty(0, HEADER), np.empty((0, layout.bases), np.uint8), np.empty((0, layout.positions), np.float32)
    data = np.frombuffer(b"".join(records), dtype=np.uint8)
    starts = np.cumsum(sizes) - sizes
    header = _rows(data, starts, HEADER.itemsize).view(HEADER)[:, 0]
    of_bases, of_others = _bytes_for(layout.bases, 2), _bytes_for(layout.bases, 1)
    width, large, values, others = (header[name].astype(np.int64) for name in ("width", "large", "values", "others"))
    at_digits = starts + HEADER.itemsize + of_bases
    at_large = at_digits + _bytes_for(layout.positions, width)
    at_values = at_large + large
    at_others = at_values + 4 * values
    _check(header, layout, at_others + of_others * others - starts, sizes)
    codes = _unpacked(_rows(data, starts + HEADER.itemsize, of_bases), 2, layout.bases)
    rows = np.flatnonzero(others)
    if len(rows):
        other = _unpacked(_rows(data, at_others[rows], of_others), 1, layout.bases)
        codes[rows] = np.where(other, np.uint8(OTHER_BASE), codes[rows])
    small = _expand(data, header, at_digits, at_large, layout.positions)
    counts = small.astype(np.float32)
    if values.any():
        counts[small == _ESCAPE] = _ragged(data, at_values, 4 * values).view("<f4")
    return header, codes, counts


def _expand(data: AnyArray, header: AnyArray, at_digits: AnyArray, at_large: AnyArray, positions: int) -> AnyArray:
    """Expand counts to uint8 ``(n, positions)``, 255 for those among the values."""
    small = np.zeros((len(header), positions), dtype=np.uint8)
    for width in _WIDTHS:
        rows = np.flatnonzero(header["width"] == width)
        if len(rows):
            counts = _unpacked(_rows(data, at_digits[rows], _bytes_for(positions, width)), width, positions)
            counts[counts == (1 << width) - 1] = _ragged(data, at_large[rows], header["large"][rows].astype(np.int64))
            small[rows] = counts
    return small


def _check(header: AnyArray, layout: ShardLayout, wanted: AnyArray, sizes: AnyArray) -> None:
    """Raise :class:`ValueError` for the first record whose header does not describe it."""
    if (header["version"] != VERSION).any():
        raise ValueError(f"a record of version {header['version'][header['version'] != VERSION][0]}, not {VERSION}")
    if (header["bases"] != layout.bases).any() or (header["positions"] != layout.positions).any():
        raise ValueError(f"a record of other widths than {layout.bases} bases and {layout.positions} positions")
    if not np.isin(header["width"], (0, *_WIDTHS)).all() or (header["others"] > 1).any() or (wanted != sizes).any():
        raise ValueError("a record whose header does not describe it")


def _rows(data: AnyArray, starts: AnyArray, width: int) -> AnyArray:
    """Take ``width`` bytes from each start, ``(n, width)``."""
    rows: AnyArray = np.lib.stride_tricks.sliding_window_view(data, width)[starts]
    return rows


def _ragged(data: AnyArray, starts: AnyArray, lengths: AnyArray) -> AnyArray:
    """Take ``lengths`` bytes from each start, one after the other."""
    behind = np.cumsum(lengths)
    taken: AnyArray = data[np.repeat(starts - behind + lengths, lengths) + np.arange(behind[-1])]
    return taken
