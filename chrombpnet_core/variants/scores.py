"""Scores of variants, their quantiles, p-values and summary over folds, by the conventions and names of variant-scorer.

(kundajelab/variant-scorer, commit 0e1e341.) Scores are float64 ``(n,)``, a column each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

from chrombpnet_core._types import Floats, Ints
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

_WITHOUT_PEAKS = VARIANT_SCORES[: VARIANT_SCORES.index("active_allele_quantile")]


class AllelePredictions(NamedTuple):
    """Predictions for both alleles of variants, the mean of both strands.

    Attributes
    ----------
    counts1, counts2
        Predicted counts, float64 ``(n,)``.
    logits1, logits2
        Profile logits ``(n, W)``.
    lengths1, lengths2
        Letters of the alleles ``(n,)``.
    """

    counts1: Floats
    counts2: Floats
    logits1: Floats
    logits2: Floats
    lengths1: Ints
    lengths2: Ints


def score_alleles(alleles: AllelePredictions, peak_counts: Floats | None = None) -> dict[str, Floats]:
    """Compute all scores of variants, without p-values.

    ``logfc`` = log2(counts of allele 2 / counts of allele 1); ``jsd`` = the Jensen-Shannon distance, base 2, of the alleles'
    profiles, of an indel after letters that the other lacks were taken away, ``original_jsd`` before; quantiles are among
    the peaks; products as they are named.

    Parameters
    ----------
    alleles
        Predictions, the mean of both strands.
    peak_counts
        Predicted counts of peaks ``(m,)``, ascending; without them there are no quantiles.

    Returns
    -------
    dict of str to numpy.ndarray
        Score → values ``(n,)``.
    """
    logfc = np.log2(alleles.counts2 / alleles.counts1)
    profiles1, profiles2 = (
        softmax(np.asarray(logits, dtype=np.float64), axis=-1) for logits in (alleles.logits1, alleles.logits2)
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
    return scores if peak_counts is None else scores | _quantile_scores(scores, peak_counts)


def _quantile_scores(scores: Mapping[str, Floats], peak_counts: Floats) -> dict[str, Floats]:
    one, two = (peak_quantiles(scores[f"allele{k}_pred_counts"], peak_counts) for k in (1, 2))
    active = np.maximum(one, two)
    return {
        "allele1_quantile": one,
        "allele2_quantile": two,
        "active_allele_quantile": active,
        "quantile_change": two - one,
        "abs_quantile_change": np.abs(two - one),
    } | {
        f"{name}_x_active_allele_quantile": scores[name] * active
        for name in ("logfc", "abs_logfc", "jsd", "logfc_x_jsd", "abs_logfc_x_jsd")
    }


def snp_score_columns(table: Mapping[str, Floats], log_probs: Floats) -> dict[str, Floats]:
    """Compute the columns of the reference's ``snp_score``; all have the sign of the first.

    ``log_counts_diff`` = ln(counts of the alternative / of the reference allele); ``log_probs_diff_abs_sum``;
    ``probs_jsd_diff``, the Jensen-Shannon distance of the profiles with natural logarithms. Of both strands, as all scores.

    Parameters
    ----------
    table
        With ``logfc`` and ``original_jsd`` of :func:`score_alleles`.
    log_probs
        Of :func:`log_probability_change`.

    Returns
    -------
    dict of str to numpy.ndarray
        Column → values ``(n,)``.
    """
    difference = np.log(2) * np.asarray(table["logfc"])
    sign = np.sign(difference)
    return {
        "log_counts_diff": difference,
        "log_probs_diff_abs_sum": sign * log_probs,
        "probs_jsd_diff": sign * np.sqrt(np.log(2)) * np.asarray(table["original_jsd"]),
    }


def log_probability_change(alleles: AllelePredictions) -> Floats:
    """Sum the absolute change of ln p, allele 2 less allele 1, over the profile.

    Parameters
    ----------
    alleles
        Predictions, the mean of both strands.

    Returns
    -------
    numpy.ndarray
        float64 ``(n,)``.
    """
    first, second = (
        log_softmax(np.asarray(logits, dtype=np.float64), axis=-1) for logits in (alleles.logits1, alleles.logits2)
    )
    change: Floats = np.abs(second - first).sum(axis=-1)
    return change


def _distance(first: Floats, second: Floats) -> Floats:
    """Jensen-Shannon distance with logarithms of base 2, in [0, 1]."""
    return jensen_shannon(first, second) / float(np.sqrt(np.log(2)))


def _aligned(profiles1: Floats, profiles2: Floats, lengths1: Ints, lengths2: Ints) -> Iterator[tuple[Ints, Floats, Floats]]:
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
        shortened = shorter[rows, : width - (long - short)]
        yield (rows, cut, shortened) if pair[0] > pair[1] else (rows, shortened, cut)


def peak_quantiles(counts: Floats, peak_counts: Floats) -> Floats:
    """Compute the share of the peaks whose predicted counts are below, 1 / (number of peaks) at least.

    Parameters
    ----------
    counts
        ``(n,)``.
    peak_counts
        ``(m,)``, ascending.

    Returns
    -------
    numpy.ndarray
        ``(n,)``, in (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> peak_quantiles(np.array([0.5, 2.5, 9]), np.array([1, 2, 3, 4])).tolist()
    [0.25, 0.5, 1.0]
    """
    return np.maximum(np.searchsorted(peak_counts, counts, side="left"), 1) / len(peak_counts)


def empirical_p_values(values: Floats, background: Floats, tail: str) -> Floats:
    """Compute empirical p-values: (1 + how many of the background are as extreme) / (1 + its size).

    Parameters
    ----------
    values
        ``(n,)``.
    background
        ``(m,)``, ascending.
    tail
        ``right``, or ``both``: twice the smaller of the two tails', 1 at most.

    Returns
    -------
    numpy.ndarray
        ``(n,)``.

    Examples
    --------
    >>> import numpy as np
    >>> empirical_p_values(np.array([5.0]), np.arange(9.0), "right").tolist()
    [0.5]
    """
    size = len(background)
    right: Floats = (size - np.searchsorted(background, values, side="left") + 1) / (size + 1)
    if tail == "right":
        return right
    left = (np.searchsorted(background, values, side="right") + 1) / (size + 1)
    both: Floats = np.minimum(2 * np.minimum(left, right), 1.0)
    return both


def add_p_values(scores: dict[str, Floats], background: Mapping[str, Floats] | None) -> dict[str, Floats]:
    """Add ``<score>.pval`` of each of :data:`VARIANT_SCORES` there, in the order of variant-scorer's columns.

    Parameters
    ----------
    scores
        Of :func:`score_alleles`.
    background
        Score → values of shuffled sequences, ascending; None: no p-values.

    Returns
    -------
    dict of str to numpy.ndarray
        Column → values ``(n,)``.
    """
    if background is None:
        return scores
    p_values = {
        f"{name}.pval": empirical_p_values(scores[name], background[name], SCORE_TAILS[name])
        for name in VARIANT_SCORES
        if name in scores
    }
    first = [f"{name}.pval" for name in _WITHOUT_PEAKS]
    before = [name for name in scores if "quantile" not in name]
    return (
        {name: scores[name] for name in before}
        | {name: p_values[name] for name in first}
        | {name: values for name, values in scores.items() if name not in before}
        | {name: values for name, values in p_values.items() if name not in first}
    )


def summarise_folds(folds: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Summarise what the models of several folds predict for the same variants, a column for each score.

    ``.mean`` and, of p-values, ``.mean.pval``, their geometric mean, are variant-scorer's; ``.sd`` (of the folds, n − 1),
    ``logfc.sign_agreement``, the share of folds with the sign of the mean, and mean predicted counts are ours.

    Parameters
    ----------
    folds
        Scores of each, as of :func:`add_p_values`.

    Returns
    -------
    dict of str to numpy.ndarray
        Column → values ``(n,)``.
    """
    summary: dict[str, Floats] = {}
    for name in VARIANT_SCORES:
        if name in folds[0]:
            values = np.stack([fold[name] for fold in folds])
            summary[f"{name}.mean"] = mean = values.mean(axis=0)
            if f"{name}.pval" in folds[0]:
                summary[f"{name}.mean.pval"] = np.exp(np.mean([np.log(fold[f"{name}.pval"]) for fold in folds], axis=0))
            summary[f"{name}.sd"] = values.std(axis=0, ddof=1) if len(folds) > 1 else np.full(len(mean), np.nan)
            if name == "logfc":
                summary["logfc.sign_agreement"] = (np.sign(values) == np.sign(mean)).mean(axis=0)
    return summary | {
        f"{name}.mean": np.mean([fold[name] for fold in folds], axis=0)
        for name in ("allele1_pred_counts", "allele2_pred_counts")
    }
