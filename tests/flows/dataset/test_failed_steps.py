"""A step that fails is named by its own error, not by those of the steps that wait for it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import SimpleNamespace

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from flows.dataset.example_steps import example_steps, shared_steps
from flows.dataset.fold_steps import evaluation_steps
from flows.dataset.run import Run
from flows.spec import make_spec

FOLD = Fold(("chr1",), ("chr2",), ("chr3",))
SHARDS = {"shards": SimpleNamespace(result=lambda: None)}


class _Future:
    """As Prefect's: one that waits for a step that failed has no result, whatever that step's error was."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def result(self) -> object:
        if self.error is not None:
            raise self.error
        return SimpleNamespace(facts={})


def _futures(value: object) -> list[_Future]:
    if isinstance(value, _Future):
        return [value]
    return (
        [found for field in fields(value) for found in _futures(getattr(value, field.name))] if is_dataclass(value) else []
    )


def _run(monkeypatch, failing: str) -> Run:
    def step(self, step, inputs, parameters, name=None):
        if step.name == failing:
            return _Future(InputError(f"{failing} failed"))
        return _Future(RuntimeError("PENDING") if any(future.error for future in _futures(inputs)) else None)

    monkeypatch.setattr(Run, "step", step)
    files = {"genome": "g.fa", "chrom_sizes": "sizes", "peaks": "p.bed", "nonpeaks": "n.bed", "folds": ["f.json"]}
    reads = {"fragments": ["frag.tsv"]}
    return Run(make_spec({"id": "x", "assay": "ATAC", "reads": reads, "output": "out", **files}, "here"), "store")


@pytest.mark.parametrize("failing", ["evaluate_bias", "contributions", "motifs_profile"])
def test_evaluation(monkeypatch, failing):
    with pytest.raises(InputError, match=f"{failing} failed"):
        evaluation_steps(_run(monkeypatch, failing), "bias", FOLD, SHARDS, {"bias": "bias.h5"})


@pytest.mark.parametrize("failing", ["coverage", "insertion_logo", "shards", "library_quality"])
def test_examples(monkeypatch, failing):
    with pytest.raises(InputError, match=f"{failing} failed"):
        example_steps(_run(monkeypatch, failing), FOLD, 0)


@pytest.mark.parametrize("failing", ["coverage", "shards"])
def test_what_folds_share(monkeypatch, failing):
    with pytest.raises(InputError, match=f"{failing} failed"):
        shared_steps(_run(monkeypatch, failing))
