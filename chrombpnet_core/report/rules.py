"""What a verdict is, and what the report says of each threshold: in words, whose it is, what to do where it is missed.

The numbers stand in :data:`~chrombpnet_core.evaluation.THRESHOLDS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chrombpnet_core.evaluation import THRESHOLDS

__all__ = ["AUTHORS", "ENCODE", "OURS", "RULES", "Rule", "Verdict", "apply_rule"]

AUTHORS, ENCODE, OURS = "ChromBPNet authors", "ENCODE", "this package"
"""Whose rule of thumb a threshold is."""

_FACTOR_STEP = 0.1  # by which the authors change the bias threshold factor


@dataclass(frozen=True)
class Rule:
    """Hold a question that is put to one number.

    Attributes
    ----------
    title
        The question.
    answers
        What a number that passes, warns or fails says to it.
    wanted
        The threshold in words.
    source
        Whose rule of thumb it is.
    remedy
        What to do where it is missed; ``{lower}`` and ``{higher}`` stand for a bias threshold factor.
    action
        The same in one short sentence: what decides, in the first line of a report.
    """

    title: str
    answers: tuple[str, str, str]
    wanted: str
    source: str
    remedy: str
    action: str


_YES, _NO = ("Yes", "Barely", "No"), ("No", "Perhaps", "Yes")

RULES: dict[str, Rule] = {
    "bias_r_nonpeaks": Rule(
        "Does the bias model predict counts in nonpeaks?",
        _YES,
        "Pearson r above 0",
        AUTHORS,
        "The bias model has not learnt what makes nonpeaks have more or fewer insertions, and a main model must not build "
        "on it. Use more reads or more nonpeaks, or train it with {higher}, on more nonpeaks.",
        "Train the bias model again with {higher}, or on more reads.",
    ),
    "bias_r_peaks": Rule(
        "Does the bias model predict the reverse of counts in peaks?",
        _NO,
        "Pearson r above −0.3; down to −0.5 with care; unusable below −0.5",
        AUTHORS,
        "The bias model predicts fewer insertions where peaks have more, as happens when the nonpeaks that it trains on "
        "are few and AT-rich. Train it again with {higher}; until then look for GC-rich motifs among those it has learnt.",
        "Train the bias model again with {higher}.",
    ),
    "bias_share": Rule(
        "Does the bias model know accessibility?",
        _NO,
        "its r in peaks at most 0.7 of the full model's",
        OURS,
        "A bias model that predicts peaks nearly as well as the full model has seen open chromatin, or the sequence content "
        "that goes with it, and takes it away from the corrected model. Train it again with {lower}, on nonpeaks with "
        "fewer reads, and look for open regions that the peaks leave out. In a small, dense genome some of this may be "
        "sequence content that nonpeaks share with peaks; there compare the corrected model's motifs before deciding.",
        "Train the bias model again with {lower}.",
    ),
    "bias_response": Rule(
        "Does the bias model respond to the enzyme's motifs?",
        _YES,
        "a footprint of at least 3 times an even profile",
        OURS,
        "The bias model has not learnt the preference of this enzyme, so it has nothing to take away from the main model. "
        "Check that the assay (ATAC or DNASE) and the read shift are right, and that the bias model was trained on data of "
        "the same protocol; with few reads, train it with {higher}.",
        "Check assay and read shift, then train the bias model again.",
    ),
    "main_r_peaks": Rule(
        "Does the full model predict counts in peaks?",
        _YES,
        "Pearson r above 0.5; useless at 0 and below",
        AUTHORS,
        "Check that reads and peaks come from the same sample and assembly, and that peaks were called with a relaxed "
        "threshold (MACS2 p 0.01). Shallow data reach less: then compare with the correlation between replicates.",
        "Check that reads and peaks belong together, then train again.",
    ),
    "main_auroc": Rule(
        "Does the full model tell peaks from nonpeaks?",
        _YES,
        "AUROC of predicted counts 0.7 or more; useless at 0.55 and below",
        OURS,
        "A model that cannot tell peaks from background has not learnt accessibility. Check that genome, peaks and reads "
        "are of one assembly; train longer, or again with another seed.",
        "Check that genome, peaks and reads are of one assembly, then train again.",
    ),
    "main_spread": Rule(
        "Do predicted counts differ between peaks as observed ones do?",
        _YES,
        "standard deviation of predicted log counts at least 0.2 of the observed",
        OURS,
        "The predictions rank peaks but hardly differ: r does not show that. Do not use predicted counts, or effects of "
        "variants on them, by their size. Train again with another seed, or longer.",
        "Train the main model again with another seed.",
    ),
    "footprint": Rule(
        "Is enzyme bias gone from the corrected model?",
        _YES,
        f"footprint of every enzyme motif below {THRESHOLDS['footprint'].good}",
        AUTHORS,
        "Do not interpret the motifs of this model yet. Try a bias model trained on data of the same protocol and depth, "
        "or train one on these data with {higher}. Also check the read shift.",
        "Train the bias model again with {higher}, then the main model.",
    ),
    "bias_motifs": Rule(
        "Has the bias model learnt motifs of transcription factors?",
        _NO,
        "no match to a transcription factor's motif with q below 0.0001; with q up to 0.05, look at the logo",
        AUTHORS,
        "The bias model has learnt accessibility and would remove it from the corrected model. Train it again with {lower}, "
        "on nonpeaks with fewer reads. Where peaks were called with a strict threshold, call more: peaks that were missed "
        "end up among the nonpeaks.",
        "Train the bias model again with {lower}.",
    ),
    "corrected_motifs": Rule(
        "Has the corrected model learnt the enzyme's motif?",
        _NO,
        "no motif whose best match is the enzyme's",
        AUTHORS,
        "Enzyme bias was not removed: do not interpret these motifs yet. Train the bias model again with {higher}, on more "
        "nonpeaks, or use a bias model of the same protocol. See the footprints of enzyme motifs.",
        "Train the bias model again with {higher}, then the main model.",
    ),
    "loss_weight": Rule(
        "Do training regions have enough reads?",
        ("Yes", "Few", "No"),
        "weight of the counts loss above 1, without being raised to 1",
        AUTHORS,
        "The median training region has fewer than 10 reads. Merge replicates or sequence deeper; otherwise rely on the "
        "ranking of regions rather than on profiles at single bases.",
        "Merge replicates or sequence deeper.",
    ),
    "reads": Rule(
        "Are there enough reads?",
        ("Yes", "Few", "No"),
        "25 M reads or more for human; models were trained on as few as 5 M",
        AUTHORS,
        "Merge replicates or sequence deeper. Remove duplicates of paired-end reads only.",
        "Merge replicates or sequence deeper.",
    ),
    "nonpeaks_made": Rule(
        "Were enough nonpeaks found that match the peaks in GC content?",
        ("Yes", "Nearly", "No"),
        "90 % of the nonpeaks asked for; below half is a failure",
        OURS,
        "Ask for fewer nonpeaks a peak (a ratio of 1), use a smaller stride (500 bp), or shorten the blacklist. Small "
        "genomes with many peaks have few other regions of the right GC content.",
        "Ask for fewer nonpeaks a peak, then train again.",
    ),
    "training_regions": Rule(
        "Are there enough training regions?",
        ("Yes", "Few", "No"),
        "1,000 or more; below 100 is a failure",
        OURS,
        "Call peaks with a more relaxed threshold (MACS2 p 0.01), or move chromosomes from test to training.",
        "Call peaks with a more relaxed threshold, then train again.",
    ),
    "most_peaks": Rule(
        "Are there too many peaks?",
        ("No", "Yes", "Yes"),
        "at most 250,000",
        AUTHORS,
        "Keep the 250,000 strongest peaks: weak ones make training slow and add little.",
        "Keep the 250,000 strongest peaks, then train again.",
    ),
    "without_reads": Rule(
        "Do test peaks contain reads?",
        ("Yes", "Not all", "No"),
        "at most 5 % of test peaks without any read",
        OURS,
        "Peaks without reads suggest that the peaks belong to another sample or assembly, or that reads are missing on "
        "some chromosomes.",
        "Check that peaks and reads belong together.",
    ),
    "frip": Rule(
        "Do enough insertions lie in peaks?",
        ("Yes", "Few", "No"),
        "FRiP above 0.3; above 0.2 is acceptable (ATAC-seq of human and mouse)",
        ENCODE,
        "Much of the library is background. Check that peaks and reads are of the same sample, and look at the TSS "
        "enrichment and the fragment sizes; if these are poor too, make the library again or merge replicates.",
        "Check that peaks and reads are of the same sample.",
    ),
    "tss_enrichment": Rule(
        "Are insertions enriched at transcription starts?",
        ("Yes", "Little", "No"),
        "TSS enrichment of 5 or more (GRCh38; 6 for hg19, 5 for mm9, 10 for mm10); ideal above 7 (10, 7, 15)",
        ENCODE,
        "The library has little signal above background, or the genes are of another assembly. Expect shallow profiles; "
        "make the library again, or merge replicates, if the fraction of reads in peaks is low too.",
        "Check that the genes are of the same assembly.",
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
        The question; one of :data:`~chrombpnet_core.evaluation.STATUSES`.
    value, shown
        The number (None where there is none) and how people read it.
    wanted
        The threshold in words.
    reason, remedy
        What the number means; what to do, empty where nothing is to be done.
    source
        Whose threshold it is.
    answer
        To the question, in a word or two; empty where the number answers it.
    action
        What to do in one short sentence; empty where nothing is to be done, or more than one can say.
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
    answer: str = ""
    action: str = ""


def apply_rule(
    key: str, value: float, shown: str, reason: str, *, of: str = "", suffix: str = "", factor: float | None = None
) -> Verdict:
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
    of
        What the number is of, where one rule judges several; it ends the title.
    suffix
        What ends the verdict's key, where one rule judges several numbers.
    factor
        Bias threshold factor of the bias model, where known: the remedy names the next one to try.

    Returns
    -------
    Verdict
        With the rule's remedy, unless the number passes.
    """
    rule, status = RULES[key], THRESHOLDS[key].status(value)
    factors = _next_factors(factor, f"a factor {_FACTOR_STEP} {{}} (-b)", "-b {:.4g}")
    return Verdict(
        key + suffix,
        f"{rule.title} ({of})" if of else rule.title,
        status,
        value if math.isfinite(value) else None,
        shown,
        rule.wanted,
        reason,
        "" if status == "pass" else _with_factors(rule.remedy, factor),
        rule.source,
        dict(zip(("pass", "warn", "fail"), rule.answers, strict=True))[status] if math.isfinite(value) else "Cannot be told",
        "" if status == "pass" else rule.action.format_map(factors),
    )


def _with_factors(remedy: str, factor: float | None) -> str:
    """Name the bias threshold factors to try next, where the one in use is known."""
    unknown = f"a bias threshold factor that is {_FACTOR_STEP} {{}}"
    return remedy.format_map(_next_factors(factor, unknown, "a bias threshold factor of {0:.4g} (-b {0:.4g})"))


def _next_factors(factor: float | None, unknown: str, known: str) -> dict[str, str]:
    """Say which factors are ``lower`` and ``higher``: by the format ``known``, or by ``unknown`` where none is in use."""
    if factor is None:
        return {name: unknown.format(name) for name in ("lower", "higher")}
    # Halved where a step down would leave nothing.
    lower = factor - _FACTOR_STEP if factor > 1.5 * _FACTOR_STEP else factor / 2
    return {"lower": known.format(lower), "higher": known.format(factor + _FACTOR_STEP)}
