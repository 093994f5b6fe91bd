"""The training step: parts of a batch, devices, precisions and XLA compute the same; a small memory is worked around."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.optimizers import SGD

from chrombpnet_core.errors import InputError
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    body_dtype,
    bpnet,
    chrombpnet,
    draw_weights,
    load_model,
    save_model,
)
from chrombpnet_core.training import Checkpoint, ComputeOptions, TrainingOptions, fit, make_training_step, set_precision
from chrombpnet_core.training_data import centred_plan, read_batch, training_plan

SIZE = Architecture(4, 2, 200, 80)
STEPS = 3


def small_model(dtype="float32"):
    """A main model of drawn weights, its frozen bias model included."""
    accessibility, bias = bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias", dtype), bpnet(SIZE)
    draw_weights(accessibility, 1)
    draw_weights(bias, 2)
    return chrombpnet(accessibility, bias)


def batch_of(data, examples=11):
    """The same batch every time."""
    with data.open() as shards:
        return read_batch(shards, centred_plan(np.arange(examples), 20))


def engine_for(model, compute=None):
    optimizer = SGD(1e-4)  # Adam makes steps of one size of gradients that are nothing but rounding
    optimizer.build(model.trainable_variables)
    return make_training_step(model, optimizer, 2.0, compute)


def trained(data, compute=None, largest_part=None, dtype="float32"):
    """Losses of a few steps, of an evaluation, and all variables in the end."""
    engine, batch = engine_for(small_model(dtype), compute), batch_of(data)
    engine.largest_part = largest_part
    losses = [np.asarray(engine.train(batch)) for _ in range(STEPS)]
    return np.array([*losses, engine.evaluate(batch)]), engine.state()


def assert_alike(mine, yours, rtol=2e-5):
    np.testing.assert_allclose(mine[0], yours[0], rtol=rtol)
    for name, values in yours[1].items():
        np.testing.assert_allclose(mine[1][name], values, rtol=1e-3, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("largest_part", [1, 4, 10, 11, 64])
def test_parts_of_a_batch_add_up_to_the_whole(small_data, largest_part):
    assert_alike(trained(small_data, largest_part=largest_part), trained(small_data))


def test_xla_computes_the_same(small_data):
    assert_alike(trained(small_data, ComputeOptions(xla=True)), trained(small_data))


def test_a_step_changes_the_accessibility_model_alone(small_data):
    model = small_model()
    before = {weight.path: np.array(weight) for weight in model.weights}
    engine = engine_for(model)
    engine.train(batch_of(small_data))
    engine.state()
    changed = {weight.path for weight in model.weights if (np.array(weight) != before[weight.path]).any()}
    assert changed
    assert all("wo_bias_" in path for path in changed)


def test_bfloat16_is_near_and_its_files_are_float32(small_data, tmp_path):
    exact, near = trained(small_data)[0], trained(small_data, ComputeOptions("bfloat16"), dtype=body_dtype("bfloat16"))[0]
    np.testing.assert_allclose(near, exact, rtol=0.02)
    assert (near != exact).any()
    model = small_model(body_dtype("bfloat16"))
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert {str(output.dtype) for output in model.outputs} == {"float32"}
    save_model(model, tmp_path / "m.h5")
    sequences = batch_of(small_data).sequences
    for mine, wanted in zip(
        load_model(tmp_path / "m.h5").predict_on_batch(sequences), small_model().predict_on_batch(sequences), strict=True
    ):
        np.testing.assert_allclose(mine, wanted, atol=1e-5)


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="precision float8"):
        set_precision("float8")
    for name in ("float32", "tf32"):
        set_precision(name)


def test_more_devices_than_there_are_is_refused(small_data):
    with pytest.raises(InputError, match="gpus=9"):
        trained(small_data, ComputeOptions(gpus=9))


_TWO_DEVICES = """
import sys
sys.path.insert(0, sys.argv[1])
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpu, = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.core.conftest import SmallData
from tests.core.training.test_step import ComputeOptions, assert_alike, batch_of, engine_for, small_model, trained
from pathlib import Path
data = SmallData(Path(sys.argv[2]))
one = trained(data)
assert_alike(trained(data, ComputeOptions(gpus=2)), one)
assert_alike(trained(data, ComputeOptions(gpus=2), largest_part=2), one)
engine = engine_for(small_model(), ComputeOptions(gpus=2))
even = batch_of(data, 12)
import numpy as np
np.testing.assert_allclose(np.asarray(engine.train(even)), np.asarray(engine_for(small_model()).train(even)), rtol=2e-5)
print("alike on", keras.backend.backend())
"""


def test_two_devices_share_a_batch(tmp_path):
    """On JAX that is an acceptance test."""
    share_a_batch("tensorflow", tmp_path)


def share_a_batch(backend, folder):
    """Train on two logical devices of this CPU, in a process of their own, and compare with one."""
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    run = subprocess.run(
        [sys.executable, "-c", _TWO_DEVICES, str(Path(__file__).parents[2]), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"alike on {backend}" in run.stdout, run.stderr


class _Full(Exception):
    """What a backend raises where a device's memory is full, by its words."""

    def __str__(self):
        return "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte"


def test_a_memory_that_is_too_small_halves_what_is_taken_at_once(small_data, tmp_path, monkeypatch, caplog):
    """Of a batch of 16 the device takes but 5: parts of 4 are trained on, to the same losses."""
    engine_class = type(engine_for(small_model()))
    step, gradients = "_step", engine_class._gradients

    def small(function, examples_of):
        def inner(self, *arguments):
            if len(examples_of(arguments)) > 5:
                raise _Full
            return function(self, *arguments)

        return inner

    def run(path):
        model = small_model()
        with small_data.open() as shards:
            return fit(
                model,
                shards,
                lambda epoch: training_plan(np.arange(24), np.arange(24, 50), 6, 20, 20, 1, epoch),
                centred_plan(np.arange(50, 54), 20),
                2.0,
                TrainingOptions(epochs=2, batch_size=16),
                Checkpoint(path),
            )

    whole = run(tmp_path / "whole.npz")
    monkeypatch.setattr(engine_class, "_gradients", small(gradients, lambda arguments: arguments[-1]))
    original = engine_class.__init__

    def begin(self, *arguments):
        original(self, *arguments)
        one_step = getattr(self, step)

        def guarded(codes, counts):
            if len(codes) > 5:
                raise _Full
            return one_step(codes, counts)

        setattr(self, step, guarded)

    monkeypatch.setattr(engine_class, "__init__", begin)
    with caplog.at_level("WARNING"):
        parts = run(tmp_path / "parts.npz")
    assert "taking 8" in caplog.text
    assert "taking 4" in caplog.text
    np.testing.assert_allclose(parts.batches, whole.batches, rtol=1e-4)


def test_a_memory_too_small_for_one_example_is_told(small_data):
    engine = engine_for(small_model())
    engine.largest_part = 1
    with pytest.raises(InputError, match="too small for a single example"):
        engine.halve(16)


def test_the_state_comes_back_exactly(small_data):
    engine, batch = engine_for(small_model()), batch_of(small_data)
    engine.train(batch)
    state = engine.state()
    first = np.asarray(engine.train(batch))
    engine.restore(state)
    np.testing.assert_array_equal(np.asarray(engine.train(batch)), first)
    assert keras.ops.convert_to_numpy(engine.optimizer.iterations) >= 1
