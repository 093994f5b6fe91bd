"""Verdicts: is this model good enough, by which number, against which threshold, and what to do about it.

Every threshold stands in :data:`~chrombpnet_core.report.rules.RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from chrombpnet_core.evaluation import (
    FEWEST_READS,
    HUMAN_GENOME,
    MAX_BIAS_RESPONSE,
    STATUSES,
    THRESHOLDS,
    bias_response,
    bias_verdict,
)
from chrombpnet_core.models import BIAS, CORRECTED, FULL, MODEL_LABELS
from chrombpnet_core.report.content import MOTIF_MODELS, MotifEntry, ReportContent, SelectionSummary, format_q_value
from chrombpnet_core.report.rules import AUTHORS, OURS, RULES, Verdict

__all__ = ["is_enzyme_motif", "judge", "not_judged", "worst"]


def judge(content: ReportContent) -> list[Verdict]:
    """Every verdict that the content allows, worst first."""
    parts = (
        _bias_model,
        _main_model,
        _footprints,
        _motifs,
        _truth,
        _loss_weights,
        _depth,
        _shift,
        _regions,
        _training,
        _profiles,
        _noise_floor,
    )
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
        (content.nonpeaks is None or not content.nonpeaks.wanted, "whether nonpeaks were found for all peaks"),
        (not content.selection, "the selection of training regions"),
        (not content.history, "the course of training"),
        (
            bias and not _explained(content, BIAS),
            "transcription factors in the bias model (there must be none): its contributions were not searched for motifs",
        ),
        (
            main and not _explained(content, CORRECTED),
            "enzyme motifs in the corrected model (there must be none): its contributions were not searched for motifs",
        ),
    ]
    return [words for absent, words in missing if absent]


def _apply(key: str, value: float, shown: str, reason: str, *, title: str = "", suffix: str = "") -> Verdict:
    rule = RULES[key]
    status = THRESHOLDS[key].status(value)
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


def _correlation(content: ReportContent, key: str, model: str, group: str, reason: str) -> Iterator[Verdict]:
    if model not in content.metrics or group not in content.metrics[model].get("counts_metrics", {}):
        return
    r = content.metric(model, "counts_metrics", group, "pearsonr")
    number = content.metric(model, "group_sizes", group, "regions")
    where = f"{number:,} held-out {group}" if number else f"held-out {group}"
    if r is None:
        yield _apply(
            key,
            math.nan,
            "r undefined",
            f"There is no correlation over {where}: too few of them, or predictions that are all the same.",
        )
    else:
        yield _apply(key, r, f"r = {r:.3f}".replace("-", "−"), reason.format(where=where))


def _bias_model(content: ReportContent) -> Iterator[Verdict]:
    yield from _correlation(
        content, "bias_r_nonpeaks", BIAS, "nonpeaks", "Log counts of the bias model against reads over {where}."
    )
    yield from _correlation(
        content,
        "bias_r_peaks",
        BIAS,
        "peaks",
        "Log counts of the bias model against reads over {where}. A strongly negative r means it "
        "has learnt the reverse of accessibility and would distort the main model.",
    )
    summary = content.selection.get("bias")
    if summary is not None and summary.threshold is not None:
        factor = "" if summary.threshold_factor is None else f" (factor {summary.threshold_factor:g})"
        kept = "" if summary.nonpeaks_kept is None else f"; {summary.nonpeaks_kept:,} nonpeaks trained the bias model"
        yield Verdict(
            "bias_threshold",
            "Bias threshold",
            "info",
            summary.threshold,
            f"fewer than {summary.threshold:.4g} reads{factor}",
            "no cut-off; start at factor 0.5 for ATAC, 0.8 for DNase",
            f"Nonpeaks with fewer reads count as pure enzyme bias{kept}. Lower the factor by 0.1 when TF "
            "motifs appear in the bias model, raise it when its r in peaks is below −0.3.",
            source=AUTHORS,
        )


def _main_model(content: ReportContent) -> Iterator[Verdict]:
    yield from _correlation(
        content,
        "main_r_peaks",
        FULL,
        "peaks",
        "Log counts of the full model against reads over {where}, chromosomes that it never saw.",
    )


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


def _explained(content: ReportContent, model: str) -> dict[str, list[MotifEntry]]:
    """The motifs of one model, by what of it was explained: profile, counts."""
    return {
        key.partition(" ")[2]: list(entries)
        for key, entries in content.motifs.items()
        if MOTIF_MODELS.get(key.partition(" ")[0]) == model
    }


def _motifs(content: ReportContent) -> Iterator[Verdict]:
    for model, key in ((BIAS, "bias_motifs"), (CORRECTED, "corrected_motifs")):
        for head, entries in _explained(content, model).items():
            title = f"{RULES[key].title} ({head})"
            if entries:
                yield _apply(key, *(_factors if model == BIAS else _enzymes)(entries), title=title, suffix=f"_{head}")
            else:
                yield Verdict(
                    f"{key}_{head}",
                    title,
                    "info" if model == BIAS else "warn",
                    None,
                    "no motif was found",
                    RULES[key].wanted,
                    f"Nothing recurs in the contributions to the {head} of the "
                    f"{MODEL_LABELS[model]}, so there is nothing to judge.",
                    ""
                    if model == BIAS
                    else "Explain more peaks, or train on more reads: a model that has learnt proteins' motifs shows them.",
                    AUTHORS,
                )


def _factors(entries: list[MotifEntry]) -> tuple[float, str, str]:
    """Number, how it is shown and reason: the best match to a transcription factor."""
    found = sorted((entry for entry in entries if entry.kind == "tf"), key=lambda entry: entry.q)
    if not found:
        return 1.0, f"none of {len(entries)} motifs", "What the bias model goes by is not the motif of any known factor."
    name = found[0].matches[0][0] if found[0].matches else found[0].pattern
    return (
        found[0].q,
        f"q = {format_q_value(found[0].q)} ({name})",
        f"{len(found)} of {len(entries)} motifs of the bias model are most like that of a transcription factor; the "
        f"closest is {found[0].pattern}, like {name}.",
    )


def _enzymes(entries: list[MotifEntry]) -> tuple[float, str, str]:
    """Number, how it is shown and reason: motifs that are the enzyme's."""
    found = [entry.pattern for entry in entries if entry.kind == "enzyme"]
    said = f"{len(found)} of {len(entries)} motifs"
    return (
        len(found),
        said,
        (
            f"{said} of the corrected model are most like the enzyme's own: {', '.join(found[:4])}."
            if found
            else f"None of {len(entries)} motifs of the corrected model is the enzyme's."
        ),
    )


def _noise_floor(content: ReportContent) -> Iterator[Verdict]:
    numbers = {head: r for head, r in content.noise_floor.items() if math.isfinite(r)}
    if numbers:
        yield Verdict(
            "noise_floor",
            "Contributions repeat",
            "info",
            min(numbers.values()),
            ", ".join(f"r = {r:.3f} ({head})" for head, r in numbers.items()).replace("-", "−"),
            "no cut-off; a published human model reaches 0.970 (counts) and 0.932 (profile)",
            "Contributions to the same prediction, computed twice with other random shuffles as references. "
            "Differences between regions or models that are smaller than those between the two are noise.",
            source="ENCODE ENCSR763OVZ",
        )


def _loss_weights(content: ReportContent) -> Iterator[Verdict]:
    for name, summary in content.selection.items():
        weight = summary.counts_loss_weight
        if weight is None:
            continue
        label = f"{name} model"
        reason = f"The weight of the counts loss of the {label} is a tenth of the median reads of its training regions"
        reason += ", but was below 1 and raised to it." if summary.clamped else "."
        yield _apply(
            "loss_weight",
            1.0 if summary.clamped else weight,
            f"{weight:.2f}",
            reason,
            title=f"{RULES['loss_weight'].title} ({label})",
            suffix=f"_{name}",
        )


def _depth(content: ReportContent) -> Iterator[Verdict]:
    if content.reads is None:
        return
    scale = min((content.genome_size or HUMAN_GENOME) / HUMAN_GENOME, 1.0)
    alike = content.reads / scale
    reason = f"{content.reads:,} reads are in the input."
    if scale < 0.9:
        reason += (
            f" For a genome of {content.genome_size / 1e6:,.1f} Mb that is as dense as {alike / 1e6:,.0f} M reads in human."
        )
    if alike < FEWEST_READS:
        reason += " That is below what has trained models; expect profiles to be noise."
    verdict = _apply("reads", alike, f"{content.reads / 1e6:,.2f} M reads", reason)
    yield replace(verdict, value=content.reads)


def _shift(content: ReportContent) -> Iterator[Verdict]:
    shift = content.shift
    if shift is None:
        return
    shown = f"plus {_signed(shift.plus)}, minus {_signed(shift.minus)} bp"
    wanted = "all reference matrices agree on a shift that aligners and trimmers leave"
    differing = [
        f"{name} ({strand}) votes {_signed(vote)}"
        for strand, used in (("+", shift.plus), ("-", shift.minus))
        for name, vote in shift.votes.get(strand, {}).items()
        if vote != used
    ]
    number = sum(len(names) for names in shift.votes.values())
    if differing:
        said = "you stated it" if shift.declared else "it was used all the same"
        yield Verdict(
            "shift",
            "Read shift",
            "warn" if shift.declared else "fail",
            None,
            shown,
            wanted,
            f"{len(differing)} of {number} reference matrices disagree and {said}: {'; '.join(differing[:4])}.",
            "Look at the insertion motif: it must be that of the enzyme, centred. Reads trimmed at the 5' "
            "end are the usual cause; state the shift with -ps/--plus-shift and -ms/--minus-shift.",
            AUTHORS,
        )
    elif not number:
        reason = "The shift was stated, not estimated." if shift.declared else "There is no evidence for this shift."
        yield Verdict(
            "shift",
            "Read shift",
            "info" if shift.declared else "warn",
            None,
            shown,
            wanted,
            reason,
            "Check that the insertion motif is that of the enzyme.",
            AUTHORS,
        )
    else:
        seen = f" from {shift.reads:,} reads a strand" if shift.reads else ""
        yield Verdict(
            "shift",
            "Read shift",
            "pass",
            None,
            shown,
            wanted,
            f"All {number} reference matrices agree{seen}{', as you stated' if shift.declared else ''}.",
            "",
            AUTHORS,
        )


def _signed(shift: int) -> str:
    return f"{shift:+d}".replace("-", "−") if shift else "0"


def _regions(content: ReportContent) -> Iterator[Verdict]:
    background = content.nonpeaks
    if background is not None and background.wanted and background.made is not None:
        yield _apply(
            "nonpeaks_made",
            background.made / background.wanted,
            f"{background.made:,} of {background.wanted:,}",
            "Regions outside peaks with the GC content of the peaks, found against asked for.",
        )
    for name, summary in content.selection.items():
        yield from _training_regions(name, summary)
    for model in (FULL, BIAS):
        sizes = content.metrics.get(model, {}).get("group_sizes", {}).get("peaks")
        if sizes and sizes["regions"]:
            share = sizes["without_reads"] / sizes["regions"]
            yield _apply(
                "without_reads",
                share,
                f"{sizes['without_reads']:,} of {sizes['regions']:,}",
                "Peaks of the test chromosomes without any read have no profile: they are left out of profile scores.",
            )
            return


def _training_regions(name: str, summary: SelectionSummary) -> Iterator[Verdict]:
    kept, kind = (summary.nonpeaks_kept, "nonpeaks") if name == "bias" else (summary.peaks_kept, "peaks")
    if kept is not None:
        yield _apply(
            "training_regions",
            kept,
            f"{kept:,} {kind}",
            f"{kind.capitalize()} of the training and validation chromosomes that the {name} model uses, "
            "after outliers were dropped.",
            title=f"{RULES['training_regions'].title} ({name} model)",
            suffix=f"_{name}",
        )
    if summary.peaks is not None and summary.peaks > THRESHOLDS["most_peaks"].good:
        yield _apply(
            "most_peaks",
            summary.peaks,
            f"{summary.peaks:,} peaks",
            "Peaks of the training and validation chromosomes alone are more than is advised.",
            suffix=f"_{name}",
        )


def _training(content: ReportContent) -> Iterator[Verdict]:
    for model, rows in content.history.items():
        best = next((i for i, row in enumerate(rows) if row.get("best")), None)
        if best is None:
            continue
        cut_short = best == len(rows) - 1  # training stops by itself only some epochs after the best
        label = MODEL_LABELS.get(model, model)
        yield Verdict(
            f"training_{model}",
            f"Training had settled ({label})",
            "warn" if cut_short else "pass",
            best + 1,
            f"best epoch {best + 1} of {len(rows)}",
            "validation loss stops falling before the epochs run out",
            "The last epoch was the best: more of them would have been better."
            if cut_short
            else "Validation loss stopped falling; the best epoch's weights were kept.",
            "Allow more epochs (-e)." if cut_short else "",
            OURS,
        )


def _truth(content: ReportContent) -> Iterator[Verdict]:
    for number, check in enumerate(content.truth, start=1):
        bound = f"{'at least' if check.at_least else 'below'} {check.bound:g}"
        shown = f"{check.value:.4g}".replace("-", "−")
        yield Verdict(
            f"truth_{number}",
            f"Truth: {check.name}",
            "pass" if check.passed else "fail",
            check.value if math.isfinite(check.value) else None,
            shown,
            bound,
            f"These data were simulated, so the answer is known{f' ({check.note})' if check.note else ''}.",
            ""
            if check.passed
            else "Train longer or on more data; a model that misses what was planted here points at a fault in the method.",
            "planted in the simulation",
        )


def _profiles(content: ReportContent) -> Iterator[Verdict]:
    for model, label in MODEL_LABELS.items():
        jsd = content.metric(model, "profile_metrics", "peaks", "median_jsd")
        norm = content.metric(model, "profile_metrics", "peaks", "median_norm_jsd")
        if jsd is None:
            continue
        chance = content.metric(model, "chance_metrics", "peaks", "median_jsd")
        beside = "" if chance is None else f"; shuffled profiles reach {chance:.3f}"
        yield Verdict(
            f"profile_{model}",
            f"Profile shape in peaks ({label})",
            "info",
            jsd,
            f"median JSD {jsd:.3f}, normalised {norm or 0:.3f}",
            "no cut-off: it depends on depth",
            f"Distance of predicted and observed profile, 0 is best{beside}. Compare only models of the same data.",
            source=AUTHORS,
        )
