"""The sections of a run's report that have pictures, with the words that say what to look for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from chrombpnet_core._types import AnyArray
from chrombpnet_core.evaluation import CONTROL, MAX_BIAS_RESPONSE, THRESHOLDS, bias_response, format_response
from chrombpnet_core.models import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.motifs import MIN_MATCH_SIMILARITY
from chrombpnet_core.plots import (
    CONTRIBUTION_UNITS,
    MODEL_COLOURS,
    MOTIFS_IN_A_ROW,
    footprint_panels,
    share_limits,
    write_svg,
)
from chrombpnet_core.report import pictures
from chrombpnet_core.report.content import ExampleRegion, ReportContent
from chrombpnet_core.report.gc_match import gc_match
from chrombpnet_core.report.motif_tables import MotifTable, motif_tables

__all__ = ["Picture", "Section", "correlation_key", "groups_of_regions", "sections_of"]

_Group: TypeAlias = tuple[str, Mapping[str, AnyArray], str, AnyArray]
"""Model, its arrays, peaks or nonpeaks, and which of the regions these are."""

_JUDGED = {BIAS: "bias", FULL: "main"}  # model → what the keys of its thresholds begin with
_COUNTS_CAPTIONS = {
    BIAS: "The bias model should predict some of the differences between nonpeaks and none between peaks. In peaks, a cloud "
    "that falls from left to right is a warning.",
    FULL: "Each point is a region; on the dashed line, prediction and observation agree. A flat cloud means that the model "
    "predicts the same count for all regions.",
    CORRECTED: "Without the bias model: the cloud should look like that of the full model, and lie at most a little below.",
}


@dataclass(frozen=True)
class Picture:
    """Hold a picture of the report: the ``<svg>`` element, its title and what to look for.

    ``width`` is ``full`` for a picture that is as wide as paper, with its caption beside it where there is room; by default
    three stand in a line.
    """

    svg: Markup
    title: str
    caption: str
    width: str = ""


@dataclass(frozen=True)
class Section:
    """Hold pictures and motifs under one heading; ``short`` links to it, ``legend`` holds (palette name, words)."""

    short: str
    title: str
    caption: str
    pictures: list[Picture]
    legend: tuple[tuple[str, str], ...] = ()
    motifs: tuple[MotifTable, ...] = ()


def sections_of(content: ReportContent) -> list[Section]:
    """Draw the sections for which there is content."""
    makers = (_reads, _training, _predictions, _footprints, _motifs, _examples)
    sections = [make(content) for make in makers]
    return [section for section in sections if section.pictures or section.motifs]


def groups_of_regions(arrays: Mapping[str, AnyArray], kind: str) -> Iterator[tuple[str, AnyArray]]:
    """Part the regions of a model into peaks and, for a bias model's run, nonpeaks.

    Parameters
    ----------
    arrays
        ``is_peak``, bool ``(n,)``, and others.
    kind
        Of the report.

    Yields
    ------
    tuple
        ``peaks`` or ``nonpeaks``, and which regions these are, bool ``(n,)``; not where there are none.
    """
    is_peak = np.asarray(arrays["is_peak"], dtype=bool)
    for group, rows in (("peaks", is_peak), ("nonpeaks", ~is_peak)):
        if rows.any() and (group == "peaks" or kind == "bias"):
            yield group, rows


def correlation_key(model: str, group: str) -> str:
    """Find the threshold by which a model's correlation of counts in peaks or nonpeaks is judged; empty: there is none."""
    key = f"{_JUDGED.get(model)}_r_{group}"
    return key if key in THRESHOLDS else ""


def _reads(content: ReportContent) -> Section:
    drawn = []
    if content.insertion_pfm is not None:
        peak = "The motif of Tn5 is symmetric about the cut" if content.assay == "ATAC" else "DNase I's motif is at the cut"
        figure = pictures.insertion_logo(content.insertion_pfm)
        caption = (
            f"Sequence around insertions on the first validation chromosome. {peak}. A motif that is off centre or smeared "
            "means that the shift is wrong, or that reads of two shifts were mixed; no motif at all means another enzyme or "
            "too few reads."
        )
        drawn.append(_picture(figure, "logo", "Sequence preference of the enzyme", caption))
    if content.shift is not None and any(content.shift.votes.values()):
        caption = (
            "Each published reference matrix is slid along the motif around the reads' 5' ends and votes for the shift at "
            "which it matches best. All dots should fall into the grey band, the shift that was used."
        )
        drawn.append(_picture(pictures.shift_votes(content.shift), "shift", "Evidence for the read shift", caption))
    return Section("Reads", "The reads", "Do the reads show the enzyme's sequence preference, at the right place?", drawn)


def _training(content: ReportContent) -> Section:
    drawn, nonpeaks = [], content.nonpeaks
    if nonpeaks is not None and nonpeaks.gc_edges is not None:
        counts = {"peaks": nonpeaks.gc_peaks, "nonpeaks": nonpeaks.gc_nonpeaks}
        figure = gc_match(nonpeaks.gc_edges, {name: values for name, values in counts.items() if values is not None})
        caption = (
            "The two should lie on top of each other. Where they do not, a model can tell peaks from nonpeaks by their GC "
            "content alone."
        )
        drawn.append(_picture(figure, "gc", "GC content of peaks and nonpeaks", caption))
    for model, rows in content.history.items():
        if rows:
            title = f"Loss, {MODEL_LABELS.get(model, model)}"
            caption = (
                "Validation loss falls and then levels off or rises; the weights of the circled epoch were kept. Training "
                "loss that goes on falling afterwards is overfitting and does no harm here."
            )
            drawn.append(_picture(pictures.loss_curves(rows), f"loss-{model}", title, caption))
    return Section("Training", "Training", "Did training converge, and on comparable regions?", drawn)


def _predictions(content: ReportContent) -> Section:
    groups = [
        (model, arrays, group, rows)
        for model, arrays in content.per_region.items()
        for group, rows in groups_of_regions(arrays, content.kind)
    ]
    caption = (
        "Does the model predict how many insertions a region has (counts), and where in it they are (profiles)? Pictures of "
        "one kind have the same axes."
    )
    drawn = [*_counts(groups), *_distances(groups)]
    return Section("Predictions", "Counts and profiles on held-out chromosomes", caption, drawn)


def _counts(groups: Sequence[_Group]) -> list[Picture]:
    """Draw predicted against observed counts, all on the same axes."""
    names = ("observed_logcounts", "predicted_logcounts")
    counts = [tuple(arrays[name][rows] for name in names) for _, arrays, _, rows in groups]
    span = pictures.counts_span(*(values for pair in counts for values in pair))
    drawn = []
    for (model, _, group, _), (observed, predicted) in zip(groups, counts, strict=True):
        figure = pictures.counts_scatter(
            observed,
            predicted,
            colour=MODEL_COLOURS.get(model, "full"),
            span=span,
            key=correlation_key(model, group),
        )
        caption = _COUNTS_CAPTIONS.get(model, _COUNTS_CAPTIONS[FULL])
        if len(observed) > pictures.MOST_DOTS:
            caption += " The darker a square, the more regions lie in it; each shade stands for twice as many."
        title = f"Counts in {group}, {MODEL_LABELS.get(model, model)}"
        drawn.append(_picture(figure, f"counts-{model}-{group}", title, caption))
    return drawn


def _distances(groups: Sequence[_Group]) -> list[Picture]:
    """Draw distances of predicted from observed profiles, all on the same axes."""
    figures = [
        pictures.jsd_histogram(arrays["jsd"][rows], arrays["chance_jsd"][rows], colour=MODEL_COLOURS.get(model, "full"))
        for model, arrays, _, rows in groups
    ]
    share_limits(figures)
    caption = (
        "Distance of predicted from observed profiles: left is better. Lines are medians. Grey: each observed profile "
        "against itself shuffled, which is the level of chance. Regions with few reads lie at the right with any model."
    )
    return [
        _picture(figure, f"jsd-{model}-{group}", f"Profiles in {group}, {MODEL_LABELS.get(model, model)}", caption)
        for figure, (model, _, group, _) in zip(figures, groups, strict=True)
    ]


def _footprints(content: ReportContent) -> Section:
    footprints = {model: content.footprints[model] for model in MODEL_LABELS if content.footprints.get(model)}
    motifs = [*dict.fromkeys(motif for profiles in footprints.values() for motif in profiles if motif != CONTROL)]
    caption = "What the models predict where an enzyme motif is put into the middle of background sequences."
    if set(footprints) - {CORRECTED}:
        caption += f" The {MODEL_LABELS[BIAS if BIAS in footprints else FULL]} should answer with a spike."
    legend = [(MODEL_COLOURS[model], MODEL_LABELS[model]) for model in footprints] + [("chance", "no motif")]
    if CORRECTED in footprints:
        caption += (
            f" The {MODEL_LABELS[CORRECTED]} must stay flat, everywhere below the dashed line ({MAX_BIAS_RESPONSE}). It has "
            "an axis of its own, on which that line is seen; the other models share another."
        )
        legend.append(("fail", f"limit of the {MODEL_LABELS[CORRECTED]}, {MAX_BIAS_RESPONSE}"))
    highest = {model: max(bias_response(profiles, profiles).values()) for model, profiles in footprints.items()}
    drawn = []
    for first in range(0, len(motifs), MOTIFS_IN_A_ROW):
        shown = motifs[first : first + MOTIFS_IN_A_ROW]
        figure = footprint_panels(footprints, shown, content.footprint_errors, highest)
        drawn.append(_picture(figure, f"footprints-{first}", "", _maxima(content, shown), "full"))
    return Section("Footprints", "Footprints of enzyme motifs", caption, drawn, tuple(legend))


def _maxima(content: ReportContent, motifs: Sequence[str]) -> str:
    """Tell the highest point of each model's footprints of motifs, and what the bands are."""
    found = []
    for model, label in MODEL_LABELS.items():
        profiles = content.footprints.get(model, {})
        maxima = bias_response(profiles, [motif for motif in motifs if motif in profiles])
        numbers = ", ".join(f"{format_response(maximum)} ({motif})" for motif, maximum in maxima.items())
        found += [f"{label} {numbers}"] if numbers else []
    band = " Shaded: 95\N{NO-BREAK SPACE}% confidence interval of the mean over sequences."
    return f"Maxima: {'; '.join(found)}.{band if any(content.footprint_errors.values()) else ''}"


_MOTIFS_WANTED = {
    "bias": "The bias model should have learnt motifs of the enzyme only.",
    "main": "The corrected model should have learnt motifs of transcription factors only.",
    "dataset": "The bias model should have learnt motifs of the enzyme only, the corrected model motifs of transcription "
    "factors only.",
}
_MOTIFS_TITLES = {
    "bias": "Motifs that the bias model has learnt",
    "main": "Motifs that the corrected model has learnt",
    "dataset": "Motifs that the models have learnt",
}


def _motifs(content: ReportContent) -> Section:
    return Section(
        "Motifs",
        _MOTIFS_TITLES[content.kind],
        "Patterns that recur in the contributions of single bases, found by TF-MoDISco, and the number of their sites "
        "(seqlets). The height of a letter is the mean contribution of the base at that position (CWM); of the known motif "
        "beside it, the nearest one, on the same strand, it is the information in bits. q is the share of false matches to "
        "expect among known motifs that match as well; 0 is best. However small q is, a match only counts "
        f"where the base frequencies are alike (cosine {MIN_MATCH_SIMILARITY} or more). {_MOTIFS_WANTED[content.kind]}",
        [],
        motifs=motif_tables(content),
    )


_CORRECTED_TRACK = " The corrected track should be smooth, with dips where proteins protect the DNA."


def _examples(content: ReportContent) -> Section:
    model = MODEL_LABELS[BIAS if content.kind == "bias" else CORRECTED]
    limits = pictures.contribution_limits(content.examples)
    drawn = [_example(example, f"locus-{number}", model, limits) for number, example in enumerate(content.examples)]
    planted = next((example for example in content.examples if example.planted is not None), None)
    if planted is not None:
        caption = (
            "These data were simulated, so accessibility is known. The corrected model's profile should lie on the planted "
            "one; the spikes of the full model, cut off above, are enzyme bias."
        )
        title = f"Planted and predicted · {planted.locus}"
        drawn.append(_picture(pictures.planted_locus(planted), "planted", title, caption, "full"))
    return Section(
        "Examples",
        "Example regions",
        "Regions of the test chromosomes, each track on its own scale, contributions of all regions on one. Sharp spikes "
        "that observed reads and the bias model share come from the enzyme."
        f"{'' if content.kind == 'bias' else _CORRECTED_TRACK}",
        drawn,
    )


def _example(example: ExampleRegion, name: str, model: str, limits: tuple[float, float]) -> Picture:
    """One region, and what its letters mean where it has some: contributions to the profile that ``model`` predicts."""
    caption = f"{np.sum(example.observed):,.0f} reads in {len(example.observed):,} bp."
    if example.norm_jsd is not None:
        caption += f" Normalised JSD {example.norm_jsd:.3f} (1 is perfect)."
    if example.contributions is not None:
        caption += (
            f" Letters: contribution of each of the middle 200 bases (grey above) to the profile that the {model} "
            f"predicts, in {CONTRIBUTION_UNITS['profile']}; letters below the line work against it."
        )
    if example.genes is not None:
        caption += " Genes: boxes are exons, the arrow at a name is the direction of transcription."
    title = f"{example.label.capitalize()} · {example.locus}"
    return _picture(pictures.example_tracks(example, limits), name, title, caption, "full")


def _picture(figure: Figure, name: str, title: str, caption: str, width: str = "") -> Picture:
    return Picture(Markup(write_svg(figure, name, f"{title or name}. {caption}")), title, caption, width)
