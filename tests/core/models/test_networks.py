"""Models and loss; refusals of models of another kind or size. Predictions: test_backends.py; files: test_model_files.py."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    accessibility_part,
    bpnet,
    build_from_file,
    chrombpnet,
    draw_weights,
    load_model,
    multinomial_nll,
    require_kind,
    require_lengths,
    save_model,
    shift_log_counts,
)

SMALL = Architecture(4, 2, 200, 80)


def test_the_loss_is_zero_without_reads_and_of_one_certain_read():
    counts = np.zeros((2, 5), np.float32)
    counts[1, 2] = 1
    logits = keras.ops.convert_to_tensor(np.where(counts > 0, 60.0, 0.0).astype(np.float32))
    np.testing.assert_allclose(np.asarray(multinomial_nll(counts, logits)), [0, 0], atol=1e-6)


def test_profile_length_follows_the_formula():
    assert Architecture(8, 8).profile_length == 1000
    assert Architecture(8, 4).crop == 480
    with pytest.raises(InputError, match="give `input_length`"):
        Architecture(8, 9).check()
    with pytest.raises(InputError, match="even number"):
        Architecture(8, 4, 2115, 1000).check()


def test_main_model_adds_logits_and_counts(tmp_path):
    bias, accessibility = bpnet(SMALL), bpnet(SMALL, ACCESSIBILITY_PREFIX, "model_wo_bias")
    model = chrombpnet(accessibility, bias)
    sequences = np.random.default_rng(1).random((3, 200, 4), dtype=np.float32)
    both, parts = model.predict_on_batch(sequences), [part.predict_on_batch(sequences) for part in (accessibility, bias)]
    np.testing.assert_allclose(both[0], parts[0][0] + parts[1][0], atol=1e-5)
    np.testing.assert_allclose(both[1], np.logaddexp(parts[0][1], parts[1][1]), atol=1e-5)
    assert {variable.path.split("/")[0] for variable in model.trainable_variables} == {
        layer.name for layer in accessibility.layers if layer.weights
    }


def test_a_model_of_another_kind_or_size_is_refused():
    whole = chrombpnet(bpnet(SMALL, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SMALL))
    kinds = {"chrombpnet": whole, "chrombpnet_nobias": accessibility_part(whole), "bias": bpnet(SMALL)}
    for kind, model in kinds.items():
        for other in kinds:
            if other == kind:
                assert require_kind(model, kind, "x.h5") is model
            else:
                with pytest.raises(ModelFileError, match=rf"x.h5: the wrong kind of model; expected .*{other}.h5"):
                    require_kind(model, other, "x.h5")
    assert require_lengths(whole, (200, 80), "x.h5") is whole
    with pytest.raises(InputError, match="expected 200 and 82, found 200 and 80"):
        require_lengths(whole, (200, 82), "x.h5")


def test_drawn_weights_depend_on_the_seed_alone():
    one, other, third = (bpnet(Architecture(4, 2, 200, 80)) for _ in range(3))
    for model, seed in ((one, 1), (other, 1), (third, 2)):
        draw_weights(model, seed)
    for mine, same, different in zip(*(model.get_weights() for model in (one, other, third)), strict=True):
        np.testing.assert_array_equal(mine, same)
        assert mine.ndim == 1 or not np.array_equal(mine, different)
    first = one.get_layer("bpnet_1st_conv").get_weights()[0]
    assert 0.8 < np.abs(first).max() / np.sqrt(6 / (21 * (4 + 4))) <= 1
    assert first.mean() == pytest.approx(0, abs=0.05)
    if keras.backend.backend() == "tensorflow":  # what Keras draws for the first model of a process
        keras.utils.set_random_seed(2)
        for mine, wanted in zip(third.get_weights(), bpnet(Architecture(4, 2, 200, 80)).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, wanted)


def test_lengths_of_the_two_models_must_agree():
    with pytest.raises(InputError, match="input and output length"):
        chrombpnet(bpnet(SMALL, ACCESSIBILITY_PREFIX), bpnet(Architecture(4, 2, 240, 80)))


def test_scaling_moves_every_log_count():
    model = bpnet(SMALL)
    sequences = np.zeros((1, 200, 4), np.float32)
    before = model.predict_on_batch(sequences)
    shift_log_counts(model, 1.5)
    after = model.predict_on_batch(sequences)
    np.testing.assert_allclose(after[1] - before[1], 1.5, atol=1e-6)
    np.testing.assert_array_equal(after[0], before[0])


def test_the_users_own_architecture(tmp_path):
    (tmp_path / "own.py").write_text("""
import keras


def build(filters, n_dil_layers, inputlen, outputlen):
    sequence = keras.layers.Input((inputlen, 4))
    x = keras.layers.Conv1D(filters, inputlen - outputlen + 1, activation="relu")(sequence)
    profile = keras.layers.Flatten()(keras.layers.Conv1D(1, 1)(x))
    return keras.Model(sequence, [profile, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x))])
""")
    model = build_from_file(tmp_path / "own.py", SMALL)
    main = chrombpnet(model, bpnet(SMALL))
    save_model(model, tmp_path / "nobias.h5")
    save_model(main, tmp_path / "main.h5")
    sequences = np.random.default_rng(3).random((2, 200, 4), dtype=np.float32)
    for saved, name in ((model, "nobias.h5"), (main, "main.h5")):
        for one, other in zip(
            saved.predict_on_batch(sequences), load_model(tmp_path / name).predict_on_batch(sequences), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)
    (tmp_path / "wrong.py").write_text("def built(): pass\n")
    with pytest.raises(InputError, match="cannot be used as an architecture"):
        build_from_file(tmp_path / "wrong.py", SMALL)
