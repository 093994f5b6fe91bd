"""Predictions for both alleles of variants: both strands of both in one batch, as the mean that their scores are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray, Codes, Floats, Ints
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Genome, centres, dinucleotide_shuffles
from chrombpnet_core.progress import bar
from chrombpnet_core.training_data import Stream, random_stream
from chrombpnet_core.variants.scores import AllelePredictions, score_alleles
from chrombpnet_core.variants.windows import allele_lengths, allele_windows

if TYPE_CHECKING:
    from chrombpnet_core.models import BothStrandsPredictor  # with it comes Keras

__all__ = [
    "VARIANTS_AT_ONCE",
    "choose_peaks",
    "draw_background",
    "predict_alleles",
    "predict_peak_counts",
    "score_shuffled",
]

VARIANTS_AT_ONCE = 256
"""Variants whose predictions are in memory at a time."""


def predict_alleles(
    predict: BothStrandsPredictor,
    sequence: Codes,
    table: pd.DataFrame,
    change: Callable[[Codes, Ints], Codes] | None = None,
) -> AllelePredictions:
    """Predict both alleles of some variants of one chromosome.

    Parameters
    ----------
    predict
        The model, as the mean of both strands.
    sequence
        Base codes of the chromosome, uint8 ``(size,)``.
    table
        Variant table, of variants of this chromosome that have windows.
    change
        Of the windows, as for :func:`~chrombpnet_core.variants.allele_windows`.

    Returns
    -------
    AllelePredictions
        Counts and logits of both alleles.
    """
    first, second = allele_windows(sequence, table, predict.length, change)
    counts, logits = predict(np.concatenate([first, second]))
    n = len(table)
    return AllelePredictions(
        counts[:n], counts[n:], logits[:n], logits[n:], allele_lengths(table["allele1"]), allele_lengths(table["allele2"])
    )


def choose_peaks(
    peaks: pd.DataFrame,
    sizes: Mapping[str, int],
    length: int,
    max_peaks: int | None = None,
    seed: int = 1234,
    path: str | os.PathLike[str] | None = None,
) -> tuple[AnyArray, Ints]:
    """Choose the peaks whose predicted counts alleles are ranked among.

    Parameters
    ----------
    peaks
        Region table.
    sizes
        Chromosome → length in bp.
    length
        Input length of the model in bp: the window of a peak must lie in its chromosome.
    max_peaks
        More are drawn from, with ``seed``; None: all are taken.
    seed
        Of this draw.
    path
        Their file, for errors.

    Returns
    -------
    chroms, centres : numpy.ndarray
        Of the peaks, ``(m,)`` each; a peak that stands there twice is taken once.

    Raises
    ------
    InputError
        Where none has a whole window.
    """
    distinct = peaks.drop_duplicates(["chrom", "start", "end", "summit"]).reset_index(drop=True)
    middles, flank = centres(distinct), length // 2
    inner = np.flatnonzero((middles - flank > 0) & (middles + flank <= distinct["chrom"].map(dict(sizes)).to_numpy()))
    if not inner.size:
        where = "" if path is None else f"{path}: "
        raise InputError(
            f"{where}all {len(distinct):,} peaks are too near a chromosome end for the model's window of {length:,} bp",
            remedy="give peaks farther from the ends",
        )
    if max_peaks is not None and len(inner) > max_peaks:
        inner = np.sort(random_stream(seed, Stream.RANKED_PEAKS).choice(inner, max_peaks, replace=False))
    return distinct["chrom"].to_numpy()[inner], middles[inner]


def predict_peak_counts(predict: BothStrandsPredictor, genome: Genome, chroms: AnyArray, centres: Ints) -> Floats:
    """Predict the counts of peaks.

    A peak's window is variant-scorer's: it begins at ``centre − L//2 − 1``, one base before the window that models are
    trained on.

    Parameters
    ----------
    predict
        The model, as the mean of both strands.
    genome
        The genome.
    chroms
        Of the peaks, ``(m,)``, as of :func:`choose_peaks`.
    centres
        Of the peaks, ``(m,)``.

    Returns
    -------
    numpy.ndarray
        Counts, ascending, float64 ``(m,)``.
    """
    counts = np.empty(len(chroms))
    with bar("predicting peaks", len(chroms), "peaks") as progress:
        for first in range(0, len(chroms), VARIANTS_AT_ONCE):
            rows = slice(first, first + VARIANTS_AT_ONCE)
            counts[rows], _ = predict(genome.windows(chroms[rows], centres[rows] - predict.length // 2 - 1, predict.length))
            progress.update(len(counts[rows]))
    return np.sort(counts)


def draw_background(number: int, variants: int, seed: int) -> tuple[Ints, Ints]:
    """Draw which variants are scored in shuffled sequence, and how often each.

    Drawn without replacement where there are enough, else with it, as variant-scorer does.

    Parameters
    ----------
    number
        Shuffles in all.
    variants
        Number of variants to draw from.
    seed
        Of the draw.

    Returns
    -------
    rows, times : numpy.ndarray
        int64: rows of the variants, ascending, and the number of shuffles of each.
    """
    drawn = random_stream(seed, Stream.SHUFFLED_VARIANTS).choice(variants, number, replace=number > variants)
    rows, times = np.unique(drawn, return_counts=True)
    return rows, times


def score_shuffled(
    predict: BothStrandsPredictor,
    sequence: Codes,
    table: pd.DataFrame,
    times: Ints,
    seed: int,
    peak_counts: Floats | None,
) -> Iterator[dict[str, Floats]]:
    """Score alleles put into dinucleotide-shuffled windows: what variants would have by chance.

    Parameters
    ----------
    predict
        The model, as the mean of both strands.
    sequence
        Base codes of the chromosome, uint8 ``(size,)``.
    table
        Variant table, of variants of this chromosome that have windows.
    times
        Shuffles of each variant, ``(n,)``, 1 or more.
    seed
        Of the shuffles, with the window's own letters.
    peak_counts
        As for :func:`~chrombpnet_core.variants.score_alleles`.

    Yields
    ------
    dict of str to numpy.ndarray
        Scores of some shuffles, as of :func:`~chrombpnet_core.variants.score_alleles`.
    """
    order = np.concatenate([np.arange(count) for count in times]) if len(times) else np.empty(0, np.int64)
    repeated = table.loc[table.index.repeat(times)].reset_index(drop=True)
    for first in range(0, len(repeated), VARIANTS_AT_ONCE):
        rows = slice(first, first + VARIANTS_AT_ONCE)
        number_of_shuffle = order[rows]

        def shuffled(flanks: Codes, members: Ints, number_of_shuffle: Ints = number_of_shuffle) -> Codes:
            which = number_of_shuffle[members]
            shuffles: Codes = dinucleotide_shuffles(flanks, int(which.max()) + 1, seed)[np.arange(len(members)), which]
            return shuffles

        block = repeated.iloc[rows].reset_index(drop=True)
        yield score_alleles(predict_alleles(predict, sequence, block, shuffled), peak_counts)
