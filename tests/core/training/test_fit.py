"""Training learns, keeps the best epoch, and goes on after a stop exactly as if there had been none."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from keras.optimizers import Adam

from chrombpnet_core import devices
from chrombpnet_core.devices import Device, find_device, require_fast_enough
from chrombpnet_core.errors import InputError, Stopped
from chrombpnet_core.models import Architecture, bpnet, draw_weights
from chrombpnet_core.training import (
    Checkpoint,
    TrainingCallbacks,
    TrainingOptions,
    TrainingStep,
    fit,
    make_reproducible,
    make_training_step,
)
from chrombpnet_core.training_data import centred_plan, read_batch, training_plan

SIZE = Architecture(4, 2, 200, 80)
OPTIONS = TrainingOptions(epochs=3, patience=3, batch_size=16, checkpoint_seconds=0.0)


class Killed(Exception):
    """Stands for a kill."""


def _train(data, path, options=OPTIONS, saved=lambda: None, watch=None):
    make_reproducible(options.seed, find_device())
    model = bpnet(SIZE)
    draw_weights(model, options.seed)  # threads that other tests left may draw from Python's and numpy's common generators
    with data.open() as shards:
        history = fit(
            model,
            shards,
            lambda epoch: training_plan(np.arange(24), np.arange(24, 50), 6, 20, 20, options.seed, epoch),
            centred_plan(np.arange(50, 64), 20),
            2.0,
            options,
            Checkpoint(path, saved),
            watch=watch,
        )
    return model, history


def test_training_twice_gives_the_same_weights_and_losses(small_data, tmp_path):
    (one, first), (other, second) = (_train(small_data, tmp_path / f"{i}.npz") for i in range(2))
    assert first.epochs == second.epochs
    np.testing.assert_array_equal(first.batches, second.batches)
    for mine, yours in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert first.epochs[-1]["loss"] < first.epochs[0]["loss"]
    assert [row[2] for row in first.batches[:2]] == [16, 14]


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_a_stopped_training_ends_as_an_undisturbed_one(small_data, tmp_path, stop_after):
    """A checkpoint is written after every step and epoch here; the stop falls within and between epochs."""
    model, history = _train(small_data, tmp_path / "whole.npz")
    saves = iter(range(1, 100))

    def stop():
        if next(saves) == stop_after:
            raise Killed

    with pytest.raises(Killed):
        _train(small_data, tmp_path / "cut.npz", saved=stop)
    resumed, again = _train(small_data, tmp_path / "cut.npz")
    assert again.epochs == history.epochs
    np.testing.assert_array_equal(again.batches, history.batches)
    for mine, yours in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_the_best_epochs_weights_are_kept_and_patience_ends_it(small_data, tmp_path):
    wild = TrainingOptions(epochs=12, patience=1, batch_size=16, learning_rate=0.2)
    model, history = _train(small_data, tmp_path / "c.npz", wild)
    losses = [row["val_loss"] for row in history.epochs]
    assert history.best == int(np.argmin(losses))
    assert len(losses) < 12
    assert len(losses) - 1 - history.best == 1
    with small_data.open() as shards:
        again = make_training_step(model, Adam(), 2.0).evaluate(read_batch(shards, centred_plan(np.arange(50, 64), 20)))
    assert again[0] == pytest.approx(min(losses), rel=1e-5)


def test_a_loss_that_is_no_number_stops_with_the_regions(small_data, tmp_path):
    with pytest.raises(InputError, match=r"the loss is nan in epoch 1, step \d+ \(regions"):
        _train(small_data, tmp_path / "c.npz", TrainingOptions(epochs=2, batch_size=16, learning_rate=1e30))


def test_a_validation_loss_that_is_no_number_stops_too(small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(TrainingStep, "evaluate", lambda *_: np.full(3, np.nan))
    with pytest.raises(InputError, match="the validation loss is nan after epoch 1"):
        _train(small_data, tmp_path / "c.npz")


def test_logs_have_the_references_columns(small_data, tmp_path):
    _, history = _train(small_data, tmp_path / "c.npz")
    history.write(tmp_path, "bias")
    header = (tmp_path / "bias.log").read_text().splitlines()[0].split(",")
    assert set(header) >= {"epoch", "loss", "val_loss", "logcount_predictions_loss", "val_logits_profile_predictions_loss"}
    assert len((tmp_path / "bias.log.batch").read_text().splitlines()) == 1 + 6


def test_a_full_size_model_on_a_cpu_must_be_asked_for():
    cpu, gpu = (Device(kind, "it", 1, 0, "tensorflow") for kind in ("cpu", "gpu"))
    big = {"filters": 512, "flops_per_example": 2e10, "examples": 1e6}
    with pytest.raises(InputError, match=r"device=.cpu"):
        require_fast_enough(cpu, **big, asked="auto")
    require_fast_enough(cpu, **big, asked="cpu")
    require_fast_enough(gpu, **big, asked="auto")
    require_fast_enough(cpu, 64, 1e8, 1e5, "auto")
    with pytest.raises(InputError, match="would take about"):
        require_fast_enough(cpu, 128, 2e9, 1e8, "auto")
    with pytest.raises(InputError, match="sees no GPU"):
        require_fast_enough(cpu, 8, 1e6, 10, "gpu")


def test_the_backend_cannot_change_once_keras_is_imported():
    find_device()
    other = next(name for name in devices.BACKENDS if name != devices.backend_name())
    with pytest.raises(InputError, match="in a new process"):
        devices.configure(backend=other)


def test_a_training_that_is_asked_to_stop_writes_its_checkpoint_and_goes_on(small_data, tmp_path):
    options = TrainingOptions(epochs=3, patience=3, batch_size=16)
    model, history = _train(small_data, tmp_path / "whole.npz", options)
    asked = iter(range(1, 100))
    with pytest.raises(Stopped, match="epoch 2 after step 1"):
        _train(small_data, tmp_path / "cut.npz", options, watch=TrainingCallbacks(lambda: next(asked) == 3))
    assert (tmp_path / "cut.npz").exists()
    told = []
    resumed, again = _train(
        small_data,
        tmp_path / "cut.npz",
        options,
        watch=TrainingCallbacks(progress=lambda share, words: told.append((share, words))),
    )
    np.testing.assert_array_equal(again.batches, history.batches)
    for mine, yours in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert told[0][0] == pytest.approx(4 / 6)
    assert told[-1][0] == 1
    assert "epoch 3 of at most 3, loss" in told[-1][1]


def test_a_full_disk_leaves_the_last_checkpoint_whole(small_data, tmp_path):
    path = tmp_path / "c.npz"
    _, history = _train(small_data, path, TrainingOptions(epochs=1, batch_size=16))
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            _train(small_data, path, TrainingOptions(epochs=2, batch_size=16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir() if "partial" in entry.name] == []
    _, again = _train(small_data, path, TrainingOptions(epochs=2, batch_size=16))
    assert again.epochs[0] == history.epochs[0]


def test_tensorboard_reads_the_losses(small_data, tmp_path):
    """Read with TensorFlow's own reader."""
    tensorflow = pytest.importorskip("tensorflow")
    _, history = _train(small_data, tmp_path / "c.npz")
    history.write(tmp_path, "bias")
    for name in ("events.out.tfevents.bias", "events.out.tfevents.training"):
        events = list(tensorflow.compat.v1.train.summary_iterator(str(tmp_path / name)))
        assert events[0].file_version == "brain.Event:2"
        found = [{value.tag: value.simple_value for value in event.summary.value} for event in events[1:]]
        assert [event.step for event in events[1:]] == [0, 1, 2]
        for row, scalars in zip(history.epochs, found, strict=True):
            assert scalars == pytest.approx({name: value for name, value in row.items() if name != "epoch"}, rel=1e-6)


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1e9])
def test_a_memory_that_fills_up_later_shrinks_the_parts_and_goes_on(
    small_data, tmp_path, monkeypatch, caplog, checkpoint_seconds
):
    """From the last checkpoint, or from the beginning where none was written: losses are those of an undisturbed run."""

    class Full(Exception):
        def __str__(self):
            return "RESOURCE_EXHAUSTED: Out of memory"

    options = TrainingOptions(epochs=2, batch_size=16, checkpoint_seconds=checkpoint_seconds)
    _, whole = _train(small_data, tmp_path / "whole.npz", options)
    trained, steps = TrainingStep.train, iter(range(100))

    def train(self, batch):
        if next(steps) == 5:  # four are timed before the first epoch; this is its second
            assert (tmp_path / "cut.npz").exists() == (checkpoint_seconds == 0)
            raise Full
        return trained(self, batch)

    monkeypatch.setattr(TrainingStep, "train", train)
    with caplog.at_level("WARNING"):
        _, again = _train(small_data, tmp_path / "cut.npz", options)
    assert "taking 8" in caplog.text
    np.testing.assert_allclose(again.batches, whole.batches, rtol=1e-4)
