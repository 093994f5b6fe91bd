"""Select regions, train the bias model, scale it to a data set, train the main model."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext

from chrombpnet_core.devices import backend_name
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import THRESHOLDS
from chrombpnet_core.genome import Fold, read_regions, write_regions
from chrombpnet_core.training_data import (
    NONPEAK,
    PEAK,
    ExamplePlan,
    ShardSet,
    Stream,
    centred_plan,
    random_stream,
    select_bias_regions,
    select_main_regions,
    training_plan,
)
from tasks.runner import Result, Work, run_step, step_task
from tasks.runs import interruption

__all__ = ["scale_bias_model", "select_regions", "train_bias_model", "train_main_model"]

log = logging.getLogger(__name__)

_TOLD_EVERY = 10.0  # seconds
_FIRST_EXAMPLES = 512  # that tell the mean log count


@step_task("Select training regions")
def select_regions(
    store: str,
    kind: str,
    shards: Result,
    fold: dict[str, list[str]],
    outlier_threshold: float,
    seed: int,
    threshold_factor: float = 1.0,
    negative_sampling_ratio: float = 0.1,
    jitter: int = 0,
) -> Result:
    """Choose the regions that train and validate a model of ``kind`` bias or main, and the counts loss weight."""
    parameters: dict[str, Any] = {"kind": kind, "fold": fold, "outlier_threshold": outlier_threshold, "seed": seed}
    if kind == "bias":
        parameters |= {"threshold_factor": threshold_factor}
    else:
        parameters |= {"negative_sampling_ratio": negative_sampling_ratio, "jitter": jitter}
    return run_step(store, f"select_{kind}", 1, {"shards": shards}, parameters, _select)


def _select(work: Work) -> None:
    with ShardSet(work.inputs["shards"]) as shards:
        index = shards.index
    parameters = work.parameters
    kind, fold = parameters["kind"], Fold(**{part: tuple(names) for part, names in parameters["fold"].items()})
    training = index["chrom"].isin([*fold.train, *fold.valid])
    peaks = index[training & (index["kind"] == PEAK) & (index["margin"] >= parameters.get("jitter", 0))]
    nonpeaks = index[training & (index["kind"] == NONPEAK)]
    counts = peaks["counts"].to_numpy(), nonpeaks["counts"].to_numpy()
    if kind == "bias":
        chosen = select_bias_regions(*counts, parameters["threshold_factor"], parameters["outlier_threshold"])
        kept = {"peaks": np.empty(0, np.int64), "nonpeaks": nonpeaks["id"].to_numpy()[chosen.nonpeaks]}
    else:
        chosen = select_main_regions(
            *counts, parameters["negative_sampling_ratio"], parameters["seed"], parameters["outlier_threshold"]
        )
        kept = {
            "peaks": peaks["id"].to_numpy()[chosen.peaks],
            "nonpeaks": nonpeaks["id"].to_numpy()[chosen.nonpeaks],
            "scaling": nonpeaks["id"].to_numpy()[chosen.nonpeaks_in_bounds],
        }
    chrom_of = index["chrom"].to_numpy(dtype=str)
    arrays = {
        f"{part}_{name}": ids[np.isin(chrom_of[ids], getattr(fold, part))]
        for name, ids in kept.items()
        for part in ("train", "valid")
    }
    _require_both_parts(arrays, kind)
    np.savez(work.out / "regions.npz", **arrays)
    _write_filtered(work, index, fold, kept, kind)
    numbers = {name: value for name, value in asdict(chosen).items() if not isinstance(value, np.ndarray)}
    work.facts |= numbers | {
        "peaks_considered": len(peaks),
        "nonpeaks_considered": len(nonpeaks),
        "peaks_kept": len(kept["peaks"]),
        "nonpeaks_kept": len(kept["nonpeaks"]),
        "median_peak_counts": float(np.median(counts[0])),
        **{name: len(ids) for name, ids in arrays.items()},
    }
    (work.out / "selection.json").write_text(json.dumps(work.facts, indent=1) + "\n")
    log.info(
        "%s model trains on %s peaks and %s nonpeaks between %.3f and %.3f insertions, counts loss weight %.2f",
        kind,
        f"{len(kept['peaks']):,}",
        f"{len(kept['nonpeaks']):,}",
        chosen.lower,
        chosen.upper,
        chosen.counts_loss_weight,
    )


def _require_both_parts(arrays: dict[str, np.ndarray], kind: str) -> None:
    wanted = "nonpeaks" if kind == "bias" else "peaks"
    for part in ("train", "valid"):
        if not len(arrays[f"{part}_{wanted}"]):
            raise InputError(
                f"no {wanted} left on the {part} chromosomes to train the {kind} model with",
                remedy="give more regions, or another fold",
            )


def _write_filtered(work: Work, index: Any, fold: Fold, kept: dict[str, np.ndarray], kind: str) -> None:
    """``filtered.*.bed``: what trains and validates, and every region of the test chromosomes."""
    tested = index["chrom"].isin(fold.test)
    prefix = "filtered.bias_" if kind == "bias" else "filtered."
    for name, number in (("peaks", PEAK), ("nonpeaks", NONPEAK)):
        table = read_regions(work.inputs["shards"] / f"{name}.bed", name)
        of_kind = index[index["kind"] == number]
        rows = of_kind["id"].isin(kept[name]) | (tested & (index["kind"] == number))[of_kind.index]
        if kind == "bias" and name == "peaks":  # the bias model's peaks serve its threshold and evaluation: all stay
            rows |= True
        write_regions(table[rows.to_numpy()], work.out / f"{prefix}{name}.bed")


@step_task("Train the bias model")
def train_bias_model(
    store: str, shards: Result, selection: Result, model: dict[str, Any], training: dict[str, Any]
) -> Result:
    """Train a BPNet on background to learn the enzyme's preference."""
    return run_step(
        store,
        "train_bias",
        5,
        {"shards": shards, "selection": selection},
        {"model": model, "training": training, "backend": backend_name()},
        _train_bias,
    )


def _train_bias(work: Work) -> None:
    from chrombpnet_core.models import Architecture, body_dtype, bpnet, draw_weights, save_model

    _prepare(work)
    ids, selection = _selected(work)
    with ShardSet(work.inputs["shards"]) as shards:
        jitter, training = shards.layout.jitter, work.parameters["training"]
        model = bpnet(Architecture(**work.parameters["model"]["architecture"]), dtype=body_dtype(training["precision"]))
        draw_weights(model, training["seed"])

        def plan_of(epoch: int) -> ExamplePlan:
            return training_plan(
                ids["train_peaks"], ids["train_nonpeaks"], len(ids["train_nonpeaks"]), 0, jitter, training["seed"], epoch
            )

        history = _fit(
            work, model, shards, plan_of, centred_plan(ids["valid_nonpeaks"], jitter), selection["counts_loss_weight"]
        )
    save_model(model, work.out / "bias.h5")
    _write_logs(work, history, "bias", selection, {"max_jitter": 0, "bias_threshold": selection["threshold"]})


@step_task("Scale the bias model")
def scale_bias_model(
    store: str, shards: Result, selection: Result, bias: Result | str, fold: dict[str, list[str]], batch_size: int
) -> Result:
    """Scale a bias model's counts to this data set and refuse one that knows accessibility."""
    return run_step(
        store,
        "scale_bias",
        1,
        {"shards": shards, "selection": selection, "bias_model": bias},
        {"fold": fold, "batch_size": batch_size},
        _scale_bias,
    )


def _scale_bias(work: Work) -> None:
    from chrombpnet_core.evaluation import pearson
    from chrombpnet_core.models import load_model, require_kind, require_lengths, save_model, shift_log_counts
    from chrombpnet_core.training import log_count_correction, predict_examples

    path = work.inputs["bias_model"]
    path = path / "bias.h5" if path.is_dir() else path
    model, batch_size = require_kind(load_model(path), "bias", path), work.parameters["batch_size"]
    ids, _ = _selected(work)
    with ShardSet(work.inputs["shards"]) as shards:
        layout, index = shards.layout, shards.index
        require_lengths(model, (layout.input_length, layout.output_length), path)
        scaling = np.concatenate([ids["train_scaling"], ids["valid_scaling"]])
        delta = log_count_correction(model, shards, centred_plan(scaling, layout.jitter), batch_size)
        shift_log_counts(model, delta)
        test = index[index["chrom"].isin(work.parameters["fold"]["test"]) & (index["kind"] == PEAK)]["id"].to_numpy()
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
            "-b/--bias-threshold-factor raised by 0.1, or give another bias model",
        )
    if r < limits.good:
        log.warning(
            "the bias model's counts correlate with the peaks' at r = %.2f: watch for GC-rich motifs in its report", r
        )
    save_model(model, work.out / "bias_model_scaled.h5")


@step_task("Train the main model")
def train_main_model(
    store: str,
    shards: Result,
    selection: Result,
    bias: Result,
    model: dict[str, Any],
    training: dict[str, Any],
    architecture_file: str | None = None,
) -> Result:
    """Train the accessibility model beside the frozen bias model."""
    return run_step(
        store,
        "train_main",
        6,
        {"shards": shards, "selection": selection, "bias": bias, "architecture": architecture_file},
        {"model": model, "training": training, "backend": backend_name()},
        _train_main,
    )


def _train_main(work: Work) -> None:
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

    _prepare(work)
    ids, selection = _selected(work)
    size, training = work.parameters["model"], work.parameters["training"]
    architecture = Architecture(**size["architecture"])
    if "architecture" in work.inputs:
        accessibility = build_from_file(work.inputs["architecture"], architecture)
    else:
        accessibility = bpnet(architecture, ACCESSIBILITY_PREFIX, "model_wo_bias", body_dtype(training["precision"]))
        draw_weights(accessibility, training["seed"])
    model = chrombpnet(accessibility, load_model(work.inputs["bias"] / "bias_model_scaled.h5"))
    ratio, seed = size["negative_sampling_ratio"], training["seed"]
    draw = int(ratio * len(ids["train_peaks"]))
    with ShardSet(work.inputs["shards"]) as shards:
        jitter = shards.layout.jitter
        rng = random_stream(seed, Stream.VALIDATION_NONPEAKS)
        count = min(int(ratio * len(ids["valid_peaks"])), len(ids["valid_nonpeaks"]))
        valid = np.concatenate([ids["valid_peaks"], rng.choice(ids["valid_nonpeaks"], count, replace=False)])

        def plan_of(epoch: int) -> ExamplePlan:
            return training_plan(ids["train_peaks"], ids["train_nonpeaks"], draw, size["jitter"], jitter, seed, epoch)

        if "architecture" not in work.inputs:
            _begin_at_mean(accessibility, shards, plan_of(0), training["batch_size"])
        history = _fit(work, model, shards, plan_of, centred_plan(valid, jitter), selection["counts_loss_weight"])
    save_model(model, work.out / "chrombpnet.h5")
    save_model(accessibility_part(model), work.out / "chrombpnet_nobias.h5")
    _write_logs(work, history, "chrombpnet", selection, {"max_jitter": size["jitter"], "negative_sampling_ratio": ratio})


def _begin_at_mean(model: Any, shards: ShardSet, plan: ExamplePlan, batch_size: int) -> None:
    """Let freshly drawn weights predict the mean log count of the first examples.

    Where they happen to predict far less than the frozen bias model does, the accessibility model's share in the sum of both
    is next to nothing, and the count head spends half of a training on few regions to get out of there.
    """
    from chrombpnet_core.models import shift_log_counts
    from chrombpnet_core.training import log_count_correction

    first = plan.slice(0, _FIRST_EXAMPLES)
    shift_log_counts(model, log_count_correction(model, shards, first, batch_size, "first weights"))


def _prepare(work: Work) -> None:
    """Name the device, set its precision and seed everything."""
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.training import make_reproducible, set_precision

    device = find_device()
    log.info("training on %s", device)
    work.facts["device"] = str(device)
    set_precision(work.parameters["training"]["precision"])
    make_reproducible(work.parameters["training"]["seed"], device)


def _selected(work: Work) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    folder = work.inputs["selection"]
    with np.load(folder / "regions.npz", allow_pickle=False) as file:
        ids = {name: file[name].astype(np.int64) for name in file.files}
    return ids, json.loads((folder / "selection.json").read_text())


def _fit(work: Work, model: Any, shards: ShardSet, plan_of: Callable[[int], Any], valid: Any, weight: float) -> Any:
    from chrombpnet_core.training import Checkpoint, ComputeOptions, TrainingCallbacks, TrainingOptions, fit

    given = dict(work.parameters["training"])
    compute = ComputeOptions(**{name: given.pop(name) for name in ("precision", "xla", "gpus")})
    options = TrainingOptions(**given, epochs=work.parameters["model"]["epochs"])
    checkpoint = Checkpoint(work.checkpoint / "state.npz", work.keep)
    with interruption.training() as stop:
        return fit(
            model, shards, plan_of, valid, weight, options, checkpoint, compute, TrainingCallbacks(stop, _LiveProgress())
        )


class _LiveProgress:
    """A progress artifact of Prefect's for the task that trains; nothing outside of a task."""

    def __init__(self) -> None:
        self._artifact, self._next = None, 0.0

    def __call__(self, share: float, words: str) -> None:
        """Tell the server, every ten seconds at most; what it thinks of that must not stop a training."""
        if TaskRunContext.get() is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _TOLD_EVERY
        try:
            if self._artifact is None:
                self._artifact = create_progress_artifact(100 * share, description=words)
            else:
                update_progress_artifact(self._artifact, 100 * share, description=words)
        except Exception as error:
            log.debug("no progress artifact: %s", error)


def _write_logs(work: Work, history: Any, prefix: str, selection: dict[str, Any], more: dict[str, Any]) -> None:
    """The reference's logs and parameter tables."""
    from chrombpnet_core.training import write_parameters

    history.write(work.out, prefix)
    model = work.parameters["model"]
    size = model["architecture"]
    write_parameters(
        work.out / f"{prefix}_model_params.tsv",
        {
            "counts_loss_weight": selection["counts_loss_weight"],
            "filters": size["filters"],
            "n_dil_layers": size["layers"],
            "inputlen": size["input_length"],
            "outputlen": size["output_length"],
            **more,
        },
    )
    write_parameters(
        work.out / f"{prefix}_data_params.tsv",
        {
            "counts_sum_min_thresh": selection["lower"],
            "counts_sum_max_thresh": selection["upper"],
            "trainings_pts_post_thresh": selection["train_peaks"] + selection["train_nonpeaks"],
        },
    )
    work.facts |= {"epochs": len(history.epochs), "best_epoch": history.best + 1, "best_val_loss": history.best_loss}
