"""The thresholds by which models and their data are judged, all of them, in one table.

The numbers are rules of thumb of the ChromBPNet authors (report text and wiki of kundajelab/chrombpnet), standards of ENCODE
(https://www.encodeproject.org/atac-seq/) or this package's own; the report says which, and what to do where one is missed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "FEWEST_READS",
    "FOLD_APART",
    "HUMAN_GENOME",
    "STATUSES",
    "THRESHOLDS",
    "TSS_LEVELS",
    "Threshold",
]

STATUSES = ("fail", "warn", "pass", "info")
"""What a judged number may be, from worst to best; ``info`` judges nothing."""


@dataclass(frozen=True)
class Threshold:
    """Bounds that part a number that passes from one that warns and one that fails.

    Attributes
    ----------
    good
        Beyond it the number passes.
    bad
        Beyond it, the other way, it fails; None: it warns at worst; as ``good``: it never warns.
    higher_is_better
        Which way is beyond.
    inclusive
        Whether ``good`` itself passes.
    bad_fails
        Whether ``bad`` itself fails.
    """

    good: float
    bad: float | None = None
    higher_is_better: bool = True
    inclusive: bool = True
    bad_fails: bool = False

    def status(self, value: float) -> str:
        """Judge a number: ``pass``, ``warn`` or ``fail``; a value that is not a number warns."""
        if not math.isfinite(value):
            return "warn"
        sign = 1 if self.higher_is_better else -1
        if sign * value > sign * self.good or (self.inclusive and value == self.good):
            return "pass"
        if self.bad is None:
            return "warn"
        beyond = sign * value < sign * self.bad or (self.bad_fails and value == self.bad)
        return "fail" if beyond or self.bad == self.good else "warn"

    def digits(self, value: float, least: int = 3) -> int:
        """Count the decimals to show of a number: so many that what is shown lies on the number's side of the bounds."""
        bounds = [bound for bound in (self.good, self.bad) if bound is not None]
        digits = least
        while digits < least + 6 and any(round(value, digits) == bound != value for bound in bounds):
            digits += 1
        return digits


THRESHOLDS: dict[str, Threshold] = {
    # Pearson r of the bias model's log counts with observed ones, in held-out nonpeaks and peaks.
    "bias_r_nonpeaks": Threshold(0.0, 0.0, inclusive=False),
    "bias_r_peaks": Threshold(-0.3, -0.5, inclusive=False),
    # The bias model's r in held-out peaks as a share of the full model's.
    "bias_share": Threshold(0.7, higher_is_better=False),
    # Highest maximum of the bias model's footprints of enzyme motifs, in multiples of an even profile.
    "bias_response": Threshold(3.0),
    # Pearson r of the full model's log counts with observed ones, in held-out peaks.
    "main_r_peaks": Threshold(0.5, 0.0, inclusive=False, bad_fails=True),
    # AUROC of the full model's log counts, held-out peaks against nonpeaks.
    "main_auroc": Threshold(0.7, 0.55, bad_fails=True),
    # Standard deviation of the full model's log counts in held-out peaks as a share of the observed ones'.
    "main_spread": Threshold(0.2),
    # Highest maximum of the corrected model's footprints of enzyme motifs.
    "footprint": Threshold(0.003, 0.003, higher_is_better=False, inclusive=False),
    # Smallest q-value of a transcription factor's motif in the bias model; from `good` on motifs count as not alike.
    "bias_motifs": Threshold(0.05, 1e-4),
    # Number of enzyme motifs in the corrected model.
    "corrected_motifs": Threshold(0, 0, higher_is_better=False),
    # Weight of the counts loss.
    "loss_weight": Threshold(1.0, inclusive=False),
    # Reads, scaled to the length of the human genome.
    "reads": Threshold(25e6),
    # Share of the nonpeaks asked for that were found.
    "nonpeaks_made": Threshold(0.9, 0.5),
    # Regions of the training and validation chromosomes that a model trains on.
    "training_regions": Threshold(1000, 100),
    # Peaks of the training and validation chromosomes.
    "most_peaks": Threshold(250_000, higher_is_better=False),
    # Share of test peaks without any read.
    "without_reads": Threshold(0.05, higher_is_better=False),
    # Share of the insertions that lie in peaks.
    "frip": Threshold(0.2, inclusive=False),
    # TSS enrichment as a multiple of what is acceptable for the assembly.
    "tss_enrichment": Threshold(1.0),
}
"""What is judged → its threshold."""

TSS_LEVELS = {"hg19": (6.0, 10.0), "GRCh38": (5.0, 7.0), "mm9": (5.0, 7.0), "mm10": (10.0, 15.0)}
"""Assembly → TSS enrichment from which ENCODE calls ATAC-seq acceptable, and ideal."""

FEWEST_READS = 5e6
"""Fewest reads, scaled to the length of the human genome, that the authors have trained models on."""

HUMAN_GENOME = 3.1e9
"""Length in bp of the genome that the numbers of reads are meant for."""

FOLD_APART = 0.1
"""How far below the others' median a fold's Pearson r in peaks stands apart: more than seeds and chromosomes explain."""
