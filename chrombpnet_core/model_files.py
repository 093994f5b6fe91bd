"""Models in the Keras legacy HDF5 form of the reference program: read by name, never by running stored code.

The files are what Keras 2 writes: ``model_config`` (JSON) and ``model_weights/<layer>/<layer>/kernel:0``. The reference's
``chrombpnet.h5`` holds a Lambda layer with pickled Python; only weights and sizes are read, so it is never run. Ours has a
TensorFlow operation by name in its place, which Keras 2 loads without running code.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import h5py
import keras
import numpy as np

from chrombpnet_core.errors import ModelFileError
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    BIAS_PREFIX,
    DILATED_KERNEL,
    FIRST_KERNEL,
    PROFILE_KERNEL,
    Architecture,
    accessibility_part,
    add_name,
    bias_part,
    bpnet,
    chrombpnet,
    preflatten_name,
)
from chrombpnet_core.textfiles import require_file

__all__ = ["architecture_of", "load_model", "save_model"]

Weights = dict[str, list[np.ndarray]]


def load_model(path: str | os.PathLike) -> keras.Model:
    """Load a bias, accessibility or main model written by the reference, by Keras 2 or by :func:`save_model`.

    Raises
    ------
    ModelFileError
        Where it is no HDF5 file, or a layer that ChromBPNet needs is missing or has an unexpected shape.
    """
    found = require_file(path, "model")
    try:
        with h5py.File(found, "r") as file:
            config = _config(file)
            weights = _weights(file.get("model_weights", file))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: not a Keras HDF5 model", expected="a .h5 file as ChromBPNet writes it",
                             found=str(error)) from error
    parts = {prefix: f"{prefix}bpnet_1st_conv" in weights for prefix in (ACCESSIBILITY_PREFIX, BIAS_PREFIX)}
    nested = any(layer["config"].get("name") == "model_wo_bias" for layer in config.get("config", {}).get("layers", []))
    if not any(parts.values()) or (nested and not parts[ACCESSIBILITY_PREFIX]):
        return _load_custom(found, config)
    models = {}
    for prefix, name in ((ACCESSIBILITY_PREFIX, "model_wo_bias"), (BIAS_PREFIX, "model")):
        if parts[prefix]:
            architecture = _infer(weights, config, prefix, path)
            models[prefix] = bpnet(architecture, prefix, name)
            _assign(models[prefix], weights, path)
    if len(models) == 2:
        return chrombpnet(models[ACCESSIBILITY_PREFIX], models[BIAS_PREFIX])
    return next(iter(models.values()))


def _load_custom(path: Path, config: dict) -> keras.Model:
    """A model of the user's own architecture, as Keras 3 saved it; layers with stored code are refused."""
    text = json.dumps(config)
    if not config or '"Lambda"' in text:
        raise ModelFileError(f"{path}: no layer bpnet_1st_conv or {ACCESSIBILITY_PREFIX}bpnet_1st_conv",
                             remedy="give a bias.h5, chrombpnet.h5 or chrombpnet_nobias.h5")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{path}: neither a ChromBPNet model nor one that Keras can load safely",
                             found=str(error).splitlines()[0]) from error


def _config(file: h5py.File) -> dict:
    text = file.attrs.get("model_config", "{}")
    return json.loads(text.decode() if isinstance(text, bytes) else text)


def _weights(group: h5py.Group) -> Weights:
    """Kernel and bias by layer name, wherever in the file the layer's group lies."""
    weights: Weights = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        parts = name.split("/")
        if isinstance(item, h5py.Dataset) and len(parts) > 1 and parts[-1].split(":")[0] in ("kernel", "bias"):
            weights.setdefault(parts[-2], [None, None])[parts[-1].startswith("bias")] = item[()]  # type: ignore[list-item]

    group.visititems(visit)
    return weights


def _layers_in(config: dict) -> list[dict]:
    """All layer configurations, those of sub-models included."""
    found = []
    for layer in config.get("config", {}).get("layers", []):
        found.append(layer["config"] | {"class_name": layer["class_name"]})
        if "layers" in layer["config"]:
            found += _layers_in(layer)
    return found


def _infer(weights: Weights, config: dict, prefix: str, path: str | os.PathLike) -> Architecture:
    dilated = [int(match[1]) for name in weights if (match := re.fullmatch(rf"{prefix}bpnet_(\d+)conv", name))]
    known = _layers_in(config)
    shapes = [layer.get("batch_input_shape") or layer.get("batch_shape") for layer in known
              if layer["class_name"] == "InputLayer"]
    crops = [layer["cropping"] for layer in known if layer.get("name") == preflatten_name(prefix)]
    if not shapes or not crops:
        raise ModelFileError(f"{path}: the file's configuration does not tell the input length, or lacks the layer "
                             f"{preflatten_name(prefix)}", remedy="save the whole model, not only its weights")
    filters = weights[f"{prefix}bpnet_1st_conv"][0].shape[-1]
    whole = Architecture(filters, max(dilated, default=0), int(shapes[0][1]))
    crop = crops[0] if isinstance(crops[0], int) else sum(crops[0]) / 2
    return Architecture(filters, whole.layers, whole.input_length, int(whole.profile_length - 2 * crop))


def _assign(model: keras.Model, weights: Weights, path: str | os.PathLike) -> None:
    for layer in model.layers:
        wanted = [tuple(w.shape) for w in layer.weights]
        if not wanted:
            continue
        if layer.name not in weights:
            raise ModelFileError(f"{path}: layer {layer.name} is missing", remedy="give a complete ChromBPNet model")
        found = [w.shape if w is not None else None for w in weights[layer.name]]
        if found != wanted:
            raise ModelFileError(f"{path}: layer {layer.name}", expected=f"weights of shapes {wanted}",
                                 found=str(found))
        layer.set_weights(weights[layer.name])


def architecture_of(model: keras.Model, prefix: str) -> Architecture | None:
    """Size of a BPNet made by :func:`~chrombpnet_core.models.bpnet`, or None for another architecture."""
    names = {layer.name: layer for layer in model.layers}
    first = names.get(f"{prefix}bpnet_1st_conv")
    if first is None:
        return None
    return Architecture(first.filters, sum(bool(re.fullmatch(rf"{prefix}bpnet_\d+conv", name)) for name in names),
                        int(model.input_shape[1]), int(model.output_shape[0][1]))


def save_model(model: keras.Model, path: str | os.PathLike) -> None:
    """Write a bias, accessibility or main model as Keras 2 would, atomically.

    A model of the user's own architecture is written in Keras 3's own legacy HDF5, which Keras 3 alone reads.
    """
    partial = Path(path).with_name(f".{Path(path).stem}.partial.h5")
    try:
        described = _describe(model)
        if described is None:
            model.save(partial)
        else:
            _write(partial, *described)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _describe(model: keras.Model) -> tuple[dict, dict[str, list]] | None:
    """Keras 2's configuration of a model, and for each top-level layer its ``(name, array)`` weights."""
    if model.name == "chrombpnet":
        parts = accessibility_part(model), bias_part(model)
        sizes = architecture_of(parts[0], ACCESSIBILITY_PREFIX), architecture_of(parts[1], BIAS_PREFIX)
        if None in sizes:
            return None
        config = _main_config(*sizes)  # type: ignore[arg-type]
        return config, {"model_wo_bias": _named(parts[0]), "model": _named(parts[1])}
    for prefix in (ACCESSIBILITY_PREFIX, BIAS_PREFIX):
        size = architecture_of(model, prefix)
        if size:
            config = _bpnet_config(size, prefix, "model_wo_bias" if prefix else "model")
            return config, {layer.name: _named(layer) for layer in model.layers}
    return None


def _named(part: keras.Model | keras.layers.Layer) -> list[tuple[str, np.ndarray]]:
    sublayers = part.layers if isinstance(part, keras.Model) else [part]
    return [(f"{layer.name}/{kind}:0", array) for layer in sublayers
            for kind, array in zip(("kernel", "bias"), layer.get_weights(), strict=False)]


def _write(path: Path, config: dict, weights: dict[str, list]) -> None:
    names = [layer["name"] for layer in config["config"]["layers"]]
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights")
        for target in (file, group):
            target.attrs["backend"] = "tensorflow"
            target.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps(config)
        group.attrs["layer_names"] = np.array(names, dtype="S")
        for name in [*names, "top_level_model_weights"]:
            named = weights.get(name, [])
            layer = group.create_group(name)
            layer.attrs["weight_names"] = np.array([key for key, _ in named], dtype="S") if named else \
                np.empty(0, dtype="S1")
            for key, array in named:
                layer.create_dataset(key, data=np.asarray(array, dtype=np.float32))


def _layer(kind: str, name: str, inputs: list[str], **config: object) -> dict:
    nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
    base = {"name": name, "trainable": True, "dtype": "float32"}
    return {"class_name": kind, "config": base | config, "name": name, "inbound_nodes": nodes}


def _trained(kind: str, name: str, source: str, **config: object) -> dict:
    """A layer with kernel and bias, with the constants that Keras 2 wants spelled out."""
    constants: dict[str, object] = {
        "activation": "linear", "use_bias": True,
        "kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform",
                               "config": {"seed": None}, "registered_name": None},
        "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {},
                             "registered_name": None},
        "kernel_regularizer": None, "bias_regularizer": None, "activity_regularizer": None,
        "kernel_constraint": None, "bias_constraint": None,
    }
    return _layer(kind, name, [source], **(constants | config))


def _conv(name: str, source: str, filters: int, width: int, dilation: int = 1, activation: str = "linear") -> dict:
    return _trained("Conv1D", name, source, filters=filters, kernel_size=[width], strides=[1], padding="valid",
                    data_format="channels_last", dilation_rate=[dilation], groups=1, activation=activation)


def _input(length: int) -> dict:
    layer = _layer("InputLayer", "sequence", [], batch_input_shape=[None, length, 4], sparse=False, ragged=False)
    del layer["config"]["trainable"]
    return layer


def _functional(name: str, layers: list[dict], outputs: list[str]) -> dict:
    return {"class_name": "Functional", "config": {
        "name": name, "trainable": True, "layers": layers, "input_layers": [["sequence", 0, 0]],
        "output_layers": [[output, 0, 0] for output in outputs]}}


def _bpnet_config(size: Architecture, prefix: str, name: str) -> dict:
    conv, head = f"{prefix}bpnet", f"{prefix}bpnet_" if prefix else ""
    layers = [_input(size.input_length),
              _conv(f"{conv}_1st_conv", "sequence", size.filters, FIRST_KERNEL, activation="relu")]
    source = f"{conv}_1st_conv"
    for i in range(1, size.layers + 1):
        layers += [
            _conv(f"{conv}_{i}conv", source, size.filters, DILATED_KERNEL, 2**i, "relu"),
            _layer("Cropping1D", f"{conv}_{i}crop", [source], cropping=[2**i, 2**i]),
            _layer("Add", add_name(i), [f"{conv}_{i}conv", f"{conv}_{i}crop"]),
        ]
        source = add_name(i)
    outputs = [f"{head}logits_profile_predictions", f"{head}logcount_predictions"]
    layers += [
        _conv(f"{head}prof_out_precrop", source, 1, PROFILE_KERNEL),
        _layer("Cropping1D", preflatten_name(prefix), [f"{head}prof_out_precrop"], cropping=[size.crop, size.crop]),
        _layer("GlobalAveragePooling1D", "gap", [source], data_format="channels_last", keepdims=False),
        _layer("Flatten", outputs[0], [preflatten_name(prefix)], data_format="channels_last"),
        _trained("Dense", outputs[1], "gap", units=1),
    ]
    return _functional(name, layers, outputs)


def _main_config(accessibility: Architecture, bias: Architecture) -> dict:
    nested = []
    for size, prefix, name in ((accessibility, ACCESSIBILITY_PREFIX, "model_wo_bias"), (bias, BIAS_PREFIX, "model")):
        part = _bpnet_config(size, prefix, name)
        part["config"]["trainable"] = bool(prefix)
        nested.append(part | {"name": name, "inbound_nodes": [[["sequence", 0, 0, {}]]]})
    logits = _layer("Add", "logits_profile_predictions", [])
    logits["inbound_nodes"] = [[["model_wo_bias", 1, 0, {}], ["model", 1, 0, {}]]]
    both = _layer("Concatenate", "concatenate", [], axis=-1)
    both["inbound_nodes"] = [[["model_wo_bias", 1, 1, {}], ["model", 1, 1, {}]]]
    counts = _layer("TFOpLambda", "logcount_predictions", [], function="math.reduce_logsumexp")
    counts["inbound_nodes"] = [["concatenate", 0, 0, {"axis": -1, "keepdims": True}]]
    return _functional("model_1", [_input(accessibility.input_length), *nested, both, logits, counts],
                       ["logits_profile_predictions", "logcount_predictions"])
