"""Pictures of how well the GC content of nonpeaks matches that of the peaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from chrombpnet_core._types import AnyArray
from chrombpnet_core.plots import LIGHT, PICTURE_WIDTH, legend_above, one_panel, styled
from chrombpnet_core.training_data import CLOSE_GC, GC_EDGES, gc_histogram

__all__ = ["gc_match", "gc_match_of_regions"]

_LOOKS = {"candidates": ("rule", True), "nonpeaks": ("observed", True), "peaks": ("full", False)}
"""What is drawn, behind to front: colour, and whether the area below is filled."""


@styled
def gc_match(
    edges: AnyArray,
    counts: Mapping[str, AnyArray],
    title: str = "",
    labels: Mapping[str, str] | None = None,
    size: tuple[float, float] = (PICTURE_WIDTH, 2.6),
) -> Figure:
    """Draw distributions of GC content, one over the other.

    Parameters
    ----------
    edges
        Edges of GC-fraction bins, ``(k + 1,)``.
    counts
        ``candidates``, ``nonpeaks``, ``peaks`` → regions in each bin, ``(k,)``; any of them.
    title
        Above the panel.
    labels
        What the legend calls them, where not by these names.
    size
        Of the figure, inches.

    Returns
    -------
    Figure
        One panel.
    """
    figure, axes = one_panel(*size, title)
    edges = np.asarray(edges, dtype=float)
    drawn = {name: np.asarray(counts[name], dtype=float) for name in _LOOKS if name in counts}
    for name, regions in drawn.items():
        colour, fill = _LOOKS[name]
        share = regions / max(float(regions.sum()), 1.0)
        label = (labels or {}).get(name, name)
        axes.stairs(share, edges, color=LIGHT[colour], fill=fill, alpha=0.5 if fill else 1, lw=1.6, label=label)
    used = np.flatnonzero(np.sum(list(drawn.values()), axis=0))
    if used.size:
        axes.set_xlim(edges[max(used[0] - 1, 0)], edges[min(used[-1] + 2, len(edges) - 1)])
    axes.set(xlabel="GC fraction", ylabel="share of regions", ylim=(0, None))
    legend_above(axes)
    return figure


def gc_match_of_regions(
    peaks: pd.DataFrame,
    candidates: pd.DataFrame,
    nonpeaks: pd.DataFrame,
    stats: Mapping[str, Mapping[str, Any]] | None = None,
) -> Figure:
    """Draw the GC content of peaks, of the windows that might be nonpeaks, and of the nonpeaks drawn from these.

    Parameters
    ----------
    peaks
        Table of :func:`~chrombpnet_core.training_data.peak_gc`, with a column ``gc``.
    candidates
        Table of the windows that might be nonpeaks, with a column ``gc``.
    nonpeaks
        Table of :func:`~chrombpnet_core.training_data.sample_nonpeaks`.
    stats
        Its second result: how well they match is then told above the picture.

    Returns
    -------
    Figure
        One panel.
    """
    matched = nonpeaks[["chrom", "start"]].merge(candidates, on=["chrom", "start"], how="left")
    tables = {"candidates": candidates, "nonpeaks": matched, "peaks": peaks}
    counts = {name: gc_histogram(table["gc"]) for name, table in tables.items()}
    labels = {name: f"{name} ({len(table):,})" for name, table in tables.items()}
    return gc_match(GC_EDGES, counts, _match_in_words(stats) if stats else "", labels, (5.5, 3.2))


def _match_in_words(stats: Mapping[str, Mapping[str, Any]]) -> str:
    """One line on training, validation and test chromosomes together: shares of the nonpeaks wanted."""
    wanted = max(sum(numbers["wanted"] for numbers in stats.values()), 1)
    within = np.cumsum(np.sum([numbers["by_distance"] for numbers in stats.values()], axis=0)) / wanted
    close = min(round(CLOSE_GC * 100), len(within) - 1)
    return (
        f"{within[0]:.1%} of the peak's own GC, {within[close]:.1%} within ±{close / 100:.2f}, "
        f"{1 - within[-1]:.1%} of {wanted:,} missing"
    )
