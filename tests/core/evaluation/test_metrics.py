"""Metrics: against scipy, the reference program's outputs and known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import pearsonr, spearmanr

from chrombpnet_core.evaluation import metrics

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"


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


def test_profiles_that_hardly_differ_have_a_distance():
    """Rounding makes their divergence negative as often as not; scipy's distance is NaN then."""
    rng = np.random.default_rng(0)
    first = rng.random((200, 1000))
    distances = metrics.jensen_shannon(first, first * (1 + 1e-12 * rng.normal(size=first.shape)))
    assert np.isfinite(distances).all()
    assert (distances < 1e-7).all()


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
