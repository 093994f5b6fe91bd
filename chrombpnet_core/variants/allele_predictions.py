"""Predictions for both alleles of variants, both strands of both in one batch, as the mean that their scores are made of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from chrombpnet_core.genome import Genome, dinucleotide_shuffles
from chrombpnet_core.models import BothStrandsPredictor
from chrombpnet_core.progress import bar
from chrombpnet_core.variants.scores import AllelePredictions, score_alleles
from chrombpnet_core.variants.windows import allele_lengths, allele_windows

__all__ = ["VARIANTS_AT_ONCE", "draw_background", "predict_alleles", "predict_peak_counts", "score_shuffled"]

log = logging.getLogger(__name__)

VARIANTS_AT_ONCE = 256
"""Variants whose predictions are in memory at a time."""


def predict_alleles(
    predict: BothStrandsPredictor,
    sequence: np.ndarray,
    table: pd.DataFrame,
    change: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> AllelePredictions:
    """Predictions for both alleles of some variants of one chromosome; arguments as of ``allele_windows``."""
    first, second = allele_windows(sequence, table, predict.length, change)
    counts, logits = predict(np.concatenate([first, second]))
    n = len(table)
    return AllelePredictions(
        counts[:n], counts[n:], logits[:n], logits[n:], allele_lengths(table["allele1"]), allele_lengths(table["allele2"])
    )


def predict_peak_counts(
    predict: BothStrandsPredictor, genome: Genome, chroms: np.ndarray, centres: np.ndarray
) -> np.ndarray:
    """Predicted counts of peaks, ascending, float64 ``(m,)``.

    A peak's window is variant-scorer's: it begins at ``centre − L//2 − 1``, one base before the window that models are
    trained on.
    """
    counts = np.empty(len(chroms))
    with bar("predicting peaks", len(chroms), "peaks") as progress:
        for at in range(0, len(chroms), VARIANTS_AT_ONCE):
            rows = slice(at, at + VARIANTS_AT_ONCE)
            counts[rows], _ = predict(genome.windows(chroms[rows], centres[rows] - predict.length // 2 - 1, predict.length))
            progress.update(len(counts[rows]))
    return np.sort(counts)


def draw_background(number: int, variants: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``variants`` are shuffled, ascending, and how often each, int64: ``number`` in all.

    Drawn without replacement where there are enough, else with it, as variant-scorer does.
    """
    drawn = np.random.default_rng([seed, 11]).choice(variants, number, replace=number > variants)
    return np.unique(drawn, return_counts=True)


def score_shuffled(
    predict: BothStrandsPredictor,
    sequence: np.ndarray,
    table: pd.DataFrame,
    times: np.ndarray,
    seed: int,
    peak_counts: np.ndarray | None,
) -> Iterator[dict[str, np.ndarray]]:
    """Scores of alleles put into dinucleotide-shuffled windows: what variants would have by chance.

    Parameters
    ----------
    sequence, table
        As of :func:`~chrombpnet_core.variants.allele_windows`.
    times
        Shuffles of each variant, ``(n,)``, 1 or more.
    seed
        Of the shuffles, with the window's own letters.
    peak_counts
        As of :func:`~chrombpnet_core.variants.score_alleles`.
    """
    order = np.concatenate([np.arange(count) for count in times]) if len(times) else np.empty(0, np.int64)
    repeated = table.loc[table.index.repeat(times)].reset_index(drop=True)
    for at in range(0, len(repeated), VARIANTS_AT_ONCE):
        part, number = repeated.iloc[at : at + VARIANTS_AT_ONCE].reset_index(drop=True), order[at : at + VARIANTS_AT_ONCE]

        def shuffled(flanks: np.ndarray, rows: np.ndarray, number: np.ndarray = number) -> np.ndarray:
            which = number[rows]
            return dinucleotide_shuffles(flanks, int(which.max()) + 1, seed)[np.arange(len(rows)), which]

        yield score_alleles(predict_alleles(predict, sequence, part, shuffled), peak_counts)
