"""Gene models below tracks: where genes and names stand, what is left out, exons, introns and strands."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from chrombpnet_core.genome import Transcript
from chrombpnet_core.plots import LIGHT, draw_genes, gene_rows, locus


def names_of(rows):
    return [[name for _, _, name in placed] for placed in rows.rows]


def test_genes_that_overlap_or_whose_names_would_stand_in_rows_of_their_own():
    genes = [
        Transcript("c", "+", "A", ((100, 300),)),
        Transcript("c", "-", "B", ((250, 500),)),
        Transcript("c", ".", "C", ((600, 601),)),
        Transcript("c", "+", "a_long_name", ((610, 620),)),
        Transcript("d", "+", "elsewhere", ((100, 300),)),
    ]
    rows = gene_rows(genes, "c", 0, 1000, 6)
    assert names_of(rows) == [["A →", "C"], ["← B", "a_long_name →"]]
    assert rows.height > gene_rows(genes[:1], "c", 0, 1000, 6).height
    assert gene_rows([], "c", 0, 1000, 6).height == gene_rows(genes[:1], "c", 0, 1000, 6).height


def test_what_has_no_room_is_counted():
    genes = [Transcript("c", "+", f"gene{number}", ((0, 900),)) for number in range(7)]
    rows = gene_rows(genes, "c", 100, 800, 6)
    assert (len(rows.rows), rows.left_out) == (4, 3)
    axes = Figure().add_subplot()
    draw_genes(axes, rows, 0)
    assert axes.get_ylabel() == "genes\n(+3)"


def test_names_stay_in_the_window():
    (((_, at, name),),) = gene_rows([Transcript("c", "+", "W" * 80, ((990, 5000),))], "c", 0, 1000, 6).rows
    assert name.endswith("… →")
    assert 0 <= at < 900
    assert gene_rows([Transcript("c", "+", "x", ((0, 5000),))], "c", 1000, 2000, 6).rows[0][0][1] == 1000


@pytest.mark.parametrize(("strand", "marker"), [("+", ">"), ("-", "<"), (".", None)])
def test_exons_are_boxes_and_introns_lines_with_the_strands_arrows(strand, marker):
    axes = Figure().add_subplot()
    gene = Transcript("c", strand, "G", ((1090, 1110), (1400, 1500), (1900, 2200)))
    draw_genes(axes, gene_rows([gene], "c", 1100, 2100, 6), 1600)
    boxes = [path.get_extents() for path in axes.collections[0].get_paths()]
    assert [(box.x0, box.x1) for box in boxes] == [(-500.5, -490.5), (-200.5, -100.5), (299.5, 499.5)]
    assert to_rgba(LIGHT["ink"]) == tuple(axes.collections[0].get_facecolor()[0])
    line, *arrows = axes.get_lines()
    assert line.get_xdata().tolist() == [-500.5, 499.5]
    assert [arrow.get_marker() for arrow in arrows] == ([marker] if marker else [])
    for arrow in arrows:
        places = arrow.get_xdata()
        assert len(places) > 5
        assert not any(box.x0 <= place <= box.x1 for box in boxes for place in places)
    assert axes.get_xlim() == (-500, 499)


def test_a_locus_has_its_genes_below_the_profiles_and_says_where_there_are_none():
    genes = [Transcript("chrI", "+", "ABC1", ((1050, 1100), (1200, 5000)))]
    figure = locus(np.ones(400), None, np.ones((400, 4)), "chrI", 1000, genes=genes, unit="logits")
    profile, below, letters = figure.axes
    assert below.get_xlim() == (1001, 1400) == profile.get_xlim()
    assert [text.get_text() for text in below.texts] == ["ABC1 →"]
    assert below.patches  # the window of the letters is shaded here, too
    assert letters.get_ylabel() == "contribution\n(logits)"
    assert [text.get_text() for text in locus(np.ones(400), chrom="chrII", genes=genes).axes[1].texts] == [
        "no gene in this window"
    ]
