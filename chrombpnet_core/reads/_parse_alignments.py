"""Loops over the records of BAM, compiled by numba: they allocate nothing and run without the interpreter lock."""

from __future__ import annotations

from typing import Any

import numpy as np

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray
from chrombpnet_core.reads._stops import FULL, MALFORMED, MORE
from chrombpnet_core.reads._tally import DUPLICATES, JUDGED, LONGER

__all__ = ["read_alignments"]

_Int = int | np.signedinteger[Any]

_MAX_RECORD = 1 << 28
_CONSUMES_REFERENCE = 0b110001101  # CIGAR operations M, D, N, = and X by their number


@compiled
def _uint32(data: AnyArray, at: _Int) -> np.int64:
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24


@compiled
def _int32(data: AnyArray, at: _Int) -> np.int64:
    value = _uint32(data, at)
    return np.int64(value - (value >> 31 << 32))


@compiled
def read_alignments(
    data: AnyArray,
    at: _Int,
    of_reference: AnyArray,
    min_mapq: int,
    exclude: int,
    chroms: AnyArray,
    positions: AnyArray,
    minus: AnyArray,
    marks: AnyArray,
    tally: AnyArray,
    filled: int,
) -> tuple[_Int, int, int, int, int]:
    """Walk BAM records and keep the 5' ends of mapped ones (SAM specification, 4.2).

    ``data`` is decompressed BAM, uint8 ``(n,)``, in which a record begins at ``at``; ``of_reference`` is the chromosome
    index of each reference, int32. Alignments of a quality below ``min_mapq``, or with a flag of ``exclude``, are left out.
    Outputs ``chroms`` int32, ``positions`` int32 and ``minus`` bool, of one length, are filled from ``filled`` on.
    ``marks``, int64, tell by the mate what besides the 5' end tells fragments apart; it is empty where that is not wanted.
    ``tally``, int64, gets the lengths of fragments, and how many primary alignments are marked as duplicates.

    Returns where the next record begins, items filled, records read, records left out by the filters, why it stopped.
    """
    records, filtered, size = 0, 0, len(data)
    while at + 4 <= size:
        length = _int32(data, at)
        if length < 32 or length > _MAX_RECORD:
            return at, filled, records, filtered, MALFORMED
        if at + 4 + length > size:
            break
        if filled == len(chroms):
            return at, filled, records, filtered, FULL
        reference, quality = _int32(data, at + 4), np.int64(data[at + 13])
        flag = np.int64(data[at + 18]) | np.int64(data[at + 19]) << 8
        if not _is_record(data, at, length, len(of_reference)):
            return at, filled, records, filtered, MALFORMED
        if not flag & 4 and reference >= 0:
            if not flag & 0x900:
                tally[JUDGED] += 1
                tally[DUPLICATES] += flag >> 10 & 1
            if quality < min_mapq or flag & exclude:
                filtered += 1
            else:
                chroms[filled] = of_reference[reference]
                positions[filled] = _end(data, at) if flag & 16 else _int32(data, at + 8)
                minus[filled] = flag & 16 != 0
                if len(marks):
                    marks[filled] = _mate_mark(data, at, flag, reference)
                insert = _int32(data, at + 32)
                if flag & 1 and not flag & 0x908 and insert > 0:  # the first of a pair tells its length
                    tally[insert if insert < LONGER else LONGER] += 1
                filled += 1
        records += 1
        at += 4 + length
    return at, filled, records, filtered, MORE


@compiled
def _is_record(data: AnyArray, at: _Int, length: _Int, references: int) -> bool:
    """Tell whether the fields of a record fit each other."""
    reference, bases = _int32(data, at + 4), _int32(data, at + 20)
    operations = np.int64(data[at + 16]) | np.int64(data[at + 17]) << 8
    fields = 32 + np.int64(data[at + 12]) + 4 * operations + (bases + 1) // 2 + bases
    return bool(-1 <= reference < references and bases >= 0 and fields <= length)


@compiled
def _end(data: AnyArray, at: _Int) -> np.int64:
    """Find where an alignment ends on the reference; without CIGAR it is 1 bp long, as htslib has it."""
    start = _int32(data, at + 8)
    operations = np.int64(data[at + 16]) | np.int64(data[at + 17]) << 8
    end, first = start, at + 36 + np.int64(data[at + 12])
    for operation in range(first, first + 4 * operations, 4):
        word = _uint32(data, operation)
        if _CONSUMES_REFERENCE >> (word & 15) & 1:
            end += word >> 4
    if end <= start:
        return np.int64(start + 1)
    return np.int64(end if end < 2147483647 else 2147483647)


@compiled
def _mate_mark(data: AnyArray, at: _Int, flag: _Int, reference: _Int) -> np.int64:
    """Make a number of the mate's end of the fragment; 0 where the read has no mapped mate."""
    if not flag & 1 or flag & 8:
        return np.int64(0)
    mate, insert = _int32(data, at + 24), _int32(data, at + 32)
    if mate == reference and insert:
        return np.int64(np.int64(1) << 62 | _uint32(data, at + 32))
    return np.int64((mate + 2) << 32 | _uint32(data, at + 28))
