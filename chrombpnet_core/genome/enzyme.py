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

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import numbered_lines

__all__ = ["ASSAYS", "MATRIX_WIDTH", "EnzymeMatrices", "enzyme_matrices", "read_enzyme_matrices", "require_assay"]


ASSAYS = ("ATAC", "DNASE")
"""Assays, and so enzymes (Tn5, DNase I), that there are matrices of."""


MATRIX_WIDTH = 20
"""Positions of a reference matrix."""


_STRANDS = {"_plus": "+", "_minus": "-"}


EnzymeMatrices = dict[str, dict[str, AnyArray]]
"""Strand (``+``, ``-``) → name → base frequencies ``(20, 4)``."""


@cache
def _built_in() -> dict[str, dict[str, dict[str, list[list[float]]]]]:
    """Assay → strand → name → rows."""
    file = resources.files(__package__).joinpath("enzyme_matrices.json")
    matrices: dict[str, dict[str, dict[str, list[list[float]]]]] = json.loads(file.read_text(encoding="utf-8"))["matrices"]
    return matrices


def enzyme_matrices(assay: str) -> EnzymeMatrices:
    """Read the built-in reference matrices of an assay's enzyme.

    Parameters
    ----------
    assay
        ``ATAC`` (Tn5, 3 data sets) or ``DNASE`` (DNase I, 6 data sets).

    Returns
    -------
    dict
        Strand (``+``, ``-``) → name → base frequencies ``(20, 4)``.

    Examples
    --------
    >>> [*enzyme_matrices("ATAC")["+"].values()][0].shape
    (20, 4)
    """
    strands = _built_in()[require_assay(assay)]
    return {strand: {name: np.array(rows) for name, rows in matrices.items()} for strand, matrices in strands.items()}


def require_assay(assay: str) -> str:
    """Check the name of an assay.

    Parameters
    ----------
    assay
        The user's.

    Returns
    -------
    str
        The name, one of :data:`ASSAYS`.

    Raises
    ------
    InputError
        For any other name.
    """
    if assay not in ASSAYS:
        raise InputError(f"assay {assay!r}", expected=" or ".join(ASSAYS))
    return assay


def read_enzyme_matrices(path: str | os.PathLike[str]) -> EnzymeMatrices:
    """Read reference matrices of the user's.

    Parameters
    ----------
    path
        A file that holds for each matrix a line ``>name_plus`` or ``>name_minus`` and 20 lines of the frequencies of
        A, C, G, T, separated by blanks or tabs.

    Returns
    -------
    dict
        As of :func:`enzyme_matrices`.

    Raises
    ------
    InputError
        Naming file and line: for another name, row count or number, and where a strand has no matrix.
    """
    matrices: dict[str, dict[str, list[list[float]]]] = {"+": {}, "-": {}}
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


def _check_rows(rows: list[list[float]], matrices: dict[str, dict[str, list[list[float]]]], where: str) -> None:
    if any(matrices.values()) and len(rows) != MATRIX_WIDTH:
        raise InputError(f"{where}: the matrix that ends here", expected=f"{MATRIX_WIDTH} rows", found=str(len(rows)))
