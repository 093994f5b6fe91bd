"""Observed insertions of regions, from the bigWig that a run writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chrombpnet_core._types import Floats
from chrombpnet_core.api.arguments import target_file
from chrombpnet_core.api.regions import Regions, locate, region_text
from chrombpnet_core.errors import InputError
from chrombpnet_core.tracks import Coverage, check_insertions

__all__ = ["ObservedCoverage", "read_coverage"]


@dataclass(frozen=True, eq=False)
class ObservedCoverage:
    """Observed insertions per base of some regions.

    Attributes
    ----------
    regions
        Columns ``chrom``, ``start``, ``end`` (0-based, half-open); one row per region.
    track
        Insertions per base, float32 ``(n, W)``.
    """

    regions: pd.DataFrame
    track: Floats

    @property
    def counts(self) -> Floats:
        """Total insertions of each region, float64 ``(n,)``."""
        counts: Floats = self.track.sum(axis=1, dtype=np.float64)
        return counts

    @property
    def region(self) -> str:
        """The region as text, such as ``chrI:49,501-50,500``; an error if there are several."""
        return only_region(self.regions)

    def to_frame(self) -> pd.DataFrame:
        """Make a table of the regions with their total insertions, ``counts``."""
        return self.regions.assign(counts=self.counts)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write :meth:`to_frame` as TSV and return its path."""
        target = target_file(path)
        self.to_frame().to_csv(target, sep="\t", index=False)
        return target

    def _repr_html_(self) -> str:
        from chrombpnet_core.api.html import show
        from chrombpnet_core.api.plot import locus

        return show("Observed coverage", locus(observed=self), self.to_frame())


def read_coverage(bigwig: str | os.PathLike[str], regions: Regions, *, accept_bigwig: bool = False) -> ObservedCoverage:
    """Read the observed insertions in regions from a bigWig; bases without a value count as 0.

    Parameters
    ----------
    bigwig
        Insertions per base, such as ``data_unstranded.bw`` of a run.
    regions
        Regions as for :func:`locate`, all of the same width. To get the regions that a prediction covers, pass its
        ``regions``, or its ``region`` if there is one.
    accept_bigwig
        Whether to read a track that does not look like insertions per base, such as a predicted or smoothed one.

    Returns
    -------
    ObservedCoverage
        Insertions per base, ``track``, and per region, ``counts``.

    Raises
    ------
    InputError
        If the file is not a bigWig or does not look like insertions (bins, smoothed, normalised), or regions differ in
        width or extend beyond their chromosome.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> observed = cbp.read_coverage("data_unstranded.bw", "chrA:661-740")
    >>> observed.track.shape
    (1, 80)
    """
    with Coverage(bigwig) as coverage:
        check_insertions(coverage, accept_bigwig)
        table = locate(regions, coverage.sizes)
        widths = (table["end"] - table["start"]).unique()
        if len(widths) > 1:
            raise InputError(
                "the regions differ in width",
                expected="regions of one width, such as `prediction.regions`",
                found=f"{min(widths):,} to {max(widths):,} bp",
            )
        track = coverage.windows(table["chrom"].to_numpy(), table["start"].to_numpy(), int(widths[0]))
    return ObservedCoverage(table[["chrom", "start", "end"]], track)


def only_region(regions: pd.DataFrame) -> str:
    """Write the only region of a table; :class:`InputError` where there are several."""
    if len(regions) != 1:
        raise InputError(f"`region` of {len(regions):,} regions", expected="one region", remedy="use `regions`, the table")
    row = regions.iloc[0]
    return region_text(str(row["chrom"]), int(row["start"]), int(row["end"]))
