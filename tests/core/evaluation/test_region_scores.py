"""Scores of regions: against the reference program, in batches, in groups, over folds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import metrics, region_scores


def some_regions(n=40, width=60, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1.0, 0.6, (n, 1)), (n, width)).astype(np.float32)
    counts[n // 2] = 0
    return (
        counts,
        rng.normal(size=(n, width)).astype(np.float32),
        rng.normal(3, 1, (n, 1)).astype(np.float32),
        rng.random(n) < 0.5,
    )


# --- the reference program ---------------------------------------------------------------------------------------


@pytest.mark.golden
def test_scored_regions_agree_with_the_reference(golden):
    with np.errstate(divide="ignore"):
        logits = np.log(golden["probs"].astype(np.float64))
    found = region_scores.evaluate_predictions(golden["counts"], logits, golden["count_preds"], None)
    assert found["profile_metrics"]["regions"]["median_jsd"] == pytest.approx(float(golden["median_jsd"]), abs=1e-7)
    assert found["profile_metrics"]["regions"]["median_norm_jsd"] == pytest.approx(float(golden["median_norm_jsd"]))
    for ours, theirs in (("spearmanr", "spearmanr"), ("pearsonr", "pearsonr"), ("mse", "mse")):
        assert found["counts_metrics"]["regions"][ours] == pytest.approx(float(golden[theirs]), abs=1e-6)
    assert found["group_sizes"]["regions"] == {"regions": 64, "without_reads": 1}
    # Shuffles differ, their level does not.
    assert found["chance_metrics"]["regions"]["median_jsd"] == pytest.approx(np.nanmedian(golden["jsd_rnd"]), abs=0.01)


@pytest.mark.golden
def test_chance_is_drawn_from_the_references_distribution(golden):
    """Each region's shuffled JSD lies among forty of ours as one more of them would."""
    counts, wanted = golden["counts"], golden["jsd_rnd"]
    batch = counts, np.zeros(counts.shape), golden["count_preds"]
    draws = np.array([region_scores.score_regions([batch], seed).chance_jsd for seed in range(40)])
    np.testing.assert_array_equal(np.isnan(draws), np.tile(np.isnan(wanted), (40, 1)))
    mean, spread = draws.mean(axis=0), draws.std(axis=0, ddof=1)
    varies = spread > 1e-9  # but for the region without reads, and that of one, whose shuffles are all alike
    assert varies.sum() == len(counts) - 2
    np.testing.assert_allclose(mean[~varies], wanted[~varies], atol=1e-9)
    deviation = (wanted - mean)[varies] / spread[varies]
    assert abs(deviation.mean()) < 0.4
    assert 0.75 < deviation.std() < 1.25
    norm = metrics.normalised_jsd(wanted, metrics.uniform_jsd(counts))
    np.testing.assert_allclose(norm, golden["jsd_rnd_norm"], rtol=0, atol=1e-6)


# --- streams and summaries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [(1,), (7, 8, 30), tuple(range(1, 40))])
def test_scores_do_not_depend_on_batches(cuts, monkeypatch):
    counts, logits, logcounts, _ = some_regions()
    whole = region_scores.score_regions([(counts, logits, logcounts)])
    pieces = zip(*(np.split(values, cuts) for values in (counts, logits, logcounts)), strict=True)
    monkeypatch.setattr(region_scores, "_CHUNK", 5)
    cut = region_scores.score_regions(pieces)
    for name, values in whole.arrays().items():
        np.testing.assert_array_equal(values, getattr(cut, name), err_msg=name)


def test_chance_follows_the_seed():
    counts, logits, logcounts, _ = some_regions()
    one, again, other = (region_scores.score_regions([(counts, logits, logcounts)], seed).chance_jsd for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other, equal_nan=True)


def test_groups_are_scored_apart_and_regions_without_reads_are_counted():
    counts, logits, logcounts, is_peak = some_regions()
    found = region_scores.evaluate_predictions(counts, logits, logcounts, is_peak)
    assert set(found["counts_metrics"]) == {"peaks", "nonpeaks", "peaks_and_nonpeaks"}
    alone = region_scores.evaluate_predictions(counts[is_peak], logits[is_peak], logcounts[is_peak], None)
    assert found["counts_metrics"]["peaks"] == alone["counts_metrics"]["regions"]
    assert found["profile_metrics"]["peaks"] == alone["profile_metrics"]["regions"]
    empty = (counts.sum(axis=1) == 0).sum()
    assert found["group_sizes"]["peaks_and_nonpeaks"] == {"regions": 40, "without_reads": int(empty)}
    assert 0 <= found["classification_metrics"]["auroc"] <= 1
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("case", ["constant", "one region", "no nonpeaks", "no reads", "nothing"])
def test_degenerate_sets_give_none_and_valid_json(case):
    counts, logits, logcounts, is_peak = some_regions()
    if case == "constant":
        counts, logcounts = np.ones_like(counts), np.ones_like(logcounts)
    elif case == "one region":
        counts, logits, logcounts, is_peak = counts[:1], logits[:1], logcounts[:1], is_peak[:1]
    elif case == "no nonpeaks":
        is_peak = np.ones_like(is_peak)
    elif case == "no reads":
        counts = np.zeros_like(counts)
    else:
        counts, logits, logcounts, is_peak = counts[:0], logits[:0], logcounts[:0], is_peak[:0]
    found = region_scores.evaluate_predictions(counts, logits, logcounts, is_peak)
    json.dumps(found, allow_nan=False)
    group = "nonpeaks" if case == "no nonpeaks" else "peaks_and_nonpeaks"
    assert found["counts_metrics"][group]["pearsonr"] is None
    if case in {"no nonpeaks", "nothing"}:
        assert found["classification_metrics"] == {"auroc": None, "auprc": None}
    if case in {"no reads", "nothing"}:
        assert found["profile_metrics"][group]["median_jsd"] is None


def test_no_batches_make_empty_scores():
    assert len(region_scores.score_regions([])) == 0
    assert (
        region_scores.summarise_scores(region_scores.score_regions([]), np.empty(0, bool))["group_sizes"]["peaks"]["regions"]
        == 0
    )


def test_predictions_that_are_not_finite_are_refused():
    counts, logits, logcounts, _ = some_regions()
    for spoil in (logits, logcounts):
        spoil[3] = np.nan
        with pytest.raises(InputError, match="not finite"):
            region_scores.score_regions([(counts, logits, logcounts)])
        spoil[3] = 0


def test_shapes_that_disagree_are_refused():
    counts, logits, logcounts, is_peak = some_regions()
    with pytest.raises(ValueError, match="expected"):
        region_scores.score_regions([(counts, logits[:, 1:], logcounts)])
    with pytest.raises(ValueError, match="expected"):
        region_scores.score_regions([(counts, logits, logcounts[1:])])
    with pytest.raises(ValueError, match="is_peak"):
        region_scores.evaluate_predictions(counts, logits, logcounts, is_peak[1:])


# --- ENCODE ------------------------------------------------------------------------------------------------------


def test_the_quality_metric_is_the_median_over_folds(shared):
    folds = [region_scores.evaluate_predictions(*some_regions(seed=seed)) for seed in range(4)]
    found = region_scores.quality_metric(folds)
    schema = json.loads((shared / "data" / "encode" / "bpnet_quality_metric.schema.json").read_text())
    assert set(found) == {name for name, field in schema["properties"].items() if field.get("type") == "number"}
    for field, keys in {
        "count_spearman_allregions": ("counts_metrics", "peaks_and_nonpeaks", "spearmanr"),
        "count_pearson_peaks": ("counts_metrics", "peaks", "pearsonr"),
        "profile_normjsd_peaks": ("profile_metrics", "peaks", "median_norm_jsd"),
        "auroc": ("classification_metrics", "auroc"),
    }.items():
        values = [fold[keys[0]][keys[1]][keys[2]] if len(keys) == 3 else fold[keys[0]][keys[1]] for fold in folds]
        assert found[field] == pytest.approx((sorted(values)[1] + sorted(values)[2]) / 2, rel=1e-12)


def test_a_field_that_no_fold_defines_is_left_out():
    counts, logits, logcounts, _ = some_regions()
    found = region_scores.quality_metric(
        [region_scores.evaluate_predictions(counts, logits, logcounts, np.ones(len(counts), bool))]
    )
    assert "auroc" not in found
    assert "count_pearson_peaks" in found
