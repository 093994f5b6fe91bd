"""The pictures of a report: matplotlib figures, as PNG files and as SVG that follows the reader's light or dark theme.

Colours come from one palette. In a PNG they are the light ones on white; in SVG each becomes a CSS variable of the
page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chrombpnet_core.evaluation.bias_response import MAX_BIAS_RESPONSE
from chrombpnet_core.evaluation.footprints import CONTROL, INTERVAL
from chrombpnet_core.evaluation.metrics import pearson
from chrombpnet_core.models.names import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.plots.logo import draw_logo, information_content
from chrombpnet_core.plots.style import _LIGHT, _axes, _legend, _styled
from chrombpnet_core.report.content import Background, Example, MotifEntry, ShiftEvidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "MODEL_COLOURS",
    "counts_scatter",
    "footprint",
    "gc_match",
    "insertion_logo",
    "jsd_histogram",
    "locus",
    "loss_curves",
    "motif_logos",
    "planted_locus",
    "shift_votes",
]


MODEL_COLOURS = {BIAS: "bias", FULL: "full", CORRECTED: "corrected"}
"""Model → name in :data:`PALETTE`."""

_DOTS = 1500  # points up to which a scatter plot shows each
_AROUND_MOTIF = 100  # bp on either side of a motif that a footprint shows
_TITLE = 30  # letters of a footprint's title that its picture has room for
_LETTERS, _STRIPS = 100, 2  # bases in a line of a locus' contributions, and lines


@_styled
def insertion_logo(pfm: np.ndarray) -> Figure:
    """Information-content logo of base frequencies ``(24, 4)`` around insertions; 0 is the base cut at."""
    figure, axes = _axes(5.4, 1.9)
    heights = np.asarray(pfm) * information_content(pfm)[:, None]
    middle = len(heights) // 2
    draw_logo(axes, heights, start=-middle)
    top = max(0.1, float(heights.sum(axis=1).max()) * 1.05)
    axes.set(xlabel="distance to the insertion (bp)", ylabel="bits", ylim=(0, top))
    axes.axvline(0, color=_LIGHT["muted"], lw=0.7, ls=(0, (3, 3)), zorder=0)
    return figure


@_styled
def shift_votes(shift: ShiftEvidence) -> Figure:
    """Each reference matrix's match scores over shifts where given, and its vote; a panel for each strand."""
    figure = Figure(figsize=(5.4, 2.4), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, strand, used, colour in zip(panels, "+-", (shift.plus, shift.minus), ("full", "bias"), strict=True):
        votes, scores = shift.votes.get(strand, {}), shift.scores.get(strand, {})
        axes.axvspan(used - 0.5, used + 0.5, color=_LIGHT["rule"], alpha=0.7, lw=0, zorder=0)
        for row, (name, vote) in enumerate(votes.items()):
            if name in scores:
                shifts, score = scores[name]
                span = np.ptp(score) or 1.0
                axes.plot(shifts, (score - np.min(score)) / span, color=_LIGHT[colour], lw=1.1, alpha=0.7)
                axes.plot(vote, 1, "o", color=_LIGHT[colour], ms=4)
            else:
                axes.plot(vote, row, "o", color=_LIGHT[colour], ms=5)
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


@_styled
def loss_curves(rows: Sequence[Mapping[str, Any]], label: str = "") -> Figure:
    """Training and validation loss by epoch (from 1); the epoch whose weights were kept is marked."""
    figure, axes = _axes(3.6, 2.4, label)
    epochs = np.array([row["epoch"] for row in rows]) + 1
    for key, colour, name in (("loss", "chance", "training"), ("val_loss", "full", "validation")):
        values = np.array([np.nan if row.get(key) is None else row[key] for row in rows], dtype=float)
        axes.plot(epochs, values, color=_LIGHT[colour], label=name, marker="o", ms=3)
        for epoch, value, row in zip(epochs, values, rows, strict=True):
            if row.get("best") and key == "val_loss":
                axes.axvline(epoch, color=_LIGHT["rule"], lw=1, zorder=0)
                axes.plot(epoch, value, "o", ms=8, mfc="none", mec=_LIGHT["full"], mew=1.4, label="kept")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes)
    return figure


@_styled
def counts_scatter(observed: np.ndarray, predicted: np.ndarray, label: str = "", colour: str = "full") -> Figure:
    """Predicted against observed log counts ``(n,)``: dots, or hexagons by density where they are many."""
    figure, axes = _axes(3.6, 3.2, label)
    low, high = float(min(observed.min(), predicted.min())), float(max(observed.max(), predicted.max()))
    pad = 0.04 * (high - low or 1.0)
    span = (low - pad, high + pad)
    axes.plot(span, span, color=_LIGHT["muted"], lw=0.8, ls=(0, (4, 3)), zorder=3)
    if len(observed) <= _DOTS:
        axes.plot(observed, predicted, "o", ms=3, color=_LIGHT[colour], alpha=0.45, mew=0)
    else:
        shades = LinearSegmentedColormap.from_list("", [(*to_rgb(_LIGHT[colour]), alpha) for alpha in (0.12, 1.0)])
        axes.hexbin(observed, predicted, gridsize=44, mincnt=1, bins="log", cmap=shades, extent=(*span, *span), lw=0)
    r = f"r = {pearson(observed, predicted):.3f}".replace("-", "−")
    axes.text(0.03, 0.97, f"{r}\nn = {len(observed):,}", transform=axes.transAxes, va="top")
    axes.set(xlim=span, ylim=span, xlabel="observed ln(1 + reads)", ylabel="predicted", aspect="equal")
    return figure


@_styled
def jsd_histogram(jsd: np.ndarray, chance: np.ndarray, label: str = "", colour: str = "full") -> Figure:
    """Distribution of the profile distance ``(n,)`` against that of shuffled profiles; NaN is left out."""
    figure, axes = _axes(3.6, 2.4, label)
    jsd, chance = jsd[np.isfinite(jsd)], chance[np.isfinite(chance)]
    bins = np.linspace(0, np.sqrt(np.log(2)), 61)
    for values, name, shade in ((chance, "shuffled", "chance"), (jsd, "predicted", colour)):
        if values.size:
            axes.hist(values, bins, color=_LIGHT[shade], alpha=0.55, label=name, histtype="stepfilled", lw=0)
            axes.axvline(np.median(values), color=_LIGHT[shade], lw=1.4)
    both = np.concatenate([jsd, chance])
    left = max(0.0, float(both.min()) - 0.03) if both.size else 0.0
    axes.set(xlabel="Jensen–Shannon distance (0 is perfect)", ylabel="regions", xlim=(left, bins[-1]))
    if both.size:
        _legend(axes)
    return figure


@_styled
def gc_match(background: Background) -> Figure:
    """GC content of peaks and of the nonpeaks that were matched to them, as densities."""
    figure, axes = _axes(3.6, 2.4)
    edges = np.asarray(background.gc_edges, dtype=float)
    for counts, colour, name in ((background.gc_nonpeaks, "observed", "nonpeaks"), (background.gc_peaks, "full", "peaks")):
        density = np.asarray(counts, dtype=float) / max(float(np.sum(counts)), 1.0)
        fill = colour == "observed"
        axes.stairs(density, edges, color=_LIGHT[colour], fill=fill, alpha=0.35 if fill else 1, lw=1.6, label=name)
    used = np.flatnonzero(np.asarray(background.gc_peaks) + np.asarray(background.gc_nonpeaks))
    if used.size:
        axes.set_xlim(edges[max(used[0] - 1, 0)], edges[min(used[-1] + 2, len(edges) - 1)])
    axes.set(xlabel="GC fraction", ylabel="share of regions", ylim=(0, None))
    _legend(axes)
    return figure


@_styled
def footprint(
    curves: Mapping[str, np.ndarray],
    title: str,
    ylim: tuple[float, float] | None = None,
    threshold: bool = True,
    errors: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """The 200 bp around a motif in one or more models' footprints.

    Parameters
    ----------
    curves
        Model, or ``control``, → profile ``(W,)``.
    title
        The motif's name.
    ylim
        To draw several motifs alike; by default from 0 to the highest curve.
    threshold
        Whether to mark the maximum below which bias counts as corrected, and keep it in view.
    errors
        Standard errors of some curves, ``(W,)``: a band of 1.96 of them on either side is the mean's 95 % interval.
    """
    if ylim is None:
        highest = max((float(np.max(profile)) for profile in curves.values()), default=0.0)
        ylim = (0.0, 1.05 * max(highest, 1.05 * MAX_BIAS_RESPONSE if threshold else 0.0) or 1.0)
    figure, axes = _axes(3.0, 2.2)
    for name, profile in curves.items():
        middle, half = len(profile) // 2, min(_AROUND_MOTIF, len(profile) // 2)
        colour = MODEL_COLOURS.get(name, "chance")
        positions, shown = np.arange(-half, half), slice(middle - half, middle + half)
        layer = 1 if name == CONTROL else 2
        axes.plot(positions, profile[shown], color=_LIGHT[colour], lw=1.3, label=MODEL_LABELS.get(name, name), zorder=layer)
        if errors and name in errors:
            half_width = INTERVAL * errors[name][shown]
            axes.fill_between(
                positions,
                profile[shown] - half_width,
                profile[shown] + half_width,
                color=_LIGHT[colour],
                alpha=0.25,
                lw=0,
                zorder=layer,
            )
    if threshold:
        axes.axhline(MAX_BIAS_RESPONSE, color=_LIGHT["fail"], lw=0.9, ls=(0, (4, 3)), zorder=0)
    short = title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"
    axes.set(title=short, xlabel="distance to the motif (bp)", ylabel="share of cuts", ylim=ylim)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    return figure


_TRACKS = (
    ("observed", "observed reads", "observed"),
    ("predicted", "full model", "full"),
    ("bias", "bias model: enzyme alone", "bias"),
    ("corrected", "corrected model: accessibility alone", "corrected"),
    ("planted", "planted accessibility (truth)", "planted"),
)


@_styled
def motif_logos(entry: MotifEntry) -> Figure:
    """A motif's contribution weight matrix on both strands, side by side, on one scale."""
    figure = Figure(figsize=(5.2, 0.85), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, cwm, strand in zip(panels, (entry.cwm_fwd, entry.cwm_rev), ("forward", "reverse complement"), strict=True):
        _letters(axes, cwm)
        axes.set_title(strand, fontsize=8, color=_LIGHT["muted"], pad=2)
        axes.set_axis_off()
    return figure


def _letters(axes: Axes, heights: np.ndarray, start: float = 0.0) -> None:
    """A logo whose line at zero follows the theme."""
    draw_logo(axes, heights, start)
    for line in axes.get_lines():
        line.set_color(_LIGHT["muted"])


@_styled
def locus(example: Example) -> Figure:
    """The tracks of one region, one above the other, each on its own scale; contributions below, as letters.

    With contributions the picture is twice as wide, and the middle 200 bases stand in two lines on one scale.
    """
    strips = 0 if example.contributions is None else _STRIPS
    tracks = [
        (getattr(example, name), label, colour) for name, label, colour in _TRACKS if getattr(example, name) is not None
    ]
    figure = Figure(figsize=(10.8 if strips else 5.4, 0.66 * len(tracks) + 0.45 + 1.25 * strips), layout="constrained")
    rows = figure.add_gridspec(len(tracks) + strips, 1, height_ratios=[1] * len(tracks) + [1.6] * strips)
    panels = [figure.add_subplot(rows[row, 0]) for row in range(len(tracks))]
    positions = np.arange(len(example.observed)) - len(example.observed) // 2
    if strips:
        _strips([figure.add_subplot(rows[len(tracks) + row, 0]) for row in range(strips)], example.contributions)
        for axes in panels:
            axes.axvspan(-strips * _LETTERS / 2, strips * _LETTERS / 2, color=_LIGHT["rule"], alpha=0.45, lw=0, zorder=0)
    for axes, (values, label, colour) in zip(panels, tracks, strict=True):
        top = float(np.max(values)) or 1.0
        axes.fill_between(positions, values, step="mid", color=_LIGHT[colour], lw=0.5)
        axes.set(ylim=(0, top * 1.45), yticks=[0, top], xlim=(positions[0], positions[-1]))
        axes.set_yticklabels(["0", f"{top:.3g}"])
        axes.text(0.006, 0.97, label, transform=axes.transAxes, va="top", color=_LIGHT[colour], weight="bold")
        axes.tick_params(axis="x", length=3 if axes is panels[-1] else 0, labelbottom=axes is panels[-1])
    panels[-1].set_xlabel("distance to the summit (bp)")
    return figure


def _strips(panels: Sequence[Axes], contributions: np.ndarray) -> None:
    """The middle of contributions ``(M, 4)`` as letters, a line of :data:`_LETTERS` bases in each of the panels."""
    shown = np.zeros((len(panels) * _LETTERS, 4))
    middle, centre = len(contributions) // 2, len(shown) // 2
    taken = min(len(contributions), len(shown))
    shown[centre - taken // 2 :][:taken] = contributions[middle - taken // 2 :][:taken]
    limits = np.clip(shown, None, 0).sum(axis=1).min(), np.clip(shown, 0, None).sum(axis=1).max()
    for line, axes in enumerate(panels):
        start = line * _LETTERS
        _letters(axes, shown[start : start + _LETTERS], start - centre)
        axes.set_ylim(*(1.08 * limit for limit in limits) if limits[0] < limits[1] else (0, 1))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
        axes.set_ylabel("contribution")
    panels[-1].set_xlabel("distance to the summit (bp)")


@_styled
def planted_locus(example: Example) -> Figure:
    """Planted accessibility beside the bias-corrected and the full model's profile, each scaled to a sum of 1.

    The full model's spikes are cut off at twice the highest point of the others.
    """
    figure, axes = _axes(5.4, 3.4)
    top = 0.0
    positions = np.arange(len(example.observed)) - len(example.observed) // 2
    for values, label, colour, width in (
        (example.predicted, "full model", "chance", 0.9),
        (example.planted, "planted accessibility", "planted", 2.4),
        (example.corrected, "corrected model", "corrected", 1.4),
    ):
        if values is not None:
            share = values / (np.sum(values) or 1.0)
            axes.plot(positions, share, color=_LIGHT[colour], lw=width, label=label)
            top = top if label == "full model" else max(top, float(share.max()))
    axes.set(
        xlabel="distance to the summit (bp)",
        ylabel="share of cuts",
        ylim=(0, 2 * top or None),
        xlim=(positions[0], positions[-1]),
    )
    _legend(axes)
    return figure
