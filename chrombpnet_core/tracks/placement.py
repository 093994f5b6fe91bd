"""Tracks of regions: which base of a track comes from which region, and the bigWig that is put together so.

A track is put together from windows of one width around the regions' centres. A base that several windows hold takes the
value of the one whose centre is nearest. However many regions there are, memory holds a few numbers of each and the
windows of some hundred: the rest is in a :class:`chrombpnet_core.tracks.RowsOnDisk`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chrombpnet_core._types import AnyArray
from chrombpnet_core.formats import Intervals, write_bigwig
from chrombpnet_core.progress import bar

__all__ = ["TrackPlacement", "place_regions", "write_track"]

_ROWS = 256  # windows in memory at a time

ReadRows = Callable[[AnyArray], AnyArray]
"""From rows of the region table, int64 ``(m,)``, to the values of their windows, float32 ``(m, W)``."""


class TrackValues(NamedTuple):
    """Values of a track on one chromosome: positions int64 ``(m,)``, ascending, and values float32 ``(m,)``."""

    chrom: str
    positions: AnyArray
    values: AnyArray


@dataclass(frozen=True)
class TrackPlacement:
    """Which bases of a track come from which region; arrays of shape ``(n,)``, regions in the order of the genome.

    Parameters
    ----------
    rows
        Of the region table.
    chroms
        Chromosome names.
    firsts
        Where each window begins.
    starts
        First base that the region gives, within its window.
    ends
        Behind the last base that the region gives; none where it equals the start.
    width
        Of a window in bp.
    """

    rows: AnyArray
    chroms: AnyArray
    firsts: AnyArray
    starts: AnyArray
    ends: AnyArray
    width: int

    @property
    def bases(self) -> int:
        """Count the bases of the whole track."""
        return int((self.ends - self.starts).sum())

    def blocks(self) -> Iterator[slice]:
        """Cut the arrays into slices, each on one chromosome and of some hundred regions at most, in order."""
        borders = np.flatnonzero(self.chroms[1:] != self.chroms[:-1]) + 1
        for first, last in zip([0, *borders], [*borders, len(self.rows)], strict=True):
            for begin in range(first, last, _ROWS):
                yield slice(begin, min(begin + _ROWS, last))

    def values(self, read: ReadRows) -> Iterator[TrackValues]:
        """Put the track together, some hundred regions at a time, in order."""
        for block in self.blocks():
            positions = self.firsts[block, None] + np.arange(self.width)
            own = (positions >= self.starts[block, None]) & (positions < self.ends[block, None])
            yield TrackValues(str(self.chroms[block.start]), positions[own], read(self.rows[block])[own])


def place_regions(
    chroms: Sequence[str] | AnyArray, centres: npt.ArrayLike, width: int, sizes: dict[str, int]
) -> TrackPlacement:
    """Divide the bases of windows ``[centre - width // 2, centre - width // 2 + width)`` among their regions.

    Where neighbours overlap, the border is ``(centre + next centre) // 2``: the centre is taken as the point between two
    bases that is the middle of the window, and a base as near to both goes to the later region. Of regions with one
    centre, the first gives the left half and the last the right one.

    Parameters
    ----------
    chroms
        Chromosome names of the regions, ``(n,)``, in any order.
    centres
        Their centres; windows lie inside their chromosomes.
    width
        Of a window in bp.
    sizes
        Chromosome → length in bp, in the order of the track.

    Returns
    -------
    TrackPlacement
        Regions in the order of the track, and the bases that each gives.

    Examples
    --------
    >>> placement = place_regions(["chrI", "chrI"], [50, 60], 20, {"chrI": 100})
    >>> placement.starts.tolist(), placement.ends.tolist()
    ([40, 55], [55, 70])
    """
    middles = np.asarray(centres, dtype=np.int64)
    number_of = {chrom: number for number, chrom in enumerate(sizes)}
    numbers = np.array([number_of[chrom] for chrom in chroms], dtype=np.int64)
    rows = np.lexsort((middles, numbers))
    numbers, middles = numbers[rows], middles[rows]
    firsts = middles - width // 2
    starts, ends = firsts.copy(), firsts + width
    meet = (numbers[1:] == numbers[:-1]) & (firsts[1:] < ends[:-1])
    borders = (middles[:-1] + middles[1:]) // 2
    ends[:-1][meet] = borders[meet]
    starts[1:][meet] = borders[meet]
    return TrackPlacement(rows, np.asarray(chroms, dtype=object)[rows], firsts, starts, ends, width)


def write_track(
    path: str | os.PathLike[str],
    sizes: dict[str, int],
    placement: TrackPlacement,
    read: ReadRows,
    threads: int | None = None,
) -> None:
    """Write a track as bigWig, whole or not at all; bases of no region have no value.

    Parameters
    ----------
    path
        Where it goes.
    sizes
        Chromosome → length in bp; all are in the header, in this order.
    placement
        Of the regions, in the same order of chromosomes.
    read
        Values of the regions' windows.
    threads
        That compress; one per core by default.

    Raises
    ------
    OSError
        Where the file could not be written whole.
    """
    target = Path(path)

    def intervals() -> Iterator[Intervals]:
        with bar(f"writing {target.name}", placement.bases, "bases") as progress:
            for chrom, positions, values in placement.values(read):
                yield Intervals(chrom, positions, positions + 1, values)
                progress.update(len(positions))

    write_bigwig(target, sizes, intervals(), placement.bases, threads)
