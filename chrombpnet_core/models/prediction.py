"""Prediction with any two-headed model: of one strand or as the mean of both, in batches that fit into the memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.special import softmax

from chrombpnet_core._types import AnyArray, Floats
from chrombpnet_core.devices import BatchSize, Device, available_memory, in_fitting_batches
from chrombpnet_core.errors import DivergedError
from chrombpnet_core.genome import one_hot, reverse_complement
from chrombpnet_core.models.architecture import lengths_of
from chrombpnet_core.models.counts import counts_from_log, predicted_track, reference_counts_from_log

__all__ = ["BothStrandsPredictor", "Prediction", "Predictor", "predict"]

_SHARE_OF_MEMORY = 0.4
_LIVE = 6  # layers' outputs of the largest size that are in memory at a time
_CPU_BYTES = 8 << 20  # of the largest layer's output: more of them at a time leave the cache, and are slower
_MOST_AT_ONCE = {"cpu": 256, "gpu": 1024}  # sequences, both strands counted


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for n sequences.

    Attributes
    ----------
    logits
        Profile logits, float32 ``(n, W)``.
    log_counts
        ln(1 + insertions in the output window), float32 ``(n,)``.
    """

    logits: Floats
    log_counts: Floats

    @property
    def profiles(self) -> Floats:
        """Profile probabilities ``(n, W)``: the softmax of the logits, each row of sum 1."""
        profiles: Floats = softmax(self.logits, axis=-1)
        return profiles

    @property
    def counts(self) -> Floats:
        """Insertions in the output window ``(n,)``: exp(log counts) − 1."""
        return counts_from_log(self.log_counts)

    @property
    def tracks(self) -> Floats:
        """Insertions per base ``(n, W)``: profiles × counts."""
        return predicted_track(self.profiles, self.log_counts)


class Predictor:
    """Predict one strand of sequences with a two-headed model.

    Parameters
    ----------
    model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.
    batch_size
        Sequences at a time; halved, for good, where the device's memory is too small.
    """

    def __init__(self, model: keras.Model, batch_size: int = 64) -> None:
        self.model, self.batch = model, BatchSize(batch_size)

    def __call__(self, sequences: AnyArray) -> tuple[Floats, Floats]:
        """Predict.

        Parameters
        ----------
        sequences
            Base codes uint8 ``(n, L)``, or one-hot ``(n, L, 4)``.

        Returns
        -------
        tuple of numpy.ndarray
            Logits float32 ``(n, W)`` and log counts float32 ``(n,)``.

        Raises
        ------
        InputError
            Where the device's memory is too small for a single sequence.
        """

        def compute(rows: slice) -> tuple[Floats, Floats]:
            batch = sequences[rows]
            logits, log_counts = self.model.predict_on_batch(one_hot(batch) if batch.ndim == 2 else batch)
            return np.asarray(logits), np.asarray(log_counts)[:, 0]

        if len(sequences) == 0:
            return np.empty((0, lengths_of(self.model)[1]), np.float32), np.empty(0, np.float32)
        parts = [part for _, part in in_fitting_batches(len(sequences), self.batch, compute)]
        return np.concatenate([logits for logits, _ in parts]), np.concatenate([log_counts for _, log_counts in parts])


def predict(model: keras.Model, sequences: AnyArray, batch_size: int = 64) -> Prediction:
    """Predict profile and counts of sequences, the given strand alone.

    Parameters
    ----------
    model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``, such as :attr:`Model.keras`.
    sequences
        Base codes uint8 ``(n, L)`` (:func:`~chrombpnet_core.genome.codes_of`), or one-hot ``(n, L, 4)``.
    batch_size
        Sequences at a time; fewer where the device's memory is too small.

    Returns
    -------
    Prediction
        Logits ``(n, W)`` and log counts ``(n,)``, from which profiles, counts and tracks follow.
    """
    return Prediction(*Predictor(model, batch_size)(sequences))


class BothStrandsPredictor:
    """Predict as the mean of both strands, as variants are scored: counts of exp(log counts), logits with one flipped.

    Parameters
    ----------
    model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.
    device
        That computes; decides with its free memory how many sequences go at a time.
    at_once
        Sequences of a batch, both strands counted; by default as many as are fast and fit.
    """

    def __init__(self, model: keras.Model, device: Device | None = None, at_once: int = 0) -> None:
        self.model = model
        self.batch = BatchSize(max((at_once or _fitting(model, device)) // 2, 1))
        self._run = _compiled(model)

    @property
    def length(self) -> int:
        """Input length in bp."""
        return lengths_of(self.model)[0]

    def __call__(self, codes: AnyArray) -> tuple[Floats, Floats]:
        """Predict.

        Parameters
        ----------
        codes
            Base codes uint8 ``(n, L)``.

        Returns
        -------
        tuple of numpy.ndarray
            Counts float64 ``(n,)``, each the mean of exp(log counts) as the reference has it, and logits float32 ``(n, W)``.

        Raises
        ------
        InputError
            Where a prediction is not finite, or the device's memory is too small for one sequence.
        """
        counts, logits = np.empty(len(codes)), np.empty((len(codes), lengths_of(self.model)[1]), dtype=np.float32)
        for rows, part in in_fitting_batches(len(codes), self.batch, lambda rows: self._both(codes[rows])):
            counts[rows], logits[rows] = part
        if not (np.isfinite(logits).all() and np.isfinite(counts).all() and (counts > 0).all()):
            raise DivergedError()
        return counts, logits

    def _both(self, codes: AnyArray) -> tuple[Floats, Floats]:
        """Predict one batch; it is filled up to the full size, so that one size is compiled."""
        n, size = len(codes), self.batch.size
        filled = np.concatenate([codes, np.repeat(codes[:1], size - n, axis=0)]) if n < size else codes
        outputs = self._run(np.concatenate([filled, reverse_complement(filled)]))
        logits, log_counts = np.asarray(outputs[0]), np.asarray(outputs[1], dtype=np.float64)[:, 0]
        counts = reference_counts_from_log(log_counts)
        return (counts[:n] + counts[size : size + n]) / 2, (logits[:n] + logits[size : size + n, ::-1]) / 2


def _fitting(model: keras.Model, device: Device | None) -> int:
    """Choose the sequences of a batch, both strands counted."""
    kind = device.kind if device else "cpu"
    largest = _largest_output(model)
    fitting = _SHARE_OF_MEMORY * available_memory(device) / (4 * _LIVE * largest)
    if kind == "cpu":
        fitting = min(fitting, _CPU_BYTES / (4 * largest))
    return int(np.clip(fitting, 2, _MOST_AT_ONCE[kind]))


def _largest_output(model: keras.Model) -> int:
    """Count the numbers that a layer gives for one sequence, of the layer that gives most; a main model holds models."""
    return max(
        _largest_output(layer) if isinstance(layer, keras.Model) else int(np.prod(layer.output.shape[1:]))
        for layer in model.layers
    )


def _compiled(model: keras.Model) -> Callable[[AnyArray], Any]:
    """Compile the model for base codes, which become one-hot on the device: a sixteenth is copied there."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        table = tf.constant(one_hot(np.arange(5)))

        @tf.function(reduce_retracing=False)  # type: ignore[untyped-decorator]  # TensorFlow brings no types
        def run(codes: Any) -> Any:
            return model(tf.gather(table, tf.cast(codes, tf.int32)), training=False)

        return lambda codes: run(tf.constant(np.ascontiguousarray(codes)))
    return lambda codes: model.predict_on_batch(one_hot(codes))
