"""Loops over cut sites and bases, compiled by numba; they run without the interpreter lock."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray

__all__ = ["count_sites", "take_runs"]


@compiled
def count_sites(counts: AnyArray, positions: AnyArray, shift: int) -> int:
    """Add cut sites ``positions + shift`` to the counts per base, uint32; what lies outside is left out.

    Parameters
    ----------
    counts
        Insertions per base, uint32 ``(size,)``; added to.
    positions
        Raw 5' positions, ``(n,)``.
    shift
        Added to each.

    Returns
    -------
    int
        Sites that were counted.
    """
    inside = 0
    for read in range(len(positions)):
        site = np.int64(positions[read]) + shift
        if 0 <= site < len(counts):
            counts[site] += np.uint32(1)
            inside += 1
    return inside


@compiled
def take_runs(counts: AnyArray, at: int, starts: AnyArray, ends: AnyArray, values: AnyArray) -> tuple[int, int]:
    """Take the longest runs of one count that is not 0, until the outputs are full.

    What was taken is 0 afterwards, ready to count again: clearing in this pass saves one over the chromosome.

    Parameters
    ----------
    counts
        Insertions per base, uint32 ``(size,)``.
    at
        Base where the search begins.
    starts
        Output: first bases, int64 ``(m,)``.
    ends
        Output: behind the last bases, int64 ``(m,)``.
    values
        Output: counts, float32 ``(m,)``.

    Returns
    -------
    tuple of int
        Runs, and the base where the search goes on.
    """
    runs, size = 0, len(counts)
    while at < size and runs < len(starts):
        while at + 8 <= size and not (
            counts[at]
            | counts[at + 1]
            | counts[at + 2]
            | counts[at + 3]
            | counts[at + 4]
            | counts[at + 5]
            | counts[at + 6]
            | counts[at + 7]
        ):
            at += 8
        while at < size and not counts[at]:
            at += 1
        if at < size:
            value, first = counts[at], at
            while at < size and counts[at] == value:
                counts[at] = 0
                at += 1
            starts[runs], ends[runs], values[runs] = first, at, value
            runs += 1
    return runs, at
