"""Statistics of a track."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.tracks import (
    track_statistics,
    write_track_statistics,
)

NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS, min_size=1, max_size=300), st.integers(1, 50))
def test_statistics_are_numpys_quantiles(numbers, size):
    values = np.array(numbers, dtype=np.float32)
    found = track_statistics(lambda: (values[at : at + size] for at in range(0, len(values), size)))
    shares = [0, 0.001, 0.01, 0.5, 0.99, 0.999, 0.9995, 0.9999, 1]
    np.testing.assert_allclose(list(found.values()), np.quantile(values.astype(float), shares), rtol=1e-9, atol=1e-30)
    assert list(found) == ["min", "0.1%", "1%", "50%", "99%", "99.9%", "99.95%", "99.99%", "max"]


def test_statistics_of_many_values_that_differ_little(tmp_path):
    values = np.random.default_rng(1).normal(1, 1e-4, (50, 20_000)).astype(np.float32)
    found = track_statistics(lambda: iter(values))
    ordered = np.sort(values, axis=None).astype(float)
    assert found["min"] == ordered[0]
    assert found["max"] == ordered[-1]
    assert found["99.95%"] == pytest.approx(np.quantile(ordered, 0.9995), rel=1e-12)
    write_track_statistics(found, tmp_path / "stats.txt")
    lines = (tmp_path / "stats.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == list(found)
    assert np.float32(lines[-1].split("\t")[1]) == values.max()
