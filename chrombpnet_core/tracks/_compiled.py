"""TODO."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled

__all__ = ["count_sites", "take_runs"]


@compiled
def count_sites(counts, positions, shift):
    """Add cut sites ``positions + shift`` to the counts per base, uint32; what lies outside is left out.

    Returns
    -------
    Sites that were counted.
    """
    inside = 0
    for at in range(len(positions)):
        site = np.int64(positions[at]) + shift
        if 0 <= site < len(counts):
            counts[site] += np.uint32(1)
            inside += 1
    return inside


@compiled
def take_runs(counts, at, starts, ends, values):
    """The longest runs of one count that is not 0, from base ``at`` on, until the outputs (int64, int64, float32) are full.

    What was taken is 0 afterwards, ready to count again: clearing in this pass saves one over the chromosome.

    Returns
    -------
    Runs, and the base where the search goes on.
    """
    found, size = 0, len(counts)
    while at < size and found < len(starts):
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
            starts[found], ends[found], values[found] = first, at, value
            found += 1
    return found, at
