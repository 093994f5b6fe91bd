"""The flows: bias model, main model, quality control of given models, one fold, and the whole data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from prefect import flow

from chrombpnet_core.devices import backend_name
from chrombpnet_core.errors import InputError
from flows.dataset.across_folds import FoldDone, gather
from flows.dataset.failures import FoldsFailed, Job
from flows.dataset.fan_out import by_deployment, cancel_folds, in_processes, one_by_one
from flows.dataset.fold_steps import (
    Fold,
    Run,
    begin,
    bias_steps,
    call_here,
    estimate,
    examples,
    fold_steps,
    inputs_of,
    judge,
    main_steps,
    publish,
    report,
    share,
)
from flows.environment import stoppable
from flows.spec import DatasetSpec, absolute_spec, make_spec
from tasks.runner import planning
from tasks.runs import record_run, recording
from tasks.steps.bias_sweep import SWEEP, compare_factors
from tasks.steps.check_inputs import check_inputs
from tasks.steps.folds import balanced_folds, place_folds
from tasks.storage import Store

__all__ = ["bias_pipeline", "dataset", "fold", "main_pipeline", "plan", "quality_control", "with_folds"]


@flow(name="bias-pipeline", validate_parameters=False)
@stoppable
def bias_pipeline(spec: DatasetSpec, store: str, prefix: str = "", judged: bool = True) -> str:
    """Train a bias model on the first fold and, where ``judged``, evaluate and report it; results go to ``spec.output``."""
    run, (split, *_) = begin(spec, store, ["bias"])
    with _recorded(run, f"{prefix}bias") as run:
        done = examples(run, split, jitter=0)
        done |= bias_steps(run, split, done)
        if judged:
            done |= judge(run, "bias", split, done, done["train_bias"])
        return publish(run, "bias", done, spec.output, prefix)


@flow(name="pipeline", validate_parameters=False)
@stoppable
def main_pipeline(spec: DatasetSpec, store: str, prefix: str = "", judged: bool = True) -> str:
    """Train a main model on the first fold, with the given bias model; else as :func:`bias_pipeline`."""
    run, (split, *_) = begin(spec, store, ["main"])
    with _recorded(run, f"{prefix}main") as run:
        done = examples(run, split, spec.model.jitter)
        done |= main_steps(run, split, done, spec.bias.model)
        if judged:
            done |= judge(run, "main", split, done, done["train_main"])
        return publish(run, "main", done, spec.output, prefix)


@flow(name="quality-control", validate_parameters=False)
@stoppable
def quality_control(spec: DatasetSpec, store: str, kind: str, models: dict[str, str | None], prefix: str = "") -> str:
    """Evaluate and report given models of ``kind`` bias or main on the first fold's test chromosomes."""
    run, (split, *_) = begin(spec, store, [])
    with _recorded(run, f"{prefix}{kind}_qc") as run:
        done = examples(run, split, jitter=0)
        done |= judge(run, kind, split, done, models)
        described = spec.model_dump(
            mode="json",
            exclude={  # nothing is trained, drawn or published
                "bias",
                "model",
                "background",
                "folds_at_once",
                "publish",
            },
        )
        return publish(run, kind, done, spec.output, prefix, described | {"models": models})


@flow(name="fold", flow_run_name="fold-{index}", validate_parameters=False)
@stoppable
def fold(
    spec: DatasetSpec | dict[str, Any],
    store: str,
    index: int,
    bias_only: bool = False,
    checked: dict[str, Any] | None = None,
) -> str:
    """One fold of a data set: background, bias model, main model, reports; the last report's address.

    Parameters
    ----------
    spec, store
        The data set, and where steps keep their outputs.
    index
        Which fold, from 0.
    bias_only
        Nothing but the choice among several bias threshold factors, which the first fold makes for all.
    checked
        ``folds`` and ``naming`` of inputs that were checked already; they are checked here where it is absent.

    Raises
    ------
    InputError
        Where there is no such fold, or an input is not what it should be.
    """
    spec = _settled(spec)
    if not 0 <= index < len(spec.folds):
        raise InputError(f"fold {index}", expected=f"0 to {len(spec.folds) - 1}, as the data set has {len(spec.folds)}")
    several = len(spec.bias.factors) > 1 and not spec.bias.model
    if bias_only and not several:
        raise InputError(
            "there is nothing to choose: the data set has one bias model",
            expected="several numbers as bias.threshold_factor",
        )
    if several:
        factor = _choose_factor(*_one_fold(spec, store, 0, checked))
        if bias_only:
            return Store(spec.output).uri(SWEEP)
        spec = _with_factor(spec, factor)
    run, split = _one_fold(spec, store, index, checked)
    output = f"{spec.output.rstrip('/')}/fold_{index}"
    with _recorded(run, f"fold_{index}") as run:
        fold_steps(run, split, output)
    return Store(output).uri("overall_report.html")


@flow(name="dataset", validate_parameters=False, on_cancellation=[cancel_folds])
@stoppable
def dataset(spec: DatasetSpec | dict[str, Any], store: str, fold_deployment: str | None = None) -> list[str]:
    """Everything from reads and peaks to reports: what the folds share, the bias threshold factor, and then every fold.

    Folds run here, one after the other; or ``spec.folds_at_once`` at a time, each in a process of its own; or each as a run
    of the deployment ``fold_deployment`` of :func:`fold`. One that fails leaves the others running.

    Returns
    -------
    Addresses of the reports: of every fold, then of the one over all folds.

    Raises
    ------
    FoldsFailed
        At the end, where folds have failed; the same call again does these alone.
    """
    spec = _settled(spec)
    elsewhere = fold_deployment is not None or (spec.folds_at_once > 1 and len(spec.folds) > 1)
    run, splits = begin(spec, store, ["main"] if spec.bias.model else ["bias", "main"], elsewhere)
    _record(spec, store, fold_deployment)
    checked = {"folds": splits, "naming": run.naming}

    def do(spec: DatasetSpec, jobs: list[Job]) -> None:
        if fold_deployment is not None:
            asked = {"spec": absolute_spec(spec).model_dump(mode="json"), "store": store}
            failures = by_deployment(
                fold_deployment, {job: asked | {"index": job.index, "bias_only": job.bias_only} for job in jobs}, spec.id
            )
        elif elsewhere:
            failures = in_processes(spec, store, jobs)
        else:
            failures = one_by_one(lambda job: fold(spec, store, job.index, job.bias_only, checked), jobs)
        if failures:
            raise FoldsFailed(failures, len(jobs))

    if len(splits) > 1:
        with _recorded(run, "shared") as shared:
            share(shared)
    if len(spec.bias.factors) > 1 and not spec.bias.model:
        do(spec, [Job(0, bias_only=True)])
    spec = _with_factor(spec, _chosen(spec))
    do(spec, [Job(i) for i in range(len(splits))])
    run = replace(run, spec=spec)
    folds_done = _found(run, splits)
    with _recorded(run, "together") as together:
        return [*(each.report for each in folds_done), gather(together, folds_done)]


def _found(run: Run, splits: list[Fold]) -> list[FoldDone]:
    """What the store has of every fold, wherever it was computed; nothing is run."""
    found, here = [], replace(run, call=call_here)
    with planning() as steps:
        for i, split in enumerate(splits):
            each = here.of_fold(i)
            done = fold_steps(each, split, None)
            missing = [step.step for step in steps if not step.cached]
            if missing:
                raise OSError(f"fold {i}: {missing[0]} is no longer in the store")
            done["report"] = report(each, "dataset", done).result()
            output = f"{run.spec.output.rstrip('/')}/fold_{i}"
            found.append(FoldDone(i, split, output, Store(output).uri("overall_report.html"), done))
    return found


def _choose_factor(run: Run, split: Fold) -> float:
    """Train and judge a bias model for every threshold factor; the factor whose model is best."""
    with _recorded(run, "bias") as run:
        done = examples(run, split, run.spec.model.jitter)
        reports: dict[str, Any] = {}
        for factor in run.spec.bias.factors:
            each = replace(run.with_factor(factor), prefix=f"{factor:g} ")
            try:
                found = done | bias_steps(each, split, done)
                found |= judge(each, "bias", split, found, found["train_bias"])
                reports[str(factor)] = report(each, "bias", found).result()
            except InputError as error:  # such as too few nonpeaks: that says something of this factor alone
                reports[str(factor)] = str(error)
        return run.call(compare_factors, reports, run.spec.output).result()


def _chosen(spec: DatasetSpec) -> float:
    """The only factor, or the one that was chosen among several, wherever that was."""
    if len(spec.bias.factors) == 1 or spec.bias.model:
        return spec.bias.factors[0]
    return (Store(spec.output).read_json(SWEEP) or {}).get("chosen", spec.bias.factors[0])


def _with_factor(spec: DatasetSpec, factor: float) -> DatasetSpec:
    return Run(spec, "").with_factor(factor).spec


def _settled(spec: DatasetSpec | dict[str, Any]) -> DatasetSpec:
    """The data set of a call or of a deployment's parameters; folds of which it names only the number are made, written."""
    spec = make_spec(spec, "data set") if isinstance(spec, dict) else spec
    settled = with_folds(spec)
    if settled is not spec:
        place_folds([each.model_dump() for each in settled.folds], spec.output)
    return settled


def with_folds(spec: DatasetSpec) -> DatasetSpec:
    """The same data set; where only the number of folds is given, they are written out."""
    if not isinstance(spec.folds, int):
        return spec
    folds = balanced_folds(
        spec.genome,
        spec.chrom_sizes,
        spec.peaks,
        spec.folds,
        spec.training.seed,
        spec.input_length,
        spec.chromosomes.model_dump(),
    )
    return make_spec(spec.model_dump() | {"folds": folds}, "data set")


def _one_fold(spec: DatasetSpec, store: str, index: int, checked: dict[str, Any] | None) -> tuple[Run, Fold]:
    """One fold of a data set whose inputs are ``checked``, else they are checked here."""
    if checked is not None:
        return Run(spec, store, checked["naming"]).of_fold(index), checked["folds"][index]
    alone = Run(spec, store).of_fold(index).spec
    run, (split,) = begin(alone, store, ["main"] if spec.bias.model else ["bias", "main"])
    _record(spec, store, anew=False)
    return run, split


def _record(spec: DatasetSpec, store: str, fold_deployment: str | None = None, anew: bool = True) -> None:
    """Write what was asked, once its inputs are known to be in order: for status, resume and clean."""
    record_run(spec.model_dump(mode="json"), store, {"backend": backend_name(), "fold_deployment": fold_deployment}, anew)


@contextmanager
def _recorded(run: Run, part: str) -> Iterator[Run]:
    """The same run, its steps kept on record as a part of it."""
    asked = run.spec.model_dump(mode="json", exclude={"folds_at_once", "publish"})
    with recording(run.store, run.spec.output, part, asked) as record:
        yield replace(run, record=record)


def plan(spec: DatasetSpec, store: str, kinds: list[str], judged: bool = True) -> tuple[list[tuple[str, bool]], str, str]:
    """What a run of ``kinds`` (bias, main) would do; nothing is run, beyond a look at the inputs.

    Returns
    -------
    Steps, each with whether it is in the store; what the others would take; why it would be refused, or nothing.
    """
    spec = with_folds(spec)
    checked = check_inputs.fn(*inputs_of(spec, store))
    run = Run(spec, store, checked.naming, call_here)
    jitter, missing = spec.model.jitter if "main" in kinds else 0, []
    with planning() as steps:
        for i, split in enumerate(checked.folds):
            factors = spec.bias.factors if i == 0 else [_chosen(spec)]
            for factor in factors:
                each, before = run.of_fold(i).with_factor(factor), len(steps)
                done = examples(each, split, jitter)
                if "bias" in kinds:
                    done |= bias_steps(each, split, done)
                    done |= judge(each, "bias", split, done, done["train_bias"]) if judged else {}
                if "main" in kinds and factor == (_chosen(spec) if i == 0 else factor):
                    done |= main_steps(each, split, done, spec.bias.model or done["train_bias"])
                    done |= judge(each, "main", split, done, done["train_main"]) if judged else {}
                missing += [
                    step.step.removeprefix("train_")
                    for step in steps[before:]
                    if step.step.startswith("train_") and not step.cached
                ]
    listed, refusal = [(step.step, step.cached) for step in steps], ""
    try:
        estimate(run, missing, checked, spec.training.device)
    except InputError as error:
        refusal = str(error)
    return listed, estimate(run, missing, checked, "cpu").result(), refusal
