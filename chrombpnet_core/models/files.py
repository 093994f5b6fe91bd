"""Models in the Keras legacy HDF5 form of the reference program: read by name, never by running stored code.

The files are what Keras 2 writes: ``model_config`` (JSON) and ``model_weights/<layer>/<layer>/kernel:0``. The reference's
``chrombpnet.h5`` holds a Lambda layer with pickled Python; only weights and sizes are read, so it is never run. Ours has a
TensorFlow operation by name in its place, which Keras 2 loads without running code.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

import keras

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import ModelFileError
from chrombpnet_core.formats import require_file
from chrombpnet_core.models.architecture import (
    ACCESSIBILITY_NAME,
    ACCESSIBILITY_PREFIX,
    BIAS_PREFIX,
    Architecture,
    preflatten_name,
)
from chrombpnet_core.models.ensemble import average_models
from chrombpnet_core.models.keras2 import bpnet_config, layer_difference
from chrombpnet_core.models.networks import bpnet, chrombpnet
from chrombpnet_core.models.own_architecture import load_own_architecture
from chrombpnet_core.models.stored_model import StoredModel, read_stored_model

__all__ = ["load_model"]

_LONGEST = 1_000_000
"""Input length in bp beyond which a file is not believed."""

_MOST_LAYERS = 30
"""Dilated layers, of which each doubles what a prediction looks at."""


def load_model(path: str | os.PathLike[str]) -> keras.Model:
    """Load a bias, accessibility or main model or an ensemble, written by the reference, Keras 2 or :func:`save_model`.

    Parameters
    ----------
    path
        HDF5; code in it is never run.

    Returns
    -------
    keras.Model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.

    Raises
    ------
    ModelFileError
        Where it is no HDF5 file, or a layer that ChromBPNet needs is missing or is not as it must be.
    """
    stored = read_stored_model(require_file(path, "model"))
    members = [] if stored.keras_version.startswith("3") else stored.members()
    return average_models([_assemble(member) for member in members]) if members else _assemble(stored)


def _assemble(stored: StoredModel) -> keras.Model:
    parts = [prefix for prefix in (ACCESSIBILITY_PREFIX, BIAS_PREFIX) if stored.holds(prefix)]
    if stored.keras_version.startswith("3") or not parts:
        return load_own_architecture(stored)
    if stored.nested and len(parts) < 2:
        lacking = BIAS_PREFIX if parts == [ACCESSIBILITY_PREFIX] else ACCESSIBILITY_PREFIX
        raise _missing(stored, f"{lacking}bpnet_1st_conv")
    models = [_build(stored, prefix) for prefix in parts]
    return chrombpnet(*models) if len(models) == 2 else models[0]


def _missing(stored: StoredModel, layer: str) -> ModelFileError:
    return ModelFileError(
        f"{stored.path}: layer {layer} is missing", remedy="give a complete bias.h5, chrombpnet.h5 or chrombpnet_nobias.h5"
    )


def _build(stored: StoredModel, prefix: str) -> keras.Model:
    """Build one part, with the file's weights."""
    architecture = _infer(stored, prefix)
    name = ACCESSIBILITY_NAME if prefix else "model"
    wrong = layer_difference(bpnet_config(architecture, prefix, name)["config"]["layers"], stored.layers)
    if wrong:
        layer, key, expected, found = wrong
        raise ModelFileError(f"{stored.path}: layer {layer} is not BPNet's", expected=f"{key} {expected}", found=f"{found}")
    weights = _weights(stored, architecture, prefix)
    model = bpnet(architecture, prefix, name)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(weights[layer.name])
    return model


def _weights(stored: StoredModel, architecture: Architecture, prefix: str) -> dict[str, list[AnyArray]]:
    """Look up kernel and bias of each layer, of the shapes that the size asks for: nothing is built of what is not there."""
    weights: dict[str, list[AnyArray]] = {}
    for layer in bpnet_config(architecture, prefix, "")["config"]["layers"]:
        name, config = layer["name"], layer["config"]
        if layer["class_name"] not in ("Conv1D", "Dense"):
            continue
        arrays = stored.weights.get(name, {})
        if set(arrays) != {"kernel", "bias"}:
            raise _missing(stored, name)
        channels = 4 if name.endswith("1st_conv") else architecture.filters
        outputs = config.get("filters", config.get("units"))
        wanted = [(*config.get("kernel_size", ()), channels, outputs), (outputs,)]
        found = [arrays["kernel"].shape, arrays["bias"].shape]
        if found != wanted:
            raise ModelFileError(f"{stored.path}: layer {name}", expected=f"weights of shapes {wanted}", found=str(found))
        weights[name] = [arrays["kernel"], arrays["bias"]]
    return weights


def _infer(stored: StoredModel, prefix: str) -> Architecture:
    """Infer the size of one part: of its kernels, its highest dilated layer, the input and the crop of the profile."""
    if not stored.layers:
        raise ModelFileError(
            f"{stored.path}: the file holds weights only",
            expected="the model's configuration too, which tells input and output length",
            remedy="save the whole model: model.save(FILE)",
        )
    kernel = stored.weights.get(f"{prefix}bpnet_1st_conv", {}).get("kernel")
    if kernel is None:
        raise _missing(stored, f"{prefix}bpnet_1st_conv")
    dilated = [int(match[1]) for name in stored.names if (match := re.fullmatch(rf"{prefix}bpnet_([0-9]{{1,9}})conv", name))]
    shapes = [
        layer.get("batch_input_shape") or layer.get("batch_shape") or [None, None]
        for layer in stored.layers
        if layer["class_name"] == "InputLayer"
    ]
    crops = [layer.get("cropping") for layer in stored.layers if layer["name"] == preflatten_name(prefix)]
    if not crops:
        raise _missing(stored, preflatten_name(prefix))
    shape = shapes[0] if shapes else None
    if not isinstance(shape, list) or len(shape) < 2 or type(shape[1]) is not int or not 0 < shape[1] <= _LONGEST:
        raise ModelFileError(
            f"{stored.path}: layer sequence, the input",
            expected=f"a fixed length in bp, at most {_LONGEST:,}",
            found=str(shape)[:80],
        )
    layers, crop = max(dilated, default=0), [crops[0]] * 2 if isinstance(crops[0], int) else crops[0]
    if layers > _MOST_LAYERS or not (isinstance(crop, list) and len(crop) == 2 and all(type(end) is int for end in crop)):
        raise ModelFileError(
            f"{stored.path}: {layers:,} dilated layers, and the profile cropped by {str(crop)[:80]}",
            expected=f"at most {_MOST_LAYERS} layers, and two numbers of positions",
        )
    whole = Architecture(kernel.shape[-1], layers, shape[1])
    architecture = replace(whole, output_length=whole.profile_length - sum(crop))
    if min(architecture.output_length, *crop) < 0 or architecture.output_length == 0:
        raise ModelFileError(
            f"{stored.path}: {layers} dilated layers turn {shape[1]:,} bp into {whole.profile_length:,} positions",
            expected=f"more than the profile is cropped by, {sum(crop):,}",
        )
    return architecture
