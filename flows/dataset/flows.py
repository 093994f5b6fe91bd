"""The flows: one model of one fold, one fold, and the whole data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from prefect import flow

from chrombpnet_core.devices import backend_name
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from flows.dataset.across_folds import FinishedFold, across_folds
from flows.dataset.example_steps import shared_steps
from flows.dataset.factor_choice import choose_factor, chosen_factor
from flows.dataset.failures import FoldsFailed, Job
from flows.dataset.fan_out import by_deployment, cancel_folds, in_processes, inherited_checks, one_by_one
from flows.dataset.fold_steps import fold_steps, report_step
from flows.dataset.pipelines import Pipeline, pipeline_steps
from flows.dataset.preparation import begin, write_folds
from flows.dataset.run import Run, call_here
from flows.dataset.step_outline import Outline, numbered, outline
from flows.environment import stoppable
from flows.spec import DatasetSpec, absolute_spec, make_spec
from tasks.runner import planning
from tasks.runs import record_run, recording
from tasks.steps import SWEEP, CheckedInputs, RunEstimate
from tasks.storage import Store

__all__ = ["dataset", "fold", "pipeline"]


@flow(name="pipeline", validate_parameters=False)
@stoppable
def pipeline(spec: DatasetSpec, store: str, asked: Pipeline, checked: CheckedInputs | None = None) -> str:
    """Train, or judge, one model on the first fold.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    asked
        Which model, and what becomes of it.
    checked
        What is known of inputs that were checked already; they are checked here where it is None.

    Returns
    -------
    str
        Address of the report, or of the results.
    """
    run, checked, expected = begin(spec, store, asked, checked=checked)
    parts = outline(spec, asked)
    _record(spec, store, parts, expected, {"pipeline": asked.absolute()}, placed=False)
    with _recorded(run, asked.part, parts) as run:
        return pipeline_steps(run, checked.folds[0], asked)


@flow(name="fold", flow_run_name="fold-{index}", validate_parameters=False)
@stoppable
def fold(
    spec: DatasetSpec | dict[str, Any],
    store: str,
    index: int,
    bias_only: bool = False,
    checked: CheckedInputs | None = None,
) -> str:
    """Do one fold of a data set: background, bias model, main model, reports.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    index
        Which fold, from 0.
    bias_only
        Nothing but the choice among several bias threshold factors, which the first fold makes for all.
    checked
        What is known of inputs that were checked already; they are checked here where it is absent.

    Returns
    -------
    str
        Address of the fold's report, or of the table of threshold factors.

    Raises
    ------
    InputError
        Where there is no such fold, or an input is not what it should be.
    """
    checked = checked or inherited_checks()
    spec = _settled(spec, checked)
    number, several = len(spec.fold_list), len(spec.bias.factors) > 1 and not spec.bias.model
    if not 0 <= index < number:
        raise InputError(f"fold {index}", expected=f"0 to {number - 1}, as the data set has {number}")
    if bias_only and not several:
        raise InputError(
            "there is nothing to choose: the data set has one bias model",
            expected="several numbers as bias.threshold_factor",
        )
    parts = outline(spec)
    if several:
        run, chromosomes = _one_fold(spec, store, 0, checked)
        with _recorded(run, "bias", parts) as run:
            factor = choose_factor(run, chromosomes)
        if bias_only:
            return Store(spec.output).uri(SWEEP)
        spec = Run(spec, store).with_factor(factor).spec
    run, chromosomes = _one_fold(spec, store, index, checked)
    output = f"{spec.output.rstrip('/')}/fold_{index}"
    with _recorded(run, f"fold_{index}", parts) as run:
        fold_steps(run, chromosomes, output)
    return Store(output).uri("overall_report.html")


@flow(name="dataset", validate_parameters=False, on_cancellation=[cancel_folds])
@stoppable
def dataset(
    spec: DatasetSpec | dict[str, Any],
    store: str,
    fold_deployment: str | None = None,
    checked: CheckedInputs | None = None,
) -> list[str]:
    """Do everything from reads and peaks to reports: what the folds share, the bias threshold factor, and every fold.

    Folds run here, one after the other; or ``spec.folds_at_once`` at a time, each in a process of its own; or each as a run
    of a deployment of :func:`fold`. One that fails leaves the others running.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    fold_deployment
        Name of the deployment whose runs the folds are.
    checked
        What is known of inputs that were checked already; they are checked here where it is absent.

    Returns
    -------
    list of str
        Addresses of the reports: of every fold, then of the one over all folds.

    Raises
    ------
    FoldsFailed
        At the end, where folds have failed; the same call again does these alone.
    """
    spec = _settled(spec, checked)
    elsewhere = fold_deployment is not None or (spec.folds_at_once > 1 and len(spec.fold_list) > 1)
    run, checked, expected = begin(spec, store, elsewhere=elsewhere, checked=checked)
    parts = outline(spec)
    _record(spec, store, parts, expected, {"fold_deployment": fold_deployment})
    if len(checked.folds) > 1:
        with _recorded(run, "shared", parts) as shared:
            shared_steps(shared)
    if len(spec.bias.factors) > 1 and not spec.bias.model:
        _do(spec, store, fold_deployment, checked, [Job(0, bias_only=True)])
    run = run.with_factor(chosen_factor(spec))
    _do(run.spec, store, fold_deployment, checked, [Job(i) for i in range(len(checked.folds))])
    finished = _finished_folds(run, checked.folds)
    with _recorded(run, "together", parts) as together:
        return [*(fold.report for fold in finished), across_folds(together, finished)]


def _do(spec: DatasetSpec, store: str, fold_deployment: str | None, checked: CheckedInputs, jobs: list[Job]) -> None:
    """Do folds where the data set says: as runs of a deployment, in processes, or here."""
    if fold_deployment is not None:
        asked = {"spec": absolute_spec(spec).model_dump(mode="json"), "store": store}
        parameters = {job: asked | {"index": job.index, "bias_only": job.bias_only} for job in jobs}
        failures = by_deployment(fold_deployment, parameters, spec.id)
    elif spec.folds_at_once > 1 and len(checked.folds) > 1:
        failures = in_processes(spec, store, jobs, checked)
    else:
        failures = one_by_one(lambda job: fold(spec, store, job.index, job.bias_only, checked), jobs)
    if failures:
        raise FoldsFailed(failures, len(jobs))


def _finished_folds(run: Run, folds: tuple[Fold, ...]) -> list[FinishedFold]:
    """Look up what the store has of every fold, wherever it was computed; nothing is run."""
    finished, here = [], replace(run, call=call_here)
    with planning() as steps:
        for i, chromosomes in enumerate(folds):
            one = here.of_fold(i)
            results = fold_steps(one, chromosomes, None)
            missing = [step.step for step in steps if not step.cached]
            if missing:
                raise OSError(f"fold {i}: {missing[0]} is no longer in the store")
            results["report"] = report_step(one, "dataset", results).result()
            output = Store(f"{run.spec.output.rstrip('/')}/fold_{i}")
            finished.append(FinishedFold(i, chromosomes, results, output.uri("overall_report.html")))
    return finished


def _settled(spec: DatasetSpec | dict[str, Any], checked: CheckedInputs | None) -> DatasetSpec:
    """Read the data set of a call or of a deployment's parameters; folds that are only numbered are written out."""
    spec = make_spec(spec, "data set") if isinstance(spec, dict) else spec
    return write_folds(spec, checked)


def _one_fold(spec: DatasetSpec, store: str, index: int, checked: CheckedInputs | None) -> tuple[Run, Fold]:
    """One fold of a data set whose inputs are ``checked``, else they are checked here."""
    if checked is not None:
        return Run(spec, store, checked.naming).of_fold(index), checked.folds[index]
    alone = Run(spec, store).of_fold(index).spec
    run, checked, expected = begin(alone, store)
    _record(spec, store, outline(spec), expected, {"fold_deployment": None}, anew=False)
    return replace(run, fold=f"fold_{index}"), checked.folds[0]


def _record(
    spec: DatasetSpec,
    store: str,
    parts: Outline,
    expected: RunEstimate | None,
    options: dict[str, Any],
    anew: bool = True,
    placed: bool = True,
) -> None:
    """Write what was asked, once its inputs are known to be in order: for status, resume and clean."""
    options = {"backend": backend_name(), **options}
    plan = {"outline": parts, "seconds": dict(expected.seconds) if expected else {}}
    record_run(absolute_spec(spec).model_dump(mode="json"), store, options, anew, plan, placed)


@contextmanager
def _recorded(run: Run, part: str, parts: Outline) -> Iterator[Run]:
    """Keep the steps of a run on record as a part of it."""
    asked = run.spec.model_dump(mode="json", exclude={"folds_at_once", "publish"})
    with recording(run.store, run.spec.output, part, asked, numbered(parts, part)) as record:
        yield replace(run, record=record)
