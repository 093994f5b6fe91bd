"""Training learns, keeps the best epoch, and goes on after a stop exactly as if there had been none."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core import devices
from chrombpnet_core.devices import Device, find_device, require_fast_enough
from chrombpnet_core.errors import InputError
from chrombpnet_core.models import Architecture, bpnet
from chrombpnet_core.sampling import centred_plan, training_plan
from chrombpnet_core.training import Checkpoint, TrainingOptions, fit, make_reproducible

SIZE = Architecture(4, 2, 200, 80)
OPTIONS = TrainingOptions(epochs=3, patience=3, batch_size=16, checkpoint_seconds=0.0)


class Stopped(Exception):
    """Stands for a kill."""


def _train(data, path, options=OPTIONS, saved=lambda: None):
    make_reproducible(options.seed, find_device())
    model = bpnet(SIZE)
    with data.open() as shards:
        history = fit(model, shards, lambda epoch: training_plan(
            np.arange(24), np.arange(24, 50), 6, 20, 20, options.seed, epoch), centred_plan(np.arange(50, 64), 20), 2.0,
            options, Checkpoint(path, saved))
    return model, history


def test_training_twice_gives_the_same_weights_and_losses(small_data, tmp_path):
    (one, first), (other, second) = (_train(small_data, tmp_path / f"{i}.npz") for i in range(2))
    assert first.epochs == second.epochs
    assert first.batches == second.batches
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
            raise Stopped

    with pytest.raises(Stopped):
        _train(small_data, tmp_path / "cut.npz", saved=stop)
    resumed, again = _train(small_data, tmp_path / "cut.npz")
    assert again.epochs == history.epochs
    assert again.batches == history.batches
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
        from chrombpnet_core.training import _validate

        again = _validate(model, shards, centred_plan(np.arange(50, 64), 20), wild)
    assert again["loss"] == pytest.approx(min(losses), rel=1e-6)


def test_a_loss_that_is_no_number_stops_with_the_regions(small_data, tmp_path):
    with pytest.raises(InputError, match=r"the loss is nan in epoch 1, step \d+ \(regions"):
        _train(small_data, tmp_path / "c.npz", TrainingOptions(epochs=2, batch_size=16, learning_rate=1e30))


def test_a_validation_loss_that_is_no_number_stops_too(small_data, tmp_path, monkeypatch):
    import chrombpnet_core.training as training

    monkeypatch.setattr(training, "_validate", lambda *_: dict.fromkeys(training.LOSSES, float("nan")))
    with pytest.raises(InputError, match="the validation loss is nan after epoch 1"):
        _train(small_data, tmp_path / "c.npz")


def test_logs_have_the_references_columns(small_data, tmp_path):
    _, history = _train(small_data, tmp_path / "c.npz")
    history.write(tmp_path, "bias")
    header = (tmp_path / "bias.log").read_text().splitlines()[0].split(",")
    assert set(header) >= {"epoch", "loss", "val_loss", "logcount_predictions_loss",
                           "val_logits_profile_predictions_loss"}
    assert len((tmp_path / "bias.log.batch").read_text().splitlines()) == 1 + 6


def test_a_full_size_model_on_a_cpu_must_be_asked_for():
    cpu, gpu = (Device(kind, "it", 1, 0, "tensorflow") for kind in ("cpu", "gpu"))
    big = {"filters": 512, "flops_per_example": 2e10, "examples": 1e6}
    with pytest.raises(InputError, match="--device cpu"):
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
    with pytest.raises(InputError, match="start a new process"):
        devices.configure(backend=other)
