"""What a verdict is, and what the report says of each threshold: in words, whose it is, what to do where it is missed.

The numbers stand in :data:`~chrombpnet_core.evaluation.THRESHOLDS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chrombpnet_core.evaluation import THRESHOLDS

__all__ = ["AUTHORS", "OURS", "RULES", "Rule", "Verdict", "apply_rule"]

AUTHORS, OURS = "ChromBPNet authors", "this package"
"""Whose rule of thumb a threshold is."""


@dataclass(frozen=True)
class Rule:
    """Hold the words of a question that is put to one number.

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
        "Bias model predicts counts in nonpeaks",
        "Pearson r above 0",
        AUTHORS,
        "The bias model has not learnt what makes nonpeaks have more or fewer insertions. Use more reads or more "
        "nonpeaks, or raise the bias threshold factor by 0.1, so that it trains on more nonpeaks.",
    ),
    "bias_r_peaks": Rule(
        "Bias model is not anticorrelated with counts in peaks",
        "Pearson r above −0.3; down to −0.5 with care; unusable below −0.5",
        AUTHORS,
        "The bias model predicts fewer insertions where peaks have more, as happens when the nonpeaks that it trains on "
        "are few and AT-rich. Raise the bias threshold factor by 0.1 and train it again; until then look for GC-rich "
        "motifs among those it has learnt.",
    ),
    "main_r_peaks": Rule(
        "Full model predicts counts in peaks",
        "Pearson r above 0.5",
        AUTHORS,
        "Check that reads and peaks come from the same sample and assembly, and that peaks were called with a relaxed "
        "threshold (MACS2 p 0.01). Shallow data reach less: then compare with the correlation between replicates.",
    ),
    "footprint": Rule(
        "Corrected model has no enzyme footprints",
        f"footprint of every enzyme motif below {THRESHOLDS['footprint'].good}, rounded to 3 decimals",
        AUTHORS,
        "Do not interpret the motifs of this model yet. Try a bias model trained on data of the same protocol and depth, "
        "or train one on these data with a bias threshold factor that is 0.1 higher. Also check the read shift.",
    ),
    "bias_motifs": Rule(
        "Bias model has no motif of a transcription factor",
        "no match to a transcription factor's motif with q below 0.0001; with q up to 0.05, look at the logo",
        AUTHORS,
        "The bias model has learnt accessibility and would remove it from the corrected model. Lower the bias threshold "
        "factor by 0.1, so that it trains on nonpeaks with fewer reads, and train it again. Where peaks were called "
        "with a strict threshold, call more: peaks that were missed end up among the nonpeaks.",
    ),
    "corrected_motifs": Rule(
        "Corrected model has no enzyme motif",
        "no motif whose best match is the enzyme's",
        AUTHORS,
        "Enzyme bias was not removed: do not interpret these motifs yet. Raise the bias threshold factor by 0.1, so that "
        "the bias model trains on more nonpeaks, or use a bias model of the same protocol. See the footprints of "
        "enzyme motifs.",
    ),
    "loss_weight": Rule(
        "Reads of training regions",
        "weight of the counts loss above 1, without being raised to 1",
        AUTHORS,
        "The median training region has fewer than 10 reads. Merge replicates or sequence deeper; otherwise rely on the "
        "ranking of regions rather than on profiles at single bases.",
    ),
    "reads": Rule(
        "Sequencing depth",
        "25 M reads or more for human; models were trained on as few as 5 M",
        AUTHORS,
        "Merge replicates or sequence deeper. Remove duplicates of paired-end reads only.",
    ),
    "nonpeaks_made": Rule(
        "Nonpeaks found that match the peaks in GC content",
        "90 % of the nonpeaks asked for; below half is a failure",
        OURS,
        "Ask for fewer nonpeaks a peak (a ratio of 1), use a smaller stride (500 bp), or shorten the blacklist. Small "
        "genomes with many peaks have few other regions of the right GC content.",
    ),
    "training_regions": Rule(
        "Number of training regions",
        "1,000 or more; below 100 is a failure",
        OURS,
        "Call peaks with a more relaxed threshold (MACS2 p 0.01), or move chromosomes from test to training.",
    ),
    "most_peaks": Rule(
        "Number of peaks",
        "at most 250,000",
        AUTHORS,
        "Keep the 250,000 strongest peaks: weak ones make training slow and add little.",
    ),
    "without_reads": Rule(
        "Test peaks contain reads",
        "at most 5 % of test peaks without any read",
        OURS,
        "Peaks without reads suggest that the peaks belong to another sample or assembly, or that reads are missing on "
        "some chromosomes.",
    ),
}
"""What is judged, by its key in :data:`~chrombpnet_core.evaluation.THRESHOLDS`."""


@dataclass(frozen=True)
class Verdict:
    """Hold one answer.

    Attributes
    ----------
    key
        Stable name for programs.
    title, status
        The question's subject; one of :data:`~chrombpnet_core.evaluation.STATUSES`.
    value, shown
        The number (None where there is none) and how people read it.
    wanted
        The threshold in words.
    reason, remedy
        What the number means; what to do, empty where nothing is to be done.
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


def apply_rule(key: str, value: float, shown: str, reason: str, *, title: str = "", suffix: str = "") -> Verdict:
    """Judge a number by one of :data:`RULES`.

    Parameters
    ----------
    key
        Of the rule.
    value
        The number; one that is not finite warns.
    shown
        How people read it.
    reason
        What it means.
    title
        Instead of the rule's.
    suffix
        What ends the verdict's key, where one rule judges several numbers.

    Returns
    -------
    Verdict
        With the rule's remedy, unless the number passes.
    """
    rule, status = RULES[key], THRESHOLDS[key].status(value)
    return Verdict(
        key + suffix,
        title or rule.title,
        status,
        value if math.isfinite(value) else None,
        shown,
        rule.wanted,
        reason,
        "" if status == "pass" else rule.remedy,
        rule.source,
    )
