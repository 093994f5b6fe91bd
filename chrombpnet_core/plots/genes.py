"""Gene models below the tracks of a region: exons, introns, strand and name, in as few rows as have room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from chrombpnet_core.genome import Transcript, genes_at
from chrombpnet_core.plots.style import LETTER, LIGHT, TEXT, shorten

__all__ = ["GeneRows", "draw_genes", "gene_rows"]

_MOST_ROWS = 4
_ROW_HEIGHT, _MARGIN = 0.34, 0.1  # inches: of a row, and around all
_NAME, _BODY, _EXON = 0.27, 0.74, 0.3  # middle of a name and of a gene in its row, height of an exon, in rows
_NAME_SHARE = 0.3  # of the width, for a name at most
_ARROWS = 45  # of introns, over the width


@dataclass(frozen=True)
class GeneRows:
    """Hold the genes of a window, placed so that neither they nor their names overlap.

    Attributes
    ----------
    start, end
        The window, 0-based, half-open.
    rows
        Genes of each row, with the position at which the name begins, and the name.
    left_out
        Number of genes for which there is no row.
    """

    start: int
    end: int
    rows: list[list[tuple[Transcript, float, str]]]
    left_out: int

    @property
    def height(self) -> float:
        """Height of the panel in inches."""
        return _ROW_HEIGHT * max(len(self.rows), 1) + _MARGIN


def gene_rows(genes: Sequence[Transcript], chrom: str, start: int, end: int, inches: float) -> GeneRows:
    """Place the genes of a window in rows.

    Parameters
    ----------
    genes
        Transcripts, of :func:`~chrombpnet_core.genome.read_genes`; each gene is shown as one of its transcripts.
    chrom
        Chromosome of the window.
    start
        Its first position, 0-based.
    end
        The one behind its last.
    inches
        Width of the panel.

    Returns
    -------
    GeneRows
        For :func:`draw_genes`.
    """
    letter = LETTER * (end - start) / (inches * 72)  # in bases
    rows: list[list[tuple[Transcript, float, str]]] = []
    taken: list[list[tuple[float, float]]] = []
    left_out = 0
    for gene in genes_at(genes, chrom, start, end):
        name = _named(gene, _NAME_SHARE * inches)
        first, last = max(gene.start, start), min(gene.end, end)
        at = max(min(first, end - letter * len(name)), start)
        span = min(first, at), max(last, at + letter * (len(name) + 1))
        row = next((row for row, spans in enumerate(taken) if not any(_overlap(span, other) for other in spans)), len(rows))
        if row == _MOST_ROWS:
            left_out += 1
            continue
        if row == len(rows):
            rows.append([])
            taken.append([])
        rows[row].append((gene, at, name))
        taken[row].append(span)
    return GeneRows(start, end, rows, left_out)


def draw_genes(axes: Axes, genes: GeneRows, origin: int) -> None:
    """Draw gene models: exons as boxes, introns as lines with arrows, the name with the strand's arrow above.

    Parameters
    ----------
    axes
        Where to draw; its limits are set to the window.
    genes
        Of :func:`gene_rows`.
    origin
        Position that is 0 on the x axis.
    """
    left, right = genes.start - origin, genes.end - 1 - origin
    for row, placed in enumerate(genes.rows):
        for gene, at, name in placed:
            _draw_gene(axes, gene, row + _BODY, genes, origin)
            axes.text(at - origin, row + _NAME, name, va="center", fontsize=TEXT)
    if not genes.rows:
        axes.text(0.006, 0.5, "no gene in this window", transform=axes.transAxes, va="center", color=LIGHT["muted"])
    more = f"\n(+{genes.left_out})" if genes.left_out else ""
    axes.set_ylabel(f"genes{more}", rotation=0, ha="right", va="center")
    axes.set(xlim=(left, right), ylim=(max(len(genes.rows), 1), 0), yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)


def _draw_gene(axes: Axes, gene: Transcript, height: float, window: GeneRows, origin: int) -> None:
    """Draw what lies in the window of a gene; bases are 1 wide, their middles at whole numbers."""
    first, last = max(gene.start, window.start), min(gene.end, window.end)
    axes.plot([first - 0.5 - origin, last - 0.5 - origin], [height] * 2, color=LIGHT["muted"], lw=1, solid_capstyle="butt")
    exons = [(max(begin, window.start), min(end, window.end)) for begin, end in gene.exons]
    if gene.strand in ("+", "-"):
        step = (window.end - window.start) / _ARROWS
        places = window.start + step * (np.arange(_ARROWS) + 0.5)
        inner = [place for place in places if first + step < place < last - step and not _in_any(place, exons, step / 2)]
        marker = ">" if gene.strand == "+" else "<"
        axes.plot(np.array(inner) - origin, np.full(len(inner), height), marker, ms=2.5, mew=0, color=LIGHT["muted"])
    boxes = [(begin - 0.5 - origin, end - begin) for begin, end in exons if begin < end]
    if boxes:
        axes.broken_barh(boxes, (height - _EXON / 2, _EXON), facecolor=LIGHT["ink"], lw=0, zorder=3)


def _named(gene: Transcript, inches: float) -> str:
    name = shorten(gene.gene, inches)
    return {"+": f"{name} →", "-": f"← {name}"}.get(gene.strand, name)


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _in_any(place: float, spans: Sequence[tuple[int, int]], margin: float) -> bool:
    return any(begin - margin < place < end + margin for begin, end in spans)
