"""Verdicts on data: sequencing depth, read shift, nonpeaks, training regions, the weight of the counts loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chrombpnet_core.evaluation import FEWEST_READS, HUMAN_GENOME, THRESHOLDS
from chrombpnet_core.models import BIAS, FULL
from chrombpnet_core.report.content import ReportContent, SelectionSummary, ShiftEvidence
from chrombpnet_core.report.rules import AUTHORS, OURS, Verdict, apply_rule

__all__ = ["judge_accepted", "judge_depth", "judge_loss_weights", "judge_regions", "judge_shift"]


def judge_loss_weights(content: ReportContent) -> Iterator[Verdict]:
    """Judge the weight of each model's counts loss, which follows from the reads of its training regions."""
    for name, selection in content.selection.items():
        weight = selection.counts_loss_weight
        if weight is None:
            continue
        reason = f"The weight of the counts loss of the {name} model is a tenth of the median reads of its training regions"
        reason += ", but was below 1 and raised to 1." if selection.clamped else "."
        yield apply_rule(
            "loss_weight",
            1.0 if selection.clamped else weight,
            f"{weight:.2f}",
            reason,
            of=f"{name} model",
            suffix=f"_{name}",
        )


def judge_depth(content: ReportContent) -> Iterator[Verdict]:
    """Judge the number of reads, seen against the length of the genome."""
    if content.reads is None:
        return
    genome_size = content.genome_size or HUMAN_GENOME
    scale = min(genome_size / HUMAN_GENOME, 1.0)
    equivalent = content.reads / scale
    reason = f"The input has {content.reads:,} reads."
    if scale < 0.9:
        reason += (
            f" In a genome of {genome_size / 1e6:,.1f} Mb that is as dense as {equivalent / 1e6:,.0f} M reads in human."
        )
    if equivalent < FEWEST_READS:
        reason += " That is below what models have been trained on; expect profiles to be noise."
    verdict = apply_rule("reads", equivalent, f"{content.reads / 1e6:,.2f} M reads", reason)
    yield replace(verdict, value=content.reads)


def judge_shift(content: ReportContent) -> Iterator[Verdict]:
    """Judge whether all reference matrices agree on the read shift that was used."""
    shift = content.shift
    if shift is None:
        return
    status, reason, remedy = _judge_votes(shift)
    yield Verdict(
        "shift",
        "Is the read shift right?",
        status,
        None,
        f"plus {_signed(shift.plus)}, minus {_signed(shift.minus)} bp",
        "all reference matrices agree on a shift that aligners and trimmers leave",
        reason,
        remedy,
        AUTHORS,
        {"pass": "Yes", "fail": "Doubtful", "info": "As stated"}.get(status, "Doubtful"),
    )


def judge_accepted(content: ReportContent) -> Iterator[Verdict]:
    """Repeat what the user had accepted although it looks like another kind of input."""
    for evidence in content.accepted:
        yield Verdict(
            "accepted",
            "Is the input what it should be?",
            "warn",
            None,
            "accepted on purpose",
            "reads, or bigWigs of insertions per base",
            f"{evidence}.",
            "Every number of this report is computed from it. Give raw reads, or raw insertions per base, if you have them.",
            OURS,
        )


def _judge_votes(shift: ShiftEvidence) -> tuple[str, str, str]:
    """Status, reason and remedy."""
    differing = [
        f"{name} ({strand}) votes {_signed(vote)}"
        for strand, used in (("+", shift.plus), ("-", shift.minus))
        for name, vote in shift.votes.get(strand, {}).items()
        if vote != used
    ]
    number = sum(len(names) for names in shift.votes.values())
    if differing:
        used = "you stated the shift" if shift.declared else "the shift was used all the same"
        reason = f"{len(differing)} of {number} reference matrices disagree and {used}: {'; '.join(differing[:4])}."
        remedy = (
            "Look at the insertion motif: it must be the enzyme's, and centred. The usual cause is that reads were trimmed "
            "at the 5' end; then state the shift of both strands."
        )
        return "warn" if shift.declared else "fail", reason, remedy
    if not number:
        reason = "The shift was stated, not estimated." if shift.declared else "There is no evidence for this shift."
        return "info" if shift.declared else "warn", reason, "Check that the insertion motif is that of the enzyme."
    sampled = f" on {shift.reads:,} reads of each strand" if shift.reads else ""
    return "pass", f"All {number} reference matrices agree{sampled}{', as you stated' if shift.declared else ''}.", ""


def _signed(shift: int) -> str:
    return f"{shift:+d}".replace("-", "−") if shift else "0"


def judge_regions(content: ReportContent) -> Iterator[Verdict]:
    """Judge how many nonpeaks, training regions and peaks there are, and how many test peaks have no reads."""
    nonpeaks = content.nonpeaks
    if nonpeaks is not None and nonpeaks.wanted and nonpeaks.made is not None:
        yield apply_rule(
            "nonpeaks_made",
            nonpeaks.made / nonpeaks.wanted,
            f"{nonpeaks.made:,} of {nonpeaks.wanted:,}",
            "Regions outside peaks with the same GC content as the peaks: number found, of the number asked for.",
        )
    for name, selection in content.selection.items():
        for verdict in _judge_training_regions(name, selection):
            yield _known_truth(verdict) if content.truth and verdict.status == "warn" else verdict
    for model in (FULL, BIAS):
        sizes = content.metrics.get(model, {}).get("group_sizes", {}).get("peaks")
        if sizes and sizes["regions"]:
            yield apply_rule(
                "without_reads",
                sizes["without_reads"] / sizes["regions"],
                f"{sizes['without_reads']:,} of {sizes['regions']:,}",
                "Peaks of the test chromosomes without any read have no profile; scores of profiles leave them out.",
            )
            return


def _known_truth(verdict: Verdict) -> Verdict:
    """Turn a warning of few regions into information: what simulated data planted is known, and judged by itself."""
    return replace(
        verdict,
        status="info",
        remedy="",
        action="",
        reason=f"{verdict.reason} Few are enough here: what was simulated is judged below.",
    )


def _judge_training_regions(name: str, selection: SelectionSummary) -> Iterator[Verdict]:
    """Judge the regions of the training and validation chromosomes that one model trains on."""
    kept, kind = (selection.nonpeaks_kept, "nonpeaks") if name == "bias" else (selection.peaks_kept, "peaks")
    if kept is not None:
        yield apply_rule(
            "training_regions",
            kept,
            f"{kept:,} {kind}",
            f"{kind.capitalize()} of the training and validation chromosomes that the {name} model uses, without outliers.",
            of=f"{name} model",
            suffix=f"_{name}",
        )
    if selection.peaks is not None and selection.peaks > THRESHOLDS["most_peaks"].good:
        yield apply_rule(
            "most_peaks",
            selection.peaks,
            f"{selection.peaks:,} peaks",
            "The peaks of the training and validation chromosomes alone are more than is advised.",
            suffix=f"_{name}",
        )
