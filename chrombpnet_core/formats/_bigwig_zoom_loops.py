"""Loops that summarise intervals by the bins of zoom levels, compiled by numba."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray

__all__ = ["zoom_intervals", "zoom_summaries"]


@compiled
def zoom_intervals(starts: AnyArray, ends: AnyArray, values: AnyArray, width: int, bins: AnyArray, sums: AnyArray) -> int:
    """Summarise sorted intervals by bins of ``width`` bp.

    Parameters
    ----------
    starts
        First positions of the intervals, ``(n,)``.
    ends
        Behind their last positions, ``(n,)``.
    values
        Of the intervals, ``(n,)``.
    width
        Of a bin in bp.
    bins
        Output: number of the bin, int64 ``(m,)``; room for all from the first to the last is enough.
    sums
        Output, float64 ``(m, 5)``: covered bases, smallest and largest value, sum, sum of squares.

    Returns
    -------
    int
        Bins filled.
    """
    filled = -1
    for interval in range(len(starts)):
        value = np.float64(values[interval])
        first = starts[interval]
        while first < ends[interval]:
            number = first // width
            last = min(ends[interval], (number + 1) * width)
            if filled < 0 or bins[filled] != number:
                filled += 1
                bins[filled] = number
                sums[filled, 0], sums[filled, 3], sums[filled, 4] = 0, 0, 0
                sums[filled, 1], sums[filled, 2] = value, value
            _add_summary(sums, filled, last - first, value, value, (last - first) * value, (last - first) * value * value)
            first = last
    return filled + 1


@compiled
def zoom_summaries(bins: AnyArray, sums: AnyArray, factor: int, coarse: AnyArray, coarse_sums: AnyArray) -> int:
    """Summarise bins by wider bins.

    Parameters
    ----------
    bins
        Numbers of the bins, int64 ``(n,)``.
    sums
        Their sums as :func:`zoom_intervals` has them.
    factor
        Bins that make a wider one.
    coarse
        Output: numbers of the wider bins.
    coarse_sums
        Output: their sums.

    Returns
    -------
    int
        Wider bins filled.
    """
    filled = -1
    for row in range(len(bins)):
        number = bins[row] // factor
        if filled < 0 or coarse[filled] != number:
            filled += 1
            coarse[filled] = number
            coarse_sums[filled] = sums[row]
        else:
            _add_summary(coarse_sums, filled, sums[row, 0], sums[row, 1], sums[row, 2], sums[row, 3], sums[row, 4])
    return filled + 1


@compiled
def _add_summary(sums: AnyArray, row: int, covered: float, least: float, most: float, total: float, squares: float) -> None:
    sums[row, 0] += covered
    sums[row, 1] = min(sums[row, 1], least)
    sums[row, 2] = max(sums[row, 2], most)
    sums[row, 3] += total
    sums[row, 4] += squares
