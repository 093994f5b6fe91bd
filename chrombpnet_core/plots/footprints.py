"""Pictures of marginal footprints: what models predict around a motif that was put into background sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chrombpnet_core._types import Floats
from chrombpnet_core.evaluation import CONTROL, MAX_BIAS_RESPONSE, STANDARD_ERRORS_95, format_response, motifs_by_enzyme
from chrombpnet_core.models import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.plots.style import (
    LIGHT,
    PAGE_WIDTH,
    PICTURE_WIDTH,
    TEXT,
    NotebookFigure,
    legend_above,
    one_panel,
    shorten,
    styled,
)

__all__ = ["MODEL_COLOURS", "MOTIFS_IN_A_ROW", "footprint", "footprint_panels", "motif_footprint"]

MODEL_COLOURS = {BIAS: "bias", FULL: "full", CORRECTED: "corrected"}
"""Model → name of its colour in :data:`~chrombpnet_core.plots.style.PALETTE`."""

MOTIFS_IN_A_ROW = 5
"""Motifs that :func:`footprint_panels` has room for."""

_AROUND_MOTIF = 100  # bp on either side of a motif that are shown
_FEWEST_COLUMNS = 3  # that a row of panels is parted into
_LEAST_HEIGHT = 0.05  # of the axis, at which a threshold is told from 0
_MOTIF_NAME = 2.2  # inches for a motif's name above its own picture
_MOTIF_LETTERS = 4.9  # inches for name and sequence


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
        title names an enzyme's motif, such as ``tn5_1``, and the corrected model is among the curves.
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
    threshold = bool(motifs_by_enzyme([title])) and CORRECTED in curves if threshold is None else threshold
    figure, axes = one_panel(*((6.4, 3.2) if legend else (PICTURE_WIDTH, 2.2)), title)
    _draw_curves(axes, curves, errors or {}, _AROUND_MOTIF)
    if threshold:
        axes.axhline(MAX_BIAS_RESPONSE, color=LIGHT["fail"], lw=0.9, ls=(0, (4, 3)), zorder=0)
    axes.set(
        xlabel="distance to the motif (bp)",
        ylabel="share of insertions",
        ylim=ylim or _limits(curves, threshold),
    )
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    if legend:
        legend_above(axes)
    return figure


@styled
def footprint_panels(
    footprints: Mapping[str, Mapping[str, Floats]],
    motifs: Sequence[str],
    errors: Mapping[str, Mapping[str, Floats]] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Figure:
    """Draw footprints of motifs side by side: the corrected model's with its threshold, below them the others'.

    The panels of a row have one y axis. The corrected model has its own, on which the threshold is seen whatever the
    others answer.

    Parameters
    ----------
    footprints
        Model → motif, or ``control``, → profile ``(W,)``.
    motifs
        Those to draw, :data:`MOTIFS_IN_A_ROW` at most; a model may lack some.
    errors
        As ``footprints``: standard errors, for bands of the mean's 95 % interval.
    limits
        Model → highest point of its row at least, so that several pictures have the same axes.

    Returns
    -------
    Figure
        A row of panels for the corrected model where it is there, one for the others.
    """
    rows = [[model for model in footprints if (model == CORRECTED) == own] for own in (True, False)]
    rows = [models for models in rows if any(motif in footprints[model] for model in models for motif in motifs)]
    figure = Figure(figsize=(PAGE_WIDTH, 1.55 * len(rows) + 0.65), layout="constrained")
    columns = max(len(motifs), _FEWEST_COLUMNS)
    grid = figure.add_gridspec(max(len(rows), 1), columns)
    half = _half_shown(footprints.get(CORRECTED, {}), motifs)
    for row, models in enumerate(rows):
        panels: list[Axes] = []
        for column, motif in enumerate(motifs):
            panels.append(figure.add_subplot(grid[row, column], sharey=panels[0] if panels else None))
            _draw_panel(panels[-1], footprints, models, motif, errors or {}, half)
            panels[-1].tick_params(labelleft=not column, labelbottom=row == len(rows) - 1)
            if not row:
                panels[-1].set_title(shorten(motif, (PAGE_WIDTH - 0.8) / columns - 0.1), pad=4)
        top = max([_highest(footprints[model], motifs) for model in models] + [(limits or {}).get(m, 0) for m in models])
        own = models == [CORRECTED]
        panels[0].set_ylim(0, 1.05 * max(top, 1.4 * MAX_BIAS_RESPONSE if own else 0.0) or 1.0)
        panels[0].yaxis.set_major_locator(MaxNLocator(nbins=4))
        panels[0].set_ylabel(_row_label(models))
    figure.supylabel("share of insertions", fontsize=TEXT, color=LIGHT["muted"])
    figure.supxlabel("distance to the motif (bp)", fontsize=TEXT, color=LIGHT["muted"])
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
        Name of the motif. An enzyme's own gets a line at the maximum below which bias counts as corrected, where the
        axis is such that it is told from 0.
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
    highest = (ylim or _limits({FULL: profile, CONTROL: control}, True))[1]
    is_enzyme = bool(motifs_by_enzyme([name])) and _LEAST_HEIGHT * highest <= MAX_BIAS_RESPONSE
    known = {key: error for key, error in zip((FULL, CONTROL), errors, strict=True) if error is not None}
    figure = footprint({CONTROL: control, FULL: profile}, "", ylim, is_enzyme, known)
    (axes,) = figure.axes
    if known:
        axes.set_xlabel("distance to the motif (bp); bands: 95 % confidence interval")
    start = -(len(letters) // 2)
    axes.axvspan(start - 0.5, start + len(letters) - 0.5, color=LIGHT["rule"], alpha=0.6, lw=0, zorder=0)
    _head_with_motif(axes, name, letters)
    without, with_motif, *_ = axes.get_lines()
    with_motif.set_label(f"{label}, at most {_maximum(profile)}")
    without.set_label(f"without it, at most {_maximum(control)}")
    legend_above(axes, 2, handles=[with_motif, without], columnspacing=1.6)
    if is_enzyme:
        _explain_threshold(axes)
    return figure


def _half_shown(footprints: Mapping[str, Floats], motifs: Sequence[str]) -> int:
    """Bases on either side to show: all where a maximum that reaches the threshold would lie outside."""
    for motif in motifs:
        profile = footprints.get(motif, np.zeros(1))
        middle = len(profile) // 2
        shown = profile[max(middle - _AROUND_MOTIF, 0) : middle + _AROUND_MOTIF]
        if np.max(profile) >= MAX_BIAS_RESPONSE > np.max(shown):
            return middle
    return _AROUND_MOTIF


def _draw_panel(
    axes: Axes,
    footprints: Mapping[str, Mapping[str, Floats]],
    models: Sequence[str],
    motif: str,
    errors: Mapping[str, Mapping[str, Floats]],
    half: int,
) -> None:
    """Draw a motif's footprints in some models, that of the last without a motif, and where it belongs the threshold."""
    owners = {model: footprints[model] for model in models if motif in footprints[model]}
    curves = {model: profiles[motif] for model, profiles in owners.items()}
    bands = {model: errors[model][motif] for model in owners if motif in errors.get(model, {})}
    for model in [model for model, profiles in owners.items() if CONTROL in profiles][-1:]:
        curves = {CONTROL: footprints[model][CONTROL], **curves}
        bands |= {CONTROL: errors[model][CONTROL]} if CONTROL in errors.get(model, {}) else {}
    _draw_curves(axes, curves, bands, half)
    half = min(half, max((len(profile) // 2 for profile in curves.values()), default=half))
    axes.set(xlim=(-half, half), xticks=[-(half // 2), 0, half // 2])
    if CORRECTED in curves:
        above = np.max(curves[CORRECTED]) >= MAX_BIAS_RESPONSE
        axes.axhline(MAX_BIAS_RESPONSE, color=LIGHT["fail"], lw=0.9, ls=(0, (4, 3)), zorder=0)
        words, colour = f"max {_maximum(curves[CORRECTED])}", LIGHT["fail" if above else "corrected"]
        axes.text(0.97, 0.97, words, transform=axes.transAxes, ha="right", va="top", color=colour)


def _row_label(models: Sequence[str]) -> str:
    """Name the models of a row, such as ``bias, full model``."""
    words = [MODEL_LABELS.get(model, model).removesuffix(" model") for model in models]
    return f"{', '.join(words)} model"


def _highest(profiles: Mapping[str, Floats], motifs: Sequence[str]) -> float:
    return max((float(np.max(profiles[name])) for name in (CONTROL, *motifs) if name in profiles), default=0.0)


def _maximum(profile: Floats) -> str:
    return format_response(float(np.max(profile)))


def _draw_curves(axes: Axes, curves: Mapping[str, Floats], errors: Mapping[str, Floats], most: int) -> None:
    """Draw the middle of each curve, the control below the others, with a band where its error is known."""
    for name, profile in curves.items():
        middle, half = len(profile) // 2, min(most, len(profile) // 2)
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
    title = shorten(name, _MOTIF_NAME)
    axes.set_title(title, loc="left", color=LIGHT["ink"], weight="bold", pad=22)
    sequence = shorten(letters, _MOTIF_LETTERS - len(title) * 6.5 / 72)
    axes.set_title(sequence, loc="right", color=LIGHT["muted"], family="monospace", pad=22)


def _explain_threshold(axes: Axes) -> None:
    note = axes.annotate(
        f"bias is corrected below {MAX_BIAS_RESPONSE}",
        (1, MAX_BIAS_RESPONSE),
        (0, 3),
        axes.get_yaxis_transform(),
        "offset points",
        ha="right",
        color=LIGHT["fail"],
    )
    note.set_in_layout(False)  # it takes no room where the limits leave the line out
