"""The files of a run's report: one HTML file that needs nothing else, PDF, JSON for programs, pictures as PNG."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from chrombpnet_core.evaluation import bias_response
from chrombpnet_core.models import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.plots import MODEL_COLOURS, footprint, write_png
from chrombpnet_core.report import pictures
from chrombpnet_core.report.content import MOTIF_MODELS, MotifEntry, ReportContent
from chrombpnet_core.report.html import render_page
from chrombpnet_core.report.multiqc import MULTIQC_FILE, multiqc_content
from chrombpnet_core.report.next_step import STATUS_WORDS, next_step
from chrombpnet_core.report.page import STATUS_MARKS, Page, motif_page, page_of
from chrombpnet_core.report.pdf import render_pdf
from chrombpnet_core.report.sections import correlation_key, groups_of_regions
from chrombpnet_core.report.verdicts import judge, not_judged, worst

__all__ = [
    "REPORT_HTML",
    "REPORT_JSON",
    "REPORT_PDF",
    "render_html",
    "report_numbers",
    "write_motif_pdfs",
    "write_pictures",
    "write_report",
]

REPORT_HTML, REPORT_PDF, REPORT_JSON = "overall_report.html", "overall_report.pdf", "report.json"
_FORMAT = 1  # of report.json; raise it when a key changes its meaning


def write_report(content: ReportContent, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the report as HTML, PDF and JSON, and its key numbers for MultiQC.

    Parameters
    ----------
    content
        What it shows.
    folder
        Where the files go; it is made where absent.

    Returns
    -------
    list of Path
        ``overall_report.html``, ``overall_report.pdf``, ``report.json``, ``chrombpnet_mqc.json``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page = page_of(content)
    html, pdf, numbers, multiqc = (folder / name for name in (REPORT_HTML, REPORT_PDF, REPORT_JSON, MULTIQC_FILE))
    html.write_text(render_html(page), encoding="utf-8")
    pdf.write_bytes(render_pdf(page))
    numbers.write_text(json.dumps(report_numbers(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    multiqc.write_text(json.dumps(multiqc_content(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [html, pdf, numbers, multiqc]


def render_html(page: Page) -> str:
    """Render the page as HTML that stands alone."""
    return render_page("report.html.j2", page=page, words=STATUS_WORDS, marks=STATUS_MARKS)


def write_motif_pdfs(content: ReportContent, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the motifs of each explanation as a PDF of their own.

    Parameters
    ----------
    content
        Of the report.
    folder
        Where the files go.

    Returns
    -------
    list of Path
        ``<model>_<profile or counts>.pdf``. The corrected model's profile also has the reference's other name,
        ``chrombpnet_nobias_profile_motifs.pdf``.
    """
    paths = []
    for key in content.motifs:
        word, _, head = key.partition(" ")
        if word in MOTIF_MODELS:
            pdf = render_pdf(motif_page(content, key))
            name = f"{MOTIF_MODELS[word]}_{head}"
            for file in (f"{name}.pdf", *([f"{name}_motifs.pdf"] if name == f"{CORRECTED}_profile" else [])):
                paths.append(Path(folder) / file)
                paths[-1].write_bytes(pdf)
    return paths


def write_pictures(content: ReportContent, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the pictures of an evaluation folder that the content allows as PNG.

    Parameters
    ----------
    content
        Of the report.
    folder
        Where the files go; it is made where absent.

    Returns
    -------
    list of Path
        ``<model>_only_peaks.counts_pearsonr.png`` and ``…profile_jsd.png`` (of a bias model's run ``_only_nonpeaks``
        too), ``epoch_loss.png`` and ``<model>.<motif>.footprint.png``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in _png_figures(content):
        paths.append(folder / name)
        write_png(figure, paths[-1])
    return paths


def _png_figures(content: ReportContent) -> Iterator[tuple[str, Figure]]:
    for model, arrays in content.per_region.items():
        for group, rows in groups_of_regions(arrays, content.kind):
            label = f"{MODEL_LABELS.get(model, model)}, {group}"
            colour = MODEL_COLOURS.get(model, "full")
            yield (
                f"{model}_only_{group}.counts_pearsonr.png",
                pictures.counts_scatter(
                    arrays["observed_logcounts"][rows],
                    arrays["predicted_logcounts"][rows],
                    label,
                    colour,
                    key=correlation_key(model, group),
                ),
            )
            yield (
                f"{model}_only_{group}.profile_jsd.png",
                pictures.jsd_histogram(arrays["jsd"][rows], arrays["chance_jsd"][rows], label, colour),
            )
    for model, epochs in content.history.items():
        if not epochs:
            continue
        name = "epoch_loss.png" if model == (BIAS if content.kind == "bias" else FULL) else f"{model}.epoch_loss.png"
        yield name, pictures.loss_curves(epochs, MODEL_LABELS.get(model, model))
    for model, profiles in content.footprints.items():
        for motif, profile in profiles.items():
            error = content.footprint_errors.get(model, {}).get(motif)
            title = f"{motif}, {MODEL_LABELS.get(model, model)}"
            figure = footprint({model: profile}, title, errors={} if error is None else {model: error})
            yield f"{model}.{motif.replace('/', '_')}.footprint.png", figure


def report_numbers(content: ReportContent) -> dict[str, Any]:
    """Gather what ``report.json`` holds: verdicts and numbers, JSON-safe; arrays by region or base are left out."""
    verdicts = judge(content)
    step = next_step(content, verdicts)
    numbers = {
        "format": _FORMAT,
        "kind": content.kind,
        "title": content.title,
        "assay": content.assay,
        "genome": content.genome,
        "fold": content.fold,
        "test": content.test,
        "validation": content.validation,
        "date": content.date,
        "overall": worst(verdicts),
        "summary": step.summary,
        "next_command": step.command,
        "verdicts": verdicts,
        "not_judged": not_judged(content),
        "metrics": content.metrics,
        "selection": content.selection,
        "reads": content.reads,
        "peaks": content.peaks,
        "genome_size": content.genome_size,
        "library": content.library and content.library.to_json(),
        "shift": content.shift and _attributes(content.shift, "plus", "minus", "declared", "votes", "reads"),
        "background": content.nonpeaks and _attributes(content.nonpeaks, "wanted", "made"),
        "history": content.history,
        "footprint_maxima": {model: bias_response(profiles) for model, profiles in content.footprints.items()},
        "motifs": {key: [_motif(entry) for entry in entries] for key, entries in content.motifs.items()},
        "noise_floor": content.noise_floor,
        "truth": [_attributes(check, "name", "value", "bound", "at_least", "passed", "note") for check in content.truth],
        "parameters": content.parameters,
        "provenance": content.provenance,
        "steps": content.steps,
    }
    return {name: _safe(value) for name, value in numbers.items()}


def _attributes(item: object, *names: str) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _motif(entry: MotifEntry) -> dict[str, Any]:
    matches = [{"name": name, "q": q} for name, q in entry.matches]
    return {**_attributes(entry, "pattern", "seqlets", "kind"), "matches": matches}


def _safe(value: Any) -> Any:
    """Convert a value to JSON's types; numbers that are not finite become None, unknown objects their text."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _safe(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple | set):
        return [_safe(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
