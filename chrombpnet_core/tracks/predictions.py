"""Predictions of regions: made from the genome's sequence batch by batch, and written as HDF5."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import h5py
import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import DivergedError
from chrombpnet_core.formats import GrowingTable, TableColumn
from chrombpnet_core.genome import Genome
from chrombpnet_core.progress import bar

__all__ = ["RegionPredictionsFile", "predict_regions"]


def predict_regions(
    predict: Callable[[AnyArray], tuple[AnyArray, AnyArray]],
    genome: Genome,
    chroms: AnyArray,
    centres: AnyArray,
    rows: AnyArray,
    input_length: int,
    batch_size: int,
    description: str = "predicting",
) -> Iterator[tuple[AnyArray, AnyArray, AnyArray]]:
    """Predict some regions from the genome's sequence, batch by batch.

    Parameters
    ----------
    predict
        From base codes uint8 ``(m, L)`` to logits ``(m, W)`` and log counts ``(m,)``.
    genome
        The genome.
    chroms
        Chromosome names of all regions, ``(n,)``.
    centres
        Their centres, ``(n,)``.
    rows
        Of them, in the order wanted; the order of the genome reads its file from front to back.
    input_length
        L, in bp.
    batch_size
        Regions at a time.
    description
        Of the progress bar.

    Yields
    ------
    tuple
        Rows ``(m,)``, logits ``(m, W)`` and log counts ``(m,)``.

    Raises
    ------
    InputError
        Where a track of them would not be finite.
    """
    with bar(description, len(rows), "regions") as progress:
        for begin in range(0, len(rows), batch_size):
            batch = rows[begin : begin + batch_size]
            logits, log_counts = predict(genome.windows(chroms[batch], centres[batch] - input_length // 2, input_length))
            with np.errstate(over="ignore"):
                finite = np.isfinite(logits).all() and np.isfinite(np.exp(log_counts)).all()
            if not finite:
                raise DivergedError
            yield batch, logits, log_counts
            progress.update(len(batch))


class RegionPredictionsFile:
    """Predictions as HDF5: ``coords/{coords_chrom,coords_center,coords_peak}``, ``predictions/{profs,logcounts}``.

    Parameters
    ----------
    path
        Where it goes.
    width
        Output length in bp.
    """

    def __init__(self, path: str | os.PathLike[str], width: int) -> None:
        columns = {
            "coords/coords_chrom": TableColumn(h5py.string_dtype()),
            "coords/coords_center": TableColumn(np.int64),
            "coords/coords_peak": TableColumn(np.int8),
            "predictions/logcounts": TableColumn(np.float32),
            "predictions/profs": TableColumn(np.float32, (width,), 64, {"compression": "gzip"}),
        }
        self._table = GrowingTable(path, columns)

    def append(
        self, chroms: AnyArray, centres: AnyArray, is_peak: AnyArray, profiles: AnyArray, log_counts: AnyArray
    ) -> None:
        """Add regions.

        Parameters
        ----------
        chroms
            Chromosome names, ``(n,)``.
        centres
            Positions, ``(n,)``.
        is_peak
            Whether each is a peak, ``(n,)``.
        profiles
            Probabilities, ``(n, width)``.
        log_counts
            ``(n,)``.
        """
        self._table.append(
            {
                "coords/coords_chrom": np.asarray(chroms, dtype=object),
                "coords/coords_center": centres,
                "coords/coords_peak": is_peak,
                "predictions/logcounts": log_counts,
                "predictions/profs": profiles,
            }
        )

    def __enter__(self) -> RegionPredictionsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()
