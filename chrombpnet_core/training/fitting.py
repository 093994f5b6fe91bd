"""Fitting a model: every step can be re-entered, so a run that was stopped goes on and ends where it would have ended."""

from __future__ import annotations

import json
import logging
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.devices import Device, with_less_memory
from chrombpnet_core.errors import InputError, Stopped, counted
from chrombpnet_core.progress import bar, readable_time
from chrombpnet_core.training.backends import make_training_step
from chrombpnet_core.training.checkpoint import Checkpoint
from chrombpnet_core.training.compute_options import ComputeOptions
from chrombpnet_core.training.history import History, _means
from chrombpnet_core.training.step import TrainingStep
from chrombpnet_core.training_data import ExampleBatch, ExamplePlan, ShardSet, read_batch, read_batches

__all__ = ["TrainingCallbacks", "TrainingOptions", "fit", "make_reproducible", "write_parameters"]

log = logging.getLogger(__name__)

_TIMED_STEPS, _TIMED_SECONDS = 3, 5.0


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; defaults are the reference's.

    Attributes
    ----------
    checkpoint_seconds
        A checkpoint is written at the end of each epoch, and within one whenever so many seconds have passed: what a
        crash costs is then the same for every size of model and data.
    """

    epochs: int = 50
    patience: int = 5
    learning_rate: float = 1e-3
    batch_size: int = 64
    seed: int = 1234
    checkpoint_seconds: float = 120.0


@dataclass(frozen=True)
class TrainingCallbacks:
    """What a training calls while it runs.

    Attributes
    ----------
    stop
        Called after every step; where it returns True, a checkpoint is written and :class:`Stopped` raised.
    progress
        Called after every step with the share of all epochs that is done and what to say of it.
    """

    stop: Callable[[], bool] = lambda: False
    progress: Callable[[float, str], object] = lambda share, words: None


def make_reproducible(seed: int, device: Device) -> None:
    """Seed weights; on a CPU also ask TensorFlow for deterministic operations. JAX's are so on a CPU.

    Parameters
    ----------
    seed
        Of the run.
    device
        Where models train.
    """
    keras.utils.set_random_seed(seed)
    if device.kind == "cpu" and keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def fit(
    model: keras.Model,
    shards: ShardSet,
    plan_of: Callable[[int], ExamplePlan],
    valid: ExamplePlan,
    counts_loss_weight: float,
    options: TrainingOptions,
    checkpoint: Checkpoint,
    compute: ComputeOptions | None = None,
    watch: TrainingCallbacks | None = None,
) -> History:
    """Train ``model`` in place; it ends with the weights of the best epoch.

    Loss: multinomial NLL of the profile + λ × mean squared error of log counts; Adam; early stop on the validation loss.

    Parameters
    ----------
    model
        Two-headed, with frozen parts marked not trainable.
    shards
        Examples.
    plan_of
        The plan of an epoch (from 0).
    valid
        Validation examples.
    counts_loss_weight
        λ.
    options
        Epochs, patience, …
    checkpoint
        Where state is kept; what it holds is taken up.
    compute
        Precision, devices.
    watch
        Called while it runs.

    Returns
    -------
    History
        Losses of every epoch and step.

    Raises
    ------
    InputError
        Where the loss is not a number, with the epoch, step and region ids of the batch; or not even one example fits
        into the device's memory.
    Stopped
        Where ``watch`` asked for it; the same call goes on from there.
    """
    optimizer = keras.optimizers.Adam(options.learning_rate)
    optimizer.build(model.trainable_variables)
    training_step = make_training_step(model, optimizer, counts_loss_weight, compute)
    run = _Run(training_step, shards, valid, options, checkpoint, watch or TrainingCallbacks())
    run.measure(plan_of(0))
    run.resume()
    while len(run.history.epochs) < options.epochs and not run.settled():
        with_less_memory(lambda: run.epoch(plan_of(len(run.history.epochs))), run.shrink)
    for i, variable in enumerate(model.variables):
        variable.assign(run.best[f"best/{i}"])
    return run.history


class _Run:
    """One training: its step, and where it stands."""

    def __init__(
        self,
        training_step: TrainingStep,
        shards: ShardSet,
        valid: ExamplePlan,
        options: TrainingOptions,
        checkpoint: Checkpoint,
        watch: TrainingCallbacks,
    ) -> None:
        self.training_step, self.shards, self.valid = training_step, shards, valid
        self.options, self.checkpoint, self.watch = options, checkpoint, watch
        self.history, self.step = History(), 0
        self.best = self._best()
        self.first = training_step.state()

    def measure(self, plan: ExamplePlan) -> None:
        """Time a few steps and say what an epoch will take; then all is as before.

        Where the device's memory is too small for a batch, smaller parts of it are tried.
        """
        options = self.options
        batch = read_batch(self.shards, plan.slice(0, options.batch_size))

        def halve() -> None:
            self.training_step.halve(len(batch.ids))
            self.training_step.restore(self.first)

        seconds = with_less_memory(lambda: self._timed(batch), halve)
        self.training_step.restore(self.first)
        rate = len(batch.ids) / seconds
        epoch = (len(plan) + len(self.valid) / 3) / rate
        log.info(
            "%s examples/s: an epoch of %s takes about %s, %s %s",
            f"{rate:,.0f}",
            f"{len(plan):,}",
            readable_time(epoch),
            counted(options.epochs, "epochs"),
            readable_time(epoch * options.epochs),
        )

    def _timed(self, batch: ExampleBatch) -> float:
        """Measure the seconds of a step, the first, which compiles, left out; an evaluation must fit into the memory too."""
        np.asarray(self.training_step.train(batch))
        self.training_step.evaluate(batch)
        begun, steps = time.perf_counter(), 0
        while steps < _TIMED_STEPS and time.perf_counter() - begun < _TIMED_SECONDS:
            np.asarray(self.training_step.train(batch))
            steps += 1
        return (time.perf_counter() - begun) / steps

    def resume(self) -> None:
        """Take up what the checkpoint holds."""
        state = self.checkpoint.load()
        if state is None:
            return
        self.training_step.restore(state)
        words = json.loads(state["words"].tobytes())
        self.history = History(words["epochs"], words["best"], array("d", state["batches"].ravel()))
        self.best = {name: value for name, value in state.items() if name.startswith("best/")}
        self.step = words["step"]
        log.info("resuming at epoch %d, step %d", len(self.history.epochs) + 1, self.step)

    def shrink(self) -> None:
        """Take smaller parts of a batch from the last checkpoint or the beginning on: the last step may be half done."""
        self.training_step.halve(self.options.batch_size)
        self.training_step.restore(self.first)
        self.history, self.step, self.best = History(), 0, self._best()
        self.resume()

    def save(self) -> None:
        """Write the checkpoint."""
        words = {"step": self.step, "best": self.history.best, "epochs": self.history.epochs}
        self.checkpoint.save(
            self.training_step.state()
            | self.best
            | {"batches": self.history.batches, "words": np.frombuffer(json.dumps(words).encode(), dtype=np.uint8)}
        )

    def settled(self) -> bool:
        """Tell whether patience has ended."""
        history = self.history
        return history.best >= 0 and len(history.epochs) - 1 - history.best >= self.options.patience

    def epoch(self, plan: ExamplePlan) -> None:
        """Train from the step where it stands to the end of the epoch, validate, write the checkpoint."""
        epoch, history = len(self.history.epochs), self.history
        self._train(plan, epoch)
        rows = history.batches
        row = {"epoch": float(epoch)} | _means(rows[rows[:, 0] == epoch, 2:])
        row |= {f"val_{name}": value for name, value in self._validate().items()}
        if not np.isfinite(row["val_loss"]):
            raise InputError(
                f"the validation loss is {row['val_loss']} after epoch {epoch + 1}",
                remedy="lower the `learning_rate`, or look for extreme counts in the validation regions",
            )
        better = row["val_loss"] < history.best_loss
        history.epochs.append(row)
        if better:
            history.best = epoch
            self.best = self._best()
        self.step = 0
        history.write_events(self.checkpoint.path.parent / "events.out.tfevents.training")
        self.save()
        log.info(
            "epoch %d/%d: loss %.4f, validation loss %.4f%s",
            epoch + 1,
            self.options.epochs,
            row["loss"],
            row["val_loss"],
            " (best)" if better else "",
        )

    def _best(self) -> dict[str, AnyArray]:
        return {
            f"best/{name.removeprefix('model/')}": value
            for name, value in self.training_step.state().items()
            if name.startswith("model/")
        }

    def _train(self, plan: ExamplePlan, epoch: int) -> None:
        options, first, saved = self.options, self.step, time.monotonic()
        waiting: tuple[int, AnyArray, object] | None = None  # losses are looked at while the next step is computed
        with bar(
            f"epoch {epoch + 1}/{options.epochs}", len(plan), "examples", initial=min(first * options.batch_size, len(plan))
        ) as progress:
            for step, batch in enumerate(read_batches(self.shards, plan, options.batch_size, first), start=first):
                losses = self.training_step.train(batch)
                self._record(epoch, waiting)
                waiting = step, batch.ids, losses
                progress.update(len(batch.ids))
                progress.set_postfix_str(self._loss_text(), refresh=False)
                share = (epoch + (step + 1) / plan.steps(options.batch_size)) / options.epochs
                self.watch.progress(share, f"epoch {epoch + 1} of at most {options.epochs}, {self._loss_text()}")
                stop = self.watch.stop()
                if stop or time.monotonic() - saved >= options.checkpoint_seconds:
                    self._record(epoch, waiting)
                    waiting, self.step = None, step + 1
                    self.save()
                    saved = time.monotonic()
                if stop:
                    raise Stopped(f"stopped in epoch {epoch + 1} after step {step + 1}; a checkpoint was written")
            self._record(epoch, waiting)

    def _record(self, epoch: int, computed: tuple[int, AnyArray, object] | None) -> None:
        """Enter step, region ids and losses of a step into the history."""
        if computed is None:
            return
        step, ids, losses = computed[0], computed[1], np.asarray(computed[2])
        if not np.isfinite(losses[0]):
            raise InputError(
                f"the loss is {losses[0]} in epoch {epoch + 1}, step {step + 1} (regions {', '.join(map(str, ids[:8]))}, …)",
                remedy="lower the `learning_rate`, or look for extreme counts in these regions",
            )
        self.history.add(epoch, step, len(ids), losses)

    def _loss_text(self) -> str:
        return f"loss {self.history.last_loss:.2f}"

    def _validate(self) -> dict[str, float]:
        """Compute the losses over the validation examples."""
        return _means(
            np.array(
                [
                    [len(batch.ids), *self.training_step.evaluate(batch)]
                    for batch in read_batches(self.shards, self.valid, self.options.batch_size)
                ]
            )
        )


def write_parameters(path: Path, parameters: dict[str, object]) -> None:
    """Write ``name<TAB>value`` lines, as the reference's ``*_params.tsv``.

    Parameters
    ----------
    path
        Where they go.
    parameters
        Value by name.
    """
    path.write_text("".join(f"{name}\t{value}\n" for name, value in parameters.items()))
