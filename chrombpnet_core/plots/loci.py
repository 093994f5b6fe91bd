"""The tracks of one region, one above the other: profiles, and below them contributions as letters."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from chrombpnet_core._types import AnyArray, Floats
from chrombpnet_core.plots.logos import draw_logo
from chrombpnet_core.plots.style import LIGHT, NotebookFigure, styled

__all__ = ["draw_track", "locus"]

_MOST_LETTERS = 150  # that a line has room for
_TRACK_HEIGHT, _LETTERS_HEIGHT, _MARGINS = 0.85, 1.35, 0.75  # inches
_NARROWEST, _WIDEST, _BASE_WIDTH = 6.0, 13.0, 0.012  # inches; the last of a base


def draw_track(axes: Axes, positions: AnyArray, values: AnyArray, label: str, colour: str) -> None:
    """Draw a profile as a filled step curve on its own scale, its name inside, at the upper left.

    Parameters
    ----------
    axes
        Where to draw; its limits are set.
    positions
        x coordinates of the bases, ``(W,)``.
    values
        The profile, ``(W,)``, not negative.
    label
        The track's name.
    colour
        Name in :data:`~chrombpnet_core.plots.style.PALETTE`.
    """
    top = float(np.max(values)) or 1.0
    axes.fill_between(positions, values, step="mid", color=LIGHT[colour], lw=0.5)
    axes.set(ylim=(0, top * 1.45), yticks=[0, top], xlim=(positions[0], positions[-1]))
    axes.set_yticklabels(["0", f"{top:.3g}"])
    axes.text(0.006, 0.97, label, transform=axes.transAxes, va="top", color=LIGHT[colour], weight="bold")


@styled
def locus(
    predicted: AnyArray | None,
    observed: AnyArray | None = None,
    contributions: AnyArray | None = None,
    chrom: str = "",
    start: int = 0,
    window: tuple[int, int] | None = None,
    title: str = "",
) -> NotebookFigure:
    """Draw the predicted and the observed profile of one region, and below them its contributions as letters.

    Each profile has its own scale. Of a long region, the letters are those of ``window`` or of the part of the profiles in
    which contributions are largest; it is shaded in the profiles and named below.

    Parameters
    ----------
    predicted
        Predicted insertions per base, ``(W,)``, or None.
    observed
        Observed insertions per base, ``(W,)``, or None.
    contributions
        What each base of the sequence contributes, ``(L, 4)``, with the same middle as the profiles; or None.
    chrom
        Chromosome of the region; without it positions count from ``start``.
    start
        Where the profiles begin, 0-based.
    window
        First base whose letters are drawn, 0-based, and the one behind the last.
    title
        Above the picture; by default the region and its numbers of insertions.

    Returns
    -------
    Figure
        A panel for each profile, and one for the letters.

    Examples
    --------
    >>> import numpy as np
    >>> figure = locus(np.ones(1000), observed=np.ones(1000), contributions=np.ones((2114, 4)), chrom="chrI", start=49_499)
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['', '', 'chrI:49,925-50,074']
    """
    tracks = _tracks(predicted, observed)
    letters = None if contributions is None else _letters(contributions)
    if not tracks and letters is None:
        raise ValueError("nothing to draw: give predicted, observed or contributions")
    width = len(tracks[0][0] if tracks else letters if letters is not None else ())
    figure, panels, letter_panel = _panels(width, len(tracks), letters is not None)
    figure.suptitle(title or _title(tracks, chrom, start, width), x=0.01, ha="left", fontsize=10)
    _draw_tracks(panels, tracks, start, chrom if letter_panel is None else "")
    if letters is not None and letter_panel is not None:
        first = start + (width - len(letters)) // 2
        low, high = window or _busiest(letters, first, max(first, start), min(first + len(letters), start + width))
        _draw_letters(letter_panel, letters, first, low, high)
        _label_positions(letter_panel, _region(chrom, low, high))
        if high - low < width:
            _shade(panels, low, high)
    return figure


def _shade(panels: list[Axes], low: int, high: int) -> None:
    for axes in panels:
        axes.axvspan(low + 0.5, high + 0.5, color=LIGHT["rule"], alpha=0.6, lw=0, zorder=0)


def _draw_tracks(panels: list[Axes], tracks: list[tuple[AnyArray, str, str]], start: int, label: str) -> None:
    """Draw each profile in its panel; the last has the positions, 1-based, as genome browsers count."""
    for axes, (values, name, colour) in zip(panels, tracks, strict=True):
        draw_track(axes, start + 1 + np.arange(len(values)), values, name, colour)
        axes.tick_params(axis="x", length=0, labelbottom=False)
    for axes in panels[-1:]:
        axes.tick_params(axis="x", length=3, labelbottom=True)
        _label_positions(axes, label)


def _panels(width: int, tracks: int, letters: bool) -> tuple[NotebookFigure, list[Axes], Axes | None]:
    """Make a figure as wide as the region asks for, with a panel for each profile, and one for letters."""
    heights = [_TRACK_HEIGHT] * tracks + [_LETTERS_HEIGHT] * letters
    inches = float(np.clip(_BASE_WIDTH * width + 1.0, _NARROWEST, _WIDEST))
    figure = NotebookFigure(figsize=(inches, sum(heights) + _MARGINS), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    panels = [figure.add_subplot(grid[row, 0]) for row in range(len(heights))]
    return figure, panels[:tracks], panels[-1] if letters else None


def _tracks(predicted: AnyArray | None, observed: AnyArray | None) -> list[tuple[AnyArray, str, str]]:
    """Profiles that are there, with name and colour, the observed one first."""
    tracks = []
    for values, label, colour in ((observed, "observed", "observed"), (predicted, "predicted", "full")):
        if values is None:
            continue
        values = np.nan_to_num(np.asarray(values, dtype=np.float64))
        if values.ndim != 1 or not values.size:
            raise ValueError(f"{label}: a profile of one region is expected, shape (W,), not {values.shape}")
        tracks.append((values, label, colour))
    if len({len(values) for values, *_ in tracks}) > 1:
        raise ValueError(f"observed and predicted differ in length: {' and '.join(str(len(t[0])) for t in tracks)}")
    return tracks


def _letters(contributions: AnyArray) -> Floats:
    letters = np.asarray(contributions, dtype=np.float64)
    if letters.ndim != 2 or letters.shape[1] != 4 or not len(letters):
        raise ValueError(f"contributions: those of one region are expected, shape (L, 4), not {letters.shape}")
    return letters


def _title(tracks: list[tuple[AnyArray, str, str]], chrom: str, start: int, width: int) -> str:
    numbers = [f"{label} {values.sum():,.4g}" for values, label, _ in tracks]
    counts = f"insertions: {', '.join(numbers)}" if numbers else ""
    return " · ".join(filter(None, [_region(chrom, start, start + width) if chrom else "", counts]))


def _region(chrom: str, start: int, end: int) -> str:
    """1-based, closed, as genome browsers take it."""
    return f"{chrom}{':' if chrom else ''}{start + 1:,}-{end:,}"


def _busiest(letters: Floats, first: int, low: int, high: int) -> tuple[int, int]:
    """Find the window within ``low`` to ``high`` with the largest contributions; all of it where letters have room.

    ``first`` is the coordinate of the first letter. Of windows alike the one nearest the middle is taken.
    """
    if high - low <= _MOST_LETTERS:
        return low, high
    sizes = np.abs(letters[low - first : high - first]).sum(axis=1)
    sums = np.convolve(sizes, np.ones(_MOST_LETTERS), mode="valid")
    best = np.flatnonzero(sums >= sums.max() * (1 - 1e-12))
    chosen = low + int(best[np.argmin(np.abs(best - (len(sums) - 1) / 2))])
    return chosen, chosen + _MOST_LETTERS


def _draw_letters(axes: Axes, letters: Floats, first: int, low: int, high: int) -> None:
    """Draw the letters from ``low`` to ``high``; where there are none is blank."""
    shown = np.zeros((max(high - low, 1), 4))
    begin, end = max(low, first), min(high, first + len(letters))
    if begin < end:
        shown[begin - low : end - low] = letters[begin - first : end - first]
    draw_logo(axes, shown, low + 1)
    axes.set_ylabel("contribution")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))


def _label_positions(axes: Axes, label: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda position, _: f"{position:,.0f}"))
    axes.set_xlabel(label)
