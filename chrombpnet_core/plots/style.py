"""The look of every picture: one palette for light and dark pages, one set of matplotlib settings, PNG and SVG.

A figure is drawn in the palette's light colours. In a PNG they stay, on white; in an SVG each becomes a CSS variable, so
that the picture follows the light or dark theme of the page that holds it.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from html import escape
from typing import TYPE_CHECKING, Any, BinaryIO, ParamSpec, TypeVar

import matplotlib
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BASE_COLOURS",
    "LIGHT",
    "PALETTE",
    "NotebookFigure",
    "legend_above",
    "one_panel",
    "plain_svg",
    "styled",
    "write_png",
    "write_svg",
]

BASE_COLOURS = {"A": "#109648", "C": "#255C99", "G": "#F2A517", "T": "#D62839"}
"""Colour of each base in every logo of the package."""

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
    "baseA": (BASE_COLOURS["A"].lower(), "#3fc47c"),
    "baseC": (BASE_COLOURS["C"].lower(), "#6ba3e0"),
    "baseG": (BASE_COLOURS["G"].lower(), "#f5b942"),
    "baseT": (BASE_COLOURS["T"].lower(), "#ff7384"),
}
"""Name → colour on a light and on a dark page. No two light colours are alike, so that SVG can be themed by them."""

LIGHT = {name: light for name, (light, _) in PALETTE.items()}
"""Name → colour on a light page: what figures are drawn in."""

_SETTINGS: dict[str, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": LIGHT["ink"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.edgecolor": LIGHT["muted"],
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a $ in a name is a $
}

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
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure, figure.add_subplot()


def legend_above(axes: Axes, columns: int = 3, **options: Any) -> None:
    """Draw a legend above the axes, where it hides nothing.

    Parameters
    ----------
    axes
        Panel whose labelled lines are named.
    columns
        Entries side by side.
    **options
        Others of :meth:`matplotlib.axes.Axes.legend`.
    """
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "handlelength": 1.4}
    axes.legend(ncols=columns, **place | options)


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
    """Make an ``<svg>`` element to stand in a page: it scales, follows the theme and reads itself out as ``alt``.

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
        f'<svg class="picture" role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{body.strip()}'
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
    return svg.replace('class="picture"', 'font-family="DejaVu Sans"', 1)
