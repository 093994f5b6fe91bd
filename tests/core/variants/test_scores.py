"""Scores against an evaluation variant by variant in plain numpy and scipy, as variant-scorer defines them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import jensenshannon

from chrombpnet_core.variants import (
    VARIANT_SCORES,
    AllelePredictions,
    add_p_values,
    empirical_p_values,
    peak_quantiles,
    score_alleles,
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
