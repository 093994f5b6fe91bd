"""Whether a bigWig looks like insertions per base: the usual mistake is a track of bins, smoothed, or normalised.

Insertions are whole numbers, each base's nearly independent of its neighbour's. So the median run of one value is a single
base, however deep the data (of Poisson counts at most four in ten neighbours are equal), and neighbours a and b differ as
counts do: (a - b)² is a + b on average, and its median over all neighbours is between 0.4 and 1 of that, or more where the
enzyme has preferences. Where every insertion or read covers w bases it is 1/w of this. Deep data of an enzyme with strong
preferences vary more than counts do; where half of the bases are not 0, neighbours must also differ as much as bases 5 bp
apart do. How many bases are 0 says nothing: in a small genome with deep data hardly any is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chrombpnet_core._types import Floats, Ints
from chrombpnet_core.errors import InputError
from chrombpnet_core.tracks.coverage import Coverage

__all__ = ["TrackEvidence", "check_insertions", "track_evidence"]

log = logging.getLogger(__name__)

_SECTIONS = 160  # of the bigWig that are looked at, of some 1,000 values each
_FEW = 50  # runs that say nothing yet
_WHOLE = 0.99  # of the values, at least
_LONGEST_RUN = 1.5  # bp, the median of insertions being 1
_SMOOTHEST = 0.2  # steps between neighbours, insertions having 0.4 or more
_APART, _ALIKE, _DEEP = 5, 0.55, 0.5  # bp; difference of neighbours to that of bases so far apart; share of bases not 0
_ROUNDING = 1e-3


@dataclass(frozen=True)
class TrackEvidence:
    """What a sample of a track shows.

    Attributes
    ----------
    runs
        Runs of one value other than 0 in the sample.
    whole
        Share of them whose value is a whole number.
    median_run
        Their median length in bp.
    nonzero
        Share of bases that are not 0.
    steps
        Median of (a - b)² / (a + b) over neighbouring bases a and b that are not both 0.
    near
        Median difference of neighbours, divided by that of bases 5 bp apart, where the data are deep; 1 elsewhere.
    """

    runs: int
    whole: float
    median_run: float
    nonzero: float
    steps: float
    near: float

    @property
    def doubts(self) -> list[str]:
        """Why it cannot be insertions per base; empty where it may be, or where there is too little to tell."""
        if self.runs < _FEW:
            return []
        doubts = []
        if self.whole < _WHOLE:
            doubts.append("it is normalised, smoothed or a score")
        if self.median_run > _LONGEST_RUN:
            doubts.append("it is in bins, or covers whole reads")
        if self.whole >= _WHOLE and min(self.steps / _SMOOTHEST, self.near / _ALIKE) < 1 and not doubts:
            doubts.append("neighbouring bases are too alike: it covers whole reads, or is smoothed")
        return doubts

    def __str__(self) -> str:
        """Give the numbers."""
        return (
            f"{self.whole:.1%} of values whole, median run of one value {self.median_run:g} bp, "
            f"{self.nonzero:.1%} of bases not 0, steps between neighbours {self.steps:.2g} (in {self.runs:,} sampled runs)"
        )


def track_evidence(coverage: Coverage) -> TrackEvidence:
    """Sample a bigWig, evenly over all that it holds.

    Parameters
    ----------
    coverage
        The bigWig.

    Returns
    -------
    TrackEvidence
        What is seen.
    """
    lengths: list[Ints] = [np.empty(0, dtype=np.int64)]
    values: list[Floats] = [np.empty(0)]
    steps: list[Floats] = [np.empty(0)]
    deep: list[Floats] = []
    spanned = 0
    for starts, ends, entries in coverage.sections(_SECTIONS):
        spanned += int(ends[-1] - starts[0]) if len(ends) else 0
        for first, last, value in _runs(starts, ends, entries):
            joined = first[1:] == last[:-1]
            before = np.r_[0, np.where(joined, value[:-1], 0)]
            size = np.abs(value)
            steps += [(value - before) ** 2 / (size + np.abs(before)), size[~np.r_[joined, False]]]
            if (last - first).sum() > _DEEP * (last[-1] - first[0]):
                deep.append(_dense(first, last, value))
            lengths.append(last - first)
            values.append(value)
    length, value = np.concatenate(lengths), np.concatenate(values)
    if not len(length):
        return TrackEvidence(0, 1.0, 0.0, 0.0, 0.0, 1.0)
    rounded = np.rint(value)
    within = np.zeros(min(int((length - 1).sum()), 10 * sum(map(len, steps))))  # neighbours in one run do not differ
    return TrackEvidence(
        runs=len(length),
        whole=float(((np.abs(value - rounded) < _ROUNDING) & (rounded != 0)).mean()),
        median_run=float(np.median(length)),
        nonzero=float(length.sum() / max(spanned, 1)),
        steps=float(np.median(np.concatenate([within, *steps]))),
        near=_near(deep),
    )


def _dense(starts: Ints, ends: Ints, values: Floats) -> Floats:
    """Give the values of sorted intervals base by base, from the first to the last."""
    gaps = np.append(starts[1:], ends[-1:]) - ends
    pairs = np.stack([values, np.zeros_like(values)], axis=1).ravel()
    return np.repeat(pairs, np.stack([ends - starts, gaps], axis=1).ravel())


def _near(deep: list[Floats]) -> float:
    """Compare the difference of neighbours with that of bases farther apart; 1 where there is nothing to compare."""
    near, far = (
        np.concatenate([np.zeros(0), *(np.abs(dense[apart:] - dense[:-apart]) for dense in deep)]) for apart in (1, _APART)
    )
    return float(np.median(near) / np.median(far)) if far.any() and np.median(far) else 1.0


def _runs(starts: Ints, ends: Ints, values: Floats) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Join intervals of one value that follow each other, and leave out those of 0: starts, ends, values."""
    kept = np.isfinite(values) & (values != 0)
    starts, ends, values = starts[kept], ends[kept], values[kept].astype(np.float64)
    if len(starts):
        begins = np.r_[True, (starts[1:] != ends[:-1]) | (values[1:] != values[:-1])]
        yield starts[begins], ends[np.r_[begins[1:], True]], values[begins]


def check_insertions(coverage: Coverage, accept_bigwig: bool = False) -> str:
    """Refuse a bigWig that cannot be insertions per base.

    Parameters
    ----------
    coverage
        The bigWig.
    accept_bigwig
        Whether to take it all the same, with a warning.

    Returns
    -------
    str
        What was accepted although it looks wrong, with the evidence; empty where all is in order.

    Raises
    ------
    InputError
        With the evidence, where it is not to be taken all the same.
    """
    evidence = track_evidence(coverage)
    if not evidence.doubts:
        return ""
    words = f"{coverage.path}: no insertions per base: {' and '.join(evidence.doubts)}"
    if not accept_bigwig:
        raise InputError(
            words,
            expected="whole numbers in runs of a base or few",
            found=str(evidence),
            remedy="give raw counts of cut sites, both strands together, without bins, smoothing or normalisation; or the "
            "reads; or take it all the same with `accept_bigwig=True`",
        )
    log.warning("%s (%s); accepted as stated", words, evidence)
    return f"{words} ({evidence})"
