"""Insertions that come as bigWig instead of reads: checked against the genome, summed, written sparse."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np

from chrombpnet_core._types import Floats
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import Intervals, write_bigwig
from chrombpnet_core.genome import Naming
from chrombpnet_core.progress import track
from chrombpnet_core.tracks.coverage import Coverage

__all__ = ["check_coverage_sizes", "merge_bigwigs"]

log = logging.getLogger(__name__)

_BLOCK = 1 << 22  # intervals handed over at a time


def check_coverage_sizes(coverage: Coverage, sizes: dict[str, int]) -> list[str]:
    """Compare the chromosomes of a bigWig with the genome's; those that it lacks are warned about.

    Parameters
    ----------
    coverage
        The bigWig.
    sizes
        The genome's chromosomes → length in bp.

    Returns
    -------
    list of str
        Chromosomes of the genome that the bigWig lacks.

    Raises
    ------
    InputError
        Where a chromosome has another length than in ``sizes``, or none of them is there.
    """
    for chrom, size in sizes.items():
        in_bigwig = coverage.sizes.get(chrom, size)
        if in_bigwig != size:
            raise InputError(
                f"{coverage.path}: length of chromosome {chrom}",
                expected=f"{size:,} bp as in the genome",
                found=f"{in_bigwig:,} bp",
                remedy="use the bigWig and the genome of the same assembly",
            )
    missing = [chrom for chrom in sizes if chrom not in coverage.sizes]
    if len(missing) == len(sizes):
        raise InputError(
            f"{coverage.path}: has none of the genome's chromosomes",
            expected=", ".join([*sizes][:3]),
            found=", ".join([*coverage.sizes][:3]) or "no chromosomes",
            remedy='give `alias="auto"`, or rename the chromosomes of one',
        )
    if missing:
        log.warning(
            "%s: %d of %d chromosomes are not in it and count as empty: %s",
            coverage.path,
            len(missing),
            len(sizes),
            ", ".join(missing[:5]) + (", …" if len(missing) > 5 else ""),
        )
    return missing


def merge_bigwigs(
    paths: Sequence[str | os.PathLike[str]],
    sizes: dict[str, int],
    path: str | os.PathLike[str],
    naming: Naming | None = None,
    threads: int | None = None,
) -> dict[str, object]:
    """Write the sum of bigWigs, base by base, one chromosome in memory at a time; whole or not at all.

    Parameters
    ----------
    paths
        BigWigs of insertions per base, unstranded; bases without a value count 0.
    sizes
        Chromosome → length in bp; all are in the header, what lies on others is left out.
    path
        Where the sum goes.
    naming
        How the bigWigs' chromosome names are read.
    threads
        That compress; one per core by default.

    Returns
    -------
    dict
        ``insertions`` (their sum), ``positions`` (bases with a value), ``insertions_by_chromosome``.

    Raises
    ------
    InputError
        For a value that is negative or no finite number, for sizes that disagree, where all values are 0.
    OSError
        Where the file could not be written whole.
    """
    totals: dict[str, float] = {}
    with ExitStack() as stack:
        inputs = [stack.enter_context(Coverage(bigwig, naming, sizes)) for bigwig in paths]
        for coverage in inputs:
            check_coverage_sizes(coverage, sizes)
        expected = sum(min(coverage.covered, sum(sizes.values())) for coverage in inputs)
        covered = write_bigwig(path, sizes, _merged_intervals(inputs, sizes, totals), expected, threads)
    return {"insertions": sum(totals.values()), "positions": covered, "insertions_by_chromosome": totals}


def _merged_intervals(inputs: list[Coverage], sizes: dict[str, int], totals: dict[str, float]) -> Iterator[Intervals]:
    """Sum chromosome by chromosome, as intervals; ``totals`` is filled with the insertions of each."""
    for chrom, size in track(sizes.items(), "reading the bigWig", unit="chromosomes"):
        values = _summed(inputs, chrom, size)
        totals[chrom] = float(values.sum(dtype=np.float64))
        yield from _runs(chrom, values)
    if not any(totals.values()):
        raise InputError(f"{', '.join(coverage.path for coverage in inputs)}: no insertions on the chromosomes in use")


def _summed(inputs: list[Coverage], chrom: str, size: int) -> Floats:
    """Sum of the bigWigs on a chromosome."""
    values = np.zeros(size, dtype=np.float32)
    for coverage in inputs:
        insertions = coverage.chromosome(chrom)
        bad = np.flatnonzero(~np.isfinite(insertions) | (insertions < 0))
        if bad.size:
            raise InputError(
                f"{coverage.path}: {chrom}:{bad[0] + 1:,}",
                expected="insertions per base, 0 or more",
                found=f"{insertions[bad[0]]:g}",
                remedy="give raw unstranded counts, not log ratios or differences",
            )
        values[: len(insertions)] += insertions
    return values


def _runs(chrom: str, values: Floats) -> Iterator[Intervals]:
    """Find the longest runs of one value, zeros left out."""
    first = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
    ends = np.append(first[1:], len(values))
    kept = values[first] != 0
    first, ends = first[kept], ends[kept]
    for begin in range(0, len(first), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        yield Intervals(chrom, first[block], ends[block], values[first[block]])
