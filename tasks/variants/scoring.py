"""Steps that score variants with one model: predicted counts of peaks, a background of shuffled sequence, a chromosome.

Each chromosome of each model is a step of its own: what was scored once is found again, and a run that was killed goes on
at the chromosome where it was.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray
from chrombpnet_core.devices import find_device
from chrombpnet_core.genome import read_regions
from chrombpnet_core.progress import bar
from chrombpnet_core.variants import (
    VARIANTS_PER_BLOCK,
    AllelePredictionsFile,
    ScoreTable,
    add_p_values,
    chromosome_codes,
    log_probability_change,
    read_variant_table,
    score_alleles,
)
from tasks.runner import At, Source, Step, Work
from tasks.steps import GenomeInputs, GenomeParameters, reference

__all__ = [
    "BACKGROUND",
    "LOG_PROBS",
    "PEAK_COUNTS",
    "SCORED",
    "SCORES",
    "BackgroundInputs",
    "BackgroundParameters",
    "PeakCountsInputs",
    "PeakCountsParameters",
    "ScoresInputs",
    "ScoresParameters",
    "load_predictor",
]

SCORED, _PREDICTIONS = "scores.parquet", "predictions.h5"
LOG_PROBS = "log_probs"
"""Column of :func:`~chrombpnet_core.variants.log_probability_change`."""
_COUNTS, _SHUFFLED = "peak_counts.npy", "background.npz"


def load_predictor(path: Path, precision: str) -> Any:
    """Load a model as a :class:`~chrombpnet_core.models.BothStrandsPredictor` on this process's device."""
    device = find_device()
    from chrombpnet_core.models import BothStrandsPredictor, load_model
    from chrombpnet_core.training import set_precision

    set_precision(precision)
    return BothStrandsPredictor(load_model(path), device)


# --- counts of peaks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PeakCountsInputs(GenomeInputs[At]):
    """A model and the peaks that quantiles are taken among."""

    model: At
    peaks: At


@dataclass(frozen=True, kw_only=True)
class PeakCountsParameters(GenomeParameters):
    """``most`` peaks at most are taken, drawn with ``seed``."""

    most: int | None = None
    seed: int = 1234
    precision: str = "float32"


def _predict_peaks(work: Work[PeakCountsInputs[Path], PeakCountsParameters]) -> None:
    from chrombpnet_core.variants import choose_peaks, predict_peak_counts

    parameters = work.parameters
    with reference(work.inputs, parameters.naming) as (genome, sizes):
        table = read_regions(work.inputs.peaks, "peaks", sizes, parameters.naming)
        predict = load_predictor(work.inputs.model, parameters.precision)
        chosen = choose_peaks(table, sizes, predict.length, parameters.most, parameters.seed, work.inputs.peaks)
        counts = predict_peak_counts(predict, genome, *chosen)
    np.save(work.out / _COUNTS, counts)
    work.facts |= {"peaks": len(counts), "median": float(np.median(counts))}


PEAK_COUNTS = Step(
    name="variant_peaks",
    version=1,
    title="Predict peaks",
    inputs=PeakCountsInputs[Source],
    parameters=PeakCountsParameters,
    body=_predict_peaks,
)


# --- background ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BackgroundInputs(GenomeInputs[At]):
    """A model, the step :data:`~tasks.variants.listing.VARIANTS`, and :data:`PEAK_COUNTS` where there are peaks."""

    model: At
    variants: At
    peaks: At | None = None


@dataclass(frozen=True, kw_only=True)
class BackgroundParameters:
    """``number`` variants are scored in dinucleotide-shuffled windows; ``chroms`` is the fact of the variants' step."""

    number: int
    chroms: Mapping[str, Any]
    seed: int = 1234
    precision: str = "float32"


def _score_background(work: Work[BackgroundInputs[Path], BackgroundParameters]) -> None:
    from chrombpnet_core.variants import draw_background, score_shuffled

    parameters = work.parameters
    scores: dict[str, list[AnyArray]] = collections.defaultdict(list)
    total = sum(entry["variants"] for entry in parameters.chroms.values())
    rows, times = draw_background(parameters.number, total, parameters.seed)
    predict, peaks = load_predictor(work.inputs.model, parameters.precision), _peak_counts(work.inputs.peaks)
    first = 0
    with (
        reference(work.inputs) as (genome, _),
        bar("scoring shuffled sequences", parameters.number, "variants") as progress,
    ):
        for chrom, entry in parameters.chroms.items():
            sequence = chromosome_codes(genome, chrom)
            for table in read_variant_table(work.inputs.variants / entry["file"], VARIANTS_PER_BLOCK):
                here = slice(*np.searchsorted(rows, [first, first + len(table)]))
                drawn = table.iloc[rows[here] - first].reset_index(drop=True)
                for batch in score_shuffled(predict, sequence, drawn, times[here], parameters.seed, peaks):
                    for name, values in batch.items():
                        scores[name].append(values)
                    progress.update(len(batch["logfc"]))
                first += len(table)
    columns: dict[str, Any] = {name: np.sort(np.concatenate(parts)) for name, parts in scores.items()}
    np.savez(work.out / _SHUFFLED, **columns)
    work.facts["shuffled"] = parameters.number


def _peak_counts(folder: Path | None) -> AnyArray | None:
    if folder is None:
        return None
    counts: AnyArray = np.load(folder / _COUNTS, allow_pickle=False)
    return counts


BACKGROUND = Step(
    name="variant_background",
    version=1,
    title="Score shuffled sequences",
    inputs=BackgroundInputs[Source],
    parameters=BackgroundParameters,
    body=_score_background,
)


# --- scores ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ScoresInputs(GenomeInputs[At]):
    """A model and the variants of one chromosome; :data:`PEAK_COUNTS` and :data:`BACKGROUND` of the model, if any."""

    model: At
    variants: At
    peaks: At | None = None
    background: At | None = None


@dataclass(frozen=True, kw_only=True)
class ScoresParameters:
    """The chromosome; whether both alleles' predictions are written, too, and the column :data:`LOG_PROBS`."""

    chrom: str
    profiles: bool = False
    precision: str = "float32"
    log_probs: bool = False


def _score(work: Work[ScoresInputs[Path], ScoresParameters]) -> None:
    from chrombpnet_core.models import lengths_of
    from chrombpnet_core.variants import VARIANTS_AT_ONCE, predict_alleles

    parameters, peaks = work.parameters, _peak_counts(work.inputs.peaks)
    background: dict[str, AnyArray] | None = None
    if work.inputs.background is not None:
        with np.load(work.inputs.background / _SHUFFLED, allow_pickle=False) as arrays:
            background = dict(arrays)
    predict = load_predictor(work.inputs.model, parameters.precision)
    with reference(work.inputs) as (genome, _):
        sequence = chromosome_codes(genome, parameters.chrom)
    file = AllelePredictionsFile(work.out / _PREDICTIONS, lengths_of(predict.model)[1]) if parameters.profiles else None
    number = rows_of(work.inputs.variants)
    with bar(f"scoring {parameters.chrom}", number, "variants") as progress, ScoreTable([work.out / SCORED]) as target:
        for table in read_variant_table(work.inputs.variants, VARIANTS_PER_BLOCK):
            scored = []
            for first in range(0, len(table), VARIANTS_AT_ONCE):
                batch = table.iloc[first : first + VARIANTS_AT_ONCE].reset_index(drop=True)
                alleles = predict_alleles(predict, sequence, batch)
                if file is not None:
                    file.append(batch["variant_id"], alleles)
                more = {LOG_PROBS: log_probability_change(alleles)} if parameters.log_probs else {}
                scored.append(batch.assign(**add_p_values(score_alleles(alleles, peaks), background), **more))
                progress.update(len(batch))
            target.append(pd.concat(scored, ignore_index=True))
    if file is not None:
        file.close()
    work.facts["variants"] = number


def rows_of(table: Path) -> int:
    """Count the rows of a TSV below its header."""
    with open(table, "rb") as lines:
        return sum(1 for _ in lines) - 1


SCORES = Step(
    name="variant_scores",
    version=1,
    title="Score variants",
    inputs=ScoresInputs[Source],
    parameters=ScoresParameters,
    body=_score,
)
