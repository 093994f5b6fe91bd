"""Writing shards side by side: each is made by one process straight from FASTA and bigWig, and appears whole or not at all.

Bases and counts are read in blocks of a few megabases that hold regions, so memory grows neither with chromosomes nor with
the number of regions. This module is all that a writing process imports.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig

from chrombpnet_core._types import AnyArray
from chrombpnet_core.concurrency import serve_parent
from chrombpnet_core.formats import (
    RECORD_HEAD,
    RECORD_TAIL,
    UNFINISHED,
    as_tfrecord,
    load_sealed,
    save_sealed,
    written_whole,
)
from chrombpnet_core.genome import Genome, open_genome
from chrombpnet_core.training_data.example_format import VERSION, ShardLayout, encode_records

__all__ = ["ShardContent", "ShardSources", "WrittenShard", "write_shard_files"]

log = logging.getLogger(__name__)

_SPAN = 1 << 21  # bp read at a time
_GAP = 1 << 15  # bp without regions that are not read
_AT_ONCE = 1 << 10  # regions encoded at a time


@dataclass(frozen=True)
class ShardContent:
    """The regions of one shard, sorted by chromosome, centre and id.

    Attributes
    ----------
    name
        Of the shard's file.
    layout
        Widths.
    ids, kinds, chroms, centres
        What the records' headers hold, ``(n,)``.
    names
        Chromosome number → name.
    """

    name: str
    layout: ShardLayout
    ids: AnyArray
    kinds: AnyArray
    chroms: AnyArray
    centres: AnyArray
    names: dict[int, str]

    def fingerprint(self) -> str:
        """SHA-256 of all of it and the format's version."""
        words = json.dumps([VERSION, self.name, asdict(self.layout), self.names])
        digest = hashlib.sha256(words.encode())
        for values in (self.ids, self.kinds, self.chroms, self.centres):
            digest.update(values.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class WrittenShard:
    """Offset and length in bytes of each record of a shard, and insertions in its output window; each ``(n,)``."""

    offsets: AnyArray
    lengths: AnyArray
    counts: AnyArray


@dataclass(frozen=True)
class ShardSources:
    """Paths of a FASTA, of the folder of its indexes (None: not known) and of a bigWig."""

    fasta: str
    cache: str | None
    bigwig: str


def write_shard_files(
    contents: Sequence[ShardContent],
    folder: Path,
    sources: ShardSources,
    genome: Genome,
    workers: int,
    resume: Path | None,
    saved: Callable[[], None],
    progress: Callable[[int], object],
) -> list[WrittenShard]:
    """Write the shards that are not there yet.

    Parameters
    ----------
    contents
        What each shard holds.
    folder
        Where they go.
    sources
        Files that are read.
    genome
        The open genome, which serves where this process writes.
    workers
        Processes.
    resume
        As in :func:`chrombpnet_core.training_data.write_shards`.
    saved
        As there.
    progress
        Called with the number of regions whenever a shard is there.

    Returns
    -------
    list of WrittenShard
        Of each shard, in the order of ``contents``.

    Raises
    ------
    OSError
        Where a writing process was killed.
    """
    for left in resume.glob(UNFINISHED) if resume else ():  # of an attempt that was killed
        left.unlink()
    written: dict[int, WrittenShard] = {}
    for shard, content in enumerate(contents):
        earlier = _of_earlier_attempt(content, folder, resume)
        if earlier:
            written[shard] = earlier
            progress(len(content.ids))
    missing = {shard: content for shard, content in enumerate(contents) if shard not in written}
    for shard, result in _write_missing(missing, folder, sources, genome, workers, resume):
        written[shard] = result
        progress(len(contents[shard].ids))
        if resume:
            saved()
    return [written[shard] for shard in range(len(contents))]


def _write_missing(
    contents: dict[int, ShardContent],
    folder: Path,
    sources: ShardSources,
    genome: Genome,
    workers: int,
    resume: Path | None,
) -> Iterator[tuple[int, WrittenShard]]:
    """Write shards here or in ``workers`` processes; number and result of each as it is done."""
    workers = min(workers, len(contents)) if sources.cache else 1
    if workers < 2:
        for shard, content in contents.items():
            with pyBigWig.open(sources.bigwig) as bigwig:
                yield shard, _write(content, genome, bigwig, folder, resume)
        return
    # spawned, not forked: this process has threads and open files whose state a fork would copy
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), serve_parent)
    try:
        running = {
            pool.submit(_open_and_write, content, sources, folder, resume): shard for shard, content in contents.items()
        }
        for future in as_completed(running):
            yield running[future], future.result()
    except BrokenProcessPool as error:
        raise OSError("a process that writes shards was killed; is there enough memory?") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _open_and_write(content: ShardContent, sources: ShardSources, folder: Path, resume: Path | None) -> WrittenShard:
    assert sources.cache is not None  # else this process's caller writes
    with open_genome(sources.fasta, sources.cache) as genome, pyBigWig.open(sources.bigwig) as bigwig:
        return _write(content, genome, bigwig, folder, resume)


def _write(content: ShardContent, genome: Genome, bigwig: Any, folder: Path, resume: Path | None) -> WrittenShard:
    """Write one shard, and keep it in ``resume``."""
    lengths, counts, digest = [], [], hashlib.sha256()
    with written_whole(folder / content.name) as path, open(path, "wb") as file:
        for records, sums in _records(content, genome, bigwig):
            data = b"".join(map(as_tfrecord, records))
            file.write(data)
            digest.update(data)
            lengths += [len(record) for record in records]
            counts.append(sums)
    sizes = np.array(lengths, dtype=np.int64)
    ends = np.cumsum(sizes + (RECORD_HEAD + RECORD_TAIL))
    written = WrittenShard(ends - sizes - RECORD_TAIL, sizes, np.concatenate(counts))
    if resume:
        _link(folder / content.name, resume / content.name)
        words = {"fingerprint": np.array(content.fingerprint()), "sha256": np.array(digest.hexdigest())}
        save_sealed(resume / f"{content.name}.npz", words | vars(written))  # last: its presence says that all is there
    return written


def _of_earlier_attempt(content: ShardContent, folder: Path, resume: Path | None) -> WrittenShard | None:
    """Take a shard of an earlier attempt into ``folder``; None where there is none of this content."""
    if resume is None:
        return None
    try:
        kept = load_sealed(resume / f"{content.name}.npz")
        with open(resume / content.name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("damaged shard of an earlier attempt, not used, written again: %s", error)
        return None
    if str(kept.get("fingerprint")) != content.fingerprint() or "sha256" not in kept:  # other regions, earlier version
        return None
    if str(kept["sha256"]) != digest:
        log.warning("damaged shard of an earlier attempt, not used, written again: %s", resume / content.name)
        return None
    _link(resume / content.name, folder / content.name)
    return WrittenShard(kept["offsets"], kept["lengths"], kept["counts"])


def _link(source: Path, target: Path) -> None:
    """Give a file another name, or copy it where the file system cannot."""
    with written_whole(target) as path:
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


def _records(content: ShardContent, genome: Genome, bigwig: Any) -> Iterator[tuple[list[bytes], AnyArray]]:
    """Make records block by block, and count the insertions in their output windows."""
    layout = content.layout
    starts, firsts = content.centres - layout.bases // 2, content.centres - layout.positions // 2
    for rows in _blocks(content.chroms, content.centres):
        name, last = content.names[int(content.chroms[rows.start])], rows.stop - 1
        begin, end = int(starts[rows.start]), int(starts[last]) + layout.bases
        codes = _windows(genome.codes(name, begin, end), starts[rows] - begin, layout.bases)
        begin, end = int(firsts[rows.start]), int(firsts[last]) + layout.positions
        counts = _windows(_values(bigwig, name, begin, end), firsts[rows] - begin, layout.positions)
        sums = counts[:, layout.jitter : layout.jitter + layout.output_length].sum(axis=1, dtype=np.float64)
        yield (
            encode_records(
                content.ids[rows], content.kinds[rows], content.chroms[rows], content.centres[rows], codes, counts
            ),
            sums,
        )


def _blocks(chroms: AnyArray, centres: AnyArray) -> Iterator[slice]:
    """Put neighbouring regions together whose bases are read at a time."""
    breaks = np.flatnonzero((np.diff(chroms) != 0) | (np.diff(centres) > _GAP)) + 1
    for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(chroms)], strict=True):
        while first < last:
            stop = min(last, first + _AT_ONCE, int(np.searchsorted(centres[first:last], centres[first] + _SPAN) + first))
            yield slice(first, stop)
            first = stop


def _windows(values: AnyArray, starts: AnyArray, width: int) -> AnyArray:
    """Take ``width`` values from each start, ``(n, width)``."""
    windows: AnyArray = np.lib.stride_tricks.sliding_window_view(values, width)[starts]
    return windows


def _values(bigwig: Any, chrom: str, start: int, end: int) -> AnyArray:
    """Read values per base, float32; 0 where there are none and beyond the chromosome."""
    values = np.zeros(end - start, dtype=np.float32)
    first, last = max(start, 0), min(end, bigwig.chroms(chrom) or 0)
    if first < last:
        # a bigWig without any entry gives an empty list here
        found = np.asarray(bigwig.values(chrom, first, last, numpy=True), dtype=np.float32)
        np.copyto(values[first - start : first - start + len(found)], found, where=~np.isnan(found))
    return values
