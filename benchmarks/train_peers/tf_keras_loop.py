"""tf_keras 2: ``fit`` of plain Conv1D layers on a Sequence over arrays in memory; prints examples/s as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras
from in_memory import BATCH, Clock, Regions, weights
from tf_keras import layers


def bpnet(arrays: list[np.ndarray], length: int, width: int, name: str) -> keras.Model:
    """A BPNet of the given kernels and biases."""
    filters, dilated = arrays[0].shape[-1], len(arrays) // 2 - 3
    made = [layers.Conv1D(filters, arrays[0].shape[0], activation="relu")]
    made += [layers.Conv1D(filters, 3, dilation_rate=2**i, activation="relu") for i in range(1, dilated + 1)]
    made += [layers.Conv1D(1, arrays[-4].shape[0]), layers.Dense(1)]
    sequence = layers.Input((length, 4))
    x = made[0](sequence)
    for i in range(1, dilated + 1):
        x = layers.Add()([made[i](x), layers.Cropping1D(2**i)(x)])
    profile = made[-2](x)
    logits = layers.Flatten()(layers.Cropping1D((profile.shape[1] - width) // 2)(profile))
    counts = made[-1](layers.GlobalAveragePooling1D()(x))
    for at, layer in enumerate(made):
        layer.set_weights(arrays[2 * at : 2 * at + 2])
    return keras.Model(sequence, [logits, counts], name=name)


def multinomial_nll(counts, logits):
    """Mean negative log-likelihood of the observed profiles, coefficient included."""
    likelihood = tf.reduce_sum(counts * tf.nn.log_softmax(logits), axis=-1)
    coefficient = tf.math.lgamma(1 + tf.reduce_sum(counts, axis=-1)) - tf.reduce_sum(tf.math.lgamma(1 + counts), axis=-1)
    return -tf.reduce_mean(likelihood + coefficient)


class Generator(keras.utils.Sequence):
    """Batches of an epoch's arrays, which are made anew at its end."""

    def __init__(self, regions: Regions) -> None:
        self._regions = regions
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self._regions) // BATCH

    def __getitem__(self, step: int):
        at = slice(step * BATCH, (step + 1) * BATCH)
        counts = self._counts[at]
        return self._one_hot[at].astype(np.float32), (counts, np.log1p(counts.sum(axis=1, keepdims=True)))

    def on_epoch_end(self) -> None:
        """Crop, flip and shuffle."""
        self._one_hot, self._counts = self._regions.epoch()


class Timed(keras.callbacks.Callback):
    """Ends ``fit`` when time is up."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def on_train_batch_end(self, batch, logs=None) -> None:
        """Count the step."""
        self.model.stop_training = self._clock.step()


def main(regions_path: Path, model_path: Path, seconds: float) -> None:
    """Check the loss against ours, then train."""
    regions = Regions(regions_path)
    arrays, expected = weights(model_path)
    one_hot, counts = regions.centred()
    (length, _), width = one_hot.shape[1:], counts.shape[1]
    body, bias = (bpnet(arrays[name], length, width, name) for name in ("main", "bias"))
    bias.trainable = False
    sequence = layers.Input((length, 4))
    (logits, log_counts), (bias_logits, bias_counts) = body(sequence), bias(sequence, training=False)
    both = layers.Concatenate()([log_counts, bias_counts])
    total = layers.Lambda(lambda x: tf.reduce_logsumexp(x, axis=-1, keepdims=True))(both)
    model = keras.Model(sequence, [layers.Add()([logits, bias_logits]), total])

    logits, log_counts = model(one_hot.astype(np.float32))
    error = tf.reduce_mean(tf.square(np.log1p(counts.sum(axis=1, keepdims=True)) - log_counts))
    loss = float(multinomial_nll(counts, logits) + regions.weight * error)

    clock = Clock(seconds)
    model.compile(keras.optimizers.Adam(1e-3), loss=[multinomial_nll, "mse"], loss_weights=[1.0, regions.weight])
    model.fit(Generator(regions), epochs=1_000_000, verbose=0, callbacks=[Timed(clock)])
    print(
        json.dumps(
            {
                "rate": clock.rate,
                "steps": clock.steps,
                "loss": loss / expected,
                "version": f"tf_keras {keras.__version__}, TensorFlow {tf.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
