"""What a model file holds, read without Keras and checked before anything is built of it: configuration and weights."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.models.names import ACCESSIBILITY_PREFIX, BIAS, BIAS_PREFIX, CORRECTED, FULL

__all__ = ["StoredModel", "read_stored_model"]

log = logging.getLogger(__name__)

Weights = dict[str, dict[str, AnyArray]]
"""Kernel and bias by layer name."""

_DEEPEST, _MOST = 64, 10_000  # lists and mappings within each other in a configuration; its layers


@dataclass(frozen=True)
class StoredModel:
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

    @property
    def names(self) -> set[str]:
        """Names of layers, wherever they are named: one whose weights are lost is missed so, and not overlooked."""
        return {*self.weights, *(layer["name"] for layer in self.layers)}

    @property
    def input_length(self) -> int | None:
        """Tell the length of the first input in bp, where the configuration has one."""
        shapes = [layer.get("batch_input_shape") or layer.get("batch_shape") for layer in self.layers]
        shape = next((shape for shape in shapes if isinstance(shape, list)), [])
        return shape[1] if len(shape) > 1 and type(shape[1]) is int else None

    def holds(self, prefix: str) -> bool:
        """Tell whether a convolution of this part is there."""
        return any(re.fullmatch(rf"{prefix}bpnet_(1st_|[0-9]+)conv", name) for name in self.names)

    @property
    def kind(self) -> str | None:
        """Tell the kind of model by its layers' names, those of an ensemble's members too; None where it is another."""
        names = {re.sub(r"^fold_[0-9]+_", "", name) for name in self.names}
        parts = [prefix for prefix in (ACCESSIBILITY_PREFIX, BIAS_PREFIX) if f"{prefix}bpnet_1st_conv" in names]
        return {0: None, 1: BIAS if parts == [BIAS_PREFIX] else CORRECTED, 2: FULL}[len(parts)]

    def members(self) -> list[StoredModel]:
        """List the models that an ensemble averages, each as if it were a file of its own; none in another file."""
        found: dict[str, StoredModel] = {}
        top = self.config.get("config", {})
        for inner in top.get("layers", []) if isinstance(top, dict) else []:
            match = re.match(r"fold_[0-9]+_", inner["config"].get("name", ""))
            if match and "layers" in inner["config"]:
                prefix = match[0]
                if prefix in found:
                    raise ModelFileError(f"{self.path}: two models of the ensemble are called {prefix}")
                layers = [layer | {"name": layer["name"].removeprefix(prefix)} for layer in _layers_in(inner)]
                weights = {
                    name.removeprefix(prefix): arrays for name, arrays in self.weights.items() if name.startswith(prefix)
                }
                found[prefix] = replace(self, config=inner, layers=layers, weights=weights)
        return list(found.values())


def read_stored_model(path: Path) -> StoredModel:
    """Read a model file's configuration and weights; nothing in it is run, and no other file is read.

    Parameters
    ----------
    path
        HDF5 as Keras writes it.

    Returns
    -------
    StoredModel
        Its content, weights as float32.

    Raises
    ------
    ModelFileError
        Where it is none, or holds what no such file holds; see :func:`chrombpnet_core.formats.open_hdf5`.
    """
    try:
        with open_hdf5(path, "model", plain=True) as file:
            text, version = _text(file, "model_config", "{}"), _text(file, "keras_version", "")
            weights = _weights(file)
        config = _decoded(text)
        layers = _layers_in(config)
    except ModelFileError:
        raise
    except (InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        remedy = "save it again as HDF5: model.save('model.h5')" if zipfile.is_zipfile(path) else ""
        reason = str(error).removeprefix(f"{path}: ") if isinstance(error, InputError) else "its configuration is damaged"
        raise ModelFileError(
            f"{path}: not a Keras HDF5 model", expected="a .h5 file as ChromBPNet writes it", found=reason, remedy=remedy
        ) from error
    return StoredModel(path, config, layers, weights, version)


def _text(file: h5py.File, name: str, default: str) -> str:
    """Read an attribute that is one text."""
    if name not in file.attrs:
        return default
    attribute = h5py.h5a.open(file.id, name.encode())
    if attribute.shape != () or h5py.check_string_dtype(attribute.dtype) is None:
        raise TypeError(f"{name} is no text")
    value = file.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


def _decoded(text: str) -> dict[str, Any]:
    """Decode a configuration that is no deeper than Keras makes one."""
    config = json.loads(text)
    level = [config]
    for _ in range(_DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    if level or not isinstance(config, dict):
        raise ValueError("too deep, or no mapping")
    return config


def _layers_in(config: dict[str, Any]) -> list[dict[str, Any]]:
    """List all layer configurations with their class names, those of sub-models included."""
    inner = config.get("config", {})
    found: list[dict[str, Any]] = []
    for layer in inner.get("layers", []) if isinstance(inner, dict) else inner:
        own = {"name": ""} | layer["config"] | {"class_name": layer["class_name"]}
        if not isinstance(own["name"], str) or not isinstance(own["class_name"], str) or len(found) >= _MOST:
            raise TypeError("a layer has no name, or there are too many")
        found.append(own)
        if "layers" in layer["config"]:
            found += _layers_in(layer)
    return found


def _weights(file: h5py.File) -> Weights:
    """Collect kernel and bias by layer name, wherever in the file the layer's group lies.

    Keras 2 numbers the second layer of a name in one process: ``bpnet_1conv/bpnet_1conv_1/kernel:0``.
    """
    weights: Weights = {}
    converted: dict[str, int] = {}

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        *groups, kind = path.split("/")
        kind = kind.split(":")[0]
        if not isinstance(item, h5py.Dataset) or not groups or kind not in ("kernel", "bias"):
            return
        name = re.sub(r"_[0-9]+$", "", groups[-1])
        layer = f"{file.filename}: layer {ascii(name)[1:-1][:80]}"
        if item.dtype.kind != "f" or item.dtype.itemsize > 8:
            raise ModelFileError(f"{layer}", expected="weights of type float32", found=str(item.dtype))
        if kind in weights.get(name, {}) and re.search(r"bpnet_(1st_|[0-9]+)conv$", name):
            raise ModelFileError(f"{layer} has two sets of weights")
        with np.errstate(over="ignore"):
            values = item[()].astype(np.float32)
        if item.dtype.itemsize != 4:
            converted[str(item.dtype)] = converted.get(str(item.dtype), 0) + values.size
        if lost := values.size - int(np.isfinite(values).sum()):
            raise ModelFileError(
                f"{layer}: {lost:,} of {values.size:,} weights have values that are not finite",
                remedy="the model's training diverged, or the file is damaged: train it again, or copy it again",
            )
        weights.setdefault(name, {})[kind] = values

    group = file.get("model_weights", file)
    if not isinstance(group, h5py.Group):
        raise TypeError("model_weights is no group")
    group.visititems(visit)
    for kind, number in converted.items():
        log.warning("%s: %s weights are stored as %s and used as float32", file.filename, f"{number:,}", kind)
    return weights
