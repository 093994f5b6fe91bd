"""TODO."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from chrombpnet_core.training_data.nonpeaks import _BINS, _CLOSE, _bin_of

__all__ = ["plot_gc_match"]


def plot_gc_match(
    peaks: pd.DataFrame,
    free: pd.DataFrame,
    nonpeaks: pd.DataFrame,
    path: str | os.PathLike,
    stats: dict[str, dict[str, object]] | None = None,
) -> None:
    """Write a picture of the GC of peaks and nonpeaks.

    Parameters
    ----------
    peaks, free
        From :func:`peak_gc` and :func:`candidates`.
    nonpeaks
        From :func:`sample_nonpeaks`, drawn from ``free``.
    path
        Of the PNG.
    stats
        From :func:`sample_nonpeaks`, if the picture is to tell how well they match.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matched = nonpeaks[["chrom", "start"]].merge(free, on=["chrom", "start"], how="left")
    figure = Figure(figsize=(5.5, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    edges = (np.arange(_BINS + 1) - 0.5) / 100
    drawn = ((free, "candidates", "#dddddd"), (peaks, "peaks", "#D62839"), (matched, "nonpeaks", "#255C99"))
    for table, name, colour in drawn:
        share = np.bincount(_bin_of(table["gc"]), minlength=_BINS) / max(len(table), 1)
        axes.stairs(share, edges, color=colour, linewidth=1.5, label=f"{name} ({len(table):,})", fill=table is free)
    everything = pd.concat([table["gc"] for table in (free, peaks, matched)])
    axes.set(
        xlim=(max(everything.min() - 0.02, 0), min(everything.max() + 0.02, 1)),
        xlabel="GC fraction",
        ylabel="share of regions",
    )
    if stats:
        axes.set_title(_quality(stats), fontsize="small", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=150)


def _quality(stats: dict[str, dict[str, object]]) -> str:
    """One line on all parts together: shares of the nonpeaks wanted."""
    wanted = max(sum(numbers["wanted"] for numbers in stats.values()), 1)
    met = np.cumsum(np.sum([numbers["by_distance"] for numbers in stats.values()], axis=0)) / wanted
    close = min(round(_CLOSE * 100), len(met) - 1)
    return (
        f"{met[0]:.1%} of the peak's own GC, {met[close]:.1%} within ±{close / 100:.2f}, "
        f"{1 - met[-1]:.1%} of {wanted:,} missing"
    )
