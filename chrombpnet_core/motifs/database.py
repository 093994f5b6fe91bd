"""Known motifs: JASPAR by taxon, a MEME file, and the enzymes' own.

JASPAR (CC BY 4.0) comes as a SQLite file inside the package ``pyjaspar``: nothing is downloaded. The enzymes' motifs are
those that bias models learn of Tn5 and DNase I (kundajelab/chrombpnet, MIT).
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np

from chrombpnet_core._types import Floats
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import enzyme_of
from chrombpnet_core.formats import numbered_lines, whole_number
from chrombpnet_core.genome import information_content

__all__ = [
    "DEFAULT_DATABASE",
    "JASPAR_PREFIX",
    "KnownMotif",
    "base_frequencies",
    "enzyme_patterns",
    "is_jaspar",
    "jaspar_motifs",
    "jaspar_release",
    "read_database",
    "read_meme",
]

JASPAR_PREFIX = "jaspar:"
"""What stands before a taxon where a database is asked for."""

DEFAULT_DATABASE = "jaspar:vertebrates"
"""The database that patterns are compared with unless another is given."""

_SUM_TOLERANCE = 0.02  # of a row of a MEME file, whose figures are rounded
_LEAST_INFORMATION = 0.15  # bits: ends of the enzymes' motifs that say less are cut off

_LATEST = """
    SELECT m.ID, m.BASE_ID || '.' || m.VERSION, m.NAME FROM MATRIX m
    JOIN MATRIX_ANNOTATION a ON a.ID = m.ID AND a.TAG = 'tax_group' AND a.VAL = ?
    WHERE m.COLLECTION = 'CORE'
      AND m.VERSION = (SELECT MAX(VERSION) FROM MATRIX o WHERE o.BASE_ID = m.BASE_ID AND o.COLLECTION = 'CORE')
    ORDER BY m.BASE_ID"""
_TAXA = """
    SELECT DISTINCT a.VAL FROM MATRIX m JOIN MATRIX_ANNOTATION a ON a.ID = m.ID AND a.TAG = 'tax_group'
    WHERE m.COLLECTION = 'CORE' ORDER BY a.VAL"""


@dataclass(frozen=True)
class KnownMotif:
    """A motif of a database.

    Attributes
    ----------
    name
        Such as CTCF.
    identifier
        Such as MA0139.2.
    pfm
        Base frequencies ``(n, 4)``.
    """

    name: str
    identifier: str
    pfm: Floats = field(repr=False, compare=False)

    @property
    def enzyme(self) -> bool:
        """Whether it is an enzyme's own, by its name (``TN5_1``, ``DNASE_2``)."""
        return enzyme_of(self.name) is not None


def is_jaspar(database: str) -> bool:
    """Tell whether a database is a taxon of JASPAR rather than a file.

    Parameters
    ----------
    database
        Such as ``jaspar:fungi`` or ``motifs.meme``.

    Returns
    -------
    bool
        Whether it begins with :data:`JASPAR_PREFIX`.

    Examples
    --------
    >>> is_jaspar("jaspar:fungi"), is_jaspar("motifs.meme")
    (True, False)
    """
    return database.startswith(JASPAR_PREFIX)


def read_database(database: str | os.PathLike[str] = DEFAULT_DATABASE) -> list[KnownMotif]:
    """Read the motifs of a database, and the enzymes' own that it lacks.

    Parameters
    ----------
    database
        ``jaspar:<taxon>``, or the path of a MEME file.

    Returns
    -------
    list of KnownMotif
        In the order of the database; the enzymes' follow.

    Raises
    ------
    InputError
        For an unknown taxon, naming those there are, and for a file as in :func:`read_meme`.
    """
    text = os.fspath(database)
    motifs = jaspar_motifs(text.removeprefix(JASPAR_PREFIX)) if is_jaspar(text) else read_meme(text)
    known = {motif.identifier for motif in motifs}
    return motifs + [motif for motif in enzyme_patterns() if motif.identifier not in known]


def enzyme_patterns() -> list[KnownMotif]:
    """List the motifs that bias models learn of Tn5 and DNase I, without the ends that say little.

    Returns
    -------
    list of KnownMotif
        Named ``TN5_1``, …, ``DNASE_1``, ….
    """
    text = resources.files(__package__).joinpath("enzyme_motifs.json").read_text(encoding="utf-8")
    motifs = []
    for name, rows in itertools.chain.from_iterable(matrices.items() for matrices in json.loads(text)["motifs"].values()):
        pfm = np.array(rows)
        informative = np.flatnonzero(information_content(pfm) >= _LEAST_INFORMATION)
        motifs.append(KnownMotif(name, name, pfm[informative[0] : informative[-1] + 1]))
    return motifs


def jaspar_release() -> str:
    """Name the newest release of JASPAR that is installed.

    Returns
    -------
    str
        Such as ``JASPAR2026``.
    """
    return _jaspar_file().stem


def _jaspar_file() -> Path:
    package = importlib.util.find_spec("pyjaspar")  # found, not imported: that would import biopython
    folders = package.submodule_search_locations if package else None
    files = list(Path(folders[0]).glob("data/JASPAR*.sqlite")) if folders else []
    if not files:
        raise InputError(
            "JASPAR is not installed",
            expected="the package pyjaspar",
            remedy="pip install pyjaspar, or give a MEME file as `database`",
        )
    return max(files, key=lambda path: path.stem)


def jaspar_motifs(taxon: str) -> list[KnownMotif]:
    """Read the latest versions of JASPAR's CORE motifs of a taxon.

    Parameters
    ----------
    taxon
        Such as ``vertebrates`` or ``fungi``.

    Returns
    -------
    list of KnownMotif
        By identifier.

    Raises
    ------
    InputError
        For an unknown taxon, naming those there are.
    """
    with contextlib.closing(sqlite3.connect(f"{_jaspar_file().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        motifs = connection.execute(_LATEST, (taxon,)).fetchall()
        if not motifs:
            taxa = ", ".join(row[0] for row in connection.execute(_TAXA))
            raise InputError(
                f"{JASPAR_PREFIX}{taxon}: no such taxon in {jaspar_release()}",
                expected=f"one of {taxa}",
                remedy="or give a MEME file",
            )
        counts: dict[int, dict[str, list[float]]] = {number: {base: [] for base in "ACGT"} for number, _, _ in motifs}
        for number, base, value in connection.execute("SELECT ID, row, val FROM MATRIX_DATA ORDER BY ID, row, col"):
            if number in counts:
                counts[number][base].append(value)
    return [
        KnownMotif(name, identifier, base_frequencies(np.array([counts[number][base] for base in "ACGT"]).T))
        for number, identifier, name in motifs
    ]


def base_frequencies(counts: Floats) -> Floats:
    """Scale the rows of a matrix of counts to 1; a row without any count becomes even."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1), 0.25)


def read_meme(path: str | os.PathLike[str]) -> list[KnownMotif]:
    """Read a file in MEME's minimal form (version 4 or 5, alphabet ACGT), plain or gzip.

    Parameters
    ----------
    path
        The file; its ``MOTIF`` lines hold an identifier and, optionally, a name.

    Returns
    -------
    list of KnownMotif
        In file order.

    Raises
    ------
    InputError
        Naming file and line: for another format or alphabet, a matrix without rows or with rows that are not four
        frequencies, an identifier that stands there twice.
    """
    lines = numbered_lines(path, "motifs")
    _, first = next(lines, (0, ""))
    if not first.startswith("MEME version"):
        raise InputError(
            f"{path}, line 1",
            expected="MEME version 4 or 5",
            found=repr(first[:60]),
            remedy="give motifs in MEME's minimal format",
        )
    motifs: dict[str, KnownMotif] = {}
    title: tuple[str, str] | None = None
    for number, line in lines:
        where = f"{path}, line {number}"
        words = line.split()
        if words[0].startswith("ALPHABET") and line.replace(" ", "") not in ("ALPHABET=ACGT", 'ALPHABET"DNA"'):
            raise InputError(where, expected="ALPHABET= ACGT", found=repr(line[:60]))
        if words[0] == "MOTIF":
            if len(words) < 2:
                raise InputError(where, expected="an identifier after MOTIF")
            title = words[1], words[2] if len(words) > 2 else words[1]
            if title[0] in motifs:
                raise InputError(f"{where}: motif {title[0]} is given twice")
        elif line.startswith("letter-probability matrix"):
            if title is None:
                raise InputError(where, expected="a MOTIF line before the matrix")
            motifs[title[0]] = KnownMotif(title[1], title[0], _matrix(lines, line, where))
            title = None
    if title is not None:
        raise InputError(f"{path}: motif {title[0]} has no matrix", expected="a line letter-probability matrix: … w= N")
    if not motifs:
        raise InputError(f"{path}: no motifs", expected="at least one MOTIF with its letter-probability matrix")
    return list(motifs.values())


def _matrix(lines: Iterator[tuple[int, str]], header: str, where: str) -> Floats:
    """Read the rows that follow a matrix's header, which says their number: ``w= 12``."""
    words = header.replace("=", "= ").split()
    values = dict(itertools.pairwise(words))
    width = whole_number(values.get("w=", ""))
    if values.get("alength=", "4") != "4" or not width:
        raise InputError(where, expected="alength= 4 and the number of rows as w= N", found=repr(header[:80]))
    rows: list[list[float]] = []
    for _ in range(width):
        number, line = next(lines, (0, ""))
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != 4 or not min(row) >= 0 or not abs(sum(row) - 1) < _SUM_TOLERANCE:
            raise InputError(
                f"{where}: row {len(rows) + 1} of {values['w=']} of the matrix" + (f" (line {number})" if number else ""),
                expected="four frequencies (A, C, G, T) that add up to 1",
                found=repr(line[:60]),
            )
        rows.append(row)
    return base_frequencies(np.array(rows))
