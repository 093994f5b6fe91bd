"""Train the bias model, scale it to a data set, train the main model."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic

import numpy as np

from chrombpnet_core.devices import backend_name
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import THRESHOLDS
from chrombpnet_core.genome import Fold
from chrombpnet_core.training_data import PEAK, ExamplePlan, ShardSet, Stream, centred_plan, random_stream, training_plan
from tasks.runner import At, Source, Step, Work, published
from tasks.steps._fitting import (
    MainModelParameters,
    ModelParameters,
    ModelSize,
    TrainingParameters,
    fit_model,
    prepare,
    selected,
    write_logs,
)

__all__ = [
    "SCALE_BIAS",
    "TRAIN_BIAS",
    "TRAIN_MAIN",
    "BiasTraining",
    "BiasTrainingInputs",
    "MainModelParameters",
    "MainTraining",
    "MainTrainingInputs",
    "ModelParameters",
    "ModelSize",
    "ScalingInputs",
    "ScalingParameters",
    "TrainingParameters",
]

log = logging.getLogger(__name__)

_FIRST_EXAMPLES = 512  # that tell the mean log count


@dataclass(frozen=True, kw_only=True)
class _SelectedExamples(Generic[At]):
    """The steps ``shards``, and ``select_bias`` or ``select_main``."""

    shards: At
    selection: At


@dataclass(frozen=True, kw_only=True)
class BiasTrainingInputs(_SelectedExamples[At]):
    """The steps ``shards`` and ``select_bias``."""


@dataclass(frozen=True, kw_only=True)
class BiasTraining:
    """How the bias model is trained."""

    model: ModelParameters
    training: TrainingParameters
    backend: str = field(default_factory=backend_name)


def _train_bias(work: Work[BiasTrainingInputs[Path], BiasTraining]) -> None:
    """Train a BPNet on background to learn the enzyme's preference."""
    from chrombpnet_core.models import Architecture, body_dtype, bpnet, draw_weights, save_model

    training, size = work.parameters.training, work.parameters.model.architecture
    work.facts |= prepare(training)
    ids, selection = selected(work.inputs.selection)
    with ShardSet(work.inputs.shards) as shards:
        jitter = shards.layout.jitter
        model = bpnet(Architecture(**asdict(size)), dtype=body_dtype(training.precision))
        draw_weights(model, training.seed)

        def plan_of(epoch: int) -> ExamplePlan:
            return training_plan(
                ids["train_peaks"], ids["train_nonpeaks"], len(ids["train_nonpeaks"]), 0, jitter, training.seed, epoch
            )

        history = fit_model(
            work, model, shards, plan_of, centred_plan(ids["valid_nonpeaks"], jitter), selection["counts_loss_weight"]
        )
    save_model(model, work.out / "bias.h5")
    write_logs(work, history, "bias", selection, {"max_jitter": 0, "bias_threshold": selection["threshold"]})


TRAIN_BIAS = Step(
    name="train_bias",
    version=5,
    title="Train the bias model",
    inputs=BiasTrainingInputs[Source],
    parameters=BiasTraining,
    body=_train_bias,
    outputs=published(
        {
            "bias.h5": "models/",
            "bias.log": "logs/",
            "bias.log.batch": "logs/",
            "events.out.tfevents.bias": "logs/",
            "bias_model_params.tsv": "logs/",
            "bias_data_params.tsv": "logs/",
        },
        "bias",
    ),
)


@dataclass(frozen=True, kw_only=True)
class ScalingInputs(_SelectedExamples[At]):
    """The steps ``shards`` and ``select_main``, and the file of a bias model."""

    bias_model: At


@dataclass(frozen=True, kw_only=True)
class ScalingParameters:
    """Whose test chromosomes the scaled model is checked on."""

    fold: Fold
    batch_size: int


def _scale_bias(work: Work[ScalingInputs[Path], ScalingParameters]) -> None:
    """Scale a bias model's counts to this data set and refuse one that knows accessibility."""
    from chrombpnet_core.evaluation import pearson
    from chrombpnet_core.models import load_model, require_kind, require_lengths, save_model, shift_log_counts
    from chrombpnet_core.training import log_count_correction, predict_examples

    path = work.inputs.bias_model
    model, batch_size = require_kind(load_model(path), "bias", path), work.parameters.batch_size
    ids, _ = selected(work.inputs.selection)
    with ShardSet(work.inputs.shards) as shards:
        layout, index = shards.layout, shards.index
        require_lengths(model, (layout.input_length, layout.output_length), path)
        scaling = np.concatenate([ids["train_scaling"], ids["valid_scaling"]])
        delta = log_count_correction(model, shards, centred_plan(scaling, layout.jitter), batch_size)
        shift_log_counts(model, delta)
        test = index[index["chrom"].isin(work.parameters.fold.test) & (index["kind"] == PEAK)]["id"].to_numpy()
        parts = list(predict_examples(model, shards, centred_plan(test, layout.jitter), batch_size, "checking the bias"))
    r = (
        pearson(
            np.concatenate([np.log1p(part.observed.sum(axis=1)) for part in parts]),
            np.concatenate([part.log_counts for part in parts]),
        )
        if len(test) > 1
        else float("nan")
    )
    work.facts |= {"correction": delta, "pearsonr_test_peaks": r}
    limits = THRESHOLDS["bias_r_peaks"]
    if limits.status(r) == "fail":
        raise InputError(
            f"the bias model's counts correlate negatively with the peaks' (Pearson r {r:.2f})",
            expected=f"r of {limits.bad} or more",
            remedy="it has learnt AT-rich background: train it with "
            "`threshold_factor` raised by 0.1, or give another bias model",
        )
    if r < limits.good:
        log.warning(
            "the bias model's counts correlate with the peaks' at r = %.2f: watch for GC-rich motifs in its report", r
        )
    save_model(model, work.out / "bias_model_scaled.h5")


SCALE_BIAS = Step(
    name="scale_bias",
    version=1,
    title="Scale the bias model",
    inputs=ScalingInputs[Source],
    parameters=ScalingParameters,
    body=_scale_bias,
    outputs=published({"bias_model_scaled.h5": "models/"}, "main"),
)


@dataclass(frozen=True, kw_only=True)
class MainTrainingInputs(_SelectedExamples[At]):
    """The steps ``shards``, ``select_main`` and :data:`SCALE_BIAS`; a Python file that builds another model, or None."""

    bias: At
    architecture: At | None = None


@dataclass(frozen=True, kw_only=True)
class MainTraining:
    """How the main model is trained."""

    model: MainModelParameters
    training: TrainingParameters
    backend: str = field(default_factory=backend_name)


def _train_main(work: Work[MainTrainingInputs[Path], MainTraining]) -> None:
    """Train the accessibility model beside the frozen bias model."""
    from chrombpnet_core.models import (
        ACCESSIBILITY_PREFIX,
        Architecture,
        accessibility_part,
        body_dtype,
        bpnet,
        build_from_file,
        chrombpnet,
        draw_weights,
        load_model,
        save_model,
    )

    size, training = work.parameters.model, work.parameters.training
    work.facts |= prepare(training)
    ids, selection = selected(work.inputs.selection)
    architecture = Architecture(**asdict(size.architecture))
    if work.inputs.architecture:
        accessibility = build_from_file(work.inputs.architecture, architecture)
    else:
        accessibility = bpnet(architecture, ACCESSIBILITY_PREFIX, "model_wo_bias", body_dtype(training.precision))
        draw_weights(accessibility, training.seed)
    model = chrombpnet(accessibility, load_model(work.inputs.bias / "bias_model_scaled.h5"))
    ratio, seed = size.negative_sampling_ratio, training.seed
    draw = int(ratio * len(ids["train_peaks"]))
    with ShardSet(work.inputs.shards) as shards:
        jitter = shards.layout.jitter
        rng = random_stream(seed, Stream.VALIDATION_NONPEAKS)
        count = min(int(ratio * len(ids["valid_peaks"])), len(ids["valid_nonpeaks"]))
        valid = np.concatenate([ids["valid_peaks"], rng.choice(ids["valid_nonpeaks"], count, replace=False)])

        def plan_of(epoch: int) -> ExamplePlan:
            return training_plan(ids["train_peaks"], ids["train_nonpeaks"], draw, size.jitter, jitter, seed, epoch)

        if not work.inputs.architecture:
            _begin_at_mean(accessibility, shards, plan_of(0), training.batch_size)
        history = fit_model(work, model, shards, plan_of, centred_plan(valid, jitter), selection["counts_loss_weight"])
    save_model(model, work.out / "chrombpnet.h5")
    save_model(accessibility_part(model), work.out / "chrombpnet_nobias.h5")
    write_logs(work, history, "chrombpnet", selection, {"max_jitter": size.jitter, "negative_sampling_ratio": ratio})


TRAIN_MAIN = Step(
    name="train_main",
    version=6,
    title="Train the main model",
    inputs=MainTrainingInputs[Source],
    parameters=MainTraining,
    body=_train_main,
    outputs=published(
        {
            "chrombpnet.h5": "models/",
            "chrombpnet_nobias.h5": "models/",
            "chrombpnet.log": "logs/",
            "chrombpnet.log.batch": "logs/",
            "events.out.tfevents.chrombpnet": "logs/",
            "chrombpnet_model_params.tsv": "logs/",
            "chrombpnet_data_params.tsv": "logs/",
        },
        "main",
    ),
)


def _begin_at_mean(model: Any, shards: ShardSet, plan: ExamplePlan, batch_size: int) -> None:
    """Let freshly drawn weights predict the mean log count of the first examples.

    Where they happen to predict far less than the frozen bias model does, the accessibility model's share in the sum of both
    is next to nothing, and the count head spends half of a training on few regions to get out of there.
    """
    from chrombpnet_core.models import shift_log_counts
    from chrombpnet_core.training import log_count_correction

    first = plan.slice(0, _FIRST_EXAMPLES)
    shift_log_counts(model, log_count_correction(model, shards, first, batch_size, "first weights"))
