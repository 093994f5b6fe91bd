"""TODO."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

from chrombpnet_core.plots.logo import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PALETTE", "plain_svg", "write_png", "write_svg"]


PALETTE = {
    "ink": ("#1d2733", "#e6ebf0"),
    "muted": ("#5f6c79", "#9dabb8"),
    "rule": ("#d9e0e6", "#3a4653"),
    "observed": ("#4a5866", "#b4c0cb"),
    "full": ("#0b6fa4", "#59b7ea"),
    "bias": ("#c2571b", "#f09a5e"),
    "corrected": ("#14845a", "#4ccb98"),
    "chance": ("#aab4be", "#687683"),
    "planted": ("#7a4fb5", "#bb9bee"),
    "fail": ("#b3271f", "#ff8d82"),
    "baseA": (COLOURS["A"].lower(), "#3fc47c"),
    "baseC": (COLOURS["C"].lower(), "#6ba3e0"),
    "baseG": (COLOURS["G"].lower(), "#f5b942"),
    "baseT": (COLOURS["T"].lower(), "#ff7384"),
}
"""Name → colour on a light and on a dark page. No two light colours are alike, so that SVG can be themed by them."""


_LIGHT = {name: light for name, (light, _) in PALETTE.items()}


_STYLE = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": _LIGHT["ink"],
    "axes.labelcolor": _LIGHT["muted"],
    "axes.edgecolor": _LIGHT["muted"],
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": _LIGHT["muted"],
    "ytick.color": _LIGHT["muted"],
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a $ in a name is a $
}


@contextmanager
def _style(**more: Any) -> Iterator[None]:
    with matplotlib.rc_context({**_STYLE, **more}):
        yield


def _styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    @wraps(draw)
    def styled(*arguments: Any, **options: Any) -> Figure:
        with _style():
            return draw(*arguments, **options)

    return styled


def _axes(width: float, height: float, title: str = "") -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure, figure.subplots()


def _legend(axes: Axes, columns: int = 3) -> None:
    """A legend above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2, handlelength=1.4)


def write_png(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure on white, 160 dots per inch."""
    with _style():
        figure.savefig(path, dpi=160, facecolor="white")


def write_svg(figure: Figure, name: str, alt: str) -> str:
    """An ``<svg>`` element to stand in a page: it scales, follows the theme and reads itself out as ``alt``.

    Parameters
    ----------
    figure
        Drawn in the light colours of :data:`PALETTE`.
    name
        Unique in the page: ids within begin with it.
    alt
        What the picture shows, in a sentence.
    """
    out = io.StringIO()
    with _style(**{"svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    referenced = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in referenced else "", svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r' d="[^"]+"', lambda path: re.sub(r"(\d\.\d\d)\d+", r"\1", path[0]), svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    svg = re.sub(r"font-family: [^;\"]+;? ?", "", svg)
    for key, light in _LIGHT.items():
        svg = svg.replace(light, f"var(--{key})")
    width, height = (float(side) for side in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    head = (
        f'<svg class="picture" role="img" aria-label="{_quoted(alt)}" viewBox="0 0 {width} {height}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + svg[svg.index(">") + 1 :].strip()


def plain_svg(svg: str) -> str:
    """What :func:`write_svg` made as a file of its own: in the light colours, and in the font it was measured with."""
    svg = re.sub(r"var\(--(\w+)\)", lambda name: _LIGHT[name[1]], svg)
    return svg.replace('class="picture"', 'font-family="DejaVu Sans"', 1)


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
