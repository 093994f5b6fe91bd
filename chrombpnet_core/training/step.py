"""The training step, compiled for TensorFlow or JAX: bases and counts of a batch in, losses out.

Bases go to the device as one byte each and become one-hot there. A batch may be cut into parts whose gradients are added
(several GPUs of one host, or a card too small for the batch): the step computes the same, up to rounding. The frozen bias
model is part of the forward pass, once for each example, and of nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError
from chrombpnet_core.models import multinomial_nll
from chrombpnet_core.training.compute_options import ComputeOptions
from chrombpnet_core.training_data import ExampleBatch

__all__ = ["LOSSES", "TrainingStep"]

log = logging.getLogger(__name__)

LOSSES = ("loss", "logits_profile_predictions_loss", "logcount_predictions_loss")


class TrainingStep:
    """One step of training, and what both backends share of it.

    :func:`~chrombpnet_core.training.make_training_step` makes the right one.

    Parameters
    ----------
    model
        Two-headed, from one-hot ``(n, L, 4)`` to logits ``(n, W)`` and log counts ``(n, 1)``.
    optimizer
        A Keras optimizer, built for the model's trainable variables.
    counts_loss_weight
        λ: loss = mean multinomial NLL + λ · mean squared error of log counts.
    compute
        Precision, XLA, number of GPUs.
    """

    def __init__(
        self, model: keras.Model, optimizer: keras.Optimizer, counts_loss_weight: float, compute: ComputeOptions
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.weight, self.compute = counts_loss_weight, compute
        self.largest_part: int | None = None
        """Examples that a device takes at once; None: its whole share of a batch."""

    def train(self, batch: ExampleBatch) -> Any:
        """Take one step.

        Parameters
        ----------
        batch
            Examples.

        Returns
        -------
        array
            The three :data:`LOSSES`, float32 ``(3,)``, which may still be being computed.
        """
        parts = self._parts(len(batch.ids))
        if len(parts) == 1:
            return self._step(batch.codes, batch.profiles)
        total: list[Any] | None = None
        for number, part in enumerate(parts):
            share = np.float32((part.stop - part.start) / len(batch.ids))
            gradients = self._gradients(number % self.compute.gpus, share, batch.codes[part], batch.profiles[part])
            total = gradients if total is None else self._sum(total, gradients)
        assert total is not None
        self._apply(total[1:])
        return total[0]

    def evaluate(self, batch: ExampleBatch) -> AnyArray:
        """Compute the losses of a batch without a step.

        Parameters
        ----------
        batch
            Examples.

        Returns
        -------
        numpy.ndarray
            The three :data:`LOSSES`, float32 ``(3,)``.
        """
        losses = [
            np.asarray(self._evaluate(batch.codes[part], batch.profiles[part]))
            * np.float32((part.stop - part.start) / len(batch.ids))
            for part in self._parts(len(batch.ids))
        ]
        return np.asarray(np.sum(losses, axis=0))

    def _parts(self, examples: int) -> list[slice]:
        """Cut a batch as evenly as can be: a part for each device, or more where a device takes fewer at once."""
        number = min(self.compute.gpus, examples)
        if self.largest_part:
            number = max(number, -(-examples // self.largest_part))
        borders = [examples * part // number for part in range(number + 1)]
        return [slice(first, last) for first, last in pairwise(borders)]

    def halve(self, batch_size: int) -> None:
        """Take half as many examples at once from now on.

        Parameters
        ----------
        batch_size
            Examples of a whole batch.

        Raises
        ------
        InputError
            Where a single example does not fit.
        """
        part = self.largest_part or -(-batch_size // self.compute.gpus)
        if part == 1:
            raise InputError(
                "the device's memory is too small for a single example",
                remedy="use a larger device, fewer `filters` or `layers`, or close what else runs on it",
            )
        self.largest_part = part // 2
        log.warning(
            "the device's memory is too small for %d examples at once: taking %d, whose gradients are added up; "
            "the batch stays %d",
            part,
            self.largest_part,
            batch_size,
        )

    def state(self) -> dict[str, AnyArray]:
        """Copy all variables, ``model/i`` and ``optimizer/i``."""
        self._keep()
        return {
            f"{kind}/{i}": np.array(ops.convert_to_numpy(variable))
            for kind, variables in self._variables()
            for i, variable in enumerate(variables)
        }

    def restore(self, state: dict[str, AnyArray]) -> None:
        """Set all variables to what :meth:`state` gave; other entries are left alone."""
        for kind, variables in self._variables():
            for i, variable in enumerate(variables):
                variable.assign(state[f"{kind}/{i}"])
        self._take()

    def _variables(self) -> tuple[tuple[str, Sequence[keras.Variable]], ...]:
        return ("model", self.model.variables), ("optimizer", self.optimizer.variables)

    def _losses(self, outputs: Sequence[Any], counts: Any) -> Any:
        """Compute the three losses, ``(3,)``."""
        logits, log_counts = (ops.cast(output, "float32") for output in outputs)
        profile = ops.mean(multinomial_nll(counts, logits))
        observed = ops.log1p(ops.sum(counts, axis=-1, keepdims=True))
        error = ops.mean(ops.square(observed - log_counts))
        return ops.stack([profile + self.weight * error, profile, error])

    # What a backend brings: one fused step, gradients of a part times its share behind its losses, their sum, the update.
    _step: Callable[[AnyArray, AnyArray], Any]
    _evaluate: Callable[[AnyArray, AnyArray], Any]
    _gradients: Callable[[int, np.float32, AnyArray, AnyArray], list[Any]]
    _sum: Callable[[list[Any], list[Any]], list[Any]]
    _apply: Callable[[list[Any]], None]

    def _keep(self) -> None:
        """Write the step's state to the Keras variables."""

    def _take(self) -> None:
        """Read it from them."""


def _one_hot(codes: Any) -> Any:
    """Make one-hot float32 ``(n, L, 4)`` of base codes uint8 ``(n, L)``; other letters are all zeros."""
    return ops.cast(ops.equal(ops.expand_dims(codes, -1), np.arange(4, dtype=np.uint8)), "float32")


def _enough(devices: list[Any], wanted: int) -> list[Any]:
    if len(devices) < wanted:
        raise InputError(
            f"`gpus={wanted}`", expected=f"at most {len(devices)}, what Keras sees", remedy="see `chrombpnet doctor`"
        )
    return devices[:wanted]
