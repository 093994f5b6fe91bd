"""Sequence logos: letters as outlines, one compound path per base, so that thousands of letters draw at once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "draw_logo", "information_content"]

BASES = "ACGT"
COLOURS = {"A": "#109648", "C": "#255C99", "G": "#F2A517", "T": "#D62839"}
"""Colour of each base in every logo of the package."""

_MARGIN = 0.04  # of a position's width, left blank on each side of a letter


def information_content(pfm: np.ndarray, pseudocount: float = 0.0) -> np.ndarray:
    """Information content per position against a uniform background, in bits.

    Parameters
    ----------
    pfm
        Base frequencies, ``(n, 4)``, rows summing to 1.
    pseudocount
        Added to every frequency inside the logarithm, after which rows are scaled to 1 again.

    Returns
    -------
    float64 ``(n,)``: ``2 + Σ_b p_b log2(p_b)``.
    """
    pfm = np.asarray(pfm, dtype=np.float64)
    inner = (pfm + pseudocount) / (1 + 4 * pseudocount)
    logs = np.log2(inner, out=np.zeros_like(inner), where=inner > 0)
    return 2.0 + (pfm * logs).sum(axis=1)


def draw_logo(axes: Axes, heights: np.ndarray, start: float = 0.0, colours: dict[str, str] | None = None) -> None:
    """Draw a logo: at each position the letters stacked, the largest farthest from zero, negative ones below it.

    Parameters
    ----------
    axes
        Where to draw; its limits are set to the logo.
    heights
        Letter heights in the order A, C, G, T, ``(n, 4)``; zeros are left out, negative letters stand on their head.
    start
        The x coordinate of the first letter's middle; letters are 1 wide.
    colours
        Colour of each base; default :data:`COLOURS`.

    Raises
    ------
    ValueError
        Where ``heights`` is not ``(n, 4)`` or not finite.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    heights = np.asarray(heights, dtype=np.float64)
    if heights.ndim != 2 or heights.shape[1] != 4 or not np.isfinite(heights).all():
        raise ValueError(f"heights must be finite and of shape (n, 4), not {heights.shape}")
    bottoms = _bottoms(heights)
    for base, letter in enumerate(BASES):
        drawn = np.flatnonzero(heights[:, base])
        if not drawn.size:
            continue
        outline, codes = _outline(letter)
        vertices = np.empty((drawn.size, *outline.shape))
        vertices[..., 0] = start + drawn[:, None] - 0.5 + _MARGIN + outline[:, 0] * (1 - 2 * _MARGIN)
        vertices[..., 1] = bottoms[drawn, base][:, None] + heights[drawn, base][:, None] * outline[:, 1]
        path = Path(vertices.reshape(-1, 2), np.tile(codes, drawn.size))
        axes.add_patch(PathPatch(path, facecolor=(colours or COLOURS)[letter], linewidth=0))
    _frame(axes, heights, start)


def _bottoms(heights: np.ndarray) -> np.ndarray:
    """Where each letter begins, ``(n, 4)``: stacked from zero by size, positive letters up and negative ones down."""
    order = np.argsort(np.abs(heights), axis=1, kind="stable")
    ordered = np.take_along_axis(heights, order, axis=1)
    up, down = np.clip(ordered, 0, None), np.clip(ordered, None, 0)
    below = np.where(ordered > 0, np.cumsum(up, axis=1) - up, np.cumsum(down, axis=1) - down)
    bottoms = np.empty_like(heights)
    np.put_along_axis(bottoms, order, below, axis=1)
    return bottoms


def _frame(axes: Axes, heights: np.ndarray, start: float) -> None:
    """Limits that hold every stack, and a thin line at zero where letters hang below it."""
    top = np.clip(heights, 0, None).sum(axis=1).max(initial=0)
    bottom = np.clip(heights, None, 0).sum(axis=1).min(initial=0)
    axes.set_xlim(start - 0.5, start + max(len(heights), 1) - 0.5)
    if top > bottom:
        axes.set_ylim(bottom * 1.05, top * 1.05)
    if bottom < 0:
        axes.axhline(0, color="#444444", linewidth=0.6)


@cache
def _outline(letter: str) -> tuple[np.ndarray, np.ndarray]:
    """Outline of a letter in the unit square, ``(points, 2)``, and its matplotlib path codes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), letter, size=100, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    drawn = path.codes != path.CLOSEPOLY  # the point of a closing code means nothing and may lie outside the letter
    low, high = path.vertices[drawn].min(axis=0), path.vertices[drawn].max(axis=0)
    vertices = np.where(drawn[:, None], (path.vertices - low) / (high - low), 0.0)
    return vertices, path.codes
