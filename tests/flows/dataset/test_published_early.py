"""Models are in the results folder as soon as they are trained: a later step that fails leaves them there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from flows.dataset.fold_steps import fold_steps
from flows.dataset.pipelines import Pipeline, pipeline_steps
from flows.dataset.run import Run
from flows.dataset.step_outline import Noted
from flows.spec import make_spec
from tasks.reports import publish_run
from tasks.runner import Result

FOLD = Fold(("chr1",), ("chr2",), ("chr3",))


@dataclass(frozen=True)
class _Failing(Run):
    """A run without work, one step of which fails; it notes the steps that are published, and where."""

    failing: str = ""
    published: list[tuple[str, set[str]]] = field(default_factory=list)

    def step(self, step: Any, inputs: Any, parameters: Any, name: str | None = None) -> Any:
        if step.name == self.failing:
            raise InputError(f"{step.name} failed")
        return Noted(Result("", step.name, "", {"files": {}, "facts": {}}, cached=False))

    def __post_init__(self) -> None:
        def call(task: Any, *arguments: Any, **_: Any) -> Noted:
            assert task is publish_run
            self.published.append((arguments[3], set(arguments[1])))
            return Noted(arguments[3])

        object.__setattr__(self, "call", call)


def _run(failing: str, **keys: Any) -> _Failing:
    files = {"genome": "g.fa", "chrom_sizes": "sizes", "peaks": "p.bed", "nonpeaks": "n.bed", "folds": ["f.json"]}
    asked = {"id": "x", "assay": "ATAC", "reads": {"fragments": ["frag.tsv"]}, "output": "out"} | files | keys
    return _Failing(make_spec(asked, "here"), "store", failing=failing)


@pytest.mark.parametrize(
    ("pipeline", "failing", "model"),
    [
        (Pipeline("bias"), "evaluate_bias", "train_bias"),
        (Pipeline("bias"), "motifs_profile", "train_bias"),
        (Pipeline("main"), "evaluate_main", "train_main"),
        (Pipeline("main"), "report", "train_main"),
    ],
)
def test_a_pipeline(pipeline, failing, model):
    run = _run(failing, bias={"model": "bias.h5"} if pipeline.kind == "main" else {})
    with pytest.raises(InputError, match=f"{failing} failed"):
        pipeline_steps(run, FOLD, pipeline)
    ((output, steps),) = run.published
    assert output == "out"
    assert model in steps


def test_a_fold_of_a_data_set():
    run = _run("evaluate_main")
    with pytest.raises(InputError, match="evaluate_main failed"):
        fold_steps(run, FOLD, "out/fold_0")
    places = [place for place, _ in run.published]
    assert places == ["out/fold_0/bias", "out/fold_0/bias", "out/fold_0/main"]  # models, report; models
    assert "train_main" in run.published[-1][1]
    assert "report" in run.published[1][1]


def test_what_is_trained_before_a_failure_is_all_that_is_published():
    run = _run("train_bias")
    with pytest.raises(InputError, match="train_bias failed"):
        pipeline_steps(run, FOLD, Pipeline("bias"))
    assert run.published == []
