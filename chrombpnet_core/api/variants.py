"""What variants do to accessibility, for lists that fit into memory."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from chrombpnet_core.api.model import Model
from chrombpnet_core.api.regions import Regions, locate

if TYPE_CHECKING:
    from chrombpnet_core.genome import Genome
    from chrombpnet_core.models import BothStrandsPredictor

__all__ = ["VariantScores", "score_variants"]

_SHOWN_ROWS = 20


@dataclass(frozen=True)
class VariantScores:
    """Scores of variants.

    Attributes
    ----------
    table
        A row for each variant that can be scored, in the order of the list: ``chr``, ``pos``, ``allele1``, ``allele2``,
        ``variant_id``, ``allele1_pred_counts``, ``allele2_pred_counts``, ``logfc``, ``jsd``, …, the columns of
        ``chrombpnet variants``; of several models their summary.
    left_out
        The other variants, and ``why``.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the table of scores."""
        return self.table

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as TSV and return where it lies."""
        self.table.to_csv(path, sep="\t", index=False)
        return Path(path)

    def _repr_html_(self) -> str:
        numbers = f"<p>{len(self.table):,} variants scored, {len(self.left_out):,} left out</p>"
        return numbers + self.table.head(_SHOWN_ROWS).to_html()


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
    chroms: Sequence[str] | None = None,
) -> VariantScores:
    """Score what each variant does to the predicted counts and profile, as ``chrombpnet variants`` does.

    Parameters
    ----------
    model
        One or the folds' several, whose scores are summarised; ``chrombpnet_nobias.h5`` is free of the enzyme's bias.
    genome
        From :func:`open_genome`.
    variants
        VCF, BCF, tab-separated text, or a table of ``chr``, ``pos`` (from 1), ``allele1`` (the reference's), ``allele2``.
    schema
        Columns of a text, one of :data:`chrombpnet_core.variants.VARIANT_SCHEMAS`.
    peaks
        Regions, as for :func:`locate`, among whose predicted counts the variants' are ranked; none: no quantiles.
    shuffles
        Variants scored in shuffled sequences, for p-values; 0: none.
    seed
        Of the shuffles.
    swap_ref
        Whether alleles are exchanged where the second is the genome's.
    chroms
        Variants on these alone; all by default.

    Returns
    -------
    VariantScores
        Scores, and what is left out with the reason.

    Raises
    ------
    InputError
        Where the list cannot be read, no variant can be scored, or too many disagree with the genome.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> model, genome = cbp.open_model("chrombpnet_nobias.h5"), cbp.open_genome("genome.fa")
    >>> scores = cbp.score_variants(model, genome, "variants.tsv")
    >>> len(scores.table), len(scores.left_out)
    (5, 1)
    """
    from chrombpnet_core import variants as room

    score = functools.partial(
        room.score_variants, schema=schema, shuffles=shuffles, seed=seed, swap_ref=swap_ref, chroms=chroms
    )
    scored = score(_predictors(model), genome, variants, peaks=None if peaks is None else locate(peaks, genome.sizes))
    return VariantScores(scored.table, scored.left_out)


def _predictors(models: Model | Sequence[Model]) -> list[BothStrandsPredictor]:
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.models import BothStrandsPredictor

    device = find_device()
    return [BothStrandsPredictor(model.keras, device) for model in ([models] if isinstance(models, Model) else models)]
