"""Writing training examples: all regions, sorted and divided into shards, and the index of their records."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from chrombpnet_core._types import Ints
from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.genome import Genome, centres
from chrombpnet_core.progress import bar
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.training_data.example_format import VERSION, ShardLayout
from chrombpnet_core.training_data.shard_writer import ShardContent, ShardSources, write_shard_files
from chrombpnet_core.training_data.shards import NONPEAK, PEAK, shard_name

__all__ = ["write_shards"]

_REGIONS = 1 << 14  # in a shard: some 25 MB


def write_shards(
    folder: str | os.PathLike[str],
    genome: Genome,
    coverage: Coverage,
    peaks: pd.DataFrame,
    nonpeaks: pd.DataFrame,
    layout: ShardLayout,
    *,
    cache: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    resume: str | os.PathLike[str] | None = None,
    saved: Callable[[], None] = lambda: None,
    regions_per_shard: int = _REGIONS,
) -> pd.DataFrame:
    """Write shards, ``index.parquet`` and ``layout.json``.

    Parameters
    ----------
    folder
        An empty folder.
    genome
        Where bases come from; a few megabases are held at a time.
    coverage
        Where counts come from, in the same way.
    peaks
        Region table; windows of the input length lie in their chromosome.
    nonpeaks
        Region table of the same kind.
    layout
        Widths of a record.
    cache
        Folder of the genome's indexes, as given to :func:`~chrombpnet_core.genome.open_genome`: with it several processes
        write, each with files of its own; without it this one writes all.
    workers
        Processes; one per thread by default, and never more than there are shards to write.
    resume
        A folder that outlives a killed attempt and belongs to these inputs alone: finished shards are kept there too (as
        hard links where the file system can), and those found there are not written again.
    saved
        Called after each shard that was added to ``resume``, for instance to copy it to an object store.
    regions_per_shard
        At most.

    Returns
    -------
    pandas.DataFrame
        The index: ``id, kind, chrom, centre``; ``margin`` (bp between the input window and the nearer chromosome end);
        ``shard``; ``counts`` (insertions in the output window); ``offset, length`` of the record in its shard, in bytes.
    """
    folder, kept = Path(folder), None if resume is None else Path(resume)
    shards, index, chroms = _divide(genome, _regions(genome, peaks, nonpeaks, layout), layout, regions_per_shard)
    sources = ShardSources(genome.path, None if cache is None else str(cache), coverage.path)
    with bar("writing shards", len(index), "regions") as progress:
        written = write_shard_files(shards, folder, sources, genome, usable_threads(workers), kept, saved, progress.update)
    for column, name in {"counts": "counts", "offset": "offsets", "length": "lengths"}.items():
        index[column] = np.concatenate([getattr(shard, name) for shard in written])
    index = index.sort_values("id").reset_index(drop=True)
    index.to_parquet(folder / "index.parquet")
    (folder / "layout.json").write_text(json.dumps({"format": VERSION} | asdict(layout) | {"chroms": chroms}) + "\n")
    return index


def _divide(
    genome: Genome, table: pd.DataFrame, layout: ShardLayout, regions_per_shard: int
) -> tuple[list[ShardContent], pd.DataFrame, list[str]]:
    """Divide regions into shards: what each holds, the table sorted and with its shards, and the chromosomes."""
    present = set(table["chrom"])
    chroms = [chrom for chrom in genome.sizes if chrom in present]
    numbers = table["chrom"].map({chrom: number for number, chrom in enumerate(chroms)}).to_numpy(dtype=np.int64)
    order = np.lexsort((table["id"], table["centre"], numbers))
    table, numbers = table.iloc[order], numbers[order]
    borders = _borders(np.bincount(numbers).tolist(), regions_per_shard)
    contents = [
        _content(shard, layout, table.iloc[first:last], numbers[first:last], chroms)
        for shard, (first, last) in enumerate(pairwise(borders))
    ]
    return contents, table.assign(shard=np.repeat(np.arange(len(contents)), np.diff(borders))), chroms


def _regions(genome: Genome, peaks: pd.DataFrame, nonpeaks: pd.DataFrame, layout: ShardLayout) -> pd.DataFrame:
    """Make the table of ``id, kind, chrom, centre, margin``; peaks first."""
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


def _content(shard: int, layout: ShardLayout, rows: pd.DataFrame, numbers: Ints, chroms: list[str]) -> ShardContent:
    return ShardContent(
        shard_name(shard),
        layout,
        rows["id"].to_numpy(),
        rows["kind"].to_numpy(),
        numbers,
        rows["centre"].to_numpy(),
        {int(number): chroms[number] for number in np.unique(numbers)},
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
