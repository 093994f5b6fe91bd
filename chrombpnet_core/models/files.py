"""Models in the Keras legacy HDF5 form of the reference program: read by name, never by running stored code.

The files are what Keras 2 writes: ``model_config`` (JSON) and ``model_weights/<layer>/<layer>/kernel:0``. The reference's
``chrombpnet.h5`` holds a Lambda layer with pickled Python; only weights and sizes are read, so it is never run. Ours has a
TensorFlow operation by name in its place, which Keras 2 loads without running code.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import keras
import numpy as np

from chrombpnet_core.errors import ModelFileError
from chrombpnet_core.formats import require_file, written_whole
from chrombpnet_core.models.architecture import ACCESSIBILITY_PREFIX, BIAS_PREFIX, Architecture, kind_of, preflatten_name
from chrombpnet_core.models.ensemble import average_models, members_of
from chrombpnet_core.models.keras2 import bpnet_config, ensemble_config, main_config
from chrombpnet_core.models.names import FULL
from chrombpnet_core.models.networks import accessibility_part, bias_part, bpnet, chrombpnet

__all__ = ["architecture_of", "load_model", "save_model"]

Weights = dict[str, dict[str, np.ndarray]]

_SIZES = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias", "units", "cropping")
"""What a layer's configuration must say for it to be BPNet's layer of that name."""


@dataclass(frozen=True)
class _Stored:
    """What a file holds: its configuration, all layers' own, ``kernel`` and ``bias`` by layer name, the writer's version."""

    path: Path
    config: dict
    layers: list[dict]
    weights: Weights
    keras_version: str

    @property
    def nested(self) -> bool:
        """Whether it is a model of models, as a main model is."""
        return any("layers" in layer for layer in self.layers)

    def holds(self, prefix: str) -> bool:
        """Whether a convolution of this part is there."""
        names = {*self.weights, *(layer.get("name", "") for layer in self.layers)}
        return any(re.fullmatch(rf"{prefix}bpnet_(1st_|\d+)conv", name) for name in names)

    def members(self) -> list[_Stored]:
        """The models that an ensemble averages, each as if it were a file of its own; none in another file."""
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


def load_model(path: str | os.PathLike) -> keras.Model:
    """Load a bias, accessibility or main model or an ensemble, written by the reference, Keras 2 or :func:`save_model`.

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
    """Kernel and bias by layer name, wherever in the file the layer's group lies.

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


def _layers_in(config: dict) -> list[dict]:
    """All layer configurations with their class names, those of sub-models included."""
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
    """One part, with the file's weights."""
    architecture = _infer(stored, prefix)
    name = "model_wo_bias" if prefix else "model"
    wrong = _difference(bpnet_config(architecture, prefix, name)["config"]["layers"], stored.layers)
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
    """Size of one part: of its kernels, its highest dilated layer, the input and the crop of the profile."""
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
        layer.get("batch_input_shape") or layer.get("batch_shape")
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


def _difference(expected: list[dict], found: list[dict]) -> tuple[str, str, object, object] | None:
    """The first layer present in both whose configuration differs: name, what of it, expected, found."""
    known = {layer.get("name"): layer for layer in found}
    for layer in expected:
        other = known.get(layer["name"], {})
        for key in _SIZES:
            if key in layer["config"] and key in other and layer["config"][key] != _plain(other[key]):
                return layer["name"], key, layer["config"][key], other[key]
    return None


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _load_custom(stored: _Stored) -> keras.Model:
    """A model of the user's own architecture, as Keras 3 saved it; stored code is refused, not run."""
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
    """Whether a configuration names something outside Keras: a Lambda, a pickle, any importable thing."""
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


def architecture_of(model: keras.Model, prefix: str) -> Architecture | None:
    """Size of a BPNet as :func:`~chrombpnet_core.models.networks.bpnet` makes it, or None for another architecture.

    One of the user's own that bears BPNet's layer names but not its sizes is another.
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
        or _difference(expected, [layer.get_config() for layer in model.layers])
    ):
        return None
    return size


def save_model(model: keras.Model, path: str | os.PathLike) -> None:
    """Write a bias, accessibility or main model, or an ensemble of such, as Keras 2 would, atomically.

    A model of the user's own architecture is written in Keras 3's own legacy HDF5, which Keras 3 alone reads.
    """
    described = _describe(model)
    with written_whole(path) as partial:
        if described is None:
            model.save(partial)
        else:
            partial.write_bytes(_image(*described))


def _describe(model: keras.Model) -> tuple[dict, dict[str, list]] | None:
    """Keras 2's configuration of a model, and for each top-level layer its ``(name, array)`` weights."""
    members = members_of(model)
    if members:
        described = [_describe(member) for member in members]
        return None if None in described else _described_ensemble(described)  # type: ignore[arg-type]
    if kind_of(model) == FULL:
        parts = accessibility_part(model), bias_part(model)
        sizes = architecture_of(parts[0], ACCESSIBILITY_PREFIX), architecture_of(parts[1], BIAS_PREFIX)
        if None in sizes:
            return None
        config = main_config(*sizes)  # type: ignore[arg-type]
        return config, {"model_wo_bias": _named(parts[0]), "model": _named(parts[1])}
    for prefix in (ACCESSIBILITY_PREFIX, BIAS_PREFIX):
        size = architecture_of(model, prefix)
        if size:
            config = bpnet_config(size, prefix, "model_wo_bias" if prefix else "model")
            return config, {layer.name: _named(layer) for layer in model.layers}
    return None


def _described_ensemble(members: list[tuple[dict, dict[str, list]]]) -> tuple[dict, dict[str, list]]:
    prefixes = [f"fold_{i}_" for i in range(len(members))]
    config = ensemble_config({prefix: config for prefix, (config, _) in zip(prefixes, members, strict=True)})
    names = [layer["name"] for layer in config["config"]["layers"] if layer["class_name"] == "Functional"]
    return config, {
        name: [(prefix + key, array) for layer in weights.values() for key, array in layer]
        for name, prefix, (_, weights) in zip(names, prefixes, members, strict=True)
    }


def _named(part: keras.Model | keras.layers.Layer) -> list[tuple[str, np.ndarray]]:
    sublayers = part.layers if isinstance(part, keras.Model) else [part]
    return [
        (f"{layer.name}/{kind}:0", array)
        for layer in sublayers
        for kind, array in zip(("kernel", "bias"), layer.get_weights(), strict=False)
    ]


def _image(config: dict, weights: dict[str, list]) -> bytes:
    """The file's bytes, made in memory: HDF5 ends the process where it meets a full disk."""
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
