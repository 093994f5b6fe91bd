"""Pictures that only the report of a run has: of reads, training, predictions and example regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from chrombpnet_core._types import AnyArray
from chrombpnet_core.evaluation import THRESHOLDS, pearson
from chrombpnet_core.genome import information_content
from chrombpnet_core.plots import (
    CONTRIBUTION_UNITS,
    LIGHT,
    PAGE_WIDTH,
    PICTURE_WIDTH,
    GeneRows,
    draw_genes,
    draw_logo,
    draw_track,
    gene_rows,
    legend_above,
    one_panel,
    styled,
)
from chrombpnet_core.report.content import ExampleRegion, ShiftEvidence

__all__ = [
    "MOST_DOTS",
    "contribution_limits",
    "counts_scatter",
    "counts_span",
    "example_tracks",
    "insertion_logo",
    "jsd_histogram",
    "loss_curves",
    "planted_locus",
    "shift_votes",
]


MOST_DOTS = 1500
"""Regions up to which a scatter plot shows each as a dot; more are shown by density."""

_SQUARES = 48  # along an axis, in which regions are counted for their density
_LETTERS, _STRIPS = 100, 2  # bases in a line of an example's contributions, and lines
_TRACK, _STRIP, _BELOW = 0.45, 0.78, 0.38  # inches: of a track, of a line of letters, for an axis and its label


@styled
def insertion_logo(pfm: AnyArray) -> Figure:
    """Draw the base frequencies around insertions as a logo of information content.

    Parameters
    ----------
    pfm
        Base frequencies, ``(24, 4)``; the base in the middle is that of the insertion, 0 on the x axis.

    Returns
    -------
    Figure
        One panel.
    """
    figure, axes = one_panel(PICTURE_WIDTH, 1.9)
    heights = np.asarray(pfm) * information_content(pfm)[:, None]
    middle = len(heights) // 2
    draw_logo(axes, heights, start=-middle)
    top = max(0.1, float(heights.sum(axis=1).max()) * 1.05)
    axes.set(xlabel="distance to the insertion (bp)", ylabel="bits", ylim=(0, top))
    axes.axvline(0, color=LIGHT["muted"], lw=0.7, ls=(0, (3, 3)), zorder=0)
    return figure


@styled
def shift_votes(shift: ShiftEvidence) -> Figure:
    """Draw each reference matrix's vote on the read shift, and its match scores where known; a panel for each strand."""
    figure = Figure(figsize=(PICTURE_WIDTH, 2.4), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, strand, used, colour in zip(panels, "+-", (shift.plus, shift.minus), ("full", "bias"), strict=True):
        votes, scores = shift.votes.get(strand, {}), shift.scores.get(strand, {})
        axes.axvspan(used - 0.5, used + 0.5, color=LIGHT["rule"], alpha=0.7, lw=0, zorder=0)
        for row, (name, vote) in enumerate(votes.items()):
            if name in scores:
                shifts, score = scores[name]
                span = np.ptp(score) or 1.0
                axes.plot(shifts, (score - np.min(score)) / span, color=LIGHT[colour], lw=1.1, alpha=0.7)
                axes.plot(vote, 1, "o", color=LIGHT[colour], ms=4)
            else:
                axes.plot(vote, row, "o", color=LIGHT[colour], ms=5)
        axes.set(
            title=f"{'plus' if strand == '+' else 'minus'} strand",
            yticks=[],
            xlabel="shift (bp)",
            ylabel="" if strand == "-" else "match" if scores else "matrices",
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
        if not scores:
            axes.set(ylim=(-0.7, max(len(votes), 1) - 0.3), xlim=(used - 8, used + 8))
    return figure


@styled
def loss_curves(rows: Sequence[Mapping[str, Any]], label: str = "") -> Figure:
    """Draw training and validation loss by epoch, from 1; the epoch whose weights were kept is circled."""
    figure, axes = one_panel(PICTURE_WIDTH, 2.6, label)
    epochs = np.array([row["epoch"] for row in rows]) + 1
    for key, colour, name in (("loss", "chance", "training"), ("val_loss", "full", "validation")):
        values = np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)
        axes.plot(epochs, values, color=LIGHT[colour], label=name, marker="o", ms=3)
        for epoch, value, row in zip(epochs, values, rows, strict=True):
            if row.get("best") and key == "val_loss":
                axes.axvline(epoch, color=LIGHT["rule"], lw=1, zorder=0)
                axes.plot(epoch, value, "o", ms=8, mfc="none", mec=LIGHT["full"], mew=1.4, label="kept")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes)
    return figure


def counts_span(*counts: AnyArray) -> tuple[float, float]:
    """Find limits that hold log counts ``(n,)``, observed and predicted ones, for both axes of :func:`counts_scatter`."""
    finite = np.concatenate([values[np.isfinite(values)] for values in map(np.asarray, counts)] or [np.zeros(0)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    pad = 0.04 * (high - low or 1.0)
    return low - pad, high + pad


@styled
def counts_scatter(
    observed: AnyArray,
    predicted: AnyArray,
    label: str = "",
    colour: str = "full",
    span: tuple[float, float] | None = None,
    key: str = "",
) -> Figure:
    """Draw predicted against observed log counts, with the line on which they agree.

    Parameters
    ----------
    observed
        ``(n,)``.
    predicted
        ``(n,)``.
    label
        Above the panel.
    colour
        Name in the palette.
    span
        Limits of both axes; by default those of :func:`counts_span`.
    key
        Of the threshold that r is judged by: r is shown with the decimals that tell on which side it lies.

    Returns
    -------
    Figure
        Dots, or squares by density where there are more than :data:`MOST_DOTS`.
    """
    figure, axes = one_panel(PICTURE_WIDTH, 3.2, label)
    span = span or counts_span(observed, predicted)
    axes.plot(span, span, color=LIGHT["muted"], lw=0.8, ls=(0, (4, 3)), zorder=3)
    if len(observed) <= MOST_DOTS:
        axes.plot(observed, predicted, "o", ms=3, color=LIGHT[colour], alpha=0.45, mew=0)
    else:
        _draw_density(axes, observed, predicted, span, colour)
    r = pearson(observed, predicted)
    digits = THRESHOLDS[key].digits(r) if key else 3
    shown = f"r = {r:.{digits}f}".replace("-", "−") if np.isfinite(r) else "r undefined"
    axes.text(0.03, 0.97, f"{shown}\nn = {len(observed):,}", transform=axes.transAxes, va="top")
    axes.set(xlim=span, ylim=span, xlabel="observed ln(1 + reads)", ylabel="predicted", aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5))
    return figure


def _draw_density(axes: Axes, x: AnyArray, y: AnyArray, span: tuple[float, float], colour: str) -> None:
    """Count points in squares; each doubling is a shade darker, and one path, whose size no number of points changes."""
    edges = np.linspace(*span, _SQUARES + 1)
    counts = np.histogram2d(x, y, bins=(edges, edges))[0].astype(int)
    shades = np.where(counts > 0, np.floor(np.log2(np.maximum(counts, 1))), -1)
    width = edges[1] - edges[0]
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) * width
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    darkest = shades.max(initial=0)
    for shade in range(int(darkest) + 1):
        squares = np.argwhere(shades == shade)
        if squares.size:
            vertices = (edges[0] + squares * width)[:, None] + corners
            path = Path(vertices.reshape(-1, 2), codes * len(squares))
            alpha = 0.15 + 0.85 * (shade + 1) / (darkest + 1)
            axes.add_artist(PathPatch(path, facecolor=LIGHT[colour], alpha=min(alpha, 1.0), lw=0))


@styled
def jsd_histogram(jsd: AnyArray, chance: AnyArray, label: str = "", colour: str = "full") -> Figure:
    """Draw the distribution of profile distances ``(n,)`` and of those of shuffled profiles; NaN is left out."""
    figure, axes = one_panel(PICTURE_WIDTH, 2.6, label)
    jsd, chance = jsd[np.isfinite(jsd)], chance[np.isfinite(chance)]
    bins = np.linspace(0, np.sqrt(np.log(2)), 61).tolist()
    for values, name, shade in ((chance, "shuffled", "chance"), (jsd, "predicted", colour)):
        if values.size:
            axes.hist(values, bins, color=LIGHT[shade], alpha=0.55, label=name, histtype="stepfilled", lw=0)
            axes.axvline(np.median(values), color=LIGHT[shade], lw=1.4)
    both = np.concatenate([jsd, chance])
    left = max(0.0, float(both.min()) - 0.03) if both.size else 0.0
    axes.set(xlabel="Jensen–Shannon distance (0 is best)", ylabel="regions", xlim=(left, bins[-1]))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    if both.size:
        legend_above(axes)
    return figure


_TRACKS = (
    ("observed", "observed reads", "observed"),
    ("predicted", "full model", "full"),
    ("bias", "bias model: enzyme bias alone", "bias"),
    ("corrected", "corrected model: accessibility alone", "corrected"),
    ("planted", "planted accessibility (truth)", "planted"),
)


@styled
def example_tracks(example: ExampleRegion, limits: tuple[float, float] | None = None) -> Figure:
    """Draw the tracks of one region, one above the other, each on its own scale; below them genes, and contributions.

    Parameters
    ----------
    example
        The region. Of its contributions the middle 200 bases are shown, as letters in two lines.
    limits
        Of the axes of the letters, such as those of all examples; by default :func:`contribution_limits` of this one.

    Returns
    -------
    Figure
        A panel for each track, one for the genes where they are known, two for the letters where there are any.
    """
    contributions, width = example.contributions, len(example.observed)
    strips = 0 if contributions is None else _STRIPS
    tracks = [
        (getattr(example, name), label, colour) for name, label, colour in _TRACKS if getattr(example, name) is not None
    ]
    window = example.chrom, example.start, example.start + width
    genes = None if example.genes is None else gene_rows(example.genes, *window, PAGE_WIDTH - 1)
    heights = [_TRACK] * len(tracks) + ([] if genes is None else [genes.height]) + [_STRIP] * strips
    figure = Figure(figsize=(PAGE_WIDTH, sum(heights) + (2.4 if strips else 1) * _BELOW), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    panels = [figure.add_subplot(grid[row, 0]) for row in range(len(heights))]
    upper = panels[: len(panels) - strips]
    _draw_upper(upper, example, tracks, genes)
    if contributions is not None:
        _strips(panels[len(upper) :], contributions, limits or contribution_limits([example]))
        for axes in upper:
            axes.axvspan(-strips * _LETTERS / 2, strips * _LETTERS / 2, color=LIGHT["rule"], alpha=0.45, lw=0, zorder=0)
    return figure


def _draw_upper(
    panels: Sequence[Axes], example: ExampleRegion, tracks: Sequence[tuple[AnyArray, str, str]], genes: GeneRows | None
) -> None:
    """Draw tracks, and genes below them, by distance to the summit."""
    middle = len(example.observed) // 2
    for axes, (values, label, colour) in zip(panels, tracks, strict=False):
        draw_track(axes, np.arange(len(values)) - middle, values, label, colour)
    if genes is not None:
        draw_genes(panels[-1], genes, example.start + middle)
    for axes in panels:
        axes.tick_params(axis="x", length=3 if axes is panels[-1] else 0, labelbottom=axes is panels[-1])
    panels[-1].set_xlabel("distance to the summit (bp)")


def contribution_limits(examples: Sequence[ExampleRegion]) -> tuple[float, float]:
    """Find limits that hold the letters which are shown of all examples; 0 and 1 where all are 0."""
    shown = [_middle(example.contributions) for example in examples if example.contributions is not None]
    low = min((float(np.clip(letters, None, 0).sum(axis=1).min()) for letters in shown), default=0.0)
    high = max((float(np.clip(letters, 0, None).sum(axis=1).max()) for letters in shown), default=0.0)
    return (1.08 * low, 1.08 * high) if low < high else (0.0, 1.0)


def _middle(contributions: AnyArray) -> AnyArray:
    """Take the bases that are shown of contributions ``(M, 4)``; where there are none is blank."""
    shown = np.zeros((_STRIPS * _LETTERS, 4))
    middle, centre = len(contributions) // 2, len(shown) // 2
    length = min(len(contributions), len(shown))
    shown[centre - length // 2 :][:length] = contributions[middle - length // 2 :][:length]
    return shown


def _strips(panels: Sequence[Axes], contributions: AnyArray, limits: tuple[float, float]) -> None:
    """Draw the middle of contributions ``(M, 4)`` as letters, :data:`_LETTERS` bases in each of the panels."""
    shown = _middle(contributions)
    for line, axes in enumerate(panels):
        start = line * _LETTERS
        draw_logo(axes, shown[start : start + _LETTERS], start - len(shown) // 2)
        axes.set_ylim(*limits)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    panels[0].set_title(f"contribution to the profile ({CONTRIBUTION_UNITS['profile']})", color=LIGHT["muted"], pad=2)
    panels[-1].set_xlabel("distance to the summit (bp)")


@styled
def planted_locus(example: ExampleRegion) -> Figure:
    """Draw planted accessibility beside the bias-corrected and the full model's profile, each scaled to a sum of 1.

    The full model's spikes are cut off at twice the highest point of the others.
    """
    figure, axes = one_panel(PAGE_WIDTH, 2.6)
    top = 0.0
    positions = np.arange(len(example.observed)) - len(example.observed) // 2
    for values, label, colour, width in (
        (example.predicted, "full model", "chance", 0.9),
        (example.planted, "planted accessibility", "planted", 2.4),
        (example.corrected, "corrected model", "corrected", 1.4),
    ):
        if values is not None:
            share = values / (np.sum(values) or 1.0)
            axes.plot(positions, share, color=LIGHT[colour], lw=width, label=label)
            top = top if label == "full model" else max(top, float(share.max()))
    axes.set(
        xlabel="distance to the summit (bp)",
        ylabel="share of insertions",
        ylim=(0, 2 * top or None),
        xlim=(positions[0], positions[-1]),
    )
    legend_above(axes)
    return figure
