"""BPNet and ChromBPNet as Keras functional models, and their losses, on any Keras backend.

After Avsec et al. 2021 (BPNet) and Pampari et al. 2024, bioRxiv 2024.12.25.630221 (ChromBPNet); layer names are those of
kundajelab/chrombpnet, since others' tools look weights up by them. Models map one-hot float32 ``(n, L, 4)`` to profile
logits ``(n, W)`` and log counts ``(n, 1)``.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.textfiles import require_file

__all__ = ["ACCESSIBILITY_PREFIX", "BIAS_PREFIX", "ENSEMBLE", "Architecture", "LogSumExp", "accessibility_part", "bias_part",
           "body_dtype", "bpnet", "build_from_file", "chrombpnet", "draw_weights", "lengths_of", "multinomial_nll",
           "require_kind", "require_lengths", "shift_log_counts"]

BIAS_PREFIX = ""
ACCESSIBILITY_PREFIX = "wo_bias_"
ENSEMBLE = "ensemble"
"""Name of a model that averages others (:func:`chrombpnet_core.ensemble.average_models`)."""

FIRST_KERNEL, DILATED_KERNEL, PROFILE_KERNEL = 21, 3, 75


@dataclass(frozen=True)
class Architecture:
    """Size of one BPNet: ``filters`` per layer, ``layers`` dilated layers, input and output length in bp."""

    filters: int
    layers: int
    input_length: int = 2114
    output_length: int = 1000

    @property
    def profile_length(self) -> int:
        """Positions the profile head has before it is cropped to the output length."""
        return self.input_length - (FIRST_KERNEL - 1) - sum(2 * 2**i for i in range(1, self.layers + 1)) \
            - (PROFILE_KERNEL - 1)

    @property
    def crop(self) -> int:
        """Positions cropped from either end of the profile head."""
        return (self.profile_length - self.output_length) // 2

    def check(self) -> None:
        """Raise :class:`InputError` where the output does not fit what the valid convolutions leave."""
        if min(self.filters, self.layers, self.output_length) < 1:
            raise InputError("model size", expected="at least 1 filter, 1 dilated layer and 1 output position",
                             found=str(self))
        spare = self.profile_length - self.output_length
        if spare < 0 or spare % 2:
            need = self.input_length - spare
            raise InputError(f"{self.layers} dilated layers turn {self.input_length} bp of input into "
                             f"{self.profile_length} profile positions", expected=f"{self.output_length} or more, by "
                             "an even number", remedy=f"give -il {need} (or more, by an even number), fewer -dil, or a "
                             "smaller -ol")

    def flops(self) -> int:
        """Multiply-adds times two of one forward pass of one example: for estimates of time."""
        length = self.input_length - FIRST_KERNEL + 1
        total = length * FIRST_KERNEL * 4 * self.filters
        for i in range(1, self.layers + 1):
            length -= 2 * 2**i
            total += length * DILATED_KERNEL * self.filters**2
        return 2 * (total + self.profile_length * PROFILE_KERNEL * self.filters)


def body_dtype(precision: str) -> str:
    """Keras' name of what a BPNet's body computes in; see :class:`chrombpnet_core.engine.Compute`."""
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def bpnet(architecture: Architecture, prefix: str = BIAS_PREFIX, name: str = "model", dtype: str = "float32") -> keras.Model:
    """A BPNet with freshly drawn weights.

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
    """
    architecture.check()
    conv = f"{prefix}bpnet"
    head = prefix + "bpnet_" if prefix else ""
    sequence = layers.Input((architecture.input_length, 4), name="sequence")
    x = layers.Conv1D(architecture.filters, FIRST_KERNEL, activation="relu", dtype=dtype,
                      name=f"{conv}_1st_conv")(sequence)
    for i in range(1, architecture.layers + 1):
        y = layers.Conv1D(architecture.filters, DILATED_KERNEL, dilation_rate=2**i, activation="relu", dtype=dtype,
                          name=f"{conv}_{i}conv")(x)
        cropped = layers.Cropping1D(2**i, dtype=dtype, name=f"{conv}_{i}crop")(x)
        x = layers.Add(dtype=dtype, name=add_name(i))([y, cropped])
    profile = ProfileConv(1, PROFILE_KERNEL, name=f"{prefix}{'bpnet_' if prefix else ''}prof_out_precrop")(x)
    profile = layers.Cropping1D(architecture.crop, name=preflatten_name(prefix))(profile)
    profile = layers.Flatten(name=f"{head}logits_profile_predictions")(profile)
    counts = layers.Dense(1, name=f"{head}logcount_predictions")(layers.GlobalAveragePooling1D(name="gap")(x))
    return keras.Model(sequence, [profile, counts], name=name)


@keras.saving.register_keras_serializable(package="chrombpnet")
class ProfileConv(layers.Conv1D):
    """A valid convolution of few filters, computed in eight phases at once: y[8s + p] = Σₖ x[8s + p + k] · w[k].

    Blocks of eight positions become channels, so that one convolution of eight times the filters does the work: with
    one filter and width 75, eleven times faster on a CPU than the plain form, of the same kernel.
    """

    PHASES = 8

    def call(self, x):
        """Apply it to ``(n, length, channels)``."""
        phases, width, channels = self.PHASES, self.kernel_size[0], x.shape[2]
        length = x.shape[1] - width + 1
        blocks, taps = -(-length // phases), -(-(width + phases - 1) // phases)
        spare = (blocks + taps - 1) * phases - x.shape[1]
        x = ops.reshape(ops.pad(x, ((0, 0), (0, spare), (0, 0))), (-1, blocks + taps - 1, phases * channels))
        shifted = [ops.pad(self.kernel, ((p, taps * phases - width - p), (0, 0), (0, 0))) for p in range(phases)]
        kernel = ops.reshape(ops.concatenate(shifted, axis=-1), (taps, phases * channels, phases * self.filters))
        y = ops.reshape(ops.conv(x, kernel, padding="valid"), (-1, blocks * phases, self.filters))
        return y[:, :length] + self.bias


def draw_weights(model: keras.Model, seed: int) -> None:
    """Draw every kernel anew and set every bias to 0: what Keras on TensorFlow draws for this seed, on any backend.

    Glorot uniform, from TensorFlow's stateless generator, whose seeds Keras draws from Python's layer by layer: so a
    model begins as one of the reference's does where it is the first that its process makes.
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


def add_name(i: int) -> str:
    """Name of the i-th (from 1) residual addition, numbered from ``add`` within each model."""
    return "add" if i == 1 else f"add_{i - 1}"


def preflatten_name(prefix: str) -> str:
    """Name of the layer that crops the profile head; the reference spells the accessibility model's so."""
    return f"{prefix}bpnet_logitt_before_flatten" if prefix else "logits_profile_predictions_preflatten"


@keras.saving.register_keras_serializable(package="chrombpnet")
class LogSumExp(layers.Layer):
    """log Σ exp over the last axis, kept: ``(n, k)`` to ``(n, 1)``."""

    def call(self, x):
        """Apply it."""
        return ops.logsumexp(x, axis=-1, keepdims=True)


def chrombpnet(accessibility: keras.Model, bias: keras.Model) -> keras.Model:
    """The main model: profile logits add, log counts combine by logsumexp; the bias model is frozen.

    Raises
    ------
    InputError
        Where the two models disagree on input or output length.
    """
    if lengths_of(accessibility) != lengths_of(bias):
        raise InputError("the bias model's input and output length", expected="{} and {}".format(*lengths_of(accessibility)),
                         found="{} and {}".format(*lengths_of(bias)), remedy="give -il and -ol of the bias model")
    bias.trainable = False
    sequence = layers.Input((lengths_of(accessibility)[0], 4), name="sequence")
    accessibility_logits, accessibility_counts = accessibility(sequence)
    bias_logits, bias_counts = bias(sequence, training=False)
    logits = layers.Add(name="logits_profile_predictions")([accessibility_logits, bias_logits])
    both = layers.Concatenate(name="concatenate")([accessibility_counts, bias_counts])
    counts = LogSumExp(name="logcount_predictions")(both)
    return keras.Model(sequence, [logits, counts], name="chrombpnet")


def accessibility_part(model: keras.Model) -> keras.Model:
    """The accessibility model inside a main model."""
    return _layer_of_main(model, 1)


def bias_part(model: keras.Model) -> keras.Model:
    """The bias model inside a main model."""
    return _layer_of_main(model, 2)


def _layer_of_main(model: keras.Model, number: int) -> keras.Model:
    if model.name == ENSEMBLE:
        raise InputError("an ensemble of main models is not taken apart", expected="the main model of one fold",
                         remedy="give the ensemble of the corrected models, chrombpnet_nobias.h5")
    return model.layers[number]


def lengths_of(model: keras.Model) -> tuple[int, int]:
    """Input and output length in bp of a two-headed model."""
    return int(model.input_shape[1]), int(model.output_shape[0][1])


def require_kind(model: keras.Model, kind: str, path: str | os.PathLike) -> keras.Model:
    """The same model, which must be of ``kind``: ``bias``, ``chrombpnet`` (both parts) or ``chrombpnet_nobias``.

    Raises
    ------
    ModelFileError
        Naming the file and what it holds instead.
    """
    member = model.layers[1] if model.name == ENSEMBLE else model
    name = re.sub(r"^fold_\d+_", "", member.name)
    accessibility = name == "model_wo_bias" or any(layer.name.startswith(ACCESSIBILITY_PREFIX) for layer in member.layers)
    found = "chrombpnet" if name == "chrombpnet" else "chrombpnet_nobias" if accessibility else "bias"
    if found != kind:
        names = {"bias": "a bias model", "chrombpnet": "a full model, bias included",
                 "chrombpnet_nobias": "a bias-corrected model"}
        raise ModelFileError(f"{path}: the wrong kind of model", expected=f"{names[kind]}, {kind}.h5",
                             found=names[found], remedy="swap the files")
    return model


def require_lengths(model: keras.Model, lengths: tuple[int, int], path: str | os.PathLike) -> keras.Model:
    """The same model, which must have these input and output lengths in bp; else :class:`InputError`."""
    if lengths_of(model) != lengths:
        raise InputError(f"{path}: input and output length of the model", expected="{} and {}".format(*lengths),
                         found="{} and {}".format(*lengths_of(model)), remedy="give models of one size; -il and -ol are "
                         "those of the bias model")
    return model


def _log_gamma(x):
    if keras.backend.backend() == "jax":
        from jax.scipy.special import gammaln

        return gammaln(x)
    import tensorflow

    return tensorflow.math.lgamma(x)


def multinomial_nll(counts, logits):
    """Negative log-likelihood, coefficient included, of observed counts: one value an example.

    −log P = −ln Γ(1 + Σₖ) + Σ ln Γ(1 + kᵢ) − Σ kᵢ · log softmax(logits)ᵢ

    Parameters
    ----------
    counts
        Observed profile, ``(n, W)``.
    logits
        Predicted profile logits, ``(n, W)``.

    Returns
    -------
    ``(n,)``; as a Keras loss it is averaged over the batch.
    """
    counts = ops.cast(counts, logits.dtype)
    log_likelihood = ops.sum(counts * ops.log_softmax(logits, axis=-1), axis=-1)
    coefficient = _log_gamma(1 + ops.sum(counts, axis=-1)) - ops.sum(_log_gamma(1 + counts), axis=-1)
    return -log_likelihood - coefficient


def shift_log_counts(model: keras.Model, delta: float) -> None:
    """Add ``delta`` to every log count that a BPNet predicts (the bias of its count head), in place."""
    head = next(layer for layer in model.layers if layer.name.endswith("logcount_predictions"))
    kernel, bias = head.get_weights()
    head.set_weights([kernel, bias + np.float32(delta)])


def build_from_file(path: str | os.PathLike, architecture: Architecture) -> keras.Model:
    """An accessibility model built by the user's Python file (``-a FILE.py``).

    The file defines ``build(filters, n_dil_layers, inputlen, outputlen)`` and returns a Keras model with two outputs:
    profile logits ``(n, outputlen)`` and log counts ``(n, 1)``. It is run: give only files you trust.
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
        raise InputError(f"{path}: outputs of the model", expected=f"profile logits and log counts, shapes {wanted}",
                         found=str(found))
    return keras.Model(model.inputs, model.outputs, name="model_wo_bias")
