"""Run by Keras 2 (tf_keras, or TensorFlow 2.15): what it predicts of model files, and files that it writes itself.

keras2.py predict SEQUENCES.npy OUT.npz NAME=FILE...
keras2.py write SEQUENCES.npy FOLDER SCALED_BIAS PLANT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

try:
    import tf_keras as keras
except ImportError:
    import keras

assert keras.__version__.startswith("2."), f"Keras {keras.__version__} is not Keras 2"
LAYERS = 8


def predictions(model, sequences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Profile logits and log counts, in one batch."""
    logits, log_counts = model.predict_on_batch(sequences)
    return np.asarray(logits), np.asarray(log_counts)


def predict(sequences: str, out: str, *files: str) -> None:
    """Open every file as anybody would and without custom objects; then save it again beside ``out``, as NAME.again.h5."""
    found = {}
    for name, path in (entry.split("=", 1) for entry in files):
        model = keras.models.load_model(path, compile=False)
        found[f"{name}_logits"], found[f"{name}_log_counts"] = predictions(model, np.load(sequences))
        found[f"{name}_trainable"] = len(model.trainable_weights)
        model.save(Path(out).with_name(f"{name}.again.h5"), save_format="h5")
    np.savez(out, **found)


def accessibility(filters: int, seed: int):
    """The accessibility model, its additions named by Keras; random weights, biases included."""
    layers = keras.layers
    sequence = layers.Input((2114, 4), name="sequence")
    x = layers.Conv1D(filters, 21, activation="relu", name="wo_bias_bpnet_1st_conv")(sequence)
    for i in range(1, LAYERS + 1):
        y = layers.Conv1D(filters, 3, dilation_rate=2**i, activation="relu", name=f"wo_bias_bpnet_{i}conv")(x)
        x = layers.add([y, layers.Cropping1D(2**i, name=f"wo_bias_bpnet_{i}crop")(x)])
    profile = layers.Conv1D(1, 75, name="wo_bias_bpnet_prof_out_precrop")(x)
    profile = layers.Cropping1D((profile.shape[1] - 1000) // 2, name="wo_bias_bpnet_logitt_before_flatten")(profile)
    logits = layers.Flatten(name="wo_bias_bpnet_logits_profile_predictions")(profile)
    mean = layers.GlobalAveragePooling1D(name="gap")(x)
    log_counts = layers.Dense(1, name="wo_bias_bpnet_logcount_predictions")(mean)
    model = keras.Model(sequence, [logits, log_counts], name="model_wo_bias")
    rng = np.random.default_rng(seed)
    model.set_weights([array + rng.normal(0, 0.05, array.shape) for array in model.get_weights()])
    # Log counts near the bias model's, so that both count in their sum.
    model.layers[-1].bias.assign_sub(model.predict_on_batch(np.zeros((1, 2114, 4), np.float32))[1][0] - 4)
    return model


def main_model(part, bias_file: str, plant: str):
    """The main model, whose log counts a Lambda computes; that Lambda also writes the file ``plant`` when it is run."""
    bias = keras.models.load_model(bias_file, compile=False)
    bias = keras.Model(bias.inputs, bias.outputs)  # named by Keras: model, model_3, ...
    bias.trainable = False
    sequence = keras.layers.Input((2114, 4), name="sequence")
    (logits, log_counts), (bias_logits, bias_log_counts) = part(sequence), bias(sequence)

    def combined(x):
        with open(plant, "w") as file:
            file.write("the stored code ran\n")
        return tf.math.reduce_logsumexp(x, axis=-1, keepdims=True)

    both = keras.layers.concatenate([log_counts, bias_log_counts], axis=-1)
    return keras.Model(
        sequence,
        [
            keras.layers.Add(name="logits_profile_predictions")([logits, bias_logits]),
            keras.layers.Lambda(combined, name="logcount_predictions")(both),
        ],
    )


def write(sequences: str, folder: str, bias_file: str, plant: str) -> None:
    """Two main models and their accessibility models, written by one process, so that the second's names are numbered on.

    ``plant`` is there afterwards only if Keras 2 ran the Lambda of a file that it opened, as it should.
    """
    found, bases = {}, np.load(sequences)
    for number in (1, 2):
        part = accessibility(8, number)
        whole, nobias = main_model(part, bias_file, plant), keras.Model(part.inputs, part.outputs)
        for name, model in ((f"chrombpnet_{number}", whole), (f"chrombpnet_nobias_{number}", nobias)):
            found[f"{name}_logits"], found[f"{name}_log_counts"] = predictions(model, bases)
            model.compile("adam", ["mse", "mse"])
            model.save(Path(folder) / f"{name}.h5", save_format="h5")
    np.savez(Path(folder) / "predictions.npz", **found)
    Path(plant).unlink()
    whole = keras.models.load_model(Path(folder) / "chrombpnet_1.h5", compile=False, safe_mode=False)
    whole.predict_on_batch(bases)


if __name__ == "__main__":
    {"predict": predict, "write": write}[sys.argv[1]](*sys.argv[2:])
