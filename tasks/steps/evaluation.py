"""How good models are on the test chromosomes: metrics, predictions, enzyme footprints, example loci, planted truth."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Literal

import numpy as np
from scipy.special import softmax

from chrombpnet_core._types import AnyArray
from chrombpnet_core.devices import find_device
from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import (
    bias_response,
    bias_verdict,
    enzyme_footprint_motifs,
    marginal_footprints,
    quality_metric,
    score_regions,
    summarise_scores,
    write_footprints,
)
from chrombpnet_core.models import predicted_track
from chrombpnet_core.progress import bar
from chrombpnet_core.tracks import RegionPredictionsFile
from chrombpnet_core.training_data import PEAK, ShardSet, Stream, random_stream
from tasks.runner import At, Source, Step, Work, published

__all__ = [
    "EVALUATE_BIAS",
    "EVALUATE_MAIN",
    "QUALITY_METRIC",
    "EvaluationInputs",
    "EvaluationParameters",
    "truth_tracks",
]

log = logging.getLogger(__name__)

QUALITY_METRIC = "bpnet_quality_metric.json"
"""The numeric fields of the ENCODE portal's metric."""

_FOOTPRINT_SEQUENCES = 20_000
"""Test nonpeaks that footprints are averaged over at most, drawn at random, to bound time; the reference takes all."""


@dataclass(frozen=True, kw_only=True)
class EvaluationInputs(Generic[At]):
    """The step ``shards`` and the file of each model.

    Without ``chrombpnet_nobias`` that model is taken out of ``chrombpnet``. ``truth`` and ``truth_tracks`` are those of
    simulated data.
    """

    shards: At
    bias: At | None = None
    chrombpnet: At | None = None
    chrombpnet_nobias: At | None = None
    truth: At | None = None
    truth_tracks: At | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationParameters:
    """``kind`` of the models, bias or main; chromosomes of the ``test`` part of the fold."""

    kind: Literal["bias", "main"]
    assay: str
    test: tuple[str, ...]
    batch_size: int
    seed: int


_Evaluating = Work[EvaluationInputs[Path], EvaluationParameters]


def truth_tracks(truth: str | None) -> str | None:
    """Return the address of the tracks beside a simulation's ``truth.json``; None for real data."""
    return f"{truth.removesuffix('.json')}.npz" if truth else None


def _evaluate(work: _Evaluating) -> None:
    from chrombpnet_core.models import Predictor

    log.info("evaluating on %s", find_device())
    parameters = work.parameters
    batch_size = parameters.batch_size
    loaded = _load(work)
    with ShardSet(work.inputs.shards) as shards:
        ids = shards.index["id"][shards.index["chrom"].isin(parameters.test)].to_numpy()
        is_peak = shards.index["kind"].to_numpy()[ids] == PEAK
        for name, model in loaded.items():
            predictions = work.out / f"{name}_predictions.h5" if name == next(iter(loaded)) else None
            metrics = _score(work, name, model, shards, ids, is_peak, predictions)
            if name == "chrombpnet":
                (work.out / QUALITY_METRIC).write_text(json.dumps(quality_metric([metrics]), indent=1) + "\n")
        background = _background_codes(shards, ids[~is_peak], parameters.seed)
        for name, model in loaded.items():
            _footprint(work, name, Predictor(model, batch_size), background)
        _examples(work, loaded, shards, ids[is_peak])
        if work.inputs.truth and work.inputs.truth_tracks:
            _compare_with_truth(
                work,
                (work.inputs.truth, work.inputs.truth_tracks),
                {name: Predictor(model, batch_size) for name, model in loaded.items()},
                shards,
                ids[is_peak],
                background,
            )


def _load(work: _Evaluating) -> dict[str, Any]:
    """Load the models by name, the one that matters most first."""
    from chrombpnet_core.models import accessibility_part, bias_part, load_model, require_kind, require_lengths

    inputs = work.inputs
    given = {"bias": inputs.bias, "chrombpnet": inputs.chrombpnet, "chrombpnet_nobias": inputs.chrombpnet_nobias}
    with ShardSet(inputs.shards) as shards:
        lengths = shards.layout.input_length, shards.layout.output_length

    def load(name: str) -> Any:
        path = given[name]
        assert path is not None
        return require_lengths(require_kind(load_model(path), name, path), lengths, path)

    if work.parameters.kind == "bias":
        return {"bias": load("bias")}
    whole = load("chrombpnet")
    corrected = load("chrombpnet_nobias") if inputs.chrombpnet_nobias else accessibility_part(whole)
    return {"chrombpnet": whole, "chrombpnet_nobias": corrected, "bias": bias_part(whole)}


def _score(
    work: _Evaluating,
    name: str,
    model: Any,
    shards: ShardSet,
    ids: AnyArray,
    is_peak: AnyArray,
    predictions: Path | None,
) -> dict[str, Any]:
    """Metrics of one model, returned and written, per-region scores, and for the first model its predictions."""
    from chrombpnet_core.training import predict_examples
    from chrombpnet_core.training_data import centred_plan

    parts = predict_examples(
        model, shards, centred_plan(ids, shards.layout.jitter), work.parameters.batch_size, f"predicting with {name}"
    )
    stream = _recorded(parts, predictions, shards) if predictions else parts
    scores = score_regions(((part.observed, part.logits, part.log_counts) for part in stream), work.parameters.seed)
    metrics = summarise_scores(scores, is_peak)
    (work.out / f"{name}_metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    arrays: dict[str, Any] = {key: values.astype(np.float32) for key, values in scores.arrays().items()}
    np.savez_compressed(work.out / f"{name}_scores.npz", ids=ids, is_peak=is_peak, **arrays)
    counts = metrics["counts_metrics"]["peaks"]
    work.facts[name] = {
        "pearsonr_peaks": counts["pearsonr"],
        "spearmanr_peaks": counts["spearmanr"],
        "median_norm_jsd_peaks": metrics["profile_metrics"]["peaks"]["median_norm_jsd"],
    }
    log.info(
        "%s on the test chromosomes: counts Pearson r in peaks %s, median normalised JSD %s",
        name,
        _shown(counts["pearsonr"]),
        _shown(work.facts[name]["median_norm_jsd_peaks"]),
    )
    return metrics


def _shown(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _recorded(parts: Iterator[Any], path: Path, shards: ShardSet) -> Iterator[Any]:
    """Pass predictions on and write them."""
    with RegionPredictionsFile(path, shards.layout.output_length) as file:
        for part in parts:
            rows = shards.index.iloc[part.ids]
            file.append(
                rows["chrom"].to_numpy(),
                rows["centre"].to_numpy(),
                (rows["kind"] == PEAK).to_numpy(),
                softmax(part.logits, axis=-1),
                part.log_counts,
            )
            yield part


def _background_codes(shards: ShardSet, ids: AnyArray, seed: int) -> AnyArray:
    """Read base codes uint8 ``(n, L)`` of the test nonpeaks, into which motifs are inserted."""
    if not len(ids):
        raise InputError(
            "no nonpeak on the test chromosomes: enzyme footprints need background sequence",
            remedy="give nonpeaks on the fold's test chromosomes",
        )
    if len(ids) > _FOOTPRINT_SEQUENCES:
        ids = np.sort(random_stream(seed, Stream.FOOTPRINT_BACKGROUND).choice(ids, _FOOTPRINT_SEQUENCES, replace=False))
    at, width = shards.layout.jitter, shards.layout.input_length
    return np.concatenate([shards.read(ids[i : i + 512])[0][:, at : at + width] for i in range(0, len(ids), 512)])


def _footprint(work: _Evaluating, name: str, predict: Any, background: AnyArray) -> None:
    motifs = enzyme_footprint_motifs(work.parameters.assay)
    with bar(f"footprints of {name}", len(motifs) + 1, "motifs") as progress:
        footprints = marginal_footprints(
            predict, background, motifs, work.parameters.batch_size, on_done=lambda _: progress.update()
        )
    write_footprints(footprints, work.out / f"{name}_footprints.h5")
    verdict = bias_verdict(bias_response(footprints))
    (work.out / f"{name}_max_bias_response.txt").write_text(verdict.text + "\n")
    work.facts[name]["bias_response"] = verdict.text


def _examples(work: _Evaluating, models: dict[str, Any], shards: ShardSet, peaks: AnyArray) -> None:
    """Best, median and worst test peak by normalised JSD of the first model, as every model predicts them."""
    from chrombpnet_core.training import predict_examples
    from chrombpnet_core.training_data import centred_plan

    with np.load(work.out / f"{next(iter(models))}_scores.npz") as file:
        scores = file["norm_jsd"][file["is_peak"]]
    order = np.flatnonzero(np.isfinite(scores))[np.argsort(scores[np.isfinite(scores)])]
    if not len(order):
        return
    places = {"best": order[-1], "median": order[len(order) // 2], "worst": order[0]}
    chosen = peaks[list(places.values())]
    arrays: dict[str, Any] = {
        "labels": np.array(list(places)),
        "ids": chosen,
        "norm_jsd": scores[list(places.values())],
    }
    for name, model in models.items():
        part = next(predict_examples(model, shards, centred_plan(chosen, shards.layout.jitter), len(chosen)))
        arrays["observed"] = part.observed
        arrays[name] = predicted_track(softmax(part.logits, axis=-1), part.log_counts)
    rows = shards.index.iloc[chosen]
    np.savez_compressed(
        work.out / "examples.npz",
        chroms=rows["chrom"].to_numpy(dtype=str),
        starts=rows["centre"].to_numpy() - shards.layout.output_length // 2,
        **arrays,
    )


def _compare_with_truth(
    work: _Evaluating,
    truth_files: tuple[Path, Path],
    predict: dict[str, Any],
    shards: ShardSet,
    peaks: AnyArray,
    background: AnyArray,
) -> None:
    """Hold models of simulated data against what was planted."""
    from chrombpnet_core.simulation import check_models, read_ground_truth

    truth = read_ground_truth(*truth_files)
    rows = shards.index.iloc[peaks]
    at, width = shards.layout.jitter, shards.layout.input_length
    codes = shards.read(peaks)[0][:, at : at + width]
    checks = check_models(
        truth,
        rows["chrom"].to_numpy(dtype=str),
        rows["centre"].to_numpy(),
        codes,
        background,
        bias=predict["bias"],
        nobias=predict.get("chrombpnet_nobias"),
    )
    work.facts["truth"] = [asdict(check) | {"passed": bool(check.passed)} for check in checks]
    (work.out / "truth_checks.json").write_text(json.dumps(work.facts["truth"], indent=1) + "\n")
    for check in checks:
        log.info("planted truth: %s", check)


EVALUATE_BIAS = Step(
    name="evaluate_bias",
    version=3,
    title="Evaluate the bias model",
    inputs=EvaluationInputs[Source],
    parameters=EvaluationParameters,
    body=_evaluate,
    outputs=published(
        dict.fromkeys(
            (
                "bias_metrics.json",
                "bias_predictions.h5",
                "bias_footprints.h5",
                "bias_max_bias_response.txt",
                "truth_checks.json",
            ),
            "evaluation/",
        ),
        "bias",
    ),
)

EVALUATE_MAIN = Step(
    name="evaluate_main",
    version=3,
    title="Evaluate the main model",
    inputs=EvaluationInputs[Source],
    parameters=EvaluationParameters,
    body=_evaluate,
    outputs=published(
        dict.fromkeys(
            (
                "bias_metrics.json",
                "chrombpnet_metrics.json",
                "chrombpnet_nobias_metrics.json",
                "chrombpnet_predictions.h5",
                "chrombpnet_footprints.h5",
                "chrombpnet_nobias_footprints.h5",
                "chrombpnet_nobias_max_bias_response.txt",
                QUALITY_METRIC,
                "truth_checks.json",
            ),
            "evaluation/",
        ),
        "main",
    ),
)
