"""Insertions that come as bigWig instead of reads (``-ibw``): checked against the genome, summed, written sparse."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyBigWig

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming
from chrombpnet_core.progress import track
from chrombpnet_core.tracks.coverage import Coverage

__all__ = ["check_coverage_sizes", "merge_bigwigs"]

log = logging.getLogger(__name__)

_BLOCK = 1 << 22  # intervals handed over at a time


def check_coverage_sizes(coverage: Coverage, sizes: dict[str, int]) -> list[str]:
    """The chromosomes of ``sizes`` that a bigWig lacks, warned about.

    Raises
    ------
    InputError
        Where a chromosome has another length than in ``sizes``, or none of them is there.
    """
    for chrom, size in sizes.items():
        found = coverage.sizes.get(chrom, size)
        if found != size:
            raise InputError(
                f"{coverage.path}: length of chromosome {chrom}",
                expected=f"{size:,} bp as in the genome",
                found=f"{found:,} bp",
                remedy="use the bigWig and the genome of the same assembly",
            )
    missing = [chrom for chrom in sizes if chrom not in coverage.sizes]
    if len(missing) == len(sizes):
        raise InputError(
            f"{coverage.path}: has none of the genome's chromosomes",
            expected=", ".join([*sizes][:3]),
            found=", ".join([*coverage.sizes][:3]) or "no chromosomes",
            remedy="give --alias auto, or rename one side's",
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
    paths: Sequence[str | os.PathLike], sizes: dict[str, int], path: str | os.PathLike, naming: Naming | None = None
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

    Returns
    -------
    ``insertions`` (their sum), ``positions`` (bases with a value), ``insertions_by_chromosome``.

    Raises
    ------
    InputError
        For a value that is negative or no finite number, for sizes that disagree, where all values are 0.
    OSError
        Where the file could not be written whole.
    """
    totals: dict[str, float] = {}
    covered = 0
    target = Path(path)
    with ExitStack() as stack:
        inputs = [stack.enter_context(Coverage(each, naming, sizes)) for each in paths]
        for coverage in inputs:
            check_coverage_sizes(coverage, sizes)
        scratch = stack.enter_context(tempfile.TemporaryDirectory(dir=target.parent, prefix=".bigwig-"))
        unfinished = Path(scratch) / "bigwig"
        with pyBigWig.open(str(unfinished), "w") as bigwig:
            bigwig.addHeader(list(sizes.items()))
            for chrom, size in track(sizes.items(), "reading the bigWig", unit="chromosomes"):
                values = _summed(inputs, chrom, size)
                totals[chrom] = float(values.sum(dtype=np.float64))
                covered += _add_values(bigwig, chrom, values)
        if not covered:
            raise InputError(f"{', '.join(str(each) for each in paths)}: no insertions on the chromosomes in use")
        with pyBigWig.open(str(unfinished)) as written:  # a full disk goes unnoticed while writing
            if written.header()["nBasesCovered"] != covered:
                raise OSError(f"{target}: the bigWig was not written whole; is the disk full?")
        os.replace(unfinished, target)
    return {"insertions": sum(totals.values()), "positions": covered, "insertions_by_chromosome": totals}


def _summed(inputs: list[Coverage], chrom: str, size: int) -> np.ndarray:
    values = np.zeros(size, dtype=np.float32)
    for coverage in inputs:
        part = coverage.chromosome(chrom)
        bad = np.flatnonzero(~np.isfinite(part) | (part < 0))
        if bad.size:
            raise InputError(
                f"{coverage.path}: {chrom}:{bad[0] + 1:,}",
                expected="insertions per base, 0 or more",
                found=f"{part[bad[0]]:g}",
                remedy="give raw unstranded counts, not log ratios or differences",
            )
        values[: len(part)] += part
    return values


def _add_values(bigwig, chrom: str, values: np.ndarray) -> int:
    """Append the longest runs of one value, zeros left out; the number of bases they cover."""
    first = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
    ends = np.append(first[1:], len(values))
    kept = values[first] != 0
    first, ends = first[kept], ends[kept]
    for at in range(0, len(first), _BLOCK):
        part = slice(at, at + _BLOCK)
        bigwig.addEntries(np.full(len(first[part]), chrom), first[part], ends=ends[part], values=values[first[part]])
    return int((ends - first).sum())
