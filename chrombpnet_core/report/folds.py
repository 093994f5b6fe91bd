"""The report over all folds of a data set, and the index over many data sets: one HTML page each, and JSON for programs.

A number of every fold stands beside its mean and spread: what differs between folds tells how far one fold can be trusted.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chrombpnet_core.evaluation import FOLD_APART, STATUSES, THRESHOLDS, quality_metric
from chrombpnet_core.models import BIAS, FULL, MODEL_LABELS
from chrombpnet_core.report.glossary import glossary
from chrombpnet_core.report.html import render_page
from chrombpnet_core.report.rules import RULES
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
    "render_folds",
    "summarise_spread",
    "write_folds_report",
]

FOLDS_HTML, FOLDS_JSON = "folds_report.html", "folds_report.json"
FOLDS_FORMAT = 1
"""Of the JSON, its key ``format``; raise it when a key changes its meaning."""

_MARKS = {"fail": "✕", "warn": "!", "pass": "✓", "info": "i"}
_WORDS = {"fail": "failed", "warn": "warning", "pass": "passed", "info": "not judged"}
_ASSAYS = {"ATAC": "ATAC-seq", "DNASE": "DNase-seq"}
_SWEEP = {
    "factor": "factor",
    "r_nonpeaks": "r, nonpeaks",
    "r_peaks": "r, peaks",
    "motifs": "motifs",
    "verdict": "verdict",
    "reason": "why",
}


@dataclass(frozen=True)
class FoldMetric:
    """A number of each fold: where it stands in the metrics of ``model``, how it is called, the rule that judges it."""

    title: str
    model: str
    path: tuple[str, ...]
    rule: str = ""
    digits: int = 3


FOLD_METRICS: dict[str, FoldMetric] = {
    "pearson_peaks": FoldMetric("counts in peaks, r", FULL, ("counts_metrics", "peaks", "pearsonr"), "main_r_peaks"),
    "spearman_peaks": FoldMetric("counts in peaks, ρ", FULL, ("counts_metrics", "peaks", "spearmanr")),
    "pearson_all": FoldMetric("counts in all regions, r", FULL, ("counts_metrics", "peaks_and_nonpeaks", "pearsonr")),
    "norm_jsd_peaks": FoldMetric("profiles in peaks, normalised JSD", FULL, ("profile_metrics", "peaks", "median_norm_jsd")),
    "auroc": FoldMetric("peaks against nonpeaks, AUROC", FULL, ("classification_metrics", "auroc")),
    "auprc": FoldMetric("peaks against nonpeaks, AUPRC", FULL, ("classification_metrics", "auprc")),
    "bias_pearson_nonpeaks": FoldMetric(
        "bias model in nonpeaks, r", BIAS, ("counts_metrics", "nonpeaks", "pearsonr"), "bias_r_nonpeaks"
    ),
    "bias_pearson_peaks": FoldMetric(
        "bias model in peaks, r", BIAS, ("counts_metrics", "peaks", "pearsonr"), "bias_r_peaks"
    ),
    "footprint": FoldMetric("largest enzyme footprint", "", ("footprint",), "footprint", 4),
}
"""What is told of every fold, on its test chromosomes."""


@dataclass(frozen=True)
class FoldSummary:
    """One fold.

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
    overall, findings
        The worst verdict of its report, and the titles of those that failed or warned.
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

    def value(self, metric: FoldMetric) -> float | None:
        """One number; None where it is not there or not defined."""
        found: Any = {"footprint": self.footprint} if not metric.model else self.metrics.get(metric.model, {})
        for key in metric.path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return float(found) if isinstance(found, int | float) and math.isfinite(found) else None


@dataclass(frozen=True)
class FoldsContent:
    """What the report over folds shows; what is empty has no section.

    Attributes
    ----------
    title, assay
        Name of the data set; ``ATAC`` or ``DNASE``.
    folds
        All that were run, in order.
    agreement
        Model, or head of contributions → ``pairs`` of folds, ``regions``, and lists of Pearson r by name, one a pair.
    sweep
        A row for each bias threshold factor that was tried; the one taken has a true ``chosen``.
    motifs
        Head → motifs of the mean contributions by kind, ``tf``, ``enzyme`` and ``unmatched``.
    links
        Words → address, relative to the page, of what lies beside it.
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


def summarise_spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """Mean, sample standard deviation, median, lowest and highest of the values that are there, and how many; None without.

    The deviation is 0 for one value.
    """
    found = np.array([value for value in values if value is not None], dtype=np.float64)
    if not found.size:
        return None
    return {
        "n": found.size,
        "mean": float(found.mean()),
        "sd": float(found.std(ddof=1)) if found.size > 1 else 0.0,
        "median": float(np.median(found)),
        "min": float(found.min()),
        "max": float(found.max()),
    }


def write_folds_report(content: FoldsContent, folder: str | os.PathLike) -> list[Path]:
    """Write ``folds_report.html`` and ``folds_report.json`` into ``folder``; their paths."""
    html, numbers = Path(folder) / FOLDS_HTML, Path(folder) / FOLDS_JSON
    html.write_text(render_folds(content), encoding="utf-8")
    numbers.write_text(json.dumps(folds_numbers(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [html, numbers]


def folds_numbers(content: FoldsContent) -> dict[str, Any]:
    """What ``folds_report.json`` holds, JSON-safe."""
    complete = [fold.metrics[FULL] for fold in content.folds if FULL in fold.metrics]
    overall, summary = _overall(content)
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
        "metrics": {
            key: found
            for key, metric in FOLD_METRICS.items()
            if (found := summarise_spread([fold.value(metric) for fold in content.folds]))
        },
        "quality_metric": quality_metric(complete) if complete else {},
        "agreement": {name: dict(found) for name, found in content.agreement.items()},
        "bias_sweep": [dict(row) for row in content.sweep],
        "motifs": {head: dict(kinds) for head, kinds in content.motifs.items()},
        "provenance": dict(content.provenance),
    }


def _overall(content: FoldsContent) -> tuple[str, str]:
    """The worst verdict of the folds, worse where one stands apart, and a sentence."""
    status = min((fold.overall for fold in content.folds), key=STATUSES.index, default="info")
    failed = [fold.name for fold in content.folds if fold.overall == "fail"]
    apart = _apart(content)
    if apart and status in ("pass", "info"):
        status = "warn"
    told = [
        f"{', '.join(failed)}: a check failed, see its report."
        if failed
        else "No check failed."
        if content.folds and status != "info"
        else ""
    ]
    if apart:
        told.append(f"{', '.join(apart)}: counts are predicted clearly worse than by the others; look there first.")
    r = summarise_spread([fold.value(FOLD_METRICS["pearson_peaks"]) for fold in content.folds])
    if r:
        told.append(
            f"Over {r['n']} folds the full model predicts counts in held-out peaks with "
            f"r\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{_with_spread(r)}."
        )
    return status, " ".join(filter(None, told)) or "Nothing could be judged."


def _apart(content: FoldsContent) -> list[str]:
    """Folds whose r in peaks lies far below the median of the others."""
    values = {fold.name: fold.value(FOLD_METRICS["pearson_peaks"]) for fold in content.folds}
    known = {name: value for name, value in values.items() if value is not None}
    return [
        name
        for name, value in known.items()
        if len(known) > 2
        and value < float(np.median([other for rival, other in known.items() if rival != name])) - FOLD_APART
    ]


def _with_spread(found: Mapping[str, float], digits: int = 3) -> str:
    return (
        f"{format_number(found['mean'], digits)} ± {format_number(found['sd'], digits)}"
        if found["n"] > 1
        else format_number(found["mean"], digits)
    )


def render_folds(content: FoldsContent) -> str:
    """The page over the folds of one data set, as HTML that stands alone."""
    overall, summary = _overall(content)
    shown = {
        key: metric for key, metric in FOLD_METRICS.items() if any(fold.value(metric) is not None for fold in content.folds)
    }
    folds = [
        {"name": fold.name, "test": " ".join(fold.test), "report": _safe_link(fold.report), "status": fold.overall}
        for fold in content.folds
    ]
    numbers = folds_numbers(content)
    blocks = [_matrix(name, found, [fold.name for fold in content.folds]) for name, found in content.agreement.items()]
    rows = [
        {
            "title": metric.title,
            "mean": _with_spread(numbers["metrics"][key], metric.digits),
            "median": format_number(numbers["metrics"][key]["median"], metric.digits),
            "cells": [_cell(fold.value(metric), metric) for fold in content.folds],
        }
        for key, metric in shown.items()
    ]
    text = " ".join([summary, *(metric.title for metric in shown.values()), "log counts, contribution"])
    return render_page(
        "folds.html.j2",
        title=content.title,
        assay=_ASSAYS.get(content.assay, content.assay),
        overall=overall,
        summary=summary,
        folds=folds,
        numbers=rows,
        findings=[(fold.name, fold.findings) for fold in content.folds if fold.findings],
        strips=[_strip(key, metric, content, numbers["metrics"][key]) for key, metric in shown.items()],
        blocks=blocks,
        sweep=_sweep(content.sweep),
        quality=[(name, format_number(value, 4)) for name, value in numbers["quality_metric"].items()],
        motifs=content.motifs,
        links={words: _safe_link(link) for words, link in content.links.items()},
        provenance=[(name, str(value)) for name, value in content.provenance.items()],
        glossary=glossary(text),
        words=_WORDS,
        marks=_MARKS,
    )


def _safe_link(link: str) -> str:
    """A relative address or one of the web; nothing else, such as ``javascript:``."""
    scheme = link.split(":", 1)[0] if ":" in link.split("/", 1)[0] else ""
    return link if scheme in ("", "https", "http") else ""


def _text(value: Any) -> str:
    """A cell of the sweep's table."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return format_number(value) if isinstance(value, float) else "–" if value is None else str(value)


def _sweep(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = [key for key in _SWEEP if any(key in row for row in rows)]
    return {
        "headers": [_SWEEP[key] for key in columns],
        "rows": [
            {
                "chosen": bool(row.get("chosen")),
                "cells": [f"{row[key]:g}" if key == "factor" else _text(row.get(key)) for key in columns],
            }
            for row in rows
        ],
    }


def _cell(value: float | None, metric: FoldMetric) -> tuple[str, str]:
    """A number and what its rule says of it, where it has one."""
    judged = round(value, 3) if value is not None and metric.rule == "footprint" else value  # as the rule has it
    status = THRESHOLDS[metric.rule].status(judged) if metric.rule and judged is not None else ""
    return format_number(value, metric.digits), status if status in ("warn", "fail") else ""


def _strip(key: str, metric: FoldMetric, content: FoldsContent, found: Mapping[str, float]) -> dict[str, Any]:
    """A line with a dot for each fold, places in percent of its width; its mean, and the threshold where there is one."""
    values = {fold.name: value for fold in content.folds if (value := fold.value(metric)) is not None}
    threshold, digits = THRESHOLDS[metric.rule].good if metric.rule else None, metric.digits
    marks = [*values.values(), *([] if threshold is None else [threshold])]
    low, high = min(marks), max(marks)
    low, high = (low - 0.05, high + 0.05) if high - low < 10**-digits else (low, high)

    def place(value: float) -> float:
        return round(4 + 92 * (value - low) / (high - low), 2)

    return {
        "key": key,
        "title": metric.title,
        "value": _with_spread(found, digits),
        "low": format_number(low, digits),
        "high": format_number(high, digits),
        "mean": place(found["mean"]),
        "threshold": None if threshold is None else place(threshold),
        "wanted": RULES[metric.rule].wanted if metric.rule else "",
        "dots": [(place(value), f"{name}: {format_number(value, digits)}") for name, value in values.items()],
    }


_AGREE = {"log_counts": "log counts", "profile": "profiles", "contributions": "contributions"}


def _matrix(name: str, found: Mapping[str, Any], folds: Sequence[str]) -> dict[str, Any]:
    """A table of folds against folds: the first number above the diagonal, the second, or the same again, below it."""
    above, below, *_ = [key for key in _AGREE if key in found] * 2
    r_of: dict[tuple[int, int], float | None] = {}
    for (i, j), first, second in zip(found["pairs"], found[above], found[below], strict=True):
        r_of |= {(i, j): first, (j, i): second}
    cells = [[None if i == j else _tinted(r_of.get((i, j))) for j in range(len(folds))] for i in range(len(folds))]
    title = MODEL_LABELS.get(name, f"contributions to {name}")
    caption = (
        "Median over regions"
        if above == below
        else f"{_AGREE[above].capitalize()} above the diagonal, {_AGREE[below]} (median over regions) below"
    )
    return {
        "title": title[0].upper() + title[1:],
        "caption": f"{caption}; {found['regions']:,} regions.",
        "folds": list(folds),
        "rows": list(zip(folds, cells, strict=True)),
    }


def _tinted(r: float | None) -> tuple[str, int]:
    """A correlation and how strongly its cell is coloured, in percent."""
    return format_number(r), 0 if r is None else round(45 * max(r, 0.0) ** 2)
