"""Motifs found in contributions: each pattern of TF-MoDISco as a row of a table with the known motifs it is like.

:class:`DiscoveredMotif` is what a report shows; it goes to JSON and back, so that a report needs no library of motifs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.motifs.database import KnownMotif, MotifMatch, match_motifs

__all__ = [
    "PATTERN_GROUPS",
    "DiscoveredMotif",
    "informative_positions",
    "match_patterns",
    "pattern_names",
    "read_discovered_motifs",
    "read_pattern_data",
    "tabulate_motifs",
    "write_discovered_motifs",
]

PATTERN_GROUPS = ("pos_patterns", "neg_patterns")
"""Groups of TF-MoDISco's HDF5: patterns that raise the prediction, and those that lower it."""

_TRIM = 0.3  # of the highest position: positions below it at the ends are cut off, as modisco-lite's report does
_FORMAT = 1  # of motifs.json; raise it when a key changes its meaning


@dataclass(frozen=True)
class DiscoveredMotif:
    """A pattern.

    Attributes
    ----------
    pattern
        Such as ``pos_patterns.pattern_0``.
    seqlets
        Number of its sites.
    cwm
        Contribution weights: mean contribution of each base, ``(n, 4)``, trimmed to positions of 30 % of the highest or
        more. ``reverse`` is the same read from the other strand.
    pfm
        Base frequencies at the same positions, ``(n, 4)``.
    contribution
        Mean over the sites of the sum of contributions over these positions.
    matches
        The best known motifs, those that are called first (:func:`~chrombpnet_core.motifs.match_motifs`).
    """

    pattern: str
    seqlets: int
    cwm: np.ndarray = field(repr=False)
    pfm: np.ndarray = field(repr=False)
    contribution: float
    matches: tuple[MotifMatch, ...]

    @property
    def reverse(self) -> np.ndarray:
        """``cwm`` from the other strand."""
        return self.cwm[::-1, ::-1]

    @property
    def kind(self) -> str:
        """``enzyme`` or ``tf`` by the best match, or ``unmatched`` where none is called."""
        if not self.matches or not self.matches[0].called:
            return "unmatched"
        return "enzyme" if self.matches[0].enzyme else "tf"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, :meth:`from_json`'s input; ``kind`` and the reverse matrix are among them for other readers."""
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
        """What :meth:`to_json` gave."""
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


def _rounded(matrix: np.ndarray) -> list[list[float]]:
    """To five significant digits: contributions may be small."""
    return [[float(f"{value:.5g}") for value in row] for row in matrix]


def pattern_names(file: h5py.File) -> list[str]:
    """Names of the patterns in TF-MoDISco's HDF5, such as ``pos_patterns.pattern_0``, each group by number."""
    names = []
    for group in PATTERN_GROUPS:
        found = file.get(group, {})
        if isinstance(found, h5py.Dataset):
            raise InputError(f"{file.filename}: {group}", expected="a group of patterns, as TF-MoDISco writes it")
        numbers = [name.removeprefix("pattern_") for name in found if name.startswith("pattern_")]
        names += [f"{group}.pattern_{number}" for number in sorted(filter(str.isdecimal, numbers), key=int)]
    return names


def read_pattern_data(file: h5py.File, pattern: str, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """A data set of a pattern, checked: finite numbers of a shape, in which None is any length."""
    data = file.get(f"{pattern.replace('.', '/')}/{name}")
    expected = "(" + ", ".join("n" if side is None else str(side) for side in shape) + ")"
    if (
        not isinstance(data, h5py.Dataset)
        or data.ndim != len(shape)
        or data.dtype.kind not in "iufb"
        or any(side is not None and side != found for side, found in zip(shape, data.shape, strict=True))
    ):
        raise InputError(
            f"{file.filename}: {pattern}/{name}",
            expected=f"numbers of shape {expected}",
            found=str(getattr(data, "shape", "nothing")),
            remedy="give the HDF5 of modisco_motifs",
        )
    values = data[()].astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{file.filename}: {pattern}/{name}", expected="finite numbers")
    return values


def informative_positions(cwm: np.ndarray) -> slice:
    """The positions from the first to the last whose contributions, summed without sign, are 30 % of the highest or more."""
    size = np.abs(cwm).sum(axis=1)
    kept = np.flatnonzero(size >= _TRIM * size.max())
    return slice(int(kept[0]), int(kept[-1]) + 1)


def match_patterns(patterns: str | os.PathLike, database: Sequence[KnownMotif]) -> list[DiscoveredMotif]:
    """The patterns of TF-MoDISco's HDF5 with their matches in a database; empty where there are none.

    Patterns that raise predictions come first, then those that lower them, each by number, which is by number of sites.

    Raises
    ------
    InputError
        Where the file has another form.
    """
    found = []
    with open_hdf5(patterns, "patterns of TF-MoDISco") as file:
        for name in pattern_names(file):
            cwm = read_pattern_data(file, name, "contrib_scores", (None, 4))
            pfm = read_pattern_data(file, name, "sequence", (len(cwm), 4))
            seqlets = int(read_pattern_data(file, name, "seqlets/n_seqlets", (1,))[0])
            core = informative_positions(cwm)
            found.append((name, seqlets, cwm[core], pfm[core]))
    matches = match_motifs([pfm for *_, pfm in found], database)
    return [
        DiscoveredMotif(name, seqlets, cwm, pfm, float(cwm.sum()), tuple(best))
        for (name, seqlets, cwm, pfm), best in zip(found, matches, strict=True)
    ]


def tabulate_motifs(rows: Sequence[DiscoveredMotif]) -> list[list[str]]:
    """Rows of text, the first of them the header: what ``motifs.tsv`` holds."""
    header = [
        "pattern",
        "seqlets",
        "kind",
        "contribution",
        "consensus",
        *(f"match{k}{part}" for k in range(3) for part in ("", "_id", "_q")),
    ]
    table = [header]
    for row in rows:
        best = [text for match in row.matches for text in (match.name, match.identifier, f"{match.q:.3g}")]
        consensus = "".join(
            "ACGT"[base] if share >= 0.5 else "n"
            for base, share in zip(row.pfm.argmax(axis=1), row.pfm.max(axis=1), strict=True)
        )
        table.append(
            [row.pattern, str(row.seqlets), row.kind, f"{row.contribution:.4g}", consensus, *[*best, *[""] * 9][:9]]
        )
    return table


def write_discovered_motifs(rows: Sequence[DiscoveredMotif], path: str | os.PathLike, **about: Any) -> None:
    """Write ``motifs.json``: the rows, and ``about`` the run."""
    content = {"format": _FORMAT, **about, "motifs": [row.to_json() for row in rows]}
    Path(path).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_discovered_motifs(path: str | os.PathLike) -> list[DiscoveredMotif]:
    """The rows of ``motifs.json``."""
    return [DiscoveredMotif.from_json(row) for row in json.loads(Path(path).read_text(encoding="utf-8"))["motifs"]]
