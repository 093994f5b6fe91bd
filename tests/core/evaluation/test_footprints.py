"""Marginal footprints: of models whose answer is known, background and files. Golden: test_backends.py."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import Footprint, footprints
from chrombpnet_core.genome import codes_of, open_genome, regions_at, reverse_complement

LENGTH, WIDTH = 40, 20
LETTERS = st.text("ACGTNacgt", min_size=4, max_size=40)
PLACES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(-6, 44)), min_size=1, max_size=12)


def background(n=6, length=LENGTH, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, length)).astype(np.uint8)


def predict_on_g(codes):
    """A 'model' that cuts e times as often at each G, and always 7 times."""
    edge = (codes.shape[1] - WIDTH) // 2
    return (codes[:, edge : edge + WIDTH] == 2).astype(np.float32), np.full((len(codes), 1), np.log(8.0))


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
        forward, backward = (np.exp((strand[10:30] == 2).astype(float)) for strand in (row, reverse_complement(row)))
        expected.append((forward / forward.sum() + (backward / backward.sum())[::-1]) / 2)
    np.testing.assert_allclose(found.profile, np.mean(expected, axis=0), atol=1e-12)
    assert found.profile.sum() == pytest.approx(1)
    assert found.counts == pytest.approx(14)


@pytest.mark.parametrize("batch_size", [1, 5, 6, 100])
def test_footprint_does_not_depend_on_batches(batch_size):
    whole = footprints.marginal_footprint(predict_on_g, background(), "ACGGT", 6)
    found = footprints.marginal_footprint(predict_on_g, background(), "ACGGT", batch_size)
    np.testing.assert_allclose(found.profile, whole.profile, atol=1e-14)
    np.testing.assert_allclose(found.error, whole.error, atol=1e-9)


def test_the_error_is_that_of_a_mean_over_sequences():
    codes = background(9)
    single = [footprints.marginal_footprint(predict_on_g, codes[i : i + 1], "ACG") for i in range(9)]
    assert [item.error for item in single] == [None] * 9
    profiles = np.array([item.profile for item in single])
    found = footprints.marginal_footprint(predict_on_g, codes, "ACG", batch_size=4)
    np.testing.assert_allclose(found.error, profiles.std(axis=0, ddof=1) / 3, rtol=1e-6, atol=1e-10)
    same = footprints.marginal_footprint(predict_on_g, np.repeat(codes[:1], 5, axis=0))
    np.testing.assert_allclose(same.error, 0, atol=1e-9)


def test_control_comes_first_and_has_no_motif():
    done = []
    found = footprints.marginal_footprints(predict_on_g, background(), {"tn5_1": "GGG"}, on_done=done.append)
    assert list(found) == done == ["control", "tn5_1"]
    np.testing.assert_array_equal(
        found["control"].profile, footprints.marginal_footprint(predict_on_g, background()).profile
    )


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


# --- motifs and background --------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(LETTERS, LETTERS, PLACES, st.integers(1, 30))
def test_background_is_the_letters_around_the_centres_that_lie_inside(tmp_path_factory, first, second, places, width):
    folder = tmp_path_factory.mktemp("background")
    letters = {"a": first, "b": second}
    (folder / "g.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    regions = regions_at(np.array([chrom for chrom, _ in places], dtype=object), np.array([at for _, at in places]), 6)
    starts = [at + 3 - width // 2 for chrom, at in places if chrom == "a"]
    expected = [first[at : at + width] for at in starts if 0 <= at <= len(first) - width]
    with open_genome(folder / "g.fa", folder) as genome:
        if not expected:
            with pytest.raises(InputError, match="can be used as background for footprints: "):
                footprints.background_sequences(genome, regions, ["a"], width)
            return
        codes, left_out = footprints.background_sequences(genome, regions, ["a"], width)
    np.testing.assert_array_equal(codes, [codes_of(text) for text in expected])
    assert left_out == len(starts) - len(expected)


@settings(max_examples=60)
@given(LETTERS.filter(lambda text: len(text) % 2 == 0), st.text("ACGT", max_size=4).filter(lambda text: len(text) % 2 == 0))
def test_a_footprint_is_mirrored_on_the_other_strand(text, motif):
    """Whatever the model: background and motif reverse-complemented, the footprint is the same from behind."""
    codes = np.stack([np.roll(codes_of(text), k) for k in range(3)])
    mirrored = "".join("TGCA"["ACGT".index(letter)] for letter in reversed(motif))

    def predict(batch):
        return (batch[:, 1:-1] == 2) * 1.5 - (batch[:, 1:-1] == 0), 1 + (batch == 1).sum(axis=1) / 10

    one = footprints.marginal_footprint(predict, codes, motif)
    other = footprints.marginal_footprint(predict, reverse_complement(codes), mirrored)
    np.testing.assert_allclose(one.profile, other.profile[::-1], atol=1e-12)
    assert one.counts == pytest.approx(other.counts)


def test_file_holds_what_was_written(tmp_path):
    found = footprints.marginal_footprints(predict_on_g, background(), {"tn5/1": "GGG"})
    footprints.write_footprints(found, tmp_path / "x_footprints.h5")
    again = footprints.read_footprints(tmp_path / "x_footprints.h5")
    assert set(again) == {"control", "tn5_1"}
    np.testing.assert_allclose(again["tn5_1"].profile, found["tn5/1"].profile, rtol=1e-6)
    assert again["control"].counts == pytest.approx(14)
    with h5py.File(tmp_path / "x_footprints.h5") as file:
        for first, second in (("footprint", "i0"), ("counts", "i1")):
            assert file["control"][first] == file["control"][second]
        assert file["control/counts"].shape == (1,)
        assert sorted(file["control"]) == ["counts", "footprint", "i0", "i1", "standard_error"]
        assert file["control"].attrs["TITLE"] == b"list:2"
    np.testing.assert_allclose(again["tn5_1"].error, found["tn5/1"].error, rtol=1e-6)
    footprints.write_footprints({"one": Footprint(np.ones(3), 1.0)}, tmp_path / "x_footprints.h5")
    assert footprints.read_footprints(tmp_path / "x_footprints.h5")["one"].error is None
