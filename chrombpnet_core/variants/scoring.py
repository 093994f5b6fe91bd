"""Scores of variants in memory, as a notebook wants them: the numbers of the command, without files."""

from __future__ import annotations

import collections
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from chrombpnet_core._types import AnyArray, Floats, Ints
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Genome, Naming
from chrombpnet_core.variants.allele_predictions import (
    VARIANTS_AT_ONCE,
    choose_peaks,
    draw_background,
    predict_alleles,
    predict_peak_counts,
    score_shuffled,
)
from chrombpnet_core.variants.checking import LEFT_OUT_COLUMNS, VariantChecker
from chrombpnet_core.variants.reading import read_variants, variant_table
from chrombpnet_core.variants.scores import add_p_values, score_alleles, summarise_folds
from chrombpnet_core.variants.windows import chromosome_codes

if TYPE_CHECKING:
    from chrombpnet_core.models import BothStrandsPredictor

__all__ = ["ScoredVariants", "score_variants"]


@dataclass(frozen=True)
class ScoredVariants:
    """Scores of variants.

    Attributes
    ----------
    table
        A row for each variant, in the order of the list: :data:`~chrombpnet_core.variants.VARIANT_COLUMNS`, ``swapped``
        (alleles were exchanged), and scores: of one model those of :func:`~chrombpnet_core.variants.score_alleles`, of
        several those of :func:`~chrombpnet_core.variants.summarise_folds`.
    left_out
        Variants that cannot be scored, with the column ``why``.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the table of scores."""
        return self.table


def score_variants(
    predictors: BothStrandsPredictor | Sequence[BothStrandsPredictor],
    genome: Genome,
    variants: str | os.PathLike[str] | pd.DataFrame,
    *,
    schema: str = "chrombpnet",
    peaks: pd.DataFrame | None = None,
    max_peaks: int | None = None,
    shuffles: int = 0,
    seed: int = 1234,
    swap_ref: bool = False,
    chroms: Sequence[str] | None = None,
    naming: Naming | None = None,
) -> ScoredVariants:
    """Score what variants change in the predictions of one or several models.

    Parameters
    ----------
    predictors
        A model as the mean of both strands, or those of several folds, which are summarised.
    genome
        The genome.
    variants
        VCF, BCF or a table of ``schema``; or a table in memory with the columns ``chr``, ``pos`` (1-based), ``allele1``
        (the reference's), ``allele2`` and, optionally, ``variant_id``.
    schema
        Columns of a table, one of :data:`~chrombpnet_core.variants.VARIANT_SCHEMAS`.
    peaks
        Region table, among whose predicted counts quantiles are taken.
    max_peaks
        More peaks are drawn from.
    shuffles
        Variants scored in shuffled sequence, in all, for p-values; 0: no p-values.
    seed
        Of shuffles and of the peaks drawn.
    swap_ref
        Whether alleles are exchanged where the second is the genome's.
    chroms
        Variants on these alone are scored.
    naming
        How chromosome names are read.

    Returns
    -------
    ScoredVariants
        The table of scores, and what was left out.

    Raises
    ------
    InputError
        Where no variant can be scored, too many disagree with the genome, or the file cannot be read.
    """
    models = list(predictors) if isinstance(predictors, Sequence) else [predictors]
    checked, left_out = _check(models, genome, variants, schema, swap_ref, chroms, naming)
    by_chromosome = {str(chrom): rows.reset_index(drop=True) for chrom, rows in checked.groupby("chr", sort=False)}
    chosen = None if peaks is None else choose_peaks(peaks, genome.sizes, models[0].length, max_peaks, seed)
    scores = [_score(predict, genome, by_chromosome, chosen, shuffles, seed) for predict in models]
    ordered = pd.concat([*by_chromosome.values()], ignore_index=True)
    table = ordered.assign(**(scores[0] if len(models) == 1 else summarise_folds(scores)))
    return ScoredVariants(table.sort_values(["record", "alt"], kind="stable", ignore_index=True), left_out)


def _check(
    models: Sequence[BothStrandsPredictor],
    genome: Genome,
    variants: str | os.PathLike[str] | pd.DataFrame,
    schema: str,
    swap_ref: bool,
    chroms: Sequence[str] | None,
    naming: Naming | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the variants that can be scored from the others."""
    from chrombpnet_core.models import lengths_of

    lengths = {lengths_of(predict.model) for predict in models}
    if len(lengths) != 1:
        raise InputError("models to score variants with", expected="one or more, of the same input and output length")
    naming = naming or Naming()
    checker = VariantChecker(genome, naming.sizes(genome.sizes), lengths.pop(), naming, chroms, swap_ref)
    blocks = [variant_table(variants)] if isinstance(variants, pd.DataFrame) else read_variants(variants, schema)
    scored, left_out = zip(*(checker.check(block) for block in blocks), strict=True)
    checker.finish("the table of variants" if isinstance(variants, pd.DataFrame) else variants)
    others = pd.concat(left_out, ignore_index=True)[LEFT_OUT_COLUMNS]
    return pd.concat(scored, ignore_index=True), others


def _score(
    predict: BothStrandsPredictor,
    genome: Genome,
    by_chromosome: Mapping[str, pd.DataFrame],
    peaks: tuple[AnyArray, Ints] | None,
    shuffles: int,
    seed: int,
) -> dict[str, Floats]:
    """Score all variants with one model, chromosome after chromosome."""
    peak_counts = None if peaks is None else predict_peak_counts(predict, genome, *peaks)
    background = _background(predict, genome, by_chromosome, shuffles, seed, peak_counts) if shuffles else None
    blocks = []
    for chrom, table in by_chromosome.items():
        sequence = chromosome_codes(genome, chrom)
        for first in range(0, len(table), VARIANTS_AT_ONCE):
            rows = table.iloc[first : first + VARIANTS_AT_ONCE].reset_index(drop=True)
            blocks.append(add_p_values(score_alleles(predict_alleles(predict, sequence, rows), peak_counts), background))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _background(
    predict: BothStrandsPredictor,
    genome: Genome,
    by_chromosome: Mapping[str, pd.DataFrame],
    shuffles: int,
    seed: int,
    peak_counts: Floats | None,
) -> dict[str, Floats]:
    """Score → values of variants in shuffled sequence, ascending."""
    rows, times = draw_background(shuffles, sum(map(len, by_chromosome.values())), seed)
    values: dict[str, list[Floats]] = collections.defaultdict(list)
    before = 0
    for chrom, table in by_chromosome.items():
        here = slice(*np.searchsorted(rows, [before, before + len(table)]))
        drawn = table.iloc[rows[here] - before].reset_index(drop=True)
        for scores in score_shuffled(predict, chromosome_codes(genome, chrom), drawn, times[here], seed, peak_counts):
            for name, shuffled in scores.items():
                values[name].append(shuffled)
        before += len(table)
    return {name: np.sort(np.concatenate(parts)) for name, parts in values.items()}
