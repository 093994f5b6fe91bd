"""The tracks of one region, one above the other: profiles, and below them genes, and contributions as letters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from chrombpnet_core._types import AnyArray, Floats
from chrombpnet_core.genome import Transcript
from chrombpnet_core.plots.genes import GeneRows, draw_genes, gene_rows
from chrombpnet_core.plots.logos import draw_logo
from chrombpnet_core.plots.style import LETTER, LIGHT, NotebookFigure, styled, write_title

__all__ = ["CONTRIBUTION_UNITS", "draw_track", "locus"]

CONTRIBUTION_UNITS = {"profile": "logits", "counts": "log counts"}
"""What is explained → unit of its contributions: of logits less their mean, or of ln(1 + insertions)."""

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
    unit: str = "",
    genes: Sequence[Transcript] | None = None,
) -> NotebookFigure:
    """Draw the predicted and the observed profile of one region, and below them its genes, and contributions as letters.

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
    unit
        Of the contributions; see :data:`CONTRIBUTION_UNITS`.
    genes
        Transcripts, of :func:`~chrombpnet_core.genome.read_genes`: those of the region have a panel below the profiles.

    Returns
    -------
    Figure
        A panel for each profile, one for the genes where they are given, and one for the letters.

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
    return _draw_locus(tracks, letters, (chrom, start), window, title, unit, genes)


def _draw_locus(
    tracks: list[tuple[AnyArray, str, str]],
    letters: Floats | None,
    place: tuple[str, int],
    window: tuple[int, int] | None,
    title: str,
    unit: str,
    genes: Sequence[Transcript] | None,
) -> NotebookFigure:
    """Draw what :func:`locus` has checked."""
    chrom, start = place
    width = len(tracks[0][0] if tracks else letters if letters is not None else ())
    inches = float(np.clip(_BASE_WIDTH * width + 1.0, _NARROWEST, _WIDEST))
    rows = None if genes is None else gene_rows(genes, chrom, start, start + width, inches - 1.0)
    figure, panels, letter_panel = _panels(inches, len(tracks), rows, letters is not None)
    write_title(figure, title or _title(tracks, chrom, start, width))
    _draw_tracks(panels, tracks, rows, start)
    if panels:
        panels[-1].tick_params(axis="x", length=3, labelbottom=True)
        _label_positions(panels[-1], chrom if letter_panel is None else "", inches)
    if letters is not None and letter_panel is not None:
        low, high = _draw_letters(letter_panel, letters, start, width, window)
        letter_panel.set_ylabel(f"contribution\n({unit})" if unit else "contribution")
        _label_positions(letter_panel, _region(chrom, low, high), inches)
        if high - low < width:
            _shade(panels, low, high)
    return figure


def _shade(panels: list[Axes], low: int, high: int) -> None:
    for axes in panels:
        axes.axvspan(low + 0.5, high + 0.5, color=LIGHT["rule"], alpha=0.6, lw=0, zorder=0)


def _draw_tracks(panels: list[Axes], tracks: list[tuple[AnyArray, str, str]], genes: GeneRows | None, start: int) -> None:
    """Draw profiles, and genes below them; positions are 1-based, as genome browsers count."""
    for axes, (values, name, colour) in zip(panels, tracks, strict=False):
        draw_track(axes, start + 1 + np.arange(len(values)), values, name, colour)
    if genes is not None:
        draw_genes(panels[-1], genes, -1)
    for axes in panels:
        axes.tick_params(axis="x", length=0, labelbottom=False)


def _panels(
    inches: float, tracks: int, genes: GeneRows | None, letters: bool
) -> tuple[NotebookFigure, list[Axes], Axes | None]:
    """Make a figure with a panel for each profile, and one each for genes and letters; the last is told apart."""
    heights = [_TRACK_HEIGHT] * tracks + ([] if genes is None else [genes.height]) + [_LETTERS_HEIGHT] * letters
    figure = NotebookFigure(figsize=(inches, sum(heights) + _MARGINS), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    panels = [figure.add_subplot(grid[row, 0]) for row in range(len(heights))]
    return figure, panels[: len(heights) - letters], panels[-1] if letters else None


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


def _draw_letters(axes: Axes, letters: Floats, start: int, width: int, window: tuple[int, int] | None) -> tuple[int, int]:
    """Draw the letters of a window; where there are none is blank. Return the window."""
    first = start + (width - len(letters)) // 2
    low, high = window or _busiest(letters, first, max(first, start), min(first + len(letters), start + width))
    shown = np.zeros((max(high - low, 1), 4))
    begin, end = max(low, first), min(high, first + len(letters))
    if begin < end:
        shown[begin - low : end - low] = letters[begin - first : end - first]
    draw_logo(axes, shown, low + 1)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    return low, high


def _label_positions(axes: Axes, label: str, inches: float) -> None:
    """Label as many positions as have room."""
    letters = len(f"{axes.get_xlim()[1]:,.0f}") + 3
    room = (inches - 1) * 72 / LETTER
    axes.xaxis.set_major_locator(MaxNLocator(nbins=int(np.clip(room / letters, 2, 8)), integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda position, _: f"{position:,.0f}"))
    axes.set_xlabel(label)
