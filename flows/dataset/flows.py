"""The flows: bias model, main model, quality control of given models, one fold, and the whole data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from prefect import flow

from chrombpnet_core.devices import backend_name
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from flows.dataset.across_folds import FinishedFold, across_folds
from flows.dataset.example_steps import example_steps, shared_steps
from flows.dataset.factor_choice import choose_factor, chosen_factor
from flows.dataset.failures import FoldsFailed, Job
from flows.dataset.fan_out import by_deployment, cancel_folds, in_processes, inherited_checks, one_by_one
from flows.dataset.fold_steps import bias_steps, evaluation_steps, fold_steps, main_steps, publish, report_step
from flows.dataset.preparation import ModelKinds, begin, model_kinds, write_folds
from flows.dataset.run import Run, call_here
from flows.environment import stoppable
from flows.spec import DatasetSpec, absolute_spec, make_spec
from tasks.runner import planning
from tasks.runs import record_run, recording
from tasks.steps import SWEEP, CheckedInputs
from tasks.storage import Store

__all__ = ["bias_pipeline", "dataset", "fold", "main_pipeline", "quality_control"]


@flow(name="bias-pipeline", validate_parameters=False)
@stoppable
def bias_pipeline(
    spec: DatasetSpec, store: str, prefix: str = "", judged: bool = True, checked: CheckedInputs | None = None
) -> str:
    """Train a bias model on the first fold and, where ``judged``, evaluate and report it.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    prefix
        Begins the names of the files in ``spec.output``.
    judged
        Whether the model is evaluated, explained and reported.
    checked
        What is known of inputs that were checked already.

    Returns
    -------
    str
        Address of the report, or of the results.
    """
    run, fold = _first_fold(spec, store, ("bias",), checked)
    with _recorded(run, f"{prefix}bias") as run:
        results = example_steps(run, fold, jitter=0)
        results |= bias_steps(run, fold, results)
        if judged:
            results |= evaluation_steps(run, "bias", fold, results, results["train_bias"])
        return publish(run, "bias", results, spec.output, prefix)


@flow(name="pipeline", validate_parameters=False)
@stoppable
def main_pipeline(
    spec: DatasetSpec, store: str, prefix: str = "", judged: bool = True, checked: CheckedInputs | None = None
) -> str:
    """Train a main model on the first fold with the given bias model; otherwise as :func:`bias_pipeline`."""
    run, fold = _first_fold(spec, store, ("main",), checked)
    with _recorded(run, f"{prefix}main") as run:
        results = example_steps(run, fold, spec.model.jitter)
        results |= main_steps(run, fold, results, str(spec.bias.model))
        if judged:
            results |= evaluation_steps(run, "main", fold, results, results["train_main"])
        return publish(run, "main", results, spec.output, prefix)


@flow(name="quality-control", validate_parameters=False)
@stoppable
def quality_control(
    spec: DatasetSpec,
    store: str,
    kind: Literal["bias", "main"],
    models: Mapping[str, str | None],
    prefix: str = "",
    checked: CheckedInputs | None = None,
) -> str:
    """Evaluate and report given models on the first fold's test chromosomes.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    kind
        Which models they are: bias or main.
    models
        File of each model by its name.
    prefix
        Begins the files' names.
    checked
        What is known of inputs that were checked already; they are checked here where it is None.

    Returns
    -------
    str
        Address of the report.
    """
    run, fold = _first_fold(spec, store, (), checked)
    with _recorded(run, f"{prefix}{kind}_qc") as run:
        results = example_steps(run, fold, jitter=0)
        results |= evaluation_steps(run, kind, fold, results, models)
        unused = {"bias", "model", "background", "folds_at_once", "publish"}  # nothing is trained, drawn or published
        settings = spec.model_dump(mode="json", exclude=unused) | {"models": {**models}}
        return publish(run, kind, results, spec.output, prefix, settings)


def _first_fold(spec: DatasetSpec, store: str, kinds: ModelKinds, checked: CheckedInputs | None) -> tuple[Run, Fold]:
    run, checked = begin(spec, store, kinds, checked=checked)
    return run, checked.folds[0]


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
    if several:
        run, chromosomes = _one_fold(spec, store, 0, checked)
        with _recorded(run, "bias") as run:
            factor = choose_factor(run, chromosomes)
        if bias_only:
            return Store(spec.output).uri(SWEEP)
        spec = Run(spec, store).with_factor(factor).spec
    run, chromosomes = _one_fold(spec, store, index, checked)
    output = f"{spec.output.rstrip('/')}/fold_{index}"
    with _recorded(run, f"fold_{index}") as run:
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
    run, checked = begin(spec, store, model_kinds(spec), elsewhere, checked)
    _record(spec, store, fold_deployment)
    if len(checked.folds) > 1:
        with _recorded(run, "shared") as shared:
            shared_steps(shared)
    if len(spec.bias.factors) > 1 and not spec.bias.model:
        _do(spec, store, fold_deployment, checked, [Job(0, bias_only=True)])
    run = run.with_factor(chosen_factor(spec))
    _do(run.spec, store, fold_deployment, checked, [Job(i) for i in range(len(checked.folds))])
    finished = _finished_folds(run, checked.folds)
    with _recorded(run, "together") as together:
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
    run, checked = begin(alone, store, model_kinds(spec))
    _record(spec, store, anew=False)
    return replace(run, fold=f"fold_{index}"), checked.folds[0]


def _record(spec: DatasetSpec, store: str, fold_deployment: str | None = None, anew: bool = True) -> None:
    """Write what was asked, once its inputs are known to be in order: for status, resume and clean."""
    record_run(spec.model_dump(mode="json"), store, {"backend": backend_name(), "fold_deployment": fold_deployment}, anew)


@contextmanager
def _recorded(run: Run, part: str) -> Iterator[Run]:
    """Keep the steps of a run on record as a part of it."""
    asked = run.spec.model_dump(mode="json", exclude={"folds_at_once", "publish"})
    with recording(run.store, run.spec.output, part, asked) as record:
        yield replace(run, record=record)
