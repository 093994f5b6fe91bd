"""The flows: bias model, main model, quality control of given models, and the whole data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prefect import flow

from chrombpnet_core.errors import InputError
from flows.environment import stoppable
from flows.spec import DatasetSpec, FoldChromosomes
from tasks.contributions import explain_regions
from tasks.data import count_insertions, draw_insertion_logo, draw_nonpeaks, make_shards
from tasks.evaluation import evaluate_models
from tasks.inputs import Checked, check_inputs
from tasks.motifs import find_hits, find_motifs
from tasks.preflight import estimate_run
from tasks.publishing import publish_quality_metric, publish_run
from tasks.reports import report_run
from tasks.steps import planning
from tasks.store import redact_all
from tasks.training import scale_bias_model, select_regions, train_bias_model, train_main_model

__all__ = ["bias_pipeline", "dataset", "inputs_of", "main_pipeline", "plan", "quality_control"]

Fold = dict[str, list[str]]
Done = dict[str, Any]


def _submit(task: Any, *arguments: Any, **named: Any) -> Any:
    return task.submit(*arguments, **named)


@dataclass(frozen=True)
class _Run:
    """What every part of a flow needs: the data set, the store, how chromosomes are named, and how a task is called; a
    future comes back.
    """

    spec: DatasetSpec
    store: str
    naming: dict[str, Any] | None = None
    call: Callable[..., Any] = _submit


@flow(name="bias-pipeline", validate_parameters=False)
@stoppable
def bias_pipeline(spec: DatasetSpec, store: str, prefix: str = "", judge: bool = True) -> str:
    """Train a bias model on the first fold and, where ``judge``, evaluate and report it; results go to ``spec.output``."""
    run, (fold, *_) = _begin(spec, store, ["bias"])
    done = _examples(run, fold, jitter=0)
    done |= _bias_model(run, fold, done)
    if judge:
        done |= _judge(run, "bias", fold, done, done["train_bias"])
    return _finish(run, "bias", done, spec.output, prefix)


@flow(name="pipeline", validate_parameters=False)
@stoppable
def main_pipeline(spec: DatasetSpec, store: str, prefix: str = "", judge: bool = True) -> str:
    """Train a main model on the first fold, with the given bias model; else as :func:`bias_pipeline`."""
    run, (fold, *_) = _begin(spec, store, ["main"])
    done = _examples(run, fold, spec.model.jitter)
    done |= _main_model(run, fold, done, spec.bias.model)
    if judge:
        done |= _judge(run, "main", fold, done, done["train_main"])
    return _finish(run, "main", done, spec.output, prefix)


@flow(name="quality-control", validate_parameters=False)
@stoppable
def quality_control(spec: DatasetSpec, store: str, kind: str, models: dict[str, str | None], prefix: str = "") -> str:
    """Evaluate and report given models of ``kind`` bias or main on the first fold's test chromosomes."""
    run, (fold, *_) = _begin(spec, store, [])
    done = _examples(run, fold, jitter=0)
    done |= _judge(run, kind, fold, done, models)
    described = spec.model_dump(mode="json", exclude={"bias", "model", "background"})  # nothing is trained or drawn
    return _finish(run, kind, done, spec.output, prefix, described | {"models": models})


@flow(name="dataset", validate_parameters=False)
@stoppable
def dataset(spec: DatasetSpec, store: str) -> list[str]:
    """Everything from reads and peaks to reports: background, bias model, main model, fold by fold."""
    run, folds = _begin(spec, store, ["main"] if spec.bias.model else ["bias", "main"])
    reports, evaluated = [], []
    for i, fold in enumerate(folds):
        output = f"{spec.output.rstrip('/')}/fold_{i}"
        done = _examples(run, fold, spec.model.jitter)
        if not spec.bias.model:
            done |= _bias_model(run, fold, done)
            done |= _judge(run, "bias", fold, done, done["train_bias"])
            _finish(run, "bias", done, f"{output}/bias")
            done = _of_bias(done)
        done |= _main_model(run, fold, done, spec.bias.model or done["train_bias"])
        done |= _judge(run, "main", fold, done, done["train_main"])
        _finish(run, "main", done, f"{output}/main")
        reports.append(_finish(run, "dataset", done, output))
        evaluated.append(done["evaluate_main"])
    run.call(publish_quality_metric, evaluated, spec.output).result()
    return reports


def _of_bias(done: Done) -> Done:
    """The same, but for what explains the bias model under names of its own: the main model's will have theirs."""
    own = [name for name in done if name.startswith("motifs_")]
    return {f"bias_{name}" if name in own else name: result for name, result in done.items() if name != "contributions"}


@dataclass(frozen=True)
class _Now:
    """Stands for a future where tasks are called in this process, without Prefect."""

    value: Any

    def result(self) -> Any:
        return self.value


def _call(task: Any, *arguments: Any, **named: Any) -> _Now:
    def bare(each: Any) -> Any:
        return each.value if isinstance(each, _Now) else each

    return _Now(task.fn(*map(bare, arguments), **{name: bare(each) for name, each in named.items()}))


def plan(spec: DatasetSpec, store: str, kinds: list[str], judge: bool = True) -> tuple[list[tuple[str, bool]], str, str]:
    """What a run of ``kinds`` (bias, main) would do; nothing is run, beyond a look at the inputs.

    Returns
    -------
    Steps, each with whether it is in the store; what the others would take; why it would be refused, or nothing.
    """
    checked = check_inputs.fn(*inputs_of(spec, store))
    run = _Run(spec, store, checked.naming, _call)
    missing: list[str] = []
    with planning() as steps:
        for fold in checked.folds:
            before = len(steps)
            done = _examples(run, fold, spec.model.jitter if "main" in kinds else 0)
            if "bias" in kinds:
                done |= _bias_model(run, fold, done)
                done |= _judge(run, "bias", fold, done, done["train_bias"]) if judge else {}
            if "main" in kinds:
                done |= _main_model(run, fold, done, spec.bias.model or done["train_bias"])
                done |= _judge(run, "main", fold, done, done["train_main"]) if judge else {}
            missing += [step.step.removeprefix("train_") for step in steps[before:]
                        if step.step.startswith("train_") and not step.cached]
    listed, refusal = [(step.step, step.cached) for step in steps], ""
    try:
        _estimate(run, missing, checked, spec.training.device)
    except InputError as error:
        refusal = str(error)
    return listed, _estimate(run, missing, checked, "cpu").result(), refusal


def inputs_of(spec: DatasetSpec, store: str) -> tuple:
    """The arguments of :func:`tasks.inputs.check_inputs` for a data set."""
    folds = [fold.model_dump() if isinstance(fold, FoldChromosomes) else fold for fold in spec.folds]
    return (spec.reads.files, spec.genome, spec.chrom_sizes, spec.peaks, spec.nonpeaks, spec.blacklist, folds,
            spec.bias.model, spec.model.architecture, spec.input_length, {"results": spec.output, "store": store},
            spec.chromosomes.model_dump(), spec.explanation.motifs if spec.explanation.peaks else None)


def _begin(spec: DatasetSpec, store: str, kinds: list[str]) -> tuple[_Run, list[Fold]]:
    """Check the inputs, name the device, say what training models of ``kinds`` in every fold will take."""
    checked = _submit(check_inputs, *inputs_of(spec, store)).result()
    run = _Run(spec, store, checked.naming)
    _estimate(run, kinds * len(checked.folds), checked, spec.training.device).result()
    return run, checked.folds


def _estimate(run: _Run, kinds: list[str], checked: Checked, device: str) -> Any:
    """What it takes to train these models, a kind for each; refused on ``device`` where that is hopeless."""
    spec = run.spec
    nonpeaks = checked.nonpeaks or spec.background.ratio * checked.peaks
    seen = {"bias": nonpeaks * spec.bias.epochs,
            "main": checked.peaks * (1 + spec.model.negative_sampling_ratio) * spec.model.epochs}
    trainings = [{"architecture": _architecture(spec, kind), "examples": seen[kind],
                  "own": kind == "main" and spec.model.architecture is not None} for kind in kinds]
    jitter = spec.model.jitter if "main" in kinds else 0
    return run.call(estimate_run, run.store, trainings, spec.training.batch_size, checked.peaks + nonpeaks,
                    spec.input_length + 2 * jitter, checked.genome_size, device)


def _examples(run: _Run, fold: Fold, jitter: int) -> Done:
    """Insertions, background and training examples."""
    spec, call, store = run.spec, run.call, run.store
    reads, background, seed = spec.reads, spec.background, spec.training.seed
    coverage = call(count_insertions, store, reads.kind, reads.files, spec.genome, spec.chrom_sizes, spec.assay,
                    reads.plus_shift, reads.minus_shift, reads.reference_matrices, reads.num_samples, seed,
                    {name: getattr(reads, name) for name in ("min_mapq", "exclude_flags", "dedup", "use_counts")},
                    run.naming)
    logo = call(draw_insertion_logo, store, coverage, spec.genome, fold["valid"][0])
    peaks = {"blacklist": spec.blacklist if spec.exclude_blacklisted_peaks else None, "naming": run.naming}
    done: Done = {}
    nonpeaks: Any = spec.nonpeaks
    if nonpeaks is None:
        nonpeaks = call(draw_nonpeaks, store, spec.genome, spec.chrom_sizes, spec.peaks, spec.blacklist, fold,
                        spec.input_length, background.stride, background.ratio, seed,
                        spec.exclude_blacklisted_peaks, run.naming)
        done["nonpeaks"] = nonpeaks.result()
    shards = call(make_shards, store, coverage, spec.genome, spec.chrom_sizes, spec.peaks, nonpeaks,
                  spec.input_length, spec.output_length, jitter, **peaks)
    return {"coverage": coverage.result(), "insertion_logo": logo.result(), **done, "shards": shards.result()}


def _bias_model(run: _Run, fold: Fold, done: Done) -> Done:
    """Select regions for the bias model and train it."""
    shards, training = done["shards"], run.spec.training
    selection = run.call(select_regions, run.store, "bias", shards, fold, training.outlier_threshold, training.seed,
                         threshold_factor=run.spec.bias.threshold_factor)
    trained = run.call(train_bias_model, run.store, shards, selection, _model(run.spec, "bias"), _training(run.spec))
    return {"select_bias": selection.result(), "train_bias": trained.result()}


def _main_model(run: _Run, fold: Fold, done: Done, bias: Any) -> Done:
    """Select regions, scale the bias model, train the main model."""
    shards, training, size = done["shards"], run.spec.training, run.spec.model
    selection = run.call(select_regions, run.store, "main", shards, fold, training.outlier_threshold, training.seed,
                         negative_sampling_ratio=size.negative_sampling_ratio, jitter=size.jitter)
    scaled = run.call(scale_bias_model, run.store, shards, selection, bias, fold, training.batch_size)
    model = _model(run.spec, "main") | {"jitter": size.jitter, "negative_sampling_ratio": size.negative_sampling_ratio}
    trained = run.call(train_main_model, run.store, shards, selection, scaled, model, _training(run.spec),
                       size.architecture)
    return {"select_main": selection.result(), "scale_bias": scaled.result(), "train_main": trained.result()}


def _judge(run: _Run, kind: str, fold: Fold, done: Done, models: Any) -> Done:
    """Evaluate and explain the models of a training, or given ones."""
    spec = run.spec
    evaluated = run.call(evaluate_models, run.store, kind, done["shards"], models, spec.assay, fold,
                         spec.training.batch_size, spec.training.seed, spec.truth)
    return {f"evaluate_{kind}": evaluated.result(), **_explain(run, kind, done, models, evaluated)}


def _explain(run: _Run, kind: str, done: Done, models: Any, evaluated: Any) -> Done:
    """What each base of the peaks adds: to the bias model's predictions, or to the corrected ones; and the motifs in it."""
    spec, call, store = run.spec, run.call, run.store
    asked, seed = spec.explanation, spec.training.seed
    if not asked.peaks:
        return {}
    heads = ["counts", "profile"] if kind == "bias" or asked.counts else ["profile"]
    if isinstance(models, dict):
        models = models["bias"] if kind == "bias" else models["chrombpnet_nobias"] or models["chrombpnet"]
    contributions = call(explain_regions, store, models, done["shards"], spec.genome, spec.chrom_sizes, heads, seed=seed,
                         naming=run.naming, most=asked.peaks, kind=kind, examples=evaluated,
                         precision="float32" if spec.training.precision == "float32" else "tf32")
    found: Done = {"contributions": contributions}
    for head in heads:
        found[f"motifs_{head}"] = motifs = call(find_motifs, store, contributions, head, asked.max_seqlets, asked.window,
                                                motifs=asked.motifs, seed=seed)
        if kind == "main":
            found[f"hits_{head}"] = call(find_hits, store, contributions, None, motifs, head)
    return {name: each.result() for name, each in found.items()}


def _finish(run: _Run, kind: str, done: Done, output: str, prefix: str = "", asked: dict[str, Any] | None = None) -> str:
    """Report what was evaluated, and put the files where the user wants them; the report's address, else ``output``."""
    asked = redact_all(asked or run.spec.model_dump(mode="json"))
    if f"evaluate_{'bias' if kind == 'bias' else 'main'}" in done:
        report = run.call(report_run, run.store, kind, run.spec.id, run.spec.assay, done, asked)
        done = done | {"report": report.result()}
    return run.call(publish_run, kind, done, asked, output, prefix, run.spec.assembly).result()


def _architecture(spec: DatasetSpec, kind: str) -> dict[str, int]:
    size = spec.bias if kind == "bias" else spec.model
    return {"filters": size.filters, "layers": size.layers, "input_length": spec.input_length,
            "output_length": spec.output_length}


def _model(spec: DatasetSpec, kind: str) -> dict[str, Any]:
    return {"architecture": _architecture(spec, kind),
            "epochs": spec.bias.epochs if kind == "bias" else spec.model.epochs}


def _training(spec: DatasetSpec) -> dict[str, Any]:
    training = spec.training
    return {name: getattr(training, name) for name in ("patience", "learning_rate", "batch_size", "seed", "precision", "xla",
                                                       "gpus")}
