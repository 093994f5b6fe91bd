"""Motifs for marginal footprints: those of the enzymes, those of transcription factors, and a user's own file.

The built-in ones are in ``footprint_motifs.json`` (the enzymes' and those of vertebrates, of kundajelab/chrombpnet, MIT
licence) and ``factor_motifs.json`` (other taxa: best sites of matrices of JASPAR, CC BY 4.0); see ``attribution``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from chrombpnet_core.errors import Faults, InputError
from chrombpnet_core.formats import numbered_lines
from chrombpnet_core.genome import require_assay

__all__ = [
    "CONTROL",
    "FOOTPRINT_TAXA",
    "enzyme_footprint_motifs",
    "motif_file_name",
    "name_motifs",
    "read_footprint_motifs",
    "tf_footprint_motifs",
]

CONTROL = "control"
"""The name of the footprint without a motif."""

FOOTPRINT_TAXA = ("vertebrates", "fungi", "insects", "nematodes", "plants")
"""Taxa of which transcription factor motifs for footprints are built in, by JASPAR's names."""

_LONGEST_NAME = 100  # letters of a motif's name, which is part of a file's


def enzyme_footprint_motifs(assay: str) -> dict[str, str]:
    """List the motifs that an assay's enzyme prefers to cut.

    Parameters
    ----------
    assay
        ``ATAC`` or ``DNASE``.

    Returns
    -------
    dict of str to str
        Name → sequence.

    Examples
    --------
    >>> enzyme_footprint_motifs("ATAC")["tn5_1"]
    'GCACAGTACAGAGCTG'
    """
    return dict(_built_in()[require_assay(assay)])


def tf_footprint_motifs(taxon: str = FOOTPRINT_TAXA[0]) -> list[tuple[str, str]]:
    """List transcription factor motifs for footprints.

    Parameters
    ----------
    taxon
        One of :data:`FOOTPRINT_TAXA`. The reference program has those of vertebrates.

    Returns
    -------
    list of tuple of str
        Name and sequence; not a dict, as NRF1 has two.

    Raises
    ------
    InputError
        For another taxon.

    Examples
    --------
    >>> tf_footprint_motifs("fungi")[0]
    ('REB1', 'TTACCCG')
    """
    if taxon not in FOOTPRINT_TAXA:
        raise InputError(f"`taxon` {taxon}", expected=f"one of {', '.join(FOOTPRINT_TAXA)}")
    if taxon == FOOTPRINT_TAXA[0]:
        return [(name, sequence) for name, sequence in _built_in()["TF"]]
    return [(name, sequence) for name, _, sequence in _built_in("factor_motifs.json")[taxon]]


def read_footprint_motifs(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Read names and sequences of motifs for footprints from a file.

    Each line is a name, a tab and the letters A, C, G, T or N in either case; an N leaves the base masked.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of tuple of str
        Name and sequence, in file order; a name may stand there twice.

    Raises
    ------
    InputError
        Naming file and line: where there are not two columns, or another letter.
    """
    motifs, faults = list[tuple[str, str]](), Faults(str(path))
    for number, line in numbered_lines(path, "motifs"):
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        where = f"{path}, line {number}"
        if len(fields) != 2 or not all(fields):
            faults.add(InputError(where, expected="a motif's name, a tab and its sequence", found=repr(line)))
            continue
        name, letters = fields[0], fields[1].upper()
        wrong = sorted(set(letters) - set("ACGTN"))
        if wrong:
            found = f"{wrong[0]!r} in {fields[1][:40]}"
            faults.add(InputError(f"{where}: sequence of motif {name}", expected="letters A, C, G, T or N", found=found))
        motifs.append((name, letters))
    faults.refuse()
    if not motifs:
        raise InputError(f"{path}: no motifs", expected="lines of a name, a tab and a sequence")
    return motifs


def name_motifs(motifs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give each motif a name of its own, whose files overwrite no other's.

    A name that stands there again, as NRF1 does in the reference's list of transcription factors, becomes ``NRF1_2``.

    Parameters
    ----------
    motifs
        Names and sequences, as of :func:`read_footprint_motifs`.

    Returns
    -------
    dict of str to str
        Name → sequence.

    Raises
    ------
    InputError
        Where a name is the control's or too long, or two differ in no letter, digit, ``.``, ``+``, ``-`` or ``_``,
        or in case alone: their pictures would overwrite each other.

    Examples
    --------
    >>> name_motifs([("NRF1", "TGCGCATGCGCA"), ("NRF1", "CTGCGCATGCGC")])
    {'NRF1': 'TGCGCATGCGCA', 'NRF1_2': 'CTGCGCATGCGC'}
    """
    named: dict[str, str] = {}
    taken = {CONTROL: CONTROL}
    times: dict[str, int] = {}
    for name, letters in motifs:
        times[name] = times.get(name, 0) + 1
        unique = name if times[name] == 1 else f"{name}_{times[name]}"
        key = motif_file_name(unique).casefold()
        if key in taken:
            other = "the footprint without a motif" if taken[key] == CONTROL else f"motif {taken[key]}"
            raise InputError(
                f"motif {unique}: its picture would have the file name of that of {other}", remedy="give it another name"
            )
        if len(key) > _LONGEST_NAME:
            raise InputError(
                f"motif {unique[:40]}…: its name", expected=f"at most {_LONGEST_NAME} letters", found=f"{len(unique)}"
            )
        named[unique] = letters
        taken[key] = unique
    return named


def motif_file_name(motif: str) -> str:
    """Spell a motif's name as part of a file name, an address and an HDF5 path.

    Parameters
    ----------
    motif
        The motif's name.

    Returns
    -------
    str
        The same with ``_`` for every letter that may mean more there.

    Examples
    --------
    >>> motif_file_name("AP-1 (FOS/JUN)")
    'AP-1__FOS_JUN_'
    """
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", motif)


@cache
def _built_in(file: str = "footprint_motifs.json") -> dict[str, Any]:
    source = resources.files(__package__).joinpath(file)
    motifs: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))["motifs"]
    return motifs
