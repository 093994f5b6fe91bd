"""Predictions of alleles: both strands, whatever the batch; which peaks; shuffled backgrounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import one_hot, regions_at, reverse_complement
from chrombpnet_core.models import Architecture, BothStrandsPredictor, bpnet, chrombpnet, draw_weights
from chrombpnet_core.variants import VARIANT_COLUMNS, choose_peaks, draw_background, score_shuffled


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


def test_peaks_with_whole_windows_are_chosen_once_each():
    peaks = regions_at(np.array(["a"] * 5, dtype=object), np.array([0, 40, 40, 60, 195]), 10)
    chroms, middles = choose_peaks(peaks, {"a": 200}, 80)
    assert (chroms.tolist(), middles.tolist()) == (["a", "a"], [45, 65])
    assert choose_peaks(peaks, {"a": 200}, 80, max_peaks=1)[1].tolist() in ([45], [65])
    for path, where in ((None, "^all"), ("p.bed", "^p.bed: all"), (Path("x", "p.bed"), "^x/p.bed: all")):
        with pytest.raises(
            InputError, match=where + " 4 peaks are too near a chromosome end for the model's window of 198 bp"
        ):
            choose_peaks(peaks, {"a": 200}, 198, path=path)
