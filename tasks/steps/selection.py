"""Select the regions that train and validate a model."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Literal

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.genome import Fold, read_regions, write_regions
from chrombpnet_core.training_data import NONPEAK, PEAK, ShardSet, select_bias_regions, select_main_regions
from tasks.runner import At, Source, Step, Work, published

__all__ = ["SELECT_BIAS", "SELECT_MAIN", "BiasSelection", "MainSelection", "SelectionInputs"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SelectionInputs(Generic[At]):
    """The step ``shards``."""

    shards: At


@dataclass(frozen=True, kw_only=True)
class SelectionParameters:
    """What both models need; regions whose counts are above the quantile ``outlier_threshold`` are left out."""

    kind: Literal["bias", "main"]
    fold: Fold
    outlier_threshold: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class BiasSelection(SelectionParameters):
    """Nonpeaks below ``threshold_factor`` × the 0.01 quantile of the peaks' counts train the bias model."""

    kind: Literal["bias"] = "bias"
    threshold_factor: float


@dataclass(frozen=True, kw_only=True)
class MainSelection(SelectionParameters):
    """Peaks with room for ``jitter`` bp train the main model, with ``negative_sampling_ratio`` nonpeaks per peak."""

    kind: Literal["main"] = "main"
    negative_sampling_ratio: float
    jitter: int


_Selecting = Work[SelectionInputs[Path], SelectionParameters]


def _select(work: _Selecting) -> None:
    """Choose the regions, and the counts loss weight."""
    with ShardSet(work.inputs.shards) as shards:
        index = shards.index
    parameters = work.parameters
    kind, fold = parameters.kind, parameters.fold
    training = index["chrom"].isin([*fold.train, *fold.valid])
    margin = parameters.jitter if isinstance(parameters, MainSelection) else 0
    peaks = index[training & (index["kind"] == PEAK) & (index["margin"] >= margin)]
    nonpeaks = index[training & (index["kind"] == NONPEAK)]
    chosen, kept = _chosen(parameters, peaks, nonpeaks)
    chrom_of = index["chrom"].to_numpy(dtype=str)
    arrays: dict[str, Any] = {
        f"{part}_{name}": ids[np.isin(chrom_of[ids], getattr(fold, part))]
        for name, ids in kept.items()
        for part in ("train", "valid")
    }
    _require_both_parts(arrays, kind)
    np.savez(work.out / "regions.npz", **arrays)
    _write_filtered(work, index, kept)
    numbers = {name: value for name, value in asdict(chosen).items() if not isinstance(value, np.ndarray)}
    work.facts |= numbers | {
        "peaks_considered": len(peaks),
        "nonpeaks_considered": len(nonpeaks),
        "peaks_kept": len(kept["peaks"]),
        "nonpeaks_kept": len(kept["nonpeaks"]),
        "median_peak_counts": float(np.median(peaks["counts"].to_numpy())),
        **{name: len(ids) for name, ids in arrays.items()},
    }
    (work.out / "selection.json").write_text(json.dumps(work.facts, indent=1) + "\n")
    log.info(
        "%s model trains on %s and %s between %.3f and %.3f insertions, counts loss weight %.2f",
        kind,
        counted(len(kept["peaks"]), "peaks"),
        counted(len(kept["nonpeaks"]), "nonpeaks"),
        chosen.lower,
        chosen.upper,
        chosen.counts_loss_weight,
    )


def _chosen(parameters: SelectionParameters, peaks: pd.DataFrame, nonpeaks: pd.DataFrame) -> tuple[Any, dict[str, AnyArray]]:
    """Select regions; the selection, and the ids of the regions, by what they are for."""
    counts = peaks["counts"].to_numpy(), nonpeaks["counts"].to_numpy()
    if isinstance(parameters, BiasSelection):
        bias = select_bias_regions(*counts, parameters.threshold_factor, parameters.outlier_threshold)
        return bias, {"peaks": np.empty(0, np.int64), "nonpeaks": nonpeaks["id"].to_numpy()[bias.nonpeaks]}
    assert isinstance(parameters, MainSelection)
    main = select_main_regions(*counts, parameters.negative_sampling_ratio, parameters.seed, parameters.outlier_threshold)
    return main, {
        "peaks": peaks["id"].to_numpy()[main.peaks],
        "nonpeaks": nonpeaks["id"].to_numpy()[main.nonpeaks],
        "scaling": nonpeaks["id"].to_numpy()[main.nonpeaks_in_bounds],
    }


def _require_both_parts(arrays: dict[str, AnyArray], kind: str) -> None:
    wanted = "nonpeaks" if kind == "bias" else "peaks"
    for part in ("train", "valid"):
        if not len(arrays[f"{part}_{wanted}"]):
            raise InputError(
                f"no {wanted} left on the {part} chromosomes to train the {kind} model with",
                remedy="give more regions, or another fold",
            )


def _write_filtered(work: _Selecting, index: pd.DataFrame, kept: dict[str, AnyArray]) -> None:
    """``filtered.*.bed``: what trains and validates, and every region of the test chromosomes."""
    kind = work.parameters.kind
    tested = index["chrom"].isin(work.parameters.fold.test)
    prefix = "filtered.bias_" if kind == "bias" else "filtered."
    for name, number in (("peaks", PEAK), ("nonpeaks", NONPEAK)):
        table = read_regions(work.inputs.shards / f"{name}.bed", name)
        of_kind = index[index["kind"] == number]
        rows = of_kind["id"].isin(kept[name]) | (tested & (index["kind"] == number))[of_kind.index]
        if kind == "bias" and name == "peaks":  # the bias model's peaks serve its threshold and evaluation: all stay
            rows |= True
        write_regions(table[rows.to_numpy()], work.out / f"{prefix}{name}.bed")


SELECT_BIAS = Step(
    name="select_bias",
    version=1,
    title="Select regions for the bias model",
    inputs=SelectionInputs[Source],
    parameters=BiasSelection,
    body=_select,
    outputs=published(dict.fromkeys(("filtered.bias_peaks.bed", "filtered.bias_nonpeaks.bed"), "auxiliary/"), "bias"),
)

SELECT_MAIN = Step(
    name="select_main",
    version=1,
    title="Select regions for the main model",
    inputs=SelectionInputs[Source],
    parameters=MainSelection,
    body=_select,
    outputs=published(dict.fromkeys(("filtered.peaks.bed", "filtered.nonpeaks.bed"), "auxiliary/"), "main"),
)
