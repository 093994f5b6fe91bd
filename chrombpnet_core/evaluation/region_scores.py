"""Scores of regions, and the metrics of a model that they add up to.

Work is in two halves. :func:`score_regions` streams batches of regions and keeps a few numbers of each, so that memory
is that of one batch however many regions there are; :func:`summarise_scores` turns those numbers into the reference's
metrics dictionary. :func:`evaluate_predictions` does both for arrays that are in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from scipy.special import softmax

from chrombpnet_core._types import AnyArray, Bools, Floats
from chrombpnet_core.errors import DivergedError
from chrombpnet_core.evaluation.metrics import (
    auprc,
    auroc,
    jensen_shannon,
    mean_squared_error,
    normalised_jsd,
    pearson,
    spearman,
    uniform_jsd,
)

__all__ = ["RegionScores", "evaluate_predictions", "quality_metric", "score_regions", "summarise_scores"]

Metrics: TypeAlias = dict[str, Any]
"""The reference's metrics dictionary, see :func:`summarise_scores`."""

_PSEUDOCOUNT = 0.001
_CHUNK = 1024  # rows at a time: some 10 MB per temporary array at W = 1000

_PortalField = tuple[str, ...]
_PORTAL_FIELDS: dict[str, _PortalField] = {
    "count_spearman_peaks": ("counts_metrics", "peaks", "spearmanr"),
    "count_spearman_allregions": ("counts_metrics", "peaks_and_nonpeaks", "spearmanr"),
    "count_pearson_peaks": ("counts_metrics", "peaks", "pearsonr"),
    "count_pearson_allregions": ("counts_metrics", "peaks_and_nonpeaks", "pearsonr"),
    "profile_normjsd_peaks": ("profile_metrics", "peaks", "median_norm_jsd"),
    "auprc": ("classification_metrics", "auprc"),
    "auroc": ("classification_metrics", "auroc"),
}


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

    observed_logcounts: Floats
    predicted_logcounts: Floats
    jsd: Floats
    worst_jsd: Floats
    norm_jsd: Floats
    chance_jsd: Floats
    chance_norm_jsd: Floats

    def __len__(self) -> int:
        return len(self.jsd)

    def arrays(self) -> dict[str, Floats]:
        """List the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def select(self, rows: AnyArray) -> RegionScores:
        """Choose the scores of some regions, by index or mask."""
        return RegionScores(*(values[rows] for values in self.arrays().values()))


def score_regions(batches: Iterable[tuple[AnyArray, AnyArray, AnyArray]], seed: int = 1234) -> RegionScores:
    """Score every region of a stream of batches; the result does not depend on how the stream is cut.

    Parameters
    ----------
    batches
        Triples of observed counts ``(n, W)``, profile logits ``(n, W)`` and log counts ``(n,)`` or ``(n, 1)``.
    seed
        Of the shuffles that give the chance level.

    Returns
    -------
    RegionScores
        The scores of all regions, in order.

    Raises
    ------
    InputError
        Where a prediction is not finite.
    ValueError
        Where shapes disagree.
    """
    rng = np.random.default_rng(seed)
    chunks = [chunk for batch in batches for chunk in _score_batch(*batch, rng)]
    if not chunks:
        return RegionScores(*(np.empty(0) for _ in fields(RegionScores)))
    return RegionScores(*(np.concatenate(column) for column in zip(*chunks, strict=True)))


def _score_batch(
    observed: AnyArray, logits: AnyArray, logcounts: AnyArray, rng: np.random.Generator
) -> Iterator[tuple[Floats, ...]]:
    """Columns in the order of :class:`RegionScores`, ``_CHUNK`` rows at a time."""
    observed, logits, logcounts = np.asarray(observed), np.asarray(logits), np.asarray(logcounts).reshape(-1)
    if observed.ndim != 2 or observed.shape != logits.shape or len(logcounts) != len(observed):
        raise ValueError(
            f"observed {observed.shape}, logits {logits.shape} and logcounts {logcounts.shape}: "
            "expected (n, W), (n, W) and (n,)"
        )
    for start in range(0, len(observed), _CHUNK):
        rows = slice(start, start + _CHUNK)
        counts = observed[rows].astype(np.float64)
        if not (np.isfinite(logits[rows]).all() and np.isfinite(logcounts[rows]).all()):
            raise DivergedError
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


def summarise_scores(scores: RegionScores, is_peak: Bools | None = None) -> Metrics:
    """Make the metrics dictionary of the reference, with what it leaves out beside it.

    Parameters
    ----------
    scores
        Of ``n`` regions.
    is_peak
        bool ``(n,)``; None makes one group ``regions``, as ``pred_bw`` reports.

    Returns
    -------
    dict
        ``counts_metrics``: per group ``spearmanr, pearsonr, mse``; ``profile_metrics``: per group ``median_jsd,
        median_norm_jsd`` over regions with reads. Ours: ``chance_metrics`` (the same two of shuffled profiles),
        ``group_sizes`` (per group ``regions, without_reads``: the latter have no profile to score) and, where ``is_peak``
        is given, ``classification_metrics`` (``auroc, auprc`` of predicted counts, peaks against nonpeaks). Groups are
        ``peaks, nonpeaks, peaks_and_nonpeaks``. Every value is JSON-safe: NaN is None.
    """
    metrics: Metrics = {"counts_metrics": {}, "profile_metrics": {}, "chance_metrics": {}, "group_sizes": {}}
    for name, rows in _groups(len(scores), is_peak).items():
        group = scores.select(rows)
        observed, predicted = group.observed_logcounts, group.predicted_logcounts
        metrics["counts_metrics"][name] = {
            "spearmanr": _number(spearman(observed, predicted)),
            "pearsonr": _number(pearson(observed, predicted)),
            "mse": _number(mean_squared_error(observed, predicted)),
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
            "auroc": _number(auroc(predicted, is_peak)),
            "auprc": _number(auprc(predicted, is_peak)),
        }
    return metrics


def _groups(regions: int, is_peak: Bools | None) -> dict[str, Bools]:
    everything = np.ones(regions, dtype=bool)
    if is_peak is None:
        return {"regions": everything}
    is_peak = np.asarray(is_peak, dtype=bool)
    if is_peak.shape != (regions,):
        raise ValueError(f"is_peak has shape {is_peak.shape}, expected ({regions},)")
    return {"peaks": is_peak, "nonpeaks": ~is_peak, "peaks_and_nonpeaks": everything}


def quality_metric(folds: Sequence[Metrics]) -> dict[str, float]:
    """Compute the numeric fields of the ENCODE portal's ``bpnet_quality_metric``: medians over folds.

    Parameters
    ----------
    folds
        The dictionary of :func:`summarise_scores` of each fold's test chromosomes, with peaks and nonpeaks.

    Returns
    -------
    dict of str to float
        Field → median over the folds where it is defined; a field that is defined in none is left out.
    """
    medians: dict[str, float] = {}
    for field, keys in _PORTAL_FIELDS.items():
        values = [value for metrics in folds if (value := _value_at(metrics, keys)) is not None]
        if values:
            medians[field] = float(np.median(values))
    return medians


def _value_at(metrics: Metrics, keys: _PortalField) -> float | None:
    value: Any = metrics
    for key in keys:
        value = value[key]
    return None if value is None else float(value)


def evaluate_predictions(
    observed_counts: AnyArray, logits: AnyArray, logcounts: AnyArray, is_peak: Bools | None, seed: int = 1234
) -> Metrics:
    """Compute the metrics of arrays in memory: :func:`score_regions`, then :func:`summarise_scores`.

    Parameters
    ----------
    observed_counts
        Reads per base ``(n, W)``.
    logits
        Profile logits ``(n, W)``.
    logcounts
        ``(n,)`` or ``(n, 1)``.
    is_peak
        bool ``(n,)`` or None.
    seed
        Of the shuffles that give the chance level.

    Returns
    -------
    dict
        As of :func:`summarise_scores`.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.random.default_rng(0).poisson(2, (5, 100))
    >>> metrics = evaluate_predictions(counts, np.log(counts + 0.01), np.log1p(counts.sum(axis=1)), None)
    >>> metrics["counts_metrics"]["regions"]["pearsonr"], metrics["group_sizes"]["regions"]["regions"]
    (1.0, 5)
    """
    return summarise_scores(score_regions([(observed_counts, logits, logcounts)], seed), is_peak)


def _median(values: Floats) -> float | None:
    """Take the median of the values that are numbers; None where there are none."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
