"""Counts and tracks of log counts: ours leave the 1 of ln(1 + n) out, the reference's tracks hold it."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.models import counts_from_log, predicted_track, reference_counts_from_log, reference_track


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_counts_are_exp_less_one_and_the_references_exp(kind):
    log_counts = np.log(np.array([8, 1, 0.5], kind))
    for counts, wanted in ((counts_from_log, [7, 0, -0.5]), (reference_counts_from_log, [8, 1, 0.5])):
        assert counts(log_counts).dtype == kind
        np.testing.assert_allclose(counts(log_counts), wanted, rtol=1e-6, atol=1e-7)


def test_the_references_track_is_the_profile_times_the_counts():
    profiles = np.array([[0.25, 0.75], [1, 0]], np.float32)
    found = reference_track(profiles, np.log(np.array([8, 3], np.float32)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[2, 6], [3, 0]], rtol=1e-6)


def test_a_track_adds_up_to_exp_of_the_mean_log_counts_less_one():
    values = predicted_track(np.full((2, 80), 1 / 80, np.float32), np.log(np.array([8.0, 1.0], np.float32)))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.sum(axis=1), [7, 0], atol=1e-5)
