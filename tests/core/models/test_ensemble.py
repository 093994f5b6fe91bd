"""The mean of folds: one model that gives it, in a file that is read back; predictions; contributions, and refusals."""

from __future__ import annotations

import re

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.evaluation import pearson
from chrombpnet_core.genome import one_hot
from chrombpnet_core.interpret import ContributionsFile, mean_contributions, pairs_of, row_correlations
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    Predictor,
    accessibility_part,
    average_models,
    bias_part,
    bpnet,
    chrombpnet,
    draw_weights,
    load_model,
    members_of,
    predict_folds,
    require_kind,
    save_model,
)

SMALL = Architecture(4, 2, 200, 80)
KINDS = ("chrombpnet", "chrombpnet_nobias", "bias")


@pytest.fixture(scope="module")
def wholes():
    """Main models of three folds, each of other weights, the second wider."""
    models = []
    for seed, filters in enumerate((4, 6, 4)):
        size = Architecture(filters, 2, 200, 80)
        models.append(chrombpnet(bpnet(size, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SMALL)))
        draw_weights(accessibility_part(models[-1]), seed)
        draw_weights(bias_part(models[-1]), seed + 10)
    return models


@pytest.fixture(scope="module")
def codes():
    return np.random.default_rng(1).integers(0, 5, (6, 200)).astype(np.uint8)


def of_kind(wholes, kind):
    return [
        {"chrombpnet": model, "chrombpnet_nobias": accessibility_part(model), "bias": bias_part(model)}[kind]
        for model in wholes
    ]


def means(models, codes):
    found = [model.predict_on_batch(one_hot(codes)) for model in models]
    return [np.mean([np.asarray(each[head]) for each in found], axis=0) for head in (0, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_ensemble_predicts_the_means_also_from_its_file(wholes, codes, tmp_path, kind):
    ensemble = average_models(of_kind(wholes, kind))
    save_model(ensemble, tmp_path / "ensemble.h5")
    again = load_model(tmp_path / "ensemble.h5")
    wanted = means(of_kind(wholes, kind), codes)
    for model in (ensemble, again):
        for found, mean in zip(model.predict_on_batch(one_hot(codes)), wanted, strict=True):
            np.testing.assert_allclose(np.asarray(found), mean, atol=1e-6)
        require_kind(model, kind, "ensemble.h5")
        with pytest.raises(ModelFileError, match="wrong kind of model"):
            require_kind(model, "bias" if kind != "bias" else "chrombpnet", "ensemble.h5")
    save_model(again, tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "ensemble.h5").read_bytes()


def test_the_file_is_keras_2s_and_no_layer_has_anothers_name(wholes, tmp_path):
    save_model(average_models(wholes), tmp_path / "ensemble.h5")
    names = []
    with h5py.File(tmp_path / "ensemble.h5") as file:
        assert file.attrs["keras_version"].startswith("2.")
        file["model_weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    layers = [name.split("/")[-2] for name in names if name.endswith("kernel:0")]
    assert len(layers) == len({*layers}) == 3 * 2 * (1 + 2 + 1 + 1)
    assert all(re.match(r"fold_[012]_", layer) for layer in layers)


def test_members_come_back_under_their_names(wholes):
    assert [member.name for member in members_of(average_models(wholes))] == ["chrombpnet"] * 3
    assert members_of(wholes[0]) == []


def test_what_cannot_be_averaged_is_refused(wholes):
    with pytest.raises(InputError, match="an ensemble of 1 model"):
        average_models(wholes[:1])
    longer = bpnet(Architecture(4, 2, 220, 80), ACCESSIBILITY_PREFIX, "model_wo_bias")
    with pytest.raises(InputError, match=r"fold 1: input and output length.*expected 200 and 80.*found 220 and 80"):
        average_models([accessibility_part(wholes[0]), longer])
    for part in (accessibility_part, bias_part):
        with pytest.raises(InputError, match="not taken apart"):
            part(average_models(wholes))


def test_an_ensemble_that_lost_a_layer_is_refused(wholes, tmp_path):
    path = tmp_path / "ensemble.h5"
    save_model(average_models(of_kind(wholes, "chrombpnet_nobias")), path)
    with h5py.File(path, "a") as file:
        del file["model_weights/fold_1_model_wo_bias/fold_1_wo_bias_bpnet_2conv"]
    with pytest.raises(ModelFileError, match="wo_bias_bpnet_2conv is missing"):
        load_model(path)


def test_models_of_another_architecture_are_averaged_too(codes, tmp_path):
    def own(seed):
        keras.utils.set_random_seed(seed)
        sequence = keras.layers.Input((200, 4))
        x = keras.layers.Conv1D(3, 121, name="mine")(sequence)
        logits, counts = keras.layers.Dense(1)(x), keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x))
        return keras.Model(sequence, [keras.layers.Flatten()(logits), counts], name="model_wo_bias")

    models = [own(1), own(2)]
    save_model(average_models(models), tmp_path / "own.h5")
    for found, mean in zip(
        load_model(tmp_path / "own.h5").predict_on_batch(one_hot(codes)), means(models, codes), strict=True
    ):
        np.testing.assert_allclose(np.asarray(found), mean, atol=1e-6)


def test_parts_predict_what_the_whole_models_do(wholes, codes):
    found = predict_folds(
        [Predictor(accessibility_part(model)) for model in wholes], [Predictor(bias_part(model)) for model in wholes], codes
    )
    assert tuple(found) == KINDS
    for kind in KINDS:
        wanted = [model.predict_on_batch(one_hot(codes)) for model in of_kind(wholes, kind)]
        np.testing.assert_allclose(found[kind][0], [np.asarray(each[0]) for each in wanted], atol=1e-5)
        np.testing.assert_allclose(found[kind][1], [np.asarray(each[1])[:, 0] for each in wanted], atol=1e-5)


@given(arrays(np.float64, (3, 2, 7), elements=st.floats(-5, 5).map(lambda value: round(value, 3))))
def test_agreement_of_rows_is_pearsons_r(values):
    found = row_correlations(values)
    for number, (i, j) in enumerate(pairs_of(3)):
        for row in range(2):
            wanted = pearson(values[i, row], values[j, row])
            if np.isfinite(wanted):
                assert found[number, row] == pytest.approx(wanted, abs=1e-6)


def contributions(path, seed, codes, exact=False):
    """A file of random scores; these."""
    file = ContributionsFile(path, codes.shape[1], exact)
    scores = np.random.default_rng(seed).normal(size=(*codes.shape, 4)).astype(np.float32)
    file.append(codes, scores)
    file.close()
    return scores if exact else scores.astype(np.float16).astype(np.float32)


@pytest.mark.parametrize("regions", [1, 64, 65, 130])
def test_contributions_are_averaged_in_parts(tmp_path, regions):
    codes = np.random.default_rng(2).integers(0, 5, (regions, 30)).astype(np.uint8)
    paths = [tmp_path / f"{fold}.h5" for fold in range(3)]
    scores = np.stack([contributions(path, fold, codes) for fold, path in enumerate(paths)])
    parts = list(mean_contributions(paths))
    assert [part.rows.start for part in parts] == list(range(0, regions, 64))
    np.testing.assert_array_equal(np.concatenate([part.codes for part in parts]), codes)
    np.testing.assert_allclose(np.concatenate([part.scores for part in parts]), scores.mean(axis=0), atol=1e-6)
    there = (scores * one_hot(codes)).sum(axis=-1)
    agreement = np.concatenate([part.agreement for part in parts], axis=1)
    np.testing.assert_allclose(agreement, row_correlations(there), atol=1e-5)


def test_folds_that_explained_other_sequences_are_named(tmp_path):
    codes = np.random.default_rng(2).integers(0, 4, (70, 30)).astype(np.uint8)
    other = codes.copy()
    other[66, 3] = (other[66, 3] + 1) % 4
    paths = [tmp_path / f"{fold}.h5" for fold in range(3)]
    for path, of in zip(paths, (codes, codes, other), strict=True):
        contributions(path, 0, of)
    with pytest.raises(InputError, match=r"fold 2 explained other regions.*another in region 67"):
        list(mean_contributions(paths))
    contributions(paths[1], 0, codes[:69])
    with pytest.raises(InputError, match=r"fold 1 explained other regions.*expected 70 regions of 30 bp.*found 69"):
        list(mean_contributions(paths))
