"""TODO."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation.bias_response import MAX_BIAS_RESPONSE, by_enzyme
from chrombpnet_core.evaluation.footprints import CONTROL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["footprint_picture", "read_limits"]


_SHOWN_NAME = 24  # letters of a motif's name in the title of its picture


_SHOWN_LETTERS = 58  # of its sequence there; a letter of the name takes the place of one and a half


def read_limits(limits: str | Sequence[float | str] | None) -> tuple[float, float] | None:
    """Lower and upper limit of ``--ylim``: two numbers, or text such as ``0,0.01`` or ``(0, 0.01)``; None stays None.

    Raises
    ------
    InputError
        Where they are not two finite numbers, the smaller first.
    """
    if limits is None:
        return None
    parts = re.split(r"[,\s]+", limits.strip(" ()[]")) if isinstance(limits, str) else limits
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError("--ylim", expected="two numbers, the smaller first, such as 0,0.01", found=str(limits))
    return low, high


def footprint_picture(
    name: str,
    letters: str,
    profile: np.ndarray,
    control: np.ndarray,
    ylim: tuple[float, float] | None = None,
    label: str = "with the motif",
    errors: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> Figure:
    """The 200 bp around a motif, with and without it; the bases it takes are shaded.

    Parameters
    ----------
    name, letters
        Of the motif. An enzyme's own gets a line at :data:`MAX_BIAS_RESPONSE`.
    profile, control
        Footprints with and without it, ``(W,)``.
    ylim
        Limits of the y axis; by default from 0 to the highest point.
    label
        What the legend calls the footprint.
    errors
        Standard errors of both, ``(W,)``, for a band of the 95 % confidence interval of each.
    """
    from chrombpnet_core.models.names import FULL
    from chrombpnet_core.plots.style import PALETTE
    from chrombpnet_core.report.pictures import footprint

    is_enzyme = bool(by_enzyme([name]))
    known = {key: error for key, error in zip((FULL, CONTROL), errors, strict=True) if error is not None}
    figure = footprint({CONTROL: control, FULL: profile}, "", ylim, is_enzyme, known)
    figure.set_size_inches(5.6, 3.2)
    (axes,) = figure.axes
    if known:
        axes.set_xlabel("distance to the motif (bp); bands: 95 % confidence interval")
    ink, muted, rule = (PALETTE[key][0] for key in ("ink", "muted", "rule"))
    start = -(len(letters) // 2)
    axes.axvspan(start - 0.5, start + len(letters) - 0.5, color=rule, alpha=0.6, lw=0, zorder=0)
    title = _shortened(name, _SHOWN_NAME)
    axes.set_title(title, loc="left", color=ink, fontsize=11, weight="bold", pad=22)
    axes.set_title(
        _shortened(letters, _SHOWN_LETTERS - 3 * len(title) // 2),
        loc="right",
        color=muted,
        fontsize=8,
        family="monospace",
        pad=22,
    )
    without, with_motif, *threshold = axes.get_lines()
    labels = {with_motif: f"{label}, at most {profile.max():.4f}", without: f"without it, at most {control.max():.4f}"}
    axes.legend(
        labels.keys(),
        labels.values(),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        borderaxespad=0.2,
        frameon=False,
        handlelength=1.4,
        columnspacing=1.6,
        fontsize=8,
        labelcolor=ink,
    )
    for line in threshold:
        note = axes.annotate(
            f"bias is corrected below {MAX_BIAS_RESPONSE}",
            (1, MAX_BIAS_RESPONSE),
            (0, 3),
            axes.get_yaxis_transform(),
            "offset points",
            ha="right",
            fontsize=8,
            color=line.get_color(),
        )
        note.set_in_layout(False)  # it takes no room where the limits leave the line out
    return figure


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
