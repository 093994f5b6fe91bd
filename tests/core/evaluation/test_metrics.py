"""Metrics: against scipy, the reference program's outputs and known answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import pearsonr, spearmanr

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import metrics

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"


@pytest.fixture(scope="module")
def golden():
    path = GOLDEN / "metrics.npz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with np.load(path) as file:
        return {name: file[name] for name in file}


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
def test_profile_metrics_agree_with_the_reference(golden):
    jsd = metrics.jensen_shannon(golden["counts"], golden["probs"])
    norm = metrics.normalised_jsd(jsd, metrics.uniform_jsd(golden["counts"]))
    np.testing.assert_allclose(jsd, golden["jsd_pw"], rtol=0, atol=5e-8)
    np.testing.assert_allclose(norm, golden["jsd_norm"], rtol=0, atol=5e-8)
    assert np.isnan(jsd).sum() == 1
    assert np.nanmedian(jsd) == pytest.approx(float(golden["median_jsd"]), abs=5e-8)


@pytest.mark.golden
def test_scored_regions_agree_with_the_reference(golden):
    with np.errstate(divide="ignore"):
        logits = np.log(golden["probs"].astype(np.float64))
    found = metrics.evaluate_predictions(golden["counts"], logits, golden["count_preds"], None)
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
    draws = np.array([metrics.score_regions([batch], seed).chance_jsd for seed in range(40)])
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


@pytest.mark.golden
def test_correlations_agree_with_the_reference(golden):
    labels, predictions = golden["count_labels"], golden["count_preds"]
    assert metrics.pearson(labels, predictions) == pytest.approx(float(golden["pearsonr"]), abs=1e-12)
    assert metrics.spearman(labels, predictions) == pytest.approx(float(golden["spearmanr"]), abs=1e-12)
    assert metrics.mean_squared_error(labels, predictions) == pytest.approx(float(golden["mse"]), abs=1e-12)


@pytest.mark.golden
def test_softmax_agrees_and_does_not_overflow_where_the_reference_does(golden):
    with np.load(GOLDEN / "loss.npz") as file:
        logits = file["logits"]
    np.testing.assert_allclose(softmax(logits, axis=-1), golden["softmax_of_logits"], atol=1e-7)
    assert not np.isfinite(golden["softmax_big_output"]).all()
    ours = softmax(golden["softmax_big_input"], axis=-1)
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours.sum(axis=-1), 1, rtol=1e-5)


# --- known answers -----------------------------------------------------------------------------------------------


def test_softmax_keeps_type_and_survives_huge_values():
    huge = np.array([[1e30, 1e30, -1e30], [-3e38, -3e38, 3e38]], dtype=np.float32)
    assert softmax(huge, axis=-1).dtype == np.float32
    np.testing.assert_allclose(softmax(huge, axis=-1), [[0.5, 0.5, 0], [0, 0, 1]])
    np.testing.assert_allclose(softmax(np.array([0, 0]), axis=-1), [0.5, 0.5])


def test_jensen_shannon_is_scipys_row_by_row():
    rng = np.random.default_rng(3)
    first, second = rng.poisson(1.0, (30, 50)), rng.random((30, 50))
    expected = [jensenshannon(p, q) for p, q in zip(first, second, strict=True)]
    np.testing.assert_allclose(metrics.jensen_shannon(first, second), expected, atol=1e-12)


def test_jensen_shannon_bounds():
    apart = metrics.jensen_shannon(np.array([[1, 0], [1, 1]]), np.array([[0, 1], [2, 2]]))
    np.testing.assert_allclose(apart, [np.sqrt(np.log(2)), 0])


def test_normalised_jsd_is_one_for_perfect_zero_for_flat_and_nan_for_a_flat_truth():
    worst = metrics.uniform_jsd(np.array([[4, 0, 0, 0], [4, 0, 0, 0], [1, 1, 1, 1]]))
    found = metrics.normalised_jsd(np.array([0.0, worst[1], 0.0]), worst)
    np.testing.assert_allclose(found[:2], [1, 0])
    assert np.isnan(found[2])


def test_correlations_are_scipys_with_ties():
    rng = np.random.default_rng(5)
    first, second = rng.integers(0, 6, 200), rng.normal(size=200)
    assert metrics.pearson(first, second) == pytest.approx(pearsonr(first, second)[0], abs=1e-12)
    assert metrics.spearman(first, second) == pytest.approx(spearmanr(first, second)[0], abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [([], []), ([1.0], [2.0]), ([1, 1, 1], [1, 2, 3]), ([1, 2], [5, 5])])
def test_correlation_of_too_little_is_nan(first, second):
    assert np.isnan(metrics.pearson(np.array(first), np.array(second)))
    assert np.isnan(metrics.spearman(np.array(first), np.array(second)))


def test_auroc_and_auprc_by_hand():
    positive = np.array([True, True, False, True, False])
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    assert metrics.auroc(scores, positive) == pytest.approx(5 / 6)
    assert metrics.auprc(scores, positive) == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert metrics.auroc(-scores, positive) == pytest.approx(1 / 6)


def test_ties_are_neither_for_nor_against():
    positive = np.array([True, False, True, False])
    assert metrics.auroc(np.zeros(4), positive) == 0.5
    assert metrics.auprc(np.zeros(4), positive) == 0.5  # precision of calling everything a peak
    assert metrics.auprc(np.array([2.0, 2.0, 1.0, 0.0]), positive) == pytest.approx(0.5 * 1 / 2 + 0.5 * 2 / 3)


def test_one_class_has_no_curve():
    for positive in (np.ones(3, bool), np.zeros(3, bool)):
        assert np.isnan(metrics.auroc(np.arange(3), positive))
        assert np.isnan(metrics.auprc(np.arange(3), positive))


# --- streams and summaries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [(1,), (7, 8, 30), tuple(range(1, 40))])
def test_scores_do_not_depend_on_batches(cuts, monkeypatch):
    counts, logits, logcounts, _ = some_regions()
    whole = metrics.score_regions([(counts, logits, logcounts)])
    pieces = zip(*(np.split(values, cuts) for values in (counts, logits, logcounts)), strict=True)
    monkeypatch.setattr(metrics, "_CHUNK", 5)
    cut = metrics.score_regions(pieces)
    for name, values in whole.arrays().items():
        np.testing.assert_array_equal(values, getattr(cut, name), err_msg=name)


def test_chance_follows_the_seed():
    counts, logits, logcounts, _ = some_regions()
    one, again, other = (metrics.score_regions([(counts, logits, logcounts)], seed).chance_jsd for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other, equal_nan=True)


def test_groups_are_scored_apart_and_regions_without_reads_are_counted():
    counts, logits, logcounts, is_peak = some_regions()
    found = metrics.evaluate_predictions(counts, logits, logcounts, is_peak)
    assert set(found["counts_metrics"]) == {"peaks", "nonpeaks", "peaks_and_nonpeaks"}
    alone = metrics.evaluate_predictions(counts[is_peak], logits[is_peak], logcounts[is_peak], None)
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
    found = metrics.evaluate_predictions(counts, logits, logcounts, is_peak)
    json.dumps(found, allow_nan=False)
    group = "nonpeaks" if case == "no nonpeaks" else "peaks_and_nonpeaks"
    assert found["counts_metrics"][group]["pearsonr"] is None
    if case in {"no nonpeaks", "nothing"}:
        assert found["classification_metrics"] == {"auroc": None, "auprc": None}
    if case in {"no reads", "nothing"}:
        assert found["profile_metrics"][group]["median_jsd"] is None


def test_no_batches_make_empty_scores():
    assert len(metrics.score_regions([])) == 0
    assert metrics.summarise_scores(metrics.score_regions([]), np.empty(0, bool))["group_sizes"]["peaks"]["regions"] == 0


def test_predictions_that_are_not_finite_are_refused():
    counts, logits, logcounts, _ = some_regions()
    for spoil in (logits, logcounts):
        spoil[3] = np.nan
        with pytest.raises(InputError, match="not finite"):
            metrics.score_regions([(counts, logits, logcounts)])
        spoil[3] = 0


def test_shapes_that_disagree_are_refused():
    counts, logits, logcounts, is_peak = some_regions()
    with pytest.raises(ValueError, match="expected"):
        metrics.score_regions([(counts, logits[:, 1:], logcounts)])
    with pytest.raises(ValueError, match="expected"):
        metrics.score_regions([(counts, logits, logcounts[1:])])
    with pytest.raises(ValueError, match="is_peak"):
        metrics.evaluate_predictions(counts, logits, logcounts, is_peak[1:])


# --- ENCODE ------------------------------------------------------------------------------------------------------


def test_the_quality_metric_is_the_median_over_folds(shared):
    folds = [metrics.evaluate_predictions(*some_regions(seed=seed)) for seed in range(4)]
    found = metrics.quality_metric(folds)
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
    found = metrics.quality_metric([metrics.evaluate_predictions(counts, logits, logcounts, np.ones(len(counts), bool))])
    assert "auroc" not in found
    assert "count_pearson_peaks" in found
