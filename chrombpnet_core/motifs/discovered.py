"""Motifs found in contributions: each pattern of TF-MoDISco with the known motifs that it is like.

:class:`DiscoveredMotif` is what a report shows; it goes to JSON and back, so that a report needs no library of motifs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chrombpnet_core._types import Floats
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.motifs.database import KnownMotif
from chrombpnet_core.motifs.matching import MotifMatch, match_motifs
from chrombpnet_core.motifs.patterns import informative_positions, pattern_names, read_pattern_data

__all__ = [
    "DiscoveredMotif",
    "match_patterns",
    "read_discovered_motifs",
    "tabulate_motifs",
    "write_discovered_motifs",
]

_FORMAT = 1  # of motifs.json; raise it when a key changes its meaning


@dataclass(frozen=True)
class DiscoveredMotif:
    """A pattern of TF-MoDISco and its matches.

    Attributes
    ----------
    pattern
        Such as ``pos_patterns.pattern_0``.
    seqlets
        Number of its seqlets.
    cwm
        Contribution weights: mean contribution of each base, ``(n, 4)``, trimmed to positions of 30 % of the highest or
        more. ``reverse`` is the same read from the other strand.
    pfm
        Base frequencies at the same positions, ``(n, 4)``.
    contribution
        Mean over the seqlets of the sum of contributions over these positions.
    matches
        The best known motifs, those that are called first (:func:`~chrombpnet_core.motifs.match_motifs`).
    """

    pattern: str
    seqlets: int
    cwm: Floats = field(repr=False)
    pfm: Floats = field(repr=False)
    contribution: float
    matches: tuple[MotifMatch, ...]

    @property
    def reverse(self) -> Floats:
        """``cwm`` from the other strand."""
        return self.cwm[::-1, ::-1]

    @property
    def kind(self) -> str:
        """``enzyme`` or ``tf`` by the best match, or ``unmatched`` where none is called."""
        if not self.matches or not self.matches[0].called:
            return "unmatched"
        return "enzyme" if self.matches[0].enzyme else "tf"

    def to_json(self) -> dict[str, Any]:
        """Make plain JSON values; ``kind`` and the reverse matrix are among them for other readers."""
        return {
            "pattern": self.pattern,
            "seqlets": self.seqlets,
            "kind": self.kind,
            "contribution": self.contribution,
            "cwm": _rounded(self.cwm),
            "cwm_reverse": _rounded(self.reverse),
            "pfm": _rounded(self.pfm),
            "matches": [
                {
                    "name": match.name,
                    "id": match.identifier,
                    "enzyme": match.enzyme,
                    "p": match.p,
                    "q": match.q,
                    "similarity": match.similarity,
                    "called": match.called,
                    "pfm": _rounded(match.pfm),
                }
                for match in self.matches
            ],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> DiscoveredMotif:
        """Make a motif of what :meth:`to_json` gave."""
        matches = tuple(
            MotifMatch(
                match["name"],
                match["id"],
                match["enzyme"],
                match["p"],
                match["q"],
                match["similarity"],
                np.array(match["pfm"]),
            )
            for match in content["matches"]
        )
        return cls(
            content["pattern"],
            content["seqlets"],
            np.array(content["cwm"]),
            np.array(content["pfm"]),
            content["contribution"],
            matches,
        )


def _rounded(matrix: Floats) -> list[list[float]]:
    """To five significant digits: contributions may be small."""
    return [[float(f"{value:.5g}") for value in row] for row in matrix]


def match_patterns(patterns: str | os.PathLike[str], database: Sequence[KnownMotif]) -> list[DiscoveredMotif]:
    """Read the patterns of TF-MoDISco's HDF5 and match them with a database.

    Parameters
    ----------
    patterns
        The HDF5 file.
    database
        Known motifs, as of :func:`~chrombpnet_core.motifs.read_database`.

    Returns
    -------
    list of DiscoveredMotif
        Patterns that raise predictions come first, then those that lower them, each by number, which is by number of
        seqlets; empty where there are none.

    Raises
    ------
    InputError
        Where the file has another form.
    """
    cores = []
    with open_hdf5(patterns, "patterns of TF-MoDISco") as file:
        for name in pattern_names(file):
            cwm = read_pattern_data(file, name, "contrib_scores", (None, 4))
            pfm = read_pattern_data(file, name, "sequence", (len(cwm), 4))
            seqlets = int(read_pattern_data(file, name, "seqlets/n_seqlets", (1,))[0])
            core = informative_positions(cwm)
            cores.append((name, seqlets, cwm[core], pfm[core]))
    matches = match_motifs([pfm for *_, pfm in cores], database)
    return [
        DiscoveredMotif(name, seqlets, cwm, pfm, float(cwm.sum()), tuple(best))
        for (name, seqlets, cwm, pfm), best in zip(cores, matches, strict=True)
    ]


def tabulate_motifs(motifs: Sequence[DiscoveredMotif]) -> list[list[str]]:
    """Make the table of ``motifs.tsv``.

    Parameters
    ----------
    motifs
        Of :func:`match_patterns`.

    Returns
    -------
    list of list of str
        Rows of text, the first of them the header.
    """
    header = [
        "pattern",
        "seqlets",
        "kind",
        "contribution",
        "consensus",
        *(f"match{k}{part}" for k in range(3) for part in ("", "_id", "_q")),
    ]
    table = [header]
    for motif in motifs:
        best = [text for match in motif.matches for text in (match.name, match.identifier, f"{match.q:.3g}")]
        consensus = "".join(
            "ACGT"[base] if share >= 0.5 else "n"
            for base, share in zip(motif.pfm.argmax(axis=1), motif.pfm.max(axis=1), strict=True)
        )
        row = [motif.pattern, str(motif.seqlets), motif.kind, f"{motif.contribution:.4g}", consensus]
        table.append([*row, *[*best, *[""] * 9][:9]])
    return table


def write_discovered_motifs(motifs: Sequence[DiscoveredMotif], path: str | os.PathLike[str], **about: Any) -> None:
    """Write ``motifs.json``.

    Parameters
    ----------
    motifs
        Of :func:`match_patterns`.
    path
        Where it goes.
    **about
        Facts of the search, beside the motifs.
    """
    content = {"format": _FORMAT, **about, "motifs": [motif.to_json() for motif in motifs]}
    Path(path).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_discovered_motifs(path: str | os.PathLike[str]) -> list[DiscoveredMotif]:
    """Read the motifs of ``motifs.json``.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of DiscoveredMotif
        In file order.
    """
    return [DiscoveredMotif.from_json(motif) for motif in json.loads(Path(path).read_text(encoding="utf-8"))["motifs"]]
