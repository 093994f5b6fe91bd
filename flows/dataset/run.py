"""A run of a data set's flow: its steps are called here, as Prefect tasks or without, and kept on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from chrombpnet_core.genome import Naming
from flows.spec import DatasetSpec
from tasks.runner import Awaited, Result, Step, watched_by
from tasks.runs import Record

__all__ = ["Results", "Run", "call_here", "submit"]

Results: TypeAlias = Mapping[str, Result]
"""Steps that have happened, by their name in the run."""

Given = TypeVar("Given")
Parameters = TypeVar("Parameters")


@dataclass(frozen=True)
class _Done:
    """Stands for a future where tasks are called in this process, without Prefect."""

    value: Any

    def result(self) -> Any:
        return self.value


def submit(task: Any, *arguments: Any, **named: Any) -> Any:
    """Submit a task to Prefect and return its future."""
    return task.submit(*arguments, **named)


def call_here(task: Any, *arguments: Any, **named: Any) -> Awaited:
    """Call a task as the function that it is, without Prefect; what it returns stands in a future's place."""

    def bare(value: Any) -> Any:
        return value.value if isinstance(value, _Done) else value

    return _Done(task.fn(*map(bare, arguments), **{name: bare(value) for name, value in named.items()}))


@dataclass(frozen=True)
class Run:
    """What every part of a flow needs.

    Attributes
    ----------
    spec
        The data set.
    store
        Where steps keep their outputs.
    naming
        How other files than the genome name chromosomes.
    call
        How a task is called; it returns a future.
    record
        Keeps a record of the steps, where there is one.
    prefix
        Begins the names of steps in that record.
    fold
        Name of the fold, where the run is of one of a data set's, such as ``fold_0``.
    """

    spec: DatasetSpec
    store: str
    naming: Naming = field(default_factory=Naming)
    call: Callable[..., Any] = submit
    record: Record | None = None
    prefix: str = ""
    fold: str = ""

    def step(
        self, step: Step[Given, Any, Parameters], inputs: Given, parameters: Parameters, name: str | None = None
    ) -> Awaited:
        """Begin a step, once the steps among its inputs are done.

        Parameters
        ----------
        step
            Its declaration.
        inputs
            Sources, in the declaration's dataclass.
        parameters
            As the declaration says.
        name
            The step's name in the run, its own by default.

        Returns
        -------
        Awaited
            The step's future.
        """
        if self.record is None:
            return self._begin(step, inputs, parameters)
        label = self.prefix + (name or step.name)
        with watched_by(self.record.announce(label, step.name, step.title)):
            future = self._begin(step, inputs, parameters)
        self.record.attach(label, future)
        return future

    def _begin(self, step: Step[Given, Any, Parameters], inputs: Given, parameters: Parameters) -> Awaited:
        future: Awaited = self.call(step.task, self.store, inputs, parameters)
        return future

    def of_fold(self, index: int, record: Record | None = None) -> Run:
        """Return the same run for one fold alone, which depends on none of the others."""
        spec = self.spec.model_copy(update={"folds": [self.spec.fold_list[index]]})
        return replace(self, spec=spec, record=record, fold=f"fold_{index}")

    def with_factor(self, factor: float) -> Run:
        """Return the same run with one bias threshold factor."""
        bias = self.spec.bias.model_copy(update={"threshold_factor": factor})
        return replace(self, spec=self.spec.model_copy(update={"bias": bias}))
