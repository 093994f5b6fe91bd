"""Effects of variants on accessibility, for lists that fit into memory."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from chrombpnet_core.api.arguments import chromosome_list, require_whole, target_file
from chrombpnet_core.api.html import SHOWN_ROWS
from chrombpnet_core.api.model import Model
from chrombpnet_core.api.regions import Regions, locate

if TYPE_CHECKING:
    from chrombpnet_core.genome import Genome
    from chrombpnet_core.variants import ScoredVariants

__all__ = ["VariantScores", "score_variants"]


@dataclass(frozen=True, eq=False)
class VariantScores:
    """Scores of variants.

    Attributes
    ----------
    table
        One row for each variant that can be scored, in the order of the list: ``chr``, ``pos``, ``allele1``, ``allele2``,
        ``variant_id``, ``allele1_pred_counts``, ``allele2_pred_counts``, ``logfc``, ``jsd``, …, the columns of
        ``chrombpnet variants``; with several models, the summary over them.
    left_out
        The other variants, with the reason in the column ``why``.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the table of scores."""
        return self.table

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table of scores as TSV and return its path."""
        target = target_file(path)
        self.table.to_csv(target, sep="\t", index=False)
        return target

    def _repr_html_(self) -> str:
        numbers = f"<p>{len(self.table):,} variants scored, {len(self.left_out):,} left out</p>"
        return numbers + self.table.head(SHOWN_ROWS).to_html()


def score_variants(
    model: Model | Sequence[Model],
    genome: Genome,
    variants: str | os.PathLike[str] | pd.DataFrame,
    *,
    schema: str = "chrombpnet",
    peaks: Regions | None = None,
    shuffles: int = 0,
    seed: int = 1234,
    swap_ref: bool = False,
    chroms: str | Sequence[str] | None = None,
    one_data_set: bool = False,
) -> VariantScores:
    """Score how each variant changes the predicted counts and profile, as ``chrombpnet variants`` does.

    Parameters
    ----------
    model
        ``chrombpnet_nobias.h5``, or those of one data set's folds, whose scores are summarised; bias models are refused.
    genome
        Genome, from :func:`open_genome`.
    variants
        VCF, BCF or tab-separated file; or a table of ``chr``, ``pos`` (from 1), ``allele1`` (reference), ``allele2``.
    schema
        Columns of a tab-separated file, one of :data:`chrombpnet_core.variants.VARIANT_SCHEMAS`.
    peaks
        Peaks, as for :func:`locate`, to rank the predicted counts among those of the peaks; by default no quantiles.
    shuffles
        Number of variants in shuffled sequences to score for p-values; 0: no p-values.
    seed
        Random seed of the shuffles.
    swap_ref
        Whether to swap the alleles of variants whose allele 2 is the genome's; they are left out otherwise.
    chroms
        Score only variants on these chromosomes; by default all.
    one_data_set
        Whether to summarise models even if their names or folders differ by more than the fold's number.

    Returns
    -------
    VariantScores
        Scores, and the variants that were left out, with the reason.

    Raises
    ------
    InputError
        If no variant can be read and scored, too many disagree with the genome, or the models are not as said above.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> model, genome = cbp.open_model("chrombpnet_nobias.h5"), cbp.open_genome("genome.fa")
    >>> len(cbp.score_variants(model, genome, "variants.tsv").table)
    5
    """
    require_whole("shuffles", shuffles, least=0)
    score = functools.partial(_scorer(model, one_data_set), schema=schema, shuffles=shuffles, seed=seed, swap_ref=swap_ref)
    among, names = None if peaks is None else locate(peaks, genome.sizes), chromosome_list(chroms)
    scored = score(genome, variants, peaks=among, chroms=names)
    return VariantScores(scored.table, scored.left_out)


def _scorer(model: Model | Sequence[Model], one_data_set: bool) -> functools.partial[ScoredVariants]:
    """Make the function that scores variants with models, once these are such as variants can be scored with."""
    from chrombpnet_core import variants as room
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.models import BothStrandsPredictor

    models, device = [model] if isinstance(model, Model) else list(model), find_device()
    room.require_one_data_set([os.path.abspath(each.path) for each in models], one_data_set)
    for each in models:
        room.require_accessibility_model(each.keras, each.path)
    return functools.partial(room.score_variants, [BothStrandsPredictor(each.keras, device) for each in models])
