"""The web page of the catalogue of ENCODE experiments: a table to sort and filter, that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chrombpnet_core.report.folds import FOLD_METRICS
from chrombpnet_core.report.html import render_page
from chrombpnet_core.report.tables import format_number

__all__ = ["render_catalogue"]

_EXPERIMENT = "https://www.encodeproject.org/experiments/"
_STATES = {
    "failed": ("fail", "✕"),
    "stale": ("warn", "!"),
    "started": ("info", "…"),
    "new": ("info", "+"),
    "done": ("pass", "✓"),
    "refused": ("none", "–"),
}
"""State of an experiment → status and sign, in the order of sorting: what needs attention comes first."""

_SHOWN = ("pearson_peaks", "norm_jsd_peaks", "auroc", "footprint")


def render_catalogue(rows: Sequence[Mapping[str, Any]]) -> str:
    """Render the page of the catalogue.

    Parameters
    ----------
    rows
        One for each experiment: ``accession``, ``assay``, ``biosample``, ``released``, ``state``, ``reason``, ``report``
        (address, relative to the page or of the web), ``link`` (of the run), ``gpu_hours``, ``cost``, and medians
        of :data:`chrombpnet_core.report.FOLD_METRICS`, those there are.

    Returns
    -------
    str
        HTML that stands alone.
    """
    keys = [key for key in _SHOWN if any(row.get(key) is not None for row in rows)]
    shown = [_row(row, keys) for row in sorted(rows, key=lambda row: (row["state"] == "refused", row["accession"]))]
    counts = {state: sum(row["state"] == state for row in rows) for state in _STATES}
    hours, cost = ([row[name] for row in rows if row.get(name) is not None] for name in ("gpu_hours", "cost"))
    totals = [f"{format_number(sum(hours), 1)} GPU hours"] if hours else []
    totals += [f"cost {format_number(sum(cost), 2)}"] if cost else []
    return render_page(
        "catalogue.html.j2",
        rows=shown,
        headers=[FOLD_METRICS[key].title for key in keys],
        counts={state: count for state, count in counts.items() if count},
        totals=", ".join(totals),
        states=_STATES,
    )


def _row(row: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    state = row["state"] if row["state"] in _STATES else "new"
    status, mark = _STATES[state]
    values = [(row.get(key), format_number(row.get(key), FOLD_METRICS[key].digits)) for key in keys]
    return {
        "accession": row["accession"],
        "experiment": _EXPERIMENT + quote(row["accession"], safe="") + "/",
        "assay": row.get("assay", ""),
        "biosample": row.get("biosample", ""),
        "released": row.get("released", ""),
        "state": state,
        "order": list(_STATES).index(state),
        "status": status,
        "mark": mark,
        "reason": row.get("reason", ""),
        "report": _address(row.get("report", "")),
        "run": _web(row.get("link", "")),
        "values": [
            *values,
            (row.get("gpu_hours"), format_number(row.get("gpu_hours"), 1)),
            (row.get("cost"), format_number(row.get("cost"), 2)),
        ],
    }


def _address(report: str) -> str:
    """Make a relative address safe, keep one of the web; a bucket's own, such as ``gs://``, no browser opens."""
    return _web(report) if "://" in report else "./" + quote(report) if report else ""


def _web(address: str) -> str:
    return address if address.startswith(("https://", "http://")) else ""
