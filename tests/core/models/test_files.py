"""Model files: as the reference and Keras 2 write them, whatever they number on; code in them; what is refused."""

from __future__ import annotations

import base64
import json
import marshal
import resource
import types
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from chrombpnet_core.errors import ModelFileError
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    BIAS_PREFIX,
    Architecture,
    accessibility_part,
    architecture_of,
    bias_part,
    bpnet,
    chrombpnet,
    lengths_of,
    load_model,
    save_model,
)

SMALL = Architecture(4, 2, 200, 80)
WIDER = Architecture(6, 1, 200, 80)


def _layer(kind: str, name: str, *inputs: str, **config: object) -> dict:
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "inbound_nodes": [[[source, 0, 0, {}] for source in inputs]] if inputs else [],
    }


def _input(length: int) -> dict:
    return _layer("InputLayer", "sequence", batch_input_shape=[None, length, 4])


def _part(size: Architecture, prefix: str, first_add: int) -> list[dict]:
    """Layers of one part as Keras 2 describes them; additions are numbered from ``first_add``."""

    def conv(name: str, source: str, filters: int, width: int, dilation: int = 1, activation: str = "relu") -> dict:
        return _layer(
            "Conv1D",
            name,
            source,
            filters=filters,
            kernel_size=[width],
            strides=[1],
            padding="valid",
            dilation_rate=[dilation],
            activation=activation,
            use_bias=True,
        )

    head, source = f"{prefix}bpnet_" if prefix else "", f"{prefix}bpnet_1st_conv"
    crop = "wo_bias_bpnet_logitt_before_flatten" if prefix else "logits_profile_predictions_preflatten"
    layers = [_input(size.input_length), conv(source, "sequence", size.filters, 21)]
    for i in range(1, size.layers + 1):
        name, add = f"{prefix}bpnet_{i}", f"add_{first_add + i - 1}".removesuffix("_0")
        layers += [
            conv(f"{name}conv", source, size.filters, 3, 2**i),
            _layer("Cropping1D", f"{name}crop", source, cropping=[2**i, 2**i]),
            _layer("Add", add, f"{name}conv", f"{name}crop"),
        ]
        source = add
    return [
        *layers,
        conv(f"{head}prof_out_precrop", source, 1, 75, activation="linear"),
        _layer("Cropping1D", crop, f"{head}prof_out_precrop", cropping=[size.crop, size.crop]),
        _layer("GlobalAveragePooling1D", "gap", source),
        _layer("Flatten", f"{head}logits_profile_predictions", crop),
        _layer("Dense", f"{head}logcount_predictions", "gap", units=1, activation="linear", use_bias=True),
    ]


def _functional(name: str, layers: list[dict]) -> dict:
    return {"class_name": "Functional", "config": {"name": name, "layers": layers}}


def _draw(layers: list[dict]) -> dict[str, dict[str, np.ndarray]]:
    """Random kernels and biases of layers that have them."""
    rng, weights, filters = np.random.default_rng(len(layers)), {}, 4
    for layer in layers:
        config = layer["config"]
        if layer["class_name"] in ("Conv1D", "Dense"):
            out = config.get("filters", config.get("units"))
            shape = (*config.get("kernel_size", []), filters, out)
            weights[layer["name"]] = {
                "kernel": rng.normal(0, 0.1, shape).astype(np.float32),
                "bias": rng.normal(0, 0.1, out).astype(np.float32),
            }
            filters = out if layer["name"].endswith("1st_conv") else filters
    return weights


def _write(path: Path, config: dict, weights: dict[str, dict[str, dict[str, np.ndarray]]], version: str = "2.4.0") -> None:
    """A file of Keras 2: ``weights`` by group, layer and kind; attributes as bytes, as older h5py wrote them."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = np.bytes_(version)
        file.attrs["model_config"] = np.bytes_(json.dumps(config))
        for group, layers in weights.items():
            for layer, arrays in layers.items():
                for kind, array in arrays.items():
                    file[f"model_weights/{group}/{layer}/{kind}:0"] = array


def _code(plant: Path) -> str:
    """Code that writes the file ``plant``, as a Lambda layer stores it."""
    namespace: dict = {}
    exec(f"def combine(x):\n    open({str(plant)!r}, 'w').write('ran')\n    return x", namespace)
    return base64.b64encode(marshal.dumps(namespace["combine"].__code__)).decode()


def _reference_main(path: Path, code: str, first_add: int = 0, names: tuple[str, str] = ("model_wo_bias", "model")) -> dict:
    """A main model as the reference writes it, its log counts by a Lambda layer; the weights by layer."""
    parts = _part(WIDER, ACCESSIBILITY_PREFIX, first_add), _part(SMALL, BIAS_PREFIX, first_add + 7)
    nested = [
        _functional(name, layers) | {"name": name, "inbound_nodes": [[["sequence", 0, 0, {}]]]}
        for name, layers in zip(names, parts, strict=True)
    ]
    top = [
        _layer("Concatenate", "concatenate_3", *names, axis=-1),
        _layer("Add", "logits_profile_predictions", *names),
        _layer(
            "Lambda",
            "logcount_predictions",
            "concatenate_3",
            function=[code, None, None],
            function_type="lambda",
            module="chrombpnet.training.models.chrombpnet_with_bias_model",
            output_shape=None,
            arguments={},
        ),
    ]
    weights = {name: _draw(layers) for name, layers in zip(names, parts, strict=True)}
    _write(path, _functional("model_9", [_input(200), *nested, *top]), weights)
    return {layer: arrays for part in weights.values() for layer, arrays in part.items()}


def _assert_weights(model: keras.Model, wanted: dict[str, dict[str, np.ndarray]]) -> None:
    held = [layer for layer in model.layers if layer.weights]
    assert held
    for layer in held:
        for found, kind in zip(layer.get_weights(), ("kernel", "bias"), strict=True):
            np.testing.assert_array_equal(found, wanted[layer.name][kind], err_msg=layer.name)


def test_files_hold_the_same_model_in_keras_2_form(tmp_path):
    model = chrombpnet(bpnet(WIDER, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SMALL))
    sequences = np.random.default_rng(2).random((2, 200, 4), dtype=np.float32)
    for name, saved in (("chrombpnet", model), ("nobias", accessibility_part(model))):
        save_model(saved, tmp_path / f"{name}.h5")
        again = load_model(tmp_path / f"{name}.h5")
        assert lengths_of(again) == (200, 80)
        for one, other in zip(saved.predict_on_batch(sequences), again.predict_on_batch(sequences), strict=True):
            np.testing.assert_array_equal(one, other)
    assert architecture_of(accessibility_part(model), ACCESSIBILITY_PREFIX) == WIDER
    with h5py.File(tmp_path / "chrombpnet.h5") as file:
        assert list(file["model_weights"].attrs["layer_names"]) == [
            b"sequence",
            b"model_wo_bias",
            b"model",
            b"concatenate",
            b"logits_profile_predictions",
            b"logcount_predictions",
        ]
        assert "model_weights/model/bpnet_1st_conv/kernel:0" in file
        assert 'Lambda"' not in file.attrs["model_config"].replace("TFOpLambda", "")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.golden
def test_written_files_have_the_references_tree(golden, tmp_path):
    save_model(load_model(golden / "models" / "bias_model_scaled.h5"), tmp_path / "bias.h5")
    with h5py.File(golden / "models" / "bias_model_scaled.h5") as one, h5py.File(tmp_path / "bias.h5") as other:

        def names(file):
            found = []
            file["model_weights"].visititems(lambda name, item: found.append((name, getattr(item, "shape", None))))
            return sorted(found)

        assert names(one) == names(other)
        wanted, found = (json.loads(file.attrs["model_config"])["config"]["layers"] for file in (one, other))
        assert [layer["name"] for layer in wanted] == [layer["name"] for layer in found]
        for ours, theirs in zip(found, wanted, strict=True):
            for key in ("filters", "kernel_size", "dilation_rate", "padding", "activation", "cropping", "units"):
                assert ours["config"].get(key) == theirs["config"].get(key), ours["name"]


def test_code_in_the_references_main_model_is_never_run(tmp_path):
    """The planted code does write its file where somebody runs it."""
    plant = tmp_path / "plant"
    code = _code(plant)
    types.FunctionType(marshal.loads(base64.b64decode(code)), {"__builtins__": __builtins__})(1)
    assert plant.read_text() == "ran"
    plant.unlink()
    wanted = _reference_main(tmp_path / "chrombpnet.h5", code)
    model = load_model(tmp_path / "chrombpnet.h5")
    logits, log_counts = model.predict_on_batch(np.zeros((3, 200, 4), np.float32))
    save_model(model, tmp_path / "again.h5")
    assert not plant.exists()
    assert (logits.shape, log_counts.shape) == ((3, 80), (3, 1))
    _assert_weights(accessibility_part(model), wanted)
    _assert_weights(bias_part(model), wanted)
    with h5py.File(tmp_path / "again.h5") as file:
        assert code not in file.attrs["model_config"]


def test_code_in_a_model_that_is_none_of_chrombpnets_is_refused_and_never_run(tmp_path):
    plant = tmp_path / "plant"
    layers = [
        _input(200),
        _layer("Lambda", "lambda", "sequence", function=[_code(plant), None, None], function_type="lambda"),
    ]
    for version in ("2.15.0", "3.5.0"):
        _write(tmp_path / "own.h5", _functional("model", layers), {}, version)
        with pytest.raises(ModelFileError, match="may not hold code"):
            load_model(tmp_path / "own.h5")
    assert not plant.exists()


@pytest.mark.parametrize("names", [("model_wo_bias", "model"), ("model_wo_bias", "model_12"), ("model_2", "model_1")])
@pytest.mark.parametrize("first_add", [0, 7])
def test_a_main_model_is_read_whatever_keras_called_its_parts(tmp_path, names, first_add):
    wanted = _reference_main(tmp_path / "chrombpnet.h5", "", first_add, names)
    model = load_model(tmp_path / "chrombpnet.h5")
    assert architecture_of(accessibility_part(model), ACCESSIBILITY_PREFIX) == WIDER
    assert architecture_of(bias_part(model), BIAS_PREFIX) == SMALL
    _assert_weights(accessibility_part(model), wanted)
    _assert_weights(bias_part(model), wanted)


@pytest.mark.parametrize("suffix", ["", "_1", "_23"])
@pytest.mark.parametrize("prefix", [BIAS_PREFIX, ACCESSIBILITY_PREFIX])
def test_numbers_of_keras_are_read_and_written_anew(tmp_path, prefix, suffix):
    """Weights in ``bpnet_1conv/bpnet_1conv_23``, additions from ``add_7`` on; in each of our files from ``add`` on."""
    layers = _part(SMALL, prefix, 7)
    wanted = _draw(layers)
    _write(
        tmp_path / "theirs.h5",
        _functional("model_5", layers),
        {name: {f"{name}{suffix}": arrays} for name, arrays in wanted.items()},
    )
    for _ in range(2):
        model = load_model(tmp_path / "theirs.h5")
        _assert_weights(model, wanted)
        save_model(model, tmp_path / "ours.h5")
        with h5py.File(tmp_path / "ours.h5") as file:
            assert [name for name in file["model_weights"] if name.startswith("add")] == ["add", "add_1"]
            assert f"model_weights/{prefix}bpnet_2conv/{prefix}bpnet_2conv/kernel:0" in file


@pytest.mark.parametrize(
    "layer", ["bpnet_1st_conv", "bpnet_1conv", "bpnet_2conv", "prof_out_precrop", "logcount_predictions"]
)
def test_a_missing_layer_is_named(tmp_path, layer):
    for prefix in (BIAS_PREFIX, ACCESSIBILITY_PREFIX):
        path = tmp_path / f"{prefix}model.h5"
        save_model(bpnet(SMALL, prefix, "model"), path)
        lost = layer if layer.startswith("bpnet") or not prefix else f"bpnet_{layer}"
        with h5py.File(path, "r+") as file:
            del file[f"model_weights/{prefix}{lost}"]
        with pytest.raises(ModelFileError, match=rf"{path.name}: layer {prefix}{lost} is missing; give a complete"):
            load_model(path)


@pytest.mark.parametrize(("part", "prefix"), [("model_wo_bias", ACCESSIBILITY_PREFIX), ("model", BIAS_PREFIX)])
def test_a_main_model_without_one_of_its_parts_is_not_taken_for_the_other(tmp_path, part, prefix):
    path = tmp_path / "chrombpnet.h5"
    save_model(chrombpnet(bpnet(WIDER, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SMALL)), path)
    with h5py.File(path, "r+") as file:
        del file[f"model_weights/{part}"]
    with pytest.raises(ModelFileError, match=f"layer {prefix}bpnet_1st_conv is missing"):
        load_model(path)


def test_files_that_are_no_models_are_refused(tmp_path):
    def refused(name: str, message: str) -> None:
        with pytest.raises(ModelFileError, match=rf"{name}: .*{message}"):
            load_model(tmp_path / name)

    (tmp_path / "text.h5").write_text("not HDF5\n")
    refused("text.h5", "not a Keras HDF5 model")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["model_weights/dense/dense/kernel:0"] = np.zeros((2, 2))
    refused("other.h5", "no layer bpnet_1st_conv")
    save_model(bpnet(SMALL), tmp_path / "bias.h5")
    whole = (tmp_path / "bias.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    refused("cut.h5", "not a Keras HDF5 model; .*truncated")
    with h5py.File(tmp_path / "bias.h5", "r+") as file:
        del file["model_weights/bpnet_2conv"]
        file["model_weights/bpnet_2conv/bpnet_2conv/kernel:0"] = np.zeros((3, 4, 5))
        file["model_weights/bpnet_2conv/bpnet_2conv/bias:0"] = np.zeros(4)
    refused("bias.h5", r"layer bpnet_2conv; expected weights of shapes \[\(3, 4, 4\), \(4,\)\], found")


def test_weights_alone_and_files_of_keras_3_are_refused(tmp_path):
    model = bpnet(SMALL)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    save_model(model, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as whole, h5py.File(tmp_path / "weights.h5", "w") as alone:  # Keras 2's save_weights
        for name, group in whole["model_weights"].items():
            whole.copy(group, alone, name)
    for name, message in (
        ("m.keras", "not a Keras HDF5 model; .*; save it again as HDF5"),
        ("m.weights.h5", "found no model_config: weights only"),
        ("weights.h5", "the file holds weights only; .*; save the whole model"),
    ):
        with pytest.raises(ModelFileError, match=rf"{name}: .*{message}"):
            load_model(tmp_path / name)


@pytest.mark.parametrize("room", [100, 20_000])
def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path, room):
    """Where the disk takes ``room`` bytes of a file and no more."""
    path = tmp_path / "m.h5"
    save_model(bpnet(SMALL), path)
    before, (soft, hard) = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    assert len(before) > room
    model = bpnet(SMALL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            save_model(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.h5"]
