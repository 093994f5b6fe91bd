"""The page of top variants: what it says of each, its pictures, and text that is shown as text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from chrombpnet_core.plots import LIGHT
from chrombpnet_core.report.variants_page import TopVariants, variant_picture, write_variants_page

LENGTH, WIDTH = 400, 200


@pytest.fixture(scope="module")
def top():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "variant_id": ["rs1", "<script>"],
            "chr": ["chr1", "chr2"],
            "pos": [12_345, 6_789_012],
            "allele1": ["A", "ACGTACGTACGTACGT"],
            "allele2": ["G", "-"],
            "logfc.mean": [-0.4, 0.2],
            "jsd": [0.1, 0.05],
            "abs_logfc_x_jsd.pval": [0.001, 0.02],
            "logfc.sign_agreement": [1.0, 0.8],
            "closest_gene_1": ["GATA1", "."],
            "gene_distance_1": [500, 0],
            "peak_overlap": [True, False],
            "hits_motifs": ["CTCF", "-"],
        }
    )
    codes = rng.integers(0, 4, (2, 2, LENGTH)).astype(np.uint8)
    counts = np.array([[100.0, 50.0], [60.0, 70.0]])
    return TopVariants(table, codes, counts, rng.normal(size=(2, 2, WIDTH)), rng.normal(size=(2, 2, LENGTH, 4)))


def test_it_says_what_each_variant_does(top, tmp_path):
    write_variants_page(tmp_path / "x.html", top, "Set <b>", 1000, ["fold_0", "fold_1"], {"outside the genome": 3})
    page = (tmp_path / "x.html").read_text()
    for words in (
        "1. rs1: A → G at chr1:12,345, closes chromatin",
        "2. &lt;script&gt;: ACGTACGTA… (16 bp) → - at chr2:6,789,012, opens chromatin",
        "log fold change <b>−0.400</b>",
        "JSD <b>0.1</b>",
        "counts <b>100 → 60</b>",
        "models that agree on the sign <b>80%</b>",
        "nearest gene GATA1 (500 bp); in a peak; motif CTCF",
        "outside peaks",
        "Not scored: 3 outside the genome.",
        "2\nmodels: fold_0, fold_1",
    ):
        assert words in page, words
    assert "<script" not in page
    assert page.count("<svg") == 2


def test_a_picture_has_both_alleles_and_shades_their_letters(top):
    figure = variant_picture(top, 1)
    upper, first, second = figure.axes
    profiles = [line.get_ydata() for line in upper.get_lines()]
    assert [len(profile) for profile in profiles] == [WIDTH, WIDTH]
    assert [profile.sum() for profile in profiles] == pytest.approx([50, 70])
    assert [text.get_text() for text in upper.get_legend().get_texts()] == [
        "ACGTACGTA… (16 bp), reference",
        "-, alternative",
    ]
    shades = [
        patch.get_width()
        for axes in (upper, first, second)
        for patch in axes.patches
        if patch.get_facecolor() == to_rgba(LIGHT["rule"])
    ]
    assert shades == [16, 16, 1]
    assert first.get_ylim() == second.get_ylim()
