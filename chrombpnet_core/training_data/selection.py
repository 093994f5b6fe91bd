"""Selection of training regions: outlier bounds, the bias model's threshold, and the weight of the counts loss.

Rules of kundajelab/chrombpnet; all on regions of the training and validation chromosomes. Bounds are strict: where the
lower one is 0, nonpeaks without any read are dropped, as they were for every published model.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError
from chrombpnet_core.training_data.random_streams import Stream, random_stream

__all__ = ["BiasSelection", "MainSelection", "select_bias_regions", "select_main_regions"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BiasSelection:
    """Regions of the bias model.

    Attributes
    ----------
    nonpeaks
        Whether each nonpeak is kept, bool ``(n,)``.
    threshold
        Counts that a nonpeak must stay below: quantile(peak counts, 0.01) × factor.
    below_threshold
        Number of nonpeaks below it.
    lower, upper
        Outlier bounds among those, exclusive.
    counts_loss_weight
        median(kept counts) / 10, at least 1.
    clamped
        Whether the weight was below 1, a sign of low depth.
    """

    nonpeaks: AnyArray
    threshold: float
    below_threshold: int
    lower: float
    upper: float
    counts_loss_weight: float
    clamped: bool


@dataclass(frozen=True)
class MainSelection:
    """Regions of the main model.

    Attributes
    ----------
    peaks, nonpeaks
        Whether each region is kept, bool ``(n,)``; nonpeaks after sampling down to the number of peaks.
    nonpeaks_in_bounds
        Nonpeaks between the bounds before the sampling down: what scales the bias model, bool ``(n,)``.
    lower, upper
        Outlier bounds, exclusive.
    counts_loss_weight, clamped
        As for :class:`BiasSelection`, of peaks and sampled nonpeaks within the bounds.
    """

    peaks: AnyArray
    nonpeaks: AnyArray
    nonpeaks_in_bounds: AnyArray
    lower: float
    upper: float
    counts_loss_weight: float
    clamped: bool


def select_bias_regions(
    peak_counts: AnyArray, nonpeak_counts: AnyArray, factor: float, outlier_threshold: float = 0.9999
) -> BiasSelection:
    """Select the nonpeaks of the bias model: those that hold enzyme bias but no accessibility.

    Parameters
    ----------
    peak_counts
        Insertions in the output window of every training and validation peak, ``(n,)``.
    nonpeak_counts
        Those of every training and validation nonpeak, ``(m,)``.
    factor
        Of the weak peaks' counts: nonpeaks must have fewer insertions than quantile(peak counts, 0.01) × factor.
    outlier_threshold
        Upper quantile; the lower one is its complement.

    Returns
    -------
    BiasSelection
        Which nonpeaks are kept, and the weight of the counts loss.

    Raises
    ------
    InputError
        Without peaks or nonpeaks, at a threshold of 0, where nothing is kept.
    """
    _require(peak_counts, "peaks")
    _require(nonpeak_counts, "nonpeaks")
    threshold = float(np.quantile(peak_counts, 0.01) * factor)
    if threshold <= 0:
        raise InputError(
            f"bias threshold is 0: the 1 % weakest peaks have {np.quantile(peak_counts, 0.01):g} insertions (median of "
            f"all {len(peak_counts):,} peaks: {np.median(peak_counts):g})",
            remedy="leave out peaks without reads, or use more reads; are reads and peaks of one sample?",
        )
    candidates = nonpeak_counts < threshold
    if not candidates.any():
        raise InputError(
            f"no nonpeak has fewer than {threshold:.3f} insertions (the fewest: {nonpeak_counts.min():g})",
            remedy="raise `threshold_factor` by 0.1, or call peaks less strictly so that background is background",
        )
    lower, upper = _bounds(nonpeak_counts[candidates], outlier_threshold)
    kept = candidates & (nonpeak_counts > lower) & (nonpeak_counts < upper)
    if not kept.any():
        raise InputError(
            f"no nonpeak between {lower:g} and {upper:g} insertions is left of {candidates.sum():,} below "
            f"the threshold {threshold:.3f}",
            remedy="give more nonpeaks, or raise `threshold_factor`",
        )
    weight, clamped = _weight(nonpeak_counts[kept], "nonpeaks of the bias model")
    return BiasSelection(kept, threshold, int(candidates.sum()), lower, upper, weight, clamped)


def select_main_regions(
    peak_counts: AnyArray, nonpeak_counts: AnyArray, ratio: float, seed: int, outlier_threshold: float = 0.9999
) -> MainSelection:
    """Select peaks and nonpeaks of the main model.

    Parameters
    ----------
    peak_counts
        Insertions in the output window of every training and validation peak, ``(n,)``.
    nonpeak_counts
        Those of every training and validation nonpeak, ``(m,)``.
    ratio
        Nonpeaks per peak, in an epoch and in the pool for bounds and weight.
    seed
        Of the random nonpeaks.
    outlier_threshold
        As of :func:`select_bias_regions`.

    Returns
    -------
    MainSelection
        Which regions are kept, and the weight of the counts loss.

    Raises
    ------
    InputError
        Without peaks or nonpeaks, or where none is kept.
    """
    _require(peak_counts, "peaks")
    _require(nonpeak_counts, "nonpeaks")
    rng = random_stream(seed, Stream.REGION_SELECTION)
    drawn = min(int(ratio * len(peak_counts)), len(nonpeak_counts))
    sample = nonpeak_counts[rng.choice(len(nonpeak_counts), drawn, replace=False)]
    pooled = np.concatenate([peak_counts, sample])
    lower, upper = _bounds(pooled, outlier_threshold)
    peaks = (peak_counts > lower) & (peak_counts < upper)
    in_bounds = (nonpeak_counts > lower) & (nonpeak_counts < upper)
    if not peaks.any() or not in_bounds.any():
        raise InputError(
            f"between {lower:g} and {upper:g} insertions there are {peaks.sum():,} of "
            f"{len(peaks):,} peaks and {in_bounds.sum():,} of {len(in_bounds):,} nonpeaks; none is too few",
            remedy="give more regions or more reads, or raise `outlier_threshold`",
        )
    nonpeaks = in_bounds.copy()
    if in_bounds.sum() > peaks.sum():
        spare = rng.choice(np.flatnonzero(in_bounds), in_bounds.sum() - peaks.sum(), replace=False)
        nonpeaks[spare] = False
    weight, clamped = _weight(pooled[(pooled >= lower) & (pooled <= upper)], "training regions")
    return MainSelection(peaks, nonpeaks, in_bounds, lower, upper, weight, clamped)


def _require(counts: AnyArray, what: str) -> None:
    if not len(counts):
        raise InputError(
            f"no {what} on the training and validation chromosomes whose window lies in the chromosome",
            remedy="check the fold file and the input length",
        )


def _bounds(counts: AnyArray, outlier_threshold: float) -> tuple[float, float]:
    return float(np.quantile(counts, 1 - outlier_threshold)), float(np.quantile(counts, outlier_threshold))


def _weight(counts: AnyArray, what: str) -> tuple[float, bool]:
    """Compute median / 10, rounded to two decimals as the reference's trainer reads it; below 1 it becomes 1."""
    median = float(np.median(counts))
    if median == 0:
        raise InputError(
            f"half of the {what} have no insertion, so the counts loss would weigh nothing",
            remedy="use more reads, or peaks and nonpeaks of this sample",
        )
    if median / 10 < 1:
        log.warning(
            "low depth: the median of %s is %g insertions; the counts loss weighs 1.0 in place of %.2f",
            what,
            median,
            median / 10,
        )
        return 1.0, True
    return round(median / 10, 2), False
