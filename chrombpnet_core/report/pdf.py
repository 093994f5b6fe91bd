"""The report of a run as PDF, by typst: what the HTML page shows, on numbered A4 pages.

All text reaches typst as data, never as markup, so nothing in a name or path can change the document. Only fonts that come
with typst and matplotlib are used, and no clock: the same content makes the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib

from chrombpnet_core.plots import PALETTE, plain_svg
from chrombpnet_core.report.html import read_template
from chrombpnet_core.report.next_step import STATUS_WORDS
from chrombpnet_core.report.page import STATUS_MARKS, Page

__all__ = ["render_pdf"]


def render_pdf(page: Page) -> bytes:
    """Render the page as a PDF file."""
    import typst

    data = {
        "page": _plain(asdict(page)),
        "words": STATUS_WORDS,
        "marks": STATUS_MARKS,
        "palette": {name: light for name, (light, _) in PALETTE.items()},
    }
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[Path(matplotlib.get_data_path()) / "fonts" / "ttf"])
    return typst.compile(
        read_template("report.typ").encode(), format="pdf", font_paths=fonts, sys_inputs={"data": json.dumps(data)}
    )


def _plain(value: Any) -> Any:
    """Copy a value, its pictures as files of their own; numbers that only programs read, which may be NaN, left out."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if key != "value"}
        return {key: plain_svg(inner) if inner and key.endswith("svg") else _plain(inner) for key, inner in kept.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
