"""Models that variants are scored with: no bias models, of one data set, out of a tar that holds what it should."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.models import ACCESSIBILITY_PREFIX, BIAS_PREFIX
from tasks.variants import BUNDLE_MODELS, BundleInputs, BundleParameters, check_data_set, model_lengths, tar_of_models
from tests.core.models.test_files import SMALL, _draw, _functional, _part, _write


@pytest.mark.parametrize(
    "models",
    [
        ["/x/fold_0/main/models/chrombpnet_nobias.h5", "/x/fold_1/main/models/chrombpnet_nobias.h5"],
        ["nobias_0.h5", "nobias_1.h5"],
        ["gs://b/K562_fold0.h5", "gs://b/K562_fold4.h5"],
        ["a/model.chrombpnet_nobias.fold_0.ENCSR000AAA.h5", "b/model.chrombpnet_nobias.fold_1.ENCSR000AAA.h5"],
        ["https://user:secret@h/fold_0/m.h5?sign=1", "https://h/fold_1/m.h5?sign=2"],
        ["one.h5"],
    ],
)
def test_folds_of_one_data_set_are_averaged_and_told(models, caplog):
    caplog.set_level("INFO")
    check_data_set(models)
    assert ("are taken for the folds of one data set" in caplog.text) == (len(models) > 1)


SEVERAL = [
    ["K562.h5", "liver.h5"],
    ["/data/K562/fold_0/m.h5", "/data/liver/fold_1/m.h5"],
    ["GM12878_fold_0.h5", "GM12891_fold_1.h5"],
    ["x/model.chrombpnet_nobias.fold_0.ENCSR000AAA.h5", "x/model.chrombpnet_nobias.fold_1.ENCSR000BBB.h5"],
    ["https://user:secret@h/a.h5?sign=secret", "https://h/b.h5"],
]


@pytest.mark.parametrize("models", SEVERAL)
def test_models_of_several_data_sets_are_not_averaged_unless_the_user_insists(models, caplog):
    with pytest.raises(InputError, match="of several data sets, as their names") as caught:
        check_data_set(models)
    check_data_set(models, insisted=True)
    assert "though their names differ" in caplog.text
    assert "secret" not in str(caught.value) + caplog.text


def _model(path: Path, prefix: str) -> Path:
    layers = _part(SMALL, prefix, 0)
    _write(path, _functional("model", layers), {name: {name: arrays} for name, arrays in _draw(layers).items()})
    return path


def test_bias_models_are_refused_by_their_content(tmp_path):
    bias = _model(tmp_path / "liver_nobias.h5", BIAS_PREFIX)
    good = _model(tmp_path / "fold_0.h5", ACCESSIBILITY_PREFIX)
    for models in ([bias], [good, bias]):
        with pytest.raises(ModelFileError, match=r"liver_nobias\.h5: a bias model, which knows the enzyme alone"):
            model_lengths([str(path) for path in models])
    assert model_lengths([str(good)]) == (200, 80)


def _entry(name: str, **changes: object) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(entry, key, value)
    return entry


GOOD = "fold_0/model.chrombpnet_nobias.fold_0.sample.h5"
OTHER = "fold_1/model.chrombpnet_nobias.fold_1.sample.h5"


def _tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for entry, content in entries:
            entry.size = entry.size or len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def _unpacked(tar: Path, folder: Path) -> list[str]:
    before = {path for path in folder.rglob("*") if "store" not in path.parts}
    try:
        result = BUNDLE_MODELS(str(folder / "store"), BundleInputs(tar=str(tar)), BundleParameters())
        return sorted(result.manifest["files"])
    finally:
        assert {path for path in folder.rglob("*") if "store" not in path.parts} == before


def test_the_models_of_a_tar_are_unpacked_and_nothing_else(tmp_path):
    others = [
        "../model.chrombpnet_nobias.fold_0.sample.h5",
        "/fold_9/model.chrombpnet_nobias.fold_9.sample.h5",
        "../../etc/model.chrombpnet_nobias.x.h5",
        "fold_2/../../model.chrombpnet_nobias.fold_2.sample.h5",
        "fold_0/model.bias.fold_0.sample.h5",
    ]
    entries = [(_entry(name), b"x") for name in (GOOD, f"./{OTHER}", *others)]
    entries += [
        (_entry("fold_3", type=tarfile.SYMTYPE, linkname="/etc"), b""),
        (_entry("device", type=tarfile.CHRTYPE, devmajor=1, devminor=5), b""),
    ]
    assert _unpacked(_tar(tmp_path / "a.tar", *entries), tmp_path) == ["fold_0.h5", "fold_1.h5"]


@pytest.mark.parametrize(
    "entry",
    [
        _entry(OTHER, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        _entry(OTHER, type=tarfile.LNKTYPE, linkname=GOOD),
        _entry(OTHER, type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        _entry(OTHER, type=tarfile.FIFOTYPE),
        _entry(OTHER, type=tarfile.DIRTYPE),
        _entry(OTHER, type=tarfile.SYMTYPE, linkname=f"../{GOOD}"),
        _entry(GOOD),
    ],
)
def test_members_that_are_no_files_or_come_twice_are_refused(tmp_path, entry):
    with pytest.raises(InputError, match="no model; expected each model once, as a file"):
        _unpacked(_tar(tmp_path / "a.tar", (_entry(GOOD), b"x"), (entry, b"")), tmp_path)


def test_bombs_and_damage_are_refused(tmp_path):
    whole = _tar(tmp_path / "a.tar", (_entry(GOOD), b"x" * 2000)).read_bytes()
    huge = _entry(GOOD)
    huge.size = 1 << 40
    sparse = tarfile.TarInfo(GOOD)
    sparse.type, sparse.size = tarfile.GNUTYPE_SPARSE, 0
    for number, content in enumerate(
        [
            whole[:1000],
            huge.tobuf(),
            gzip.compress(whole),
            b"PK\x03\x04" + bytes(2000),
            bytes(10_240),
            sparse.tobuf() + bytes(1024),
        ]
    ):
        (tmp_path / f"{number}.tar").write_bytes(content)
        with pytest.raises(InputError, match=r"not a tar of models|no bias-free model|no model;"):
            _unpacked(tmp_path / f"{number}.tar", tmp_path)


def test_models_of_several_data_sets_in_a_tar_are_refused(tmp_path):
    names = (GOOD, OTHER.replace("sample", "liver"))
    with pytest.raises(InputError, match="models of 2 data sets; expected the folds of one, found liver, sample"):
        _unpacked(_tar(tmp_path / "a.tar", *((_entry(name), b"x") for name in names)), tmp_path)


@pytest.mark.parametrize("file", ["../other.tar", "models/../../other.tar", "/etc/x.tar", "a/./b.tar", "a//b.tar"])
def test_a_bundles_manifest_leads_to_nothing_outside(tmp_path, file):
    (tmp_path / "other.tar").write_bytes(b"x")
    told = {"output_type": "models", "md5": hashlib.md5(b"x", usedforsecurity=False).hexdigest()}
    (tmp_path / "bundle").mkdir()
    for content in ({"files": {file: told}}, {"files": [file]}, {"files": {file: 3}}, {}):
        (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match="no published bundle"):
            tar_of_models(str(tmp_path / "bundle"))
