"""Annotation of variants with peaks, nearest genes and motif hits."""

from __future__ import annotations

import pandas as pd

from chrombpnet_core.variants import annotate_variants
from tests.core.variants.tables import scores_table


def test_annotation_tells_peaks_genes_and_hits():
    table = scores_table(
        [
            ("c", 11, "A", "C", "in", 1, 0, False),
            ("c", 41, "AAA", "A", "over", 2, 0, False),
            ("d", 5, "A", "C", "alone", 3, 0, False),
        ]
    )
    peaks = pd.DataFrame({"chrom": ["c", "c"], "start": [10, 42], "end": [11, 50]})
    genes = pd.DataFrame(
        [("c", 0, 10, "touching"), ("c", 8, 20, "over"), ("c", 100, 200, "far"), ("c", 30, 35, "near")],
        columns=["chrom", "start", "end", "name"],
    )
    hits = pd.DataFrame(
        [("c", 5, 15, "B"), ("c", 9, 12, "A"), ("c", 10, 11, "A"), ("c", 60, 70, "C")],
        columns=["chrom", "start", "end", "name"],
    )
    found = annotate_variants(table, peaks, genes, hits)
    assert found["peak_overlap"].tolist() == [True, True, False]
    assert found[["closest_gene_1", "gene_distance_1", "closest_gene_2", "gene_distance_2"]].iloc[0].tolist() == [
        "over",
        "0",
        "touching",
        "1",
    ]
    assert found[["closest_gene_1", "gene_distance_1"]].iloc[1].tolist() == ["near", "6"]
    assert found.filter(like="gene").iloc[2].tolist() == ["."] * 6
    assert found["hits_motifs"].tolist() == ["A,B", "-", "-"]
    assert found["hits_overlap"].tolist() == [True, False, False]
