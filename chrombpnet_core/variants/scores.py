"""Scores of variants, their quantiles, p-values and what folds say together, by the conventions and names of variant-scorer.

(kundajelab/variant-scorer, commit 0e1e341.) Everything is float64 ``(n,)``, a column each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

from chrombpnet_core.evaluation import jensen_shannon

__all__ = [
    "SCORE_TAILS",
    "VARIANT_SCORES",
    "AllelePredictions",
    "add_p_values",
    "empirical_p_values",
    "log_probability_change",
    "peak_quantiles",
    "score_alleles",
    "snp_score_columns",
    "summarise_folds",
]

VARIANT_SCORES = [
    "logfc",
    "abs_logfc",
    "jsd",
    "logfc_x_jsd",
    "abs_logfc_x_jsd",
    "active_allele_quantile",
    "quantile_change",
    "abs_quantile_change",
    "logfc_x_active_allele_quantile",
    "abs_logfc_x_active_allele_quantile",
    "jsd_x_active_allele_quantile",
    "logfc_x_jsd_x_active_allele_quantile",
    "abs_logfc_x_jsd_x_active_allele_quantile",
]
"""What has a p-value and a mean over folds; those with a quantile only where peaks were given."""

SCORE_TAILS = {name: "both" if name.startswith(("logfc", "quantile")) else "right" for name in VARIANT_SCORES}
"""Score → which of its background's tails a p-value counts."""

_QUANTILES = VARIANT_SCORES.index("active_allele_quantile")


class AllelePredictions(NamedTuple):
    """Predictions for both alleles: counts float64 ``(n,)``, logits ``(n, W)``, letters of the alleles ``(n,)``."""

    counts1: np.ndarray
    counts2: np.ndarray
    logits1: np.ndarray
    logits2: np.ndarray
    lengths1: np.ndarray
    lengths2: np.ndarray


def score_alleles(alleles: AllelePredictions, peak_counts: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """All scores of variants, without p-values.

    ``logfc`` = log2(counts of allele 2 / counts of allele 1); ``jsd`` = the Jensen-Shannon distance, base 2, of the alleles'
    profiles, of an indel after letters that the other lacks were taken away, ``original_jsd`` before; quantiles are among
    the peaks; products as they are named.

    Parameters
    ----------
    alleles
        Predictions, the mean of both strands.
    peak_counts
        Predicted counts of peaks ``(m,)``, ascending; without them there are no quantiles.
    """
    logfc = np.log2(alleles.counts2 / alleles.counts1)
    profiles1, profiles2 = (
        softmax(np.asarray(each, dtype=np.float64), axis=-1) for each in (alleles.logits1, alleles.logits2)
    )
    original = _distance(profiles1, profiles2)
    jsd = original.copy()
    for rows, aligned1, aligned2 in _aligned(profiles1, profiles2, alleles.lengths1, alleles.lengths2):
        jsd[rows] = _distance(aligned1, aligned2)
    scores = {
        "allele1_pred_counts": alleles.counts1,
        "allele2_pred_counts": alleles.counts2,
        "logfc": logfc,
        "abs_logfc": np.abs(logfc),
        "jsd": jsd,
        "original_jsd": original,
        "logfc_x_jsd": logfc * jsd,
        "abs_logfc_x_jsd": np.abs(logfc) * jsd,
    }
    if peak_counts is None:
        return scores
    one, two = (peak_quantiles(counts, peak_counts) for counts in (alleles.counts1, alleles.counts2))
    active = np.maximum(one, two)
    scores |= {
        "allele1_quantile": one,
        "allele2_quantile": two,
        "active_allele_quantile": active,
        "quantile_change": two - one,
        "abs_quantile_change": np.abs(two - one),
    }
    return scores | {
        f"{name}_x_active_allele_quantile": scores[name] * active
        for name in ("logfc", "abs_logfc", "jsd", "logfc_x_jsd", "abs_logfc_x_jsd")
    }


def snp_score_columns(table: Mapping[str, np.ndarray], log_probs: np.ndarray) -> dict[str, np.ndarray]:
    """What the reference's ``snp_score`` tells of variants, by its names, a column each; all have the sign of the first.

    ``log_counts_diff`` = ln(counts of the alternative / of the reference allele); ``log_probs_diff_abs_sum``;
    ``probs_jsd_diff``, the Jensen-Shannon distance of the profiles with natural logarithms. Of both strands, as all scores.

    Parameters
    ----------
    table
        With ``logfc`` and ``original_jsd`` of :func:`score_alleles`.
    log_probs
        Of :func:`log_probability_change`.
    """
    difference = np.log(2) * np.asarray(table["logfc"])
    sign = np.sign(difference)
    return {
        "log_counts_diff": difference,
        "log_probs_diff_abs_sum": sign * log_probs,
        "probs_jsd_diff": sign * np.sqrt(np.log(2)) * np.asarray(table["original_jsd"]),
    }


def log_probability_change(alleles: AllelePredictions) -> np.ndarray:
    """Sum over the profile of \\|ln p of allele 2 − ln p of allele 1\\|, float64 ``(n,)``."""
    first, second = (log_softmax(np.asarray(each, dtype=np.float64), axis=-1) for each in (alleles.logits1, alleles.logits2))
    return np.abs(second - first).sum(axis=-1)


def _distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen-Shannon distance with logarithms of base 2, in [0, 1]."""
    return jensen_shannon(first, second) / np.sqrt(np.log(2))


def _aligned(
    profiles1: np.ndarray,
    profiles2: np.ndarray,
    lengths1: np.ndarray,
    lengths2: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of indels, and their profiles base against base.

    From the longer allele's the letters beyond the shorter one are cut out, from the shorter's as many at the right end.
    """
    indels = np.flatnonzero(lengths1 != lengths2)
    if not indels.size:
        return
    width, middle = profiles1.shape[1], profiles1.shape[1] // 2
    pairs, group = np.unique(np.stack([lengths1[indels], lengths2[indels]], axis=1), axis=0, return_inverse=True)
    for number, pair in enumerate(pairs):
        rows, (short, long) = indels[group.ravel() == number], sorted(map(int, pair))
        longer, shorter = (profiles1, profiles2) if pair[0] > pair[1] else (profiles2, profiles1)
        cut = np.delete(longer[rows], np.s_[middle + short : middle + long], axis=1)
        kept = shorter[rows, : width - (long - short)]
        yield (rows, cut, kept) if pair[0] > pair[1] else (rows, kept, cut)


def peak_quantiles(counts: np.ndarray, peak_counts: np.ndarray) -> np.ndarray:
    """Share of the peaks whose predicted counts are below, 1 / (number of peaks) at least.

    Parameters
    ----------
    counts
        ``(n,)``.
    peak_counts
        ``(m,)``, ascending.
    """
    return np.maximum(np.searchsorted(peak_counts, counts, side="left"), 1) / len(peak_counts)


def empirical_p_values(values: np.ndarray, background: np.ndarray, tail: str) -> np.ndarray:
    """Empirical p-values ``(n,)``: (1 + how many of the background are as extreme) / (1 + its size).

    Parameters
    ----------
    values
        ``(n,)``.
    background
        ``(m,)``, ascending.
    tail
        ``right``, or ``both``: twice the smaller of the two tails', 1 at most.
    """
    size = len(background)
    right = (size - np.searchsorted(background, values, side="left") + 1) / (size + 1)
    if tail == "right":
        return right
    left = (np.searchsorted(background, values, side="right") + 1) / (size + 1)
    return np.minimum(2 * np.minimum(left, right), 1.0)


def add_p_values(scores: dict[str, np.ndarray], background: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    """The same and ``<score>.pval`` of each of :data:`VARIANT_SCORES` there, in the order of variant-scorer's columns.

    Parameters
    ----------
    scores
        Of :func:`score_alleles`.
    background
        Score → values of shuffled sequences, ascending; None: no p-values.
    """
    if background is None:
        return scores
    found = {
        f"{name}.pval": empirical_p_values(scores[name], background[name], SCORE_TAILS[name])
        for name in VARIANT_SCORES
        if name in scores
    }
    first = [f"{name}.pval" for name in VARIANT_SCORES[:_QUANTILES]]
    before = [name for name in scores if "quantile" not in name]
    return (
        {name: scores[name] for name in before}
        | {name: found[name] for name in first}
        | {name: values for name, values in scores.items() if name not in before}
        | {name: values for name, values in found.items() if name not in first}
    )


def summarise_folds(folds: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What several models say of the same variants, a column for each score.

    ``.mean`` and, of p-values, ``.mean.pval``, their geometric mean, are variant-scorer's; ``.sd`` (of the folds, n − 1),
    ``logfc.sign_agreement``, the share of folds with the sign of the mean, and mean predicted counts are ours.

    Parameters
    ----------
    folds
        Scores of each.
    """
    together: dict[str, np.ndarray] = {}
    for name in VARIANT_SCORES:
        if name in folds[0]:
            values = np.stack([fold[name] for fold in folds])
            together[f"{name}.mean"] = mean = values.mean(axis=0)
            if f"{name}.pval" in folds[0]:
                together[f"{name}.mean.pval"] = np.exp(np.mean([np.log(fold[f"{name}.pval"]) for fold in folds], axis=0))
            together[f"{name}.sd"] = values.std(axis=0, ddof=1) if len(folds) > 1 else np.full(len(mean), np.nan)
            if name == "logfc":
                together["logfc.sign_agreement"] = (np.sign(values) == np.sign(mean)).mean(axis=0)
    return together | {
        f"{name}.mean": np.mean([fold[name] for fold in folds], axis=0)
        for name in ("allele1_pred_counts", "allele2_pred_counts")
    }
