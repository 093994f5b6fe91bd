"""Pictures that only the report of a run has: of reads, training, predictions, motifs and example regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chrombpnet_core._types import AnyArray
from chrombpnet_core.evaluation import pearson
from chrombpnet_core.genome import information_content
from chrombpnet_core.plots import LIGHT, draw_logo, draw_track, legend_above, one_panel, styled
from chrombpnet_core.report.content import ExampleRegion, MotifEntry, ShiftEvidence

__all__ = [
    "counts_scatter",
    "example_tracks",
    "insertion_logo",
    "jsd_histogram",
    "loss_curves",
    "motif_logos",
    "planted_locus",
    "shift_votes",
]


_DOTS = 1500  # points up to which a scatter plot shows each
_LETTERS, _STRIPS = 100, 2  # bases in a line of an example's contributions, and lines


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
    figure, axes = one_panel(5.4, 1.9)
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
    figure = Figure(figsize=(5.4, 2.4), layout="constrained")
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
            ylabel="match" if scores else "matrices",
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
        if not scores:
            axes.set(ylim=(-0.7, max(len(votes), 1) - 0.3), xlim=(used - 8, used + 8))
    return figure


@styled
def loss_curves(rows: Sequence[Mapping[str, Any]], label: str = "") -> Figure:
    """Draw training and validation loss by epoch, from 1; the epoch whose weights were kept is circled."""
    figure, axes = one_panel(3.6, 2.4, label)
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


@styled
def counts_scatter(observed: AnyArray, predicted: AnyArray, label: str = "", colour: str = "full") -> Figure:
    """Draw predicted against observed log counts ``(n,)``: dots, or hexagons by density where they are many."""
    figure, axes = one_panel(3.6, 3.2, label)
    low, high = float(min(observed.min(), predicted.min())), float(max(observed.max(), predicted.max()))
    pad = 0.04 * (high - low or 1.0)
    span = (low - pad, high + pad)
    axes.plot(span, span, color=LIGHT["muted"], lw=0.8, ls=(0, (4, 3)), zorder=3)
    if len(observed) <= _DOTS:
        axes.plot(observed, predicted, "o", ms=3, color=LIGHT[colour], alpha=0.45, mew=0)
    else:
        shades = LinearSegmentedColormap.from_list("", [(*to_rgb(LIGHT[colour]), alpha) for alpha in (0.12, 1.0)])
        axes.hexbin(observed, predicted, gridsize=44, mincnt=1, bins="log", cmap=shades, extent=(*span, *span), lw=0)
    r = f"r = {pearson(observed, predicted):.3f}".replace("-", "−")
    axes.text(0.03, 0.97, f"{r}\nn = {len(observed):,}", transform=axes.transAxes, va="top")
    axes.set(xlim=span, ylim=span, xlabel="observed ln(1 + reads)", ylabel="predicted", aspect="equal")
    return figure


@styled
def jsd_histogram(jsd: AnyArray, chance: AnyArray, label: str = "", colour: str = "full") -> Figure:
    """Draw the distribution of profile distances ``(n,)`` and of those of shuffled profiles; NaN is left out."""
    figure, axes = one_panel(3.6, 2.4, label)
    jsd, chance = jsd[np.isfinite(jsd)], chance[np.isfinite(chance)]
    bins = np.linspace(0, np.sqrt(np.log(2)), 61).tolist()
    for values, name, shade in ((chance, "shuffled", "chance"), (jsd, "predicted", colour)):
        if values.size:
            axes.hist(values, bins, color=LIGHT[shade], alpha=0.55, label=name, histtype="stepfilled", lw=0)
            axes.axvline(np.median(values), color=LIGHT[shade], lw=1.4)
    both = np.concatenate([jsd, chance])
    left = max(0.0, float(both.min()) - 0.03) if both.size else 0.0
    axes.set(xlabel="Jensen–Shannon distance (0 is perfect)", ylabel="regions", xlim=(left, bins[-1]))
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
def motif_logos(entry: MotifEntry) -> Figure:
    """Draw a motif's contribution weight matrix on both strands, side by side, on one scale."""
    figure = Figure(figsize=(5.2, 0.85), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, cwm, strand in zip(panels, (entry.cwm_fwd, entry.cwm_rev), ("forward", "reverse complement"), strict=True):
        draw_logo(axes, cwm)
        axes.set_title(strand, fontsize=8, color=LIGHT["muted"], pad=2)
        axes.set_axis_off()
    return figure


@styled
def example_tracks(example: ExampleRegion) -> Figure:
    """Draw the tracks of one region, one above the other, each on its own scale; contributions below, as letters.

    With contributions the picture is twice as wide, and the middle 200 bases stand in two lines on one scale.
    """
    contributions = example.contributions
    strips = 0 if contributions is None else _STRIPS
    tracks = [
        (getattr(example, name), label, colour) for name, label, colour in _TRACKS if getattr(example, name) is not None
    ]
    figure = Figure(figsize=(10.8 if strips else 5.4, 0.66 * len(tracks) + 0.45 + 1.25 * strips), layout="constrained")
    rows = figure.add_gridspec(len(tracks) + strips, 1, height_ratios=[1] * len(tracks) + [1.6] * strips)
    panels = [figure.add_subplot(rows[row, 0]) for row in range(len(tracks))]
    positions = np.arange(len(example.observed)) - len(example.observed) // 2
    if contributions is not None:
        _strips([figure.add_subplot(rows[len(tracks) + row, 0]) for row in range(strips)], contributions)
        for axes in panels:
            axes.axvspan(-strips * _LETTERS / 2, strips * _LETTERS / 2, color=LIGHT["rule"], alpha=0.45, lw=0, zorder=0)
    for axes, (values, label, colour) in zip(panels, tracks, strict=True):
        draw_track(axes, positions, values, label, colour)
        axes.tick_params(axis="x", length=3 if axes is panels[-1] else 0, labelbottom=axes is panels[-1])
    panels[-1].set_xlabel("distance to the summit (bp)")
    return figure


def _strips(panels: Sequence[Axes], contributions: AnyArray) -> None:
    """Draw the middle of contributions ``(M, 4)`` as letters, :data:`_LETTERS` bases in each of the panels."""
    shown = np.zeros((len(panels) * _LETTERS, 4))
    middle, centre = len(contributions) // 2, len(shown) // 2
    length = min(len(contributions), len(shown))
    shown[centre - length // 2 :][:length] = contributions[middle - length // 2 :][:length]
    limits = np.clip(shown, None, 0).sum(axis=1).min(), np.clip(shown, 0, None).sum(axis=1).max()
    for line, axes in enumerate(panels):
        start = line * _LETTERS
        draw_logo(axes, shown[start : start + _LETTERS], start - centre)
        axes.set_ylim(*(1.08 * limit for limit in limits) if limits[0] < limits[1] else (0, 1))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
        axes.set_ylabel("contribution")
    panels[-1].set_xlabel("distance to the summit (bp)")


@styled
def planted_locus(example: ExampleRegion) -> Figure:
    """Draw planted accessibility beside the bias-corrected and the full model's profile, each scaled to a sum of 1.

    The full model's spikes are cut off at twice the highest point of the others.
    """
    figure, axes = one_panel(5.4, 3.4)
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
