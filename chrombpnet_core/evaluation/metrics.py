"""Counts and profile metrics: how near predictions come to the reads (REFERENCE.md 7).

Work is in two halves. :func:`score_regions` streams batches of regions and keeps a few numbers of each, so that memory
is that of one batch however many regions there are; :func:`summarise_scores` turns those numbers into the reference's
metrics dictionary. :func:`evaluate_predictions` does both for arrays that are in memory.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import rel_entr, softmax
from scipy.stats import rankdata

from chrombpnet_core.errors import InputError

__all__ = [
    "RegionScores",
    "auprc",
    "auroc",
    "evaluate_predictions",
    "jensen_shannon",
    "mean_squared_error",
    "normalised_jsd",
    "pearson",
    "quality_metric",
    "score_regions",
    "spearman",
    "summarise_scores",
    "uniform_jsd",
]

_PSEUDOCOUNT = 0.001
_CHUNK = 1024  # rows at a time: some 10 MB per temporary array at W = 1000

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distance (square root of the divergence, natural log) of two non-negative vectors.

    Both are scaled to a sum of 1 first, as in :func:`scipy.spatial.distance.jensenshannon`, which is as fast, but gives NaN
    for every other pair of profiles that differ by less than a billionth, as those of a variant's alleles may: rounding
    makes their divergence negative.

    Parameters
    ----------
    first, second
        ``(..., W)``, broadcast against each other.

    Returns
    -------
    Distances ``(...)`` in ``[0, sqrt(ln 2)]``; NaN where a vector is all zeros.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        first = first / np.sum(first, axis=-1, keepdims=True, dtype=np.float64)
        second = second / np.sum(second, axis=-1, keepdims=True, dtype=np.float64)
        middle = (first + second) / 2
        divergence = (rel_entr(first, middle) + rel_entr(second, middle)).sum(axis=-1) / 2
    return np.sqrt(np.maximum(divergence, 0.0))


def uniform_jsd(observed: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distance of counts ``(..., W)`` to the uniform profile: the worst that normalising allows."""
    return jensen_shannon(observed, np.full(np.shape(observed)[-1], 1 / np.shape(observed)[-1]))


def normalised_jsd(distances: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """``(jsd - worst) / (0 - worst)`` clipped to [0, 1]: 1 is a perfect profile, 0 no better than a flat one.

    NaN where the distance is NaN or the observed profile is itself flat (``worst`` 0).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip((distances - worst) / (0.0 - worst), 0.0, 1.0)


def pearson(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson correlation of two vectors ``(n,)``; NaN for fewer than two values or a constant vector."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.size < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    first, second = first - first.mean(), second - second.mean()
    scale = math.sqrt(float(first @ first)) * math.sqrt(float(second @ second))
    return float(np.clip(first @ second / scale, -1.0, 1.0)) if scale else math.nan


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman rank correlation (ties share their mean rank); NaN as in :func:`pearson`."""
    return pearson(rankdata(first), rankdata(second))


def mean_squared_error(first: np.ndarray, second: np.ndarray) -> float:
    """Mean squared difference of two vectors ``(n,)``; NaN where they are empty."""
    if np.size(first) == 0:
        return math.nan
    return float(np.mean((np.asarray(first, np.float64) - np.asarray(second, np.float64)) ** 2))


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the receiver operating curve; a tie counts half. NaN unless both classes are there.

    Parameters
    ----------
    scores
        ``(n,)``, larger for the positive class.
    positive
        bool ``(n,)``.
    """
    positive = np.asarray(positive, dtype=bool)
    ones = int(positive.sum())
    zeros = positive.size - ones
    if not ones or not zeros:
        return math.nan
    return float((rankdata(scores)[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def auprc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the precision-recall curve as average precision, sum of (R_i - R_{i-1}) P_i over distinct scores.

    NaN unless both classes are there. Arguments as in :func:`auroc`.
    """
    scores, positive = np.asarray(scores), np.asarray(positive, dtype=bool)
    if not positive.any() or positive.all():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(scores)), scores.size - 1)  # the end of each group of equal scores
    hits = np.cumsum(positive)[last]
    precision, recall = hits / (last + 1), hits / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


@dataclass(frozen=True)
class RegionScores:
    """What :func:`summarise_scores` needs of every region; all float64 of shape ``(n,)``.

    Attributes
    ----------
    observed_logcounts, predicted_logcounts
        ln(1 + reads) and its prediction.
    jsd
        Jensen-Shannon distance of observed and predicted profile; NaN without reads.
    worst_jsd
        The same to a flat profile.
    norm_jsd
        ``jsd`` normalised by ``worst_jsd``: 1 is best, 0 worst.
    chance_jsd, chance_norm_jsd
        The two for the observed profile against a shuffled copy of itself: the chance level.
    """

    observed_logcounts: np.ndarray
    predicted_logcounts: np.ndarray
    jsd: np.ndarray
    worst_jsd: np.ndarray
    norm_jsd: np.ndarray
    chance_jsd: np.ndarray
    chance_norm_jsd: np.ndarray

    def __len__(self) -> int:
        return len(self.jsd)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def of(self, rows: np.ndarray) -> RegionScores:
        """The scores of some regions, by index or mask."""
        return RegionScores(*(values[rows] for values in self.arrays().values()))


def score_regions(batches: Iterable[Batch], seed: int = 1234) -> RegionScores:
    """Score every region of a stream of batches; the result does not depend on how the stream is cut.

    Parameters
    ----------
    batches
        Triples of observed counts ``(n, W)``, profile logits ``(n, W)`` and log counts ``(n,)`` or ``(n, 1)``.
    seed
        Of the shuffles that give the chance level.

    Raises
    ------
    InputError
        Where a prediction is not finite.
    ValueError
        Where shapes disagree.
    """
    rng = np.random.default_rng(seed)
    parts = [part for batch in batches for part in _score_batch(batch, rng)]
    if not parts:
        return RegionScores(*(np.empty(0) for _ in fields(RegionScores)))
    return RegionScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _score_batch(batch: Batch, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
    """Columns in the order of :class:`RegionScores`, ``_CHUNK`` rows at a time."""
    observed, logits, logcounts = (np.asarray(values) for values in batch)
    logcounts = logcounts.reshape(-1)
    if observed.ndim != 2 or observed.shape != logits.shape or len(logcounts) != len(observed):
        raise ValueError(
            f"observed {observed.shape}, logits {logits.shape} and logcounts {logcounts.shape}: "
            "expected (n, W), (n, W) and (n,)"
        )
    for start in range(0, len(observed), _CHUNK):
        rows = slice(start, start + _CHUNK)
        counts = observed[rows].astype(np.float64)
        if not (np.isfinite(logits[rows]).all() and np.isfinite(logcounts[rows]).all()):
            raise InputError(
                "the model predicts values that are not finite",
                remedy="its training diverged; train it again with a lower learning rate (-l)",
            )
        totals = counts.sum(axis=1)
        profiles = counts / (_PSEUDOCOUNT + totals[:, None])
        jsd = jensen_shannon(profiles, softmax(logits[rows].astype(np.float64), axis=-1))
        worst = uniform_jsd(counts)
        chance = jensen_shannon(profiles, rng.permuted(counts, axis=1))
        yield (
            np.log1p(totals),
            logcounts[rows].astype(np.float64),
            jsd,
            worst,
            normalised_jsd(jsd, worst),
            chance,
            normalised_jsd(chance, worst),
        )


def summarise_scores(scores: RegionScores, is_peak: np.ndarray | None = None) -> dict:
    """The metrics dictionary of the reference, with what it leaves out beside it; every value JSON-safe, NaN is None.

    Parameters
    ----------
    scores
        Of ``n`` regions.
    is_peak
        bool ``(n,)``; None makes one group ``regions``, as ``pred_bw`` reports.

    Returns
    -------
    ``counts_metrics``: per group ``spearmanr, pearsonr, mse``; ``profile_metrics``: per group ``median_jsd,
    median_norm_jsd`` over regions with reads. Ours: ``chance_metrics`` (the same two of shuffled profiles),
    ``group_sizes`` (per group ``regions, without_reads``: the latter have no profile to score) and, where ``is_peak``
    is given, ``classification_metrics`` (``auroc, auprc`` of predicted counts, peaks against nonpeaks). Groups are
    ``peaks, nonpeaks, peaks_and_nonpeaks``.
    """
    everything = np.ones(len(scores), dtype=bool)
    if is_peak is None:
        groups = {"regions": everything}
    else:
        is_peak = np.asarray(is_peak, dtype=bool)
        if is_peak.shape != (len(scores),):
            raise ValueError(f"is_peak has shape {is_peak.shape}, expected ({len(scores)},)")
        groups = {"peaks": is_peak, "nonpeaks": ~is_peak, "peaks_and_nonpeaks": everything}
    metrics: dict[str, dict] = {"counts_metrics": {}, "profile_metrics": {}, "chance_metrics": {}, "group_sizes": {}}
    for name, rows in groups.items():
        group = scores.of(rows)
        observed, predicted = group.observed_logcounts, group.predicted_logcounts
        metrics["counts_metrics"][name] = {
            "spearmanr": _safe(spearman(observed, predicted)),
            "pearsonr": _safe(pearson(observed, predicted)),
            "mse": _safe(mean_squared_error(observed, predicted)),
        }
        metrics["profile_metrics"][name] = {"median_jsd": _median(group.jsd), "median_norm_jsd": _median(group.norm_jsd)}
        metrics["chance_metrics"][name] = {
            "median_jsd": _median(group.chance_jsd),
            "median_norm_jsd": _median(group.chance_norm_jsd),
        }
        metrics["group_sizes"][name] = {"regions": len(group), "without_reads": int((observed == 0).sum())}
    if is_peak is not None:
        predicted = scores.predicted_logcounts
        metrics["classification_metrics"] = {
            "auroc": _safe(auroc(predicted, is_peak)),
            "auprc": _safe(auprc(predicted, is_peak)),
        }
    return metrics


def quality_metric(folds: Sequence[dict]) -> dict[str, float]:
    """The numeric fields of the ENCODE portal's ``bpnet_quality_metric``: medians over folds.

    Parameters
    ----------
    folds
        The dictionary of :func:`summarise_scores` of each fold's test chromosomes, with peaks and nonpeaks.

    Returns
    -------
    Field → median over the folds where it is defined; a field that is defined in none is left out.
    """
    sources = {
        f"count_{kind}_{field}": ("counts_metrics", group, f"{kind}r")
        for kind in ("spearman", "pearson")
        for field, group in (("peaks", "peaks"), ("allregions", "peaks_and_nonpeaks"))
    }
    sources |= {
        "profile_normjsd_peaks": ("profile_metrics", "peaks", "median_norm_jsd"),
        "auprc": ("classification_metrics", "auprc"),
        "auroc": ("classification_metrics", "auroc"),
    }
    values: dict[str, float] = {}
    for field, keys in sources.items():
        found = [functools.reduce(dict.__getitem__, keys, metrics) for metrics in folds]
        defined = [value for value in found if value is not None]
        if defined:
            values[field] = float(np.median(defined))
    return values


def evaluate_predictions(
    observed_counts: np.ndarray, logits: np.ndarray, logcounts: np.ndarray, is_peak: np.ndarray | None, seed: int = 1234
) -> dict:
    """The metrics of arrays in memory: :func:`score_regions`, then :func:`summarise_scores`.

    Parameters
    ----------
    observed_counts, logits
        ``(n, W)``.
    logcounts
        ``(n,)`` or ``(n, 1)``.
    is_peak
        bool ``(n,)`` or None.
    seed
        Of the shuffles that give the chance level.
    """
    return summarise_scores(score_regions([(observed_counts, logits, logcounts)], seed), is_peak)


def _median(values: np.ndarray) -> float | None:
    """The median of the values that are numbers; None where there are none."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else None


def _safe(value: float) -> float | None:
    return value if math.isfinite(value) else None
