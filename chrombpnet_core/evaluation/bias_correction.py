"""Whether a model is free of the enzyme's bias: the maxima of its footprints of the enzyme's own motifs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from chrombpnet_core._types import Floats
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation.footprint_motifs import CONTROL
from chrombpnet_core.evaluation.footprints import Footprint
from chrombpnet_core.evaluation.thresholds import THRESHOLDS

__all__ = [
    "ENZYMES",
    "MAX_BIAS_RESPONSE",
    "BiasVerdict",
    "bias_response",
    "bias_verdict",
    "enzyme_of",
    "format_response",
    "motifs_by_enzyme",
]

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
        One of :data:`ENZYMES`; None for the motif of anything else.

    Examples
    --------
    >>> enzyme_of("TN5_1"), enzyme_of("CTCF")
    ('tn5', None)
    """
    return next((enzyme for enzyme in ENZYMES if enzyme in motif.lower()), None)


def motifs_by_enzyme(motifs: Iterable[str]) -> dict[str, list[str]]:
    """Group the motifs that are an enzyme's own by enzyme.

    Parameters
    ----------
    motifs
        Names, see :func:`enzyme_of`.

    Returns
    -------
    dict of str to list of str
        Enzyme → its motifs, in the order given; an enzyme without any is left out.
    """
    names = list(motifs)
    own = {enzyme: [name for name in names if enzyme_of(name) == enzyme] for enzyme in ENZYMES}
    return {enzyme: members for enzyme, members in own.items() if members}


def bias_response(
    footprints: Mapping[str, Footprint | Floats],
    motifs: Iterable[str] | None = None,
) -> dict[str, float]:
    """Take the maximum of each motif's footprint.

    Parameters
    ----------
    footprints
        By motif; :class:`Footprint` or profiles ``(W,)``.
    motifs
        The names that count, the enzyme's; by default all but the control.

    Returns
    -------
    dict of str to float
        Motif → the highest share of cuts at one base.
    """
    names = [name for name in footprints if name != CONTROL] if motifs is None else list(motifs)
    return {name: float(np.max(_profile(footprints[name]))) for name in names}


def format_response(maximum: float) -> str:
    """Format the maximum of a footprint, so that what is shown lies on its side of :data:`MAX_BIAS_RESPONSE`.

    Parameters
    ----------
    maximum
        As of :func:`bias_response`.

    Returns
    -------
    str
        The number with four decimals, or more where it takes them.

    Examples
    --------
    >>> format_response(0.45), format_response(0.00299)
    ('0.4500', '0.00299')
    """
    return f"{maximum:.{THRESHOLDS['footprint'].digits(maximum, 4)}f}"


def _profile(footprint: Footprint | Floats) -> Floats:
    return footprint.profile if isinstance(footprint, Footprint) else footprint


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
    """Judge whether bias is corrected from the maxima of the enzyme's footprints.

    Parameters
    ----------
    responses
        Motif → maximum, as of :func:`bias_response`.

    Returns
    -------
    BiasVerdict
        The verdict and the rounded maxima.

    Raises
    ------
    InputError
        Where there is no enzyme motif to judge by.

    Examples
    --------
    >>> bias_verdict({"tn5_1": 0.0026, "tn5_2": 0.0012}).text
    'uncorrected_0.002_0.003/0.001'
    """
    if not responses:
        raise InputError(
            "no enzyme motifs to judge the bias correction by", remedy="give at least one of the enzyme's motifs"
        )
    rounded = {name: float(np.round(value, 3)) for name, value in responses.items()}
    return BiasVerdict(all(value < MAX_BIAS_RESPONSE for value in rounded.values()), rounded)
