"""Scores against an evaluation variant by variant in plain numpy and scipy, as variant-scorer defines them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pysam
import pytest
from scipy.spatial.distance import jensenshannon

from chrombpnet_core.genome import one_hot, reverse_complement
from chrombpnet_core.models import Architecture, BothStrandsPredictor, bpnet, chrombpnet, draw_weights
from chrombpnet_core.variants import (
    VARIANT_COLUMNS,
    VARIANT_SCORES,
    AllelePredictions,
    ScoreTable,
    TopRows,
    add_p_values,
    annotate_variants,
    annotate_vcf,
    draw_background,
    empirical_p_values,
    peak_quantiles,
    read_score_tables,
    read_variant_table,
    score_alleles,
    score_shuffled,
    summarise_folds,
)

WIDTH = 40
LENGTHS = [(1, 1), (2, 2), (1, 4), (4, 1), (0, 3), (3, 0), (2, 5), (5, 2), (1, 1), (20, 1), (1, 20)]


def alleles_of(rng, lengths=LENGTHS, width=WIDTH):
    n = len(lengths)
    one, two = np.array(lengths).T
    logits = rng.normal(size=(2, n, width)) * 3 + 500  # a shift that a careless softmax overflows at
    counts = np.exp(rng.normal(3, 1, (2, n)))
    return AllelePredictions(*counts, *logits, one, two)


def profile(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def one_by_one(alleles, row):
    """JSD as given and realigned: the longer allele's extra letters are dropped, and as many at the other's right end."""
    first, second = profile(alleles.logits1[row]), profile(alleles.logits2[row])
    one, two, middle = int(alleles.lengths1[row]), int(alleles.lengths2[row]), alleles.logits1.shape[1] // 2
    original = jensenshannon(first, second, base=2)
    if one == two:
        return original, original

    def dropped(values, short, long):
        return np.concatenate([values[: middle + short], values[middle + long :]])

    if one > two:
        first, second = dropped(first, two, one), second[: two - one]
    else:
        first, second = first[: one - two], dropped(second, one, two)
    return original, jensenshannon(first / first.sum(), second / second.sum(), base=2)


def test_scores_and_names():
    alleles = alleles_of(np.random.default_rng(1))
    peaks = np.sort(np.exp(np.random.default_rng(2).normal(3, 1, 37)))
    scores = score_alleles(alleles, peaks)
    logfc = np.log2(alleles.counts2 / alleles.counts1)
    original, jsd = np.array([one_by_one(alleles, row) for row in range(len(LENGTHS))]).T
    share = [np.array([max(np.mean(peaks < x), 1 / 37) for x in counts]) for counts in (alleles.counts1, alleles.counts2)]
    active = np.maximum(*share)
    wanted = {
        "allele1_pred_counts": alleles.counts1,
        "allele2_pred_counts": alleles.counts2,
        "logfc": logfc,
        "abs_logfc": abs(logfc),
        "jsd": jsd,
        "original_jsd": original,
        "logfc_x_jsd": logfc * jsd,
        "abs_logfc_x_jsd": abs(logfc) * jsd,
        "allele1_quantile": share[0],
        "allele2_quantile": share[1],
        "active_allele_quantile": active,
        "quantile_change": share[1] - share[0],
        "abs_quantile_change": abs(share[1] - share[0]),
        "logfc_x_active_allele_quantile": logfc * active,
        "abs_logfc_x_active_allele_quantile": abs(logfc) * active,
        "jsd_x_active_allele_quantile": jsd * active,
        "logfc_x_jsd_x_active_allele_quantile": logfc * jsd * active,
        "abs_logfc_x_jsd_x_active_allele_quantile": abs(logfc) * jsd * active,
    }
    assert [*scores] == [*wanted]
    for name, values in wanted.items():
        np.testing.assert_allclose(scores[name], values, atol=1e-12, err_msg=name)
    assert [*score_alleles(alleles)] == [*wanted][:8]
    assert (abs(original - jsd)[[0, 1, 8]] == 0).all()
    assert (abs(original - jsd)[[2, 3, 4, 5]] > 1e-4).all()


def test_swapped_alleles_turn_signs():
    alleles = alleles_of(np.random.default_rng(4))
    turned = AllelePredictions(*(alleles[i] for i in (1, 0, 3, 2, 5, 4)))
    here, there = score_alleles(alleles), score_alleles(turned)
    for name, sign in (("logfc", -1), ("logfc_x_jsd", -1), ("jsd", 1), ("original_jsd", 1), ("abs_logfc_x_jsd", 1)):
        np.testing.assert_allclose(here[name], sign * there[name], atol=1e-12)


def test_p_values_by_counting():
    rng = np.random.default_rng(5)
    background, values = np.sort(np.round(rng.normal(size=99), 1)), np.round(rng.normal(size=50), 1)
    right = np.array([(1 + np.sum(background >= value)) / 100 for value in values])
    left = np.array([(1 + np.sum(background <= value)) / 100 for value in values])
    np.testing.assert_allclose(empirical_p_values(values, background, "right"), right)
    np.testing.assert_allclose(empirical_p_values(values, background, "both"), np.minimum(2 * np.minimum(left, right), 1))
    assert empirical_p_values(np.zeros(1), np.zeros(9), "both")[0] == 1


def test_p_values_of_the_background_itself_are_uniform():
    rng = np.random.default_rng(6)
    background = np.sort(rng.gumbel(size=4000))
    for tail in ("right", "both"):
        found = np.sort(empirical_p_values(rng.gumbel(size=2000), background, tail))
        assert np.abs(found - (np.arange(2000) + 0.5) / 2000).max() < 0.05


def test_columns_stand_as_in_variant_scorer():
    alleles, peaks = alleles_of(np.random.default_rng(8)), np.arange(1.0, 50)
    scores = score_alleles(alleles, peaks)
    background = {name: np.sort(scores[name]) for name in VARIANT_SCORES}
    names = [*add_p_values(scores, background)]
    assert names[:8] == [*scores][:8]
    assert names[8:13] == ["logfc.pval", "abs_logfc.pval", "jsd.pval", "logfc_x_jsd.pval", "abs_logfc_x_jsd.pval"]
    assert names[13:23] == [*scores][8:]
    assert names[23:] == [f"{name}.pval" for name in VARIANT_SCORES[5:]]
    assert [*add_p_values(score_alleles(alleles), background)] == names[:13]
    assert add_p_values(scores, None) is scores


def test_quantiles_have_a_least():
    assert peak_quantiles(np.array([0.5, 1, 1.5, 9]), np.array([1.0, 2, 3, 4])).tolist() == [0.25, 0.25, 0.25, 1]


def test_summary_over_folds():
    folds = [
        {
            name: np.array(values)
            for name, values in (
                ("allele1_pred_counts", [1.0, 2]),
                ("allele2_pred_counts", [2.0, 4]),
                ("logfc", logfc),
                ("logfc.pval", p),
            )
        }
        for logfc, p in (([1.0, -1], [0.1, 0.5]), ([2.0, 0.5], [0.001, 0.5]), ([3.0, 2], [0.1, 0.004]))
    ]
    together = summarise_folds(folds)
    assert together["logfc.mean"].tolist() == [2, 0.5]
    np.testing.assert_allclose(together["logfc.sd"], [1, 1.5])
    np.testing.assert_allclose(together["logfc.sign_agreement"], [1, 2 / 3])
    np.testing.assert_allclose(together["logfc.mean.pval"], [1e-5 ** (1 / 3), 0.001 ** (1 / 3)])
    assert together["allele2_pred_counts.mean"].tolist() == [2, 4]
    assert "jsd.mean" not in together


@pytest.fixture(scope="module")
def model():
    made = bpnet(Architecture(4, 2, 200, 80), "wo_bias_", "model_wo_bias")
    draw_weights(made, 3)
    return made


def test_both_strands_are_averaged_whatever_the_batch(model):
    codes = np.random.default_rng(9).integers(0, 5, (23, 200)).astype(np.uint8)
    forward, backward = (model.predict(one_hot(each), verbose=0) for each in (codes, reverse_complement(codes)))
    for at_once in (2, 16, 64):
        counts, logits = BothStrandsPredictor(model, at_once=at_once)(codes)
        np.testing.assert_allclose(counts, (np.exp(forward[1]) + np.exp(backward[1]))[:, 0] / 2, rtol=1e-5)
        np.testing.assert_allclose(logits, (forward[0] + backward[0][:, ::-1]) / 2, atol=1e-5)


def test_main_models_are_predicted_with(model):
    bias = bpnet(Architecture(2, 2, 200, 80))
    draw_weights(bias, 1)
    whole = chrombpnet(bpnet(Architecture(4, 2, 200, 80), "wo_bias_", "model_wo_bias"), bias)
    codes = np.random.default_rng(9).integers(0, 4, (3, 200)).astype(np.uint8)
    forward, backward = (whole.predict(one_hot(each), verbose=0)[1][:, 0] for each in (codes, reverse_complement(codes)))
    np.testing.assert_allclose(BothStrandsPredictor(whole)(codes)[0], (np.exp(forward) + np.exp(backward)) / 2, rtol=1e-5)


def test_background_is_seeded_and_does_not_depend_on_blocks(model):
    rows, times = draw_background(30, 12, 1)
    assert times.sum() == 30
    assert (np.diff(rows) > 0).all()
    sequence = np.random.default_rng(2).integers(0, 4, 900).astype(np.uint8)
    letters = "".join("ACGT"[code] for code in sequence)
    table = pd.DataFrame(
        [
            ("c", pos, letters[pos - 1 : pos - 1 + size], "A", f"v{pos}", 0, 1, 0)
            for pos, size in zip(range(200, 560, 30), [1, 1, 3] * 4, strict=True)
        ],
        columns=VARIANT_COLUMNS,
    )
    predict = BothStrandsPredictor(model)

    def scored(part, times, seed=1):
        blocks = list(score_shuffled(predict, sequence, part, times, seed, None))
        return np.concatenate([block["logfc"] for block in blocks])

    drawn, times = table.iloc[rows].reset_index(drop=True), times
    once = scored(drawn, times)
    again = np.concatenate([scored(drawn.iloc[[row]].reset_index(drop=True), times[[row]]) for row in range(len(drawn))])
    np.testing.assert_allclose(once, again, atol=1e-6)
    at = next(row for row in range(len(drawn)) if drawn["allele1"][row] != "A" and times[row] > 1)
    begin = int(times[:at].sum())
    assert len(np.unique(np.round(once[begin : begin + times[at]], 7))) == times[at]  # shuffles of one variant differ
    assert not np.allclose(once, scored(drawn, times, seed=2))
    assert draw_background(5, 12, 1)[1].tolist() == [1] * 5


def scores_table(rows, **scores):
    table = pd.DataFrame(rows, columns=["chr", "pos", "allele1", "allele2", "variant_id", "record", "alt", "swapped"])
    return table.assign(end=0, **scores)


def test_tables_are_written_in_blocks(tmp_path):
    one = scores_table([("c1", 5, "A", "-", "NA", 1, 0, False)], logfc=[1 / 3])
    two = scores_table([("c1", 9, "A", "C", 'b"x', 2, 0, True)], logfc=[-2e-7])
    paths = [tmp_path / "a.tsv", tmp_path / "a.parquet"]
    with ScoreTable(paths, "bed") as table:
        table.append(one)
        table.append(two)
    text, parquet = (
        pd.concat(list(read_variant_table(paths[0], 1)), ignore_index=True),
        pd.concat(list(read_score_tables(paths[1:]))),
    )
    assert [*text.columns] == ["chr", "pos", "end", "allele1", "allele2", "variant_id", "swapped", "logfc"]
    assert text["pos"].tolist() == [4, 8]
    assert text["variant_id"].tolist() == parquet["variant_id"].tolist()
    assert text["variant_id"][0] == "NA"
    np.testing.assert_allclose(text["logfc"], [1 / 3, -2e-7], rtol=1e-8)
    assert parquet["logfc"].tolist() == [1 / 3, -2e-7]


def test_top_rows_of_many_blocks():
    values = np.random.default_rng(3).permutation(100)
    top = TopRows(5, "x")
    for at in range(0, 100, 7):
        top.add(pd.DataFrame({"x": values[at : at + 7]}))
    assert top.table["x"].tolist() == [99, 98, 97, 96, 95]


def test_vcf_has_a_value_for_each_allele(tmp_path):
    source = tmp_path / "a.vcf"
    source.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=c>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "c\t5\tx\tA\tC,<DEL>,G\t.\t.\t.\nc\t6\ty\tA\tC\t.\t.\t.\nc\t7\tz\tA\tC\t.\t.\t.\n"
    )
    table = scores_table(
        [("c", 5, "A", "C", "x", 1, 0, False), ("c", 5, "A", "G", "x", 1, 2, False), ("c", 7, "C", "A", "z", 3, 0, True)],
        **{"logfc.mean": [0.5, -1.5, 2.0], "jsd.mean": [0.25] * 3},
    )
    assert annotate_vcf(source, tmp_path / "b.vcf.gz", [table.iloc[:1], table.iloc[1:]]) == 2
    with pysam.VariantFile(str(tmp_path / "b.vcf.gz")) as file:
        first, second, third = file
        assert first.info["CBP_LOGFC"] == (0.5, None, -1.5)
        assert "CBP_JSD" not in second.info
        assert third.info["CBP_LOGFC"] == (-2.0,)  # of the record as it stands
        assert third.info["CBP_JSD"] == (0.25,)
        assert third.info["CBP_SWAPPED"]


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
