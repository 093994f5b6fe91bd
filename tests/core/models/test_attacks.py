"""Model files that are made to harm: they name other files, lead in circles, declare what they do not hold, carry code.

Each is refused in one line, within seconds and a gigabyte, without a look at any other file.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import resource
import signal
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.models import BIAS, load_model, read_stored_model
from tests.core.models.test_files import SMALL, _draw, _functional, _layer, _part, _write

KERNEL = "model_weights/bpnet_1conv/bpnet_1conv/kernel:0"
SECONDS, BYTES = 20, 1 << 30


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Bound time and further memory of what happens within."""

    def late(*_: object) -> None:
        raise AssertionError(f"took more than {SECONDS} s, or waits for another file")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)


@pytest.fixture
def model(tmp_path) -> Path:
    """A bias model as Keras 2 writes it."""
    layers = _part(SMALL, "", 0)
    _write(tmp_path / "bias.h5", _functional("model", layers), {name: {name: a} for name, a in _draw(layers).items()})
    return tmp_path / "bias.h5"


@pytest.fixture
def secret(tmp_path) -> str:
    """A file that nobody may open: whoever does waits for ever."""
    os.mkfifo(tmp_path / "secret")
    return str(tmp_path / "secret")


def _refused(path: Path, message: str) -> None:
    with limits(), pytest.raises(ModelFileError, match=message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def _changed(path: Path, change: Callable[[h5py.File], object], kernel: bool = False) -> Path:
    """Change the file; with ``kernel`` the kernel of one layer is taken out first, so that another can be in its place."""
    with h5py.File(path, "r+") as file:
        if kernel:
            del file[KERNEL]
        change(file)
    return path


def test_the_file_itself_is_read(model):
    assert load_model(model).count_params() == 750
    assert read_stored_model(model).kind == BIAS


def _virtual(file: h5py.File, source: str) -> None:
    layout = h5py.VirtualLayout((3, 4, 4), "f4")
    layout[:] = h5py.VirtualSource(source, "x", (3, 4, 4))
    file.create_virtual_dataset(KERNEL, layout)


def _endless_virtual(file: h5py.File, source: str) -> None:
    """One whose shape is that of its source: to ask for it opens the source."""
    layout = h5py.VirtualLayout((1, 4, 4), "f4", maxshape=(None, 4, 4))
    origin = h5py.VirtualSource(source, "x", (1, 4, 4), maxshape=(None, 4, 4))
    layout[h5py.h5s.UNLIMITED :, :, :] = origin[h5py.h5s.UNLIMITED :, :, :]
    file.create_virtual_dataset(KERNEL, layout)


OTHER_FILES: list[tuple[Callable[[h5py.File, str], object], str]] = [
    (lambda file, name: file.create_dataset(KERNEL, (3, 4, 4), "f4", external=[(name, 0, 192)]), "lie in another file"),
    (
        lambda file, name: file.create_dataset("extra/x", (3,), "u1", external=[("../" * 20 + "etc/passwd", 0, 3)]),
        "lie in another file",
    ),
    (_virtual, "a virtual data set"),
    (_endless_virtual, "a virtual data set"),
    (lambda file, name: file.__setitem__(KERNEL, h5py.ExternalLink(name, "/x")), "kernel:0 is a link to another file"),
    (lambda file, name: file.__setitem__("model_weights/y", h5py.ExternalLink(name, "/")), "y is a link to another file"),
]


@pytest.mark.parametrize("number", range(len(OTHER_FILES)))
def test_other_files_are_never_opened(model, secret, number):
    change, message = OTHER_FILES[number]
    _refused(_changed(model, lambda file: change(file, secret), kernel=number in (0, 2, 3, 4)), message)


def _chain(file: h5py.File) -> None:
    group = file
    for _ in range(2000):
        group = group.create_group("g")


LINKS: list[tuple[Callable[[h5py.File], object], str]] = [
    (lambda file: file.__setitem__("model_weights/loop", h5py.SoftLink("/model_weights/loop")), "loop is a soft link"),
    (lambda file: file.__setitem__("model_weights/up", h5py.SoftLink("/")), "up is a soft link"),
    (lambda file: file.__setitem__("model_weights/up", file["/model_weights"]), "holds elsewhere"),
    (lambda file: file.__setitem__("model_weights/other_1/kernel:0", file[KERNEL]), "holds elsewhere"),
    (lambda file: file.__setitem__("model_weights/\x1b[31m../../x", h5py.SoftLink("y")), r"\\x1b\[31m\.\."),
    (_chain, "groups within groups"),
]


@pytest.mark.parametrize("number", range(len(LINKS)))
def test_links_lead_nowhere(model, number):
    _refused(_changed(model, LINKS[number][0]), LINKS[number][1])


def _sparse(shape: tuple[int, ...], **options: object) -> Callable[[h5py.File], object]:
    return lambda file: file.create_dataset(KERNEL, shape, "f4", **options)


SIZES: list[Callable[[h5py.File], object]] = [
    _sparse((2**43,)),
    _sparse((2**60,)),
    _sparse((2**21, 2**21, 2**18), chunks=(64, 64, 64)),
    _sparse((3, 4, 4)),  # nothing is stored: zeros would be read
    lambda file: file.create_dataset(KERNEL, (1, 2**28), "f4", chunks=(1, 2**28), compression="gzip"),
    lambda file: file.create_dataset(KERNEL, data=np.zeros(1 << 24, np.float32), compression="gzip", compression_opts=9),
]


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_declared_sizes_are_compared_with_the_stored_ones(model, number):
    _refused(_changed(model, SIZES[number], kernel=True), "kernel:0: .*are declared, .*bytes are stored")


def test_an_unknown_compression_is_named_before_anybody_looks_for_it(model, tmp_path, monkeypatch):
    def change(file: h5py.File) -> None:
        data = file.create_dataset(KERNEL, data=np.zeros((3, 4, 4), np.float32), chunks=(3, 4, 4), compression="lzf")
        assert data.id.get_create_plist().get_filter(0)[0] == 32000

    _changed(model, change, kernel=True)
    model.write_bytes(model.read_bytes().replace((32000).to_bytes(2, "little"), (31999).to_bytes(2, "little")))
    monkeypatch.setenv("HDF5_PLUGIN_PATH", str(tmp_path))
    _refused(model, "an unknown compression, number 31999|not readable")


TYPES: list[tuple[object, str]] = [
    (np.zeros((3, 4, 4), np.complex64), "complex64"),
    (np.zeros((3, 4, 4), "S4"), r"\|S4"),
    (np.zeros((3, 4, 4), [("a", "f4"), ("b", "f4")]), "'a'"),
    (np.zeros((3, 4, 4), np.int32), "int32"),
    (np.zeros((3, 4, 4), bool), "bool"),
    (np.full((3, 4, 4), h5py.Reference(), h5py.ref_dtype), "object"),
    (np.full((3, 4, 4), "x", h5py.string_dtype()), "object"),
]


@pytest.mark.parametrize("number", range(len(TYPES)))
def test_weights_are_numbers(model, number):
    values, message = TYPES[number]
    dtype = values.dtype if values.dtype.kind == "O" else None
    change = lambda file: file.create_dataset(KERNEL, data=values, dtype=dtype)  # noqa: E731
    _refused(_changed(model, change, kernel=True), f"layer bpnet_1conv.*expected weights of type float32, found .*{message}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_counted(model, value):
    values = np.zeros((3, 4, 4), np.float32)
    values[0, :2] = value
    _refused(
        _changed(model, lambda file: file.create_dataset(KERNEL, data=values), kernel=True),
        "8 of 48 weights have values that are not finite",
    )


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4"])
def test_other_precisions_are_read_and_told(model, dtype, caplog):
    with h5py.File(model) as file:
        wanted = file[KERNEL][()]
    _changed(model, lambda file: file.create_dataset(KERNEL, data=wanted.astype(dtype)), kernel=True)
    found = load_model(model).get_layer("bpnet_1conv").get_weights()[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert ("48 weights are stored as" in caplog.text) == (dtype != ">f4")


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("../../x"), io.BytesIO())


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", "x")


class _Bomb:
    def __reduce__(self):
        return os._exit, (3,)


OTHERS: list[tuple[Callable[[Path], object], str]] = [
    (_tar, "a tar archive"),
    (_zip, "a zip archive"),
    (lambda path: path.write_bytes(pickle.dumps(_Bomb())), "a Python pickle"),
    (lambda path: path.write_text("root:x:0:0:secret"), "found .*text"),
    (lambda path: path.write_bytes(b"\0" * 512 + path.read_bytes()), "something else"),  # HDF5 behind a user block
    (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 5000), "not readable as HDF5"),
]


@pytest.mark.parametrize("number", range(len(OTHERS)))
def test_what_bears_the_name_alone_is_told(model, number):
    OTHERS[number][0](model)
    _refused(model, f"not a Keras HDF5 model; .*{OTHERS[number][1]}")
    with pytest.raises(ModelFileError) as caught:
        load_model(model)
    assert "secret" not in str(caught.value)


def _config(change: Callable[[dict], object]) -> Callable[[h5py.File], object]:
    def changed(file: h5py.File) -> None:
        config = json.loads(file.attrs["model_config"])
        config = change(config) or config
        file.attrs["model_config"] = json.dumps(config)

    return changed


def _named(config: dict, name: str) -> dict:
    return next(layer["config"] for layer in config["config"]["layers"] if layer["name"] == name)


def _text(text: str) -> Callable[[h5py.File], object]:
    def changed(file: h5py.File) -> None:
        del file.attrs["model_config"]
        kind = h5py.string_dtype()
        file.attrs.create("model_config", text, dtype=kind)

    return changed


CROP = "logits_profile_predictions_preflatten"
CONFIGS: list[tuple[Callable[[h5py.File], object], str]] = [
    (_text("[" * 100_000), "configuration is damaged"),
    (_text('{"config": ' * 900 + "{}" + "}" * 900), "configuration is damaged"),
    (_text('{"config": {"layers": [7]}}'), "configuration is damaged"),
    (_text('{"config": {"layers": [{"class_name": [], "config": {"name": 3}}]}}'), "configuration is damaged"),
    (lambda file: file.attrs.__setitem__("model_config", np.zeros(3)), "configuration is damaged"),
    (_config(lambda c: c["config"]["layers"].append(_layer("Conv1D", "bpnet_999999999conv"))), "dilated layers"),
    (_config(lambda c: c["config"]["layers"].append(_layer("Conv1D", "bpnet_30conv"))), "30 dilated layers turn 200 bp"),
    (_config(lambda c: _named(c, "sequence").update(batch_input_shape=[None, 2**40, 4])), "at most 1,000,000"),
    (_config(lambda c: _named(c, "sequence").update(batch_input_shape=[None, -5, 4])), "a fixed length"),
    (_config(lambda c: _named(c, "sequence").update(batch_input_shape=[None, "x", 4])), "a fixed length"),
    (_config(lambda c: _named(c, CROP).update(cropping=[-9, -9])), "cropped by"),
    (_config(lambda c: _named(c, CROP).update(cropping="9")), "cropped by"),
    (_config(lambda c: _named(c, CROP).update(cropping=[10**30, 10**30])), "cropped by"),
    (_config(lambda c: _named(c, "bpnet_1conv").update(filters=2**40)), "is not BPNet's"),
]


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_configurations_are_checked_before_anything_is_built(model, number):
    _refused(_changed(model, CONFIGS[number][0]), CONFIGS[number][1])


def test_many_filters_of_one_layer_do_not_make_the_others(model):
    def change(file: h5py.File) -> None:
        for kind, shape in (("kernel:0", (21, 4, 60_000)), ("bias:0", (60_000,))):
            del file[f"model_weights/bpnet_1st_conv/bpnet_1st_conv/{kind}"]
            file[f"model_weights/bpnet_1st_conv/bpnet_1st_conv/{kind}"] = np.zeros(shape, np.float32)

    def wide(config: dict) -> None:
        for name in ("bpnet_1st_conv", "bpnet_1conv", "bpnet_2conv"):
            _named(config, name)["filters"] = 60_000

    _refused(_changed(_changed(model, change), _config(wide)), r"layer bpnet_1conv; expected weights of shapes \[\(3, 60000")


def _own(path: Path, *layers: dict, module: str = "keras.layers") -> Path:
    """A model of an architecture of its own, as Keras 3 describes it."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "3.5.0"
        described = [layer | {"module": module} for layer in layers]
        file.attrs["model_config"] = json.dumps(_functional("own", [_layer("InputLayer", "x"), *described]))
        file.create_group("model_weights")
    return path


@pytest.mark.parametrize(
    ("kind", "module", "config"),
    [
        ("Lambda", "keras.layers", {"function": "x"}),
        ("__lambda__", "keras", {"value": "x"}),
        ("TFSMLayer", "keras.layers", {"filepath": "SECRET"}),
        ("StringLookup", "keras.layers", {"vocabulary": "SECRET"}),
        ("keras>TextVectorization", "keras.layers", {"vocabulary": "SECRET"}),
        ("TorchModuleWrapper", "keras.layers", {}),
        ("JaxLayer", "keras.src.utils.jax_layer", {}),
        ("function", "keras.utils", {"value": "get_file"}),
        ("get_file", "keras.utils", {"origin": "http://169.254.169.254/"}),
        ("system", "os", {}),
        ("Popen", "subprocess", {"args": "x"}),
    ],
)
def test_code_and_files_in_a_configuration_are_refused(tmp_path, secret, kind, module, config):
    config = {key: value.replace("SECRET", secret) for key, value in config.items()}
    _refused(_own(tmp_path / "own.h5", _layer(kind, "y", "x", **config), module=module), "may not hold code")


def test_an_architecture_of_its_own_is_made_only_of_the_size_that_is_stored(tmp_path):
    sequence = keras.Input((200, 4))
    x = keras.layers.Conv1D(8, 5)(sequence)
    logits = keras.layers.Dense(80)(keras.layers.Flatten()(x))
    saved = keras.Model(sequence, [logits, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x))])
    saved.save(tmp_path / "own.h5")
    bases = np.random.default_rng(0).random((2, 200, 4), dtype=np.float32)
    for one, other in zip(saved(bases), load_model(tmp_path / "own.h5")(bases), strict=True):
        np.testing.assert_array_equal(one, other)

    def wide(config: dict) -> None:
        for layer in config["config"]["layers"]:
            layer["config"] |= {"units": 2**33} if "units" in layer["config"] else {}

    _changed(tmp_path / "own.h5", _config(wide))
    _refused(tmp_path / "own.h5", "Keras cannot load it")
    assert load_model(_saved_again(saved, tmp_path)) is not None


def _saved_again(model: keras.Model, folder: Path) -> Path:
    model.save(folder / "again.h5")
    return folder / "again.h5"


@pytest.mark.parametrize("number", range(len(OTHER_FILES)))
def test_every_other_hdf5_is_looked_at_in_the_same_way(tmp_path, secret, number):
    """Contributions, patterns and predictions too."""
    with h5py.File(tmp_path / "scores.h5", "w") as file:
        file["raw/seq"] = np.zeros((2, 4, 10), np.int8)
        OTHER_FILES[number][0](file, secret)
    with limits(), pytest.raises(InputError, match=OTHER_FILES[number][1]), open_hdf5(tmp_path / "scores.h5", "scores"):
        pass


def test_a_compressed_table_is_read_and_a_bomb_is_not(tmp_path):
    with h5py.File(tmp_path / "scores.h5", "w") as file:
        file.create_dataset("zeros", data=np.zeros(1 << 24, np.int8), compression="gzip", chunks=(1 << 16,))
        file["text"] = ["a", "b"]
    with open_hdf5(tmp_path / "scores.h5", "scores") as file:
        assert file["text"].asstr()[:].tolist() == ["a", "b"]
    with h5py.File(tmp_path / "scores.h5", "a") as file:
        file.create_dataset("bomb", (2**43,), "f4", chunks=(1 << 16,), compression="gzip")
    with limits(), pytest.raises(InputError, match="are declared"), open_hdf5(tmp_path / "scores.h5", "scores"):
        pass
