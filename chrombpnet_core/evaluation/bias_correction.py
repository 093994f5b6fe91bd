"""TODO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation.footprint_motifs import CONTROL
from chrombpnet_core.evaluation.footprints import Footprint
from chrombpnet_core.evaluation.thresholds import THRESHOLDS

__all__ = ["ENZYMES", "MAX_BIAS_RESPONSE", "BiasVerdict", "bias_response", "bias_verdict", "enzyme_of", "motifs_by_enzyme"]


MAX_BIAS_RESPONSE = THRESHOLDS["footprint"].good
"""Bias is corrected where the maximum of every enzyme footprint, rounded to 3 decimals, is below this."""


ENZYMES = ("tn5", "dnase")
"""What the names of the enzymes' own motifs contain, in either case."""


def enzyme_of(motif: str) -> str | None:
    """Tell which enzyme's own motif one is, by its name (``tn5_1``, ``DNASE_2``).

    Parameters
    ----------
    motif
        The motif's name.

    Returns
    -------
    str or None
        One of :data:`ENZYMES`; None for a motif of anything else.
    """
    return next((enzyme for enzyme in ENZYMES if enzyme in motif.lower()), None)


def motifs_by_enzyme(motifs: Iterable[str]) -> dict[str, list[str]]:
    """Group those motifs that are an enzyme's own by enzyme.

    Parameters
    ----------
    motifs
        Names, see :func:`enzyme_of`.

    Returns
    -------
    dict of str to list of str
        Enzyme → its motifs, in the order given; enzymes without any are left out.
    """
    names = list(motifs)
    own = {enzyme: [name for name in names if enzyme_of(name) == enzyme] for enzyme in ENZYMES}
    return {enzyme: members for enzyme, members in own.items() if members}


def bias_response(
    footprints: Mapping[str, Footprint | np.ndarray],
    motifs: Iterable[str] | None = None,
) -> dict[str, float]:
    """The maximum of each motif's footprint, the control left out.

    Parameters
    ----------
    footprints
        By name; :class:`Footprint` or profiles ``(W,)``.
    motifs
        The names that count, the enzyme's; all by default.
    """
    names = [name for name in footprints if name != CONTROL] if motifs is None else list(motifs)
    return {name: float(np.max(getattr(footprints[name], "profile", footprints[name]))) for name in names}


@dataclass(frozen=True)
class BiasVerdict:
    """Whether enzyme motifs still leave footprints.

    Attributes
    ----------
    corrected
        Every maximum, rounded to 3 decimals, is below :data:`MAX_BIAS_RESPONSE`.
    responses
        Those rounded maxima by motif.
    """

    corrected: bool
    responses: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean of the rounded maxima, rounded to 3 decimals."""
        return float(np.round(np.mean(list(self.responses.values())), 3))

    @property
    def text(self) -> str:
        """What ``*_max_bias_response.txt`` holds, such as ``corrected_0.002_0.002/0.001``."""
        word = "corrected" if self.corrected else "uncorrected"
        return f"{word}_{self.mean}_{'/'.join(str(value) for value in self.responses.values())}"


def bias_verdict(responses: Mapping[str, float]) -> BiasVerdict:
    """The verdict on maxima of :func:`bias_response`.

    Raises
    ------
    InputError
        Where there is no enzyme motif to judge by.
    """
    if not responses:
        raise InputError(
            "no enzyme motifs to judge the bias correction by", remedy="give at least one of the enzyme's motifs"
        )
    rounded = {name: float(np.round(value, 3)) for name, value in responses.items()}
    return BiasVerdict(all(value < MAX_BIAS_RESPONSE for value in rounded.values()), rounded)
