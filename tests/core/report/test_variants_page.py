"""The page of top variants: what it says of each, its pictures, and text that is shown as text."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from chrombpnet_core.plots import LIGHT
from chrombpnet_core.report.variants_page import TopVariants, variant_picture, write_variants_page
from chrombpnet_core.report.variants_table import describe_effect

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
    left_out = {"outside the genome": 3}
    write_variants_page(tmp_path / "x.html", top, top.table, "Set <b>", 1000, ["fold_0", "fold_1"], left_out)
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
    assert page.count("<script") == 1  # the page's own
    assert page.count("<svg") == 2


def test_the_table_has_every_variant_and_links_to_the_rest(top, tmp_path):
    write_variants_page(tmp_path / "x.html", replace(top, table=top.table.head(1)), top.table, "t", 2, ["fold_0"], {})
    page = (tmp_path / "x.html").read_text()
    body = page.split("<tbody>", 1)[1].split("</tbody>")[0]
    assert re.findall(r'<th scope="row" data-value="[^"]*">([^<]*)</th>', body) == ["rs1", "&lt;script&gt;"]
    assert "All variants" in page
    headings = re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', page)
    assert {"effect", "log2 fold change", "JSD", "p", "agreement", "lies"} <= set(headings)
    assert "quantile" not in headings  # no variant has one
    assert "<!-- file mean.variant_scores.tsv -->" in page
    write_variants_page(tmp_path / "y.html", top, top.table, "t", 9_999, ["fold_0"], {})
    assert "The 2 variants that rank first" in (tmp_path / "y.html").read_text()


@pytest.mark.parametrize(
    ("scores", "effect"),
    [
        ({"logfc": 0.4}, "opens chromatin"),
        ({"logfc": -0.4}, "closes chromatin"),
        ({"logfc": 0.09}, "within the noise"),
        ({"logfc": 0.4, "abs_logfc_x_jsd.pval": 0.05}, "within the noise"),
        ({"logfc": 0.09, "abs_logfc_x_jsd.pval": 0.01}, "opens chromatin"),
        ({"logfc.mean": -0.4, "logfc.sd": 0.1, "logfc.sign_agreement": 1.0}, "closes chromatin"),
        ({"logfc.mean": -0.4, "logfc.sd": 0.5, "logfc.sign_agreement": 1.0}, "within the noise"),
        ({"logfc.mean": -0.4, "logfc.sd": 0.1, "logfc.sign_agreement": 0.6}, "within the noise"),
        (
            {"logfc.mean": 0.4, "logfc.sd": 0.1, "logfc.sign_agreement": 0.8, "abs_logfc_x_jsd.mean.pval": 0.2},
            "within the noise",
        ),
        ({"logfc": 0.0, "abs_logfc_x_jsd.pval": 0.01}, "within the noise"),
    ],
)
def test_below_the_noise_a_variant_neither_opens_nor_closes(scores, effect):
    assert describe_effect(scores) == effect


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
