"""What to make of a run: the sentence that decides, the reason, and the command that comes next."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chrombpnet_core.evaluation import STATUSES
from chrombpnet_core.models import BIAS, FULL, MODEL_LABELS
from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.rules import Verdict

__all__ = ["STATUS_WORDS", "NextStep", "count_by_status", "next_step"]

STATUS_WORDS = {"fail": "failed", "warn": "warning", "pass": "passed", "info": "info"}
"""Status of a verdict → words."""

_READY = {"bias": "Ready: train the main model with bias.h5."}
_USE = "Ready: use chrombpnet_nobias.h5."
_COMMANDS = {"bias": "chrombpnet pipeline … -b bias.h5"}
_PREDICT = "chrombpnet pred_bw -cmb chrombpnet_nobias.h5 -r regions.bed -g genome.fa -c chrom.sizes -op predicted"


@dataclass(frozen=True)
class NextStep:
    """Hold the sentence that decides, what speaks for it, and the next command; the command may be empty."""

    decision: str
    because: str
    command: str = ""

    @property
    def summary(self) -> str:
        """Decision and reason as one text."""
        return f"{self.decision} {self.because}".strip()


def next_step(content: ReportContent, verdicts: list[Verdict]) -> NextStep:
    """Decide whether to use the model or what to do first, and tell the number that people ask for first.

    Parameters
    ----------
    content
        Of the report.
    verdicts
        Of that content, worst first.

    Returns
    -------
    NextStep
        Decision, reason, command.
    """
    number = count_by_status(verdicts)
    judged = number["fail"] + number["warn"] + number["pass"]
    first = min(verdicts, key=lambda verdict: STATUSES.index(verdict.status), default=None)
    ready = _READY.get(content.kind, _USE)
    command = _COMMANDS.get(content.kind, _PREDICT)
    if first is None or not judged:
        decision, because, command = "Nothing could be judged.", "", ""
    elif first.status == "fail":
        refusal = f"Do not use this model yet: {number['fail']} of {judged} checks failed."
        decision, because = (first.action, f"{refusal} {_finding(first)}") if first.action else (refusal, _finding(first))
        command = _again(content.kind, first.action)
    elif first.status == "warn":
        warned = f"no check failed, {number['warn']} of {judged} gave a warning."
        decision, because = f"{ready[:-1]}, with care: {warned}", _finding(first)
    else:
        decision, because = ready, "The check passed." if judged == 1 else f"All {judged} checks passed."
    return NextStep(decision, f"{because} {_correlation(content, first)}".strip(), command)


def count_by_status(verdicts: list[Verdict]) -> dict[str, int]:
    """Count the verdicts of each status."""
    return {status: sum(verdict.status == status for verdict in verdicts) for status in STATUSES}


def _again(kind: str, action: str) -> str:
    """Write the command that trains the bias model with the factor that the action names; empty where it names none."""
    factor = re.search(r"-b ([\d.]+\d)", action)
    if factor is None:
        return ""
    if kind == "dataset":
        return f"chrombpnet run DATASET.yaml    # with bias: {{threshold_factor: {factor[1]}}}"
    return f"chrombpnet bias pipeline … {factor[0]}"


def _finding(verdict: Verdict) -> str:
    """Say what was asked and answered."""
    return f"{verdict.title} {verdict.answer or STATUS_WORDS[verdict.status].capitalize()}: {verdict.shown}."


def _correlation(content: ReportContent, first: Verdict | None) -> str:
    """Tell r of counts; not where the verdict that comes first has told it."""
    model, group = (BIAS, "nonpeaks") if content.kind == "bias" else (FULL, "peaks")
    r = content.metric(model, "counts_metrics", group, "pearsonr")
    is_told = first is not None and first.status in ("fail", "warn") and first.key.endswith(f"_r_{group}")
    if r is None or is_told:
        return ""
    shown = f"r = {r:.3f}".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")
    return f"The {MODEL_LABELS[model]} predicts counts in held-out {group} with {shown}."
