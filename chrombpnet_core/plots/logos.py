"""Sequence logos: letters as outlines, one compound path per base, so that thousands of letters draw at once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from chrombpnet_core._types import AnyArray, Floats
from chrombpnet_core.genome import information_content
from chrombpnet_core.plots.style import LIGHT, NotebookFigure, one_panel, styled

__all__ = ["draw_logo", "logo"]

_MARGIN = 0.04  # of a position's width, left blank on each side of a letter
_MARGINS, _LETTER, _HEIGHT, _MOST = 0.9, 0.14, 1.6, 30.0  # inches of a figure: around the logo, of a letter; all


def draw_logo(axes: Axes, heights: AnyArray, start: float = 0.0) -> None:
    """Draw a logo: at each position the letters stacked, the largest farthest from zero, negative ones below it.

    Parameters
    ----------
    axes
        Where to draw; its limits are set to the logo.
    heights
        Letter heights in the order A, C, G, T, ``(n, 4)``; zeros are left out, negative letters stand on their head.
    start
        The x coordinate of the first letter's middle; letters are 1 wide.

    Raises
    ------
    ValueError
        Where ``heights`` is not ``(n, 4)`` or not finite.
    """
    heights = np.asarray(heights, dtype=np.float64)
    if heights.ndim != 2 or heights.shape[1] != 4 or not np.isfinite(heights).all():
        raise ValueError(f"heights must be finite and of shape (n, 4), not {heights.shape}")
    bottoms = _bottoms(heights)
    for base, letter in enumerate("ACGT"):
        drawn = np.flatnonzero(heights[:, base])
        if not drawn.size:
            continue
        outline, codes = _outline(letter)
        vertices = np.empty((drawn.size, *outline.shape))
        vertices[..., 0] = start + drawn[:, None] - 0.5 + _MARGIN + outline[:, 0] * (1 - 2 * _MARGIN)
        vertices[..., 1] = bottoms[drawn, base][:, None] + heights[drawn, base][:, None] * outline[:, 1]
        path = Path(vertices.reshape(-1, 2), np.tile(codes, drawn.size))
        # add_patch would search every letter's curves for limits, which _frame sets anyway: over half of the time.
        axes.add_artist(PathPatch(path, facecolor=LIGHT[f"base{letter}"], linewidth=0))
    _frame(axes, heights, start)


@styled
def logo(heights: npt.ArrayLike, start: float = 0.0, bits: bool = False, title: str = "") -> NotebookFigure:
    """Draw contributions, contribution weights or base frequencies as a sequence logo.

    Parameters
    ----------
    heights
        Letter heights in the order A, C, G, T, ``(n, 4)``; base frequencies where ``bits``.
    start
        Coordinate of the first letter.
    bits
        Scale base frequencies by their information content.
    title
        Above the picture.

    Returns
    -------
    Figure
        One panel, as wide as the logo needs.

    Examples
    --------
    >>> figure = logo([[0.97, 0.01, 0.01, 0.01], [0.25, 0.25, 0.25, 0.25]], bits=True)
    >>> figure.axes[0].get_ylabel()
    'bits'
    """
    letters = np.asarray(heights, dtype=np.float64)
    if bits:
        letters = letters * information_content(letters)[:, None]
    figure, axes = one_panel(min(_MARGINS + _LETTER * len(letters), _MOST), _HEIGHT, title)
    draw_logo(axes, letters, start)
    axes.set_ylabel("bits" if bits else "contribution")
    return figure


def _bottoms(heights: Floats) -> Floats:
    """Where each letter begins, ``(n, 4)``: stacked from zero by size, positive letters up and negative ones down."""
    order = np.argsort(np.abs(heights), axis=1, kind="stable")
    ordered = np.take_along_axis(heights, order, axis=1)
    up, down = np.clip(ordered, 0, None), np.clip(ordered, None, 0)
    below = np.where(ordered > 0, np.cumsum(up, axis=1) - up, np.cumsum(down, axis=1) - down)
    bottoms = np.empty_like(heights)
    np.put_along_axis(bottoms, order, below, axis=1)
    return bottoms


def _frame(axes: Axes, heights: Floats, start: float) -> None:
    """Set limits that hold every stack, and draw a thin line at zero where letters hang below it."""
    top = np.clip(heights, 0, None).sum(axis=1).max(initial=0)
    bottom = np.clip(heights, None, 0).sum(axis=1).min(initial=0)
    axes.set_xlim(start - 0.5, start + max(len(heights), 1) - 0.5)
    if top > bottom:
        axes.set_ylim(bottom * 1.05, top * 1.05)
    if bottom < 0:
        axes.axhline(0, color=LIGHT["muted"], linewidth=0.6)


@cache
def _outline(letter: str) -> tuple[Floats, Any]:
    """Outline of a letter in the unit square, ``(points, 2)``, and its matplotlib path codes."""
    path = TextPath((0, 0), letter, size=100, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    points, codes = np.asarray(path.vertices, dtype=np.float64), np.asarray(path.codes)
    drawn = codes != path.CLOSEPOLY  # the point of a closing code means nothing and may lie outside the letter
    low, high = points[drawn].min(axis=0), points[drawn].max(axis=0)
    return np.where(drawn[:, None], (points - low) / (high - low), 0.0), codes
