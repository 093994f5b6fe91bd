"""Pictures of marginal footprints: what models predict around a motif that was put into background sequences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from chrombpnet_core._types import Floats
from chrombpnet_core.evaluation import CONTROL, MAX_BIAS_RESPONSE, STANDARD_ERRORS_95, motifs_by_enzyme
from chrombpnet_core.models import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.plots.style import LIGHT, NotebookFigure, legend_above, one_panel, styled

__all__ = ["MODEL_COLOURS", "footprint", "motif_footprint"]

MODEL_COLOURS = {BIAS: "bias", FULL: "full", CORRECTED: "corrected"}
"""Model → name of its colour in :data:`~chrombpnet_core.plots.style.PALETTE`."""

_AROUND_MOTIF = 100  # bp on either side of a motif that are shown
_TITLE = 30  # letters of a title that a small picture has room for
_MOTIF_NAME = 24  # letters of a motif's name above its own picture
_MOTIF_LETTERS = 58  # of its sequence there; a letter of the name takes the place of one and a half


@styled
def footprint(
    curves: Mapping[str, Floats],
    title: str = "",
    ylim: tuple[float, float] | None = None,
    threshold: bool | None = None,
    errors: Mapping[str, Floats] | None = None,
    legend: bool = True,
) -> NotebookFigure:
    """Draw the 200 bp around a motif in the footprints of one or more models.

    Parameters
    ----------
    curves
        Model, or ``control``, → profile ``(W,)``, probability of an insertion at each base.
    title
        The motif's name.
    ylim
        Limits of the y axis, to draw several motifs alike; by default from 0 to the highest curve.
    threshold
        Whether to mark the maximum below which bias counts as corrected, and keep it in view; by default where the
        title names an enzyme's motif, such as ``tn5_1``.
    errors
        Standard errors of some curves, ``(W,)``: a band of 1.96 of them on either side is the mean's 95 % interval.
    legend
        Whether to name the curves, in a picture that has room for it.

    Returns
    -------
    Figure
        One panel.

    Examples
    --------
    >>> import numpy as np
    >>> figure = footprint({"control": np.full(1000, 0.001), "chrombpnet_nobias": np.full(1000, 0.002)}, "CTCF")
    >>> [line.get_label() for line in figure.axes[0].get_lines()]
    ['control', 'corrected model']
    """
    threshold = bool(motifs_by_enzyme([title])) if threshold is None else threshold
    figure, axes = one_panel(*((5.6, 3.2) if legend else (3.0, 2.2)))
    _draw_curves(axes, curves, errors or {})
    if threshold:
        axes.axhline(MAX_BIAS_RESPONSE, color=LIGHT["fail"], lw=0.9, ls=(0, (4, 3)), zorder=0)
    axes.set(
        xlabel="distance to the motif (bp)",
        ylabel="share of insertions",
        ylim=ylim or _limits(curves, threshold),
    )
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_title(_shortened(title, _TITLE), pad=22 if legend else None)
    if legend:
        legend_above(axes)
    return figure


@styled
def motif_footprint(
    name: str,
    letters: str,
    profile: Floats,
    control: Floats,
    ylim: tuple[float, float] | None = None,
    label: str = "with the motif",
    errors: tuple[Floats | None, Floats | None] = (None, None),
) -> NotebookFigure:
    """Draw one model's footprint of a motif beside that of the same sequences without it; the motif's bases are shaded.

    Parameters
    ----------
    name
        Name of the motif. An enzyme's own gets a line at the maximum below which bias counts as corrected.
    letters
        Its sequence.
    profile
        Footprint with the motif, ``(W,)``.
    control
        Footprint of the same sequences without it, ``(W,)``.
    ylim
        Limits of the y axis; by default from 0 to the highest point.
    label
        What the legend calls the footprint.
    errors
        Standard errors of both, ``(W,)``, for a band of the 95 % confidence interval of each.

    Returns
    -------
    Figure
        One panel.
    """
    is_enzyme = bool(motifs_by_enzyme([name]))
    known = {key: error for key, error in zip((FULL, CONTROL), errors, strict=True) if error is not None}
    figure = footprint({CONTROL: control, FULL: profile}, "", ylim, is_enzyme, known)
    (axes,) = figure.axes
    if known:
        axes.set_xlabel("distance to the motif (bp); bands: 95 % confidence interval")
    start = -(len(letters) // 2)
    axes.axvspan(start - 0.5, start + len(letters) - 0.5, color=LIGHT["rule"], alpha=0.6, lw=0, zorder=0)
    _head_with_motif(axes, name, letters)
    without, with_motif, *_ = axes.get_lines()
    with_motif.set_label(f"{label}, at most {profile.max():.4f}")
    without.set_label(f"without it, at most {control.max():.4f}")
    legend_above(axes, 2, handles=[with_motif, without], columnspacing=1.6, fontsize=8)
    if is_enzyme:
        _explain_threshold(axes)
    return figure


def _draw_curves(axes: Axes, curves: Mapping[str, Floats], errors: Mapping[str, Floats]) -> None:
    """Draw the middle of each curve, the control below the others, with a band where its error is known."""
    for name, profile in curves.items():
        middle, half = len(profile) // 2, min(_AROUND_MOTIF, len(profile) // 2)
        positions, shown = np.arange(-half, half), slice(middle - half, middle + half)
        colour, layer = LIGHT[MODEL_COLOURS.get(name, "chance")], 1 if name == CONTROL else 2
        axes.plot(positions, profile[shown], color=colour, lw=1.3, label=MODEL_LABELS.get(name, name), zorder=layer)
        if name in errors:
            margin = STANDARD_ERRORS_95 * errors[name][shown]
            low, high = profile[shown] - margin, profile[shown] + margin
            axes.fill_between(positions, low, high, color=colour, alpha=0.25, lw=0, zorder=layer)


def _limits(curves: Mapping[str, Floats], threshold: bool) -> tuple[float, float]:
    highest = max((float(np.max(profile)) for profile in curves.values()), default=0.0)
    return 0.0, 1.05 * max(highest, 1.05 * MAX_BIAS_RESPONSE if threshold else 0.0) or 1.0


def _head_with_motif(axes: Axes, name: str, letters: str) -> None:
    """Write the motif's name above the panel, at the left, and its sequence at the right."""
    title = _shortened(name, _MOTIF_NAME)
    axes.set_title(title, loc="left", color=LIGHT["ink"], fontsize=11, weight="bold", pad=22)
    sequence = _shortened(letters, _MOTIF_LETTERS - 3 * len(title) // 2)
    axes.set_title(sequence, loc="right", color=LIGHT["muted"], fontsize=8, family="monospace", pad=22)


def _explain_threshold(axes: Axes) -> None:
    note = axes.annotate(
        f"bias is corrected below {MAX_BIAS_RESPONSE}",
        (1, MAX_BIAS_RESPONSE),
        (0, 3),
        axes.get_yaxis_transform(),
        "offset points",
        ha="right",
        fontsize=8,
        color=LIGHT["fail"],
    )
    note.set_in_layout(False)  # it takes no room where the limits leave the line out


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
