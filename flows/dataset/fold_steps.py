"""What flows are made of: the steps of a model, of its judgement, of its report; each waits for what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flows.dataset.step_names import explained_heads
from flows.spec import DatasetSpec, FoldChromosomes
from tasks.reports import publish_run, report_run
from tasks.runs import Record
from tasks.steps.check_inputs import Checked, check_inputs
from tasks.steps.contributions import explain_regions
from tasks.steps.data import count_insertions, draw_insertion_logo, draw_nonpeaks, make_shards
from tasks.steps.evaluation import evaluate_models
from tasks.steps.motifs import find_hits, find_motifs
from tasks.steps.resource_estimate import estimate_run
from tasks.steps.training import scale_bias_model, select_regions, train_bias_model, train_main_model
from tasks.storage import redact_all

__all__ = [
    "Done",
    "Fold",
    "Run",
    "asked_of",
    "begin",
    "bias_steps",
    "call_here",
    "estimate",
    "examples",
    "fold_steps",
    "inputs_of",
    "judge",
    "main_steps",
    "publish",
    "report",
    "share",
]

Fold = dict[str, list[str]]
Done = dict[str, Any]


def _submit(task: Any, *arguments: Any, **named: Any) -> Any:
    return task.submit(*arguments, **named)


@dataclass(frozen=True)
class Run:
    """What every part of a flow needs: the data set, the store, how chromosomes are named, how a task is called (a future
    comes back), and who keeps a record of it; ``prefix`` begins the names of steps in that record.
    """

    spec: DatasetSpec
    store: str
    naming: dict[str, Any] | None = None
    call: Callable[..., Any] = _submit
    record: Record | None = None
    prefix: str = ""

    def step(self, name: str, task: Any, *arguments: Any, **named: Any) -> Any:
        """Call a task that is the step ``name`` of this run."""
        future = self.call(task, *arguments, **named)
        if self.record is not None:
            self.record.follow(self.prefix + name, future)
        return future

    def of_fold(self, index: int, record: Record | None = None) -> Run:
        """The same for one fold: it depends on none of the others."""
        spec = self.spec.model_copy(update={"folds": [self.spec.folds[index]]})
        return replace(self, spec=spec, record=record)

    def with_factor(self, factor: float) -> Run:
        """The same with one bias threshold factor."""
        bias = self.spec.bias.model_copy(update={"threshold_factor": factor})
        return replace(self, spec=self.spec.model_copy(update={"bias": bias}))


@dataclass(frozen=True)
class _Now:
    """Stands for a future where tasks are called in this process, without Prefect."""

    value: Any

    def result(self) -> Any:
        return self.value


def call_here(task: Any, *arguments: Any, **named: Any) -> _Now:
    """Call a task as the function that it is."""

    def bare(each: Any) -> Any:
        return each.value if isinstance(each, _Now) else each

    return _Now(task.fn(*map(bare, arguments), **{name: bare(each) for name, each in named.items()}))


def inputs_of(spec: DatasetSpec, store: str) -> tuple:
    """The arguments of :func:`tasks.steps.check_inputs.check_inputs` for a data set whose folds are given or written out."""
    folds = [fold.model_dump() if isinstance(fold, FoldChromosomes) else fold for fold in spec.folds]
    places = {"results": spec.output, "store": store} | ({"bundle": spec.publish} if spec.publish else {})
    return (
        spec.reads.files,
        spec.genome,
        spec.chrom_sizes,
        spec.peaks,
        spec.nonpeaks,
        spec.blacklist,
        folds,
        spec.bias.model,
        spec.model.architecture,
        spec.input_length,
        places,
        spec.chromosomes.model_dump(),
        spec.explanation.motifs if spec.explanation.peaks else None,
    )


def begin(spec: DatasetSpec, store: str, kinds: list[str], elsewhere: bool = False) -> tuple[Run, list[Fold]]:
    """Check the inputs, name the device, say what training models of ``kinds`` in every fold will take.

    Where the trainings are to run ``elsewhere``, the device is not looked at: that is left free for them.
    """
    checked = _submit(check_inputs, *inputs_of(spec, store)).result()
    run = Run(spec, store, checked.naming)
    if not elsewhere:
        estimate(run, kinds * len(checked.folds), checked, spec.training.device).result()
    return run, checked.folds


def estimate(run: Run, kinds: list[str], checked: Checked, device: str) -> Any:
    """What it takes to train these models, a kind for each; refused on ``device`` where that is hopeless."""
    spec = run.spec
    nonpeaks = checked.nonpeaks or spec.background.ratio * checked.peaks
    seen = {
        "bias": nonpeaks * spec.bias.epochs,
        "main": checked.peaks * (1 + spec.model.negative_sampling_ratio) * spec.model.epochs,
    }
    trainings = [
        {
            "architecture": _architecture(spec, kind),
            "examples": seen[kind],
            "own": kind == "main" and spec.model.architecture is not None,
        }
        for kind in kinds
    ]
    jitter = spec.model.jitter if "main" in kinds else 0
    return run.call(
        estimate_run,
        run.store,
        trainings,
        spec.training.batch_size,
        checked.peaks + nonpeaks,
        spec.input_length + 2 * jitter,
        checked.genome_size,
        device,
    )


def _count(run: Run) -> Any:
    """Insertions: the same for all folds."""
    spec, reads = run.spec, run.spec.reads
    return run.step(
        "coverage",
        count_insertions,
        run.store,
        reads.kind,
        reads.files,
        spec.genome,
        spec.chrom_sizes,
        spec.assay,
        reads.plus_shift,
        reads.minus_shift,
        reads.reference_matrices,
        reads.num_samples,
        spec.training.seed,
        {name: getattr(reads, name) for name in ("min_mapq", "exclude_flags", "dedup", "use_counts")},
        run.naming,
    )


def examples(run: Run, fold: Fold, jitter: int) -> Done:
    """Insertions, background and training examples."""
    spec, store = run.spec, run.store
    background, seed = spec.background, spec.training.seed
    coverage = _count(run)
    logo = run.step("insertion_logo", draw_insertion_logo, store, coverage, spec.genome, fold["valid"][0])
    done: Done = {}
    nonpeaks: Any = spec.nonpeaks
    if nonpeaks is None:
        nonpeaks = run.step(
            "nonpeaks",
            draw_nonpeaks,
            store,
            spec.genome,
            spec.chrom_sizes,
            spec.peaks,
            spec.blacklist,
            fold,
            spec.input_length,
            background.stride,
            background.ratio,
            seed,
            spec.exclude_blacklisted_peaks,
            run.naming,
        )
        done["nonpeaks"] = nonpeaks.result()
    written = _shards(run, coverage, nonpeaks, jitter)
    return {"coverage": coverage.result(), "insertion_logo": logo.result(), **done, "shards": written.result()}


def share(run: Run) -> None:
    """What all folds share: insertions, and training examples where the nonpeaks are given."""
    spec, coverage = run.spec, _count(run)
    if spec.nonpeaks is not None:
        _shards(run, coverage, spec.nonpeaks, spec.model.jitter).result()
    coverage.result()


def _shards(run: Run, coverage: Any, nonpeaks: Any, jitter: int) -> Any:
    """Training examples; a future."""
    spec = run.spec
    return run.step(
        "shards",
        make_shards,
        run.store,
        coverage,
        spec.genome,
        spec.chrom_sizes,
        spec.peaks,
        nonpeaks,
        spec.input_length,
        spec.output_length,
        jitter,
        blacklist=spec.blacklist if spec.exclude_blacklisted_peaks else None,
        naming=run.naming,
    )


def bias_steps(run: Run, fold: Fold, done: Done) -> Done:
    """Select regions for the bias model and train it."""
    shards, training = done["shards"], run.spec.training
    (factor,) = run.spec.bias.factors
    selection = run.step(
        "select_bias",
        select_regions,
        run.store,
        "bias",
        shards,
        fold,
        training.outlier_threshold,
        training.seed,
        threshold_factor=factor,
    )
    trained = run.step(
        "train_bias", train_bias_model, run.store, shards, selection, _model(run.spec, "bias"), _training(run.spec)
    )
    return {"select_bias": selection.result(), "train_bias": trained.result()}


def main_steps(run: Run, fold: Fold, done: Done, bias: Any) -> Done:
    """Select regions, scale the bias model, train the main model."""
    shards, training, size = done["shards"], run.spec.training, run.spec.model
    selection = run.step(
        "select_main",
        select_regions,
        run.store,
        "main",
        shards,
        fold,
        training.outlier_threshold,
        training.seed,
        negative_sampling_ratio=size.negative_sampling_ratio,
        jitter=size.jitter,
    )
    scaled = run.step("scale_bias", scale_bias_model, run.store, shards, selection, bias, fold, training.batch_size)
    model = _model(run.spec, "main") | {"jitter": size.jitter, "negative_sampling_ratio": size.negative_sampling_ratio}
    trained = run.step(
        "train_main", train_main_model, run.store, shards, selection, scaled, model, _training(run.spec), size.architecture
    )
    return {"select_main": selection.result(), "scale_bias": scaled.result(), "train_main": trained.result()}


def judge(run: Run, kind: str, fold: Fold, done: Done, models: Any) -> Done:
    """Evaluate and explain the models of a training, or given ones."""
    spec = run.spec
    evaluated = run.step(
        f"evaluate_{kind}",
        evaluate_models,
        run.store,
        kind,
        done["shards"],
        models,
        spec.assay,
        fold,
        spec.training.batch_size,
        spec.training.seed,
        spec.truth,
    )
    return {f"evaluate_{kind}": evaluated.result(), **_explain(run, kind, done, models, evaluated)}


def _explain(run: Run, kind: str, done: Done, models: Any, evaluated: Any) -> Done:
    """What each base of the peaks adds: to the bias model's predictions, or to the corrected ones; and the motifs in it."""
    spec, store = run.spec, run.store
    asked, seed = spec.explanation, spec.training.seed
    if not asked.peaks:
        return {}
    if isinstance(models, dict):
        models = models["bias"] if kind == "bias" else models["chrombpnet_nobias"] or models["chrombpnet"]
    own = "bias_" if kind == "bias" else ""
    contributions = run.step(
        f"{own}contributions",
        explain_regions,
        store,
        models,
        done["shards"],
        spec.genome,
        spec.chrom_sizes,
        explained_heads(spec, kind),
        seed=seed,
        naming=run.naming,
        most=asked.peaks,
        kind=kind,
        examples=evaluated,
        precision="float32" if spec.training.precision == "float32" else "tf32",
    )
    found: Done = {"contributions": contributions}
    for head in explained_heads(spec, kind):
        found[f"motifs_{head}"] = motifs = run.step(
            f"{own}motifs_{head}",
            find_motifs,
            store,
            contributions,
            head,
            asked.max_seqlets,
            asked.window,
            motifs=asked.motifs,
            seed=seed,
        )
        if kind == "main":
            found[f"hits_{head}"] = run.step(f"hits_{head}", find_hits, store, contributions, None, motifs, head)
    return {name: each.result() for name, each in found.items()}


def _of_bias(done: Done) -> Done:
    """The same, but for what explains the bias model under names of its own: the main model's will have theirs."""
    own = [name for name in done if name.startswith("motifs_")]
    return {f"bias_{name}" if name in own else name: result for name, result in done.items() if name != "contributions"}


def fold_steps(run: Run, fold: Fold, output: str | None) -> Done:
    """All steps of one fold; reports and files go below ``output`` where one is given, as they are ready."""
    spec, done = run.spec, examples(run, fold, run.spec.model.jitter)
    if not spec.bias.model:
        done |= bias_steps(run, fold, done)
        done |= judge(run, "bias", fold, done, done["train_bias"])
        if output:
            publish(run, "bias", done, f"{output}/bias")
        done = _of_bias(done)
    done |= main_steps(run, fold, done, spec.bias.model or done["train_bias"])
    done |= judge(run, "main", fold, done, done["train_main"])
    if output:
        publish(run, "main", done, f"{output}/main")
        publish(run, "dataset", done, output)
    return done


def report(run: Run, kind: str, done: Done, asked: dict[str, Any] | None = None) -> Any:
    """The report of what was evaluated; a future."""
    asked = redact_all(asked) if asked else asked_of(run.spec)
    name = "report" if kind == "dataset" else f"{kind}_report"
    return run.step(name, report_run, run.store, kind, run.spec.id, run.spec.assay, done, asked)


def asked_of(spec: DatasetSpec) -> dict[str, Any]:
    """What shapes the results, without secrets, and without where and how they are computed."""
    return redact_all(spec.model_dump(mode="json", exclude={"folds_at_once", "publish"}))


def publish(run: Run, kind: str, done: Done, output: str, prefix: str = "", asked: dict[str, Any] | None = None) -> str:
    """Report what was evaluated, and put the files where the user wants them; the report's address, else ``output``."""
    asked = redact_all(asked) if asked else asked_of(run.spec)
    if f"evaluate_{'bias' if kind == 'bias' else 'main'}" in done:
        done = done | {"report": report(run, kind, done, asked).result()}
    return run.call(publish_run, kind, done, asked, output, prefix, run.spec.assembly).result()


def _architecture(spec: DatasetSpec, kind: str) -> dict[str, int]:
    size = spec.bias if kind == "bias" else spec.model
    return {
        "filters": size.filters,
        "layers": size.layers,
        "input_length": spec.input_length,
        "output_length": spec.output_length,
    }


def _model(spec: DatasetSpec, kind: str) -> dict[str, Any]:
    return {"architecture": _architecture(spec, kind), "epochs": spec.bias.epochs if kind == "bias" else spec.model.epochs}


def _training(spec: DatasetSpec) -> dict[str, Any]:
    training = spec.training
    return {
        name: getattr(training, name)
        for name in ("patience", "learning_rate", "batch_size", "seed", "precision", "xla", "gpus")
    }
