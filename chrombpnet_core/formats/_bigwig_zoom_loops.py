"""TODO."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled

__all__ = ["zoom_intervals", "zoom_summaries"]


@compiled
def zoom_intervals(starts, ends, values, width, bins, sums):
    """Summarise sorted intervals by bins of ``width`` bp.

    Parameters
    ----------
    starts, ends, values
        Intervals, ``(n,)``.
    width
        Of a bin in bp.
    bins
        Output: number of the bin, int64 ``(m,)``; room for all from the first to the last is enough.
    sums
        Output, float64 ``(m, 5)``: covered bases, smallest and largest value, sum, sum of squares.

    Returns
    -------
    Bins filled.
    """
    filled = -1
    for at in range(len(starts)):
        value = np.float64(values[at])
        first = starts[at]
        while first < ends[at]:
            number = first // width
            last = min(ends[at], (number + 1) * width)
            if filled < 0 or bins[filled] != number:
                filled += 1
                bins[filled] = number
                sums[filled, 0], sums[filled, 3], sums[filled, 4] = 0, 0, 0
                sums[filled, 1], sums[filled, 2] = value, value
            _add_summary(sums, filled, last - first, value, value, (last - first) * value, (last - first) * value * value)
            first = last
    return filled + 1


@compiled
def zoom_summaries(bins, sums, factor, coarse, coarse_sums):
    """Summarise ``factor`` bins in one; arrays as in :func:`zoom_intervals`. Returns the bins filled."""
    filled = -1
    for at in range(len(bins)):
        number = bins[at] // factor
        if filled < 0 or coarse[filled] != number:
            filled += 1
            coarse[filled] = number
            coarse_sums[filled] = sums[at]
        else:
            _add_summary(coarse_sums, filled, sums[at, 0], sums[at, 1], sums[at, 2], sums[at, 3], sums[at, 4])
    return filled + 1


@compiled
def _add_summary(sums, at, covered, least, most, total, squares):
    sums[at, 0] += covered
    sums[at, 1] = min(sums[at, 1], least)
    sums[at, 2] = max(sums[at, 2], most)
    sums[at, 3] += total
    sums[at, 4] += squares
