"""Pictures that the report and a notebook share: sequence logos, footprints, the tracks of a region, colours and files.

Every function that draws returns a matplotlib figure or draws into given axes; :func:`write_png` and :func:`write_svg` are
the one way to a file and to a page.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.plots.footprints import MODEL_COLOURS, footprint, motif_footprint
    from chrombpnet_core.plots.limits import read_limits
    from chrombpnet_core.plots.loci import draw_track, locus
    from chrombpnet_core.plots.logos import draw_logo, logo
    from chrombpnet_core.plots.style import (
        BASE_COLOURS,
        LIGHT,
        PALETTE,
        NotebookFigure,
        legend_above,
        one_panel,
        plain_svg,
        styled,
        write_png,
        write_svg,
    )

__all__ = [
    "BASE_COLOURS",
    "LIGHT",
    "MODEL_COLOURS",
    "PALETTE",
    "NotebookFigure",
    "draw_logo",
    "draw_track",
    "footprint",
    "legend_above",
    "locus",
    "logo",
    "motif_footprint",
    "one_panel",
    "plain_svg",
    "read_limits",
    "styled",
    "write_png",
    "write_svg",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
