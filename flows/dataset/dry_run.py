"""What a run would do, without doing it: the answer to ``--dry-run``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from flows.dataset.example_steps import example_steps
from flows.dataset.factor_choice import chosen_factor
from flows.dataset.fold_steps import bias_steps, evaluation_steps, main_steps
from flows.dataset.preparation import ModelKinds, check_dataset, estimate, with_folds
from flows.dataset.run import Run, call_here
from flows.spec import DatasetSpec
from tasks.runner import Result, planning

__all__ = ["Plan", "plan"]


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes
    ----------
    steps
        In order, each with whether it is in the store.
    needs
        What the steps that are not would take, in words.
    refusal
        Why the run would be refused on this machine, or nothing.
    """

    steps: tuple[tuple[str, bool], ...]
    needs: str
    refusal: str


def plan(spec: DatasetSpec, store: str, kinds: ModelKinds, judged: bool = True) -> Plan:
    """Go through the steps of a run; nothing is run, beyond a look at the inputs.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    kinds
        Models to train: bias, main, or both.
    judged
        Whether they are evaluated and explained.

    Returns
    -------
    Plan
        Its steps, what they take, and whether they would be refused.
    """
    checked = check_dataset(spec, store)
    spec = with_folds(spec)
    run, chosen = Run(spec, store, checked.naming, call_here), chosen_factor(spec)
    with planning() as steps:
        for i, fold in enumerate(checked.folds):
            for factor in spec.bias.factors if i == 0 else [chosen]:
                wanted: ModelKinds = kinds if factor == chosen else tuple(kind for kind in kinds if kind == "bias")
                _go_through(run.of_fold(i).with_factor(factor), fold, wanted, "main" in kinds, judged)
    missing = _missing_trainings(steps)
    try:
        estimate(run, missing, checked, spec.training.device)
        refusal = ""
    except InputError as error:
        refusal = str(error)
    needs: str = estimate(run, missing, checked, "cpu").result()
    return Plan(tuple((step.step, step.cached) for step in steps), needs, refusal)


def _go_through(run: Run, fold: Fold, kinds: ModelKinds, jitters: bool, judged: bool) -> None:
    """Go through the steps of some models on one fold; with ``jitters`` examples leave room for the main model's jitter."""
    spec = run.spec
    results = example_steps(run, fold, spec.model.jitter if jitters else 0)
    if "bias" in kinds:
        results |= bias_steps(run, fold, results)
        if judged:
            evaluation_steps(run, "bias", fold, results, results["train_bias"])
    if "main" in kinds:
        results |= main_steps(run, fold, results, spec.bias.model or results["train_bias"])
        if judged:
            evaluation_steps(run, "main", fold, results, results["train_main"])


def _missing_trainings(steps: list[Result]) -> ModelKinds:
    kinds: dict[str, Literal["bias", "main"]] = {"train_bias": "bias", "train_main": "main"}
    return tuple(kinds[step.step] for step in steps if step.step in kinds and not step.cached)
