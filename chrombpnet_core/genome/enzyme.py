"""Reference matrices of the enzymes: the bases that Tn5 and DNase I prefer around a cut, by strand.

The built-in ones are in ``enzyme_matrices.json``, which says under ``attribution`` where they come from:
kundajelab/chrombpnet, MIT licence.
"""

from __future__ import annotations

import json
import os
from functools import cache
from importlib import resources

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import numbered_lines

__all__ = ["ASSAYS", "MATRIX_WIDTH", "EnzymeMatrices", "enzyme_matrices", "read_enzyme_matrices", "require_assay"]


ASSAYS = ("ATAC", "DNASE")


MATRIX_WIDTH = 20
"""Positions of a reference matrix."""


_STRANDS = {"_plus": "+", "_minus": "-"}


EnzymeMatrices = dict[str, dict[str, np.ndarray]]
"""Strand (``+``, ``-``) → name → base frequencies ``(20, 4)``."""


@cache
def _content(name: str) -> dict:
    return json.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def enzyme_matrices(assay: str) -> EnzymeMatrices:
    """Reference matrices of an assay's enzyme: strand (``+``, ``-``) → name → base frequencies ``(20, 4)``.

    Parameters
    ----------
    assay
        ``ATAC`` (Tn5, 3 data sets) or ``DNASE`` (DNase I, 6 data sets).
    """
    strands = _content("enzyme_matrices.json")["matrices"][require_assay(assay)]
    return {strand: {name: np.array(rows) for name, rows in matrices.items()} for strand, matrices in strands.items()}


def require_assay(assay: str) -> str:
    """Return ``assay`` if it is one of :data:`ASSAYS`, else raise :class:`InputError`."""
    if assay not in ASSAYS:
        raise InputError(f"assay {assay!r}", expected=" or ".join(ASSAYS))
    return assay


def read_enzyme_matrices(path: str | os.PathLike) -> EnzymeMatrices:
    """The user's reference matrices (``--ATAC-ref-path``, ``--DNASE-ref-path``), shaped as :func:`enzyme_matrices`.

    The file holds for each matrix a line ``>name_plus`` or ``>name_minus`` and 20 lines of the frequencies of
    A, C, G, T, separated by blanks or tabs.

    Raises
    ------
    InputError
        Naming file and line: for another name, row count or number, and where a strand has no matrix.
    """
    matrices: EnzymeMatrices = {"+": {}, "-": {}}
    rows: list[list[float]] = []
    number = 0
    for number, line in numbered_lines(path, "reference matrices"):
        where = f"{path}, line {number}"
        if line.startswith(">"):
            _check_rows(rows, matrices, where)
            strand, name = _header(line, where)
            if name in matrices[strand]:
                raise InputError(f"{where}: {line[1:].strip()} is given twice")
            matrices[strand][name] = rows = []
        elif not any(matrices.values()):
            raise InputError(where, expected="a line such as >name_plus before the first row", found=repr(line))
        else:
            rows.append(_row(line, where))
    _check_rows(rows, matrices, f"{path}, line {number}")
    if not (matrices["+"] and matrices["-"]):
        raise InputError(f"{path}: no matrix of one strand", expected="names that end in _plus and in _minus")
    return {strand: {name: np.array(rows) for name, rows in named.items()} for strand, named in matrices.items()}


def _header(line: str, where: str) -> tuple[str, str]:
    title = line[1:].strip()
    for suffix, strand in _STRANDS.items():
        if title.endswith(suffix) and len(title) > len(suffix):
            return strand, title.removesuffix(suffix)
    raise InputError(where, expected="a name that ends in _plus or _minus", found=repr(title))


def _row(line: str, where: str) -> list[float]:
    try:
        row = [float(field) for field in line.split()]
    except ValueError:
        row = []
    if len(row) != 4 or min(row) < 0 or not abs(sum(row) - 1) < 0.01:
        raise InputError(where, expected="four frequencies (A, C, G, T) that add up to 1", found=repr(line))
    return row


def _check_rows(rows: list[list[float]], matrices: EnzymeMatrices, where: str) -> None:
    if any(matrices.values()) and len(rows) != MATRIX_WIDTH:
        raise InputError(f"{where}: the matrix that ends here", expected=f"{MATRIX_WIDTH} rows", found=str(len(rows)))
