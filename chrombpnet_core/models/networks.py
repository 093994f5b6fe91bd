"""BPNet and ChromBPNet as Keras functional models, and their losses, on any Keras backend.

After Avsec et al. 2021 (BPNet) and Pampari et al. 2024, bioRxiv 2024.12.25.630221 (ChromBPNet); layer names are those of
kundajelab/chrombpnet, since others' tools look weights up by them. Models map one-hot float32 ``(n, L, 4)`` to profile
logits ``(n, W)`` and log counts ``(n, 1)``.
"""

from __future__ import annotations

import importlib.util
import os
import random

import keras
import numpy as np
from keras import layers

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import require_file
from chrombpnet_core.models.architecture import (
    ACCESSIBILITY_NAME,
    BIAS_PREFIX,
    DILATED_KERNEL,
    FIRST_KERNEL,
    PROFILE_KERNEL,
    Architecture,
    add_name,
    is_ensemble,
    lengths_of,
    preflatten_name,
)
from chrombpnet_core.models.layers import LogSumExp, ProfileConv

__all__ = [
    "accessibility_part",
    "bias_part",
    "body_dtype",
    "bpnet",
    "build_from_file",
    "chrombpnet",
    "draw_weights",
    "shift_log_counts",
]


def body_dtype(precision: str) -> str:
    """Name the type that a BPNet's body computes in.

    Parameters
    ----------
    precision
        As of :class:`~chrombpnet_core.training.ComputeOptions`.

    Returns
    -------
    str
        Keras' name of it.
    """
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def bpnet(architecture: Architecture, prefix: str = BIAS_PREFIX, name: str = "model", dtype: str = "float32") -> keras.Model:
    """Build a BPNet with freshly drawn weights.

    Conv 21 valid ReLU; then per dilated layer i = 1…D a valid conv of width 3 and dilation 2^i with ReLU, added to its
    cropped input; profile head: conv 75 valid, one filter, cropped to the output length; count head: mean over
    positions, dense 1.

    Parameters
    ----------
    architecture
        Its size, checked here.
    prefix
        ``""`` for a bias model, ``"wo_bias_"`` for an accessibility model: begins every layer's name.
    name
        The Keras model's name.
    dtype
        What the body computes in; weights and both heads are float32.

    Returns
    -------
    keras.Model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.
    """
    architecture.check()
    conv = f"{prefix}bpnet"
    head = prefix + "bpnet_" if prefix else ""
    sequence = layers.Input((architecture.input_length, 4), name="sequence")
    x = layers.Conv1D(architecture.filters, FIRST_KERNEL, activation="relu", dtype=dtype, name=f"{conv}_1st_conv")(sequence)
    for i in range(1, architecture.layers + 1):
        y = layers.Conv1D(
            architecture.filters, DILATED_KERNEL, dilation_rate=2**i, activation="relu", dtype=dtype, name=f"{conv}_{i}conv"
        )(x)
        cropped = layers.Cropping1D(2**i, dtype=dtype, name=f"{conv}_{i}crop")(x)
        x = layers.Add(dtype=dtype, name=add_name(i))([y, cropped])
    profile = ProfileConv(1, PROFILE_KERNEL, name=f"{prefix}{'bpnet_' if prefix else ''}prof_out_precrop")(x)
    profile = layers.Cropping1D(architecture.crop, name=preflatten_name(prefix))(profile)
    profile = layers.Flatten(name=f"{head}logits_profile_predictions")(profile)
    counts = layers.Dense(1, name=f"{head}logcount_predictions")(layers.GlobalAveragePooling1D(name="gap")(x))
    return keras.Model(sequence, [profile, counts], name=name)


def draw_weights(model: keras.Model, seed: int) -> None:
    """Draw every kernel anew and set every bias to 0: what Keras on TensorFlow draws for this seed, on any backend.

    Glorot uniform, from TensorFlow's stateless generator, whose seeds Keras draws from Python's layer by layer: so a
    model begins as one of the reference's does where it is the first that its process makes.

    Parameters
    ----------
    model
        A bias or an accessibility model.
    seed
        Of the run.
    """
    import tensorflow

    if keras.backend.backend() != "tensorflow":
        tensorflow.config.set_visible_devices([], "GPU")  # it would take the memory that the backend needs
    seeds = random.Random(seed)
    for layer in (layer for layer in model.layers if layer.weights):
        kernel, bias = layer.get_weights()
        fields = int(np.prod(kernel.shape[:-2]))
        limit = np.sqrt(6 / (fields * (kernel.shape[-2] + kernel.shape[-1])))
        drawn = tensorflow.random.stateless_uniform(kernel.shape, (seeds.randint(1, int(1e9)), 0), -limit, limit)
        layer.set_weights([drawn.numpy(), np.zeros_like(bias)])


def chrombpnet(accessibility: keras.Model, bias: keras.Model) -> keras.Model:
    """Build the main model: profile logits add, log counts combine by logsumexp; the bias model is frozen.

    Parameters
    ----------
    accessibility
        Becomes a layer of the main model.
    bias
        Too; of the same input and output length.

    Returns
    -------
    keras.Model
        With the inputs and outputs of either.

    Raises
    ------
    InputError
        Where the two models disagree on input or output length.
    """
    if lengths_of(accessibility) != lengths_of(bias):
        raise InputError(
            "the bias model's input and output length",
            expected="{} and {}".format(*lengths_of(accessibility)),
            found="{} and {}".format(*lengths_of(bias)),
            remedy="give `input_length` and `output_length` of the bias model",
        )
    bias.trainable = False
    sequence = layers.Input((lengths_of(accessibility)[0], 4), name="sequence")
    accessibility_logits, accessibility_counts = accessibility(sequence)
    bias_logits, bias_counts = bias(sequence, training=False)
    logits = layers.Add(name="logits_profile_predictions")([accessibility_logits, bias_logits])
    both = layers.Concatenate(name="concatenate")([accessibility_counts, bias_counts])
    counts = LogSumExp(name="logcount_predictions")(both)
    return keras.Model(sequence, [logits, counts], name="chrombpnet")


def accessibility_part(model: keras.Model) -> keras.Model:
    """Take the accessibility model out of a main model.

    Parameters
    ----------
    model
        Of one fold.

    Returns
    -------
    keras.Model
        It shares its weights with the main model.
    """
    return _layer_of_main(model, 1)


def bias_part(model: keras.Model) -> keras.Model:
    """Take the bias model out of a main model.

    Parameters
    ----------
    model
        Of one fold.

    Returns
    -------
    keras.Model
        It shares its weights with the main model.
    """
    return _layer_of_main(model, 2)


def _layer_of_main(model: keras.Model, number: int) -> keras.Model:
    if is_ensemble(model):
        raise InputError(
            "an ensemble of main models is not taken apart",
            expected="the main model of one fold",
            remedy="give the ensemble of the corrected models, chrombpnet_nobias.h5",
        )
    return model.layers[number]


def shift_log_counts(model: keras.Model, delta: float) -> None:
    """Add a number to every log count that a BPNet predicts, in place: to the bias of its count head.

    Parameters
    ----------
    model
        A bias or an accessibility model.
    delta
        The number.
    """
    head = next(layer for layer in model.layers if layer.name.endswith("logcount_predictions"))
    kernel, bias = head.get_weights()
    head.set_weights([kernel, bias + np.float32(delta)])


def build_from_file(path: str | os.PathLike[str], architecture: Architecture) -> keras.Model:
    """Build an accessibility model by the user's Python file.

    The file defines ``build(filters, n_dil_layers, inputlen, outputlen)`` and returns a Keras model with two outputs:
    profile logits ``(n, outputlen)`` and log counts ``(n, 1)``. It is run: give only files you trust.

    Parameters
    ----------
    path
        The file.
    architecture
        The sizes that ``build`` is called with.

    Returns
    -------
    keras.Model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.

    Raises
    ------
    InputError
        Where the file or the model that it builds cannot be used.
    """
    spec = importlib.util.spec_from_file_location("user_architecture", require_file(path, "architecture"))
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a Python file", expected="a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    form = "build(filters, n_dil_layers, inputlen, outputlen) -> keras.Model"
    try:
        spec.loader.exec_module(module)
        build = module.build
    except (SyntaxError, ImportError, AttributeError, NameError) as error:
        raise InputError(f"{path}: cannot be used as an architecture", expected=form, found=str(error)) from error
    try:
        model = build(architecture.filters, architecture.layers, architecture.input_length, architecture.output_length)
    except Exception as error:
        raise InputError(f"{path}: build() failed", found=f"{type(error).__name__}: {error}") from error
    wanted = [(None, architecture.output_length), (None, 1)]
    found = [tuple(tensor.shape) for tensor in getattr(model, "outputs", [])]
    if found != wanted:
        raise InputError(
            f"{path}: outputs of the model", expected=f"profile logits and log counts, shapes {wanted}", found=str(found)
        )
    return keras.Model(model.inputs, model.outputs, name=ACCESSIBILITY_NAME)
