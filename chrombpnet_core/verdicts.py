"""Verdicts: is this model good enough, by which number, against which threshold, and what to do about it.

Every threshold stands in :data:`RULES`. Those of the ChromBPNet authors (report text and wiki of kundajelab/chrombpnet)
say so; the others are this package's own and say that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chrombpnet_core.footprints import MAX_BIAS_RESPONSE, bias_response, bias_verdict
from chrombpnet_core.report_content import BIAS, CORRECTED, FULL, MODEL_LABELS, ReportContent, SelectionSummary

__all__ = ["RULES", "STATUSES", "Rule", "Verdict", "is_enzyme_motif", "judge", "not_judged", "worst"]

STATUSES = ("fail", "warn", "pass", "info")
"""From worst to best; ``info`` judges nothing."""

_AUTHORS, _OURS = "ChromBPNet authors", "this package"
_HUMAN_GENOME = 3.1e9  # bp: what the authors' numbers of reads are for


@dataclass(frozen=True)
class Rule:
    """A question put to one number.

    Attributes
    ----------
    title
        The question's subject.
    good
        Beyond it the number passes.
    bad
        Beyond it, the other way, it fails; None: it warns at worst; as ``good``: it never warns.
    higher_is_better
        Which way is beyond.
    inclusive
        Whether ``good`` itself passes.
    wanted
        The threshold in words.
    source
        Whose rule of thumb it is.
    remedy
        What to do where it does not pass.
    """

    title: str
    good: float
    bad: float | None
    higher_is_better: bool
    inclusive: bool
    wanted: str
    source: str
    remedy: str

    def status(self, value: float) -> str:
        """``pass``, ``warn`` or ``fail``; a value that is not a number warns."""
        if not math.isfinite(value):
            return "warn"
        sign = 1 if self.higher_is_better else -1
        if sign * value > sign * self.good or (self.inclusive and value == self.good):
            return "pass"
        if self.bad is None:
            return "warn"
        return "fail" if sign * value < sign * self.bad or self.bad == self.good else "warn"


RULES: dict[str, Rule] = {
    "bias_r_nonpeaks": Rule(
        "Bias model predicts counts in background", 0.0, None, True, False, "Pearson r above 0", _AUTHORS,
        "The bias model has learnt nothing about how many cuts background gets. Use more reads or more nonpeaks, or "
        "raise -b/--bias-threshold-factor by 0.1 so that more of them train it."),
    "bias_r_peaks": Rule(
        "Bias model is blind to accessibility", -0.3, -0.5, True, False,
        "Pearson r above −0.3; to −0.5 beware; below −0.5 unusable", _AUTHORS,
        "The bias model ranks peaks the wrong way round, which happens when its nonpeaks are few and AT-rich. Raise "
        "-b/--bias-threshold-factor by 0.1 and train it again; until then look for GC-rich motifs in what it learnt."),
    "main_r_peaks": Rule(
        "Main model predicts counts in peaks", 0.5, None, True, False, "Pearson r above 0.5", _AUTHORS,
        "Check that reads and peaks are of one sample and one assembly, and that peaks were called generously (MACS2 "
        "p 0.01). Shallow data reach less: then compare with a replicate instead of this number."),
    "footprint": Rule(
        "Enzyme bias is gone from the corrected model", MAX_BIAS_RESPONSE, MAX_BIAS_RESPONSE, False, False,
        f"every enzyme motif's footprint below {MAX_BIAS_RESPONSE}, rounded to 3 decimals", _AUTHORS,
        "Do not interpret motifs of this model yet. Try a bias model of the same protocol and depth, or train one on "
        "this data with -b/--bias-threshold-factor 0.1 higher; see whether the read shift below is right."),
    "loss_weight": Rule(
        "Reads are enough to weigh the counts loss", 1.0, None, True, False, "weight above 1, not clamped", _AUTHORS,
        "The median training region has fewer than 10 reads. Merge replicates or sequence deeper; else trust the "
        "ranking of regions more than base-resolution profiles."),
    "reads": Rule(
        "Sequencing depth", 25e6, None, True, True, "25 M reads or more; 5 M have trained models (human)", _AUTHORS,
        "Merge replicates or sequence deeper; de-duplicate paired-end reads only."),
    "nonpeaks_made": Rule(
        "Background found for the peaks", 0.9, 0.5, True, True, "90 % of the nonpeaks asked for; fail below half",
        _OURS,
        "Ask for fewer (-npr 1), a smaller stride (-st 500), or shorten the blacklist; small genomes with dense peaks "
        "have little background of the right GC."),
    "training_regions": Rule(
        "Regions to learn from", 1000, 100, True, True, "1,000 or more; fail below 100", _OURS,
        "Call peaks less strictly (MACS2 p 0.01), or move chromosomes from test to train in the fold."),
    "most_peaks": Rule(
        "Peaks are not too many", 250_000, None, False, True, "at most 250,000", _AUTHORS,
        "Keep the 250,000 strongest peaks: weak ones train slowly and teach little."),
    "without_reads": Rule(
        "Test peaks hold reads", 0.05, None, False, True, "at most 5 % of test peaks without any read", _OURS,
        "Peaks without reads point at peaks of another sample or assembly, or at reads lost on some chromosomes."),
}
"""The thresholds, all of them."""


@dataclass(frozen=True)
class Verdict:
    """One answer.

    Attributes
    ----------
    key
        Stable name for programs.
    title, status
        What was asked; one of :data:`STATUSES`.
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


def judge(content: ReportContent) -> list[Verdict]:
    """Every verdict that the content allows, worst first."""
    parts = (_bias_model, _main_model, _footprints, _truth, _loss_weights, _depth, _shift, _regions, _training,
             _profiles)
    verdicts = [verdict for part in parts for verdict in part(content)]
    return sorted(verdicts, key=lambda verdict: STATUSES.index(verdict.status))


def worst(verdicts: list[Verdict]) -> str:
    """The worst status there is; ``info`` where nothing was judged."""
    return min((verdict.status for verdict in verdicts), key=STATUSES.index, default="info")


def not_judged(content: ReportContent) -> list[str]:
    """What could have been judged in a run of this kind but was not given, in words."""
    main, bias = content.kind != "bias", content.kind != "main"
    missing = [
        (bias and BIAS not in content.metrics, "the bias model's counts"),
        (main and FULL not in content.metrics, "the main model's counts"),
        (main and not _enzyme_footprints(content), "enzyme footprints of the corrected model"),
        (content.shift is None, "the read shift"),
        (content.reads is None, "sequencing depth"),
        (content.background is None or not content.background.wanted, "whether nonpeaks were found for all peaks"),
        (not content.selection, "the selection of training regions"),
        (not content.history, "the course of training"),
        (bias, "TF motifs in the bias model (there must be none; contributions and motifs are not made by this version)"),
    ]
    return [words for absent, words in missing if absent]


def _apply(key: str, value: float, shown: str, reason: str, *, title: str = "", suffix: str = "") -> Verdict:
    rule = RULES[key]
    status = rule.status(value)
    return Verdict(key + suffix, title or rule.title, status, value if math.isfinite(value) else None, shown,
                   rule.wanted, reason, "" if status == "pass" else rule.remedy, rule.source)


def _correlation(content: ReportContent, key: str, model: str, group: str, reason: str) -> Iterator[Verdict]:
    if model not in content.metrics or group not in content.metrics[model].get("counts_metrics", {}):
        return
    r = content.metric(model, "counts_metrics", group, "pearsonr")
    number = content.metric(model, "group_sizes", group, "regions")
    where = f"{number:,} held-out {group}" if number else f"held-out {group}"
    if r is None:
        yield _apply(key, math.nan, "r undefined",
                     f"There is no correlation over {where}: too few of them, or predictions that are all the same.")
    else:
        yield _apply(key, r, f"r = {r:.3f}".replace("-", "−"), reason.format(where=where))


def _bias_model(content: ReportContent) -> Iterator[Verdict]:
    yield from _correlation(content, "bias_r_nonpeaks", BIAS, "nonpeaks",
                            "Log counts of the bias model against reads over {where}.")
    yield from _correlation(content, "bias_r_peaks", BIAS, "peaks",
                            "Log counts of the bias model against reads over {where}. A strongly negative r means it "
                            "has learnt the reverse of accessibility and would distort the main model.")
    summary = content.selection.get("bias")
    if summary is not None and summary.threshold is not None:
        factor = "" if summary.threshold_factor is None else f" (factor {summary.threshold_factor:g})"
        kept = "" if summary.nonpeaks_kept is None else f"; {summary.nonpeaks_kept:,} nonpeaks trained the bias model"
        yield Verdict("bias_threshold", "Bias threshold", "info", summary.threshold,
                      f"fewer than {summary.threshold:.4g} reads{factor}",
                      "no cut-off; start at factor 0.5 for ATAC, 0.8 for DNase",
                      f"Nonpeaks with fewer reads count as pure enzyme bias{kept}. Lower the factor by 0.1 when TF "
                      "motifs appear in the bias model, raise it when its r in peaks is below −0.3.", source=_AUTHORS)


def _main_model(content: ReportContent) -> Iterator[Verdict]:
    yield from _correlation(content, "main_r_peaks", FULL, "peaks",
                            "Log counts of the full model against reads over {where}, chromosomes that it never saw.")


def is_enzyme_motif(name: str) -> bool:
    """Whether a footprint's motif is the enzyme's own, by its name (``tn5_1``, ``dnase_2``)."""
    return name.lower().startswith(("tn5", "dnase"))


def _enzyme_footprints(content: ReportContent) -> dict[str, float]:
    found = content.footprints.get(CORRECTED, {})
    return bias_response(found, filter(is_enzyme_motif, found))


def _footprints(content: ReportContent) -> Iterator[Verdict]:
    responses = _enzyme_footprints(content)
    if not responses:
        return
    verdict = bias_verdict(responses)
    largest = max(verdict.responses, key=verdict.responses.__getitem__)
    value = verdict.responses[largest]
    above = [name for name, response in verdict.responses.items() if response >= MAX_BIAS_RESPONSE]
    reason = f"None of {len(responses)} enzyme motifs put into background leaves a footprint that counts."
    if above:
        reason = f"{len(above)} of {len(responses)} enzyme motifs still leave a footprint ({', '.join(above)})."
    yield _apply("footprint", value, f"largest {value:.3f} ({largest})", reason)


def _loss_weights(content: ReportContent) -> Iterator[Verdict]:
    for name, summary in content.selection.items():
        weight = summary.counts_loss_weight
        if weight is None:
            continue
        label = f"{name} model"
        reason = f"The weight of the counts loss of the {label} is a tenth of the median reads of its training regions"
        reason += ", but was below 1 and raised to it." if summary.clamped else "."
        yield _apply("loss_weight", 1.0 if summary.clamped else weight, f"{weight:.2f}", reason,
                     title=f"{RULES['loss_weight'].title} ({label})", suffix=f"_{name}")


def _depth(content: ReportContent) -> Iterator[Verdict]:
    if content.reads is None:
        return
    scale = min((content.genome_size or _HUMAN_GENOME) / _HUMAN_GENOME, 1.0)
    alike = content.reads / scale
    reason = f"{content.reads:,} reads are in the input."
    if scale < 0.9:
        reason += (f" For a genome of {content.genome_size / 1e6:,.1f} Mb that is as dense as "
                   f"{alike / 1e6:,.0f} M reads in human.")
    if alike < 5e6:
        reason += " That is below what has trained models; expect profiles to be noise."
    verdict = _apply("reads", alike, f"{content.reads / 1e6:,.2f} M reads", reason)
    yield replace(verdict, value=content.reads)


def _shift(content: ReportContent) -> Iterator[Verdict]:
    shift = content.shift
    if shift is None:
        return
    shown = f"plus {_signed(shift.plus)}, minus {_signed(shift.minus)} bp"
    wanted = "all reference matrices agree on a shift that aligners and trimmers leave"
    differing = [f"{name} ({strand}) votes {_signed(vote)}" for strand, used in (("+", shift.plus), ("-", shift.minus))
                 for name, vote in shift.votes.get(strand, {}).items() if vote != used]
    number = sum(len(names) for names in shift.votes.values())
    if differing:
        said = "you stated it" if shift.declared else "it was used all the same"
        yield Verdict("shift", "Read shift", "warn" if shift.declared else "fail", None, shown, wanted,
                      f"{len(differing)} of {number} reference matrices disagree and {said}: "
                      f"{'; '.join(differing[:4])}.",
                      "Look at the insertion motif: it must be that of the enzyme, centred. Reads trimmed at the 5' "
                      "end are the usual cause; state the shift with -ps/--plus-shift and -ms/--minus-shift.", _AUTHORS)
    elif not number:
        reason = "The shift was stated, not estimated." if shift.declared else "There is no evidence for this shift."
        yield Verdict("shift", "Read shift", "info" if shift.declared else "warn", None, shown, wanted, reason,
                      "Check that the insertion motif is that of the enzyme.", _AUTHORS)
    else:
        seen = f" from {shift.reads:,} reads a strand" if shift.reads else ""
        yield Verdict("shift", "Read shift", "pass", None, shown, wanted,
                      f"All {number} reference matrices agree{seen}{', as you stated' if shift.declared else ''}.", "",
                      _AUTHORS)


def _signed(shift: int) -> str:
    return f"{shift:+d}".replace("-", "−") if shift else "0"


def _regions(content: ReportContent) -> Iterator[Verdict]:
    background = content.background
    if background is not None and background.wanted and background.made is not None:
        yield _apply("nonpeaks_made", background.made / background.wanted,
                     f"{background.made:,} of {background.wanted:,}",
                     "Regions outside peaks with the GC content of the peaks, found against asked for.")
    for name, summary in content.selection.items():
        yield from _training_regions(name, summary)
    for model in (FULL, BIAS):
        sizes = content.metrics.get(model, {}).get("group_sizes", {}).get("peaks")
        if sizes and sizes["regions"]:
            share = sizes["without_reads"] / sizes["regions"]
            yield _apply("without_reads", share, f"{sizes['without_reads']:,} of {sizes['regions']:,}",
                         "Peaks of the test chromosomes without any read have no profile: they are left out of profile "
                         "scores.")
            return


def _training_regions(name: str, summary: SelectionSummary) -> Iterator[Verdict]:
    kept, kind = (summary.nonpeaks_kept, "nonpeaks") if name == "bias" else (summary.peaks_kept, "peaks")
    if kept is not None:
        yield _apply("training_regions", kept, f"{kept:,} {kind}",
                     f"{kind.capitalize()} of the training and validation chromosomes that the {name} model uses, "
                     "after outliers were dropped.", title=f"{RULES['training_regions'].title} ({name} model)",
                     suffix=f"_{name}")
    if summary.peaks is not None and summary.peaks > RULES["most_peaks"].good:
        yield _apply("most_peaks", summary.peaks, f"{summary.peaks:,} peaks", "Peaks of the training and validation "
                     "chromosomes alone are more than is advised.", suffix=f"_{name}")


def _training(content: ReportContent) -> Iterator[Verdict]:
    for model, rows in content.history.items():
        best = next((i for i, row in enumerate(rows) if row.get("best")), None)
        if best is None:
            continue
        cut_short = best == len(rows) - 1  # training stops by itself only some epochs after the best
        label = MODEL_LABELS.get(model, model)
        yield Verdict(
            f"training_{model}", f"Training had settled ({label})", "warn" if cut_short else "pass", best + 1,
            f"best epoch {best + 1} of {len(rows)}", "validation loss stops falling before the epochs run out",
            "The last epoch was the best: more of them would have been better." if cut_short else
            "Validation loss stopped falling; the best epoch's weights were kept.",
            "Allow more epochs (-e)." if cut_short else "", _OURS)


def _truth(content: ReportContent) -> Iterator[Verdict]:
    for number, check in enumerate(content.truth, start=1):
        bound = f"{'at least' if check.at_least else 'below'} {check.bound:g}"
        shown = f"{check.value:.4g}".replace("-", "−")
        yield Verdict(f"truth_{number}", f"Truth: {check.name}", "pass" if check.passed else "fail",
                      check.value if math.isfinite(check.value) else None, shown, bound,
                      f"These data were simulated, so the answer is known{f' ({check.note})' if check.note else ''}.",
                      "" if check.passed else "Train longer or on more data; a model that misses what was planted here "
                      "points at a fault in the method.", "planted in the simulation")


def _profiles(content: ReportContent) -> Iterator[Verdict]:
    for model, label in MODEL_LABELS.items():
        jsd = content.metric(model, "profile_metrics", "peaks", "median_jsd")
        norm = content.metric(model, "profile_metrics", "peaks", "median_norm_jsd")
        if jsd is None:
            continue
        chance = content.metric(model, "chance_metrics", "peaks", "median_jsd")
        beside = "" if chance is None else f"; shuffled profiles reach {chance:.3f}"
        yield Verdict(f"profile_{model}", f"Profile shape in peaks ({label})", "info", jsd,
                      f"median JSD {jsd:.3f}, normalised {norm or 0:.3f}", "no cut-off: it depends on depth",
                      f"Distance of predicted and observed profile, 0 is best{beside}. Compare only models of the same "
                      "data.", source=_AUTHORS)
