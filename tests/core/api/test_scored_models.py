"""Models that the front door scores variants with: no bias models, and folds of one data set."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import chrombpnet_core as cbp

FOLDS = [
    ("K562/fold_0/chrombpnet_nobias.h5", "K562/fold_1/chrombpnet_nobias.h5"),
    ("nobias_0.h5", "nobias_1.h5"),
    ("a/model.chrombpnet_nobias.fold_0.ENCSR000AAA.h5", "b/model.chrombpnet_nobias.fold_1.ENCSR000AAA.h5"),
]
SEVERAL = [
    ("K562.h5", "liver.h5"),
    ("K562/fold_0/m.h5", "liver/fold_1/m.h5"),
    ("a/model.chrombpnet_nobias.fold_0.ENCSR000AAA.h5", "a/model.chrombpnet_nobias.fold_1.ENCSR000BBB.h5"),
]


@pytest.fixture(scope="module")
def genome(files):
    with cbp.open_genome(files.folder / "genome.fa", files.folder / "index") as genome:
        yield genome


def _opened(files, folder, names, content="chrombpnet_nobias"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.folder / f"{content}.h5", folder / name)
    return [cbp.open_model(folder / name) for name in names]


@pytest.mark.parametrize("name", ["bias.h5", "chrombpnet_nobias.h5", "fold_0/model.h5"])
def test_bias_models_are_refused_whatever_they_are_called(files, genome, tmp_path, name):
    bias = _opened(files, tmp_path, [name], "bias")
    good = _opened(files, tmp_path, ["fold_1/model.h5"])
    for models in (bias[0], bias, [*good, *bias]):
        with pytest.raises(cbp.InputError, match=rf"{name}: a bias model, which knows the enzyme alone"):
            cbp.score_variants(models, genome, files.folder / "variants.tsv", one_data_set=True)


@pytest.mark.parametrize("names", SEVERAL)
def test_models_of_several_data_sets_are_refused(files, genome, tmp_path, names):
    with pytest.raises(cbp.InputError, match="of several data sets, as their names or folders tell"):
        cbp.score_variants(_opened(files, tmp_path, names), genome, files.folder / "variants.tsv")


@pytest.mark.parametrize(("names", "insisted"), [*((names, False) for names in FOLDS), (SEVERAL[0], True)])
def test_folds_of_one_data_set_are_averaged(files, genome, tmp_path, names, insisted):
    listed = files.folder / "variants.tsv"
    mean = cbp.score_variants(_opened(files, tmp_path, names), genome, listed, chroms="chrB", one_data_set=insisted).table
    (model,) = _opened(files, tmp_path, names[:1])
    alone = cbp.score_variants(model, genome, listed, chroms="chrB").table
    np.testing.assert_allclose(mean["logfc.mean"], alone["logfc"], rtol=1e-5)


def test_the_enzymes_bias_beside_accessibility_is_told(files, genome, caplog):
    model = cbp.open_model(files.folder / "chrombpnet.h5")
    assert len(cbp.score_variants(model, genome, files.folder / "variants.tsv", chroms="chrB").table)
    assert "chrombpnet.h5: the enzyme's bias is in this model" in caplog.text
