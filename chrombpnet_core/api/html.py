"""Results as notebooks show them: a picture and a table."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SHOWN_ROWS", "show"]

SHOWN_ROWS = 20
"""Rows of a table that a notebook shows."""


def show(name: str, figure: Figure, table: pd.DataFrame) -> str:
    """Write HTML of a picture and the first rows of a table.

    Parameters
    ----------
    name
        What stands in for the picture where it cannot be shown.
    figure
        Of the first region.
    table
        Of all of them.

    Returns
    -------
    str
        One element after the other; the picture is part of the text.
    """
    from chrombpnet_core.plots import write_png

    buffer = io.BytesIO()
    write_png(figure, buffer)
    picture = base64.b64encode(buffer.getvalue()).decode()
    more = f"<p>… {len(table) - SHOWN_ROWS:,} more</p>" if len(table) > SHOWN_ROWS else ""
    image = f'<img alt="{html.escape(name)}" style="max-width: 100%" src="data:image/png;base64,{picture}">'
    return f"{image}{table.head(SHOWN_ROWS).to_html()}{more}"
