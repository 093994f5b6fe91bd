"""Nonpeaks: windows of closed chromatin with the GC content of the peaks, drawn within each part of a fold.

GC fractions are rounded to two decimals, which makes the bins that peaks and candidates are matched in. How many
candidates each bin gives is settled on these bins before any is drawn: first to peaks of the same GC, then to those
0.01 away, and so on up to a bound; what remains is missing, and is told (kundajelab/chrombpnet walks to another bin at
random, however far, and never ends when there are none).
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import (
    OTHER_BASE,
    SPLITS,
    Fold,
    Genome,
    centres,
    on_chromosomes,
    overlapping,
    regions_at,
    windows_fit,
)
from chrombpnet_core.progress import bar, track

__all__ = ["CLOSE_GC", "GC_EDGES", "candidate_bins", "gc_bins", "gc_histogram", "peak_gc", "sample_nonpeaks"]

log = logging.getLogger(__name__)

_BINS = 101
GC_EDGES = (np.arange(_BINS + 1) - 0.5) / 100
"""Edges of the bins of :func:`gc_histogram`: the GC fraction is rounded to the nearest hundredth."""

_BLOCK = 1 << 20  # bases whose prefix sums are held at a time
_FARTHEST = 0.2  # in GC
CLOSE_GC = 0.05
"""GC fraction by which a nonpeak that still matches may differ from its peak."""
_MANY_FAR = 0.1  # share of nonpeaks that may lie farther before it is said
_MANY_SKIPPED = 0.25
_MOST_UNKNOWN = 0.5  # of a bin's bases, beyond which it is an assembly gap and no background


def gc_bins(genome: Genome, sizes: dict[str, int], width: int = 2114, stride: int = 1000) -> pd.DataFrame:
    """Tile chromosomes with bins and measure their GC.

    Parameters
    ----------
    genome
        The genome.
    sizes
        Chromosomes to tile, with their lengths in bp.
    width
        Of a bin in bp; every bin lies inside its chromosome.
    stride
        From bin to bin in bp.

    Returns
    -------
    pandas.DataFrame
        ``chrom, start, end, gc`` in the order of ``sizes``; ``gc`` is the fraction rounded to two decimals, NaN in bins of
        which more than half are letters other than A, C, G, T.
    """
    long_enough = [chrom for chrom, size in sizes.items() if size >= width]
    if not long_enough:
        raise InputError(
            f"no chromosome is as long as the input window of {width:,} bp",
            found=f"longest {max(sizes.values(), default=0):,} bp",
            remedy="check the chromosome sizes",
        )
    starts = [np.arange(0, sizes[chrom] - width + 1, stride) for chrom in long_enough]
    measured = []
    with bar("measuring GC of bins", sum(sizes[chrom] for chrom in long_enough), "bp") as progress:
        for chrom, firsts in zip(long_enough, starts, strict=True):
            gc, unknown = _window_gc(genome, chrom, firsts, width)
            gc[unknown > _MOST_UNKNOWN * width] = np.nan
            measured.append(gc)
            progress.update(sizes[chrom])
    chroms = np.repeat(np.array(long_enough, dtype=object), [len(firsts) for firsts in starts])
    return _gc_table(chroms, np.concatenate(starts), width, np.concatenate(measured))


def peak_gc(peaks: pd.DataFrame, genome: Genome, sizes: dict[str, int], width: int = 2114) -> pd.DataFrame:
    """Measure the GC of every peak over ``width`` bp at its summit; peaks whose window leaves the chromosome are left out.

    Parameters
    ----------
    peaks
        Region table.
    genome
        As in :func:`gc_bins`.
    sizes
        As there.
    width
        In bp.

    Returns
    -------
    pandas.DataFrame
        ``chrom, start, end, gc`` of the windows, one row per peak kept, in their order.

    Raises
    ------
    InputError
        Where no peak is left.
    """
    kept = windows_fit(peaks, sizes, width)
    skipped = len(peaks) - int(kept.sum())
    if not kept.any():
        raise InputError(
            f"none of {len(peaks):,} peaks has {width:,} bp of its chromosome around its summit",
            remedy="check the assembly of peaks and genome, and column 10 (offset of the summit)",
        )
    if skipped > _MANY_SKIPPED * len(peaks):
        log.warning(
            "%s of %s peaks are skipped: their window of %s bp leaves the chromosome; check that peaks and "
            "genome are of one assembly",
            f"{skipped:,}",
            f"{len(peaks):,}",
            f"{width:,}",
        )
    chroms = peaks["chrom"].to_numpy(dtype=object)[kept]
    starts = centres(peaks)[kept] - width // 2
    gc = np.empty(len(starts))
    rows_of = pd.Series(starts).groupby(chroms).indices
    for chrom in track(rows_of, "measuring GC of peaks", unit="chromosomes"):
        gc[rows_of[chrom]], _ = _window_gc(genome, str(chrom), starts[rows_of[chrom]], width)
    return _gc_table(chroms, starts, width, gc)


def _gc_table(chroms: AnyArray, starts: AnyArray, width: int, gc: AnyArray) -> pd.DataFrame:
    return pd.DataFrame({"chrom": chroms, "start": starts, "end": starts + width, "gc": gc})


@cache
def _fractions(width: int) -> AnyArray:
    """Tabulate the fraction, to two decimals as Python rounds, of 0 to ``width`` bases: float64 ``(width + 1,)``."""
    return np.array([round(count / width, 2) for count in range(width + 1)])


def _window_gc(genome: Genome, chrom: str, starts: AnyArray, width: int) -> tuple[AnyArray, AnyArray]:
    """Measure GC fraction to two decimals, and count unknown letters, of windows ``[start, start + width)``.

    Bases are read and summed block by block: a whole human chromosome and its sums take more than 1 GB.
    """
    gc, unknown = np.empty(len(starts)), np.empty(len(starts), dtype=np.int64)
    order = np.argsort(starts, kind="stable")
    edges = np.arange(0, int(starts.max()) + _BLOCK + 1, _BLOCK)
    for block, rows in zip(edges.tolist(), np.split(order, np.searchsorted(starts[order], edges[1:])), strict=True):
        if rows.size:
            offsets = starts[rows] - block
            codes = genome.codes(chrom, block, block + int(offsets.max()) + width)
            gc[rows] = _fractions(width)[_window_sums((codes == 1) | (codes == 2), offsets, width)]
            unknown[rows] = _window_sums(codes == OTHER_BASE, offsets, width)
    return gc, unknown


def _window_sums(chosen: AnyArray, starts: AnyArray, width: int) -> AnyArray:
    """Count the chosen bases of each window, of bool ``(bases,)``: int32 ``(n,)``."""
    summed = np.zeros(len(chosen) + 1, dtype=np.int32)
    np.cumsum(chosen, dtype=np.int32, out=summed[1:])
    sums: AnyArray = summed[starts + width] - summed[starts]
    return sums


def candidate_bins(
    bins: pd.DataFrame, peaks: pd.DataFrame, blacklist: pd.DataFrame | None = None, width: int = 2114
) -> pd.DataFrame:
    """Choose bins that share no base with peaks or blacklist, both widened by ``width // 2`` on each side.

    Parameters
    ----------
    bins
        From :func:`gc_bins`; those without a GC are left out.
    peaks
        Region table; whole intervals count, also of peaks that :func:`peak_gc` leaves out.
    blacklist
        Table of ``chrom, start, end``, if any.
    width
        Input length in bp.

    Returns
    -------
    pandas.DataFrame
        Rows of ``bins``.

    Raises
    ------
    InputError
        Where no bin is left.
    """
    avoided = pd.concat([table[["chrom", "start", "end"]] for table in (peaks, blacklist) if table is not None])
    avoided = avoided.assign(start=avoided["start"] - width // 2, end=avoided["end"] + width // 2)
    free = bins[~overlapping(bins, avoided) & bins["gc"].notna().to_numpy()]
    if free.empty:
        raise InputError(
            f"no background is left: peaks and blacklist, widened by {width // 2:,} bp, touch all "
            f"{len(bins):,} bins of the genome",
            remedy="give fewer peaks (the strongest), or a smaller blacklist",
        )
    return free.reset_index(drop=True)


def sample_nonpeaks(
    peaks: pd.DataFrame,
    free: pd.DataFrame,
    fold: Fold,
    ratio_train_valid: int = 2,
    ratio_test: int = 1,
    seed: int = 1234,
    max_distance: float = _FARTHEST,
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Draw GC-matched nonpeaks within each part of a fold, each candidate once at most.

    How many can be found is computed and logged before any is drawn.

    Parameters
    ----------
    peaks
        From :func:`peak_gc`.
    free
        From :func:`candidate_bins`.
    fold
        Chromosomes of each part, pooled; peaks on other chromosomes are not matched.
    ratio_train_valid
        Nonpeaks per training or validation peak.
    ratio_test
        Nonpeaks per test peak.
    seed
        Of the draws.
    max_distance
        In GC fraction, between a peak and its nonpeaks: where no candidate is left so near, a nonpeak is missing.

    Returns
    -------
    tuple
        Region table in the order of ``free``, whose summit is the middle; and for each part ``wanted``, ``candidates``,
        ``found``, ``missing``, ``same_gc`` (found in the peak's own bin), ``farthest`` (the largest distance in GC) and
        ``by_distance`` (found 0, 0.01, 0.02, … away, up to ``max_distance``).

    Raises
    ------
    InputError
        Where no nonpeak at all can be drawn.
    """
    rng = np.random.default_rng(seed)
    most = min(round(max_distance * 100), _BINS - 1)
    plans, stats = [], {}
    for part in SPLITS:
        chroms = getattr(fold, part)
        ratio = ratio_test if part == "test" else ratio_train_valid
        rows = np.flatnonzero(on_chromosomes(free, chroms))
        bins = _bin_of(free["gc"].iloc[rows])
        wanted = np.bincount(_bin_of(peaks["gc"][on_chromosomes(peaks, chroms)]), minlength=_BINS) * ratio
        taken, by_distance = _allot(wanted, np.bincount(bins, minlength=_BINS), most, rng)
        plans.append((rows, bins, taken))
        stats[part] = _numbers(int(wanted.sum()), len(rows), by_distance)
    _report(stats, most)
    table = free.iloc[np.sort(np.concatenate([rows[_draw(taken, bins, rng)] for rows, bins, taken in plans]))]
    width = int(table["end"].iloc[0] - table["start"].iloc[0])
    return regions_at(table["chrom"].to_numpy(), table["start"].to_numpy(), width), stats


def gc_histogram(gc: pd.Series) -> AnyArray:
    """Count regions by GC content.

    Parameters
    ----------
    gc
        GC fraction of each region.

    Returns
    -------
    ndarray
        Regions in each bin of :data:`GC_EDGES`, int64 ``(101,)``.
    """
    return np.bincount(_bin_of(gc), minlength=_BINS)


def _bin_of(gc: pd.Series) -> AnyArray:
    return np.asarray(np.rint(gc.to_numpy() * 100), dtype=np.int64)


def _allot(
    wanted: AnyArray,
    available: AnyArray,
    most: int,
    rng: np.random.Generator,
) -> tuple[AnyArray, AnyArray]:
    """Allot candidates of each GC bin to nonpeaks: all that the same GC can, then all that 0.01 away can, and so on.

    Parameters
    ----------
    wanted, available
        Nonpeaks and candidates in each GC bin, ``(101,)``.
    most
        Largest distance in bins.
    rng
        Decides between a bin below and one above, and whose turn it is.

    Returns
    -------
    tuple of numpy.ndarray
        Candidates taken from each bin, ``(101,)``, and nonpeaks found at each distance, ``(most + 1,)``.
    """
    unmet, left = wanted.tolist(), np.pad(available, most).tolist()  # beyond 0 and 1 there is nothing
    by_distance = np.zeros(most + 1, dtype=np.int64)
    for distance in range(most + 1):
        for gc in rng.permutation(np.flatnonzero(unmet)).tolist():
            below, above = gc + most - distance, gc + most + distance
            half = int(rng.binomial(unmet[gc], 0.5))
            for side, limit in ((below, half), (above, unmet[gc]), (below, unmet[gc])):
                count = min(limit, unmet[gc], left[side])
                unmet[gc] -= count
                left[side] -= count
                by_distance[distance] += count
    return available - np.array(left[most : most + _BINS], dtype=np.int64), by_distance


def _draw(taken: AnyArray, bins: AnyArray, rng: np.random.Generator) -> AnyArray:
    """Draw indices of candidates without replacement, ``taken`` of each bin, where ``bins`` are theirs."""
    order = rng.permutation(len(bins))
    order = order[np.argsort(bins[order], kind="stable")]
    firsts = np.searchsorted(bins[order], np.arange(_BINS))
    return np.concatenate([order[first : first + count] for first, count in zip(firsts, taken, strict=True)])


def _numbers(wanted: int, candidates: int, by_distance: AnyArray) -> dict[str, Any]:
    found, used = int(by_distance.sum()), np.flatnonzero(by_distance)
    return {
        "wanted": wanted,
        "candidates": candidates,
        "found": found,
        "missing": wanted - found,
        "same_gc": int(by_distance[0]),
        "farthest": int(used[-1]) / 100 if used.size else 0.0,
        "by_distance": by_distance.tolist(),
    }


def _report(stats: dict[str, dict[str, Any]], most: int) -> None:
    """Log what can be found, and warn of what cannot; an :class:`InputError` where that is nothing."""
    for part, numbers in stats.items():
        log.info(
            "nonpeaks, %s: %s wanted, %s candidates; %s",
            part,
            f"{numbers['wanted']:,}",
            f"{numbers['candidates']:,}",
            _closeness(numbers),
        )
    if not any(numbers["found"] for numbers in stats.values()):
        if any(numbers["wanted"] and numbers["candidates"] for numbers in stats.values()):
            raise InputError(
                f"no nonpeak could be drawn: no candidate has the GC of a peak, ±{most / 100:.2f}",
                remedy="check that peaks and genome are of one assembly",
            )
        raise InputError(
            "no nonpeak could be drawn: no peak and candidate share a part of the fold",
            remedy="check that fold, peaks and genome name the same chromosomes",
        )
    short = [
        f"{part} {numbers['missing']:,} of {numbers['wanted']:,}"
        + ("" if numbers["candidates"] else " (no candidate at all)")
        for part, numbers in stats.items()
        if numbers["missing"]
    ]
    if short:
        log.warning(
            "nonpeaks are missing: %s. All candidates within ±%.2f of their GC are taken; fewer peaks, a lower "
            "`ratio` or a smaller `stride` leave fewer missing",
            ", ".join(short),
            most / 100,
        )
    far = {part: sum(numbers["by_distance"][round(CLOSE_GC * 100) + 1 :]) for part, numbers in stats.items()}
    many = [
        f"{part} {count:,} of {stats[part]['found']:,}"
        for part, count in far.items()
        if count > _MANY_FAR * stats[part]["found"]
    ]
    if many:
        log.warning(
            "nonpeaks that differ by more than %.2f in GC from their peaks are many: %s. A lower `ratio` or a "
            "smaller `stride` leaves fewer",
            CLOSE_GC,
            ", ".join(many),
        )


def _closeness(numbers: dict[str, Any]) -> str:
    """Say how near in GC nonpeaks can be found."""
    met = np.cumsum(numbers["by_distance"]).tolist()
    most = len(met) - 1
    near = [f"{met[at]:,} within ±{at / 100:.2f}" for at in dict.fromkeys(min(at, most) for at in (1, 2, 5, most)) if at]
    return ", ".join([f"{met[0]:,} of the same GC", *near])
