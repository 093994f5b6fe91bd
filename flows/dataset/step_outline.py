"""The steps that a data set is made of, in order: its flow is gone through and nothing is run or looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from chrombpnet_core.genome import Fold
from flows.dataset.across_folds import FinishedFold, across_folds
from flows.dataset.example_steps import example_steps, shared_steps
from flows.dataset.factor_choice import candidate_steps
from flows.dataset.fold_steps import fold_steps
from flows.dataset.run import Run
from flows.spec import DatasetSpec
from tasks.runner import Awaited, Result, Step

__all__ = ["outline"]


@dataclass(frozen=True)
class _Nothing:
    """The future of a task that was not run."""

    value: Any = ""

    def result(self) -> Any:
        return self.value


@dataclass(frozen=True)
class _Outline(Run):
    """A run that only notes its steps: name in the run → title."""

    steps: dict[str, str] = field(default_factory=dict)

    def step(self, step: Step[Any, Any, Any], inputs: Any, parameters: Any, name: str | None = None) -> Awaited:
        self.steps[self.prefix + (name or step.name)] = step.title
        return _Nothing(Result("", step.name, "", {"files": {}, "facts": {}}, cached=False))


def outline(spec: DatasetSpec) -> dict[str, dict[str, str]]:
    """List the steps of a data set.

    Parameters
    ----------
    spec
        The data set; its folds need not be written out.

    Returns
    -------
    dict
        Part of the run's record, such as ``shared``, ``fold_0`` and ``together`` → name of the step → title.
    """
    number = spec.folds if isinstance(spec.folds, int) else len(spec.folds)
    one = Run(spec, "", call=lambda *_, **__: _Nothing()).with_factor(spec.bias.factors[0])
    fold, several = Fold(("",), ("",), ("",)), len(spec.bias.factors) > 1 and not spec.bias.model
    parts: dict[str, dict[str, str]] = {}

    def part(name: str) -> _Outline:
        run = _Outline(one.spec, "", call=one.call)
        parts[name] = run.steps
        return run

    if number > 1:
        shared_steps(part("shared"))
    if several:
        run = part("bias")
        examples = example_steps(run, fold, spec.model.jitter)
        for factor in spec.bias.factors:
            candidate_steps(replace(run.with_factor(factor), prefix=f"{factor:g} "), fold, examples)
    finished = [FinishedFold(i, fold, fold_steps(part(f"fold_{i}"), fold, f"fold_{i}"), "") for i in range(number)]
    across_folds(part("together"), finished)
    return parts
