"""Fragments drawn from the expected insertions.

An insertion at base ``c`` (where reads are counted after the shift) is one end of a fragment: unshifted ATAC fragments begin
at ``c - 4`` or end at ``c + 5``; DNase fragments begin or end at ``c``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from chrombpnet_core._types import Floats, Ints
from chrombpnet_core.simulation.genome import letters_of

__all__ = ["draw_fragments"]

_ENDS = {"ATAC": (-4, 5), "DNASE": (0, 0)}  # start and end of an unshifted fragment, seen from its insertions
_SHORTEST, _FARTHEST = 21, 1_000  # bp between the insertions of a fragment


def draw_fragments(
    accessibility: dict[str, Floats],
    bias: dict[str, Floats],
    assay: str,
    shift: tuple[int, int],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw Poisson insertions and join them two by two: a table of chrom, start, end, barcode, sorted by place."""
    names = np.array([letters_of(row).decode() + "-1" for row in rng.integers(0, 4, (64, 16))])
    tables = []
    for chrom, track in accessibility.items():
        counts = rng.poisson(track.astype(np.float64) * bias[chrom])
        first, last = _join(np.repeat(np.arange(counts.size), counts), rng)
        table = pd.DataFrame(
            {
                "chrom": chrom,
                "start": first + _ENDS[assay][0] + shift[0],
                "end": last + _ENDS[assay][1] + shift[1],
                "barcode": names[rng.integers(0, len(names), first.size)],
            }
        )
        tables.append(table.sort_values(["start", "end", "barcode"], kind="stable"))
    return pd.concat(tables, ignore_index=True)


def _join(positions: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pair sorted insertions into fragments, each insertion used once, so that every end keeps its planted rate.

    From left to right an insertion is joined to the nearest free one at or after a drawn length (nucleosome-free or
    mononucleosomal), or, where that is more than 1 kb off, to the nearest free one. The last few of a chromosome find
    no partner and are left out.
    """
    count = positions.size
    lengths = np.where(rng.random(count) < 0.7, 30 + rng.gamma(2.5, 25, count), rng.normal(190, 25, count)).astype(int)
    wanted = np.searchsorted(positions, positions + np.maximum(lengths, _SHORTEST)).tolist()
    shortest = np.searchsorted(positions, positions + _SHORTEST).tolist()
    free = list(range(count + 1))  # a forest: the root of i is the first free insertion at or after i

    def next_free(i: int) -> int:
        while free[i] != i:
            free[i] = free[free[i]]
            i = free[i]
        return i

    pairs = []
    for i in range(count):
        if free[i] != i:
            continue
        free[i] = i + 1
        j = next_free(wanted[i])
        if j == count or positions[j] - positions[i] > _FARTHEST:
            j = next_free(shortest[i])
        if j < count:
            free[j] = j + 1
            pairs.append((i, j))
    first, last = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return positions[first], positions[last]
