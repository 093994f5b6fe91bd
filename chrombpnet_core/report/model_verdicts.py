"""Verdicts on models: counts and profiles on held-out chromosomes, footprints, motifs, training, simulated truth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chrombpnet_core.evaluation import (
    MAX_BIAS_RESPONSE,
    THRESHOLDS,
    bias_response,
    bias_verdict,
    format_response,
    motifs_by_enzyme,
)
from chrombpnet_core.models import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.report.content import MOTIF_MODELS, MotifEntry, ReportContent, SelectionSummary, format_q_value
from chrombpnet_core.report.rules import AUTHORS, OURS, RULES, Verdict, apply_rule
from chrombpnet_core.report.tables import format_number

__all__ = [
    "enzyme_footprints",
    "explained_motifs",
    "judge_against_truth",
    "judge_bias_model",
    "judge_footprints",
    "judge_full_model",
    "judge_motifs",
    "judge_training",
    "show_noise_floor",
    "show_profile_distances",
]

_FEWEST_REGIONS = 3  # of which a correlation or a spread says anything
_LAST_STEP = 0.02  # share of the whole fall of validation loss that the last epoch may have


def _factor(content: ReportContent) -> float | None:
    """Bias threshold factor of the bias model, where it was trained on these data."""
    selection = content.selection.get("bias")
    return None if selection is None else selection.threshold_factor


def judge_bias_model(content: ReportContent) -> Iterator[Verdict]:
    """Judge the bias model's counts and its response to the enzyme, and tell its threshold."""
    yield from _judge_correlation(
        content,
        "bias_r_nonpeaks",
        BIAS,
        "nonpeaks",
        "Correlation of log counts that the bias model predicts with those observed in {where}.",
    )
    yield from _judge_correlation(
        content,
        "bias_r_peaks",
        BIAS,
        "peaks",
        "Correlation of log counts that the bias model predicts with those observed in {where}. A strongly negative r "
        "means that it has learnt the reverse of accessibility and would distort the main model.",
    )
    yield from _judge_share(content)
    yield from _judge_response(content)
    selection = content.selection.get("bias")
    if selection is not None and selection.threshold is not None:
        yield _tell_threshold(selection)


def _tell_threshold(selection: SelectionSummary) -> Verdict:
    factor = "" if selection.threshold_factor is None else f" (factor {selection.threshold_factor:g})"
    number = selection.nonpeaks_kept
    trained_on = "" if number is None else f" The bias model was trained on {number:,} nonpeaks."
    return Verdict(
        "bias_threshold",
        "Which nonpeaks did the bias model train on?",
        "info",
        selection.threshold,
        f"those with fewer than {selection.threshold:.4g} reads{factor}",
        "no cut-off; start at factor 0.5 for ATAC-seq, 0.8 for DNase-seq",
        f"Nonpeaks with fewer reads are taken to show enzyme bias alone.{trained_on} Lower the factor by 0.1 when "
        "motifs of transcription factors appear in the bias model; raise it when its r in peaks is below −0.3.",
        source=AUTHORS,
    )


def _judge_share(content: ReportContent) -> Iterator[Verdict]:
    """Judge whether the bias model predicts peaks nearly as well as the full model."""
    bias, full = (content.metric(model, "counts_metrics", "peaks", "pearsonr") for model in (BIAS, FULL))
    if bias is None or full is None or full <= 0:
        return
    share = max(bias, 0.0) / full
    yield apply_rule(
        "bias_share",
        share,
        f"{share:.0%} of the full model's r",
        f"In held-out peaks the bias model alone reaches r = {format_number(bias)}, the full model {format_number(full)}.",
        factor=_factor(content),
    )


def _responses(content: ReportContent, model: str) -> tuple[dict[str, float], float]:
    """Find the maxima of a model's footprints of enzyme motifs, by motif, and the height of an even profile."""
    footprints = content.footprints.get(model, {})
    motifs = [name for names in motifs_by_enzyme(footprints).values() for name in names]
    even = 1 / max((len(footprints[name]) for name in motifs), default=1)
    return bias_response(footprints, motifs), even


def _judge_response(content: ReportContent) -> Iterator[Verdict]:
    """Judge whether the bias model responds to the enzyme's own motifs."""
    responses, even = _responses(content, BIAS)
    if not responses:
        return
    largest = max(responses, key=responses.__getitem__)
    multiple = responses[largest] / even
    yield apply_rule(
        "bias_response",
        multiple,
        f"{responses[largest]:.4f} ({largest}), {multiple:.3g} × an even profile",
        f"Highest share of cuts that the bias model puts on one base where one of {len(responses)} enzyme motifs stands in "
        f"background sequences; an even profile has {even:.4f}.",
        factor=_factor(content),
    )


def judge_full_model(content: ReportContent) -> Iterator[Verdict]:
    """Judge the full model's counts: in peaks, of peaks against nonpeaks, and how far they differ."""
    reason = "Correlation of log counts that the full model predicts with those observed in {where}."
    yield from _judge_correlation(content, "main_r_peaks", FULL, "peaks", reason)
    area = content.metrics.get(FULL, {}).get("classification_metrics", {}).get("auroc")
    if area is not None:
        yield apply_rule(
            "main_auroc",
            area,
            f"AUROC {_to_threshold('main_auroc', area)}",
            "Probability that the full model predicts more insertions for a held-out peak than for a held-out nonpeak.",
        )
    yield from _judge_spread(content)


def _judge_spread(content: ReportContent) -> Iterator[Verdict]:
    """Judge whether predicted log counts differ as far as observed ones do."""
    arrays = content.per_region.get(FULL)
    if not arrays:
        return
    peaks = np.asarray(arrays["is_peak"], dtype=bool)
    observed, predicted = (np.asarray(arrays[name])[peaks] for name in ("observed_logcounts", "predicted_logcounts"))
    if len(observed) < _FEWEST_REGIONS or not np.ptp(observed) > 0:
        return
    spread = float(np.std(predicted) / np.std(observed))
    yield apply_rule(
        "main_spread",
        spread,
        f"{_to_threshold('main_spread', spread)} of the observed spread",
        f"Standard deviation of log counts over {len(observed):,} held-out peaks: {np.std(predicted):.3f} predicted, "
        f"{np.std(observed):.3f} observed.",
    )


def _judge_correlation(content: ReportContent, key: str, model: str, group: str, reason: str) -> Iterator[Verdict]:
    """Judge a correlation of counts; ``{where}`` in the reason becomes the number and kind of regions."""
    if group not in content.metrics.get(model, {}).get("counts_metrics", {}):
        return
    r = content.metric(model, "counts_metrics", group, "pearsonr")
    number = content.metric(model, "group_sizes", group, "regions")
    where = f"{number:,} held-out {group}" if number else f"held-out {group}"
    if r is not None:
        yield apply_rule(key, r, f"r = {_to_threshold(key, r)}", reason.format(where=where), factor=_factor(content))
        return
    few = number is not None and number < _FEWEST_REGIONS
    cause = "they are too few" if few else "all predictions, or all observed counts, are the same"
    reason = f"The correlation over {where} is not defined: {cause}."
    verdict = apply_rule(key, math.nan, "r undefined", reason, factor=_factor(content))
    # A model that predicts one number everywhere is as useless as one whose r is 0.
    yield verdict if few or THRESHOLDS[key].status(0.0) != "fail" else replace(verdict, status="fail")


def _to_threshold(key: str, value: float) -> str:
    """Format a number to 3 decimals, or to as many more as show on which side of its bounds it lies."""
    return format_number(value, THRESHOLDS[key].digits(value))


def enzyme_footprints(content: ReportContent) -> dict[str, float]:
    """Find the maxima of the corrected model's footprints of enzyme motifs, by motif."""
    return _responses(content, CORRECTED)[0]


def judge_footprints(content: ReportContent) -> Iterator[Verdict]:
    """Judge whether enzyme motifs leave footprints in the corrected model."""
    responses = enzyme_footprints(content)
    if not responses:
        return
    largest = max(responses, key=responses.__getitem__)
    above = [name for name, response in responses.items() if response >= MAX_BIAS_RESPONSE]
    reason = f"None of {len(responses)} enzyme motifs, put into background sequences, leaves a footprint that counts."
    if above:
        reason = f"{len(above)} of {len(responses)} enzyme motifs still leave a footprint: {', '.join(above)}."
    elif any(response >= MAX_BIAS_RESPONSE for response in bias_verdict(responses).responses.values()):
        reason += " The reference program rounds to 3 decimals first, and so its file of the bias response says uncorrected."
    shown = f"largest {format_response(responses[largest])} ({largest})"
    verdict = apply_rule("footprint", responses[largest], shown, reason, factor=_factor(content))
    of_bias, even = _responses(content, BIAS)
    if verdict.status == "pass" and of_bias and max(of_bias.values()) < THRESHOLDS["bias_response"].good * even:
        verdict = replace(
            verdict,
            status="warn",
            answer="Cannot be judged",
            reason="The corrected model shows no footprint, but neither does the bias model: nothing was removed, and what "
            "the enzyme did may still be in these predictions.",
            remedy="First mend the bias model, which should respond to the enzyme's motifs.",
        )
    yield verdict


def explained_motifs(content: ReportContent, model: str) -> dict[str, list[MotifEntry]]:
    """Find the motifs of a model's contributions, by what was explained: ``profile``, ``counts``."""
    return {
        key.partition(" ")[2]: list(entries)
        for key, entries in content.motifs.items()
        if MOTIF_MODELS.get(key.partition(" ")[0]) == model
    }


def judge_motifs(content: ReportContent) -> Iterator[Verdict]:
    """Judge whether the bias model has motifs of transcription factors, and the corrected model the enzyme's."""
    for model, key in ((BIAS, "bias_motifs"), (CORRECTED, "corrected_motifs")):
        for head, entries in explained_motifs(content, model).items():
            if entries:
                describe = _best_factor_match if model == BIAS else _enzyme_motifs
                yield apply_rule(key, *describe(entries), of=head, suffix=f"_{head}", factor=_factor(content))
            else:
                yield _without_motifs(f"{key}_{head}", f"{RULES[key].title} ({head})", RULES[key].wanted, model, head)


def _without_motifs(key: str, title: str, wanted: str, model: str, head: str) -> Verdict:
    reason = f"No motif recurs in the contributions to the {head} of the {MODEL_LABELS[model]}: there is nothing to judge."
    remedy = (
        "Explain more peaks, or train on more reads: a model that has learnt motifs of transcription factors shows them."
    )
    status = "info" if model == BIAS else "warn"
    remedy = "" if model == BIAS else remedy
    return Verdict(key, title, status, None, "no motif was found", wanted, reason, remedy, AUTHORS, "Cannot be told")


def _best_factor_match(entries: list[MotifEntry]) -> tuple[float, str, str]:
    """Find the smallest q-value of a match to a transcription factor, how it is shown, and what it means."""
    of_factors = sorted((entry for entry in entries if entry.kind == "tf"), key=lambda entry: entry.q)
    if not of_factors:
        return 1.0, f"none of {len(entries)} motifs", "No motif of the bias model matches a known transcription factor."
    best = of_factors[0]
    name = best.matches[0][0] if best.matches else best.pattern
    reason = (
        f"{len(of_factors)} of {len(entries)} motifs of the bias model are most like that of a transcription factor; "
        f"the closest is {best.pattern}, which is like {name}."
    )
    return best.q, f"q = {format_q_value(best.q)} ({name})", reason


def _enzyme_motifs(entries: list[MotifEntry]) -> tuple[float, str, str]:
    """Count the motifs that are the enzyme's; how the number is shown, and what it means."""
    of_enzyme = [entry.pattern for entry in entries if entry.kind == "enzyme"]
    number = f"{len(of_enzyme)} of {len(entries)} motifs"
    if not of_enzyme:
        return 0, number, f"None of the {len(entries)} motifs of the corrected model is most like an enzyme's."
    return len(of_enzyme), number, f"{number} of the corrected model are most like an enzyme's: {', '.join(of_enzyme[:4])}."


def judge_against_truth(content: ReportContent) -> Iterator[Verdict]:
    """Judge what was learnt of simulated data by what was planted in them."""
    for number, check in enumerate(content.truth, start=1):
        note = f" ({check.note})" if check.note else ""
        yield Verdict(
            f"truth_{number}",
            f"Was what was planted found: {check.name}?",
            "pass" if check.passed else "fail",
            check.value if math.isfinite(check.value) else None,
            f"{check.value:.4g}".replace("-", "−"),
            f"{'at least' if check.at_least else 'below'} {check.bound:g}",
            f"These data were simulated, so the right answer is known{note}.",
            ""
            if check.passed
            else "Train longer or on more data. A model that still misses what was planted points to a fault in the method.",
            "planted in the simulation",
            "Yes" if check.passed else "No",
        )


def judge_training(content: ReportContent) -> Iterator[Verdict]:
    """Judge whether training went on until the validation loss no longer fell."""
    for model, rows in content.history.items():
        best = next((index for index, row in enumerate(rows) if row.get("best")), None)
        if best is None:
            continue
        # Training stops by itself only some epochs after the best one.
        cut_short = best == len(rows) - 1 and _still_falling([float(row["val_loss"]) for row in rows])
        yield Verdict(
            f"training_{model}",
            f"Did training converge ({MODEL_LABELS.get(model, model)})?",
            "warn" if cut_short else "pass",
            best + 1,
            f"best epoch {best + 1} of {len(rows)}",
            f"the last epoch lowers validation loss by at most {_LAST_STEP:.0%} of what all epochs have lowered it by",
            "The last epoch was the best: validation loss was still falling when training ended."
            if cut_short
            else "Validation loss hardly fell any more; the weights of the best epoch were kept.",
            "Allow more epochs." if cut_short else "",
            OURS,
            "Not yet" if cut_short else "Yes",
        )


def _still_falling(losses: list[float]) -> bool:
    return len(losses) < 2 or min(losses[:-1]) - losses[-1] > _LAST_STEP * (losses[0] - losses[-1])


def show_profile_distances(content: ReportContent) -> Iterator[Verdict]:
    """Tell how far predicted profiles are from the observed ones; that is not judged."""
    for model, label in MODEL_LABELS.items():
        jsd = content.metric(model, "profile_metrics", "peaks", "median_jsd")
        if jsd is None:
            continue
        normalised = content.metric(model, "profile_metrics", "peaks", "median_norm_jsd") or 0
        chance = content.metric(model, "chance_metrics", "peaks", "median_jsd")
        by_chance = "" if chance is None else f"; shuffled profiles reach {chance:.3f}"
        yield Verdict(
            f"profile_{model}",
            f"How close are predicted profiles to the observed ones in peaks ({label})?",
            "info",
            jsd,
            f"median JSD {jsd:.3f}, normalised {normalised:.3f}",
            "no cut-off: it depends on sequencing depth",
            f"Distance of predicted from observed profiles, 0 is best{by_chance}. Compare only models of the same data.",
            source=AUTHORS,
        )


def show_noise_floor(content: ReportContent) -> Iterator[Verdict]:
    """Tell how well contributions agree when computed twice; that is not judged."""
    numbers = {head: r for head, r in content.noise_floor.items() if math.isfinite(r)}
    if numbers:
        yield Verdict(
            "noise_floor",
            "How reproducible are contributions?",
            "info",
            min(numbers.values()),
            "r = " + ", ".join(f"{r:.3f} ({head})" for head, r in numbers.items()).replace("-", "−"),
            "no cut-off; a published human model reaches 0.970 (counts) and 0.932 (profile)",
            "Contributions of the same regions were computed twice, with different random shuffles as references. "
            "Differences between regions or models that are not larger than those between the two are noise.",
            source="ENCODE ENCSR763OVZ",
        )
