"""TODO."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import psutil

from chrombpnet_core.devices import Device, is_out_of_memory
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import one_hot, reverse_complement
from chrombpnet_core.models.architecture import lengths_of

__all__ = ["BothStrandsPredictor", "Predictor"]

log = logging.getLogger(__name__)


def Predictor(model: keras.Model, batch_size: int = 64):
    """A function from base codes uint8 ``(n, L)`` to logits float32 ``(n, W)`` and log counts ``(n,)``."""

    def predict(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [model.predict_on_batch(one_hot(codes[at : at + batch_size])) for at in range(0, len(codes), batch_size)]
        logits, log_counts = (np.concatenate([np.asarray(part[head]) for part in parts]) for head in (0, 1))
        return logits, log_counts[:, 0]

    return predict


_SHARE_OF_MEMORY = 0.4


_LIVE = 6  # layers' outputs of the largest size that are in memory at a time


_CPU_BYTES = 8 << 20  # of the largest layer's output: more of them at a time leave the cache, and are slower


_MOST_AT_ONCE = {"cpu": 256, "gpu": 1024}


_FEWEST = 2


@dataclass
class BothStrandsPredictor:
    """Predictions of a model as the mean of both strands: counts of exp(log counts), profiles of logits, one flipped.

    Parameters
    ----------
    model
        Two-headed, from one-hot ``(n, L, 4)``.
    device
        That computes; decides with its free memory how many sequences go at a time.
    at_once
        Sequences of a batch, both strands counted; by default as many as are fast and fit.
    """

    model: keras.Model
    device: Device | None = None
    at_once: int = 0
    _run: Callable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.at_once = max(self.at_once or _fitting(self.model, self.device), _FEWEST)
        self._run = _compiled(self.model)

    @property
    def length(self) -> int:
        """Input length in bp."""
        return lengths_of(self.model)[0]

    def __call__(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Counts float64 ``(n,)`` and logits float32 ``(n, W)`` of base codes uint8 ``(n, L)``.

        Raises
        ------
        InputError
            Where a prediction is not finite, or the device's memory is too small for one sequence.
        """
        counts, logits = np.empty(len(codes)), np.empty((len(codes), lengths_of(self.model)[1]), dtype=np.float32)
        at = 0
        while at < len(codes):
            rows = slice(at, at + self.at_once // 2)
            try:
                counts[rows], logits[rows] = self._both(codes[rows])
            except Exception as error:
                if not is_out_of_memory(error) or self.at_once <= _FEWEST:
                    raise
                self.at_once //= 2
                log.warning("the device's memory is too small: %d sequences at once", self.at_once)
                continue
            at = rows.stop
        if not (np.isfinite(logits).all() and np.isfinite(counts).all() and (counts > 0).all()):
            raise InputError(
                "the model predicts values that are not finite",
                remedy="its training diverged; train it again with a lower learning rate (-l)",
            )
        return counts, logits

    def _both(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of one batch; it is filled up to the full size, so that one size is compiled."""
        n, half = len(codes), self.at_once // 2
        filled = np.concatenate([codes, np.repeat(codes[:1], half - n, axis=0)]) if n < half else codes
        logits, log_counts = self._run(np.concatenate([filled, reverse_complement(filled)]))
        logits, log_counts = np.asarray(logits), np.asarray(log_counts, dtype=np.float64)[:, 0]
        with np.errstate(over="ignore"):
            counts = np.exp(log_counts)
        return (counts[:n] + counts[half : half + n]) / 2, (logits[:n] + logits[half : half + n, ::-1]) / 2


def _fitting(model: keras.Model, device: Device | None) -> int:
    kind = device.kind if device else "cpu"
    largest = _largest_output(model)
    free = (device.memory if device and kind == "gpu" else 0) or psutil.virtual_memory().available
    fitting = _SHARE_OF_MEMORY * free / (4 * _LIVE * largest)
    if kind == "cpu":
        fitting = min(fitting, _CPU_BYTES / (4 * largest))
    return int(np.clip(fitting, _FEWEST, _MOST_AT_ONCE[kind])) // 2 * 2


def _largest_output(model: keras.Model) -> int:
    """Numbers that a layer gives for one sequence, of the layer that gives most; a main model holds models."""
    return max(
        _largest_output(layer) if isinstance(layer, keras.Model) else int(np.prod(layer.output.shape[1:]))
        for layer in model.layers
    )


def _compiled(model: keras.Model) -> Callable[[np.ndarray], tuple]:
    """From base codes ``(n, L)`` to both heads; letters become one-hot on the device: a sixteenth is copied there."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        table = tf.constant(one_hot(np.arange(5)))

        @tf.function(reduce_retracing=False)
        def run(codes):
            return model(tf.gather(table, tf.cast(codes, tf.int32)), training=False)

        return lambda codes: run(tf.constant(np.ascontiguousarray(codes)))
    return lambda codes: model.predict_on_batch(one_hot(codes))
