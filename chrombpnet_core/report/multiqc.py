"""The key numbers of a run for MultiQC: a file of its custom content, whose columns join the General Statistics table.

MultiQC finds files whose names end in ``_mqc.json`` by itself, and takes those with the same ``id`` together, one row for
each sample; every file names all columns of its ``id``, so that their order does not matter
(https://docs.seqera.io/multiqc/custom_content).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from chrombpnet_core.evaluation import bias_response, motifs_by_enzyme
from chrombpnet_core.models import BIAS, CORRECTED, FULL
from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.model_verdicts import enzyme_footprints, explained_motifs
from chrombpnet_core.report.verdicts import judge, worst

__all__ = ["MULTIQC_FILE", "multiqc_content"]

MULTIQC_FILE = "chrombpnet_mqc.json"
"""Name of the file beside the report."""


class _Column(NamedTuple):
    """A column: its title, what it is, how it is shown, and where its number is."""

    title: str
    description: str
    shown: dict[str, Any]
    value: Callable[[ReportContent], float | str | None]


_SHARE = {"min": 0, "max": 1, "format": "{:,.3f}"}
_CORRELATION = {"min": -1, "max": 1, "format": "{:,.3f}", "scale": "RdYlGn"}
_COUNT = {"min": 0, "format": "{:,.0f}"}


def _metric(model: str, family: str, group: str, name: str) -> Callable[[ReportContent], float | None]:
    return lambda content: content.metric(model, family, group, name)


def _auroc(content: ReportContent) -> float | None:
    value: float | None = content.metrics.get(FULL, {}).get("classification_metrics", {}).get("auroc")
    return value


def _motifs(model: str) -> Callable[[ReportContent], int | None]:
    def count(content: ReportContent) -> int | None:
        found = explained_motifs(content, model)
        return len(found.get("profile", next(iter(found.values())))) if found else None

    return count


def _response(content: ReportContent) -> float | None:
    footprints = content.footprints.get(BIAS, {})
    motifs = [name for names in motifs_by_enzyme(footprints).values() for name in names]
    return max(bias_response(footprints, motifs).values(), default=None)


_READS = {
    "verdict": _Column(
        "Verdict", "Worst answer of the report's checks", {"scale": False}, lambda content: worst(judge(content))
    ),
    "reads": _Column("Reads", "Reads in the input", {**_COUNT, "scale": "Blues"}, lambda content: content.reads),
}
_BIAS = {
    f"bias_{name}": column
    for name, column in {
        **_READS,
        "nonpeaks": _Column(
            "Nonpeaks",
            "Nonpeaks that the bias model was trained on",
            {**_COUNT, "scale": "Greens"},
            lambda content: content.selection["bias"].nonpeaks_kept if "bias" in content.selection else None,
        ),
        "r_nonpeaks": _Column(
            "r, nonpeaks",
            "Pearson r of log counts, bias model, held-out nonpeaks",
            _CORRELATION,
            _metric(BIAS, "counts_metrics", "nonpeaks", "pearsonr"),
        ),
        "r_peaks": _Column(
            "r, peaks",
            "Pearson r of log counts, bias model, held-out peaks",
            _CORRELATION,
            _metric(BIAS, "counts_metrics", "peaks", "pearsonr"),
        ),
        "response": _Column(
            "Response",
            "Largest footprint of an enzyme motif, bias model",
            {"min": 0, "format": "{:,.4f}", "scale": "Purples"},
            _response,
        ),
        "motifs": _Column("Motifs", "Motifs found, bias model", {**_COUNT, "scale": "Oranges"}, _motifs(BIAS)),
    }.items()
}
_MAIN = {
    **_READS,
    "peaks": _Column("Peaks", "Peaks in use", {**_COUNT, "scale": "Greens"}, lambda content: content.peaks),
    "r_peaks": _Column(
        "r, peaks",
        "Pearson r of log counts, full model, held-out peaks",
        _CORRELATION,
        _metric(FULL, "counts_metrics", "peaks", "pearsonr"),
    ),
    "auroc": _Column("AUROC", "Held-out peaks against nonpeaks, full model", {**_SHARE, "scale": "RdYlGn"}, _auroc),
    "jsd_peaks": _Column(
        "JSD, peaks",
        "Median Jensen–Shannon distance of profiles, full model, held-out peaks; 0 is best",
        {**_SHARE, "scale": "RdYlGn-rev"},
        _metric(FULL, "profile_metrics", "peaks", "median_jsd"),
    ),
    "jsd_chance": _Column(
        "JSD, chance",
        "The same of shuffled profiles",
        {**_SHARE, "scale": "Greys", "hidden": True},
        _metric(FULL, "chance_metrics", "peaks", "median_jsd"),
    ),
    "footprint": _Column(
        "Enzyme footprint",
        "Largest footprint of an enzyme motif, corrected model; below 0.003 is wanted",
        {"min": 0, "format": "{:,.4f}", "scale": "Reds"},
        lambda content: max(enzyme_footprints(content).values(), default=None),
    ),
    "motifs": _Column("Motifs", "Motifs found, corrected model", {**_COUNT, "scale": "Oranges"}, _motifs(CORRECTED)),
}


def multiqc_content(content: ReportContent) -> dict[str, Any]:
    """Gather what the file holds.

    Parameters
    ----------
    content
        Of the report.

    Returns
    -------
    dict
        ``id``, ``plot_type``, ``pconfig`` (a list, one column each) and ``data`` (sample → column → number), JSON-safe.
    """
    columns, name = (_BIAS, "chrombpnet_bias") if content.kind == "bias" else (_MAIN, "chrombpnet")
    numbers = {key: column.value(content) for key, column in columns.items()}
    known = {key: value for key, value in numbers.items() if value is not None and not _is_undefined(value)}
    return {
        "id": name,
        "plot_type": "generalstats",
        "pconfig": [
            {
                key: {
                    "title": column.title,
                    "description": column.description,
                    "namespace": "ChromBPNet, bias model" if content.kind == "bias" else "ChromBPNet",
                    **column.shown,
                }
            }
            for key, column in columns.items()
        ],
        "data": {" ".join(filter(None, (content.title, content.fold))): known},
    }


def _is_undefined(value: float | str) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
