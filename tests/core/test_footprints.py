"""Marginal footprints: against the reference program's outputs, and a model whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chrombpnet_core import footprints
from chrombpnet_core.errors import InputError
from chrombpnet_core.footprints import Footprint
from chrombpnet_core.genome import OTHER, codes_of, one_hot, reverse_complement

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"
LENGTH, WIDTH = 40, 20


def background(n=6, length=LENGTH, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, length)).astype(np.uint8)


def predict_on_g(codes):
    """A 'model' that cuts e times as often at each G, and always 7 times."""
    edge = (codes.shape[1] - WIDTH) // 2
    return (codes[:, edge:edge + WIDTH] == 2).astype(np.float32), np.full((len(codes), 1), np.log(8.0))


# --- the reference program ---------------------------------------------------------------------------------------


@pytest.mark.golden
@pytest.mark.parametrize(("name", "file"), [("bias", "bias.h5"), ("chrombpnet_nobias", "chrombpnet_nobias.h5")])
def test_footprints_agree_with_the_reference(name, file):
    if not (GOLDEN / "footprints.npz").exists():
        pytest.skip(f"{GOLDEN} is not here")
    from chrombpnet_core.model_files import load_model

    model = load_model(GOLDEN / "models" / file)
    with np.load(GOLDEN / "footprints.npz") as golden:
        seqs = golden["seqs"]
        codes = np.where(seqs.sum(axis=-1) == 1, seqs.argmax(axis=-1), OTHER).astype(np.uint8)
        for motif, letters in zip(golden["motif_names"], golden["motif_seqs"], strict=True):
            found = footprints.marginal_footprint(lambda batch: model(one_hot(batch)), codes, str(letters), 64)
            np.testing.assert_allclose(found.profile, golden[f"{name}_{motif}_footprint"], rtol=2e-5, atol=1e-8)
            assert found.counts == pytest.approx(float(golden[f"{name}_{motif}_counts"][0]), rel=1e-5)


# --- known answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("motif", "start"), [("ACG", 19), ("ACGT", 18), ("", 20), ("N", 20), ("A" * 40, 0)])
def test_motif_lies_at_the_centre(motif, start):
    codes = background()
    before = codes.copy()
    inserted = footprints.insert_motif(codes, motif)
    end = start + len(motif)
    np.testing.assert_array_equal(inserted[:, start:end], np.tile(codes_of(motif), (6, 1)))
    np.testing.assert_array_equal(np.delete(inserted, slice(start, end), 1), np.delete(codes, slice(start, end), 1))
    np.testing.assert_array_equal(codes, before)


def test_motif_longer_than_the_input_is_refused():
    with pytest.raises(InputError, match="at most 40 bp"):
        footprints.insert_motif(background(), "A" * 41)


def test_footprint_by_hand():
    codes = background()
    found = footprints.marginal_footprint(predict_on_g, codes, "GGG", batch_size=4)
    expected = []
    for row in footprints.insert_motif(codes, "GGG"):
        forward, backward = (np.exp((strand[10:30] == 2).astype(float)) for strand in
                             (row, reverse_complement(row)))
        expected.append((forward / forward.sum() + (backward / backward.sum())[::-1]) / 2)
    np.testing.assert_allclose(found.profile, np.mean(expected, axis=0), atol=1e-12)
    assert found.profile.sum() == pytest.approx(1)
    assert found.counts == pytest.approx(14)


@pytest.mark.parametrize("batch_size", [1, 5, 6, 100])
def test_footprint_does_not_depend_on_batches(batch_size):
    whole = footprints.marginal_footprint(predict_on_g, background(), "ACGGT", 6)
    found = footprints.marginal_footprint(predict_on_g, background(), "ACGGT", batch_size)
    np.testing.assert_allclose(found.profile, whole.profile, atol=1e-14)


def test_control_comes_first_and_has_no_motif():
    done = []
    found = footprints.marginal_footprints(predict_on_g, background(), {"tn5_1": "GGG"}, on_done=done.append)
    assert list(found) == done == ["control", "tn5_1"]
    np.testing.assert_array_equal(found["control"].profile,
                                  footprints.marginal_footprint(predict_on_g, background()).profile)


def test_no_background_is_refused():
    with pytest.raises(InputError, match="no background"):
        footprints.marginal_footprint(predict_on_g, background(0), "A")


def test_predictions_that_are_not_finite_are_refused():
    def diverged(codes):
        return np.full((len(codes), WIDTH), np.nan), np.zeros(len(codes))

    with pytest.raises(InputError, match="not finite"):
        footprints.marginal_footprint(diverged, background(), "A")


def test_model_without_cuts_is_refused():
    def silent(codes):
        return np.zeros((len(codes), WIDTH)), np.zeros(len(codes))

    with pytest.raises(InputError, match="no cuts"):
        footprints.marginal_footprint(silent, background(), "A")


# --- verdict -----------------------------------------------------------------------------------------------------


def test_response_is_the_maximum_and_leaves_the_control_out():
    found = {"control": np.array([9.0, 1]), "a": Footprint(np.array([0.1, 0.5]), 3.0), "b": np.array([0.2, 0.1])}
    assert footprints.bias_response(found) == {"a": 0.5, "b": 0.2}
    assert footprints.bias_response(found, ["b"]) == {"b": 0.2}


@pytest.mark.parametrize(("maxima", "text"), [
    ((0.0024, 0.0021), "corrected_0.002_0.002/0.002"),
    ((0.0012, 0.0024), "corrected_0.002_0.001/0.002"),
    ((0.0026, 0.001), "uncorrected_0.002_0.003/0.001"),
    ((0.003, 0.012), "uncorrected_0.008_0.003/0.012"),
    ((0.0004,), "corrected_0.0_0.0"),
])
def test_verdict_is_on_rounded_maxima(maxima, text):
    verdict = footprints.bias_verdict({f"tn5_{i}": value for i, value in enumerate(maxima)})
    assert verdict.text == text
    assert verdict.corrected == text.startswith("corrected")


def test_verdict_needs_a_motif():
    with pytest.raises(InputError, match="no enzyme motifs"):
        footprints.bias_verdict({})


def test_file_holds_what_was_written(tmp_path):
    found = footprints.marginal_footprints(predict_on_g, background(), {"tn5/1": "GGG"})
    footprints.write_footprints(found, tmp_path / "x_footprints.h5")
    again = footprints.read_footprints(tmp_path / "x_footprints.h5")
    assert set(again) == {"control", "tn5_1"}
    np.testing.assert_allclose(again["tn5_1"].profile, found["tn5/1"].profile, rtol=1e-6)
    assert again["control"].counts == pytest.approx(14)
