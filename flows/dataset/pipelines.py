"""One model of one fold, as the commands ``pipeline``, ``train``, ``qc`` and those below ``bias`` make or judge it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chrombpnet_core.genome import Fold
from flows.dataset.example_steps import example_steps
from flows.dataset.fold_steps import GivenModels, ModelKind, bias_steps, evaluation_steps, main_steps, publish
from flows.dataset.run import Run

__all__ = ["Pipeline", "pipeline_steps"]


@dataclass(frozen=True)
class Pipeline:
    """Which model is made of a data set, and what becomes of it.

    Attributes
    ----------
    kind
        ``bias`` or ``main``.
    prefix
        Begins the names of the files in the results folder.
    judged
        Whether the model is evaluated, explained and reported.
    models
        File of each model by its name where they are given: nothing is trained then.
    """

    kind: ModelKind
    prefix: str = ""
    judged: bool = True
    models: Mapping[str, str | None] | None = None

    @property
    def part(self) -> str:
        """Name of the part of the run's record."""
        return f"{self.prefix}{self.kind}{'' if self.models is None else '_qc'}"

    @property
    def trained(self) -> tuple[ModelKind, ...]:
        """The kinds of models that are trained."""
        return (self.kind,) if self.models is None else ()

    def absolute(self) -> dict[str, Any]:
        """Return what :class:`Pipeline` takes, paths of models absolute: for another process, in another folder."""
        models = self.models and {name: file and _absolute(file) for name, file in self.models.items()}
        return asdict(self) | {"models": models}


def pipeline_steps(run: Run, fold: Fold, pipeline: Pipeline) -> str:
    """Do all steps of a pipeline; models are put into the results folder as soon as they are trained.

    Parameters
    ----------
    run
        The data set's run.
    fold
        The fold's chromosomes.
    pipeline
        What is done.

    Returns
    -------
    str
        Address of the report, or of the results.
    """
    spec, kind, prefix = run.spec, pipeline.kind, pipeline.prefix
    results = example_steps(run, fold, spec.model.jitter if pipeline.trained == ("main",) else 0)
    if run.record is not None:
        run.record.place_run()
    settings, models = None, pipeline.models
    if models is None:
        is_bias = kind == "bias"
        trained = bias_steps(run, fold, results) if is_bias else main_steps(run, fold, results, str(spec.bias.model))
        publish(run, kind, trained, spec.output, prefix)
        results |= trained
        judged: GivenModels = trained[f"train_{kind}"]
    else:
        unused = {"bias", "model", "background", "folds_at_once", "publish"}  # nothing is trained, drawn or published
        settings = spec.model_dump(mode="json", exclude=unused) | {"models": {**models}}
        judged = models
    if pipeline.judged:
        results |= evaluation_steps(run, kind, fold, results, judged)
    return publish(run, kind, results, spec.output, prefix, settings)


def _absolute(address: str) -> str:
    return address if "://" in address else str(Path.cwd() / os.path.expanduser(address))
