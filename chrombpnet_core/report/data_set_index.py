"""TODO."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chrombpnet_core.evaluation import STATUSES
from chrombpnet_core.report.folds import _ASSAYS, _MARKS, _WORDS, FOLD_METRICS, FOLDS_HTML
from chrombpnet_core.report.html import render_page
from chrombpnet_core.report.tables import format_number

__all__ = ["render_index"]


_INDEXED = ("pearson_peaks", "spearman_peaks", "norm_jsd_peaks", "auroc", "bias_pearson_peaks", "footprint")


def render_index(entries: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The page over many data sets.

    Parameters
    ----------
    entries
        Folder of each, relative to the page, and what its ``folds_report.json`` holds.
    """
    keys = [key for key in _INDEXED if any(key in content.get("metrics", {}) for _, content in entries)]
    rows = [_index_row(folder, content, keys) for folder, content in entries]
    return render_page(
        "index.html.j2",
        rows=sorted(rows, key=lambda row: (_natural(row["title"]), row["link"])),
        headers=[FOLD_METRICS[key].title for key in keys],
        words=_WORDS,
        marks=_MARKS,
    )


def _index_row(folder: str, content: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    status = content.get("overall") if content.get("overall") in STATUSES else "info"
    assay = str(content.get("assay", ""))
    chosen = [row.get("factor") for row in content.get("bias_sweep", []) if row.get("chosen")]
    values = [
        (
            metric.get("median"),
            format_number(metric.get("median"), FOLD_METRICS[key].digits),
            format_number(metric.get("sd"), FOLD_METRICS[key].digits),
        )
        for key in keys
        for metric in [content.get("metrics", {}).get(key, {})]
    ]
    return {
        "title": str(content.get("title", folder)),
        "folder": folder,
        "link": _quoted("/".join(filter(None, [folder, FOLDS_HTML]))),
        "assay": _ASSAYS.get(assay, assay),
        "status": status,
        "order": STATUSES.index(status),
        "folds": len(content.get("folds", [])),
        "factor": f"{chosen[0]:g}" if chosen else "–",
        "values": values,
    }


def _natural(text: str) -> list[str | int]:
    """A key that sorts ``set 9`` before ``set 10``; words and numbers take turns in it."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text.lower())]


def _quoted(path: str) -> str:
    """A path as a relative address: a name such as ``a:b`` must not look like a scheme."""
    return "./" + quote(path)
