"""Models in the Keras legacy HDF5 form of the reference program: read by name, never by running stored code.

The files are what Keras 2 writes: ``model_config`` (JSON) and ``model_weights/<layer>/<layer>/kernel:0``. The reference's
``chrombpnet.h5`` holds a Lambda layer with pickled Python; only weights and sizes are read, so it is never run. Ours has a
TensorFlow operation by name in its place, which Keras 2 loads without running code.
"""

from __future__ import annotations

import os

import keras

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import ModelFileError
from chrombpnet_core.formats import require_file
from chrombpnet_core.models.architecture import (
    ACCESSIBILITY_NAME,
    ACCESSIBILITY_PREFIX,
    BIAS_PREFIX,
    Architecture,
)
from chrombpnet_core.models.ensemble import average_models
from chrombpnet_core.models.keras2 import bpnet_config, layer_difference
from chrombpnet_core.models.networks import bpnet, chrombpnet
from chrombpnet_core.models.own_architecture import load_own_architecture
from chrombpnet_core.models.stored_model import StoredModel, read_stored_model
from chrombpnet_core.models.stored_sizes import missing_layer, stored_architecture

__all__ = ["load_model"]


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
        raise missing_layer(stored, f"{lacking}bpnet_1st_conv")
    models = [_build(stored, prefix) for prefix in parts]
    return chrombpnet(*models) if len(models) == 2 else models[0]


def _build(stored: StoredModel, prefix: str) -> keras.Model:
    """Build one part, with the file's weights."""
    architecture = stored_architecture(stored, prefix)
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
            raise missing_layer(stored, name)
        channels = 4 if name.endswith("1st_conv") else architecture.filters
        outputs = config.get("filters", config.get("units"))
        wanted = [(*config.get("kernel_size", ()), channels, outputs), (outputs,)]
        found = [arrays["kernel"].shape, arrays["bias"].shape]
        if found != wanted:
            raise ModelFileError(f"{stored.path}: layer {name}", expected=f"weights of shapes {wanted}", found=str(found))
        weights[name] = [arrays["kernel"], arrays["bias"]]
    return weights
