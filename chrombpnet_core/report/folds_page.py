"""The files of the report over the folds of one data set: a page, and JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chrombpnet_core.evaluation import THRESHOLDS
from chrombpnet_core.models import MODEL_LABELS
from chrombpnet_core.report.folds import (
    FOLD_METRICS,
    FOLDS_HTML,
    FOLDS_JSON,
    FoldMetric,
    FoldsContent,
    FoldSummary,
    folds_numbers,
    format_spread,
    readable_fold,
)
from chrombpnet_core.report.glossary import glossary
from chrombpnet_core.report.html import render_page
from chrombpnet_core.report.page import ASSAYS, STATUS_MARKS
from chrombpnet_core.report.rules import RULES
from chrombpnet_core.report.tables import format_number

__all__ = ["FOLD_STATUS_WORDS", "render_folds", "write_folds_report"]

FOLD_STATUS_WORDS = {"fail": "failed", "warn": "warning", "pass": "passed", "info": "not judged"}
"""Overall status of a fold or data set → words."""

_STRONGEST = 45  # percent of colour in a cell: text on it keeps the contrast that WCAG's level AA asks for

_SWEEP_COLUMNS = {
    "factor": "factor",
    "r_nonpeaks": "r, nonpeaks",
    "r_peaks": "r, peaks",
    "motifs": "motifs",
    "verdict": "verdict",
    "reason": "reason",
}
_CORRELATIONS = {"log_counts": "log counts", "profile": "profiles", "contributions": "contributions"}


def write_folds_report(content: FoldsContent, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the report over folds as HTML and JSON.

    Parameters
    ----------
    content
        What it shows.
    folder
        Where the files go.

    Returns
    -------
    list of Path
        ``folds_report.html`` and ``folds_report.json``.
    """
    html, numbers = Path(folder) / FOLDS_HTML, Path(folder) / FOLDS_JSON
    html.write_text(render_folds(content), encoding="utf-8")
    numbers.write_text(json.dumps(folds_numbers(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [html, numbers]


def render_folds(content: FoldsContent) -> str:
    """Render the page over the folds of one data set, as HTML that stands alone."""
    numbers = folds_numbers(content)
    shown = {key: metric for key, metric in FOLD_METRICS.items() if key in numbers["metrics"]}
    names = [readable_fold(fold.name) for fold in content.folds]
    text = " ".join([numbers["summary"], *(metric.title for metric in shown.values()), "log counts, contribution"])
    return render_page(
        "folds.html.j2",
        title=content.title,
        assay=ASSAYS.get(content.assay, content.assay),
        overall=numbers["overall"],
        summary=numbers["summary"],
        folds=[
            {"name": name, "test": " ".join(fold.test), "report": _safe_link(fold.report), "status": fold.overall}
            for name, fold in zip(names, content.folds, strict=True)
        ],
        numbers=[_row(content, metric, numbers["metrics"][key]) for key, metric in shown.items()],
        findings=_findings(content.folds),
        strips=[_strip(content, metric, numbers["metrics"][key]) for key, metric in shown.items()],
        blocks=[_matrix(name, correlations, names) for name, correlations in content.agreement.items()],
        useless=_useless(numbers["metrics"].get("pearson_peaks")),
        sweep=_sweep(content.sweep),
        quality=[(name, format_number(value, 4)) for name, value in numbers["quality_metric"].items()],
        motifs=content.motifs,
        links={words: _safe_link(link) for words, link in content.links.items()},
        provenance=[(name, str(value)) for name, value in content.provenance.items()],
        glossary=glossary(text),
        words=FOLD_STATUS_WORDS,
        marks=STATUS_MARKS,
    )


def _useless(spread: Mapping[str, float] | None) -> str:
    """Median r of full models that predict nothing; empty where they do, or where it is not known."""
    limit = THRESHOLDS["main_r_peaks"].bad or 0.0
    return format_number(spread["median"], 3) if spread and spread["median"] <= limit else ""


def _safe_link(link: str) -> str:
    """Keep a relative address or one of the web; nothing else, such as ``javascript:``."""
    scheme = link.split(":", 1)[0] if ":" in link.split("/", 1)[0] else ""
    return link if scheme in ("", "https", "http") else ""


def _findings(folds: Sequence[FoldSummary]) -> list[dict[str, Any]]:
    """List what did not pass, once each, with the folds and what to do; what most folds have comes first."""
    titles = list(dict.fromkeys(title for fold in folds for title in fold.findings))
    findings = []
    for title in titles:
        where = [fold for fold in folds if title in fold.findings]
        remedies = dict.fromkeys(fold.remedies[title] for fold in where if fold.remedies.get(title))
        names = "all folds" if len(where) == len(folds) > 1 else ", ".join(readable_fold(fold.name) for fold in where)
        findings.append({"title": title, "folds": names, "number": len(where), "remedies": list(remedies)})
    return sorted(findings, key=lambda finding: -finding["number"])


def _row(content: FoldsContent, metric: FoldMetric, spread: Mapping[str, float]) -> dict[str, Any]:
    """Format a number of all folds, its mean and median; the better one of the folds' is, the stronger its colour."""
    span = max(spread["max"] - spread["min"], metric.telling)
    higher = not metric.rule or THRESHOLDS[metric.rule].higher_is_better
    worst = spread["min"] if higher else spread["max"]
    return {
        "title": metric.title,
        "mean": format_spread(spread, metric.digits),
        "median": format_number(spread["median"], metric.digits),
        "cells": [_cell(fold.value(metric), metric, worst, span) for fold in content.folds],
    }


def _cell(value: float | None, metric: FoldMetric, worst: float, span: float) -> tuple[str, str, int]:
    """Format a number; its status where it misses its threshold, else how strongly its cell is coloured, in percent."""
    status = THRESHOLDS[metric.rule].status(value) if metric.rule and value is not None else ""
    missed = status in ("warn", "fail")
    tint = 0 if value is None or missed else round(_STRONGEST * abs(value - worst) / span)
    return format_number(value, metric.digits), status if missed else "", tint


def _strip(content: FoldsContent, metric: FoldMetric, spread: Mapping[str, float]) -> dict[str, Any]:
    """Place a dot for each fold on a line, in percent of its width; the mean, and the threshold where there is one."""
    values = {readable_fold(fold.name): value for fold in content.folds if (value := fold.value(metric)) is not None}
    threshold, digits = THRESHOLDS[metric.rule].good if metric.rule else None, metric.digits
    marks = [*values.values(), *([] if threshold is None else [threshold])]
    low, high = min(marks), max(marks)
    low, high = (low - 0.05, high + 0.05) if high - low < 10**-digits else (low, high)

    def place(value: float) -> float:
        return round(4 + 92 * (value - low) / (high - low), 2)

    return {
        "title": metric.title,
        "value": format_spread(spread, digits),
        "low": format_number(low, digits),
        "high": format_number(high, digits),
        "mean": place(spread["mean"]),
        "threshold": None if threshold is None else place(threshold),
        "wanted": RULES[metric.rule].wanted if metric.rule else "",
        "dots": [(place(value), f"{name}: {format_number(value, digits)}") for name, value in values.items()],
    }


def _matrix(name: str, correlations: Mapping[str, Any], folds: Sequence[str]) -> dict[str, Any]:
    """Make a table of folds against folds: the first number above the diagonal, the second, or the same again, below it."""
    above, below, *_ = [key for key in _CORRELATIONS if key in correlations] * 2
    r_of: dict[tuple[int, int], float | None] = {}
    for (i, j), first, second in zip(correlations["pairs"], correlations[above], correlations[below], strict=True):
        r_of |= {(i, j): first, (j, i): second}
    cells = [[None if i == j else _tinted(r_of.get((i, j))) for j in range(len(folds))] for i in range(len(folds))]
    title = MODEL_LABELS.get(name, f"contributions to {name}")
    caption = (
        "Median over regions"
        if above == below
        else f"{_CORRELATIONS[above].capitalize()} above the diagonal, {_CORRELATIONS[below]} (median over regions) below"
    )
    return {
        "title": title[0].upper() + title[1:],
        "caption": f"{caption}; {correlations['regions']:,} regions.",
        "folds": list(folds),
        "rows": list(zip(folds, cells, strict=True)),
    }


def _tinted(r: float | None) -> tuple[str, int]:
    """Format a correlation, and say how strongly its cell is coloured, in percent."""
    return format_number(r), 0 if r is None else round(_STRONGEST * max(r, 0.0) ** 2)


def _sweep(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make the table of bias threshold factors."""
    columns = [key for key in _SWEEP_COLUMNS if any(key in row for row in rows)]
    return {
        "headers": [_SWEEP_COLUMNS[key] for key in columns],
        "rows": [
            {
                "chosen": bool(row.get("chosen")),
                "cells": [_sweep_cell(key, row.get(key)) for key in columns],
            }
            for row in rows
        ],
    }


def _sweep_cell(key: str, value: Any) -> str:
    """Format a cell of the table of factors."""
    if key == "factor":
        return f"{value:g}"
    return FOLD_STATUS_WORDS.get(value, str(value)) if key == "verdict" and value else _text(value)


def _text(value: Any) -> str:
    """Format a number, a list or a text."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return format_number(value) if isinstance(value, float) else "–" if value is None else str(value)
