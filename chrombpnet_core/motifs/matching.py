"""Which known motifs a discovered one is like: TOMTOM's p-values, and how alike the two are where they lie best."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import false_discovery_control

from chrombpnet_core import _numba  # noqa: F401 (names a folder for memelite's machine code, too)
from chrombpnet_core._types import Floats
from chrombpnet_core.evaluation import THRESHOLDS
from chrombpnet_core.motifs.database import KnownMotif, base_frequencies

__all__ = ["MAX_MATCH_Q", "MIN_MATCH_SIMILARITY", "MotifMatch", "match_motifs", "motif_similarity"]

MAX_MATCH_Q = THRESHOLDS["bias_motifs"].good
"""q-value below which a known motif is called a match, where it is similar enough."""

MIN_MATCH_SIMILARITY = 0.6
"""Least :func:`motif_similarity` of a match. Random motifs seldom reach it; TOMTOM finds uninformative ones alike."""

_CANDIDATES = 12  # of the lowest p-values, which are aligned
_OVERLAP = 5  # positions in which motifs are compared at least, unless one is shorter


@dataclass(frozen=True)
class MotifMatch:
    """A known motif that a pattern is like.

    Attributes
    ----------
    name, identifier, enzyme
        As of :class:`~chrombpnet_core.motifs.KnownMotif`.
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
    pfm: Floats = field(repr=False, compare=False)

    @property
    def called(self) -> bool:
        """Whether it is called a match: q below 0.05 and similarity of 0.6 or more."""
        return self.q < MAX_MATCH_Q and self.similarity >= MIN_MATCH_SIMILARITY


def motif_similarity(pfm: Floats, known: Floats) -> tuple[float, bool]:
    """Compute how alike two motifs are where they lie best on each other.

    The cosine of their base frequencies less 1/4, over the positions of ``pfm``: those beyond the known motif's ends count
    as even, and what the known motif has beyond those of ``pfm`` does not count. A motif of even frequencies is like none.

    Parameters
    ----------
    pfm
        Base frequencies ``(n, 4)``.
    known
        Base frequencies ``(m, 4)`` of what it is compared with.

    Returns
    -------
    similarity : float
        Between -1 and 1.
    reversed : bool
        Whether ``known`` lies best as its reverse complement.

    Examples
    --------
    >>> import numpy as np
    >>> motif = np.eye(4)[[0, 0, 2, 1, 0, 3]]  # AAGCAT
    >>> similarity, turned = motif_similarity(motif, motif[::-1, ::-1])
    >>> round(similarity, 6), turned
    (1.0, True)
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


def match_motifs(pfms: Sequence[Floats], database: Sequence[KnownMotif], most: int = 3) -> list[list[MotifMatch]]:
    """Find the best matches of each motif in a database: those that are called first, then by p-value.

    p-values are TOMTOM's (Gupta et al. 2007; Euclidean distance, complete score, both strands) by memelite; q-values are
    Benjamini and Hochberg's over the whole database, for each motif by itself. Of the twelve lowest, matches must also be
    similar (:data:`MIN_MATCH_SIMILARITY`) to be called.

    Parameters
    ----------
    pfms
        Base frequencies, each ``(n, 4)``.
    database
        What they are compared with.
    most
        Matches of each motif that are returned.

    Returns
    -------
    list of list of MotifMatch
        For each motif its matches, the best first.
    """
    if not pfms:
        return []
    from memelite import tomtom

    pfms = [base_frequencies(pfm) for pfm in pfms]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small databases; the enzymes' motifs are always among them
        p, *_ = tomtom(
            [np.ascontiguousarray(pfm.T) for pfm in pfms], [np.ascontiguousarray(motif.pfm.T) for motif in database]
        )
    q = false_discovery_control(np.clip(p, 0, 1), axis=-1)
    return [_best_matches(*motif, database, most) for motif in zip(pfms, np.asarray(p), q, strict=True)]


def _best_matches(pfm: Floats, p: Floats, q: Floats, database: Sequence[KnownMotif], most: int) -> list[MotifMatch]:
    matches = []
    for k in np.argsort(p, kind="stable")[:_CANDIDATES]:
        known = database[k]
        similarity, turned = motif_similarity(pfm, known.pfm)
        seen = known.pfm[::-1, ::-1] if turned else known.pfm
        matches.append(MotifMatch(known.name, known.identifier, known.enzyme, float(p[k]), float(q[k]), similarity, seen))
    return sorted(matches, key=lambda match: not match.called)[:most]
