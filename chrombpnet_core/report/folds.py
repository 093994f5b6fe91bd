"""The report over all folds of a data set: what it is made of, and its numbers.

A number of every fold stands beside its mean and spread: what differs between folds tells how far one fold can be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chrombpnet_core.evaluation import FOLD_APART, STATUSES, THRESHOLDS, quality_metric
from chrombpnet_core.models import BIAS, FULL
from chrombpnet_core.report.tables import format_number

__all__ = [
    "FOLDS_FORMAT",
    "FOLDS_HTML",
    "FOLDS_JSON",
    "FOLD_METRICS",
    "FoldMetric",
    "FoldSummary",
    "FoldsContent",
    "folds_numbers",
    "format_spread",
    "judge_folds",
    "readable_fold",
    "summarise_spread",
]

FOLDS_HTML, FOLDS_JSON = "folds_report.html", "folds_report.json"
"""Files of the report."""

FOLDS_FORMAT = 1
"""Of the JSON, its key ``format``; raise it when a key changes its meaning."""


@dataclass(frozen=True)
class FoldMetric:
    """Describe a number of each fold.

    Attributes
    ----------
    title
        What people call it.
    model, path
        Where it is in a fold's metrics: model, and keys within; without a model it is the fold's footprint.
    rule
        Key of the threshold that it is judged by; empty where there is none.
    digits
        Decimals that are shown.
    telling
        A difference between folds that tells something: those that are smaller hardly show in the table's colours.
    """

    title: str
    model: str
    path: tuple[str, ...]
    rule: str = ""
    digits: int = 3
    telling: float = FOLD_APART


FOLD_METRICS: dict[str, FoldMetric] = {
    "pearson_peaks": FoldMetric("counts in peaks, r", FULL, ("counts_metrics", "peaks", "pearsonr"), "main_r_peaks"),
    "spearman_peaks": FoldMetric("counts in peaks, ρ", FULL, ("counts_metrics", "peaks", "spearmanr")),
    "pearson_all": FoldMetric("counts in all regions, r", FULL, ("counts_metrics", "peaks_and_nonpeaks", "pearsonr")),
    "norm_jsd_peaks": FoldMetric("profiles in peaks, normalised JSD", FULL, ("profile_metrics", "peaks", "median_norm_jsd")),
    "auroc": FoldMetric("peaks against nonpeaks, AUROC", FULL, ("classification_metrics", "auroc"), "main_auroc"),
    "auprc": FoldMetric("peaks against nonpeaks, AUPRC", FULL, ("classification_metrics", "auprc")),
    "bias_pearson_nonpeaks": FoldMetric(
        "bias model in nonpeaks, r", BIAS, ("counts_metrics", "nonpeaks", "pearsonr"), "bias_r_nonpeaks"
    ),
    "bias_pearson_peaks": FoldMetric(
        "bias model in peaks, r", BIAS, ("counts_metrics", "peaks", "pearsonr"), "bias_r_peaks"
    ),
    "footprint": FoldMetric("largest enzyme footprint", "", ("footprint",), "footprint", 4, THRESHOLDS["footprint"].good),
}
"""Numbers of every fold, on its test chromosomes."""


@dataclass(frozen=True)
class FoldSummary:
    """Hold what the report tells of one fold.

    Attributes
    ----------
    name
        Such as ``fold_0``.
    test
        Its test chromosomes.
    metrics
        ``chrombpnet`` and ``bias`` → metrics, as :func:`chrombpnet_core.evaluation.summarise_scores` makes them.
    footprint
        The highest maximum of the corrected model's enzyme footprints.
    overall, findings, remedies
        The worst verdict of its report, and of those that failed or warned the titles; title → what to do.
    report
        Address of its report, relative to the page; empty where there is none.
    """

    name: str
    test: Sequence[str]
    metrics: Mapping[str, Mapping[str, Any]]
    footprint: float | None = None
    overall: str = "info"
    findings: Sequence[str] = ()
    report: str = ""
    remedies: Mapping[str, str] = field(default_factory=dict)

    def value(self, metric: FoldMetric) -> float | None:
        """Look a number up; None where it is absent or not defined."""
        value: Any = self.metrics.get(metric.model, {}) if metric.model else {"footprint": self.footprint}
        for key in metric.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


@dataclass(frozen=True)
class FoldsContent:
    """Hold what the report over folds shows; what is empty has no section.

    Attributes
    ----------
    title, assay
        Name of the data set; ``ATAC`` or ``DNASE``.
    folds
        All that were run, in order.
    agreement
        Model, or head of contributions → ``pairs`` of folds, ``regions``, and lists of Pearson r by name, one a pair.
    sweep
        A row for each bias threshold factor that was tried; that of the factor in use has a true ``chosen``.
    motifs
        Head → number of motifs of the mean contributions by kind, ``tf``, ``enzyme`` and ``unmatched``.
    links
        Words → address, relative to the page, of files beside it.
    provenance
        Table of name → value.
    """

    title: str
    assay: str
    folds: Sequence[FoldSummary]
    agreement: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sweep: Sequence[Mapping[str, Any]] = ()
    motifs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def folds_numbers(content: FoldsContent) -> dict[str, Any]:
    """Gather what ``folds_report.json`` holds, JSON-safe."""
    with_metrics = [dict(fold.metrics[FULL]) for fold in content.folds if FULL in fold.metrics]
    spreads = {key: summarise_spread([fold.value(metric) for fold in content.folds]) for key, metric in FOLD_METRICS.items()}
    overall, summary = judge_folds(content)
    return {
        "format": FOLDS_FORMAT,
        "title": content.title,
        "assay": content.assay,
        "overall": overall,
        "summary": summary,
        "folds": [
            {
                "name": fold.name,
                "test": list(fold.test),
                "overall": fold.overall,
                "findings": list(fold.findings),
                "report": fold.report,
                **{key: fold.value(metric) for key, metric in FOLD_METRICS.items()},
            }
            for fold in content.folds
        ],
        "metrics": {key: spread for key, spread in spreads.items() if spread},
        "quality_metric": quality_metric(with_metrics) if with_metrics else {},
        "agreement": {name: dict(correlations) for name, correlations in content.agreement.items()},
        "bias_sweep": [dict(row) for row in content.sweep],
        "motifs": {head: dict(kinds) for head, kinds in content.motifs.items()},
        "provenance": dict(content.provenance),
    }


def judge_folds(content: FoldsContent) -> tuple[str, str]:
    """Sum the folds up: the worst of their verdicts, worse where a fold stands apart, and what to make of it in words."""
    status = min((fold.overall for fold in content.folds), key=STATUSES.index, default="info")
    failed = [readable_fold(fold.name) for fold in content.folds if fold.overall == "fail"]
    apart = _folds_apart(content)
    if apart and status in ("pass", "info"):
        status = "warn"
    sentences = []
    if failed:
        sentences.append(f"{_listed(failed)}: a check failed; what to do is said below.")
    elif content.folds and status != "info":
        sentences.append("No check failed.")
    if apart:
        sentences.append(f"{_listed(apart)}: counts are predicted clearly worse than by the others; look there first.")
    r = summarise_spread([fold.value(FOLD_METRICS["pearson_peaks"]) for fold in content.folds])
    if r:
        over = f"Over {r['n']} folds the" if r["n"] > 1 else "The"
        sentences.append(
            f"{over} full model predicts counts in held-out peaks with "
            f"r\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{format_spread(r)}."
        )
    return status, " ".join(sentences) or "Nothing could be judged."


def _folds_apart(content: FoldsContent) -> list[str]:
    """Folds whose r in peaks lies far below the median of the others."""
    values = {fold.name: fold.value(FOLD_METRICS["pearson_peaks"]) for fold in content.folds}
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < 3:
        return []
    medians = {name: float(np.median([known[other] for other in known if other != name])) for name in known}
    return [readable_fold(name) for name, value in known.items() if value < medians[name] - FOLD_APART]


def _listed(names: Sequence[str]) -> str:
    """List folds at the beginning of a sentence."""
    text = ", ".join(names)
    return text[:1].upper() + text[1:]


def readable_fold(name: str) -> str:
    """Name a fold as people do: ``fold 0`` for ``fold_0``."""
    return name.replace("_", " ")


def summarise_spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Compute mean, sample standard deviation, median, minimum and maximum of the values that are there.

    Parameters
    ----------
    values
        Of all folds; None where a fold has none.

    Returns
    -------
    dict or None
        ``n``, ``mean``, ``sd`` (0 for one value), ``median``, ``min``, ``max``; None where there is no value.
    """
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not known.size:
        return None
    return {
        "n": known.size,
        "mean": float(known.mean()),
        "sd": float(known.std(ddof=1)) if known.size > 1 else 0.0,
        "median": float(np.median(known)),
        "min": float(known.min()),
        "max": float(known.max()),
    }


def format_spread(spread: Mapping[str, float], digits: int = 3) -> str:
    """Format a mean, and its standard deviation where it is of several values."""
    mean = format_number(spread["mean"], digits)
    return f"{mean} ± {format_number(spread['sd'], digits)}" if spread["n"] > 1 else mean
