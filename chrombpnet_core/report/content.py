"""What the report of a run is made of: plain numbers, arrays and dictionaries. What is None or empty has no section."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chrombpnet_core._types import AnyArray
from chrombpnet_core.genome import Transcript
from chrombpnet_core.models import BIAS, CORRECTED

if TYPE_CHECKING:
    from chrombpnet_core.evaluation import LibraryQuality
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
    "motif_name",
]

REPORT_KINDS = ("bias", "main", "dataset")
"""Kinds of runs: a bias model's, a main model's, or both of one data set."""


_SEPARATORS = "._|:- "  # between a motif's name and what its database puts before it

MOTIF_MODELS = {"bias": BIAS, "corrected": CORRECTED}
"""First word of a key of :attr:`ReportContent.motifs`, such as ``bias profile``, → model that was explained."""


@dataclass(frozen=True)
class ShiftEvidence:
    """Hold how the enzyme shift of the reads was found.

    Attributes
    ----------
    plus, minus
        The shift that was used, bp.
    declared
        Whether the user stated it instead of having it estimated.
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
    scores: Mapping[str, Mapping[str, tuple[AnyArray, AnyArray]]] = field(default_factory=dict)
    reads: int | None = None


@dataclass(frozen=True)
class NonpeakSummary:
    """Hold how many GC-matched nonpeaks there are, and how well they match.

    Attributes
    ----------
    wanted, made
        Nonpeaks asked for (peaks × ratio of nonpeaks to peaks) and found.
    gc_edges
        Edges of GC-fraction bins, ``(k + 1,)``.
    gc_peaks, gc_nonpeaks
        Regions in each bin, ``(k,)``.
    """

    wanted: int | None = None
    made: int | None = None
    gc_edges: AnyArray | None = None
    gc_peaks: AnyArray | None = None
    gc_nonpeaks: AnyArray | None = None


@dataclass(frozen=True)
class SelectionSummary:
    """Hold which regions a model trained on.

    Attributes
    ----------
    counts_loss_weight, clamped
        The weight of the counts loss, and whether it was below 1 and raised to 1.
    peaks, peaks_kept, nonpeaks, nonpeaks_kept
        Regions of the training and validation chromosomes, before and after the selection; None: none of that kind.
    lower, upper
        Outlier bounds, reads.
    threshold, threshold_factor
        Bias model only: number of reads that a nonpeak must stay below, and the bias threshold factor it follows from.
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
    """Hold one region to show; tracks are ``(W,)``, insertions per base, None where there is none.

    Attributes
    ----------
    label
        Why this region was chosen, such as ``median peak``.
    chrom, start
        Where the window begins, 0-based.
    observed, predicted, bias, corrected
        Observed insertions, and those predicted by the full, the bias and the bias-corrected model.
    planted
        Simulated data only: accessibility as planted, any scale.
    norm_jsd
        Normalised JSD of observed and predicted, 1 is best.
    contributions
        What each base contributes to the profile's shape, ``(M, 4)``: 0 but for the base that is there. Its middle is
        the tracks' middle; any length.
    genes
        Transcripts of the genes in the window; None where no annotation is known.
    """

    label: str
    chrom: str
    start: int
    observed: AnyArray
    predicted: AnyArray | None = None
    bias: AnyArray | None = None
    corrected: AnyArray | None = None
    planted: AnyArray | None = None
    norm_jsd: float | None = None
    contributions: AnyArray | None = None
    genes: Sequence[Transcript] | None = None

    @property
    def locus(self) -> str:
        """The region as genome browsers take it: 1-based, closed."""
        return f"{self.chrom}:{self.start + 1:,}-{self.start + len(self.observed):,}"


@dataclass(frozen=True)
class MotifEntry:
    """Hold a motif that TF-MoDISco found in contributions.

    Attributes
    ----------
    pattern
        Its name, such as ``pos_patterns.pattern_0``.
    seqlets
        Number of its sites.
    cwm_fwd, cwm_rev
        Its contribution weight matrix and that of the reverse complement, bases A, C, G, T, ``(n, 4)``.
    matches
        Known motifs that are most like it and their q-values, best first.
    kind
        ``enzyme``, ``tf`` or ``unmatched``, by the best match.
    match_pfm
        Base frequencies of the best match, on the strand of ``cwm_fwd``, ``(m, 4)``.
    distance
        Median distance of its sites to the middle of their region, bp.
    """

    pattern: str
    seqlets: int
    cwm_fwd: AnyArray
    cwm_rev: AnyArray
    matches: Sequence[tuple[str, float]] = ()
    kind: str = "unmatched"
    match_pfm: AnyArray | None = None
    distance: float | None = None

    @property
    def q(self) -> float:
        """The q-value of the best match; 1 where there is none."""
        return min((q for _, q in self.matches), default=1.0)


def format_q_value(q: float) -> str:
    """Format a q-value, or another small number, as people read it: ``0.012`` or ``3×10⁻⁷``."""
    if not 0 < q < 0.001:
        return f"{q:.3f}" if q else "0"
    digit, power = f"{q:.0e}".split("e-")
    return f"{digit}×10⁻{str(int(power)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def motif_name(name: str, identifier: str = "") -> str:
    """Name a known motif as people do: the factor, without what its database puts before or after it.

    Parameters
    ----------
    name
        As the database has it, such as ``MA0609.3.CREM`` or ``CTCF.H12CORE.0.P.B``.
    identifier
        In that database, such as ``MA0609.3``.

    Returns
    -------
    str
        Such as ``CREM``; the name itself where nothing else is in it.
    """
    short = name.removeprefix(identifier) if identifier != name else name
    short = re.sub(r"^(MA|UN)\d{4}\.\d+", "", short.lstrip(_SEPARATORS))
    short = re.sub(r"(_(HUMAN|MOUSE))?\.H1\d[A-Z]+\..*$", "", short.lstrip(_SEPARATORS))
    return short or name


@dataclass(frozen=True)
class StepRecord:
    """Hold a step of the run: name, seconds, peak memory in bytes, whether its results were reused, their key, its title."""

    name: str
    seconds: float | None = None
    peak_memory: int | None = None
    cached: bool = False
    key: str = ""
    title: str = ""


@dataclass(frozen=True)
class ReportContent:
    """Hold everything that the report of a run may show.

    Attributes
    ----------
    kind
        One of :data:`REPORT_KINDS`.
    title, assay
        Name of the data set; ``ATAC`` or ``DNASE``.
    genome
        The assembly, or the FASTA's name.
    fold, test, validation
        Name of the fold where the data set has several, such as ``fold_0``; its test and validation chromosomes.
    date
        Day on which the newest result was computed, such as ``2026-11-27``.
    peaks
        Number of peaks in use, all chromosomes.
    metrics
        Model → metrics on the test chromosomes, as :func:`chrombpnet_core.evaluation.summarise_scores` makes them.
    per_region
        Model → arrays of :class:`chrombpnet_core.evaluation.RegionScores` by name, and ``is_peak``, bool ``(n,)``.
    selection
        ``bias`` and ``main`` → :class:`SelectionSummary`.
    reads, genome_size
        Number of reads in the input; length of the genome in bp.
    library
        Quality of the library.
    region_counts
        ``peaks`` and ``nonpeaks`` → insertions in the output window of each, of all chromosomes, ``(n,)``.
    training
        Training chromosomes of the fold.
    accepted
        Inputs that look like something else and were taken all the same, each with the evidence.
    shift
        Evidence for the enzyme shift of the reads.
    nonpeaks
        How many nonpeaks there are, and how well they match the peaks.
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
        list means that contributions were searched and none was found.
    noise_floor
        ``profile``, ``counts`` → Pearson r of contributions computed with two seeds for their shuffled references.
    examples
        Regions to show.
    truth
        Simulated data only: planted against learnt, :class:`chrombpnet_core.simulation.ModelCheck`.
    parameters, provenance
        Tables of name → value: parameters of the run; versions, digests, places.
    steps
        What ran, in order.
    """

    kind: str
    title: str
    assay: str
    genome: str = ""
    fold: str = ""
    test: Sequence[str] = ()
    validation: Sequence[str] = ()
    date: str = ""
    peaks: int | None = None
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_region: Mapping[str, Mapping[str, AnyArray]] = field(default_factory=dict)
    selection: Mapping[str, SelectionSummary] = field(default_factory=dict)
    reads: int | None = None
    genome_size: int | None = None
    library: LibraryQuality | None = None
    region_counts: Mapping[str, AnyArray] = field(default_factory=dict)
    training: Sequence[str] = ()
    accepted: Sequence[str] = ()
    shift: ShiftEvidence | None = None
    nonpeaks: NonpeakSummary | None = None
    insertion_pfm: AnyArray | None = None
    history: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    footprints: Mapping[str, Mapping[str, AnyArray]] = field(default_factory=dict)
    footprint_errors: Mapping[str, Mapping[str, AnyArray]] = field(default_factory=dict)
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
        """Look a number of :attr:`metrics` up, such as ``"bias", "counts_metrics", "peaks", "pearsonr"``; None if absent."""
        value: float | None = self.metrics.get(model, {}).get(family, {}).get(group, {}).get(name)
        return value
