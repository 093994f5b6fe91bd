"""The truth of a simulation as files: what was planted is read back; refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.simulation import TINY, read_ground_truth, simulate


def test_accessibility_is_cut_around_places(tmp_path):
    truth = read_ground_truth(simulate(tmp_path, replace(TINY, size=120_000), formats=()).truth)
    site = truth.sites.iloc[0]
    (around,) = truth.accessibility_around(np.array([site["chrom"]]), np.array([site["start"]]), 101)
    np.testing.assert_array_equal(around, truth.accessibility[site["chrom"]][site["start"] - 50 : site["start"] + 51])
    assert around.dtype == np.float32


def test_a_file_that_is_absent_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"truth\.json: no such file"):
        read_ground_truth(tmp_path / "truth.json")
