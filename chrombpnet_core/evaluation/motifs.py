"""Motifs for marginal footprints: those of the enzymes, those of transcription factors, and a user's own file.

The built-in ones are in ``footprint_motifs.json``, which says under ``attribution`` where they come from:
kundajelab/chrombpnet, MIT licence.
"""

from __future__ import annotations

import json
import os
from functools import cache
from importlib import resources

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import numbered_lines
from chrombpnet_core.genome import require_assay

__all__ = ["enzyme_motifs", "read_motifs", "tf_motifs"]


def enzyme_motifs(assay: str) -> dict[str, str]:
    """Bias motifs of an assay's enzyme, name → sequence, for marginal footprints."""
    return dict(_built_in()[require_assay(assay)])


def tf_motifs() -> list[tuple[str, str]]:
    """Name and sequence of transcription factor motifs for footprints; a list, as NRF1 has two."""
    return [(name, sequence) for name, sequence in _built_in()["TF"]]


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
            raise InputError(
                f"{where}: sequence of motif {name}",
                expected="letters A, C, G, T or N",
                found=f"{wrong[0]!r} in {fields[1][:40]}",
            )
        motifs.append((name, letters))
    if not motifs:
        raise InputError(f"{path}: no motifs", expected="lines of a name, a tab and a sequence")
    return motifs


@cache
def _built_in() -> dict:
    source = resources.files(__package__).joinpath("footprint_motifs.json")
    return json.loads(source.read_text(encoding="utf-8"))["motifs"]
