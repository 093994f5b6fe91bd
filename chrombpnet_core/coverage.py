"""Cut sites → bigWig of insertions per base; windows of a bigWig; the motif around insertions as quality control."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyBigWig

from chrombpnet_core.bigwig_writer import Intervals, write_intervals
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Genome
from chrombpnet_core.naming import Naming
from chrombpnet_core.progress import track
from chrombpnet_core.reads import SpilledReads
from chrombpnet_core.textfiles import require_file

__all__ = ["Coverage", "insertion_pfm", "run_lengths", "write_bigwig"]

log = logging.getLogger(__name__)

_BLOCK = 1 << 20  # bases or intervals handled at a time
_WINDOW = 1 << 26  # bases counted at a time: 256 MiB
_MANY_OUTSIDE = 1e-3  # of the insertions
_ROWS = 4096  # windows summed at a time


def run_lengths(counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Counts per base as intervals, where bases that count 0 are left out.

    Parameters
    ----------
    counts
        Insertions per base, uint32 ``(size,)``; they are 0 afterwards.

    Yields
    ------
    Starts and ends, int64 ``(m,)``, and counts, float32 ``(m,)``, of the longest intervals of one count, sorted; in parts.
    """
    from chrombpnet_core import kernels

    at = 0
    while at < len(counts):
        starts, ends = np.empty(_BLOCK, dtype=np.int64), np.empty(_BLOCK, dtype=np.int64)
        values = np.empty(_BLOCK, dtype=np.float32)
        found, at = kernels.take_runs(counts, at, starts, ends, values)
        yield starts[:found], ends[:found], values[:found]


def write_bigwig(spilled: SpilledReads, sizes: dict[str, int], delta_plus: int, delta_minus: int,
                 path: str | os.PathLike, threads: int | None = None) -> dict[str, object]:
    """Write insertions per base; the file appears whole or not at all.

    Parameters
    ----------
    spilled
        The reads.
    sizes
        Chromosome → length in bp; all of them are in the header.
    delta_plus, delta_minus
        Added to the plus ``start`` and the minus ``end``; see :attr:`~chrombpnet_core.shift.ShiftEstimate.deltas`.
    path
        Where the bigWig goes.
    threads
        That compress; one per core by default.

    Returns
    -------
    ``insertions``, ``outside`` (positions that fell off a chromosome's end and are dropped), ``positions`` (bases with
    an insertion), ``insertions_by_chromosome``.

    Raises
    ------
    OSError
        Where the file could not be written whole.
    """
    reads = spilled.counts
    inside = dict.fromkeys(sizes, 0)
    target = Path(path)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bigwig-") as scratch:
        unfinished = Path(scratch) / "bigwig"
        intervals = _intervals(spilled, sizes, {"+": delta_plus, "-": delta_minus - 1}, inside)
        covered = write_intervals(unfinished, sizes, intervals, sum(reads.values()), threads)
        with pyBigWig.open(str(unfinished)) as written:
            if written.header()["nBasesCovered"] != covered or written.chroms() != sizes:
                raise OSError(f"{target}: the bigWig was not written whole; is the disk full?")
        os.replace(unfinished, target)
    counted = sum(inside.values())
    outside = sum(reads.values()) - counted
    if outside:
        level = logging.WARNING if outside > _MANY_OUTSIDE * counted else logging.INFO
        log.log(level, "%s of %s insertions lie beyond the ends of their chromosomes and are left out", f"{outside:,}",
                f"{outside + counted:,}")
    return {"insertions": counted, "outside": outside, "positions": covered, "insertions_by_chromosome": inside}


def _intervals(spilled: SpilledReads, sizes: dict[str, int], shifts: dict[str, int],
               inside: dict[str, int]) -> Iterator[Intervals]:
    """Insertions as intervals, counted window by window; ``inside`` is filled with their numbers by chromosome."""
    from chrombpnet_core import kernels

    reads = spilled.counts
    room = np.zeros(min(_WINDOW, max(sizes.values())), dtype=np.uint32)
    for chrom in track(sizes, "writing the bigWig", unit="chromosomes"):
        for first in range(0, sizes[chrom] if reads[chrom] else 0, _WINDOW):
            counts = room[:sizes[chrom] - first]
            for strand, shift in shifts.items():
                for positions in spilled.pieces(chrom, strand):
                    inside[chrom] += kernels.count_sites(counts, positions, shift - first)
            for starts, ends, values in run_lengths(counts):
                yield Intervals(chrom, starts + first, ends + first, values)


class Coverage:
    """Values per base of a bigWig, one chromosome in memory at a time; bases without a value are 0.

    Parameters
    ----------
    path
        A bigWig file.
    naming, sizes
        How its chromosome names are read, and the genome's chromosomes; without them, as they are.

    Attributes
    ----------
    sizes
        Chromosome → length in bp, of those that the file has.

    Raises
    ------
    InputError
        Where it is no bigWig.
    """

    def __init__(self, path: str | os.PathLike, naming: Naming | None = None,
                 sizes: Mapping[str, int] | None = None) -> None:
        self.path = str(require_file(path, "bigWig"))
        try:
            self._bigwig = pyBigWig.open(self.path)
            usable = self._bigwig.isBigWig()
            found: dict[str, int] = dict(self._bigwig.chroms())
        except RuntimeError:
            usable = False
        if not usable:
            raise InputError(f"{self.path}: cannot be read as bigWig")
        changed = (naming or Naming()).translate(found, sizes or {})
        self._names = {changed.get(name, name): name for name in found}
        self.sizes = {changed.get(name, name): size for name, size in found.items()}
        self._loaded: tuple[str, np.ndarray] | None = None

    def chromosome(self, chrom: str) -> np.ndarray:
        """All values of a chromosome, float32 ``(size,)``, not to be changed; empty for one that the file lacks."""
        if self._loaded is None or self._loaded[0] != chrom:
            self._loaded = None  # let go of the one before first
            values = np.zeros(self.sizes.get(chrom, 0), dtype=np.float32)
            for start in range(0, len(values), _BLOCK):
                # a bigWig without any entry gives an empty list here
                end = min(start + _BLOCK, len(values))
                part = np.asarray(self._bigwig.values(self._names[chrom], start, end, numpy=True))
                values[start:start + len(part)] = np.where(np.isnan(part), 0, part)
            self._loaded = chrom, values
        return self._loaded[1]

    def windows(self, chroms: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
        """Values of windows, float32 ``(n, width)``, in the order given; 0 beyond the ends of a chromosome.

        Parameters
        ----------
        chroms, starts
            Chromosome names and first positions, ``(n,)``, in any order.
        width
            In bp.
        """
        values = np.zeros((len(starts), width), dtype=np.float32)
        for rows, part in self._parts(chroms, starts, width):
            values[rows] = part
        return values

    def region_sums(self, chroms: np.ndarray, centres: np.ndarray, width: int) -> np.ndarray:
        """Sums over ``[centre - width // 2, centre - width // 2 + width)``, float64 ``(n,)``, in the order given."""
        sums = np.zeros(len(centres))
        for rows, part in self._parts(chroms, np.asarray(centres) - width // 2, width):
            sums[rows] = part.sum(axis=1, dtype=np.float64)
        return sums

    def _parts(self, chroms: np.ndarray, starts: np.ndarray, width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of some windows of one chromosome and their values ``(rows, width)``."""
        starts = np.asarray(starts, dtype=np.int64)
        names, group = np.unique(np.asarray(chroms).astype(str), return_inverse=True)
        order = np.argsort(group, kind="stable")
        lasts = np.cumsum(np.bincount(group, minlength=len(names))).tolist()
        for chrom, first, last in zip(names, [0, *lasts], lasts, strict=False):
            dense = self.chromosome(str(chrom))
            for at in range(first, last, _ROWS):
                rows = order[at:min(at + _ROWS, last)]
                yield rows, _gather(dense, starts[rows], width)

    def close(self) -> None:
        """Close the file."""
        self._loaded = None
        self._bigwig.close()

    def __enter__(self) -> Coverage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _gather(dense: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """Windows ``(n, width)`` of a dense array, 0 beyond its ends."""
    values = np.zeros((len(starts), width), dtype=dense.dtype)
    whole = (starts >= 0) & (starts + width <= len(dense))
    if whole.any():
        values[whole] = np.lib.stride_tricks.sliding_window_view(dense, width)[starts[whole]]
    for row in np.flatnonzero(~whole):
        start = int(starts[row])
        inner = dense[max(start, 0):max(start + width, 0)]
        values[row, max(-start, 0):max(-start, 0) + len(inner)] = inner
    return values


def insertion_pfm(coverage: Coverage, genome: Genome, chrom: str, width: int = 24) -> np.ndarray:
    """Base frequencies around the insertions of a chromosome, weighted by count.

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
    float64 ``(width, 4)``; rows add up to 1, and are 0.25 throughout where there are no insertions.
    """
    dense, codes = coverage.chromosome(chrom), genome.codes(chrom)
    size = min(len(dense), len(codes))
    counts = np.zeros((width, 5))
    for block in range(0, max(size - width + 1, 0), _BLOCK):
        middle = block + width // 2
        sites = middle + np.flatnonzero(dense[middle:min(block + _BLOCK, size - width + 1) + width // 2])
        for at in range(width):
            counts[at] += np.bincount(codes[sites - width // 2 + at], weights=dense[sites], minlength=5)
    totals = counts[:, :4].sum(axis=1, keepdims=True)
    return np.divide(counts[:, :4], totals, out=np.full((width, 4), 0.25), where=totals > 0)
