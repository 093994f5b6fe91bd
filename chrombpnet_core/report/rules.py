"""What the verdicts of a report ask of each number: its threshold, in words, whose it is, and what to do where it is missed.

The numbers stand in :data:`~chrombpnet_core.evaluation.THRESHOLDS`.
"""

from __future__ import annotations

from dataclasses import dataclass

from chrombpnet_core.evaluation import THRESHOLDS

__all__ = ["AUTHORS", "OURS", "RULES", "Rule", "Verdict"]

AUTHORS, OURS = "ChromBPNet authors", "this package"


@dataclass(frozen=True)
class Rule:
    """A question put to one number.

    Attributes
    ----------
    title
        The question's subject.
    wanted
        The threshold in words.
    source
        Whose rule of thumb it is.
    remedy
        What to do where it is missed.
    """

    title: str
    wanted: str
    source: str
    remedy: str


RULES: dict[str, Rule] = {
    "bias_r_nonpeaks": Rule(
        "Bias model predicts counts in background",
        "Pearson r above 0",
        AUTHORS,
        "The bias model has learnt nothing about how many cuts background gets. Use more reads or more nonpeaks, or "
        "raise -b/--bias-threshold-factor by 0.1 so that more of them train it.",
    ),
    "bias_r_peaks": Rule(
        "Bias model is blind to accessibility",
        "Pearson r above −0.3; to −0.5 beware; below −0.5 unusable",
        AUTHORS,
        "The bias model ranks peaks the wrong way round, which happens when its nonpeaks are few and AT-rich. Raise "
        "-b/--bias-threshold-factor by 0.1 and train it again; until then look for GC-rich motifs in what it learnt.",
    ),
    "main_r_peaks": Rule(
        "Main model predicts counts in peaks",
        "Pearson r above 0.5",
        AUTHORS,
        "Check that reads and peaks are of one sample and one assembly, and that peaks were called generously (MACS2 "
        "p 0.01). Shallow data reach less: then compare with a replicate instead of this number.",
    ),
    "footprint": Rule(
        "Enzyme bias is gone from the corrected model",
        f"every enzyme motif's footprint below {THRESHOLDS['footprint'].good}, rounded to 3 decimals",
        AUTHORS,
        "Do not interpret motifs of this model yet. Try a bias model of the same protocol and depth, or train one on "
        "this data with -b/--bias-threshold-factor 0.1 higher; see whether the read shift below is right.",
    ),
    "bias_motifs": Rule(
        "No transcription factor in the bias model",
        "no motif of a transcription factor matched at q below 0.0001; from there to 0.05 look at its logo",
        AUTHORS,
        "The bias model has learnt accessibility and would take it away from the main model. Lower "
        "-b/--bias-threshold-factor by 0.1, so that nonpeaks with fewer reads train it, and train it again; widen the "
        "peak set if peaks were called strictly, for missed peaks are nonpeaks.",
    ),
    "corrected_motifs": Rule(
        "No enzyme motif in the corrected model",
        "no pattern whose nearest motif is the enzyme's",
        AUTHORS,
        "Bias was not taken away: do not interpret these motifs yet. Raise -b/--bias-threshold-factor by 0.1, so that "
        "more nonpeaks train the bias model, or take a bias model of the same protocol; see the footprints of the enzyme.",
    ),
    "loss_weight": Rule(
        "Reads are enough to weigh the counts loss",
        "weight above 1, not clamped",
        AUTHORS,
        "The median training region has fewer than 10 reads. Merge replicates or sequence deeper; else trust the "
        "ranking of regions more than base-resolution profiles.",
    ),
    "reads": Rule(
        "Sequencing depth",
        "25 M reads or more; 5 M have trained models (human)",
        AUTHORS,
        "Merge replicates or sequence deeper; de-duplicate paired-end reads only.",
    ),
    "nonpeaks_made": Rule(
        "Background found for the peaks",
        "90 % of the nonpeaks asked for; fail below half",
        OURS,
        "Ask for fewer (-npr 1), a smaller stride (-st 500), or shorten the blacklist; small genomes with dense peaks "
        "have little background of the right GC.",
    ),
    "training_regions": Rule(
        "Regions to learn from",
        "1,000 or more; fail below 100",
        OURS,
        "Call peaks less strictly (MACS2 p 0.01), or move chromosomes from test to train in the fold.",
    ),
    "most_peaks": Rule(
        "Peaks are not too many",
        "at most 250,000",
        AUTHORS,
        "Keep the 250,000 strongest peaks: weak ones train slowly and teach little.",
    ),
    "without_reads": Rule(
        "Test peaks hold reads",
        "at most 5 % of test peaks without any read",
        OURS,
        "Peaks without reads point at peaks of another sample or assembly, or at reads lost on some chromosomes.",
    ),
}
"""What is judged, by its key in :data:`~chrombpnet_core.evaluation.THRESHOLDS`."""


@dataclass(frozen=True)
class Verdict:
    """One answer.

    Attributes
    ----------
    key
        Stable name for programs.
    title, status
        What was asked; one of :data:`~chrombpnet_core.evaluation.STATUSES`.
    value, shown
        The number (None where there is none) and how people read it.
    wanted
        The threshold in words.
    reason, remedy
        What the number says; what to do, empty where nothing is.
    source
        Whose threshold it is.
    """

    key: str
    title: str
    status: str
    value: float | None
    shown: str
    wanted: str
    reason: str
    remedy: str = ""
    source: str = ""
