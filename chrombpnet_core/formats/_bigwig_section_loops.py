"""Loops over the intervals of a bigWig's sections, compiled by numba; they run without the interpreter lock."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray

__all__ = ["fill", "unpack_sections"]

_BED_GRAPH, _VARIABLE_STEP, _FIXED_STEP = 1, 2, 3


@compiled
def unpack_sections(
    words: AnyArray,
    floats: AnyArray,
    borders: AnyArray,
    first_chroms: AnyArray,
    last_chroms: AnyArray,
    chrom: int,
    size: int,
    starts: AnyArray,
    ends: AnyArray,
    values: AnyArray,
) -> tuple[int, int]:
    """Read the intervals of decompressed sections of :class:`~chrombpnet_core.formats.BigWigFile`.

    ``words`` holds the sections one behind the other, uint32 ``(n,)``, ``floats`` the same bytes as float32; ``borders``,
    ``(m + 1,)``, tell where each begins and the last one ends, and ``first_chroms`` and ``last_chroms``, ``(m,)``, between
    which numbers that of its chromosome lies. Sections of others than ``chrom`` are passed over, and intervals cut off at
    its ``size``. Outputs ``starts`` int64, ``ends`` int64 and ``values`` float32 have room for ``n`` intervals.

    Returns intervals read, and the first section that is not one, -1 where there is none.
    """
    filled = 0
    for section in range(len(borders) - 1):
        first, last = borders[section], borders[section + 1]
        of_chrom, at = np.int64(words[first]), np.int64(words[first + 1])
        step, span = np.int64(words[first + 3]), np.int64(words[first + 4])
        kind, items = np.int64(words[first + 5]) & 255, np.int64(words[first + 5]) >> 16
        width = 4 - kind  # words of an interval: start, end and value; start and value; value
        if kind < _BED_GRAPH or kind > _FIXED_STEP or first + 6 + items * width > last:
            return filled, section
        if of_chrom < first_chroms[section] or of_chrom > last_chroms[section]:
            return filled, section
        if of_chrom != chrom:
            continue
        before = np.int64(0)
        for item in range(items):
            word = first + 6 + item * width
            start = np.int64(at + item * step) if kind == _FIXED_STEP else np.int64(words[word])
            end = np.int64(words[word + 1]) if kind == _BED_GRAPH else np.int64(start + span)
            if start < before or end <= start or start >= size:
                return filled, section
            before = end
            starts[filled], ends[filled], values[filled] = start, min(end, size), floats[word + width - 1]
            filled += 1
    return filled, -1


@compiled
def fill(dense: AnyArray, starts: AnyArray, ends: AnyArray, values: AnyArray) -> None:
    """Enter the values of intervals in an array of one value per base, float32; what is no number is left out."""
    for interval in range(len(starts)):
        value = values[interval]
        if value == value:
            for base in range(starts[interval], ends[interval]):
                dense[base] = value
