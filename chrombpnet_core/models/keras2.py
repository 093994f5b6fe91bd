"""The ``model_config`` that Keras 2 writes for BPNet, ChromBPNet and their ensembles: plain dictionaries."""

from __future__ import annotations

from typing import Any

from chrombpnet_core.models.architecture import (
    ACCESSIBILITY_NAME,
    ACCESSIBILITY_PREFIX,
    BIAS_PREFIX,
    DILATED_KERNEL,
    ENSEMBLE,
    FIRST_KERNEL,
    PROFILE_KERNEL,
    Architecture,
    add_name,
    preflatten_name,
)

__all__ = ["bpnet_config", "ensemble_config", "layer_difference", "main_config"]

_SIZES = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias", "units", "cropping")
"""What a layer's configuration must say for it to be BPNet's layer of that name."""


def _layer(kind: str, name: str, inputs: list[str], **config: object) -> dict[str, Any]:
    nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
    base = {"name": name, "trainable": True, "dtype": "float32"}
    return {"class_name": kind, "config": base | config, "name": name, "inbound_nodes": nodes}


def _trained(kind: str, name: str, source: str, **config: object) -> dict[str, Any]:
    """Describe a layer with kernel and bias, with the constants that Keras 2 wants spelled out."""
    constants: dict[str, object] = {
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
        "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None},
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
    }
    return _layer(kind, name, [source], **(constants | config))


def _conv(name: str, source: str, filters: int, width: int, dilation: int = 1, activation: str = "linear") -> dict[str, Any]:
    return _trained(
        "Conv1D",
        name,
        source,
        filters=filters,
        kernel_size=[width],
        strides=[1],
        padding="valid",
        data_format="channels_last",
        dilation_rate=[dilation],
        groups=1,
        activation=activation,
    )


def _input(length: int) -> dict[str, Any]:
    layer = _layer("InputLayer", "sequence", [], batch_input_shape=[None, length, 4], sparse=False, ragged=False)
    del layer["config"]["trainable"]
    return layer


def _functional(name: str, layers: list[dict[str, Any]], outputs: list[str]) -> dict[str, Any]:
    return {
        "class_name": "Functional",
        "config": {
            "name": name,
            "trainable": True,
            "layers": layers,
            "input_layers": [["sequence", 0, 0]],
            "output_layers": [[output, 0, 0] for output in outputs],
        },
    }


def bpnet_config(size: Architecture, prefix: str, name: str) -> dict[str, Any]:
    """Describe a bias or an accessibility model, which its ``prefix`` tells."""
    conv, head = f"{prefix}bpnet", f"{prefix}bpnet_" if prefix else ""
    layers = [
        _input(size.input_length),
        _conv(f"{conv}_1st_conv", "sequence", size.filters, FIRST_KERNEL, activation="relu"),
    ]
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


def main_config(accessibility: Architecture, bias: Architecture) -> dict[str, Any]:
    """Describe a main model of these two parts."""
    nested = []
    for size, prefix, name in ((accessibility, ACCESSIBILITY_PREFIX, ACCESSIBILITY_NAME), (bias, BIAS_PREFIX, "model")):
        part = bpnet_config(size, prefix, name)
        for layer in (part, *part["config"]["layers"]):
            if "trainable" in layer["config"]:
                layer["config"]["trainable"] = bool(prefix)
        nested.append(part | {"name": name, "inbound_nodes": [[["sequence", 0, 0, {}]]]})
    logits = _layer("Add", "logits_profile_predictions", [])
    logits["inbound_nodes"] = [[[ACCESSIBILITY_NAME, 1, 0, {}], ["model", 1, 0, {}]]]
    both = _layer("Concatenate", "concatenate", [], axis=-1)
    both["inbound_nodes"] = [[[ACCESSIBILITY_NAME, 1, 1, {}], ["model", 1, 1, {}]]]
    counts = _layer("TFOpLambda", "logcount_predictions", [], function="math.reduce_logsumexp")
    counts["inbound_nodes"] = [["concatenate", 0, 0, {"axis": -1, "keepdims": True}]]
    return _functional(
        "model_1",
        [_input(accessibility.input_length), *nested, both, logits, counts],
        ["logits_profile_predictions", "logcount_predictions"],
    )


def ensemble_config(members: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Describe the mean of models, given their configurations by the prefix that makes their layers' names unique.

    Keras 2 refuses to load two layers of one name, however deep they lie.
    """
    layers = []
    for prefix, config in members.items():
        inner = _prefixed(config["config"], prefix)
        layers.append(
            {"class_name": "Functional", "config": inner, "name": inner["name"], "inbound_nodes": [[["sequence", 0, 0, {}]]]}
        )
    names = [layer["name"] for layer in layers]
    outputs = ["logits_profile_predictions", "logcount_predictions"]
    means = [
        _layer("Average", output, []) | {"inbound_nodes": [[[name, 1, head, {}] for name in names]]}
        for head, output in enumerate(outputs)
    ]
    length = next(iter(members.values()))["config"]["layers"][0]["config"]["batch_input_shape"][1]
    return _functional(ENSEMBLE, [_input(length), *layers, *means], outputs)


def _prefixed(value: Any, prefix: str) -> Any:
    """Put ``prefix`` before every layer's name in a functional model's configuration, and before what refers to one."""
    if isinstance(value, dict):
        return {key: f"{prefix}{inner}" if key == "name" else _prefixed(inner, prefix) for key, inner in value.items()}
    if isinstance(value, list):
        if len(value) >= 3 and isinstance(value[0], str):  # a reference: layer, node, tensor
            return [prefix + value[0], *value[1:]]
        return [_prefixed(inner, prefix) for inner in value]
    return value


def layer_difference(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[str, str, object, object] | None:
    """Find the first layer present in both whose configuration differs: name, what of it, expected, found."""
    known = {layer.get("name"): layer for layer in found}
    for layer in expected:
        other = known.get(layer["name"], {})
        for key in _SIZES:
            if key in layer["config"] and key in other and layer["config"][key] != _plain(other[key]):
                return layer["name"], key, layer["config"][key], other[key]
    return None


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
