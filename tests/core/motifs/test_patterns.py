"""Patterns in TF-MoDISco's HDF5: names in order, matrices of a shape, positions that matter."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.motifs import informative_positions, pattern_names, read_pattern_data


def test_names_are_by_sign_and_number(tmp_path):
    with h5py.File(tmp_path / "patterns.h5", "w") as file:
        for name in ("neg_patterns/pattern_0", "pos_patterns/pattern_10", "pos_patterns/pattern_2", "pos_patterns/other"):
            file.create_group(name)
        assert pattern_names(file) == ["pos_patterns.pattern_2", "pos_patterns.pattern_10", "neg_patterns.pattern_0"]


@pytest.mark.parametrize("groups", [["model_weights"], ["raw", "shap"], ["attributions", "other"]])
def test_another_kind_of_hdf5_is_told_from_one_without_motifs(tmp_path, groups):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        assert pattern_names(file) == []
        for name in groups:
            file.create_group(name)
        with pytest.raises(InputError, match="no groups pos_patterns and neg_patterns; expected the HDF5 of TF-MoDISco"):
            pattern_names(file)


def test_data_have_the_shape_that_is_asked_for(tmp_path):
    with h5py.File(tmp_path / "patterns.h5", "w") as file:
        file["pos_patterns/pattern_0/contrib_scores"] = np.ones((7, 4), dtype=np.float32)
        values = read_pattern_data(file, "pos_patterns.pattern_0", "contrib_scores", (None, 4))
        assert (values.shape, values.dtype) == ((7, 4), np.float64)
        with pytest.raises(InputError, match=r"expected numbers of shape \(8, 4\), found \(7, 4\)"):
            read_pattern_data(file, "pos_patterns.pattern_0", "contrib_scores", (8, 4))


def test_trimmed_ends_at_30_percent_of_the_highest():
    cwm = np.zeros((6, 4))
    cwm[:, 1] = [0.29, 0.31, -1.0, 0.0, 0.3, 0.1]
    assert informative_positions(cwm) == slice(1, 5)
