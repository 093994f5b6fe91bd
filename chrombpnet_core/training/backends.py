"""The training step on TensorFlow and on JAX."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import keras
import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.training.compute_options import ComputeOptions
from chrombpnet_core.training.step import TrainingStep, _enough, _one_hot

__all__ = ["make_training_step"]


def make_training_step(
    model: keras.Model, optimizer: keras.Optimizer, counts_loss_weight: float, compute: ComputeOptions | None = None
) -> TrainingStep:
    """Make the training step of this process's Keras backend.

    Parameters
    ----------
    model
        From one-hot ``(n, L, 4)`` to logits ``(n, W)`` and log counts ``(n, 1)``, frozen parts marked not trainable.
    optimizer
        A Keras optimizer, built for the model's trainable variables.
    counts_loss_weight
        λ: loss = mean multinomial NLL + λ · mean squared error of log counts.
    compute
        Precision, XLA, number of GPUs.

    Returns
    -------
    TrainingStep
        Compiled when it is first used.
    """
    kind = _Jax if keras.backend.backend() == "jax" else _TensorFlow
    return kind(model, optimizer, counts_loss_weight, compute or ComputeOptions())


class _TensorFlow(TrainingStep):
    """Steps as graph functions, one trace for each size of batch: what a trace rounds does not depend on the others."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        import tensorflow as tf

        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        self._devices = _enough([device.name for device in devices], self.compute.gpus)
        trained = self.model.trainable_variables

        def losses_of(codes: Any, counts: Any, training: bool) -> Any:
            return self._losses(self.model(_one_hot(codes), training=training), counts)

        def gradients_of(codes: Any, counts: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                losses = losses_of(codes, counts, True)
                loss = losses[0]
            return losses, tape.gradient(loss, [variable.value for variable in trained])

        def step(codes: Any, counts: Any) -> Any:
            losses, gradients = gradients_of(codes, counts)
            self.optimizer.apply(gradients, trained)
            return losses

        def weighted(share: Any, codes: Any, counts: Any) -> list[Any]:
            losses, gradients = gradients_of(codes, counts)
            return [share * value for value in (losses, *gradients)]

        options = {"jit_compile": True} if self.compute.xla else {}
        self._step = tf.function(step, **options)
        self._evaluate = tf.function(lambda codes, counts: losses_of(codes, counts, False), **options)
        self._weighted = tf.function(weighted, **options)
        self._apply = tf.function(lambda gradients: self.optimizer.apply(gradients, trained))
        self._sum = tf.function(lambda one, other: [a + b for a, b in zip(one, other, strict=True)])
        self._tf = tf

    def _gradients(self, device: int, share: np.float32, codes: AnyArray, counts: AnyArray) -> list[Any]:
        with self._tf.device(self._devices[device]):
            gradients: list[Any] = self._weighted(share, self._tf.constant(codes), self._tf.constant(counts))
        return gradients


class _Jax(TrainingStep):
    """Steps as pure functions of the state, which is kept on the device; parts of a batch share a mesh of devices."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        import jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        devices = _enough(jax.local_devices(), self.compute.gpus)
        mesh = Mesh(np.array(devices), ("batch",))
        spec: Any = PartitionSpec
        self._everywhere, self._split = NamedSharding(mesh, spec()), NamedSharding(mesh, spec("batch"))
        self._jax = jax
        model, optimizer = self.model, self.optimizer

        def losses_of(trained: Any, rest: Any, codes: Any, counts: Any, training: bool = False) -> tuple[Any, Any]:
            outputs, _ = model.stateless_call(trained, rest, _one_hot(codes), training=training)
            losses = self._losses(outputs, counts)
            return losses[0], losses

        def gradients_of(trained: Any, rest: Any, codes: Any, counts: Any) -> tuple[Any, Any]:
            (_, losses), gradients = jax.value_and_grad(losses_of, has_aux=True)(trained, rest, codes, counts, True)
            return losses, gradients

        def step(trained: Any, rest: Any, memory: Any, codes: Any, counts: Any) -> tuple[Any, ...]:
            losses, gradients = gradients_of(trained, rest, codes, counts)
            return losses, *optimizer.stateless_apply(memory, gradients, trained)

        def weighted(trained: Any, rest: Any, share: Any, codes: Any, counts: Any) -> list[Any]:
            losses, gradients = gradients_of(trained, rest, codes, counts)
            return [share * value for value in (losses, *gradients)]

        self._compiled_step, self._compiled_weighted = jax.jit(step), jax.jit(weighted)
        self._compiled_losses = jax.jit(
            lambda trained, rest, codes, counts: losses_of(trained, rest, codes, counts, False)[1]
        )
        self._compiled_apply = jax.jit(optimizer.stateless_apply)
        self._sum = jax.jit(lambda one, other: [a + b for a, b in zip(one, other, strict=True)])
        self._take()

    def _parts(self, examples: int) -> list[slice]:
        """Leave the batch to the mesh, which shares it where its size divides; only a device's memory cuts it further."""
        if not self.largest_part:
            return [slice(0, examples)]
        number = -(-examples // (self.largest_part * self.compute.gpus))
        borders = [examples * part // number for part in range(number + 1)]
        return [slice(first, last) for first, last in pairwise(borders)]

    def _put(self, *arrays: AnyArray) -> list[Any]:
        where = self._everywhere if len(arrays[0]) % self.compute.gpus else self._split
        return [self._jax.device_put(array, where) for array in arrays]

    def _step(self, codes: AnyArray, counts: AnyArray) -> Any:
        losses, self._trained, self._memory = self._compiled_step(
            self._trained, self._rest, self._memory, *self._put(codes, counts)
        )
        return losses

    def _evaluate(self, codes: AnyArray, counts: AnyArray) -> Any:
        return self._compiled_losses(self._trained, self._rest, *self._put(codes, counts))

    def _gradients(self, device: int, share: np.float32, codes: AnyArray, counts: AnyArray) -> list[Any]:
        gradients: list[Any] = self._compiled_weighted(self._trained, self._rest, share, *self._put(codes, counts))
        return gradients

    def _apply(self, gradients: list[Any]) -> None:
        self._trained, self._memory = self._compiled_apply(self._memory, gradients, self._trained)

    _trained: list[Any]
    _rest: list[Any]
    _memory: list[Any]

    def _take(self) -> None:
        self._trained, self._rest, self._memory = (
            [self._jax.device_put(variable.value, self._everywhere) for variable in variables]
            for variables in (self.model.trainable_variables, self.model.non_trainable_variables, self.optimizer.variables)
        )

    def _keep(self) -> None:
        for variables, values in ((self.model.trainable_variables, self._trained), (self.optimizer.variables, self._memory)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(self._jax.device_put(np.asarray(value)))
