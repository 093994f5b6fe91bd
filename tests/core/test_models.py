"""Models, loss and files against the reference's outputs; refusals of files that are no ChromBPNet models."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.model_files import architecture_of, load_model, save_model
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    accessibility_part,
    bpnet,
    build_from_file,
    chrombpnet,
    draw_weights,
    lengths_of,
    multinomial_nll,
    require_kind,
    require_lengths,
    shift_log_counts,
)

SMALL = Architecture(4, 2, 200, 80)
LOGITS, LOG_COUNTS = 3e-5, 5e-6  # largest difference to the reference's weights evaluated in float64

_COMPARE = """
import sys
import numpy as np
from chrombpnet_core.model_files import load_model
from chrombpnet_core.models import chrombpnet
golden = sys.argv[1]
sequences = np.load(f"{golden}/forward.npz")["seqs"].astype(np.float32)
wanted = np.load(f"{golden}/forward_float64.npz")
models = {name: load_model(f"{golden}/models/{name}.h5") for name in ("bias", "bias_model_scaled", "chrombpnet_nobias")}
models["chrombpnet"] = chrombpnet(models["chrombpnet_nobias"], models["bias_model_scaled"])
for name, model in models.items():
    logits, log_counts = model.predict_on_batch(sequences)
    print(name, np.abs(logits - wanted[f"{name}_logits"]).max(), np.abs(log_counts - wanted[f"{name}_logcounts"]).max())
"""


@pytest.mark.golden
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_predictions_equal_the_references(golden, backend):
    """On either backend, in a process of its own, since a process has one backend."""
    run = subprocess.run([sys.executable, "-c", _COMPARE, str(golden)], capture_output=True, text=True, check=False,
                         env=os.environ | {"KERAS_BACKEND": backend})
    assert run.returncode == 0, run.stderr
    rows = [line.split() for line in run.stdout.splitlines()]
    assert len(rows) == 4
    for name, logits, log_counts in rows:
        assert float(logits) <= LOGITS, name
        assert float(log_counts) <= LOG_COUNTS, name


@pytest.mark.golden
def test_loss_and_gradient_equal_the_references(golden):
    data = np.load(golden / "loss.npz")
    counts, logits = data["counts"].astype(np.float32), data["logits"].astype(np.float32)
    each = np.asarray(multinomial_nll(counts, keras.ops.convert_to_tensor(logits)))
    wanted = data["mnll_per_example_float64"]
    assert np.abs(each - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert each.mean() == pytest.approx(data["mnll_batch"], rel=1e-5)
    import tensorflow

    variable = tensorflow.Variable(logits)
    with tensorflow.GradientTape() as tape:
        loss = tensorflow.reduce_mean(multinomial_nll(counts, variable))
    gradient = tape.gradient(loss, variable).numpy()
    scores = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    exact = (scores * counts.sum(axis=1, keepdims=True) - counts) / len(counts)
    assert np.abs(gradient - exact).max() <= 1e-5 * np.abs(exact).max()


def test_the_loss_is_zero_without_reads_and_of_one_certain_read():
    counts = np.zeros((2, 5), np.float32)
    counts[1, 2] = 1
    logits = keras.ops.convert_to_tensor(np.where(counts > 0, 60.0, 0.0).astype(np.float32))
    np.testing.assert_allclose(np.asarray(multinomial_nll(counts, logits)), [0, 0], atol=1e-6)


def test_profile_length_follows_the_formula():
    assert Architecture(8, 8).profile_length == 1000
    assert Architecture(8, 4).crop == 480
    with pytest.raises(InputError, match="give -il"):
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
        layer.name for layer in accessibility.layers if layer.weights}


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


def test_files_hold_the_same_model_in_keras_2_form(tmp_path):
    model = chrombpnet(bpnet(Architecture(6, 1, 200, 80), ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SMALL))
    sequences = np.random.default_rng(2).random((2, 200, 4), dtype=np.float32)
    for name, saved in (("chrombpnet", model), ("nobias", accessibility_part(model))):
        save_model(saved, tmp_path / f"{name}.h5")
        again = load_model(tmp_path / f"{name}.h5")
        assert lengths_of(again) == (200, 80)
        for one, other in zip(saved.predict_on_batch(sequences), again.predict_on_batch(sequences), strict=True):
            np.testing.assert_array_equal(one, other)
    assert architecture_of(accessibility_part(model), ACCESSIBILITY_PREFIX) == Architecture(6, 1, 200, 80)
    with h5py.File(tmp_path / "chrombpnet.h5") as file:
        assert list(file["model_weights"].attrs["layer_names"]) == [
            b"sequence", b"model_wo_bias", b"model", b"concatenate", b"logits_profile_predictions",
            b"logcount_predictions"]
        assert "model_weights/model/bpnet_1st_conv/kernel:0" in file
        assert "Lambda\"" not in file.attrs["model_config"].replace("TFOpLambda", "")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.golden
def test_written_files_have_the_references_tree(golden, tmp_path):
    save_model(load_model(golden / "models" / "bias_model_scaled.h5"), tmp_path / "bias.h5")
    with h5py.File(golden / "models" / "bias_model_scaled.h5") as one, h5py.File(tmp_path / "bias.h5") as other:
        def names(file):
            found = []
            file["model_weights"].visititems(lambda name, item: found.append((name, getattr(item, "shape", None))))
            return sorted(found)

        assert names(one) == names(other)
        wanted, found = (json.loads(file.attrs["model_config"])["config"]["layers"] for file in (one, other))
        assert [layer["name"] for layer in wanted] == [layer["name"] for layer in found]
        for ours, theirs in zip(found, wanted, strict=True):
            for key in ("filters", "kernel_size", "dilation_rate", "padding", "activation", "cropping", "units"):
                assert ours["config"].get(key) == theirs["config"].get(key), ours["name"]


def test_stored_code_is_never_run(tmp_path):
    """A Lambda layer in the configuration, as the reference writes it, is not looked at."""
    model = chrombpnet(bpnet(SMALL, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SMALL))
    save_model(model, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace(
            '"class_name": "TFOpLambda"', '"class_name": "Lambda"').replace(
            '"function": "math.reduce_logsumexp"', '"function": ["not base64, not marshalled", null, null]')
    assert lengths_of(load_model(tmp_path / "m.h5")) == (200, 80)


def test_files_that_are_no_models_are_refused(tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5\n")
    with pytest.raises(ModelFileError, match="not a Keras HDF5 model"):
        load_model(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["model_weights/dense/dense/kernel:0"] = np.zeros((2, 2))
    with pytest.raises(ModelFileError, match="no layer bpnet_1st_conv"):
        load_model(tmp_path / "other.h5")
    save_model(bpnet(SMALL), tmp_path / "bias.h5")
    with h5py.File(tmp_path / "bias.h5", "r+") as file:
        del file["model_weights/bpnet_2conv"]
        file["model_weights/bpnet_2conv/bpnet_2conv/kernel:0"] = np.zeros((3, 4, 5))
    with pytest.raises(ModelFileError, match="layer bpnet_2conv"):
        load_model(tmp_path / "bias.h5")


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
        for one, other in zip(saved.predict_on_batch(sequences), load_model(tmp_path / name).predict_on_batch(sequences),
                              strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    (tmp_path / "wrong.py").write_text("def built(): pass\n")
    with pytest.raises(InputError, match="cannot be used as an architecture"):
        build_from_file(tmp_path / "wrong.py", SMALL)
