"""An opened model and its predictions: kinds, lengths, base codes and one-hot, batches that shrink with the memory."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.genome import one_hot
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    BothStrandsPredictor,
    Predictor,
    average_models,
    bpnet,
    chrombpnet,
    kind_of,
    open_model,
    predict,
    save_model,
)

SIZE = Architecture(4, 2, 200, 80)


def make(kind):
    bias, accessibility = bpnet(SIZE), bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias")
    if kind == "chrombpnet":
        return chrombpnet(accessibility, bias)
    return bias if kind == "bias" else accessibility


@pytest.fixture
def codes():
    return np.random.default_rng(1).integers(0, 5, (7, 200)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["bias", "chrombpnet", "chrombpnet_nobias"])
@pytest.mark.parametrize("folds", [1, 2])
def test_an_opened_model_tells_kind_and_lengths_whatever_its_file_is_called(kind, folds, tmp_path, codes):
    model = make(kind) if folds == 1 else average_models([make(kind), make(kind)])
    assert kind_of(model) == kind
    save_model(model, tmp_path / "any_name.h5")
    opened = open_model(tmp_path / "any_name.h5")
    assert (opened.kind, opened.input_length, opened.output_length) == (kind, 200, 80)
    assert opened.path == tmp_path / "any_name.h5"
    np.testing.assert_allclose(predict(opened.keras, codes).logits, predict(model, codes).logits, atol=1e-6)


def test_a_missing_model_file_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_model(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("no model")
    with pytest.raises(ModelFileError, match="not a Keras HDF5 model"):
        open_model(tmp_path / "text.h5")


def test_base_codes_and_one_hot_are_predicted_alike_in_any_batches(codes):
    model = make("chrombpnet")
    whole = predict(model, codes)
    for sequences, size in ((one_hot(codes), 64), (codes, 3), (one_hot(codes), 1)):
        part = predict(model, sequences, size)
        np.testing.assert_allclose(part.logits, whole.logits, atol=1e-6)
        np.testing.assert_allclose(part.log_counts, whole.log_counts, atol=1e-6)
    np.testing.assert_allclose(whole.profiles.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(whole.counts, np.exp(whole.log_counts) - 1, rtol=1e-5)
    np.testing.assert_allclose(whole.tracks.sum(axis=1), whole.counts, rtol=1e-5)
    none = predict(model, codes[:0])
    assert (none.logits.shape, none.log_counts.shape) == ((0, 80), (0,))


def test_batches_are_halved_where_the_memory_is_too_small(codes, caplog):
    model = make("bias")
    wanted = predict(model, codes)
    plain, tried = model.predict_on_batch, []

    class Small:
        """A device that holds three sequences."""

        output_shape, input_shape, room = model.output_shape, model.input_shape, 3

        def predict_on_batch(self, sequences):
            tried.append(len(sequences))
            if len(sequences) > self.room:
                raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
            return plain(sequences)

    predictor = Predictor(Small(), 64)
    logits, log_counts = predictor(codes)
    np.testing.assert_allclose(logits, wanted.logits, atol=1e-6)
    np.testing.assert_allclose(log_counts, wanted.log_counts, atol=1e-6)
    assert predictor.batch.size == 3
    assert "memory is too small" in caplog.text
    predictor(codes)
    assert tried[-3:] == [3, 3, 1]
    Small.room = 0
    with pytest.raises(InputError, match="too small for a single sequence"):
        predictor(codes)


def test_both_strands_are_halved_too(codes):
    predictor = BothStrandsPredictor(make("bias"), at_once=8)
    counts, logits = predictor(codes)
    run = predictor._run

    def small(sequences):
        if len(sequences) > 4:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return run(sequences)

    predictor._run = small
    again = predictor(codes)
    assert predictor.batch.size == 2
    np.testing.assert_allclose(again[0], counts, rtol=1e-5)
    np.testing.assert_allclose(again[1], logits, atol=1e-5)


def test_other_errors_are_raised_as_they_are(codes):
    class Broken:
        output_shape, input_shape = [(None, 80), (None, 1)], (None, 200, 4)

        def predict_on_batch(self, _):
            raise ValueError("no memory of this")

    with pytest.raises(ValueError, match="no memory of this"):
        Predictor(Broken())(codes)
