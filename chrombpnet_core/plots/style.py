"""The look of every picture: one palette for light and dark pages, one set of matplotlib settings, PNG and SVG.

A figure is drawn in the palette's light colours. In a PNG they stay, on white; in an SVG each becomes a CSS variable, so
that the picture follows the light or dark theme of the page that holds it.
"""

from __future__ import annotations

import io
import os
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from html import escape
from typing import TYPE_CHECKING, Any, BinaryIO, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from chrombpnet_core.plots.logo_colours import LOGO_COLOURS, configured_logo_colours, require_logo_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "LETTER",
    "LIGHT",
    "PAGE_WIDTH",
    "PALETTE",
    "PICTURE_WIDTH",
    "TEXT",
    "NotebookFigure",
    "legend_above",
    "one_panel",
    "plain_svg",
    "share_limits",
    "shorten",
    "styled",
    "use_logo_colours",
    "write_png",
    "write_svg",
    "write_title",
]

PICTURE_WIDTH, PAGE_WIDTH = 3.28, 6.85
"""Inches: of a picture that stands beside others, and of one that takes a line for itself.

Three of the first fit into a line of a page on a screen, two into one on paper, one on a phone; the second is as wide as
paper. Pages show both at their natural size, so that letters are as large in all pictures and everywhere.
"""

TEXT = 9.0
"""Size of all letters in pictures, in points: 12 pixels on a page."""

LETTER = 6.0
"""Width of a letter of that size, in points; few are wider."""

PALETTE = {
    "ink": ("#1d2733", "#e6ebf0"),
    "muted": ("#5f6c79", "#9dabb8"),
    "rule": ("#d9e0e6", "#3a4653"),
    "observed": ("#4a5866", "#b4c0cb"),
    "full": ("#0b6fa4", "#59b7ea"),
    "bias": ("#c0561a", "#f09a5e"),
    "corrected": ("#14845a", "#4ccb98"),
    "chance": ("#aab4be", "#687683"),
    "planted": ("#7a4fb5", "#bb9bee"),
    "fail": ("#b3271f", "#ff8d82"),
}
"""Name → colour on a light and on a dark page. No two light colours are alike, so that SVG can be themed by them."""

LIGHT = {name: light for name, (light, _) in PALETTE.items()}
"""Name → colour on a light page: what figures are drawn in."""


def use_logo_colours(name: str) -> None:
    """Choose the colours of A, C, G and T in all logos that are drawn from now on.

    Parameters
    ----------
    name
        ``classic``, or ``okabe-ito``, which the colour blind can tell apart.

    Raises
    ------
    InputError
        Where there are none of that name.
    """
    for base, (light, dark) in LOGO_COLOURS[require_logo_colours(name)].items():
        PALETTE[f"base{base}"] = (light.lower(), dark)
        LIGHT[f"base{base}"] = light.lower()


use_logo_colours(configured_logo_colours())

_SETTINGS: dict[str, Any] = {
    "font.size": TEXT,
    "font.family": "sans-serif",
    "text.color": LIGHT["ink"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.edgecolor": LIGHT["muted"],
    "axes.titlesize": TEXT,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": TEXT,
    "axes.linewidth": 0.7,
    "axes.formatter.useoffset": False,  # no "+1.2e3" or "1e-7" at the end of an axis, where a title or a legend stands
    "axes.formatter.limits": (-9, 9),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": TEXT,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a $ in a name is a $
}

_PROSE = 5.5  # points: the width of a letter in words, on the average
_AXIS, _SAMPLE = 45.0, 36.0  # points: for the labels of a y axis; for the line before a name in a legend, and around it

_Arguments = ParamSpec("_Arguments")
_Drawn = TypeVar("_Drawn")


@contextmanager
def _settings(**more: Any) -> Iterator[None]:
    settings: dict[Any, Any] = {**_SETTINGS, **more}
    with matplotlib.rc_context(settings):
        yield


def styled(draw: Callable[_Arguments, _Drawn]) -> Callable[_Arguments, _Drawn]:
    """Make a function draw with the settings of this package, whatever those of the session are.

    Parameters
    ----------
    draw
        A function that makes a figure.

    Returns
    -------
    callable
        The function, to be called alike.
    """

    @wraps(draw)
    def draw_styled(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Drawn:
        with _settings():
            return draw(*arguments, **options)

    return draw_styled


class NotebookFigure(Figure):
    """A figure that a notebook shows by itself, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        write_png(self, out)
        return out.getvalue()


def one_panel(width: float, height: float, title: str = "") -> tuple[NotebookFigure, Axes]:
    """Make a figure with one panel.

    Parameters
    ----------
    width
        Inches.
    height
        Inches.
    title
        Above the panel, at the left.

    Returns
    -------
    Figure
        The figure.
    Axes
        Its panel.
    """
    figure = NotebookFigure(figsize=(width, height), layout="constrained")
    if title:
        write_title(figure, title)
    return figure, figure.add_subplot()


def write_title(figure: Figure, title: str) -> None:
    """Write a title above all panels, at the left, in two lines at most.

    Parameters
    ----------
    figure
        Of constrained layout.
    title
        Cut off where it is longer.
    """
    lines = textwrap.wrap(title, max(int(figure.get_figwidth() * 72 / _PROSE), 1), max_lines=2, placeholder="…")
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=TEXT)


def shorten(text: str, inches: float) -> str:
    """Cut text off that is too long for its place, and say so by an ellipsis.

    Parameters
    ----------
    text
        In a picture.
    inches
        Room for it.

    Returns
    -------
    str
        As many of its letters as have room, at least one.
    """
    most = max(int(inches * 72 / LETTER), 2)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def share_limits(figures: Sequence[Figure], x: bool = True, y: bool = True) -> None:
    """Give pictures that are compared the same axes: those that hold everything in all of them.

    Parameters
    ----------
    figures
        Each with one panel.
    x
        Whether x axes are shared.
    y
        Whether y axes are shared.
    """
    panels = [figure.axes[0] for figure in figures]
    for get, put, shared in (("get_xlim", "set_xlim", x), ("get_ylim", "set_ylim", y)):
        limits = [getattr(axes, get)() for axes in panels]
        for axes in panels if shared else ():
            getattr(axes, put)(min(low for low, _ in limits), max(high for _, high in limits))


def legend_above(axes: Axes, columns: int = 3, **options: Any) -> None:
    """Draw a legend above the axes, where it hides nothing.

    Parameters
    ----------
    axes
        Panel whose labelled lines are named; it takes the whole width of its figure.
    columns
        Entries side by side, at most: fewer where they have no room.
    **options
        Others of :meth:`matplotlib.axes.Axes.legend`.
    """
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "handlelength": 1.4}
    names = [str(handle.get_label()) for handle in options.get("handles", axes.get_legend_handles_labels()[0])]
    figure = axes.figure
    assert isinstance(figure, Figure)
    room = figure.get_figwidth() * 72 - _AXIS
    fitting = (number for number in range(columns, 1, -1) if _legend_width(names, number) <= room)
    axes.legend(ncols=next(fitting, 1), **place | options)


def _legend_width(names: Sequence[str], columns: int) -> float:
    """Estimate how wide a legend is, in points: each column has its longest name, and room for the line before it."""
    lengths = np.array_split([len(name) for name in names], columns)
    return float(sum(LETTER * column.max() + _SAMPLE for column in lengths if column.size))


def write_png(figure: Figure, path: str | os.PathLike[str] | BinaryIO) -> None:
    """Write a figure as PNG, on white, 160 dots per inch.

    Parameters
    ----------
    figure
        What to write.
    path
        The file, or one that is open for writing.
    """
    with _settings():
        figure.savefig(path, dpi=160, facecolor="white")


def write_svg(figure: Figure, name: str, alt: str) -> str:
    """Make an ``<svg>`` element to stand in a page: it follows the theme and reads itself out as ``alt``.

    Its width is the figure's, a point being 4/3 of a pixel; a page's style may give it another.

    Parameters
    ----------
    figure
        Drawn in the light colours of :data:`PALETTE`.
    name
        Unique in the page: ids within begin with it.
    alt
        What the picture shows, in a sentence.

    Returns
    -------
    str
        The element; the same figure and name make the same text.
    """
    out = io.StringIO()
    with _settings(**{"svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    referenced = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in referenced else "", svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r' d="[^"]+"', lambda match: re.sub(r"(\d\.\d\d)\d+", r"\1", match[0]), svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    svg = re.sub(r"font-family: [^;\"]+;? ?", "", svg)
    for key, light in LIGHT.items():
        svg = svg.replace(light, f"var(--{key})")
    head, body = svg.split(">", 1)
    viewbox = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    assert viewbox is not None, "matplotlib writes the size of its pictures"
    width, height = map(float, viewbox.groups())
    return (
        f'<svg class="picture" role="img" aria-label="{escape(alt)}" width="{width * 4 / 3:.0f}" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{body.strip()}'
    )


def plain_svg(svg: str) -> str:
    """Make a file of its own of an element of :func:`write_svg`: in the light colours, in the font it was measured with.

    Parameters
    ----------
    svg
        The element.

    Returns
    -------
    str
        Text of the file.
    """
    svg = re.sub(r"var\(--(\w+)\)", lambda match: LIGHT[match[1]], svg)
    svg = re.sub(r' width="\d+"', "", svg, count=1)
    return svg.replace('class="picture"', 'font-family="DejaVu Sans"', 1)
