"""What a report says and shows, in order: the sections that its HTML and PDF forms share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from chrombpnet_core.evaluation import CONTROL, MAX_BIAS_RESPONSE, STATUSES, THRESHOLDS, bias_response
from chrombpnet_core.models import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.plots import MODEL_COLOURS, footprint, write_svg
from chrombpnet_core.report import pictures
from chrombpnet_core.report.content import MOTIF_MODELS, MotifEntry, ReportContent, format_q_value
from chrombpnet_core.report.gc_match import gc_match
from chrombpnet_core.report.glossary import glossary
from chrombpnet_core.report.rules import Verdict
from chrombpnet_core.report.tables import Table, tables
from chrombpnet_core.report.verdicts import judge, not_judged, worst

__all__ = [
    "STATUS_MARKS",
    "STATUS_WORDS",
    "Group",
    "MotifLine",
    "MotifTable",
    "Page",
    "Picture",
    "groups_of_regions",
    "motif_page",
    "page_of",
    "summary",
]

_KIND_WORDS = {"bias": "bias model", "main": "main model", "dataset": "bias and main model"}
_ASSAYS = {"ATAC": "ATAC-seq", "DNASE": "DNase-seq"}
STATUS_WORDS = {"fail": "failed", "warn": "warning", "pass": "passed", "info": "info"}
STATUS_MARKS = {"fail": "✕", "warn": "!", "pass": "✓", "info": "i"}
_COUNTS_CAPTIONS = {
    BIAS: "The bias model should know a little about background and nothing about peaks: a cloud that leans the other "
    "way in peaks is a warning.",
    FULL: "Each point is a region; on the dashed line prediction and reads agree. A flat cloud means that the model "
    "predicts the same for all.",
    CORRECTED: "Without the bias model: the cloud should be the full model's, at most a little below it.",
}
_HEADS = {"profile": "to the profile's shape", "counts": "to the log counts"}
_MOTIFS_SHOWN = 50
_MATCHES_SHOWN = 3
_MOTIF_KINDS = {"enzyme": "the enzyme's", "tf": "transcription factor", "unmatched": "no known motif"}


@dataclass(frozen=True)
class Picture:
    """A picture of the report: the ``<svg>`` element, its title and what to look for.

    ``width`` is a CSS class: ``small``, ``wide`` or ``full``; by default a third of a line.
    """

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
    motifs: tuple[MotifTable, ...] = ()


@dataclass(frozen=True)
class MotifLine:
    """A motif: its name, how often it was seen, its kind in words, whether that is a finding (a status, or nothing), both
    strands as ``<svg>``, names and q-values of its matches."""

    pattern: str
    seqlets: str
    kind: str
    status: str
    svg: Markup
    matches: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MotifTable:
    """The motifs of one explanation; ``note`` says what is not in the table, all of it where there is none."""

    title: str
    lines: list[MotifLine]
    note: str = ""


@dataclass(frozen=True)
class Page:
    """What both forms of the report show, in this order."""

    title: str
    subtitle: str
    overall: str
    summary: str
    verdicts: list[Verdict]
    counts: dict[str, int]
    not_judged: list[str]
    groups: list[Group]
    tables: list[Table]
    glossary: list[tuple[str, str]]


def page_of(content: ReportContent) -> Page:
    """Lay a report out."""
    verdicts = judge(content)
    groups = [group for group in _groups(content) if group.pictures or group.motifs]
    page = Page(
        content.title,
        f"{_ASSAYS.get(content.assay, content.assay)} · {_KIND_WORDS[content.kind]}",
        worst(verdicts),
        summary(content, verdicts),
        verdicts,
        {status: sum(verdict.status == status for verdict in verdicts) for status in STATUSES},
        not_judged(content),
        groups,
        tables(content),
        [],
    )
    return _with_glossary(page)


def motif_page(content: ReportContent, key: str) -> Page:
    """A page of the motifs of one explanation, ``key`` of :attr:`ReportContent.motifs`, and the verdict on them alone."""
    alone = ReportContent(content.kind, content.title, content.assay, motifs={key: content.motifs[key]})
    return _with_glossary(replace(page_of(alone), not_judged=[], glossary=[]))


def _with_glossary(page: Page) -> Page:
    """The page, and the terms in it explained."""
    return replace(page, glossary=glossary(" ".join(_texts(asdict(page)))))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def summary(content: ReportContent, verdicts: list[Verdict]) -> str:
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
    yield Group(
        "Reads", "The reads", "Is this the enzyme's library, and are its cuts where they belong?", list(_reads(content))
    )
    yield Group("Training", "Training", "Did the models settle, and on comparable regions?", list(_training(content)))
    yield Group(
        "Predictions",
        "Counts and profiles on chromosomes the models never saw",
        "How many cuts, and where in the region?",
        list(_predictions(content)),
    )
    models = [model for model in MODEL_LABELS if content.footprints.get(model)]
    yield Group(
        "Footprints",
        "Does the enzyme still leave footprints?",
        "Enzyme motifs put into the middle of background sequences. The bias model answers with a spike; the "
        "corrected model must stay flat and below the dashed line (0.003). The same scale in every panel.",
        list(_footprints(content, models)),
        (*((MODEL_COLOURS[model], MODEL_LABELS[model]) for model in models), ("chance", "no motif")),
    )
    yield Group(
        "Motifs",
        "What the models go by",
        "Patterns that recur in the contributions of single bases, found by TF-MoDISco in so many places (seqlets). "
        "A letter's height is what the base contributes there on average (CWM); q says how far a match to a known "
        "motif can be trusted, 0 is best; however small it is, motifs whose base frequencies differ (cosine below "
        "0.6) are not taken for one another. The bias model must go by the enzyme alone, the corrected model by "
        "proteins alone.",
        [],
        motifs=tuple(_motif_tables(content)),
    )
    yield Group(
        "Examples",
        "Example regions",
        "Regions of the test chromosomes, each track on its own scale. Sharp spikes of the observed reads that "
        "come back in the bias track are the enzyme's; the corrected track should be smooth, with dips where "
        "proteins sit.",
        list(_examples(content)),
    )


def _reads(content: ReportContent) -> Iterator[Picture]:
    if content.insertion_pfm is not None:
        peak = "Tn5's motif is symmetric about the cut" if content.assay == "ATAC" else "DNase I's sits at the cut"
        yield _picture(
            pictures.insertion_logo(content.insertion_pfm),
            "logo",
            "What the enzyme likes to cut",
            f"Sequence around insertions, of the first validation chromosome. {peak}: a motif that is off "
            "centre or smeared means a wrong shift or two mixed ones; none at all means that it is not this "
            "enzyme, or too few reads.",
            "wide",
        )
    if content.shift is not None and any(content.shift.votes.values()):
        yield _picture(
            pictures.shift_votes(content.shift),
            "shift",
            "Votes on the read shift",
            "Every published reference matrix is slid along the reads' own motif. All dots must fall into "
            "the grey band, the shift that was used.",
            "wide",
        )


def _training(content: ReportContent) -> Iterator[Picture]:
    background = content.nonpeaks
    if background is not None and background.gc_edges is not None:
        yield _picture(
            gc_match(background.gc_edges, {"peaks": background.gc_peaks, "nonpeaks": background.gc_nonpeaks}),
            "gc",
            "GC content of peaks and nonpeaks",
            "The two should lie on top of each other. Where they part, the models can tell peaks by their GC content alone.",
        )
    for model, rows in content.history.items():
        if rows:
            label = MODEL_LABELS.get(model, model)
            yield _picture(
                pictures.loss_curves(rows),
                f"loss-{model}",
                f"Loss, {label}",
                "Validation loss falls, then turns; the ringed epoch's weights were kept. Training loss "
                "that goes on falling after it is overfitting, which costs nothing here.",
            )


def _predictions(content: ReportContent) -> Iterator[Picture]:
    shown = [
        (model, arrays, group, rows)
        for model, arrays in content.per_region.items()
        for group, rows in groups_of_regions(arrays, content.kind)
    ]
    for model, arrays, group, rows in shown:
        yield _picture(
            pictures.counts_scatter(
                arrays["observed_logcounts"][rows],
                arrays["predicted_logcounts"][rows],
                colour=MODEL_COLOURS.get(model, "full"),
            ),
            f"counts-{model}-{group}",
            f"Counts in {group}, {MODEL_LABELS.get(model, model)}",
            _COUNTS_CAPTIONS.get(model, _COUNTS_CAPTIONS[FULL]),
        )
    for model, arrays, group, rows in shown:
        yield _picture(
            pictures.jsd_histogram(arrays["jsd"][rows], arrays["chance_jsd"][rows], colour=MODEL_COLOURS.get(model, "full")),
            f"jsd-{model}-{group}",
            f"Profiles in {group}, {MODEL_LABELS.get(model, model)}",
            "Distance of prediction and reads: left is better. Lines are medians; grey is each region's reads against "
            "their own shuffle, what guessing gives. Shallow regions lie right whatever the model.",
        )


def groups_of_regions(arrays: Mapping[str, np.ndarray], kind: str) -> Iterator[tuple[str, np.ndarray]]:
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
        maxima = ", ".join(
            f"{MODEL_LABELS[model]} {bias_response(content.footprints[model], [motif])[motif]:.4f}"
            for model in curves
            if model != CONTROL
        )
        errors = {model: found[motif] for model, found in content.footprint_errors.items() if motif in found}
        if control is not None and CONTROL in content.footprint_errors.get(models[-1], {}):
            errors[CONTROL] = content.footprint_errors[models[-1]][CONTROL]
        band = " Shaded: 95\N{NO-BREAK SPACE}% confidence interval of the mean over sequences." if errors else ""
        yield _picture(
            footprint(curves, motif, ylim, threshold=True, errors=errors, legend=False),
            f"footprint-{number}",
            "",
            f"Maximum: {maxima}.{band}",
            "small",
        )


def _motif_tables(content: ReportContent) -> Iterator[MotifTable]:
    for number, (key, entries) in enumerate(content.motifs.items()):
        model, _, head = key.partition(" ")
        label = MODEL_LABELS.get(MOTIF_MODELS.get(model, ""), model)
        title = f"{label[:1].upper()}{label[1:]}, contributions {_HEADS.get(head, f'to {head}')}"
        shown = sorted(entries, key=lambda entry: -entry.seqlets)[:_MOTIFS_SHOWN]
        note = "No motif was found: nothing recurs in these contributions." if not entries else ""
        if len(entries) > len(shown):
            note = f"The {len(shown)} seen most often of {len(entries)}; motifs.json has all."
        yield MotifTable(
            title,
            [_motif_line(entry, f"motif-{number}-{i}", MOTIF_MODELS.get(model, "")) for i, entry in enumerate(shown)],
            note,
        )


def _motif_line(entry: MotifEntry, name: str, model: str) -> MotifLine:
    """The kind is a finding where the model must not know it."""
    status = ""
    if model == BIAS and entry.kind == "tf":
        status = THRESHOLDS["bias_motifs"].status(entry.q)
    elif model == CORRECTED and entry.kind == "enzyme":
        status = "fail"
    alt = f"{entry.pattern}: contribution weights of {len(entry.cwm_fwd)} bases, forward and reverse complement."
    return MotifLine(
        entry.pattern,
        f"{entry.seqlets:,}",
        _MOTIF_KINDS.get(entry.kind, entry.kind),
        status if status != "pass" else "",
        Markup(write_svg(pictures.motif_logos(entry), name, alt)),
        tuple((match, format_q_value(q)) for match, q in entry.matches[:_MATCHES_SHOWN]),
    )


def _examples(content: ReportContent) -> Iterator[Picture]:
    for number, example in enumerate(content.examples):
        score = "" if example.norm_jsd is None else f" Normalised JSD {example.norm_jsd:.3f} (1 is perfect)."
        explained = (
            ""
            if example.contributions is None
            else (
                " Letters: what each of the middle 200 bases (grey above) contributes to the profile that the "
                f"{MODEL_LABELS[BIAS if content.kind == 'bias' else CORRECTED]} predicts; below the line it works "
                "against it."
            )
        )
        yield _picture(
            pictures.locus(example),
            f"locus-{number}",
            f"{example.label.capitalize()} · {example.locus}",
            f"{np.sum(example.observed):,.0f} reads in {len(example.observed):,} bp.{score}{explained}",
            "full" if explained else "wide",
        )
    planted = next((example for example in content.examples if example.planted is not None), None)
    if planted is not None:
        yield _picture(
            pictures.planted_locus(planted),
            "planted",
            f"Planted and learnt · {planted.locus}",
            "These data were simulated, so accessibility is known. The corrected profile should lie on the "
            "planted one; the full model's spikes, cut off above, are enzyme bias.",
            "wide",
        )


def _picture(figure: Any, name: str, title: str, caption: str, width: str = "") -> Picture:
    return Picture(Markup(write_svg(figure, name, f"{title or name}. {caption}")), title, caption, width)
