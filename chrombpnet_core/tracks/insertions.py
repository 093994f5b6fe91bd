"""Insertions per base: cut sites counted and written as bigWig; base frequencies around them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import numpy as np

from chrombpnet_core._types import Floats, Ints
from chrombpnet_core.formats import Intervals, write_bigwig
from chrombpnet_core.genome import Genome
from chrombpnet_core.progress import track
from chrombpnet_core.reads import SpilledReads
from chrombpnet_core.tracks import _insertion_loops
from chrombpnet_core.tracks.coverage import Coverage

__all__ = ["insertion_pfm", "run_lengths", "write_insertions"]

log = logging.getLogger(__name__)

_BLOCK = 1 << 20  # bases or intervals handled at a time
_WINDOW = 1 << 26  # bases counted at a time: 256 MiB
_MANY_OUTSIDE = 1e-3  # of the insertions


def run_lengths(counts: Ints) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Turn counts per base into intervals of one count; bases that count 0 are left out.

    Parameters
    ----------
    counts
        Insertions per base, uint32 ``(size,)``; they are 0 afterwards.

    Yields
    ------
    tuple
        Starts and ends, int64 ``(m,)``, and counts, float32 ``(m,)``, of some of the longest such intervals, sorted.
    """
    position = 0
    while position < len(counts):
        starts, ends = np.empty(_BLOCK, dtype=np.int64), np.empty(_BLOCK, dtype=np.int64)
        values = np.empty(_BLOCK, dtype=np.float32)
        runs, position = _insertion_loops.take_runs(counts, position, starts, ends, values)
        yield starts[:runs], ends[:runs], values[:runs]


def write_insertions(
    spilled: SpilledReads,
    sizes: dict[str, int],
    delta_plus: int,
    delta_minus: int,
    path: str | os.PathLike[str],
    threads: int | None = None,
) -> dict[str, object]:
    """Count insertions per base and write them as bigWig; the file appears whole or not at all.

    Parameters
    ----------
    spilled
        The reads.
    sizes
        Chromosome → length in bp; all of them are in the header.
    delta_plus
        Added to the ``start`` of reads on the plus strand; see :attr:`~chrombpnet_core.reads.ShiftEstimate.deltas`.
    delta_minus
        Added to the ``end`` of reads on the minus strand.
    path
        Where the bigWig goes.
    threads
        That compress; one per core by default.

    Returns
    -------
    dict
        ``insertions``, ``outside`` (positions that fell off a chromosome's end and are dropped), ``positions`` (bases with
        an insertion), ``insertions_by_chromosome``.

    Raises
    ------
    OSError
        Where the file could not be written whole.
    """
    reads = spilled.counts
    inside = dict.fromkeys(sizes, 0)
    intervals = _intervals(spilled, sizes, {"+": delta_plus, "-": delta_minus - 1}, inside)
    covered = write_bigwig(path, sizes, intervals, sum(reads.values()), threads)
    counted = sum(inside.values())
    outside = sum(reads.values()) - counted
    if outside:
        level = logging.WARNING if outside > _MANY_OUTSIDE * counted else logging.INFO
        log.log(
            level,
            "%s of %s insertions lie beyond the ends of their chromosomes and are left out",
            f"{outside:,}",
            f"{outside + counted:,}",
        )
    return {"insertions": counted, "outside": outside, "positions": covered, "insertions_by_chromosome": inside}


def _intervals(
    spilled: SpilledReads, sizes: dict[str, int], shifts: dict[str, int], inside: dict[str, int]
) -> Iterator[Intervals]:
    """Count insertions window by window, as intervals; ``inside`` is filled with their numbers by chromosome."""
    reads = spilled.counts
    room = np.zeros(min(_WINDOW, max(sizes.values())), dtype=np.uint32)
    for chrom in track(sizes, "writing the bigWig", unit="chromosomes"):
        for first in range(0, sizes[chrom] if reads[chrom] else 0, _WINDOW):
            counts = room[: sizes[chrom] - first]
            for strand, shift in shifts.items():
                for positions in spilled.pieces(chrom, strand):
                    inside[chrom] += _insertion_loops.count_sites(counts, positions, shift - first)
            for starts, ends, values in run_lengths(counts):
                yield Intervals(chrom, starts + first, ends + first, values)


def insertion_pfm(coverage: Coverage, genome: Genome, chrom: str, width: int = 24) -> Floats:
    """Compute base frequencies around the insertions of a chromosome, weighted by count.

    Parameters
    ----------
    coverage
        Insertions per base.
    genome
        The genome.
    chrom
        Chromosome to look at: the first of validation, for quality control.
    width
        Of the window in bp, whose base ``width // 2`` is the insertion; windows that leave the chromosome are left out.

    Returns
    -------
    ndarray
        float64 ``(width, 4)``; rows add up to 1, and are 0.25 throughout where there are no insertions.
    """
    dense, codes = coverage.chromosome(chrom), genome.codes(chrom)
    size = min(len(dense), len(codes))
    counts = np.zeros((width, 5))
    for block in range(0, max(size - width + 1, 0), _BLOCK):
        middle = block + width // 2
        sites = middle + np.flatnonzero(dense[middle : min(block + _BLOCK, size - width + 1) + width // 2])
        for position in range(width):
            counts[position] += np.bincount(codes[sites - width // 2 + position], weights=dense[sites], minlength=5)
    totals = counts[:, :4].sum(axis=1, keepdims=True)
    frequencies: Floats = np.divide(counts[:, :4], totals, out=np.full((width, 4), 0.25), where=totals > 0)
    return frequencies
