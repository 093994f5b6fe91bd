"""The report of a run: verdicts, pictures, tables and provenance in one HTML file that needs nothing else.

:func:`write_report` also writes ``report.json`` with the verdicts and numbers; :func:`write_pictures` writes the single
PNG files of an evaluation folder (REFERENCE.md 13).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from chrombpnet_core import report_pictures as pictures
from chrombpnet_core.footprints import CONTROL, MAX_BIAS_RESPONSE, bias_response
from chrombpnet_core.report_content import BIAS, CORRECTED, FULL, MODEL_LABELS, ReportContent
from chrombpnet_core.report_tables import tables
from chrombpnet_core.verdicts import STATUSES, Verdict, is_enzyme_motif, judge, not_judged, worst

__all__ = ["REPORT_HTML", "REPORT_JSON", "render_html", "report_numbers", "write_pictures", "write_report"]

REPORT_HTML, REPORT_JSON = "overall_report.html", "report.json"
_FORMAT = 1  # of report.json; raise it when a key changes its meaning
_KIND_WORDS = {"bias": "bias model", "main": "main model", "dataset": "bias and main model"}
_ASSAYS = {"ATAC": "ATAC-seq", "DNASE": "DNase-seq"}
_WORDS = {"fail": "failed", "warn": "warning", "pass": "passed", "info": "info"}
_COUNTS_CAPTIONS = {
    BIAS: "The bias model should know a little about background and nothing about peaks: a cloud that leans the other "
          "way in peaks is a warning.",
    FULL: "Each point is a region; on the dashed line prediction and reads agree. A flat cloud means that the model "
          "predicts the same for all.",
    CORRECTED: "Without the bias model: the cloud should be the full model's, at most a little below it.",
}
_MARKS = {"fail": "✕", "warn": "!", "pass": "✓", "info": "i"}


@dataclass(frozen=True)
class Picture:
    """A picture of the page: the ``<svg>`` element, its title and what to look for; ``width`` is a CSS class."""

    svg: Markup
    title: str
    caption: str
    width: str = ""


@dataclass(frozen=True)
class Group:
    """Pictures under one heading; ``short`` links to it, ``legend`` holds (palette name, words)."""

    short: str
    title: str
    caption: str
    pictures: list[Picture]
    legend: tuple[tuple[str, str], ...] = ()


def write_report(content: ReportContent, folder: str | os.PathLike) -> list[Path]:
    """Write ``overall_report.html`` and ``report.json`` into ``folder``, which is made where absent; their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    html, numbers = folder / REPORT_HTML, folder / REPORT_JSON
    html.write_text(render_html(content), encoding="utf-8")
    numbers.write_text(json.dumps(report_numbers(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [html, numbers]


def render_html(content: ReportContent) -> str:
    """The page."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    source = resources.files("chrombpnet_core").joinpath("data", "report.html.j2").read_text(encoding="utf-8")
    verdicts = judge(content)
    return environment.from_string(source).render(
        title=content.title, subtitle=f"{_ASSAYS.get(content.assay, content.assay)} · {_KIND_WORDS[content.kind]}",
        overall=worst(verdicts), summary=_summary(content, verdicts), verdicts=verdicts, words=_WORDS, marks=_MARKS,
        counts={status: sum(verdict.status == status for verdict in verdicts) for status in STATUSES},
        not_judged=not_judged(content), groups=[group for group in _groups(content) if group.pictures],
        tables=tables(content), palette=pictures.PALETTE)


def _summary(content: ReportContent, verdicts: list[Verdict]) -> str:
    """One line: what to make of it, and the number that people ask for first."""
    number = {status: sum(verdict.status == status for verdict in verdicts) for status in STATUSES}
    judged = number["fail"] + number["warn"] + number["pass"]
    if number["fail"]:
        line = f"{number['fail']} of {judged} checks failed: see why before using the model."
    elif number["warn"]:
        line = f"No check failed; to watch: {number['warn']} of {judged}."
    elif judged:
        line = f"All {judged} checks passed."
    else:
        line = "Nothing could be judged."
    model, group = (BIAS, "nonpeaks") if content.kind == "bias" else (FULL, "peaks")
    r = content.metric(model, "counts_metrics", group, "pearsonr")
    if r is not None:
        shown = f"r = {r:.3f}".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")
        line += f" The {MODEL_LABELS[model]} predicts counts in held-out {group} with {shown}."
    return line


# --- pictures ----------------------------------------------------------------------------------------------------


def _groups(content: ReportContent) -> Iterator[Group]:
    yield Group("Reads", "The reads", "Is this the enzyme's library, and are its cuts where they belong?",
                list(_reads(content)))
    yield Group("Training", "Training", "Did the models settle, and on comparable regions?", list(_training(content)))
    yield Group("Predictions", "Counts and profiles on chromosomes the models never saw",
                "How many cuts, and where in the region?", list(_predictions(content)))
    models = [model for model in MODEL_LABELS if content.footprints.get(model)]
    yield Group("Footprints", "Does the enzyme still leave footprints?",
                "Enzyme motifs put into the middle of background sequences. The bias model answers with a spike; the "
                "corrected model must stay flat and below the dashed line (0.003). The same scale in every panel.",
                list(_footprints(content, models)),
                (*((pictures.MODEL_COLOURS[model], MODEL_LABELS[model]) for model in models), ("chance", "no motif")))
    yield Group("Examples", "Example regions",
                "Regions of the test chromosomes, each track on its own scale. Sharp spikes of the observed reads that "
                "come back in the bias track are the enzyme's; the corrected track should be smooth, with dips where "
                "proteins sit.", list(_examples(content)))


def _reads(content: ReportContent) -> Iterator[Picture]:
    if content.insertion_pfm is not None:
        peak = "Tn5's motif is symmetric about the cut" if content.assay == "ATAC" else "DNase I's sits at the cut"
        yield _picture(pictures.insertion_logo(content.insertion_pfm), "logo", "What the enzyme likes to cut",
                       f"Sequence around insertions, of the first validation chromosome. {peak}: a motif that is off "
                       "centre or smeared means a wrong shift or two mixed ones; none at all means that it is not this "
                       "enzyme, or too few reads.", "wide")
    if content.shift is not None and any(content.shift.votes.values()):
        yield _picture(pictures.shift_votes(content.shift), "shift", "Votes on the read shift",
                       "Every published reference matrix is slid along the reads' own motif. All dots must fall into "
                       "the grey band, the shift that was used.", "wide")


def _training(content: ReportContent) -> Iterator[Picture]:
    if content.background is not None and content.background.gc_edges is not None:
        yield _picture(pictures.gc_match(content.background), "gc", "GC content of peaks and nonpeaks",
                       "The two should lie on top of each other. Where they part, the models can tell peaks by their "
                       "GC content alone.")
    for model, rows in content.history.items():
        if rows:
            label = MODEL_LABELS.get(model, model)
            yield _picture(pictures.loss_curves(rows), f"loss-{model}", f"Loss, {label}",
                           "Validation loss falls, then turns; the ringed epoch's weights were kept. Training loss "
                           "that goes on falling after it is overfitting, which costs nothing here.")


def _predictions(content: ReportContent) -> Iterator[Picture]:
    shown = [(model, arrays, group, rows) for model, arrays in content.per_region.items()
             for group, rows in _groups_of_regions(arrays, content.kind)]
    for model, arrays, group, rows in shown:
        yield _picture(
            pictures.counts_scatter(arrays["observed_logcounts"][rows], arrays["predicted_logcounts"][rows],
                                    colour=pictures.MODEL_COLOURS.get(model, "full")),
            f"counts-{model}-{group}", f"Counts in {group}, {MODEL_LABELS.get(model, model)}",
            _COUNTS_CAPTIONS.get(model, _COUNTS_CAPTIONS[FULL]))
    for model, arrays, group, rows in shown:
        yield _picture(
            pictures.jsd_histogram(arrays["jsd"][rows], arrays["chance_jsd"][rows],
                                   colour=pictures.MODEL_COLOURS.get(model, "full")),
            f"jsd-{model}-{group}", f"Profiles in {group}, {MODEL_LABELS.get(model, model)}",
            "Distance of prediction and reads: left is better. Lines are medians; grey is each region's reads against "
            "their own shuffle, what guessing gives. Shallow regions lie right whatever the model.")


def _groups_of_regions(arrays: Mapping[str, np.ndarray], kind: str) -> Iterator[tuple[str, np.ndarray]]:
    """Peaks, and for a bias run nonpeaks too, as far as there are any."""
    is_peak = np.asarray(arrays["is_peak"], dtype=bool)
    for group, rows in (("peaks", is_peak), ("nonpeaks", ~is_peak)):
        if rows.any() and (group == "peaks" or kind == "bias"):
            yield group, rows


def _footprints(content: ReportContent, models: list[str]) -> Iterator[Picture]:
    if not models:
        return
    highest = max(float(np.max(profile)) for model in models for profile in content.footprints[model].values())
    ylim = (0.0, 1.05 * max(highest, 1.05 * MAX_BIAS_RESPONSE))
    motifs = dict.fromkeys(motif for model in models for motif in content.footprints[model] if motif != CONTROL)
    for number, motif in enumerate(motifs):
        curves = {model: content.footprints[model][motif] for model in models if motif in content.footprints[model]}
        control = content.footprints[models[-1]].get(CONTROL)
        if control is not None:
            curves = {CONTROL: control, **curves}
        maxima = ", ".join(f"{MODEL_LABELS[model]} {bias_response(content.footprints[model], [motif])[motif]:.4f}"
                           for model in curves if model != CONTROL)
        yield _picture(pictures.footprint(curves, motif, ylim), f"footprint-{number}", "", f"Maximum: {maxima}.",
                       "small")


def _examples(content: ReportContent) -> Iterator[Picture]:
    for number, example in enumerate(content.examples):
        score = "" if example.norm_jsd is None else f" Normalised JSD {example.norm_jsd:.3f} (1 is perfect)."
        yield _picture(pictures.locus(example), f"locus-{number}", f"{example.label.capitalize()} · {example.locus}",
                       f"{np.sum(example.observed):,.0f} reads in {len(example.observed):,} bp.{score}", "wide")
    planted = next((example for example in content.examples if example.planted is not None), None)
    if planted is not None:
        yield _picture(pictures.planted_locus(planted), "planted", f"Planted and learnt · {planted.locus}",
                       "These data were simulated, so accessibility is known. The corrected profile should lie on the "
                       "planted one; the full model's spikes, cut off above, are enzyme bias.", "wide")


def _picture(figure: Any, name: str, title: str, caption: str, width: str = "") -> Picture:
    return Picture(Markup(pictures.write_svg(figure, name, f"{title or name}. {caption}")), title, caption, width)


# --- files -------------------------------------------------------------------------------------------------------


def write_pictures(content: ReportContent, folder: str | os.PathLike) -> list[Path]:
    """Write the PNG files of an evaluation folder that the content allows; their paths.

    ``<model>_only_peaks.counts_pearsonr.png`` and ``…profile_jsd.png`` (bias run: ``_only_nonpeaks`` too),
    ``epoch_loss.png`` and ``<model>.<motif>.footprint.png``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in _png_figures(content):
        paths.append(folder / name)
        pictures.write_png(figure, paths[-1])
    return paths


def _png_figures(content: ReportContent) -> Iterator[tuple[str, Any]]:
    for model, arrays in content.per_region.items():
        for group, rows in _groups_of_regions(arrays, content.kind):
            label = f"{MODEL_LABELS.get(model, model)}, {group}"
            colour = pictures.MODEL_COLOURS.get(model, "full")
            yield f"{model}_only_{group}.counts_pearsonr.png", pictures.counts_scatter(
                arrays["observed_logcounts"][rows], arrays["predicted_logcounts"][rows], label, colour)
            yield f"{model}_only_{group}.profile_jsd.png", pictures.jsd_histogram(
                arrays["jsd"][rows], arrays["chance_jsd"][rows], label, colour)
    trained = {model: rows for model, rows in content.history.items() if rows}
    for model, rows in trained.items():
        name = "epoch_loss.png" if model == (BIAS if content.kind == "bias" else FULL) else f"{model}.epoch_loss.png"
        yield name, pictures.loss_curves(rows, MODEL_LABELS.get(model, model))
    for model, profiles in content.footprints.items():
        for motif, profile in profiles.items():
            title = f"{motif}, {MODEL_LABELS.get(model, model)}"
            yield f"{model}.{motif.replace('/', '_')}.footprint.png", pictures.footprint(
                {model: profile}, title, threshold=is_enzyme_motif(motif))


def report_numbers(content: ReportContent) -> dict[str, Any]:
    """What ``report.json`` holds: verdicts and numbers, JSON-safe; arrays by region or base are left out."""
    verdicts = judge(content)
    shift = content.shift
    return _safe({
        "format": _FORMAT, "kind": content.kind, "title": content.title, "assay": content.assay,
        "overall": worst(verdicts), "summary": _summary(content, verdicts), "verdicts": verdicts,
        "not_judged": not_judged(content), "metrics": content.metrics, "selection": content.selection,
        "reads": content.reads, "genome_size": content.genome_size,
        "shift": shift and {"plus": shift.plus, "minus": shift.minus, "declared": shift.declared, "votes": shift.votes,
                            "reads": shift.reads},
        "background": content.background and {"wanted": content.background.wanted, "made": content.background.made},
        "history": content.history,
        "footprint_maxima": {model: bias_response(found) for model, found in content.footprints.items()},
        "truth": [{"name": check.name, "value": check.value, "bound": check.bound, "at_least": check.at_least,
                   "passed": check.passed, "note": check.note} for check in content.truth],
        "parameters": content.parameters, "provenance": content.provenance, "steps": content.steps})


def _safe(value: Any) -> Any:
    """The value as JSON's types; numbers that are not finite become None, unknown objects their text."""
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
