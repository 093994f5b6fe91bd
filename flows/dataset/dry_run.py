"""What a run would do, without doing it: the answer to ``--dry-run``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chrombpnet_core.errors import InputError
from flows.dataset.factor_choice import chosen_factor
from flows.dataset.pipelines import Pipeline
from flows.dataset.preparation import check_dataset, estimate, with_folds
from flows.dataset.run import Run, call_here
from flows.dataset.step_outline import Noted, each_once, go_through, note_only
from flows.spec import DatasetSpec
from tasks.runner import Awaited, Step, planning

__all__ = ["Plan", "plan"]


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes
    ----------
    parts
        Part, such as ``fold_0`` → name of the step in the run → whether it is in the store.
    needs
        What the steps that are not would take, in words.
    refusal
        Why the run would be refused on this machine, or nothing.
    """

    parts: dict[str, dict[str, bool]]
    needs: str
    refusal: str


@dataclass(frozen=True)
class _Planned(Run):
    """A run that asks the store for its steps, and runs none: name → whether it is there."""

    steps: dict[str, bool] = field(default_factory=dict)

    def step(self, step: Step[Any, Any, Any], inputs: Any, parameters: Any, name: str | None = None) -> Awaited:
        result = step(self.store, inputs, parameters)
        self.steps[self.prefix + (name or step.name)] = result.cached
        return Noted(result)


def plan(spec: DatasetSpec, store: str, pipeline: Pipeline | None = None) -> Plan:
    """Go through the steps of a run; nothing is run, beyond a look at the inputs.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    pipeline
        Where it is no data set.

    Returns
    -------
    Plan
        Its steps, what they take, and whether they would be refused.
    """
    checked = check_dataset(spec, store)
    spec = with_folds(spec)
    chosen = spec.bias.factors[0] if pipeline else chosen_factor(spec)
    parts: dict[str, dict[str, bool]] = {}

    def part(name: str, index: int | None) -> Run:
        run = _Planned(spec, store, checked.naming, note_only).with_factor(chosen)
        run = run if index is None else run.of_fold(index)
        assert isinstance(run, _Planned)
        parts[name] = run.steps
        return run

    with planning():
        go_through(spec, checked.folds, part, pipeline)
    missing = [name for name, in_store in each_once(parts) if not in_store]
    here = Run(spec, store, checked.naming, call_here)
    refusal = ""
    try:
        needs = str(estimate(here, missing, checked, spec.training.device, pipeline, ahead=True).result())
    except InputError as error:
        refusal = str(error)
        needs = str(estimate(here, missing, checked, "cpu", pipeline, ahead=True).result())
    return Plan(parts, needs, refusal)
