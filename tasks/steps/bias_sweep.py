"""Compare the bias models of several threshold factors and say which is taken."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any

from chrombpnet_core.report import FactorCandidate, choose_factor, read_candidate
from tasks.runner import Result, prefect_task
from tasks.storage import place_files

__all__ = ["SWEEP", "compare_factors"]

log = logging.getLogger(__name__)

SWEEP = "bias_sweep.json"
"""Table of all factors in the output of a run."""


@prefect_task("Choose the bias threshold factor")
def compare_factors(reports: dict[str, Result | str], output: str) -> float:
    """Choose by the report of each factor, or by the error that kept it from having one; the factor that is taken.

    Parameters
    ----------
    reports
        Factor → report of its bias model, or the error.
    output
        Gets :data:`SWEEP` and the reports, ``bias_sweep/<factor>.html``.

    Returns
    -------
    float
        The factor that is taken.

    Raises
    ------
    InputError
        Where no factor gives a usable model.
    """
    candidates = [_candidate(float(factor), report) for factor, report in reports.items()]
    choice = choose_factor(candidates)
    chosen = f"{choice.factor:g}"
    (log.info if choice.acceptable else log.warning)("bias threshold factor %s: %s", chosen, choice.reason)
    table = [
        _row(each)
        | {
            "chosen": each.factor == choice.factor,
            "reason": choice.reason
            if each.factor == choice.factor
            else "; ".join(each.faults) or f"acceptable, but {chosen} is {choice.reason.split(':')[0]}",
        }
        for each in candidates
    ]
    content = {"chosen": choice.factor, "acceptable": choice.acceptable, "reason": choice.reason, "candidates": table}
    pages = {
        f"bias_sweep/{float(factor):g}.html": report.file("overall_report.html")
        for factor, report in reports.items()
        if isinstance(report, Result)
    }
    place_files(pages, {SWEEP: json.dumps(content, indent=1) + "\n"}, output)
    return choice.factor


def _candidate(factor: float, report: Result | str) -> FactorCandidate:
    if isinstance(report, str):
        return FactorCandidate(factor, error=report)
    return read_candidate(factor, json.loads(report.file("report.json").read_text()))


def _row(candidate: FactorCandidate) -> dict[str, Any]:
    row = asdict(candidate)
    return {name: row[name] for name in ("factor", "r_nonpeaks", "r_peaks", "motifs", "tf_motif", "verdict")} | (
        {"error": candidate.error} if candidate.error else {}
    )
