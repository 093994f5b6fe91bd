"""Nonpeaks: windows of closed chromatin with the GC content of the peaks, drawn within each part of a fold.

GC fractions are rounded to two decimals, which makes the bins that peaks and candidates are matched in. Where a bin is
used up, the nearest bin that has candidates left takes its place (kundajelab/chrombpnet walks there at random, and
never ends when there are none).
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_left

import numpy as np
import pandas as pd

from chrombpnet_core.errors import InputError
from chrombpnet_core.folds import PARTS, Fold
from chrombpnet_core.genome import OTHER, Genome
from chrombpnet_core.progress import track
from chrombpnet_core.regions import centres, inside, on_chromosomes, overlapping, regions_at

__all__ = ["candidates", "gc_bins", "peak_gc", "plot_gc_match", "sample_nonpeaks"]

log = logging.getLogger(__name__)

_BINS = 101
_BLOCK = 1 << 20  # bases whose prefix sums are held at a time
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
    width, stride
        Of the bins in bp; every bin lies inside its chromosome.

    Returns
    -------
    Table of ``chrom, start, end, gc`` in the order of ``sizes``; ``gc`` is the fraction rounded to two decimals, NaN in
    bins of which more than half are letters other than A, C, G, T.
    """
    tables = []
    for chrom in track(sizes, "measuring GC of bins", unit="chromosomes"):
        starts = np.arange(0, sizes[chrom] - width + 1, stride)
        if starts.size:
            gc, unknown = _window_gc(genome.codes(chrom), starts, width)
            gc[unknown > _MOST_UNKNOWN * width] = np.nan
            tables.append(_gc_table(np.full(len(starts), chrom, dtype=object), starts, width, gc))
    if not tables:
        raise InputError(f"no chromosome is as long as the input window of {width:,} bp",
                         found=f"longest {max(sizes.values(), default=0):,} bp", remedy="check the chromosome sizes")
    return pd.concat(tables, ignore_index=True)


def peak_gc(peaks: pd.DataFrame, genome: Genome, sizes: dict[str, int], width: int = 2114) -> pd.DataFrame:
    """GC of every peak over ``width`` bp at its summit; peaks whose window leaves the chromosome are left out.

    Parameters
    ----------
    peaks
        Region table.
    genome, sizes, width
        As in :func:`gc_bins`.

    Returns
    -------
    Table of ``chrom, start, end, gc`` of the windows, one row per peak kept, in their order.

    Raises
    ------
    InputError
        Where no peak is left.
    """
    kept = inside(peaks, sizes, width)
    skipped = len(peaks) - int(kept.sum())
    if not kept.any():
        raise InputError(f"none of {len(peaks):,} peaks has {width:,} bp of its chromosome around its summit",
                         remedy="check the assembly of peaks and genome, and column 10 (offset of the summit)")
    if skipped > _MANY_SKIPPED * len(peaks):
        log.warning("%s of %s peaks are skipped: their window of %s bp leaves the chromosome; check that peaks and "
                    "genome are of one assembly", f"{skipped:,}", f"{len(peaks):,}", f"{width:,}")
    chroms = peaks["chrom"].to_numpy(dtype=object)[kept]
    starts = centres(peaks)[kept] - width // 2
    gc = np.empty(len(starts))
    rows_of = pd.Series(starts).groupby(chroms).indices
    for chrom in track(rows_of, "measuring GC of peaks", unit="chromosomes"):
        gc[rows_of[chrom]], _ = _window_gc(genome.codes(chrom), starts[rows_of[chrom]], width)
    return _gc_table(chroms, starts, width, gc)


def _gc_table(chroms: np.ndarray, starts: np.ndarray, width: int, gc: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"chrom": chroms, "start": starts, "end": starts + width, "gc": gc})


def _window_gc(codes: np.ndarray, starts: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """GC fraction to two decimals, and unknown letters, of windows ``[start, start + width)`` inside base codes.

    Prefix sums are made block by block: those of a whole human chromosome take 1 GB.
    """
    rounded = np.array([round(count / width, 2) for count in range(width + 1)])
    gc, unknown = np.empty(len(starts)), np.empty(len(starts), dtype=np.int64)
    order = np.argsort(starts, kind="stable")
    edges = np.arange(0, len(codes) + _BLOCK, _BLOCK)
    for block, rows in zip(edges, np.split(order, np.searchsorted(starts[order], edges[1:])), strict=True):
        if rows.size:
            part, at = codes[block:block + _BLOCK + width], starts[rows] - block
            gc[rows] = rounded[_window_sums((part == 1) | (part == 2), at, width)]
            unknown[rows] = _window_sums(part == OTHER, at, width)
    return gc, unknown


def _window_sums(chosen: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """How many bases of each window are chosen, of bool ``(bases,)``: int64 ``(n,)``."""
    summed = np.concatenate([[0], np.cumsum(chosen, dtype=np.int64)])
    return summed[starts + width] - summed[starts]


def candidates(bins: pd.DataFrame, peaks: pd.DataFrame, blacklist: pd.DataFrame | None = None,
               width: int = 2114) -> pd.DataFrame:
    """Bins that share no base with peaks or blacklist, both widened by ``width // 2`` on each side.

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

    Raises
    ------
    InputError
        Where no bin is left.
    """
    avoided = pd.concat([table[["chrom", "start", "end"]] for table in (peaks, blacklist) if table is not None])
    avoided = avoided.assign(start=avoided["start"] - width // 2, end=avoided["end"] + width // 2)
    free = bins[~overlapping(bins, avoided) & bins["gc"].notna().to_numpy()]
    if free.empty:
        raise InputError(f"no background is left: peaks and blacklist, widened by {width // 2:,} bp, touch all "
                         f"{len(bins):,} bins of the genome",
                         remedy="give fewer peaks (the strongest), or a smaller blacklist")
    return free.reset_index(drop=True)


def sample_nonpeaks(peaks: pd.DataFrame, free: pd.DataFrame, fold: Fold, ratio_train_valid: int = 2,
                    ratio_test: int = 1, seed: int = 1234) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """Draw nonpeaks of the GC of the peaks, within each part of a fold, each candidate once at most.

    Parameters
    ----------
    peaks
        From :func:`peak_gc`.
    free
        From :func:`candidates`.
    fold
        Chromosomes of each part, pooled; peaks on other chromosomes are not matched.
    ratio_train_valid, ratio_test
        Nonpeaks per peak.
    seed
        Of the draws.

    Returns
    -------
    Region table in the order of ``free``, whose summit is the middle, and for each part ``wanted``, ``found``,
    ``missing``, ``same_gc`` (found in the peak's own bin) and ``farthest`` (the largest distance in GC).

    Raises
    ------
    InputError
        Where no nonpeak at all could be drawn.
    """
    rng = np.random.default_rng(seed)
    chosen, stats = [], {}
    for part in PARTS:
        chroms = getattr(fold, part)
        ratio = ratio_test if part == "test" else ratio_train_valid
        rows = np.flatnonzero(on_chromosomes(free, chroms))
        wanted = np.bincount(_bin_of(peaks["gc"][on_chromosomes(peaks, chroms)]), minlength=_BINS) * ratio
        drawn, stats[part] = _draw(wanted, _bin_of(free["gc"].iloc[rows]), rng)
        chosen.append(rows[drawn])
    table = free.iloc[np.sort(np.concatenate(chosen))]
    if table.empty:
        raise InputError("no nonpeak could be drawn: no peak and candidate share a part of the fold",
                         remedy="check that fold, peaks and genome name the same chromosomes")
    _report_shortage(stats)
    width = int(table["end"].iloc[0] - table["start"].iloc[0])
    return regions_at(table["chrom"].to_numpy(), table["start"].to_numpy(), width), stats


def _bin_of(gc: pd.Series) -> np.ndarray:
    return np.rint(gc.to_numpy() * 100).astype(np.int64)


def _draw(wanted: np.ndarray, bins: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, float]]:
    """Draw candidates without replacement, from each peak's own bin and then from the nearest.

    Parameters
    ----------
    wanted
        Number of draws for each GC bin, ``(101,)``.
    bins
        GC bin of each candidate, ``(n,)``.
    rng
        Shuffles candidates and breaks ties.

    Returns
    -------
    Indices of the drawn candidates, and the numbers of :func:`sample_nonpeaks`.
    """
    order = rng.permutation(len(bins))
    order = order[np.argsort(bins[order], kind="stable")]
    available = np.bincount(bins, minlength=_BINS)
    taken = np.minimum(wanted, available)
    same = int(taken.sum())
    unmet = rng.permutation(np.repeat(np.arange(_BINS), wanted - taken))
    farthest = _take_nearest(unmet, taken, available, rng)
    firsts = np.cumsum(available) - available
    drawn = np.concatenate([order[first:first + count] for first, count in zip(firsts, taken, strict=True)])
    total, found = int(wanted.sum()), int(taken.sum())
    return drawn, {"wanted": total, "found": found, "missing": total - found, "same_gc": same,
                   "farthest": farthest / 100}


def _take_nearest(unmet: np.ndarray, taken: np.ndarray, available: np.ndarray, rng: np.random.Generator) -> int:
    """Raise ``taken`` by one in the nearest bin with candidates left, for each of the bins ``unmet``.

    Returns
    -------
    The largest distance between a bin and what it got, in bins.
    """
    left = (available - taken).tolist()
    open_bins = [at for at, count in enumerate(left) if count]
    ties = rng.integers(2, size=len(unmet)).tolist()
    farthest = 0
    for wanted, tie in zip(unmet.tolist(), ties, strict=True):
        if not open_bins:
            break
        at = bisect_left(open_bins, wanted)
        below = wanted - open_bins[at - 1] if at else _BINS
        above = open_bins[at] - wanted if at < len(open_bins) else _BINS
        at -= below < above or (below == above and tie)
        nearest = open_bins[at]
        farthest = max(farthest, min(below, above))
        taken[nearest] += 1
        left[nearest] -= 1
        if not left[nearest]:
            del open_bins[at]
    return farthest


def _report_shortage(stats: dict[str, dict[str, float]]) -> None:
    short = [f"{part} {numbers['missing']:,} of {numbers['wanted']:,}"
             for part, numbers in stats.items() if numbers["missing"]]
    if short:
        log.warning("candidates ran out, nonpeaks are missing: %s. All that there are were taken; fewer peaks, a lower "
                    "ratio (-npr) or a smaller stride (-st) leave fewer missing", ", ".join(short))


def plot_gc_match(peaks: pd.DataFrame, free: pd.DataFrame, nonpeaks: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write a picture of the GC of peaks and nonpeaks.

    Parameters
    ----------
    peaks, free
        From :func:`peak_gc` and :func:`candidates`.
    nonpeaks
        From :func:`sample_nonpeaks`, drawn from ``free``.
    path
        Of the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matched = nonpeaks[["chrom", "start"]].merge(free, on=["chrom", "start"], how="left")
    figure = Figure(figsize=(5.5, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    edges = (np.arange(_BINS + 1) - 0.5) / 100
    drawn = ((free, "candidates", "#dddddd"), (peaks, "peaks", "#D62839"), (matched, "nonpeaks", "#255C99"))
    for table, name, colour in drawn:
        share = np.bincount(_bin_of(table["gc"]), minlength=_BINS) / max(len(table), 1)
        axes.stairs(share, edges, color=colour, linewidth=1.5, label=f"{name} ({len(table):,})", fill=table is free)
    everything = pd.concat([table["gc"] for table in (free, peaks, matched)])
    axes.set(xlim=(max(everything.min() - 0.02, 0), min(everything.max() + 0.02, 1)), xlabel="GC fraction",
             ylabel="share of regions")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=150)
