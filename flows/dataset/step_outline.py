"""The steps that a run is made of, in order: its flow is gone through, and each step is only noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from chrombpnet_core.genome import Fold
from flows.dataset.across_folds import FinishedFold, across_folds
from flows.dataset.example_steps import example_steps, shared_steps
from flows.dataset.factor_choice import candidate_steps
from flows.dataset.fold_steps import fold_steps
from flows.dataset.pipelines import Pipeline, pipeline_steps
from flows.dataset.run import Run
from flows.spec import DatasetSpec
from tasks.runner import Awaited, Result, Step

__all__ = ["Noted", "Outline", "each_once", "go_through", "note_only", "numbered", "outline"]

Outline = dict[str, dict[str, str]]
"""Part of a run's record, such as ``shared``, ``fold_0`` and ``together`` → name of the step in the run → its title."""

T = TypeVar("T")


@dataclass(frozen=True)
class Noted:
    """The future of a task that was only noted."""

    value: Any = ""

    def result(self) -> Any:
        """Return at once."""
        return self.value


def note_only(*_: Any, **__: Any) -> Noted:
    """Stand for a call of a task that is no step."""
    return Noted()


@dataclass(frozen=True)
class _Outlined(Run):
    """A run that only notes its steps: name in the run → title."""

    steps: dict[str, str] = field(default_factory=dict)

    def step(self, step: Step[Any, Any, Any], inputs: Any, parameters: Any, name: str | None = None) -> Awaited:
        self.steps[self.prefix + (name or step.name)] = step.title
        return Noted(Result("", step.name, "", {"files": {}, "facts": {}}, cached=False))


def outline(spec: DatasetSpec, pipeline: Pipeline | None = None) -> Outline:
    """List the steps of a data set, or of a pipeline.

    Parameters
    ----------
    spec
        The data set; its folds need not be written out.
    pipeline
        Where it is no data set.

    Returns
    -------
    dict
        Part of the run's record → name of the step → title.
    """
    number = spec.folds if isinstance(spec.folds, int) else len(spec.folds)
    parts: Outline = {}

    def part(name: str, _: int | None) -> Run:
        run = _Outlined(spec, "", call=note_only).with_factor(spec.bias.factors[0])
        assert isinstance(run, _Outlined)
        parts[name] = run.steps
        return run

    go_through(spec, [Fold(("",), ("",), ("",))] * (1 if pipeline else number), part, pipeline)
    return parts


def go_through(
    spec: DatasetSpec, folds: Sequence[Fold], part: Callable[[str, int | None], Run], pipeline: Pipeline | None = None
) -> None:
    """Go through the flow of a data set, or of a pipeline, with runs that only note their steps.

    Parameters
    ----------
    spec
        The data set.
    folds
        Chromosomes of its folds.
    part
        Called with the name of each part, and the fold's number where it is one of a fold; returns the part's run.
    pipeline
        Where it is no data set.
    """
    if pipeline:
        pipeline_steps(part(pipeline.part, None), folds[0], pipeline)
        return
    if len(folds) > 1:
        shared_steps(part("shared", None))
    if len(spec.bias.factors) > 1 and not spec.bias.model:
        run = part("bias", 0)
        examples = example_steps(run, folds[0], spec.model.jitter)
        for factor in spec.bias.factors:
            candidate_steps(replace(run.with_factor(factor), prefix=f"{factor:g} "), folds[0], examples)
    finished = [
        FinishedFold(i, fold, fold_steps(part(f"fold_{i}", i), fold, f"fold_{i}"), "") for i, fold in enumerate(folds)
    ]
    across_folds(part("together", None), finished)


def numbered(parts: Outline, part: str) -> dict[str, str]:
    """Tell the place of each step of a part among all steps of the run.

    Parameters
    ----------
    parts
        The run's outline.
    part
        One of them.

    Returns
    -------
    dict
        Name of the step in the run → such as ``step 5 of 14``.
    """
    names = [(each, name) for each, steps in parts.items() for name in steps]
    return {name: f"step {i} of {len(names)}" for i, (each, name) in enumerate(names, start=1) if each == part}


def each_once(parts: Mapping[str, Mapping[str, T]]) -> Iterator[tuple[str, T]]:
    """List the steps of all parts, in order; those that folds share, and the first fold's with the choice, only once.

    Parameters
    ----------
    parts
        Part → name of the step in the run → anything.

    Yields
    ------
    Name of the step in the run, and what it has.
    """
    chosen_among = {name.rpartition(" ")[2] for name in parts.get("bias", {})}
    for part, steps in parts.items():
        before = {*parts.get("shared", {})} if part != "shared" else set()
        before |= chosen_among if part == "fold_0" else set()
        yield from ((name, value) for name, value in steps.items() if name not in before)
