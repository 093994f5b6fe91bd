"""Known motifs and which of them a discovered one is like: JASPAR by taxon, a MEME file, and the enzymes' own.

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
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
from scipy.stats import false_discovery_control

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import THRESHOLDS, enzyme_of
from chrombpnet_core.formats import numbered_lines
from chrombpnet_core.genome import information_content

__all__ = [
    "DEFAULT_DATABASE",
    "JASPAR_PREFIX",
    "MAX_MATCH_Q",
    "MIN_MATCH_SIMILARITY",
    "KnownMotif",
    "MotifMatch",
    "enzyme_patterns",
    "is_jaspar",
    "jaspar_motifs",
    "jaspar_release",
    "match_motifs",
    "motif_similarity",
    "read_database",
    "read_meme",
]

JASPAR_PREFIX = "jaspar:"
"""What stands before a taxon where a database is asked for."""
DEFAULT_DATABASE = "jaspar:vertebrates"
MAX_MATCH_Q = THRESHOLDS["bias_motifs"].good
"""q-value below which a known motif is called a match, where it is similar enough."""
MIN_MATCH_SIMILARITY = 0.6
"""Least :func:`motif_similarity` of a match. TOMTOM finds any two dull motifs alike; random ones seldom reach this."""

_SUM_TOLERANCE = 0.02  # of a row of a MEME file, whose figures are rounded
_DULL = 0.15  # bits: ends of the enzymes' motifs that say less are cut off
_CANDIDATES = 12  # of the lowest p-values, which are aligned
_OVERLAP = 5  # positions in which motifs are compared at least, unless one is shorter

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
    """A motif of a database: ``name`` such as CTCF, ``identifier`` such as MA0139.2, base frequencies ``(n, 4)``."""

    name: str
    identifier: str
    pfm: np.ndarray = field(repr=False, compare=False)

    @property
    def enzyme(self) -> bool:
        """Whether it is an enzyme's own, by its name (``TN5_1``, ``DNASE_2``)."""
        return enzyme_of(self.name) is not None


@dataclass(frozen=True)
class MotifMatch:
    """A known motif that a pattern is like.

    Attributes
    ----------
    name, identifier, enzyme
        As of :class:`KnownMotif`.
    p, q
        TOMTOM's p-value, and the share of false matches among all of the database that are as good.
    similarity
        Of the two where they lie best on each other (:func:`motif_similarity`).
    pfm
        The known motif's base frequencies ``(m, 4)``, turned to the strand on which the pattern is like it.
    """

    name: str
    identifier: str
    enzyme: bool
    p: float
    q: float
    similarity: float
    pfm: np.ndarray = field(repr=False, compare=False)

    @property
    def called(self) -> bool:
        """Whether it is more than the least unlike: q below 0.05 and similarity of 0.6 or more."""
        return self.q < MAX_MATCH_Q and self.similarity >= MIN_MATCH_SIMILARITY


def is_jaspar(database: str) -> bool:
    """Whether a ``--motifs`` asks for JASPAR rather than naming a file."""
    return database.startswith(JASPAR_PREFIX)


def read_database(database: str | os.PathLike = DEFAULT_DATABASE) -> list[KnownMotif]:
    """The motifs of ``jaspar:<taxon>`` or of a MEME file, and the enzymes' own that these lack.

    Raises
    ------
    InputError
        For an unknown taxon, naming those there are, and for a file as in :func:`read_meme`.
    """
    text = os.fspath(database)
    found = jaspar_motifs(text.removeprefix(JASPAR_PREFIX)) if is_jaspar(text) else read_meme(text)
    known = {motif.identifier for motif in found}
    return found + [motif for motif in enzyme_patterns() if motif.identifier not in known]


def enzyme_patterns() -> list[KnownMotif]:
    """Motifs that bias models learn of Tn5 and DNase I, without the dull positions at their ends."""
    text = resources.files(__package__).joinpath("enzyme_motifs.json").read_text(encoding="utf-8")
    found = []
    for name, rows in ((name, rows) for motifs in json.loads(text)["motifs"].values() for name, rows in motifs.items()):
        pfm = np.array(rows)
        kept = np.flatnonzero(information_content(pfm) >= _DULL)
        found.append(KnownMotif(name, name, pfm[kept[0] : kept[-1] + 1]))
    return found


def jaspar_release() -> str:
    """The newest release of JASPAR that is installed, such as ``JASPAR2026``."""
    return _jaspar_file().stem


def _jaspar_file() -> Path:
    found = importlib.util.find_spec("pyjaspar")  # found, not imported: that would import biopython
    files = [] if found is None else list(Path(found.submodule_search_locations[0]).glob("data/JASPAR*.sqlite"))
    if not files:
        raise InputError(
            "JASPAR is not installed",
            expected="the package pyjaspar",
            remedy="pip install pyjaspar, or give a MEME file with --motifs",
        )
    return max(files, key=lambda path: path.stem)


def jaspar_motifs(taxon: str) -> list[KnownMotif]:
    """Latest versions of JASPAR's CORE motifs of a taxon, such as ``vertebrates`` or ``fungi``, by identifier."""
    with contextlib.closing(sqlite3.connect(f"{_jaspar_file().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        motifs = connection.execute(_LATEST, (taxon,)).fetchall()
        if not motifs:
            taxa = ", ".join(row[0] for row in connection.execute(_TAXA))
            raise InputError(
                f"--motifs {JASPAR_PREFIX}{taxon}: no such taxon in {jaspar_release()}",
                expected=f"one of {taxa}",
                remedy="or give a MEME file",
            )
        counts: dict[int, dict[str, list[float]]] = {number: {base: [] for base in "ACGT"} for number, _, _ in motifs}
        for number, base, value in connection.execute("SELECT ID, row, val FROM MATRIX_DATA ORDER BY ID, row, col"):
            if number in counts:
                counts[number][base].append(value)
    return [
        KnownMotif(name, identifier, _frequencies(np.array([counts[number][base] for base in "ACGT"]).T))
        for number, identifier, name in motifs
    ]


def _frequencies(counts: np.ndarray) -> np.ndarray:
    """Rows scaled to 1; without any count, even."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1), 0.25)


def read_meme(path: str | os.PathLike) -> list[KnownMotif]:
    """The motifs of a file in MEME's minimal form (version 4 or 5, alphabet ACGT), plain or gzip, in file order.

    A ``MOTIF`` line holds an identifier and, optionally, a name.

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


def _matrix(lines: Iterator[tuple[int, str]], header: str, where: str) -> np.ndarray:
    """The rows that follow a matrix's header, which says their number: ``w= 12``."""
    words = header.replace("=", "= ").split()
    values = dict(itertools.pairwise(words))
    if values.get("alength=", "4") != "4" or not values.get("w=", "").isdecimal() or int(values["w="]) == 0:
        raise InputError(where, expected="alength= 4 and the number of rows as w= N", found=repr(header[:80]))
    rows: list[list[float]] = []
    for _ in range(int(values["w="])):
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
    return _frequencies(np.array(rows))


def motif_similarity(pfm: np.ndarray, known: np.ndarray) -> tuple[float, bool]:
    """How alike two motifs are where they lie best on each other, and whether that is with ``known`` turned round.

    The cosine of their base frequencies less 1/4, over the positions of ``pfm``: those beyond the known motif's ends count
    as even, and what the known motif has beyond those of ``pfm`` does not count. A motif of even frequencies is like none.

    Parameters
    ----------
    pfm, known
        Base frequencies, ``(n, 4)`` and ``(m, 4)``.
    """
    one = pfm - 0.25
    best = (-1.0, False)
    overlap = min(_OVERLAP, len(pfm), len(known))
    for turned, other in enumerate((known - 0.25, known[::-1, ::-1] - 0.25)):
        for offset in range(overlap - len(pfm), len(known) - overlap + 1):
            start, end = max(0, offset), min(len(known), offset + len(pfm))
            size = np.linalg.norm(one) * np.linalg.norm(other[start:end])
            product = (one[start - offset : end - offset] * other[start:end]).sum()
            if size and product / size > best[0]:
                best = (float(product / size), bool(turned))
    return best


def match_motifs(pfms: Sequence[np.ndarray], database: Sequence[KnownMotif], most: int = 3) -> list[list[MotifMatch]]:
    """The ``most`` best matches of each motif: those that are called first, then by p-value.

    p-values are TOMTOM's (Gupta et al. 2007; Euclidean distance, complete score, both strands) by memelite; q-values are
    Benjamini and Hochberg's over the whole database, for each motif by itself. Of the twelve lowest, matches must also be
    similar (:data:`MIN_MATCH_SIMILARITY`) to be called.

    Parameters
    ----------
    pfms
        Base frequencies, each ``(n, 4)``.
    database
        What they are compared with.
    """
    if not pfms:
        return []
    from memelite import tomtom

    pfms = [_frequencies(pfm) for pfm in pfms]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small databases; the enzymes' motifs are always among them
        p, *_ = tomtom(
            [np.ascontiguousarray(pfm.T) for pfm in pfms], [np.ascontiguousarray(motif.pfm.T) for motif in database]
        )
    found = []
    for pfm, row, q in zip(pfms, np.asarray(p), false_discovery_control(np.clip(p, 0, 1), axis=-1), strict=True):
        matches = []
        for k in np.argsort(row, kind="stable")[:_CANDIDATES]:
            known = database[k]
            alike, turned = motif_similarity(pfm, known.pfm)
            matches.append(
                MotifMatch(
                    known.name,
                    known.identifier,
                    known.enzyme,
                    float(row[k]),
                    float(q[k]),
                    alike,
                    known.pfm[::-1, ::-1] if turned else known.pfm,
                )
            )
        found.append(sorted(matches, key=lambda match: not match.called)[:most])
    return found
