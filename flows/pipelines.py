"""The flows: one trains a bias model, one a main model, one does the whole data set."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.spec import DatasetSpec, FoldChromosomes
from tasks.data import count_insertions, draw_insertion_logo, draw_nonpeaks, make_shards
from tasks.evaluation import evaluate_models
from tasks.inputs import Checked, check_inputs
from tasks.preflight import estimate_run
from tasks.publishing import publish_run
from tasks.reports import report_run
from tasks.store import redact_all
from tasks.training import scale_bias_model, select_regions, train_bias_model, train_main_model

__all__ = ["bias_pipeline", "dataset", "inputs_of", "main_pipeline"]

Fold = dict[str, list[str]]


@flow(name="bias-pipeline", validate_parameters=False)
def bias_pipeline(spec: DatasetSpec, store: str, prefix: str = "") -> str:
    """Train, evaluate and report a bias model on the first fold; the results go to ``spec.output``."""
    checked = _check(spec, store, ["bias"])
    fold = checked.folds[0]
    done = _examples(spec, store, fold, jitter=0)
    done |= _bias_model(spec, store, fold, done)
    return _finish(spec, store, "bias", done, spec.output, prefix)


@flow(name="pipeline", validate_parameters=False)
def main_pipeline(spec: DatasetSpec, store: str, prefix: str = "") -> str:
    """Train, evaluate and report a main model on the first fold, with the given bias model."""
    checked = _check(spec, store, ["main"])
    fold = checked.folds[0]
    done = _examples(spec, store, fold, spec.model.jitter)
    done |= _main_model(spec, store, fold, done, spec.bias.model)
    return _finish(spec, store, "main", done, spec.output, prefix)


@flow(name="dataset", validate_parameters=False)
def dataset(spec: DatasetSpec, store: str) -> list[str]:
    """Everything from reads and peaks to reports: background, bias model, main model, fold by fold."""
    checked = _check(spec, store, ["main"] if spec.bias.model else ["bias", "main"])
    reports = []
    for i, fold in enumerate(checked.folds):
        output = f"{spec.output.rstrip('/')}/fold_{i}"
        done = _examples(spec, store, fold, spec.model.jitter)
        if not spec.bias.model:
            done |= _bias_model(spec, store, fold, done)
            _finish(spec, store, "bias", done, f"{output}/bias")
        done |= _main_model(spec, store, fold, done, spec.bias.model or done["train_bias"])
        _finish(spec, store, "main", done, f"{output}/main")
        reports.append(_finish(spec, store, "dataset", done, output))
    return reports


def inputs_of(spec: DatasetSpec, store: str) -> tuple:
    """The arguments of :func:`tasks.inputs.check_inputs` for a data set."""
    folds = [fold.model_dump() if isinstance(fold, FoldChromosomes) else fold for fold in spec.folds]
    return (spec.reads.files, spec.genome, spec.chrom_sizes, spec.peaks, spec.nonpeaks, spec.blacklist, folds,
            spec.bias.model, spec.model.architecture, spec.input_length, {"results": spec.output, "store": store})


def _check(spec: DatasetSpec, store: str, kinds: list[str]) -> Checked:
    jitter = spec.model.jitter if "main" in kinds else 0
    checked = check_inputs.submit(*inputs_of(spec, store)).result()
    nonpeaks = checked.nonpeaks or spec.background.ratio * checked.peaks
    seen = {"bias": nonpeaks * spec.bias.epochs,
            "main": checked.peaks * (1 + spec.model.negative_sampling_ratio) * spec.model.epochs}
    trainings = [{"architecture": _architecture(spec, kind), "examples": seen[kind] * len(checked.folds),
                  "own": kind == "main" and spec.model.architecture is not None} for kind in kinds]
    estimate_run.submit(store, trainings, spec.training.batch_size, checked.peaks + nonpeaks,
                        spec.input_length + 2 * jitter, checked.genome_size, spec.training.device).result()
    return checked


def _examples(spec: DatasetSpec, store: str, fold: Fold, jitter: int) -> dict[str, Any]:
    """Insertions, background and training examples."""
    reads, background, seed = spec.reads, spec.background, spec.training.seed
    coverage = count_insertions.submit(
        store, reads.kind, reads.files, spec.genome, spec.chrom_sizes, spec.assay, reads.plus_shift,
        reads.minus_shift, reads.reference_matrices, reads.num_samples, seed)
    logo = draw_insertion_logo.submit(store, coverage, spec.genome, fold["valid"][0])
    done: dict[str, Any] = {}
    nonpeaks: Any = spec.nonpeaks
    if nonpeaks is None:
        nonpeaks = draw_nonpeaks.submit(store, spec.genome, spec.chrom_sizes, spec.peaks, spec.blacklist, fold,
                                        spec.input_length, background.stride, background.ratio, seed)
        done["nonpeaks"] = nonpeaks.result()
    shards = make_shards.submit(store, coverage, spec.genome, spec.chrom_sizes, spec.peaks, nonpeaks,
                                spec.input_length, spec.output_length, jitter)
    return {"coverage": coverage.result(), "insertion_logo": logo.result(), **done, "shards": shards.result()}


def _bias_model(spec: DatasetSpec, store: str, fold: Fold, done: dict[str, Any]) -> dict[str, Any]:
    """Select, train and evaluate the bias model."""
    shards, training = done["shards"], spec.training
    selection = select_regions.submit(store, "bias", shards, fold, training.outlier_threshold, training.seed,
                                      threshold_factor=spec.bias.threshold_factor)
    trained = train_bias_model.submit(store, shards, selection, _model(spec, "bias"), _training(spec))
    evaluated = evaluate_models.submit(store, "bias", shards, trained, None, spec.assay, fold, training.batch_size,
                                       training.seed, spec.truth)
    return {"select_bias": selection.result(), "train_bias": trained.result(), "evaluate_bias": evaluated.result()}


def _main_model(spec: DatasetSpec, store: str, fold: Fold, done: dict[str, Any], bias: Any) -> dict[str, Any]:
    """Select, scale the bias model, train and evaluate the main model."""
    shards, training, size = done["shards"], spec.training, spec.model
    selection = select_regions.submit(store, "main", shards, fold, training.outlier_threshold, training.seed,
                                      negative_sampling_ratio=size.negative_sampling_ratio, jitter=size.jitter)
    scaled = scale_bias_model.submit(store, shards, selection, bias, fold, training.batch_size)
    model = _model(spec, "main") | {"jitter": size.jitter, "negative_sampling_ratio": size.negative_sampling_ratio}
    trained = train_main_model.submit(store, shards, selection, scaled, model, _training(spec), size.architecture)
    evaluated = evaluate_models.submit(store, "main", shards, trained, scaled, spec.assay, fold, training.batch_size,
                                       training.seed, spec.truth)
    return {"select_main": selection.result(), "scale_bias": scaled.result(), "train_main": trained.result(),
            "evaluate_main": evaluated.result()}


def _finish(spec: DatasetSpec, store: str, kind: str, done: dict[str, Any], output: str, prefix: str = "") -> str:
    """Report a run and put its files where the user wants them; the report's address."""
    asked = redact_all(spec.model_dump(mode="json"))
    report = report_run.submit(store, kind, spec.id, spec.assay, done, asked).result()
    return publish_run.submit(kind, done | {"report": report}, asked, output, prefix).result()


def _architecture(spec: DatasetSpec, kind: str) -> dict[str, int]:
    size = spec.bias if kind == "bias" else spec.model
    return {"filters": size.filters, "layers": size.layers, "input_length": spec.input_length,
            "output_length": spec.output_length}


def _model(spec: DatasetSpec, kind: str) -> dict[str, Any]:
    return {"architecture": _architecture(spec, kind),
            "epochs": spec.bias.epochs if kind == "bias" else spec.model.epochs}


def _training(spec: DatasetSpec) -> dict[str, Any]:
    training = spec.training
    return {"patience": training.patience, "learning_rate": training.learning_rate, "batch_size": training.batch_size,
            "seed": training.seed}
