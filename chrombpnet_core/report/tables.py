"""The tables of a report, as text ready to print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chrombpnet_core.evaluation import CONTROL, bias_response, format_response
from chrombpnet_core.models import MODEL_LABELS
from chrombpnet_core.report.content import ReportContent

__all__ = ["Table", "format_number", "tables"]

_BLANK = "–"


@dataclass(frozen=True)
class Table:
    """Hold a table of the page; cells are text, columns from the second on are numbers where ``numeric``."""

    title: str
    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numeric: bool = True
    note: str = ""


def tables(content: ReportContent) -> list[Table]:
    """Make every table that the content allows."""
    makers = (_metrics, _classification, _selection, _footprints, _truth, _steps, _parameters, _provenance)
    return [table for make in makers for table in make(content) if table.rows]


def format_number(value: Any, digits: int = 3) -> str:
    """Format a number as people read it: thousands separated, a true minus sign; a dash for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return _BLANK
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    return f"{value:,.{digits}f}".replace("-", "−")


def _metrics(content: ReportContent) -> Iterator[Table]:
    rows = []
    for model, metrics in content.metrics.items():
        for group, counts in metrics.get("counts_metrics", {}).items():
            profile = metrics.get("profile_metrics", {}).get(group, {})
            chance = metrics.get("chance_metrics", {}).get(group, {})
            sizes = metrics.get("group_sizes", {}).get(group, {})
            rows.append(
                (
                    f"{MODEL_LABELS.get(model, model)}, {group.replace('_', ' ')}",
                    format_number(sizes.get("regions")),
                    format_number(sizes.get("without_reads")),
                    format_number(counts.get("pearsonr")),
                    format_number(counts.get("spearmanr")),
                    format_number(counts.get("mse")),
                    format_number(profile.get("median_jsd")),
                    format_number(chance.get("median_jsd")),
                    format_number(profile.get("median_norm_jsd")),
                )
            )
    yield Table(
        "Metrics on the test chromosomes",
        (
            "model and regions",
            "regions",
            "without reads",
            "Pearson r",
            "Spearman ρ",
            "MSE",
            "median JSD",
            "JSD of shuffled profiles",
            "normalised JSD",
        ),
        rows,
        note="Counts are ln(1 + reads). JSD is the Jensen–Shannon distance (natural logarithm): 0 is best; of the "
        "normalised JSD, 1 is best. Regions without reads have no profile and are left out of both.",
    )


def _classification(content: ReportContent) -> Iterator[Table]:
    rows = []
    for model, metrics in content.metrics.items():
        scores = metrics.get("classification_metrics")
        if scores:
            rows.append(
                (MODEL_LABELS.get(model, model), format_number(scores.get("auroc")), format_number(scores.get("auprc")))
            )
    yield Table("Classification of peaks and nonpeaks by predicted counts", ("model", "AUROC", "AUPRC"), rows)


def _selection(content: ReportContent) -> Iterator[Table]:
    rows = [
        (
            f"{name} model",
            _of(summary.peaks_kept, summary.peaks),
            _of(summary.nonpeaks_kept, summary.nonpeaks),
            format_number(summary.threshold, 2),
            f"{format_number(summary.lower, 1)} … {format_number(summary.upper, 1)}",
            format_number(summary.counts_loss_weight, 2),
        )
        for name, summary in content.selection.items()
    ]
    yield Table(
        "Training regions",
        ("model", "peaks kept", "nonpeaks kept", "bias threshold", "reads within", "counts loss weight"),
        rows,
    )


def _of(part: int | None, whole: int | None) -> str:
    if part is None:
        return _BLANK
    return format_number(part) if whole is None else f"{part:,} of {whole:,}"


def _footprints(content: ReportContent) -> Iterator[Table]:
    models = [model for model in MODEL_LABELS if content.footprints.get(model)]
    motifs = dict.fromkeys(motif for model in models for motif in content.footprints[model])
    maxima = {model: bias_response(content.footprints[model], content.footprints[model]) for model in models}
    rows = [
        (
            motif + (" (no motif)" if motif == CONTROL else ""),
            *(format_response(maxima[model][motif]) if motif in maxima[model] else _BLANK for model in models),
        )
        for motif in motifs
    ]
    yield Table("Footprint maxima", ("motif", *(MODEL_LABELS[model] for model in models)), rows)


def _truth(content: ReportContent) -> Iterator[Table]:
    rows = [
        (
            check.name,
            format_number(check.value, 4),
            f"{'≥' if check.at_least else '<'} {check.bound:g}",
            "yes" if check.passed else "no",
            check.note,
        )
        for check in content.truth
    ]
    yield Table("Simulated truth", ("what was planted", "measured", "bound", "met", "note"), rows)


def _steps(content: ReportContent) -> Iterator[Table]:
    rows = [
        (
            step.title or step.name,
            "reused" if step.cached else "run",
            _time(step.seconds),
            _memory(step.peak_memory),
            step.key[:12],
        )
        for step in content.steps
    ]
    yield Table(
        "Steps",
        ("step", "in this run", "time", "peak memory", "key"),
        rows,
        note="Time and memory of a step whose results were reused are those of the run that computed them.",
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _BLANK
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {seconds:02d} s"


def _memory(size: int | None) -> str:
    return _BLANK if size is None else f"{size / 2**30:.2f} GiB"


def _parameters(content: ReportContent) -> Iterator[Table]:
    yield Table("Parameters", ("parameter", "value"), _pairs(content.parameters), numeric=False)


def _provenance(content: ReportContent) -> Iterator[Table]:
    yield Table("Provenance", ("item", "value"), _pairs(content.provenance), numeric=False)


def _pairs(mapping: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Name and value of each entry; a mapping within becomes rows of its own."""
    rows: list[tuple[str, ...]] = []
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            rows += [(f"{name} · {inner}", text) for inner, text in _pairs(value)]
        elif isinstance(value, list | tuple):
            rows.append((str(name), ", ".join(str(item) for item in value)))
        else:
            rows.append((str(name), _BLANK if value is None else str(value)))
    return rows
