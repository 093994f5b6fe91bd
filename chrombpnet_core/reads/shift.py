"""The enzyme shift that reads already carry, estimated from the bases around their 5' ends.

Every reference matrix of the enzyme is slid along the base frequencies around a sample of 5' ends; where it fits
best says by how many bases the reads were moved before (Pampari et al. 2024; kundajelab/chrombpnet). The target
convention is +4/-4 for ATAC and 0/+1 for DNASE.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from chrombpnet_core.errors import InputError, ShiftError, counted
from chrombpnet_core.genome import EnzymeMatrices, Genome, enzyme_matrices, information_content, require_assay
from chrombpnet_core.reads.spilled_reads import STRANDS, ReadSample

__all__ = [
    "SHIFT_WINDOW",
    "STANDARD_SHIFTS",
    "TARGET_SHIFTS",
    "ShiftEstimate",
    "base_frequencies_around",
    "estimate_shift",
    "offset_scores",
]

log = logging.getLogger(__name__)

SHIFT_WINDOW = 40
"""Width in bp of the window around a raw 5' position, which is its base 20."""

TARGET_SHIFTS = {"ATAC": (4, -4), "DNASE": (0, 1)}
"""Shift of the plus and the minus strand that insertions are counted at."""

STANDARD_SHIFTS = {
    "ATAC": frozenset({(0, 0)} | {(plus, minus) for plus in (3, 4, 5) for minus in (-4, -5, -6)}),
    "DNASE": frozenset({(0, 0), (0, 1)}),
}
"""Shifts (plus, minus) that reads may carry."""

_AT_ZERO = {"ATAC": {"+": 14, "-": 5}, "DNASE": {"+": 10, "-": 10}}  # offset of the best fit of unshifted reads
_PSEUDOCOUNT = 0.001
_FEW_READS = 2_000


@dataclass(frozen=True)
class ShiftEstimate:
    """The shift of the reads and its evidence.

    Parameters
    ----------
    assay
        ``ATAC`` or ``DNASE``.
    plus_shift
        Bases by which the reads of the plus strand were moved before.
    minus_shift
        The same of the minus strand.
    stated
        Whether the user stated them, so that the votes were not consulted.
    votes
        Strand → name of the reference matrix → shift it votes for; empty where a strand had no usable reads.
    scores
        Strand → name → score at each offset, float64 ``(21,)``.
    pfms
        Strand → base frequencies around 5' ends, float64 ``(40, 4)``.
    reads
        Strand → number of sampled reads whose window lies inside the chromosome.
    """

    assay: str
    plus_shift: int
    minus_shift: int
    stated: bool
    votes: dict[str, dict[str, int]]
    scores: dict[str, dict[str, np.ndarray]]
    pfms: dict[str, np.ndarray]
    reads: dict[str, int]

    @property
    def deltas(self) -> tuple[int, int]:
        """Bases still to be added to the plus ``start`` and the minus ``end``."""
        plus, minus = TARGET_SHIFTS[self.assay]
        return plus - self.plus_shift, minus - self.minus_shift

    def to_dict(self) -> dict[str, object]:
        """Give everything as JSON types."""
        return {
            "assay": self.assay,
            "plus_shift": self.plus_shift,
            "minus_shift": self.minus_shift,
            "stated": self.stated,
            "plus_delta": self.deltas[0],
            "minus_delta": self.deltas[1],
            "votes": self.votes,
            "reads": self.reads,
            "scores": {
                strand: {name: score.tolist() for name, score in named.items()} for strand, named in self.scores.items()
            },
            "pfms": {strand: pfm.tolist() for strand, pfm in self.pfms.items()},
        }


def estimate_shift(
    sample: dict[str, ReadSample],
    genome: Genome,
    assay: str,
    matrices: EnzymeMatrices | None = None,
    plus_shift: int | None = None,
    minus_shift: int | None = None,
) -> ShiftEstimate:
    """Estimate the enzyme shift of sampled reads, or take the user's and report the votes beside it.

    Parameters
    ----------
    sample
        Strand → sampled reads.
    genome
        The genome they were aligned to.
    assay
        ``ATAC`` or ``DNASE``.
    matrices
        Reference matrices, strand → name → ``(20, 4)``; default those of the package.
    plus_shift
        The shift of the plus strand as the user states it.
    minus_shift
        The shift of the minus strand; both or neither are stated.

    Returns
    -------
    ShiftEstimate
        The shift, and the votes of every matrix.

    Raises
    ------
    ShiftError
        Where the matrices disagree or agree on a non-standard shift, showing every vote.
    InputError
        Where a strand has no usable reads, or only one of the two shifts is stated.
    """
    require_assay(assay)
    if (plus_shift is None) != (minus_shift is None):
        raise InputError("only one of the two shifts is stated", remedy="give `plus_shift` and `minus_shift`")
    matrices = enzyme_matrices(assay) if matrices is None else matrices
    pfms, reads, scores, votes = {}, {}, {}, {}
    unshifted = _AT_ZERO[assay]
    for strand in STRANDS:
        pfms[strand], reads[strand] = base_frequencies_around(sample[strand], genome)
        usable = matrices[strand] if reads[strand] else {}
        scores[strand] = {name: offset_scores(pfms[strand], matrix) for name, matrix in usable.items()}
        votes[strand] = {name: unshifted[strand] - int(np.argmax(score)) for name, score in scores[strand].items()}
    if plus_shift is not None and minus_shift is not None:
        log.info("shift %+d/%+d as stated; votes of the reference matrices: %s", plus_shift, minus_shift, _shown(votes))
        return ShiftEstimate(assay, plus_shift, minus_shift, True, votes, scores, pfms, reads)
    plus, minus = _agreed(assay, votes, reads)
    log.info("shift %+d/%+d of the reads; votes of the reference matrices: %s", plus, minus, _shown(votes))
    return ShiftEstimate(assay, plus, minus, False, votes, scores, pfms, reads)


def base_frequencies_around(sample: ReadSample, genome: Genome) -> tuple[np.ndarray, int]:
    """Count the bases around raw 5' positions.

    Windows ``[position - 20, position + 20)`` that leave their chromosome are left out; other letters than A, C, G, T
    do not count.

    Parameters
    ----------
    sample
        Reads of one strand.
    genome
        The genome they were aligned to.

    Returns
    -------
    tuple
        Frequencies float64 ``(40, 4)``, each row summing to 1 (0.25 where there is no base), and the number of reads that
        they come from.
    """
    counts = np.zeros((SHIFT_WINDOW, 4))
    used = 0
    chroms, group = np.unique(sample.chroms.astype(str), return_inverse=True)
    for number, chrom in enumerate(chroms):
        if chrom not in genome.sizes:
            continue
        starts = np.sort(sample.positions[group == number].astype(np.int64)) - SHIFT_WINDOW // 2
        starts = starts[(starts >= 0) & (starts + SHIFT_WINDOW <= genome.sizes[chrom])]
        windows = genome.windows(np.full(len(starts), chrom), starts, SHIFT_WINDOW)
        counts += (windows[:, :, None] == np.arange(4)).sum(axis=0)
        used += len(starts)
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full_like(counts, 0.25), where=totals > 0), used


def offset_scores(pfm: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Slide a reference matrix along a window and score its fit: sums of elementwise products, both scaled by information.

    Parameters
    ----------
    pfm
        Base frequencies of the window, ``(40, 4)``.
    matrix
        Base frequencies of the reference, ``(20, 4)``; its rows are scaled to add up to 1.

    Returns
    -------
    ndarray
        Score at each offset, float64 ``(21,)``.
    """
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    pfm, matrix = (rows * information_content(rows, _PSEUDOCOUNT)[:, None] for rows in (pfm, matrix))
    return np.array([(pfm[start : start + len(matrix)] * matrix).sum() for start in range(len(pfm) - len(matrix) + 1)])


def _agreed(assay: str, votes: dict[str, dict[str, int]], reads: dict[str, int]) -> tuple[int, int]:
    """Find the shift on which all matrices agree and which is standard, or raise :class:`ShiftError`."""
    for strand in STRANDS:
        if not reads[strand]:
            raise InputError(
                f"no read of the {strand} strand has {SHIFT_WINDOW} bp of its chromosome around its 5' end",
                expected="reads of both strands",
                remedy=f"check the input, or {_override()}",
            )
    few = min(reads.values())
    if few < _FEW_READS:
        log.warning(
            "the shift is estimated from %s of a strand only; below %s it is uncertain",
            counted(few, "reads"),
            f"{_FEW_READS:,}",
        )
    agreed = [set(votes[strand].values()) for strand in STRANDS]
    evidence = f"the reference matrices vote {_shown(votes)}, from {reads['+']:,} and {reads['-']:,} reads"
    other = "too few reads" if few < _FEW_READS else "an unusual library"
    remedy = (
        "the usual cause is reads trimmed at their 5' end or shifted by another tool; a wrong `assay` or "
        f"genome, or {other} can also be behind it; {_override()}"
    )
    if any(len(shifts) > 1 for shifts in agreed):
        raise ShiftError(f"the evidence on the shift of the reads is inconsistent: {evidence}", remedy=remedy)
    plus, minus = (shifts.pop() for shifts in agreed)
    if (plus, minus) not in STANDARD_SHIFTS[assay]:
        raise ShiftError(
            f"the shift of the reads is non-standard for {assay}: {plus:+d}/{minus:+d}; {evidence}",
            expected=_standard(assay),
            remedy=remedy,
        )
    return plus, minus


def _shown(votes: dict[str, dict[str, int]]) -> str:
    return "; ".join(
        f"{strand} strand: " + (", ".join(f"{name} {shift:+d}" for name, shift in votes[strand].items()) or "no reads")
        for strand in STRANDS
    )


def _standard(assay: str) -> str:
    return "+0/+0, or +3, +4 or +5 with -4, -5 or -6" if assay == "ATAC" else "+0/+0 or +0/+1"


def _override() -> str:
    return "if you know the shift, state it with `plus_shift` and `minus_shift` (0 and 0 for reads as they were aligned)"
