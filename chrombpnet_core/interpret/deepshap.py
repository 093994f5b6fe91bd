"""DeepSHAP: how much each base of a sequence adds to a model's counts and profile, against shuffles of the sequence.

The rescale rule of DeepLIFT (Shrikumar et al. 2017, arXiv:1704.02685) averaged over references (Lundberg and Lee 2017,
arXiv:1705.07874): going back from an output, a ReLU passes (relu(a) − relu(b)) / (a − b), with a what the sequence puts
into it and b what a reference does; all else in these models is linear. A sequence goes forward once for all of its
references, and counts and profile share that pass. Any Keras backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from chrombpnet_core._types import AnyArray
from chrombpnet_core.devices import BatchSize, Device, available_memory
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import one_hot
from chrombpnet_core.models import ProfileConv, lengths_of

__all__ = ["HEADS", "Explainer", "actual_contributions"]

HEADS = ("counts", "profile")

_TINY_DIFFERENCE = 1e-6  # of what goes into a ReLU: below it the plain gradient
_TINY_LOGIT_DIFFERENCE = 1e-7
_LINEAR = (
    layers.InputLayer,
    layers.Conv1D,
    ProfileConv,
    layers.Dense,
    layers.Cropping1D,
    layers.ZeroPadding1D,
    layers.Add,
    layers.Subtract,
    layers.Average,
    layers.Concatenate,
    layers.GlobalAveragePooling1D,
    layers.AveragePooling1D,
    layers.UpSampling1D,
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
    layers.BatchNormalization,
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.Rescaling,
    layers.Identity,
    layers.Activation,
)
_SHARE_OF_MEMORY = 0.4
_MOST_AT_ONCE = {"cpu": 2, "gpu": 16}  # a CPU is as fast with one as with sixteen, which take ten times the memory
_KEPT = 3.5  # values held in memory for each that a ReLU gives, as measured


class Explainer:
    """Compute contributions to the heads of a model, which becomes the explainer's own.

    Parameters
    ----------
    model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``, of linear layers and ReLUs. Its
        activations are exchanged for such as explain: give a model that nothing else uses.
    heads
        Which of :data:`HEADS` to explain.
    references
        Shuffles of each sequence, which decide how many sequences fit into memory.
    device
        That computes; the CPU by default.
    xla
        Whether TensorFlow compiles with XLA, which makes it half as fast again on a CPU; JAX always does.

    Attributes
    ----------
    length, width
        Of input and output in bp.
    batch
        How many sequences to explain in one call.

    Raises
    ------
    InputError
        Where a layer on the way to a head has no rule, which is named.
    """

    def __init__(
        self,
        model: keras.Model,
        heads: Sequence[str] = HEADS,
        references: int = 20,
        device: Device | None = None,
        xla: bool = True,
    ) -> None:
        self.heads = tuple(heads)
        self.length, self.width = lengths_of(model)
        profile, counts = model.outputs
        self._model = keras.Model(model.inputs, [{"profile": profile, "counts": counts}[head] for head in self.heads])
        self._streams = _Streams()
        activated = 0
        for operation in _operations(self._model):
            _require_rule(operation)
            if getattr(operation, "activation", None) is keras.activations.relu:
                operation.activation = self._streams.rescaled
            elif isinstance(operation, layers.ReLU):
                operation.call = self._streams.rescaled
            else:
                continue
            activated += int(np.prod(operation.output.shape[1:]))
        fitting = _SHARE_OF_MEMORY * available_memory(device) // (4 * _KEPT * max(activated, 1) * (references + 1))
        self.batch = BatchSize(int(np.clip(fitting, 1, _MOST_AT_ONCE[device.kind if device else "cpu"])))
        make = _jax_multipliers if keras.backend.backend() == "jax" else _tensorflow_multipliers
        self._multipliers = make(self._scalars, len(self.heads), xla)

    def __call__(self, codes: AnyArray, references: AnyArray) -> dict[str, AnyArray]:
        """Compute hypothetical contributions: what each base would add, were it there, averaged over references.

        Σ over bases b' of (e_b − reference) · multiplier, at each position for every base b.

        Parameters
        ----------
        codes
            Base codes uint8 ``(n, L)``; 4 stands for N.
        references
            Base codes uint8 ``(n, K, L)``: the shuffles of each sequence.

        Returns
        -------
        dict of str to numpy.ndarray
            Head → float32 ``(n, L, 4)``.
        """
        hypothetical = self._multipliers(np.ascontiguousarray(np.concatenate([codes[None], references.swapaxes(0, 1)])))
        return {head: np.asarray(scores) for head, scores in zip(self.heads, hypothetical, strict=True)}

    def _scalars(self, sequences: Any) -> list[Any]:
        """Compute what is explained: a number for each head, summed over sequences and references ``(K + 1, n, L, 4)``.

        The first of K + 1 are the sequences. Counts: the log counts. Profile: Σ w · l with l the logits less their mean
        and w the mean of both streams' softmax, a constant.
        """
        streams, n = sequences.shape[0], sequences.shape[1]
        self._streams.number = streams
        outputs = self._model(ops.reshape(sequences, (streams * n, *sequences.shape[2:])), training=False)
        scalars = []
        for head, output in zip(self.heads, outputs if len(self.heads) > 1 else [outputs], strict=True):
            output = ops.reshape(ops.cast(output, "float32"), (streams, n, -1))
            if head == "profile":
                output = output - ops.mean(output, axis=-1, keepdims=True)
                softmax = ops.softmax(output, axis=-1)
                weights = (softmax[:1] + softmax) / 2
                weights = ops.where(ops.abs(output[:1] - output) < _TINY_LOGIT_DIFFERENCE, 0.0, weights)
                output = ops.stop_gradient(weights) * output
            scalars.append(ops.sum(output[1:]))
        return scalars


class _Streams:
    """A ReLU of several streams along the batch, sequences first, whose gradient is the rescale rule's multiplier."""

    number = 1

    def rescaled(self, x: Any, **_: Any) -> Any:
        """Apply the ReLU to ``(number · n, …)``."""
        number = self.number

        @ops.custom_gradient  # type: ignore[untyped-decorator]  # Keras brings no types
        def relu(x: Any) -> tuple[Any, Any]:
            def gradient(*_: Any, upstream: Any = None) -> Any:
                upstream = _[0] if upstream is None else upstream
                both = ops.reshape(x, (number, -1, *x.shape[1:]))
                a = both[:1]
                difference = a - both
                near = ops.abs(difference) < _TINY_DIFFERENCE
                slope = (ops.relu(a) - ops.relu(both)) / ops.where(near, ops.ones_like(difference), difference)
                slope = ops.where(near, ops.cast(ops.broadcast_to(a, both.shape) > 0, slope.dtype), slope)
                return upstream * ops.reshape(slope, ops.shape(x))

            return ops.relu(x), gradient

        return relu(x)


def _operations(model: keras.Model) -> Iterator[Any]:
    """List all operations of a model and of the models in it."""
    for operation in model.operations:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


def _require_rule(operation: Any) -> None:
    activation = getattr(operation, "activation", None)
    rectifies = isinstance(operation, layers.ReLU)
    if rectifies and (operation.max_value is not None or operation.negative_slope or operation.threshold):
        raise _no_rule(operation, "a ReLU with a slope, threshold or maximum")
    if not rectifies and not isinstance(operation, _LINEAR):
        raise _no_rule(operation, f"a layer {type(operation).__name__}")
    if activation not in (None, keras.activations.linear, keras.activations.relu):
        raise _no_rule(operation, f"an activation {getattr(activation, '__name__', activation)}")


def _no_rule(operation: Any, what: str) -> InputError:
    return InputError(
        f"contributions of this model cannot be computed: {operation.name} is {what}",
        expected="linear layers and ReLUs, which DeepLIFT's rescale rule knows",
        remedy="of a full ChromBPNet model explain the profile, or chrombpnet_nobias.h5",
    )


def _tensorflow_multipliers(
    scalars_of: Callable[[Any], list[Any]], heads: int, xla: bool
) -> Callable[[AnyArray], list[Any]]:
    import tensorflow as tf

    @tf.function(jit_compile=xla, reduce_retracing=False)  # type: ignore[untyped-decorator]  # TensorFlow brings no types
    def hypothetical(codes: Any) -> list[Any]:
        sequences = _bases(codes)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(sequences)
            scalars = scalars_of(sequences)
        return [_hypothetical(sequences, tape.gradient(scalar, sequences)) for scalar in scalars]

    return lambda codes: hypothetical(tf.constant(codes))


def _jax_multipliers(scalars_of: Callable[[Any], list[Any]], heads: int, _: bool) -> Callable[[AnyArray], list[Any]]:
    import jax

    @jax.jit
    def hypothetical(codes: Any) -> list[Any]:
        sequences = _bases(codes)
        _, back = jax.vjp(lambda bases: jax.numpy.stack(scalars_of(bases)), sequences)
        return [_hypothetical(sequences, back(unit)[0]) for unit in np.eye(heads, dtype=np.float32)]

    compiled: Callable[[AnyArray], list[Any]] = hypothetical
    return compiled


def _bases(codes: Any) -> Any:
    return ops.cast(ops.equal(ops.expand_dims(codes, -1), np.arange(4, dtype=np.uint8)), "float32")


def _hypothetical(sequences: Any, multipliers: Any) -> Any:
    references, multipliers = sequences[1:], multipliers[1:]
    return ops.mean(multipliers - ops.sum(references * multipliers, axis=-1, keepdims=True), axis=0)


def actual_contributions(codes: AnyArray, hypothetical: AnyArray) -> AnyArray:
    """Compute what each base of the sequence adds.

    Parameters
    ----------
    codes
        Base codes uint8 ``(n, L)``.
    hypothetical
        Hypothetical contributions ``(n, L, 4)``.

    Returns
    -------
    numpy.ndarray
        ``(n, L, 4)``: those of the sequence's own letters, else 0.
    """
    actual: AnyArray = one_hot(codes) * hypothetical
    return actual
