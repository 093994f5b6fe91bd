"""Pictures that the report and a notebook share: sequence logos, footprints, the tracks of a region, colours and files.

Every function that draws returns a matplotlib figure or draws into given axes; :func:`write_png` and :func:`write_svg` are
the one way to a file and to a page.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.plots.footprints import MODEL_COLOURS, MOTIFS_IN_A_ROW, footprint, footprint_panels, motif_footprint
    from chrombpnet_core.plots.genes import GeneRows, draw_genes, gene_rows
    from chrombpnet_core.plots.limits import read_limits
    from chrombpnet_core.plots.loci import CONTRIBUTION_UNITS, draw_track, locus
    from chrombpnet_core.plots.logo_colours import BASE_COLOURS, LOGO_COLOURS, configured_logo_colours
    from chrombpnet_core.plots.logos import draw_logo, logo
    from chrombpnet_core.plots.style import (
        LIGHT,
        PAGE_WIDTH,
        PALETTE,
        PICTURE_WIDTH,
        NotebookFigure,
        legend_above,
        one_panel,
        plain_svg,
        share_limits,
        shorten,
        styled,
        use_logo_colours,
        write_png,
        write_svg,
    )

__all__ = [
    "BASE_COLOURS",
    "CONTRIBUTION_UNITS",
    "LIGHT",
    "LOGO_COLOURS",
    "MODEL_COLOURS",
    "MOTIFS_IN_A_ROW",
    "PAGE_WIDTH",
    "PALETTE",
    "PICTURE_WIDTH",
    "GeneRows",
    "NotebookFigure",
    "configured_logo_colours",
    "draw_genes",
    "draw_logo",
    "draw_track",
    "footprint",
    "footprint_panels",
    "gene_rows",
    "legend_above",
    "locus",
    "logo",
    "motif_footprint",
    "one_panel",
    "plain_svg",
    "read_limits",
    "share_limits",
    "shorten",
    "styled",
    "use_logo_colours",
    "write_png",
    "write_svg",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
