"""Models in the Keras legacy HDF5 form of the reference program: read by name, never by running stored code.

The files are what Keras 2 writes: ``model_config`` (JSON) and ``model_weights/<layer>/<layer>/kernel:0``. The reference's
``chrombpnet.h5`` holds a Lambda layer with pickled Python; only weights and sizes are read, so it is never run. Ours has a
TensorFlow operation by name in its place, which Keras 2 loads without running code.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
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

__all__ = ["load_model"]

Weights = dict[str, dict[str, AnyArray]]
"""Kernel and bias by layer name."""


@dataclass(frozen=True)
class _Stored:
    """Content of a model file: its configuration, all layers' own, weights by layer name, the writer's version."""

    path: Path
    config: dict[str, Any]
    layers: list[dict[str, Any]]
    weights: Weights
    keras_version: str

    @property
    def nested(self) -> bool:
        """Tell whether it is a model of models, as a main model is."""
        return any("layers" in layer for layer in self.layers)

    def holds(self, prefix: str) -> bool:
        """Tell whether a convolution of this part is there."""
        names = {*self.weights, *(layer.get("name", "") for layer in self.layers)}
        return any(re.fullmatch(rf"{prefix}bpnet_(1st_|\d+)conv", name) for name in names)

    def members(self) -> list[_Stored]:
        """List the models that an ensemble averages, each as if it were a file of its own; none in another file."""
        found: list[_Stored] = []
        top = self.config.get("config", {})
        for inner in top.get("layers", []) if isinstance(top, dict) else []:
            match = re.match(r"fold_\d+_", inner["config"].get("name", ""))
            if match and "layers" in inner["config"]:
                prefix = match[0]
                layers = [layer | {"name": layer["name"].removeprefix(prefix)} for layer in _layers_in(inner)]
                weights = {
                    name.removeprefix(prefix): arrays for name, arrays in self.weights.items() if name.startswith(prefix)
                }
                found.append(replace(self, config=inner, layers=layers, weights=weights))
        return found


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
    stored = _read(require_file(path, "model"))
    members = [] if stored.keras_version.startswith("3") else stored.members()
    return average_models([_assemble(member) for member in members]) if members else _assemble(stored)


def _assemble(stored: _Stored) -> keras.Model:
    parts = [prefix for prefix in (ACCESSIBILITY_PREFIX, BIAS_PREFIX) if stored.holds(prefix)]
    if stored.keras_version.startswith("3") or not parts:
        return _load_custom(stored)
    if stored.nested and len(parts) < 2:
        lacking = BIAS_PREFIX if parts == [ACCESSIBILITY_PREFIX] else ACCESSIBILITY_PREFIX
        raise _missing(stored, f"{lacking}bpnet_1st_conv")
    models = [_build(stored, prefix) for prefix in parts]
    return chrombpnet(*models) if len(models) == 2 else models[0]


def _read(path: Path) -> _Stored:
    try:
        with h5py.File(path, "r") as file:
            text, version = (
                _text(file.attrs.get(name, default)) for name, default in (("model_config", "{}"), ("keras_version", ""))
            )
            config = json.loads(text)
            layers = _layers_in(config)
            weights = _weights(file.get("model_weights", file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        remedy = "save it again as HDF5: model.save('model.h5')" if zipfile.is_zipfile(path) else ""
        raise ModelFileError(
            f"{path}: not a Keras HDF5 model",
            expected="a .h5 file as ChromBPNet writes it",
            found=str(error) or type(error).__name__,
            remedy=remedy,
        ) from error
    return _Stored(path, config, layers, weights, version)


def _text(attribute: str | bytes) -> str:
    return attribute.decode() if isinstance(attribute, bytes) else str(attribute)


def _weights(group: h5py.Group) -> Weights:
    """Collect kernel and bias by layer name, wherever in the file the layer's group lies.

    Keras 2 numbers the second layer of a name in one process: ``bpnet_1conv/bpnet_1conv_1/kernel:0``.
    """
    weights: Weights = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        *groups, kind = name.split("/")
        kind = kind.split(":")[0]
        if isinstance(item, h5py.Dataset) and groups and kind in ("kernel", "bias"):
            weights.setdefault(re.sub(r"_\d+$", "", groups[-1]), {})[kind] = item[()]

    group.visititems(visit)
    return weights


def _layers_in(config: dict[str, Any]) -> list[dict[str, Any]]:
    """List all layer configurations with their class names, those of sub-models included."""
    inner = config.get("config", {})
    found = []
    for layer in inner.get("layers", []) if isinstance(inner, dict) else inner:
        found.append(layer["config"] | {"class_name": layer["class_name"]})
        if "layers" in layer["config"]:
            found += _layers_in(layer)
    return found


def _missing(stored: _Stored, layer: str) -> ModelFileError:
    return ModelFileError(
        f"{stored.path}: layer {layer} is missing", remedy="give a complete bias.h5, chrombpnet.h5 or chrombpnet_nobias.h5"
    )


def _build(stored: _Stored, prefix: str) -> keras.Model:
    """Build one part, with the file's weights."""
    architecture = _infer(stored, prefix)
    name = ACCESSIBILITY_NAME if prefix else "model"
    wrong = layer_difference(bpnet_config(architecture, prefix, name)["config"]["layers"], stored.layers)
    if wrong:
        layer, key, expected, found = wrong
        raise ModelFileError(f"{stored.path}: layer {layer} is not BPNet's", expected=f"{key} {expected}", found=f"{found}")
    model = bpnet(architecture, prefix, name)
    for layer in model.layers:
        if not layer.weights:
            continue
        arrays = stored.weights.get(layer.name, {})
        if set(arrays) != {"kernel", "bias"}:
            raise _missing(stored, layer.name)
        wanted = [tuple(weight.shape) for weight in layer.weights]
        found = [arrays["kernel"].shape, arrays["bias"].shape]
        if found != wanted:
            raise ModelFileError(
                f"{stored.path}: layer {layer.name}", expected=f"weights of shapes {wanted}", found=str(found)
            )
        layer.set_weights([arrays["kernel"], arrays["bias"]])
    return model


def _infer(stored: _Stored, prefix: str) -> Architecture:
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
    # A layer counts wherever it is named, so that one whose weights are lost is missed and not taken for a smaller model.
    names = {*stored.weights, *(layer.get("name", "") for layer in stored.layers)}
    dilated = [int(match[1]) for name in names if (match := re.fullmatch(rf"{prefix}bpnet_(\d+)conv", name))]
    shapes = [
        layer.get("batch_input_shape") or layer.get("batch_shape") or [None, None]
        for layer in stored.layers
        if layer["class_name"] == "InputLayer"
    ]
    crops = [layer["cropping"] for layer in stored.layers if layer.get("name") == preflatten_name(prefix)]
    if not crops:
        raise _missing(stored, preflatten_name(prefix))
    if not shapes or not shapes[0][1]:
        raise ModelFileError(
            f"{stored.path}: layer sequence, the input",
            expected="a fixed length in bp",
            found=str(shapes[0] if shapes else None),
        )
    whole = Architecture(kernel.shape[-1], max(dilated, default=0), int(shapes[0][1]))
    crop = 2 * crops[0] if isinstance(crops[0], int) else sum(crops[0])
    return Architecture(whole.filters, whole.layers, whole.input_length, whole.profile_length - crop)


def _load_custom(stored: _Stored) -> keras.Model:
    """Load a model of the user's own architecture, as Keras 3 saved it; stored code is refused, not run."""
    nothing = f"{stored.path}: no layer bpnet_1st_conv or {ACCESSIBILITY_PREFIX}bpnet_1st_conv"
    remedy = "give a bias.h5, chrombpnet.h5 or chrombpnet_nobias.h5"
    if not stored.layers:
        raise ModelFileError(nothing, found="no model_config: weights only, or no model", remedy=remedy)
    if _is_code(stored.config):
        raise ModelFileError(
            f"{nothing}, and an architecture of your own may not hold code, as a Lambda layer does", remedy=remedy
        )
    try:
        model = keras.saving.load_model(stored.path, compile=False, safe_mode=True)
        shapes = [tuple(tensor.shape) for tensor in model.outputs]
    except (ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise ModelFileError(
            f"{nothing}, and Keras cannot load it as an architecture of your own",
            remedy=remedy,
            found=(str(error).splitlines() or [type(error).__name__])[0],
        ) from error
    if [len(shape) for shape in shapes] != [2, 2] or shapes[1][1] != 1 or len(model.input_shape) != 3:
        raise ModelFileError(
            f"{nothing}, nor has it the form of an architecture of your own",
            found=f"outputs {shapes}",
            expected="sequences (n, L, 4) in, profile logits (n, W) and log counts (n, 1) out",
            remedy=remedy,
        )
    return model


def _is_code(config: object) -> bool:
    """Tell whether a configuration names something outside Keras: a Lambda, a pickle, any importable thing."""
    if isinstance(config, list):
        return any(map(_is_code, config))
    if not isinstance(config, dict):
        return False
    name, module = str(config.get("class_name", "")), str(config.get("module") or "keras")
    return (
        name.strip("_").lower() in ("lambda", "torchmodulewrapper")
        or module.split(".")[0] != "keras"
        or any(map(_is_code, config.values()))
    )
