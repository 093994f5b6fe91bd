"""Predictions of regions, and their file."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import open_genome
from chrombpnet_core.tracks import RegionPredictionsFile, predict_regions


def test_regions_are_predicted_from_the_bases_around_their_centres(tmp_path):
    (tmp_path / "g.fa").write_text(">a\nAACCGGTTAC\n>b\nTTTTTTGGGG\n")
    seen = []

    def predict(codes):
        seen.append(codes)
        return np.zeros((len(codes), 2), np.float32), codes[:, 0].astype(np.float32)

    chroms, centres = np.array(["b", "a", "a"], dtype=object), np.array([7, 2, 8])
    with open_genome(tmp_path / "g.fa", tmp_path / "cache") as genome:
        parts = list(predict_regions(predict, genome, chroms, centres, np.array([1, 2, 0]), 4, 2))
        assert np.concatenate(seen).tolist() == [[0, 0, 1, 1], [3, 3, 0, 1], [3, 2, 2, 2]]
        assert [rows.tolist() for rows, *_ in parts] == [[1, 2], [0]]
        assert np.concatenate([counts for *_, counts in parts]).tolist() == [0, 3, 3]
        for wrong in (np.nan, 1000.0):
            with pytest.raises(InputError, match="not finite"):
                list(
                    predict_regions(
                        lambda codes, wrong=wrong: (np.zeros((1, 2)), np.array([wrong], np.float32)),
                        genome,
                        chroms,
                        centres,
                        np.array([1]),
                        4,
                        2,
                    )
                )


def test_predictions_have_the_references_layout(tmp_path):
    profiles = np.random.default_rng(6).random((5, 8), dtype=np.float32)
    with RegionPredictionsFile(tmp_path / "p.h5", 8) as file:
        for part in (slice(0, 2), slice(2, 5)):
            file.append(
                np.array(list("abcde"))[part],
                np.arange(5)[part],
                np.arange(5)[part] % 2 == 0,
                profiles[part],
                np.arange(5.0)[part],
            )
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["coords/coords_chrom"].asstr()[:].tolist() == list("abcde")
        assert file["coords/coords_center"][:].tolist() == [0, 1, 2, 3, 4]
        assert file["coords/coords_peak"][:].tolist() == [1, 0, 1, 0, 1]
        np.testing.assert_array_equal(file["predictions/profs"][:], profiles)
        np.testing.assert_array_equal(file["predictions/logcounts"][:], np.arange(5.0))
