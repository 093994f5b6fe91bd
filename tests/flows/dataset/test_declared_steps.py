"""A step is declared in one place and then seen everywhere; what is declared fits together."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing
from pathlib import Path
from typing import Generic

import pytest
import yaml

from chrombpnet_core.genome import Fold
from flows.dataset import example_steps
from flows.dataset.dry_run import plan
from flows.dataset.pipelines import Pipeline
from flows.dataset.run import Run, call_here
from flows.dataset.step_outline import each_once, numbered, outline
from flows.spec import DatasetSpec
from tasks.registry import declared_steps
from tasks.reports.layout import layout_of, placed_files
from tasks.runner import At, Source, Step, Work, published
from tasks.runs import find_removable, recording, status_lines
from tasks.steps import examples

FOLD = Fold(("chr1",), ("chr2",), ("chr3",))


@dataclasses.dataclass(frozen=True)
class LettersInputs(Generic[At]):
    """A FASTA file."""

    genome: At


@dataclasses.dataclass(frozen=True)
class LettersParameters:
    """How many letters are taken."""

    most: int


def _letters(work: Work[LettersInputs[Path], LettersParameters]) -> None:
    (work.out / "letters.txt").write_text(work.inputs.genome.read_text()[: work.parameters.most])


LETTERS = Step(
    name="letters",
    version=1,
    title="Take letters",
    inputs=LettersInputs[Source],
    parameters=LettersParameters,
    body=_letters,
    outputs=published({"letters.txt": "auxiliary/"}, "main"),
)


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "genome.fa").write_text("".join(f">{chrom}\n{'ACGT' * 1000}\n" for chrom in ("chr1", "chr2", "chr3")))
    regions = "".join(f"{chrom}\t1000\t1200\n" for chrom in ("chr1", "chr2", "chr3"))
    for name in ("peaks.bed", "nonpeaks.bed", "fragments.tsv"):
        (tmp_path / name).write_text(regions)
    fold = {part: list(getattr(FOLD, part)) for part in ("train", "valid", "test")}
    return DatasetSpec(
        assay="ATAC",
        reads={"fragments": [str(tmp_path / "fragments.tsv")]},
        genome=str(tmp_path / "genome.fa"),
        peaks=str(tmp_path / "peaks.bed"),
        nonpeaks=str(tmp_path / "nonpeaks.bed"),
        folds=[fold],
        input_length=600,
        output_length=200,
        bias={"filters": 4, "layers": 3},
        model={"filters": 4, "layers": 3, "jitter": 0},
        training={"device": "cpu"},
        output=str(tmp_path / "out"),
    )


@pytest.fixture
def with_letters(monkeypatch):
    """The step is declared in one module and called in one place of the flow."""
    monkeypatch.setattr(examples, "LETTERS", LETTERS, raising=False)
    coverage = example_steps._coverage

    def also_letters(run):
        run.step(LETTERS, LettersInputs(run.spec.genome), LettersParameters(8))
        return coverage(run)

    monkeypatch.setattr(example_steps, "_coverage", also_letters)


def test_a_step_that_is_declared_once_is_seen_everywhere(spec, tmp_path, with_letters):
    store = str(tmp_path / "store")
    assert declared_steps()["letters"] is LETTERS
    steps = outline(spec)["fold_0"]
    assert steps["letters"] == "Take letters"
    assert plan(spec, store).parts["fold_0"]["letters"] is False
    assert layout_of("main")["letters"] == {"letters.txt": "auxiliary/"}
    assert "letters" not in layout_of("bias")
    with recording(store, spec.output, "fold_0", {}) as record:
        run = Run(spec, store, call=_called(record))
        result = (
            dataclasses.replace(run, record=record).step(LETTERS, LettersInputs(spec.genome), LettersParameters(8)).result()
        )
    assert plan(spec, store).parts["fold_0"]["letters"] is True
    (path,) = placed_files("main", {"letters": result}).items()
    assert path == ("auxiliary/letters.txt", result.file("letters.txt"))
    (line,) = (line for line in status_lines(store, spec.output, {"fold_0": steps}) if "letters" in line)
    assert line.split()[:4] == ["letters", "Take", "letters", "done"]
    assert "output of letters" in [item.what for item in find_removable(store, spec.output, everything=True)]


def _called(record):
    """A way to call tasks whose futures a record can follow."""
    from prefect.states import Completed

    class Future:
        state = Completed()

        def __init__(self, done):
            self.done = done

        def add_done_callback(self, call):
            call(self)

        def wait(self):
            pass

        def result(self):
            return self.done.result()

    return lambda *arguments, **named: Future(call_here(*arguments, **named))


@pytest.mark.parametrize("name", sorted(declared_steps()))
def test_bodies_see_what_is_declared(name):
    """The body's annotations are the declaration's inputs, with paths, and its parameters or what these extend."""
    step = declared_steps()[name]
    (work,) = (hint for hint in typing.get_type_hints(step.body).values() if typing.get_origin(hint) is Work)
    inputs, parameters = typing.get_args(work)
    assert (typing.get_origin(inputs), typing.get_args(inputs)) == (typing.get_origin(step.inputs), (Path,))
    assert issubclass(step.parameters, parameters)
    for kind in (typing.get_origin(inputs), step.parameters):
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen


def test_a_misspelt_parameter_is_a_type_error(tmp_path):
    """A type checker says so, and Python before anything runs."""
    with pytest.raises(TypeError, match="moost"):
        LettersParameters(moost=8)
    program = tmp_path / "misspelt.py"
    program.write_text(
        "from tasks.runner import Source\n"
        "from tasks.steps.motifs import HITS, HitsInputs, HitsParameters\n"
        "HITS['counts']('store', HitsInputs[Source](contributions='a', motifs='b'), HitsParameters(nam='counts'))\n"
        "HITS['counts']('store', HitsInputs[Source](contributions=1, motifs='b'), HitsParameters('counts'))\n"
        "HITS['counts']('store', HitsInputs[Source](contributions='a', motifs='b'), 'counts')\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program)],  # with the cache of `make lint`
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert [line.split(":")[1] for line in checked.stdout.splitlines() if "misspelt.py" in line and "error:" in line] == [
        "3",
        "4",
        "5",
    ]


@pytest.mark.parametrize(
    ("pipeline", "last"), [(Pipeline("bias"), "bias_report"), (Pipeline("main", judged=False), "train_main")]
)
def test_a_pipeline_has_an_outline_and_places(spec, pipeline, last):
    parts = outline(spec, pipeline)
    assert list(parts) == [pipeline.part]
    assert list(parts[pipeline.part])[-1] == last
    number = len(parts[pipeline.part])
    assert numbered(parts, pipeline.part)[last] == f"step {number} of {number}"


def test_given_models_are_judged_and_none_is_trained(spec):
    (steps,) = outline(spec, Pipeline("bias", "x", models={"bias": "bias.h5"})).values()
    assert "train_bias" not in steps
    assert list(steps)[-1] == "bias_report"


def test_what_folds_share_is_counted_once(spec):
    changed = {"folds": [*spec.model_dump()["folds"]] * 2, "bias": spec.bias.model_dump() | {"threshold_factor": [0.5, 0.8]}}
    names = [name for name, _ in each_once(outline(DatasetSpec.model_validate(spec.model_dump() | changed)))]
    assert names.count("coverage") == 1
    assert names.count("0.8 train_bias") == 1
    assert names.count("train_bias") == 1  # of the second fold: the first has the chosen one
    assert names.count("train_main") == 2


def test_the_outline_follows_the_data_set(spec):
    one = outline(spec)
    assert list(one) == ["fold_0", "together"]
    assert list(one["together"]) == ["folds_report"]
    assert list(one["fold_0"])[:4] == ["coverage", "insertion_logo", "shards", "library_quality"]
    assert list(one["fold_0"])[-2:] == ["main_report", "report"]
    changed = yaml.safe_load("{folds: 2, nonpeaks: null, explanation: {peaks: 0}, bias: {threshold_factor: [0.5, 0.8]}}")
    several = outline(DatasetSpec.model_validate(spec.model_dump() | changed))
    assert list(several) == ["shared", "bias", "fold_0", "fold_1", "together"]
    assert list(several["shared"]) == ["coverage", "library_quality"]
    assert "0.8 train_bias" in several["bias"]
    assert "nonpeaks" in several["fold_1"]
    assert list(several["together"]) == ["average_models", "average_tracks", "folds_report"]
