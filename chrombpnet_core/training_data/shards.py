"""Training examples on disk: TFRecord shards by chromosome, with an index that finds any region at random.

A record is one region at L + 2·jitter (:mod:`chrombpnet_core.training_data.example_format`).
Regions are sorted by chromosome and centre; a large
chromosome takes several shards, small ones share one. ``tf.data`` can stream a shard and a trainer can read any record
alone: global shuffle, fresh negatives each epoch and exact re-entry at a step need that. Bases beyond a chromosome's end are
coded as other letters, so one set of shards serves every fold and both models.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import RECORD_TAIL, masked_crc32c
from chrombpnet_core.genome import Genome, centres
from chrombpnet_core.progress import bar
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.training_data.example_format import VERSION, ShardLayout, decode_records, encode_records
from chrombpnet_core.training_data.shard_writer import ShardContent, ShardSources, write_shard_files

__all__ = ["NONPEAK", "PEAK", "ShardLayout", "ShardSet", "decode_records", "encode_records", "write_shards"]

PEAK, NONPEAK = 0, 1

_REGIONS = 1 << 14  # in a shard: some 25 MB
_AGAIN = "delete the step's folder; it is made again"


def write_shards(
    folder: str | os.PathLike,
    genome: Genome,
    coverage: Coverage,
    peaks: pd.DataFrame,
    nonpeaks: pd.DataFrame,
    layout: ShardLayout,
    *,
    cache: str | os.PathLike | None = None,
    workers: int | None = None,
    resume: str | os.PathLike | None = None,
    saved: Callable[[], None] = lambda: None,
    regions_per_shard: int = _REGIONS,
) -> pd.DataFrame:
    """Write shards, ``index.parquet`` and ``layout.json``.

    Parameters
    ----------
    folder
        An empty folder.
    genome, coverage
        Where bases and counts come from; a few megabases of either are held at a time.
    peaks, nonpeaks
        Region tables whose windows of the input length lie in their chromosome.
    layout
        Widths.
    cache
        The folder of the genome's indexes, as given to :func:`~chrombpnet_core.genome.open_genome`: with it several
        processes write, each with files of its own; without it this one writes all.
    workers
        Processes; one per core by default, and never more than there are shards to write.
    resume
        A folder that outlives a killed attempt and belongs to these inputs alone: each finished shard is kept there too
        (as a hard link where the file system can), and what is found there is not written again.
    saved
        Called after each shard that was added to ``resume``, for instance to copy it to an object store.
    regions_per_shard
        At most.

    Returns
    -------
    The index: ``id, kind, chrom, centre``; ``margin`` (bp between the input window and the nearer chromosome end);
    ``shard``; ``counts`` (insertions in the output window); ``offset, length`` of the record in its shard, in bytes.

    Raises
    ------
    OSError
        Where a writing process was killed.
    """
    folder = Path(folder)
    table = _regions(genome, peaks, nonpeaks, layout)
    present = set(table["chrom"])
    chroms = [chrom for chrom in genome.sizes if chrom in present]
    numbers = table["chrom"].map({chrom: at for at, chrom in enumerate(chroms)}).to_numpy(dtype=np.int64)
    order = np.lexsort((table["id"], table["centre"], numbers))
    table, numbers = table.iloc[order], numbers[order]
    borders = _borders(np.bincount(numbers).tolist(), regions_per_shard)
    parts = [
        _part(f"{shard:05d}", layout, table.iloc[first:last], numbers[first:last], chroms)
        for shard, (first, last) in enumerate(pairwise(borders))
    ]
    sources = ShardSources(genome.path, cache and str(cache), coverage.path)
    with bar("writing shards", len(table), "regions") as progress:
        written = write_shard_files(
            parts, folder, sources, genome, usable_threads(workers), resume and Path(resume), saved, progress.update
        )
    index = table.assign(
        shard=np.repeat(np.arange(len(parts)), np.diff(borders)),
        counts=np.concatenate([each.counts for each in written]),
        offset=np.concatenate([each.offsets for each in written]),
        length=np.concatenate([each.lengths for each in written]),
    )
    index = index.sort_values("id").reset_index(drop=True)
    index.to_parquet(folder / "index.parquet")
    (folder / "layout.json").write_text(json.dumps({"format": VERSION} | asdict(layout) | {"chroms": chroms}) + "\n")
    return index


def _regions(genome: Genome, peaks: pd.DataFrame, nonpeaks: pd.DataFrame, layout: ShardLayout) -> pd.DataFrame:
    """``id, kind, chrom, centre, margin``; peaks first."""
    table = pd.DataFrame(
        {
            "kind": np.repeat(np.array([PEAK, NONPEAK], dtype=np.uint8), [len(peaks), len(nonpeaks)]),
            "chrom": [*peaks["chrom"], *nonpeaks["chrom"]],
            "centre": np.concatenate([centres(peaks), centres(nonpeaks)]).astype(np.int64),
        }
    )
    table.insert(0, "id", np.arange(len(table), dtype=np.int64))
    starts = table["centre"] - layout.input_length // 2
    table["margin"] = np.minimum(starts, table["chrom"].map(genome.sizes) - starts - layout.input_length)
    return table


def _part(number: str, layout: ShardLayout, rows: pd.DataFrame, numbers: np.ndarray, chroms: list[str]) -> ShardContent:
    return ShardContent(
        _shard_name(int(number)),
        layout,
        rows["id"].to_numpy(),
        rows["kind"].to_numpy(),
        numbers,
        rows["centre"].to_numpy(),
        {int(at): chroms[at] for at in np.unique(numbers)},
    )


def _borders(regions: list[int], most: int) -> list[int]:
    """Where shards begin and end in the sorted regions, given their numbers by chromosome.

    A chromosome of more than ``most`` is cut evenly; smaller ones are put together while they fit.
    """
    borders, end = [0], 0
    for count in regions:
        if end > borders[-1] and end + count - borders[-1] > most:
            borders.append(end)
        pieces = -(-count // most)
        borders += [end + count * piece // pieces for piece in range(1, pieces)]
        end += count
    return [*borders, end]


def _shard_name(shard: int) -> str:
    return f"shard-{shard:05d}.tfrecord"


class ShardSet:
    """Random access to the records of a folder that :func:`write_shards` made; threads may share it.

    Records are read with ``pread`` rather than mapped: pages of a map count as this process's memory.

    Attributes
    ----------
    layout
        Widths of its records.
    index
        One row a region, ``id`` equal to the row number.
    chroms
        Chromosome names; a record's header has the place in this list.

    Raises
    ------
    InputError
        Where another version of the program wrote them, or a shard is missing.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        content = json.loads((self.folder / "layout.json").read_text())
        found = content.pop("format", 1)
        if found != VERSION:
            raise InputError(f"{self.folder}: shards", expected=f"format {VERSION}", found=str(found), remedy=_AGAIN)
        self.chroms: list[str] = content.pop("chroms")
        self.layout = ShardLayout(**content)
        self.index = pd.read_parquet(self.folder / "index.parquet")
        self._where = self.index[["shard", "offset", "length"]].to_numpy(dtype=np.int64)
        self._files: list[int] = []
        try:
            for shard in range(int(self.index["shard"].max()) + 1):
                self._files.append(os.open(self.folder / _shard_name(shard), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            self.close()
            raise InputError(f"{error.filename}: no such shard", remedy=_AGAIN) from error

    def __len__(self) -> int:
        return len(self.index)

    def read(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Base codes uint8 ``(n, bases)`` and counts float32 ``(n, positions)`` of the regions ``ids``, in their order.

        Raises
        ------
        InputError
            Where a record is damaged, with its shard and offset.
        """
        where = self._where[ids]
        try:
            header, codes, counts = decode_records([self._record(*row) for row in where.tolist()], self.layout)
        except ValueError as error:
            raise InputError(f"{self.folder}: {error}", remedy=_AGAIN) from error
        wrong = np.flatnonzero(header["id"] != ids)
        if len(wrong):
            shard, offset, _ = where[wrong[0]]
            raise InputError(
                f"{self._at(shard, offset)}: region {ids[wrong[0]]} expected, {header['id'][wrong[0]]} found", remedy=_AGAIN
            )
        return codes, counts

    def _record(self, shard: int, offset: int, length: int) -> bytes:
        """A record whose checksum is right."""
        data = os.pread(self._files[shard], length + RECORD_TAIL, offset)
        record, stored = data[:length], data[length:]
        if len(stored) != RECORD_TAIL or struct.unpack("<I", stored)[0] != masked_crc32c(record):
            raise InputError(f"{self._at(shard, offset)}: the record of {length:,} bytes there is damaged", remedy=_AGAIN)
        return record

    def _at(self, shard: int, offset: int) -> str:
        return f"{self.folder / _shard_name(shard)}, byte {offset:,}"

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.pop())

    def __enter__(self) -> ShardSet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
