"""Regions and what is predicted for them → bigWig tracks, their statistics, and predictions as HDF5 (REFERENCE.md 7, 8).

A track is put together from windows of one width around the regions' centres. A base that several windows hold takes the
value of the one whose centre is nearest. However many regions there are, memory holds a few numbers of each and the
windows of some hundred: the rest is in a :class:`RowsOnDisk`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import GrowingTable, Intervals, TableColumn, write_bigwig
from chrombpnet_core.genome import Genome
from chrombpnet_core.progress import bar

__all__ = ["RegionPredictionsFile", "TrackPlacement", "place_regions", "predict_regions", "write_track"]

_ROWS = 256  # windows in memory at a time

ReadRows = Callable[[np.ndarray], np.ndarray]
"""From rows of the region table, int64 ``(m,)``, to the values of their windows, float32 ``(m, W)``."""


class Values(NamedTuple):
    """Values of a track on one chromosome: positions int64 ``(m,)``, ascending, and values float32 ``(m,)``."""

    chrom: str
    positions: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class TrackPlacement:
    """Which bases of a track come from which region; arrays of shape ``(n,)``, regions in the order of the genome.

    Attributes
    ----------
    rows
        Of the region table.
    chroms
        Chromosome names.
    firsts
        Where each window begins.
    starts, ends
        The bases that the region gives, within its window; none where they are equal.
    width
        Of a window in bp.
    """

    rows: np.ndarray
    chroms: np.ndarray
    firsts: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    width: int

    @property
    def bases(self) -> int:
        """Bases of the whole track."""
        return int((self.ends - self.starts).sum())

    def blocks(self) -> Iterator[slice]:
        """Parts of the arrays, each on one chromosome and of some hundred regions at most, in order."""
        borders = np.flatnonzero(self.chroms[1:] != self.chroms[:-1]) + 1
        for first, last in zip([0, *borders], [*borders, len(self.rows)], strict=True):
            for at in range(first, last, _ROWS):
                yield slice(at, min(at + _ROWS, last))

    def values(self, read: ReadRows) -> Iterator[Values]:
        """The track in parts, in order."""
        for block in self.blocks():
            positions = self.firsts[block, None] + np.arange(self.width)
            given = (positions >= self.starts[block, None]) & (positions < self.ends[block, None])
            yield Values(str(self.chroms[block.start]), positions[given], read(self.rows[block])[given])


def place_regions(chroms: np.ndarray, centres: np.ndarray, width: int, sizes: dict[str, int]) -> TrackPlacement:
    """Divide the bases of windows ``[centre - width // 2, centre - width // 2 + width)`` among their regions.

    Where neighbours overlap, the border is ``(centre + next centre) // 2``: the centre is taken as the point between two
    bases that is the middle of the window, and a base as near to both goes to the later region. Of regions with one
    centre, the first gives the left half and the last the right one.

    Parameters
    ----------
    chroms, centres
        Of the regions, ``(n,)``, in any order; windows lie inside their chromosomes.
    width
        Of a window in bp.
    sizes
        Chromosome → length in bp, in the order of the track.
    """
    centres = np.asarray(centres, dtype=np.int64)
    number_of = {chrom: number for number, chrom in enumerate(sizes)}
    numbers = np.array([number_of[chrom] for chrom in chroms], dtype=np.int64)
    rows = np.lexsort((centres, numbers))
    numbers, centres = numbers[rows], centres[rows]
    firsts = centres - width // 2
    starts, ends = firsts.copy(), firsts + width
    meet = (numbers[1:] == numbers[:-1]) & (firsts[1:] < ends[:-1])
    borders = (centres[:-1] + centres[1:]) // 2
    ends[:-1][meet] = borders[meet]
    starts[1:][meet] = borders[meet]
    return TrackPlacement(rows, np.asarray(chroms, dtype=object)[rows], firsts, starts, ends, width)


def predict_regions(
    predict: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    genome: Genome,
    chroms: np.ndarray,
    centres: np.ndarray,
    rows: np.ndarray,
    input_length: int,
    batch_size: int,
    description: str = "predicting",
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Predict some regions from the genome's sequence, batch by batch.

    Parameters
    ----------
    predict
        From base codes uint8 ``(m, L)`` to logits ``(m, W)`` and log counts ``(m,)``.
    genome
        The genome.
    chroms, centres
        Of all regions, ``(n,)``.
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
    Rows ``(m,)``, logits ``(m, W)`` and log counts ``(m,)``.

    Raises
    ------
    InputError
        Where a track of them would not be finite.
    """
    with bar(description, len(rows), "regions") as progress:
        for at in range(0, len(rows), batch_size):
            batch = rows[at : at + batch_size]
            logits, log_counts = predict(genome.windows(chroms[batch], centres[batch] - input_length // 2, input_length))
            with np.errstate(over="ignore"):
                finite = np.isfinite(logits).all() and np.isfinite(np.exp(log_counts)).all()
            if not finite:
                raise InputError(
                    "the model predicts values that are not finite",
                    remedy="its training diverged; train it again with a lower learning rate (-l)",
                )
            yield batch, logits, log_counts
            progress.update(len(batch))


def write_track(
    path: str | os.PathLike[str],
    sizes: dict[str, int],
    placement: TrackPlacement,
    read: ReadRows,
    threads: int | None = None,
) -> None:
    """Write a track as bigWig, whole or not at all; bases of no region have no value.

    Parameters
    ----------
    path
        Where it goes.
    sizes
        Chromosome → length in bp; all are in the header, in this order.
    placement
        Of the regions, in the same order of chromosomes.
    read
        Values of the regions' windows.
    threads
        That compress; one per core by default.

    Raises
    ------
    OSError
        Where the file could not be written whole.
    """
    target = Path(path)

    def intervals() -> Iterator[Intervals]:
        with bar(f"writing {target.name}", placement.bases, "bases") as progress:
            for chrom, positions, values in placement.values(read):
                yield Intervals(chrom, positions, positions + 1, values)
                progress.update(len(positions))

    write_bigwig(target, sizes, intervals(), placement.bases, threads)


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
        self, chroms: np.ndarray, centres: np.ndarray, is_peak: np.ndarray, profiles: np.ndarray, log_counts: np.ndarray
    ) -> None:
        """Add regions: all ``(n,)`` but ``profiles``, probabilities ``(n, width)``."""
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
