"""The index over many data sets: a table to sort and filter, one row a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chrombpnet_core.evaluation import STATUSES
from chrombpnet_core.report.folds import FOLD_METRICS, FOLDS_HTML
from chrombpnet_core.report.folds_page import FOLD_STATUS_WORDS
from chrombpnet_core.report.html import render_page
from chrombpnet_core.report.page import ASSAYS, STATUS_MARKS
from chrombpnet_core.report.tables import format_number

__all__ = ["render_index"]

_INDEXED = ("pearson_peaks", "spearman_peaks", "norm_jsd_peaks", "auroc", "bias_pearson_peaks", "footprint")


def render_index(entries: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Render the page over many data sets.

    Parameters
    ----------
    entries
        Folder of each data set, relative to the page, and what its ``folds_report.json`` holds.

    Returns
    -------
    str
        HTML that stands alone.
    """
    keys = [key for key in _INDEXED if any(key in content.get("metrics", {}) for _, content in entries)]
    rows = [_row(folder, content, keys) for folder, content in entries]
    return render_page(
        "index.html.j2",
        rows=sorted(rows, key=lambda row: (_natural(row["title"]), row["link"])),
        headers=[FOLD_METRICS[key].title for key in keys],
        words=FOLD_STATUS_WORDS,
        marks=STATUS_MARKS,
    )


def _row(folder: str, content: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    overall = content.get("overall")
    status = overall if overall in STATUSES else "info"
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
        "assay": ASSAYS.get(assay, assay),
        "status": status,
        "order": STATUSES.index(status),
        "folds": len(content.get("folds", [])),
        "factor": f"{chosen[0]:g}" if chosen else "–",
        "values": values,
    }


def _natural(text: str) -> list[str | int]:
    """Make a key that sorts ``set 9`` before ``set 10``; words and numbers take turns in it."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text.lower())]


def _quoted(path: str) -> str:
    """Quote a path as a relative address: a name such as ``a:b`` must not look like a scheme."""
    return "./" + quote(path)
