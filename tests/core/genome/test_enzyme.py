"""Figures that the package carries, and the user's own reference matrices."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import enzyme


def matrix_text(title, rows=20, row="0.25 0.25 0.3 0.2"):
    return f">{title}\n" + f"{row}\n" * rows


@pytest.mark.parametrize(("assay", "number"), [("ATAC", 3), ("DNASE", 6)])
def test_enzyme_matrices(assay, number):
    matrices = enzyme.enzyme_matrices(assay)
    assert list(matrices) == ["+", "-"]
    assert list(matrices["+"]) == list(matrices["-"])
    for named in matrices.values():
        assert len(named) == number
        for matrix in named.values():
            assert matrix.shape == (20, 4)
            np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=2e-4)


@pytest.mark.golden
@pytest.mark.parametrize("assay", ["ATAC", "DNASE"])
def test_matrices_equal_the_reference_files(shared, assay):
    theirs = enzyme.read_enzyme_matrices(shared / "data" / "motifs" / f"{assay}.ref.motifs.txt")
    ours = enzyme.enzyme_matrices(assay)
    assert {strand: list(named) for strand, named in ours.items()} == {s: list(named) for s, named in theirs.items()}
    for strand, named in ours.items():
        for name, matrix in named.items():
            np.testing.assert_array_equal(matrix, theirs[strand][name])


def test_the_file_says_where_it_comes_from():
    content = json.loads(resources.files("chrombpnet_core.genome").joinpath("enzyme_matrices.json").read_text())
    attribution = content["attribution"]
    assert "kundajelab/chrombpnet" in attribution["source"]
    assert attribution["licence"].startswith("MIT")
    assert len(attribution["commit"]) == 40


def test_a_loaded_matrix_is_the_callers_own():
    enzyme.enzyme_matrices("ATAC")["+"]["scATAC_fibroblast"][:] = 0
    assert enzyme.enzyme_matrices("ATAC")["+"]["scATAC_fibroblast"].sum() == pytest.approx(20, abs=1e-2)


def test_unknown_assay():
    with pytest.raises(InputError, match="expected ATAC or DNASE"):
        enzyme.enzyme_matrices("atac")


def test_users_matrices(tmp_path):
    path = tmp_path / "ref.txt"
    path.write_text(matrix_text("a_b_plus") + "\n" + matrix_text("a_b_minus", row="0.1\t0.2\t0.3\t0.4"))
    matrices = enzyme.read_enzyme_matrices(path)
    assert {strand: list(named) for strand, named in matrices.items()} == {"+": ["a_b"], "-": ["a_b"]}
    np.testing.assert_array_equal(matrices["-"]["a_b"][7], [0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (matrix_text("a_plus", 19) + matrix_text("a_minus"), r"line 21: .*expected 20 rows, found 19"),
        (matrix_text("a_plus") + matrix_text("a_minus", 21), r"line 43: .*expected 20 rows, found 21"),
        (matrix_text("a_plus"), "no matrix of one strand"),
        (matrix_text("a"), "line 1; expected a name that ends in _plus or _minus"),
        (matrix_text("a_plus") * 2, "line 22: a_plus is given twice"),
        (matrix_text("a_plus", row="0.25 0.25 x 0.5"), "line 2; expected four frequencies"),
        (matrix_text("a_plus", row="0.25 0.25 0.5"), "line 2; expected four frequencies"),
        (matrix_text("a_plus", row="10 20 30 40"), "line 2; expected four frequencies"),
        (matrix_text("a_plus", row="nan 0.5 0.25 0.25"), "line 2; expected four frequencies"),
        ("0.25 0.25 0.25 0.25\n", "line 1; expected a line such as >name_plus"),
        ("# empty\n", "no matrix of one strand"),
    ],
)
def test_users_matrices_refused(tmp_path, text, message):
    path = tmp_path / "ref.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        enzyme.read_enzyme_matrices(path)
