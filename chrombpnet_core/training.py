"""Fitting a model: every step can be re-entered, so a run that was killed goes on and ends where it would have ended."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from chrombpnet_core.devices import Device
from chrombpnet_core.errors import InputError
from chrombpnet_core.models import multinomial_nll
from chrombpnet_core.progress import bar
from chrombpnet_core.sampling import Plan, batches
from chrombpnet_core.shards import ShardSet

__all__ = ["LOSSES", "Checkpoint", "History", "TrainingOptions", "fit", "make_reproducible", "write_parameters"]

log = logging.getLogger(__name__)

LOSSES = ("loss", "logits_profile_predictions_loss", "logcount_predictions_loss")


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; defaults are the reference's.

    Attributes
    ----------
    checkpoint_seconds
        A checkpoint is written at the end of each epoch, and within one whenever so many seconds have passed.
    """

    epochs: int = 50
    patience: int = 5
    learning_rate: float = 1e-3
    batch_size: int = 64
    seed: int = 1234
    checkpoint_seconds: float = 120.0


@dataclass
class History:
    """What happened: a row of losses an epoch and a row a batch; ``best`` is the epoch of the kept weights."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    batches: list[list[float]] = field(default_factory=list)
    best: int = -1

    @property
    def best_loss(self) -> float:
        """Validation loss of the best epoch; infinite before the first."""
        return self.epochs[self.best]["val_loss"] if self.best >= 0 else float("inf")

    def write(self, folder: Path, prefix: str) -> None:
        """Write ``PREFIX.log`` and ``PREFIX.log.batch`` as CSV."""
        pd.DataFrame(self.epochs).to_csv(folder / f"{prefix}.log", index=False)
        pd.DataFrame(self.batches, columns=["epoch", "batch", "examples", *LOSSES]).astype(
            {"epoch": int, "batch": int, "examples": int}).to_csv(folder / f"{prefix}.log.batch", index=False)


def make_reproducible(seed: int, device: Device) -> None:
    """Seed weights; on a CPU also ask TensorFlow for deterministic operations. JAX's are so on a CPU."""
    keras.utils.set_random_seed(seed)
    if device.kind == "cpu" and keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def fit(model: keras.Model, shards: ShardSet, plan_of: Callable[[int], Plan], valid: Plan, counts_loss_weight: float,
        options: TrainingOptions, checkpoint: Checkpoint) -> History:
    """Train ``model`` in place; it ends with the weights of the best epoch.

    Loss: multinomial negative log-likelihood of the profile + weight × mean squared error of log counts; Adam; early
    stop on the validation loss.

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

    Raises
    ------
    InputError
        Where the loss is not a number, with the epoch, step and region ids of the batch.
    """
    jit = keras.backend.backend() == "jax"
    model.compile(optimizer=keras.optimizers.Adam(options.learning_rate), loss=[multinomial_nll, "mse"],
                  loss_weights=[1.0, counts_loss_weight], jit_compile=jit)
    model.optimizer.build(model.trainable_variables)
    _warm_up(model, options.batch_size)
    best = _variables(model)
    history = History()
    first_step = 0
    state = checkpoint.load()
    if state is not None:
        history, first_step, best = _restore(model, state)
        log.info("resuming at epoch %d, step %d", len(history.epochs) + 1, first_step)
    while len(history.epochs) < options.epochs and not _stopped(history, options):
        epoch = len(history.epochs)
        _train_epoch(model, shards, plan_of(epoch), epoch, first_step, history, best, options, checkpoint)
        first_step = 0
        row = {"epoch": float(epoch)} | _mean_losses([b[2:] for b in history.batches if b[0] == epoch])
        row |= {f"val_{name}": value for name, value in _validate(model, shards, valid, options).items()}
        if not np.isfinite(row["val_loss"]):
            raise InputError(f"the validation loss is {row['val_loss']} after epoch {epoch + 1}",
                             remedy="lower -l/--learning-rate, or look for extreme counts in the validation regions")
        history.epochs.append(row)
        if row["val_loss"] < history.best_loss:
            history.best = epoch
            best = _variables(model)
        checkpoint.save(_state(model, history, 0, best))
        log.info("epoch %d/%d: loss %.4f, validation loss %.4f%s", epoch + 1, options.epochs, row["loss"],
                 row["val_loss"], " (best)" if history.best == epoch else "")
    for variable, value in zip(model.variables, best, strict=True):
        variable.assign(value)
    return history


def _warm_up(model: keras.Model, batch_size: int) -> None:
    """Compile the training step for a whole batch, then for a smaller one, and take back what the two steps changed.

    TensorFlow compiles the first shape it meets tightly and the next loosely, and the two round differently: a run that
    is resumed at a smaller last batch must not meet them the other way round.
    """
    length, width = model.input_shape[1], model.output_shape[0][1]
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    for size in (batch_size, max(1, batch_size - 1)):
        nothing = [np.zeros((size, *shape), np.float32) for shape in ((length, 4), (width,), (1,))]
        model.train_on_batch(nothing[0], nothing[1:])
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)


def _stopped(history: History, options: TrainingOptions) -> bool:
    return history.best >= 0 and len(history.epochs) - 1 - history.best >= options.patience


def _train_epoch(model: keras.Model, shards: ShardSet, plan: Plan, epoch: int, first: int, history: History,
                 best: list[np.ndarray], options: TrainingOptions, checkpoint: Checkpoint) -> None:
    saved = time.monotonic()
    done = first * options.batch_size
    with bar(f"epoch {epoch + 1}/{options.epochs}", len(plan), "examples", initial=done) as progress:
        for step, batch in enumerate(batches(shards, plan, options.batch_size, first), start=first):
            losses = model.train_on_batch(batch.sequences, [batch.profiles, batch.log_counts], return_dict=True)
            row = [float(losses[name]) for name in LOSSES]
            if not np.isfinite(row[0]):
                raise InputError(f"the loss is {row[0]} in epoch {epoch + 1}, step {step + 1} (regions "
                                 f"{', '.join(map(str, batch.ids[:8]))}, …)", remedy="lower -l/--learning-rate, or "
                                 "look for extreme counts in these regions")
            history.batches.append([epoch, step, len(batch.ids), *row])
            progress.update(len(batch.ids))
            progress.set_postfix_str(f"loss {row[0]:.2f}", refresh=False)
            if time.monotonic() - saved >= options.checkpoint_seconds:
                checkpoint.save(_state(model, history, step + 1, best))
                saved = time.monotonic()


def _validate(model: keras.Model, shards: ShardSet, plan: Plan, options: TrainingOptions) -> dict[str, float]:
    rows = []
    for batch in batches(shards, plan, options.batch_size):
        losses = model.test_on_batch(batch.sequences, [batch.profiles, batch.log_counts], return_dict=True)
        rows.append([len(batch.ids), *(float(losses[name]) for name in LOSSES)])
    return _mean_losses(rows)


def _mean_losses(rows: list[list[float]]) -> dict[str, float]:
    """Losses averaged over examples: rows are ``[examples, *losses]``."""
    table = np.asarray(rows, dtype=np.float64)
    means = np.average(table[:, 1:], axis=0, weights=table[:, 0])
    return dict(zip(LOSSES, map(float, means), strict=True))


def _variables(model: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.variables]


def _state(model: keras.Model, history: History, step: int, best: list[np.ndarray]) -> dict[str, np.ndarray]:
    current = {f"model/{i}": value for i, value in enumerate(_variables(model))}
    optimizer = {f"optimizer/{i}": np.array(keras.ops.convert_to_numpy(variable))
                 for i, variable in enumerate(model.optimizer.variables)}
    kept = {f"best/{i}": value for i, value in enumerate(best)}
    words = {"step": step, "best": history.best, "epochs": history.epochs}
    return current | optimizer | kept | {
        "batches": np.asarray(history.batches, dtype=np.float64).reshape(-1, 3 + len(LOSSES)),
        "words": np.frombuffer(json.dumps(words).encode(), dtype=np.uint8)}


def _restore(model: keras.Model, state: dict[str, np.ndarray]) -> tuple[History, int, list[np.ndarray]]:
    for kind, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        for i, variable in enumerate(variables):
            variable.assign(state[f"{kind}/{i}"])
    words = json.loads(state["words"].tobytes())
    history = History(words["epochs"], state["batches"].tolist(), words["best"])
    return history, words["step"], [state[f"best/{i}"] for i in range(len(model.variables))]


class Checkpoint:
    """The state of one training in a file: weights, optimizer, epoch, step, best weights, losses; written atomically.

    Parameters
    ----------
    path
        An ``.npz`` file; no pickled object is ever read from it.
    saved
        Called after each save, for instance to copy the file to an object store.
    """

    def __init__(self, path: str | os.PathLike, saved: Callable[[], None] = lambda: None) -> None:
        self.path, self._saved = Path(path), saved

    def save(self, state: dict[str, np.ndarray]) -> None:
        """Replace the file."""
        partial = self.path.with_suffix(".partial.npz")
        np.savez(partial, **state)
        os.replace(partial, self.path)
        self._saved()

    def load(self) -> dict[str, np.ndarray] | None:
        """What was saved last, or None."""
        if not self.path.exists():
            return None
        with np.load(self.path, allow_pickle=False) as file:
            return dict(file)


def write_parameters(path: Path, parameters: dict[str, object]) -> None:
    """Write ``name<TAB>value`` lines, as the reference's ``*_params.tsv``."""
    path.write_text("".join(f"{name}\t{value}\n" for name, value in parameters.items()))
