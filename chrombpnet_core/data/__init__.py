"""Figures of others that the package carries: reference matrices of the enzymes, and motifs for footprints.

Both files are in our own JSON form and say under ``attribution`` where the figures come from: kundajelab/chrombpnet,
MIT licence.
"""

from __future__ import annotations

import json
import os
from functools import cache
from importlib import resources

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.textfiles import numbered_lines

__all__ = ["ASSAYS", "MATRIX_WIDTH", "Matrices", "enzyme_matrices", "enzyme_motifs", "read_matrices", "read_motifs",
           "tf_motifs"]

ASSAYS = ("ATAC", "DNASE")
MATRIX_WIDTH = 20
"""Positions of a reference matrix."""

_STRANDS = {"_plus": "+", "_minus": "-"}

Matrices = dict[str, dict[str, np.ndarray]]
"""Strand (``+``, ``-``) → name → base frequencies ``(20, 4)``."""


@cache
def _content(name: str) -> dict:
    return json.loads(resources.files(__name__).joinpath(name).read_text(encoding="utf-8"))


def enzyme_matrices(assay: str) -> Matrices:
    """Reference matrices of an assay's enzyme: strand (``+``, ``-``) → name → base frequencies ``(20, 4)``.

    Parameters
    ----------
    assay
        ``ATAC`` (Tn5, 3 data sets) or ``DNASE`` (DNase I, 6 data sets).
    """
    strands = _content("enzyme_matrices.json")["matrices"][_known(assay)]
    return {strand: {name: np.array(rows) for name, rows in matrices.items()} for strand, matrices in strands.items()}


def enzyme_motifs(assay: str) -> dict[str, str]:
    """Bias motifs of an assay's enzyme, name → sequence, for marginal footprints."""
    return dict(_content("footprint_motifs.json")["motifs"][_known(assay)])


def tf_motifs() -> list[tuple[str, str]]:
    """Name and sequence of transcription factor motifs for footprints; a list, as NRF1 has two."""
    return [(name, sequence) for name, sequence in _content("footprint_motifs.json")["motifs"]["TF"]]


def read_motifs(path: str | os.PathLike) -> list[tuple[str, str]]:
    """Names and sequences of motifs for footprints (``-pwm_f``), in file order; a name may stand there twice.

    Each line is a name, a tab and the letters A, C, G, T or N in either case; an N leaves the base masked.

    Raises
    ------
    InputError
        Naming file and line: where there are not two columns, or another letter.
    """
    motifs = []
    for number, line in numbered_lines(path, "motifs"):
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        where = f"{path}, line {number}"
        if len(fields) != 2 or not all(fields):
            raise InputError(where, expected="a motif's name, a tab and its sequence", found=repr(line))
        name, letters = fields[0], fields[1].upper()
        wrong = sorted(set(letters) - set("ACGTN"))
        if wrong:
            raise InputError(f"{where}: sequence of motif {name}", expected="letters A, C, G, T or N",
                             found=f"{wrong[0]!r} in {fields[1][:40]}")
        motifs.append((name, letters))
    if not motifs:
        raise InputError(f"{path}: no motifs", expected="lines of a name, a tab and a sequence")
    return motifs


def _known(assay: str) -> str:
    if assay not in ASSAYS:
        raise InputError(f"assay {assay!r}", expected=" or ".join(ASSAYS))
    return assay


def read_matrices(path: str | os.PathLike) -> Matrices:
    """The user's reference matrices (``--ATAC-ref-path``, ``--DNASE-ref-path``), shaped as :func:`enzyme_matrices`.

    The file holds for each matrix a line ``>name_plus`` or ``>name_minus`` and 20 lines of the frequencies of
    A, C, G, T, separated by blanks or tabs.

    Raises
    ------
    InputError
        Naming file and line: for another name, row count or number, and where a strand has no matrix.
    """
    matrices: Matrices = {"+": {}, "-": {}}
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


def _check_rows(rows: list[list[float]], matrices: Matrices, where: str) -> None:
    if any(matrices.values()) and len(rows) != MATRIX_WIDTH:
        raise InputError(f"{where}: the matrix that ends here", expected=f"{MATRIX_WIDTH} rows", found=str(len(rows)))
