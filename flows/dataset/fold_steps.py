"""The steps of one fold: training examples, bias model, main model, evaluation, explanation, report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from chrombpnet_core.genome import Fold
from flows.dataset.example_steps import example_steps
from flows.dataset.run import Results, Run
from flows.dataset.track_steps import track_steps
from flows.spec import DatasetSpec
from tasks.reports import REPORT, publish_run, report_request
from tasks.runner import Awaited, FileOf, Result, RunKind, Source
from tasks.steps import (
    CONTRIBUTIONS,
    EVALUATE_BIAS,
    EVALUATE_MAIN,
    HITS,
    MOTIFS,
    SCALE_BIAS,
    SELECT_BIAS,
    SELECT_MAIN,
    TRAIN_BIAS,
    TRAIN_MAIN,
    BiasSelection,
    BiasTraining,
    BiasTrainingInputs,
    ContributionsInputs,
    ContributionsParameters,
    EvaluationInputs,
    EvaluationParameters,
    HitsInputs,
    HitsParameters,
    MainModelParameters,
    MainSelection,
    MainTraining,
    MainTrainingInputs,
    ModelParameters,
    ModelSize,
    MotifsInputs,
    MotifsParameters,
    ScalingInputs,
    ScalingParameters,
    SelectionInputs,
    TrainingParameters,
    known_motifs,
    truth_tracks,
)
from tasks.storage import redact_all

__all__ = [
    "bias_steps",
    "evaluation_steps",
    "explained_heads",
    "fold_steps",
    "main_steps",
    "model_size",
    "motif_step",
    "publish",
    "report_step",
    "settings_of",
]

ModelKind: TypeAlias = Literal["bias", "main"]
GivenModels: TypeAlias = Result | Mapping[str, str | None]
"""The training that made the models, or the file of each by name."""


def fold_steps(run: Run, fold: Fold, output: str | None) -> dict[str, Result]:
    """Do all steps of one fold.

    Parameters
    ----------
    run
        The data set's run.
    fold
        The fold's chromosomes.
    output
        Folder for reports and files, each put there as soon as it is ready; None: nothing is reported or put anywhere.

    Returns
    -------
    dict
        Results by the steps' names; what explains the bias model has names that begin with ``bias_``.
    """
    examples = example_steps(run, fold, run.spec.model.jitter)
    bias: dict[str, Result] = {}
    if not run.spec.bias.model:
        bias = bias_steps(run, fold, examples)
        if output:  # models at once: what fails later leaves them
            publish(run, "bias", bias, f"{output}/bias")
        bias |= evaluation_steps(run, "bias", fold, examples, bias["train_bias"])
        if output:
            publish(run, "bias", examples | bias, f"{output}/bias")
    main = main_steps(run, fold, examples, run.spec.bias.model or bias["train_bias"])
    if output:
        publish(run, "main", main, f"{output}/main")
    main |= evaluation_steps(run, "main", fold, examples, main["train_main"])
    results = examples | {_name_beside_main(name): result for name, result in bias.items()} | main
    if output:
        publish(run, "main", examples | main, f"{output}/main")
        publish(run, "dataset", results, output)
    return results


def _name_beside_main(step: str) -> str:
    """Name of a bias model's step where the main model has one of the same name."""
    return f"bias_{step}" if step.startswith(("contributions", "motifs_")) else step


# --- models ------------------------------------------------------------------------------------------------------


def bias_steps(run: Run, fold: Fold, examples: Results) -> dict[str, Result]:
    """Select regions for the bias model and train it.

    Parameters
    ----------
    run
        The data set's run.
    fold
        The fold's chromosomes.
    examples
        Results of its training examples, by the steps' names.

    Returns
    -------
    dict
        Results by the steps' names.
    """
    spec, shards = run.spec, examples["shards"]
    (factor,) = spec.bias.factors
    selection = run.step(
        SELECT_BIAS,
        SelectionInputs[Source](shards),
        BiasSelection(
            fold=fold,
            outlier_threshold=spec.training.outlier_threshold,
            seed=spec.training.seed,
            threshold_factor=factor,
        ),
    )
    trained = run.step(
        TRAIN_BIAS,
        BiasTrainingInputs[Source](shards=shards, selection=selection),
        BiasTraining(
            model=ModelParameters(architecture=model_size(spec, "bias"), epochs=spec.bias.epochs),
            training=_training(spec),
        ),
    )
    return {"select_bias": selection.result(), "train_bias": trained.result()}


def main_steps(run: Run, fold: Fold, examples: Results, bias: Source) -> dict[str, Result]:
    """Select regions for the main model, scale the bias model, train the main model.

    Parameters
    ----------
    run
        The data set's run.
    fold
        The fold's chromosomes.
    examples
        Results of its training examples, by the steps' names.
    bias
        The bias model: a file, or the training that made it.

    Returns
    -------
    dict
        Results by the steps' names.
    """
    spec, shards, main = run.spec, examples["shards"], run.spec.model
    bias_model: Source = FileOf(bias, "bias.h5") if isinstance(bias, Result) else bias
    selection = run.step(
        SELECT_MAIN,
        SelectionInputs[Source](shards),
        MainSelection(
            fold=fold,
            outlier_threshold=spec.training.outlier_threshold,
            seed=spec.training.seed,
            negative_sampling_ratio=main.negative_sampling_ratio,
            jitter=main.jitter,
        ),
    )
    scaled = run.step(
        SCALE_BIAS,
        ScalingInputs[Source](shards=shards, selection=selection, bias_model=bias_model),
        ScalingParameters(fold=fold, batch_size=spec.training.batch_size),
    )
    trained = run.step(
        TRAIN_MAIN,
        MainTrainingInputs[Source](shards=shards, selection=selection, bias=scaled, architecture=main.architecture),
        MainTraining(
            model=MainModelParameters(
                architecture=model_size(spec, "main"),
                epochs=main.epochs,
                jitter=main.jitter,
                negative_sampling_ratio=main.negative_sampling_ratio,
            ),
            training=_training(spec),
        ),
    )
    return {"select_main": selection.result(), "scale_bias": scaled.result(), "train_main": trained.result()}


def model_size(spec: DatasetSpec, kind: ModelKind) -> ModelSize:
    """Return the size of a data set's bias or main model."""
    model = spec.bias if kind == "bias" else spec.model
    return ModelSize(model.filters, model.layers, spec.input_length, spec.output_length)


def _training(spec: DatasetSpec) -> TrainingParameters:
    training = spec.training
    return TrainingParameters(
        patience=training.patience,
        learning_rate=training.learning_rate,
        batch_size=training.batch_size,
        seed=training.seed,
        precision=training.precision,
        xla=training.xla,
        gpus=training.gpus,
    )


# --- what models are worth, and what they have learnt --------------------------------------------------------------


def evaluation_steps(run: Run, kind: ModelKind, fold: Fold, examples: Results, models: GivenModels) -> dict[str, Result]:
    """Evaluate and explain the models of a training, or given ones.

    Parameters
    ----------
    run
        The data set's run.
    kind
        What of it this is: bias, main, dataset or ensemble.
    fold
        The fold's chromosomes.
    examples
        Results of its training examples, by the steps' names.
    models
        The training that made the models, or the file of each by name.

    Returns
    -------
    dict
        Results by the steps' names.
    """
    spec = run.spec
    evaluated = run.step(
        EVALUATE_BIAS if kind == "bias" else EVALUATE_MAIN,
        EvaluationInputs[Source](
            shards=examples["shards"],
            **_evaluated_models(kind, models),
            truth=spec.truth,
            truth_tracks=truth_tracks(spec.truth),
        ),
        EvaluationParameters(
            kind=kind, assay=spec.assay, test=fold.test, batch_size=spec.training.batch_size, seed=spec.training.seed
        ),
    )
    whole = FileOf(models, "chrombpnet.h5") if isinstance(models, Result) else models.get("chrombpnet")
    tracks = track_steps(run, examples, whole) if kind == "main" and whole else {}
    explained = _explanation_steps(run, kind, examples, _explained_model(kind, models), evaluated)
    steps = {f"evaluate_{kind}": evaluated} | tracks | explained  # by their inputs: the step that failed is asked first
    return {name: step.result() for name, step in steps.items()}


def _evaluated_models(kind: ModelKind, models: GivenModels) -> dict[str, Any]:
    """Name the files that an evaluation reads: of a training the model that holds the others."""
    if not isinstance(models, Result):
        return {**models}
    name = "bias" if kind == "bias" else "chrombpnet"
    return {name: FileOf(models, f"{name}.h5")}


def _explained_model(kind: ModelKind, models: GivenModels) -> Source:
    if isinstance(models, Result):
        return FileOf(models, "bias.h5" if kind == "bias" else "chrombpnet_nobias.h5")
    file = models.get("bias") if kind == "bias" else models.get("chrombpnet_nobias") or models.get("chrombpnet")
    assert file is not None
    return file


def explained_heads(spec: DatasetSpec, kind: ModelKind) -> tuple[str, ...]:
    """Return what is explained of a data set's bias or main model: counts, profile."""
    return ("counts", "profile") if kind == "bias" or spec.explanation.counts else ("profile",)


def _explanation_steps(
    run: Run, kind: ModelKind, examples: Results, model: Source, evaluated: Awaited
) -> dict[str, Awaited]:
    """Explain the bias model's predictions of peaks, or the corrected ones, base by base; find the motifs in that."""
    spec, shards = run.spec, examples["shards"]
    if not spec.explanation.peaks:
        return {}
    own = "bias_" if kind == "bias" else ""
    heads = explained_heads(spec, kind)
    contributions = run.step(
        CONTRIBUTIONS,
        ContributionsInputs[Source](
            model=model,
            regions=FileOf(shards, "peaks.bed"),
            genome=spec.genome,
            chrom_sizes=spec.chrom_sizes,
            examples=FileOf(evaluated, "examples.npz", optional=True),
        ),
        ContributionsParameters(
            heads=heads,
            seed=spec.training.seed,
            naming=run.naming,
            most=spec.explanation.peaks,
            kind=kind,
            precision="float32" if spec.training.precision == "float32" else "tf32",
        ),
        name=f"{own}contributions",
    )
    steps = {"contributions": contributions}
    for head in heads:
        motifs = steps[f"motifs_{head}"] = motif_step(run, head, contributions, name=f"{own}motifs_{head}")
        if kind == "main":
            steps[f"motif_hits_{head}"] = run.step(
                HITS[head], HitsInputs[Source](contributions=contributions, motifs=motifs), HitsParameters(head)
            )
    return steps


def motif_step(run: Run, head: str, contributions: Awaited, name: str | None = None) -> Awaited:
    """Begin the search for motifs in contributions to ``head``, as the data set asks for it."""
    asked = run.spec.explanation
    file, database = known_motifs(asked.motifs)
    return run.step(
        MOTIFS[head],
        MotifsInputs[Source](contributions=contributions, motifs=file),
        MotifsParameters(
            name=head,
            max_seqlets=asked.max_seqlets,
            window=asked.window,
            motifs=database,
            seed=run.spec.training.seed,
        ),
        name=name,
    )


# --- report ------------------------------------------------------------------------------------------------------


def publish(
    run: Run, kind: RunKind, results: Results, output: str, prefix: str = "", settings: dict[str, Any] | None = None
) -> str:
    """Report what was evaluated, and put files where the user wants them.

    Parameters
    ----------
    run
        The data set's run.
    kind
        What of it this is: bias, main, dataset or ensemble.
    results
        Results by the steps' names.
    output
        Folder that gets the files.
    prefix
        Begins the files' names.
    settings
        What was asked for, where that is not the data set itself.

    Returns
    -------
    str
        Address of the report, or of ``output`` where nothing was evaluated.
    """
    settings = redact_all(settings) if settings else settings_of(run.spec)
    if f"evaluate_{'bias' if kind == 'bias' else 'main'}" in results:
        results = {**results, "report": report_step(run, kind, results, settings).result()}
    address: str = run.call(publish_run, kind, results, settings, output, prefix, run.spec.assembly).result()
    return address


def report_step(run: Run, kind: RunKind, results: Results, settings: dict[str, Any] | None = None) -> Awaited:
    """Begin the report of what was evaluated; arguments are as in :func:`publish`."""
    spec = run.spec
    shown = settings or settings_of(spec)
    inputs, parameters = report_request(kind, spec.title, spec.assay, results, shown, run.fold, run.naming)
    return run.step(REPORT, inputs, parameters, name="report" if kind == "dataset" else f"{kind}_report")


def settings_of(spec: DatasetSpec) -> dict[str, Any]:
    """Return what shapes a data set's results, without secrets, and without where and how they are computed."""
    settings: dict[str, Any] = redact_all(spec.model_dump(mode="json", exclude={"folds_at_once", "publish"}))
    return settings
