"""The footprint that a model predicts around a motif."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from chrombpnet_core._types import Floats
from chrombpnet_core.api.arguments import chromosome_list, require_whole, target_file
from chrombpnet_core.api.model import Model
from chrombpnet_core.api.regions import Regions, locate
from chrombpnet_core.errors import InputError

if TYPE_CHECKING:
    from chrombpnet_core.genome import Genome

__all__ = ["MarginalFootprint", "marginal_footprint"]


@dataclass(frozen=True, eq=False)
class MarginalFootprint:
    """The mean profile that a model predicts around a motif inserted into background sequences.

    Attributes
    ----------
    motif
        Sequence of the motif.
    profile
        Mean profile with the motif, float64 ``(W,)``; its sum is 1.
    control
        Mean profile without the motif, float64 ``(W,)``.
    error, control_error
        Standard errors of these means, ``(W,)``; None for a single sequence.
    counts
        Mean predicted insertions with the motif, and without it; predictions of both strands are summed.
    sequences
        Number of background sequences.
    """

    motif: str
    profile: Floats
    control: Floats
    error: Floats | None
    control_error: Floats | None
    counts: tuple[float, float]
    sequences: int

    def to_frame(self) -> pd.DataFrame:
        """Make a table with one row per base: ``position`` relative to the middle, ``profile``, ``control``."""
        width = len(self.profile)
        return pd.DataFrame({"position": np.arange(width) - width // 2, "profile": self.profile, "control": self.control})

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write :meth:`to_frame` as TSV and return its path."""
        target = target_file(path)
        self.to_frame().to_csv(target, sep="\t", index=False)
        return target

    def _repr_html_(self) -> str:
        from chrombpnet_core.api.html import show
        from chrombpnet_core.api.plot import footprint

        log2 = float(np.log2(self.counts[0] / self.counts[1]))
        table = pd.DataFrame({"motif": [self.motif], "sequences": [self.sequences], "log2 counts": [log2]})
        return show("Marginal footprint", footprint(self), table)


def marginal_footprint(
    model: Model,
    genome: Genome,
    regions: Regions,
    motif: str,
    *,
    chroms: str | Sequence[str] | None = None,
    batch_size: int = 64,
) -> MarginalFootprint:
    """Insert a motif into background sequences and average the profiles that the model predicts.

    Parameters
    ----------
    model
        Model, from :func:`open_model`.
    genome
        Genome, from :func:`open_genome`.
    regions
        Background regions, such as the GC-matched negatives of a run; as for :func:`locate`.
    motif
        Sequence to insert in the middle, such as ``"TTACCCG"``; an N masks the base.
    chroms
        Use only regions on these chromosomes, such as the test chromosomes of a fold; by default all.
    batch_size
        Number of sequences predicted at a time.

    Returns
    -------
    MarginalFootprint
        Mean profiles and counts with and without the motif.

    Raises
    ------
    InputError
        If the motif has letters other than A, C, G, T and N, or no region is left.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> model, genome = cbp.open_model("chrombpnet_nobias.h5"), cbp.open_genome("genome.fa")
    >>> footprint = cbp.marginal_footprint(model, genome, cbp.read_regions("regions.bed"), "TTACCCG")
    >>> footprint.profile.shape, footprint.sequences
    ((80,), 4)
    """
    from chrombpnet_core.evaluation import CONTROL, background_sequences, marginal_footprints
    from chrombpnet_core.models import Predictor

    letters = str(motif).upper()
    if not letters or set(letters) - set("ACGTN"):
        raise InputError(f"motif {motif!r}", expected="letters A, C, G, T or N")
    require_whole("batch_size", batch_size)
    table = locate(regions, genome.sizes)
    names = chromosome_list(chroms)
    wanted = [*dict.fromkeys(table["chrom"])] if names is None else names
    codes, _ = background_sequences(genome, table, wanted, model.input_length)
    footprints = marginal_footprints(Predictor(model.keras, batch_size), codes, {letters: letters}, batch_size)
    one, other = footprints[letters], footprints[CONTROL]
    counts = (one.counts, other.counts)
    return MarginalFootprint(letters, one.profile, other.profile, one.error, other.error, counts, len(codes))
