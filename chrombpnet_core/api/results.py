"""Results of models: predictions and contributions, as tables, plots and files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chrombpnet_core._types import Codes, Floats
from chrombpnet_core.api.arguments import target_file
from chrombpnet_core.api.coverage import only_region
from chrombpnet_core.errors import InputError

__all__ = ["Contributions", "Prediction"]

Sizes = dict[str, int]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model predicts for ``n`` regions or sequences; profiles are ``W`` bp wide.

    Attributes
    ----------
    profile
        Share of the insertions at each base, float32 ``(n, W)``; the sum of each row is 1.
    log_counts
        Predicted ln(1 + insertions), float32 ``(n,)``.
    regions
        Columns ``chrom``, ``start``, ``end`` of the predicted windows; None if sequences were given without a genome.
    sizes
        Chromosome → length in bp of the genome; None if sequences were given without a genome.
    """

    profile: Floats
    log_counts: Floats
    regions: pd.DataFrame | None = None
    sizes: Sizes | None = None

    @property
    def counts(self) -> Floats:
        """Predicted insertions of each region, float64 ``(n,)``: exp(``log_counts``) − 1."""
        from chrombpnet_core.models import counts_from_log

        return counts_from_log(self.log_counts.astype(np.float64))

    @property
    def track(self) -> Floats:
        """Predicted insertions per base, float32 ``(n, W)``: profile × exp(log counts), as ``pred_bw`` writes them.

        The sum over a region is ``counts`` + 1, since the reference program does not subtract the 1 in its tracks.
        """
        from chrombpnet_core.models import reference_track

        return reference_track(self.profile, self.log_counts)

    @property
    def region(self) -> str:
        """The region as text, such as ``chrI:49,501-50,500``; an error if there are several."""
        return only_region(_require_regions(self.regions))

    def to_frame(self) -> pd.DataFrame:
        """Make a table with one row per region or sequence: the region if there is one, ``counts``, ``log_counts``."""
        regions = pd.DataFrame(index=range(len(self.log_counts))) if self.regions is None else self.regions
        return regions.assign(counts=self.counts, log_counts=self.log_counts)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the prediction to a file; the file name's extension selects the format.

        Parameters
        ----------
        path
            ``.bw``: the track; ``.h5``: profiles and log counts, as written by ``pred_bw``; ``.tsv``: :meth:`to_frame`;
            ``.npz``: the arrays.

        Returns
        -------
        pathlib.Path
            Path of the file.
        """
        return _save(
            path, {".bw": self._save_bigwig, ".h5": self._save_hdf5, ".tsv": self._save_table, ".npz": self._save_npz}
        )

    def _save_bigwig(self, path: Path) -> None:
        _write_bigwig(path, self.regions, self.sizes, self.track)

    def _save_hdf5(self, path: Path) -> None:
        from chrombpnet_core.tracks import RegionPredictionsFile

        regions = _require_regions(self.regions)
        centres = regions["start"].to_numpy() + self.profile.shape[1] // 2
        with RegionPredictionsFile(path, self.profile.shape[1]) as file:
            file.append(regions["chrom"].to_numpy(), centres, np.ones(len(regions)), self.profile, self.log_counts)

    def _save_table(self, path: Path) -> None:
        self.to_frame().to_csv(path, sep="\t", index=False)

    def _save_npz(self, path: Path) -> None:
        np.savez(path, profile=self.profile, log_counts=self.log_counts)

    def _repr_html_(self) -> str:
        from chrombpnet_core.api.html import show
        from chrombpnet_core.api.plot import locus

        return show("Prediction", locus(self), self.to_frame())


@dataclass(frozen=True, eq=False)
class Contributions:
    """How much each base of ``n`` regions or sequences of ``L`` bp adds to the predicted counts or profile (DeepSHAP).

    Attributes
    ----------
    head
        Which prediction is explained: ``counts`` or ``profile``.
    codes
        Base codes, uint8 ``(n, L)``: A, C, G, T are 0 to 3, anything else is 4.
    hypothetical
        What each of the four bases would add at each position, float32 ``(n, L, 4)``.
    regions
        Columns ``chrom``, ``start``, ``end`` of the input windows; None if sequences were given without a genome.
    sizes
        Chromosome → length in bp of the genome; None if sequences were given without a genome.
    """

    head: str
    codes: Codes
    hypothetical: Floats
    regions: pd.DataFrame | None = None
    sizes: Sizes | None = None

    @property
    def actual(self) -> Floats:
        """Contributions of the bases that are there, float32 ``(n, L, 4)``; 0 for the other three bases."""
        from chrombpnet_core.interpret import actual_contributions

        return actual_contributions(self.codes, self.hypothetical)

    @property
    def region(self) -> str:
        """The region as text, such as ``chrI:49,501-50,500``; an error if there are several."""
        return only_region(_require_regions(self.regions))

    def to_frame(self) -> pd.DataFrame:
        """Make a table with one row per base: ``sequence``, ``position``, ``base``, ``contribution``.

        ``sequence`` is the number of the region or sequence, from 0. For regions there is also ``chrom``, and ``position``
        is that in the chromosome, from 0; otherwise it is that in the sequence.
        """
        n, length = self.codes.shape
        table = pd.DataFrame(
            {
                "sequence": np.repeat(np.arange(n), length),
                "position": np.tile(np.arange(length), n),
                "base": np.array(list("ACGTN"))[np.minimum(self.codes, 4).ravel()],
                "contribution": self.actual.sum(axis=-1).ravel(),
            }
        )
        if self.regions is not None:
            starts = np.repeat(self.regions["start"].to_numpy(), length)
            table.insert(0, "chrom", np.repeat(self.regions["chrom"].to_numpy(), length))
            table["position"] += starts
        return table

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the contributions to a file; the file name's extension selects the format.

        Parameters
        ----------
        path
            ``.h5``: input for TF-MoDISco, as written by ``contribs_bw`` but in float32; ``.bw``: the track of actual
            contributions; ``.tsv``: :meth:`to_frame`; ``.npz``: the arrays.

        Returns
        -------
        pathlib.Path
            Path of the file.
        """
        return _save(
            path, {".h5": self._save_hdf5, ".bw": self._save_bigwig, ".tsv": self._save_table, ".npz": self._save_npz}
        )

    def _save_hdf5(self, path: Path) -> None:
        from chrombpnet_core.interpret import ContributionsFile

        file = ContributionsFile(path, self.codes.shape[1], exact=True)
        try:
            file.append(self.codes, self.hypothetical)
        finally:
            file.close()

    def _save_bigwig(self, path: Path) -> None:
        _write_bigwig(path, self.regions, self.sizes, self.actual.sum(axis=-1))

    def _save_table(self, path: Path) -> None:
        self.to_frame().to_csv(path, sep="\t", index=False)

    def _save_npz(self, path: Path) -> None:
        np.savez(path, codes=self.codes, hypothetical=self.hypothetical)

    def _repr_html_(self) -> str:
        from chrombpnet_core.api.html import show
        from chrombpnet_core.api.plot import locus

        regions = pd.DataFrame(index=range(len(self.codes))) if self.regions is None else self.regions
        return show("Contributions", locus(contributions=self), regions.assign(sum=self.actual.sum(axis=(1, 2))))


def _require_regions(regions: pd.DataFrame | None) -> pd.DataFrame:
    if regions is None:
        raise InputError("bare sequences lie in no region", remedy="give a genome and regions in place of sequences")
    return regions


def _save(path: str | os.PathLike[str], writers: dict[str, Callable[[Path], None]]) -> Path:
    target = target_file(path)
    if target.suffix not in writers:
        raise InputError(f"{target}: form {target.suffix or 'without an ending'}", expected=" or ".join(writers))
    writers[target.suffix](target)
    return target


def _write_bigwig(path: Path, regions: pd.DataFrame | None, sizes: Sizes | None, values: Floats) -> None:
    """Write values per base ``(n, W)``; a base that several regions hold takes that of the nearest centre."""
    from chrombpnet_core.tracks import place_regions, write_track

    table, width = _require_regions(regions), values.shape[1]
    centres = table["start"].to_numpy() + width // 2
    placement = place_regions(table["chrom"].to_numpy(), centres, width, dict(sizes or {}))
    write_track(path, dict(sizes or {}), placement, lambda rows: values[rows])
