"""The bias threshold factor, chosen among several: a bias model for each is trained and judged on the first fold."""

from __future__ import annotations

from dataclasses import replace

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from flows.dataset.example_steps import example_steps
from flows.dataset.fold_steps import bias_steps, evaluation_steps, report_step
from flows.dataset.run import Results, Run
from flows.spec import DatasetSpec
from tasks.runner import Result
from tasks.steps import SWEEP, compare_factors
from tasks.storage import Store

__all__ = ["candidate_steps", "choose_factor", "chosen_factor"]


def choose_factor(run: Run, fold: Fold) -> float:
    """Train and judge a bias model for every threshold factor.

    Parameters
    ----------
    run
        The data set's run.
    fold
        The fold's chromosomes.

    Returns
    -------
    float
        The factor whose model is best.

    Raises
    ------
    InputError
        Where no factor gives a usable model.
    """
    examples = example_steps(run, fold, run.spec.model.jitter)
    reports: dict[str, Result | str] = {}
    for factor in run.spec.bias.factors:
        try:
            candidate = replace(run.with_factor(factor), prefix=f"{factor:g} ")
            reports[str(factor)] = candidate_steps(candidate, fold, examples)
        except InputError as error:  # such as too few nonpeaks: that says something of this factor alone
            reports[str(factor)] = str(error)
    return float(run.call(compare_factors, reports, run.spec.output).result())


def candidate_steps(run: Run, fold: Fold, examples: Results) -> Result:
    """Train, judge and report the bias model of one threshold factor.

    Parameters
    ----------
    run
        The data set's run.
    fold
        The fold's chromosomes.
    examples
        Results of its training examples, by the steps' names.

    Returns
    -------
    Result
        The report.
    """
    results = {**examples, **bias_steps(run, fold, examples)}
    results |= evaluation_steps(run, "bias", fold, examples, results["train_bias"])
    report: Result = report_step(run, "bias", results).result()
    return report


def chosen_factor(spec: DatasetSpec) -> float:
    """Return the only factor of a data set, or the one that was chosen among several, wherever that was."""
    if len(spec.bias.factors) == 1 or spec.bias.model:
        return spec.bias.factors[0]
    return float((Store(spec.output).read_json(SWEEP) or {}).get("chosen", spec.bias.factors[0]))
