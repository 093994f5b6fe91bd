"""What a report is made of: plain numbers, arrays and dictionaries. A piece that is None or empty has no section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chrombpnet_core.models import BIAS, CORRECTED

if TYPE_CHECKING:
    from chrombpnet_core.simulation import ModelCheck

__all__ = [
    "MOTIF_MODELS",
    "REPORT_KINDS",
    "ExampleRegion",
    "MotifEntry",
    "NonpeakSummary",
    "ReportContent",
    "SelectionSummary",
    "ShiftEvidence",
    "StepRecord",
    "format_q_value",
]

REPORT_KINDS = ("bias", "main", "dataset")
"""A bias model's run, a main model's, or both of one data set."""


MOTIF_MODELS = {"bias": BIAS, "corrected": CORRECTED}
"""First word of a key of :attr:`ReportContent.motifs`, such as ``bias profile``, → model that was explained."""


@dataclass(frozen=True)
class ShiftEvidence:
    """How the enzyme shift of the reads was found.

    Attributes
    ----------
    plus, minus
        The shift that was used, bp.
    declared
        True where the user stated it instead of having it estimated.
    votes
        Strand (``+``, ``-``) → reference matrix → the shift that it votes for, bp.
    scores
        Strand → reference matrix → (shifts ``(k,)``, match scores ``(k,)``), for the picture; optional.
    reads
        Reads sampled on each strand.
    """

    plus: int
    minus: int
    declared: bool = False
    votes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)
    reads: int | None = None


@dataclass(frozen=True)
class NonpeakSummary:
    """The GC-matched nonpeaks.

    Attributes
    ----------
    wanted, made
        Nonpeaks asked for (peaks × ratio) and found.
    gc_edges
        Edges of GC-fraction bins, ``(k + 1,)``.
    gc_peaks, gc_nonpeaks
        Regions in each bin, ``(k,)``.
    """

    wanted: int | None = None
    made: int | None = None
    gc_edges: np.ndarray | None = None
    gc_peaks: np.ndarray | None = None
    gc_nonpeaks: np.ndarray | None = None


@dataclass(frozen=True)
class SelectionSummary:
    """Which regions trained a model.

    Attributes
    ----------
    counts_loss_weight, clamped
        The weight of the counts loss, and whether it was below 1 and raised to it.
    peaks, peaks_kept, nonpeaks, nonpeaks_kept
        Regions of the training and validation chromosomes, before and after the selection; None: none of that kind.
    lower, upper
        Outlier bounds, reads.
    threshold, threshold_factor
        Bias model only: reads that a nonpeak must stay below, and ``-b/--bias-threshold-factor``.
    """

    counts_loss_weight: float | None = None
    clamped: bool = False
    peaks: int | None = None
    peaks_kept: int | None = None
    nonpeaks: int | None = None
    nonpeaks_kept: int | None = None
    lower: float | None = None
    upper: float | None = None
    threshold: float | None = None
    threshold_factor: float | None = None


@dataclass(frozen=True)
class ExampleRegion:
    """One region for the reader's eyes; tracks are ``(W,)`` in cuts per base, optional ones None.

    Attributes
    ----------
    label
        Why this one, such as ``median peak``.
    chrom, start
        Where the window begins.
    observed, predicted, bias, corrected
        Cuts seen, and those predicted by the full, the bias and the bias-corrected model.
    planted
        Simulated data only: accessibility as planted, any scale.
    norm_jsd
        Normalised JSD of observed and predicted, 1 is best.
    contributions
        What each base contributes to the profile's shape, ``(M, 4)``: 0 but for the base that is there. Its middle is
        the tracks' middle; any length.
    """

    label: str
    chrom: str
    start: int
    observed: np.ndarray
    predicted: np.ndarray | None = None
    bias: np.ndarray | None = None
    corrected: np.ndarray | None = None
    planted: np.ndarray | None = None
    norm_jsd: float | None = None
    contributions: np.ndarray | None = None

    @property
    def locus(self) -> str:
        """1-based, closed, as genome browsers take it."""
        return f"{self.chrom}:{self.start + 1:,}-{self.start + len(self.observed):,}"


@dataclass(frozen=True)
class MotifEntry:
    """A pattern that recurs in contributions.

    Attributes
    ----------
    pattern
        Its name, such as ``pos_patterns.pattern_0``.
    seqlets
        Places where it was seen.
    cwm_fwd, cwm_rev
        Its contribution weight matrix and that of the other strand, bases A, C, G, T, ``(n, 4)``.
    matches
        Nearest motifs of the database and their q-values, nearest first.
    kind
        ``enzyme``, ``tf`` or ``unmatched``, after the nearest.
    """

    pattern: str
    seqlets: int
    cwm_fwd: np.ndarray
    cwm_rev: np.ndarray
    matches: Sequence[tuple[str, float]] = ()
    kind: str = "unmatched"

    @property
    def q(self) -> float:
        """The q-value of the nearest match; 1 where there is none."""
        return min((q for _, q in self.matches), default=1.0)


def format_q_value(q: float) -> str:
    """A q-value, or another small number, as people read it: ``0.012`` or ``3×10⁻⁷``."""
    if not 0 < q < 0.001:
        return f"{q:.3f}" if q else "0"
    digit, power = f"{q:.0e}".split("e-")
    return f"{digit}×10⁻{str(int(power)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


@dataclass(frozen=True)
class StepRecord:
    """One step of the run: its name, seconds, peak memory in bytes, whether it was found done, and its key."""

    name: str
    seconds: float | None = None
    peak_memory: int | None = None
    cached: bool = False
    key: str = ""


@dataclass(frozen=True)
class ReportContent:
    """Everything a report may show.

    Attributes
    ----------
    kind
        One of :data:`REPORT_KINDS`.
    title, assay
        Name of the data set; ``ATAC`` or ``DNASE``.
    metrics
        Model → metrics on the test chromosomes, as :func:`chrombpnet_core.evaluation.summarise_scores` makes them.
    per_region
        Model → arrays of :class:`chrombpnet_core.evaluation.RegionScores` by name, and ``is_peak``, bool ``(n,)``.
    selection
        ``bias`` and ``main`` → :class:`SelectionSummary`.
    reads, genome_size
        Reads in the input; bp of the genome.
    shift, nonpeaks
        See the classes.
    insertion_pfm
        Base frequencies around insertions, ``(24, 4)``.
    history
        Model → rows with ``epoch`` (from 0), ``loss``, ``val_loss``; the kept one has a true ``best``.
    footprints
        Model → motif → profile ``(W,)``; ``control`` has no motif.
    footprint_errors
        As :attr:`footprints`: the standard error of each base's mean over sequences, ``(W,)``.
    motifs
        What was explained, such as ``bias profile`` or ``corrected counts`` → its motifs, most seqlets first; an empty
        list says that none was found.
    noise_floor
        ``profile``, ``counts`` → Pearson r of contributions between two seeds of their shuffles.
    examples
        Regions to show.
    truth
        Simulated data only: planted against learnt, :class:`chrombpnet_core.simulation.ModelCheck`.
    parameters, provenance
        Tables of name → value: what was asked for; versions, digests, places.
    steps
        What ran, in order.
    """

    kind: str
    title: str
    assay: str
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_region: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    selection: Mapping[str, SelectionSummary] = field(default_factory=dict)
    reads: int | None = None
    genome_size: int | None = None
    shift: ShiftEvidence | None = None
    nonpeaks: NonpeakSummary | None = None
    insertion_pfm: np.ndarray | None = None
    history: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    footprints: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    footprint_errors: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    motifs: Mapping[str, Sequence[MotifEntry]] = field(default_factory=dict)
    noise_floor: Mapping[str, float] = field(default_factory=dict)
    examples: Sequence[ExampleRegion] = ()
    truth: Sequence[ModelCheck] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[StepRecord] = ()

    def __post_init__(self) -> None:
        if self.kind not in REPORT_KINDS:
            raise ValueError(f"kind {self.kind!r}, expected one of {', '.join(REPORT_KINDS)}")

    def metric(self, model: str, family: str, group: str, name: str) -> float | None:
        """One number of :attr:`metrics`, such as ``"bias", "counts_metrics", "peaks", "pearsonr"``; None if absent."""
        return self.metrics.get(model, {}).get(family, {}).get(group, {}).get(name)
