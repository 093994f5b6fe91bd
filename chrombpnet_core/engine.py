"""The training step, compiled for TensorFlow or JAX: bases and counts of a batch in, losses out.

Bases go to the device as one byte each and become one-hot there. A batch may be cut into parts whose gradients are added
(several GPUs of one host, or a card too small for the batch): the step computes the same, up to rounding. The frozen bias
model is part of the forward pass, once for each example, and of nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from chrombpnet_core.errors import InputError
from chrombpnet_core.models import multinomial_nll
from chrombpnet_core.sampling import Batch

__all__ = ["LOSSES", "PRECISIONS", "Compute", "Engine", "make_engine", "set_precision"]

log = logging.getLogger(__name__)

LOSSES = ("loss", "logits_profile_predictions_loss", "logcount_predictions_loss")
PRECISIONS = ("float32", "tf32", "bfloat16")


@dataclass(frozen=True)
class Compute:
    """How steps are computed.

    Attributes
    ----------
    precision
        ``float32``; ``tf32``, the same where no GPU is, else products of 10 bits of mantissa; ``bfloat16`` for the
        accessibility model's body, with heads and losses in float32 (:func:`chrombpnet_core.models.bpnet`).
    xla
        Whether TensorFlow compiles the step with XLA; JAX always does.
    gpus
        Devices of this host that share each batch.
    """

    precision: str = "tf32"
    xla: bool = False
    gpus: int = 1


def set_precision(precision: str) -> None:
    """Choose what products of float32 are computed with on a GPU; see :class:`Compute`."""
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision}", expected=", ".join(PRECISIONS))
    exact = precision == "float32"
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest" if exact else "tensorfloat32")
    else:
        import tensorflow

        tensorflow.config.experimental.enable_tensor_float_32_execution(not exact)


class Engine:
    """What both backends share; :func:`make_engine` makes the right one.

    Parameters
    ----------
    model
        Two-headed, from one-hot ``(n, L, 4)`` to logits ``(n, W)`` and log counts ``(n, 1)``.
    optimizer
        A Keras optimizer, built for the model's trainable variables.
    counts_loss_weight
        λ: loss = mean multinomial NLL + λ · mean squared error of log counts.
    compute
        How.
    """

    def __init__(self, model: keras.Model, optimizer: keras.Optimizer, counts_loss_weight: float,
                 compute: Compute) -> None:
        self.model, self.optimizer = model, optimizer
        self.weight, self.compute = counts_loss_weight, compute
        self.largest_part: int | None = None
        """Examples that a device takes at once; None: its whole share of a batch."""

    def train(self, batch: Batch) -> Any:
        """One step; the three losses of :data:`LOSSES`, float32 ``(3,)``, which may still be on their way."""
        parts = self._parts(len(batch.ids))
        if len(parts) == 1:
            return self._step(batch.codes, batch.profiles)
        total: list[Any] | None = None
        for number, part in enumerate(parts):
            share = np.float32((part.stop - part.start) / len(batch.ids))
            found = self._gradients(number % self.compute.gpus, share, batch.codes[part], batch.profiles[part])
            total = found if total is None else self._sum(total, found)
        assert total is not None
        self._apply(total[1:])
        return total[0]

    def evaluate(self, batch: Batch) -> np.ndarray:
        """Losses of a batch, float32 ``(3,)``, without a step."""
        parts = self._parts(len(batch.ids))
        return np.sum([np.asarray(self._evaluate(batch.codes[part], batch.profiles[part])) *
                       np.float32((part.stop - part.start) / len(batch.ids)) for part in parts], axis=0)

    def _parts(self, examples: int) -> list[slice]:
        """Slices of a batch, as even as can be: one a device, or more where a device takes fewer at once."""
        number = min(self.compute.gpus, examples)
        if self.largest_part:
            number = max(number, -(-examples // self.largest_part))
        borders = [examples * at // number for at in range(number + 1)]
        return [slice(first, last) for first, last in pairwise(borders)]

    def halve(self, batch_size: int) -> None:
        """Take half as many examples at once from now on.

        Raises
        ------
        InputError
            Where a single example does not fit.
        """
        part = self.largest_part or -(-batch_size // self.compute.gpus)
        if part == 1:
            raise InputError("the device's memory is too small for a single example",
                             remedy="use a larger device, a smaller model (-fil, -dil), or close what else runs on it")
        self.largest_part = part // 2
        log.warning("the device's memory is too small for %d examples at once: taking %d, whose gradients are added up; "
                    "the batch stays %d", part, self.largest_part, batch_size)

    def state(self) -> dict[str, np.ndarray]:
        """All variables, ``model/i`` and ``optimizer/i``."""
        self._keep()
        return {f"{kind}/{i}": np.array(ops.convert_to_numpy(variable)) for kind, variables in self._variables()
                for i, variable in enumerate(variables)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take up what :meth:`state` gave; other entries are left alone."""
        for kind, variables in self._variables():
            for i, variable in enumerate(variables):
                variable.assign(state[f"{kind}/{i}"])
        self._take()

    def _variables(self) -> tuple[tuple[str, Sequence[keras.Variable]], ...]:
        return ("model", self.model.variables), ("optimizer", self.optimizer.variables)

    def _losses(self, outputs: Sequence[Any], counts: Any) -> Any:
        """The three losses, ``(3,)``."""
        logits, log_counts = (ops.cast(output, "float32") for output in outputs)
        profile = ops.mean(multinomial_nll(counts, logits))
        observed = ops.log1p(ops.sum(counts, axis=-1, keepdims=True))
        error = ops.mean(ops.square(observed - log_counts))
        return ops.stack([profile + self.weight * error, profile, error])

    # What a backend brings: one fused step, gradients of a part times its share behind its losses, their sum, the update.
    _step: Callable[[np.ndarray, np.ndarray], Any]
    _evaluate: Callable[[np.ndarray, np.ndarray], Any]
    _gradients: Callable[[int, np.float32, np.ndarray, np.ndarray], list[Any]]
    _sum: Callable[[list[Any], list[Any]], list[Any]]
    _apply: Callable[[list[Any]], None]

    def _keep(self) -> None:
        """Write the step's state to the Keras variables."""

    def _take(self) -> None:
        """Read it from them."""


def _one_hot(codes: Any) -> Any:
    """One-hot float32 ``(n, L, 4)`` of base codes uint8 ``(n, L)``; other letters are all zeros."""
    return ops.cast(ops.equal(ops.expand_dims(codes, -1), np.arange(4, dtype=np.uint8)), "float32")


def make_engine(model: keras.Model, optimizer: keras.Optimizer, counts_loss_weight: float,
                compute: Compute | None = None) -> Engine:
    """The engine of this process's Keras backend; parameters as in :class:`Engine`."""
    kind = _Jax if keras.backend.backend() == "jax" else _TensorFlow
    return kind(model, optimizer, counts_loss_weight, compute or Compute())


class _TensorFlow(Engine):
    """Steps as graph functions, one trace for each size of batch: what a trace rounds does not depend on the others."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        import tensorflow as tf

        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        self._devices = _enough([device.name for device in devices], self.compute.gpus)
        trained = self.model.trainable_variables

        def losses_of(codes, counts, training):
            return self._losses(self.model(_one_hot(codes), training=training), counts)

        def gradients_of(codes, counts):
            with tf.GradientTape() as tape:
                losses = losses_of(codes, counts, True)
                loss = losses[0]
            return losses, tape.gradient(loss, [variable.value for variable in trained])

        def step(codes, counts):
            losses, gradients = gradients_of(codes, counts)
            self.optimizer.apply(gradients, trained)
            return losses

        def weighted(share, codes, counts):
            losses, gradients = gradients_of(codes, counts)
            return [share * value for value in (losses, *gradients)]

        options = {"jit_compile": True} if self.compute.xla else {}
        self._step = tf.function(step, **options)
        self._evaluate = tf.function(lambda codes, counts: losses_of(codes, counts, False), **options)
        self._weighted = tf.function(weighted, **options)
        self._apply = tf.function(lambda gradients: self.optimizer.apply(gradients, trained))
        self._sum = tf.function(lambda one, other: [a + b for a, b in zip(one, other, strict=True)])
        self._tf = tf

    def _gradients(self, device: int, share: np.float32, codes: np.ndarray, counts: np.ndarray) -> list[Any]:
        with self._tf.device(self._devices[device]):
            return self._weighted(share, self._tf.constant(codes), self._tf.constant(counts))


class _Jax(Engine):
    """Steps as pure functions of the state, which is kept on the device; parts of a batch share a mesh of devices."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        import jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        devices = _enough(jax.local_devices(), self.compute.gpus)
        mesh = Mesh(np.array(devices), ("batch",))
        self._everywhere, self._split = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("batch",)))
        self._jax = jax
        model, optimizer = self.model, self.optimizer

        def losses_of(trained, rest, codes, counts, training):
            outputs, _ = model.stateless_call(trained, rest, _one_hot(codes), training=training)
            losses = self._losses(outputs, counts)
            return losses[0], losses

        def gradients_of(trained, rest, codes, counts):
            (_, losses), gradients = jax.value_and_grad(losses_of, has_aux=True)(trained, rest, codes, counts, True)
            return losses, gradients

        def step(trained, rest, memory, codes, counts):
            losses, gradients = gradients_of(trained, rest, codes, counts)
            return losses, *optimizer.stateless_apply(memory, gradients, trained)

        def weighted(trained, rest, share, codes, counts):
            losses, gradients = gradients_of(trained, rest, codes, counts)
            return [share * value for value in (losses, *gradients)]

        self._compiled_step, self._compiled_weighted = jax.jit(step), jax.jit(weighted)
        self._compiled_losses = jax.jit(lambda *state: losses_of(*state, False)[1])
        self._compiled_apply = jax.jit(optimizer.stateless_apply)
        self._sum = jax.jit(lambda one, other: [a + b for a, b in zip(one, other, strict=True)])
        self._take()

    def _parts(self, examples: int) -> list[slice]:
        """The mesh shares a batch that its size divides; only a device's memory cuts it further."""
        if not self.largest_part:
            return [slice(0, examples)]
        number = -(-examples // (self.largest_part * self.compute.gpus))
        borders = [examples * at // number for at in range(number + 1)]
        return [slice(first, last) for first, last in pairwise(borders)]

    def _put(self, *arrays: np.ndarray) -> list[Any]:
        where = self._everywhere if len(arrays[0]) % self.compute.gpus else self._split
        return [self._jax.device_put(array, where) for array in arrays]

    def _step(self, codes: np.ndarray, counts: np.ndarray) -> Any:
        losses, self._trained, self._memory = self._compiled_step(self._trained, self._rest, self._memory,
                                                                  *self._put(codes, counts))
        return losses

    def _evaluate(self, codes: np.ndarray, counts: np.ndarray) -> Any:
        return self._compiled_losses(self._trained, self._rest, *self._put(codes, counts))

    def _gradients(self, device: int, share: np.float32, codes: np.ndarray, counts: np.ndarray) -> list[Any]:
        return self._compiled_weighted(self._trained, self._rest, share, *self._put(codes, counts))

    def _apply(self, gradients: list[Any]) -> None:
        self._trained, self._memory = self._compiled_apply(self._memory, gradients, self._trained)

    def _take(self) -> None:
        self._trained, self._rest, self._memory = (
            [self._jax.device_put(variable.value, self._everywhere) for variable in variables]
            for variables in (self.model.trainable_variables, self.model.non_trainable_variables,
                              self.optimizer.variables))

    def _keep(self) -> None:
        for variables, values in ((self.model.trainable_variables, self._trained),
                                  (self.optimizer.variables, self._memory)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(self._jax.device_put(np.asarray(value)))


def _enough(devices: list[Any], wanted: int) -> list[Any]:
    if len(devices) < wanted:
        raise InputError(f"--gpus {wanted}", expected=f"at most {len(devices)}, what Keras sees",
                         remedy="run 'chrombpnet doctor'")
    return devices[:wanted]
