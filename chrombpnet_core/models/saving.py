"""Writing models in the Keras legacy HDF5 form of the reference program, as Keras 2 would."""

from __future__ import annotations

import io
import json
import os
import re
from typing import Any

import h5py
import keras
import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.formats import written_whole
from chrombpnet_core.models.architecture import (
    ACCESSIBILITY_NAME,
    ACCESSIBILITY_PREFIX,
    BIAS_PREFIX,
    Architecture,
    kind_of,
)
from chrombpnet_core.models.ensemble import members_of
from chrombpnet_core.models.keras2 import bpnet_config, ensemble_config, layer_difference, main_config
from chrombpnet_core.models.names import FULL
from chrombpnet_core.models.networks import accessibility_part, bias_part

__all__ = ["architecture_of", "save_model"]

Named = list[tuple[str, AnyArray]]
"""Weights of a layer under the names that Keras 2 gives them."""


def architecture_of(model: keras.Model, prefix: str) -> Architecture | None:
    """Tell the size of a BPNet as :func:`~chrombpnet_core.models.bpnet` makes it.

    Parameters
    ----------
    model
        A bias or an accessibility model.
    prefix
        That its layers' names begin with.

    Returns
    -------
    Architecture or None
        None for another architecture; one of the user's own that bears BPNet's layer names but not its sizes is another.
    """
    layers = {layer.name: layer for layer in model.layers}
    first = layers.get(f"{prefix}bpnet_1st_conv")
    if first is None:
        return None
    dilated = sum(bool(re.fullmatch(rf"{prefix}bpnet_\d+conv", name)) for name in layers)
    size = Architecture(first.filters, dilated, int(model.input_shape[1]), int(model.output_shape[0][1]))
    expected = bpnet_config(size, prefix, "")["config"]["layers"]
    named = {layer["name"] for layer in expected if layer["class_name"] != "Add"}
    other = {name for name, layer in layers.items() if not isinstance(layer, keras.layers.Add)}
    if (
        named != other
        or len(layers) != len(expected)
        or layer_difference(expected, [layer.get_config() for layer in model.layers])
    ):
        return None
    return size


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Write a bias, accessibility or main model, or an ensemble of such, as Keras 2 would, atomically.

    A model of the user's own architecture is written in Keras 3's own legacy HDF5, which Keras 3 alone reads.

    Parameters
    ----------
    model
        As the functions of this package make or load it.
    path
        Where it goes.
    """
    described = _describe(model)
    with written_whole(path) as partial:
        if described is None:
            model.save(partial)
        else:
            partial.write_bytes(_image(*described))


def _describe(model: keras.Model) -> tuple[dict[str, Any], dict[str, Named]] | None:
    """Describe a model: its configuration in Keras 2, and for each top-level layer its ``(name, array)`` weights."""
    members = members_of(model)
    if members:
        described = [description for member in members if (description := _describe(member))]
        return _described_ensemble(described) if len(described) == len(members) else None
    if kind_of(model) == FULL:
        accessibility, bias = accessibility_part(model), bias_part(model)
        sizes = architecture_of(accessibility, ACCESSIBILITY_PREFIX), architecture_of(bias, BIAS_PREFIX)
        if sizes[0] is None or sizes[1] is None:
            return None
        return main_config(sizes[0], sizes[1]), {ACCESSIBILITY_NAME: _named(accessibility), "model": _named(bias)}
    for prefix in (ACCESSIBILITY_PREFIX, BIAS_PREFIX):
        size = architecture_of(model, prefix)
        if size:
            config = bpnet_config(size, prefix, ACCESSIBILITY_NAME if prefix else "model")
            return config, {layer.name: _named(layer) for layer in model.layers}
    return None


def _described_ensemble(members: list[tuple[dict[str, Any], dict[str, Named]]]) -> tuple[dict[str, Any], dict[str, Named]]:
    prefixes = [f"fold_{i}_" for i in range(len(members))]
    config = ensemble_config({prefix: config for prefix, (config, _) in zip(prefixes, members, strict=True)})
    names = [layer["name"] for layer in config["config"]["layers"] if layer["class_name"] == "Functional"]
    return config, {
        name: [(prefix + key, array) for layer in weights.values() for key, array in layer]
        for name, prefix, (_, weights) in zip(names, prefixes, members, strict=True)
    }


def _named(part: keras.Model | keras.layers.Layer) -> Named:
    sublayers = part.layers if isinstance(part, keras.Model) else [part]
    return [
        (f"{layer.name}/{kind}:0", array)
        for layer in sublayers
        for kind, array in zip(("kernel", "bias"), layer.get_weights(), strict=False)
    ]


def _image(config: dict[str, Any], weights: dict[str, Named]) -> bytes:
    """Make the file's bytes in memory: HDF5 ends the process where it meets a full disk."""
    names = [layer["name"] for layer in config["config"]["layers"]]
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        group = file.create_group("model_weights")
        for target in (file, group):
            target.attrs["backend"] = "tensorflow"
            target.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps(config)
        group.attrs["layer_names"] = np.array(names, dtype="S")
        for name in [*names, "top_level_model_weights"]:
            named = weights.get(name, [])
            layer = group.create_group(name)
            layer.attrs["weight_names"] = (
                np.array([key for key, _ in named], dtype="S") if named else np.empty(0, dtype="S1")
            )
            for key, array in named:
                layer.create_dataset(key, data=np.asarray(array, dtype=np.float32))
    return image.getvalue()
