"""5' ends of reads on disk, by chromosome and strand, and a sample of them in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.reads.read_batches import ChromIndex, ReadBatch

__all__ = ["STRANDS", "ReadSample", "ReadSpiller", "SpilledReads", "without_duplicates"]

STRANDS = ("+", "-")
"""Strands of the genome, in the order of every table by strand."""

_POSITIONS, _MARKS = "reads.int32", "reads.marks.int64"


@dataclass(frozen=True)
class ReadSample:
    """A uniform random sample of one strand's reads: ``chroms`` names ``(n,)``, raw 5' ``positions`` int32 ``(n,)``."""

    chroms: AnyArray
    positions: AnyArray


@dataclass(frozen=True)
class SpilledReads:
    """5' ends of reads on disk, sorted by chromosome and strand within each batch.

    Parameters
    ----------
    path
        int32 positions, batch after batch.
    chroms
        Chromosome names in the order of the sizes.
    bounds
        Where each batch keeps each chromosome and strand, int64 ``(batches, 2 * chromosomes + 1)``: item ``2 i + s`` to
        the next one, ``s`` being 0 on the plus strand.
    lost
        Reads on chromosomes that the sizes lack, by name.
    sample
        Strand → :class:`ReadSample`.
    filtered
        Alignments left out for their quality or flags.
    duplicates
        Reads left out as duplicates.
    excluded_by_chromosome
        Reads on chromosomes that are left out by the user's wish, by the name that the file has.
    library
        Fragment lengths and duplicates; see :func:`~chrombpnet_core.reads.library_tally.tally_facts`.
    """

    path: Path
    chroms: tuple[str, ...]
    bounds: AnyArray
    lost: dict[str, int]
    sample: dict[str, ReadSample]
    filtered: int = 0
    duplicates: int = 0
    excluded_by_chromosome: dict[str, int] = field(default_factory=dict)
    library: dict[str, object] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Reads on each chromosome, without those left out."""
        by_strand = np.diff(self.bounds, axis=1).sum(axis=0)
        return dict(zip(self.chroms, by_strand.reshape(-1, 2).sum(axis=1).tolist(), strict=True))

    @property
    def excluded(self) -> int:
        """Reads on chromosomes that are left out by the user's wish."""
        return sum(self.excluded_by_chromosome.values())

    def positions(self, chrom: str, strand: str) -> AnyArray:
        """Read the raw 5' positions of a chromosome and strand, int32 ``(n,)``, in input order."""
        return np.concatenate([np.empty(0, dtype=np.int32), *self.pieces(chrom, strand)])

    def pieces(self, chrom: str, strand: str) -> Iterator[AnyArray]:
        """Read the raw 5' positions batch by batch: memory does not grow with the reads."""
        yield from _stored(self.path, np.int32, self.bounds, 2 * self.chroms.index(chrom) + STRANDS.index(strand))

    def stats(self) -> dict[str, object]:
        """Count reads, and those left out by reason, as JSON types."""
        return {
            "reads": sum(self.counts.values()),
            "reads_lost": sum(self.lost.values()),
            "reads_filtered": self.filtered,
            "reads_duplicate": self.duplicates,
            "reads_excluded": self.excluded,
            "reads_by_chromosome": self.counts,
            "reads_lost_by_chromosome": dict(self.lost),
            "reads_excluded_by_chromosome": dict(self.excluded_by_chromosome),
            "library": dict(self.library),
        }


def _stored(path: Path, kind: type[np.generic], bounds: AnyArray, key: int) -> Iterator[AnyArray]:
    """Read the numbers of a chromosome and strand (item ``key`` of the bounds), batch by batch."""
    with open(path, "rb") as handle:
        for first, last in bounds[:, key : key + 2].tolist():
            if last > first:
                handle.seek(first * np.dtype(kind).itemsize)
                numbers = np.fromfile(handle, dtype=kind, count=last - first)
                if len(numbers) != last - first:
                    raise OSError(f"{path}: spilled reads are incomplete")
                yield numbers


class _Sampler:
    """Keeps the ``size`` reads with the smallest random keys: a uniform sample of a stream of unknown length."""

    def __init__(self, size: int, seed: list[int]) -> None:
        self.size, self.rng = size, np.random.default_rng(seed)
        self.keys, self.chroms, self.positions = np.empty(0), np.empty(0, np.int32), np.empty(0, np.int32)

    def add(self, chroms: AnyArray, positions: AnyArray, rows: AnyArray) -> None:
        """Offer the reads of these rows."""
        if not self.size:
            return
        keys = self.rng.random(len(rows))
        limit = self.keys[-1] if len(self.keys) == self.size else np.inf
        low = np.flatnonzero(keys < limit)
        keys, rows = np.concatenate([self.keys, keys[low]]), rows[low]
        order = np.argpartition(keys, self.size)[: self.size] if len(keys) > self.size else np.arange(len(keys))
        order = order[np.argsort(keys[order], kind="stable")]
        self.keys = keys[order]
        self.chroms = np.concatenate([self.chroms, chroms[rows]])[order]
        self.positions = np.concatenate([self.positions, positions[rows]])[order]


class ReadSpiller:
    """Appends batches to files, each sorted by chromosome and strand, and samples them."""

    def __init__(self, folder: Path, chromosomes: int, num_samples: int, seed: int, marked: bool) -> None:
        self.path, self.chromosomes = folder / _POSITIONS, chromosomes
        self.positions = open(self.path, "wb")  # noqa: SIM115 (closed by __exit__)
        self.marks = open(folder / _MARKS, "wb") if marked else None  # noqa: SIM115
        self.bounds: list[AnyArray] = []
        self.written = self.filtered = 0
        self.lost: dict[int, int] = {}
        self.samplers = [_Sampler(num_samples, [seed, strand]) for strand in range(2)]

    def __enter__(self) -> ReadSpiller:
        return self

    def __exit__(self, *_: object) -> None:
        self.positions.close()
        if self.marks:
            self.marks.close()

    def add(self, batch: ReadBatch, names: int) -> None:
        """Append a batch, whose chromosomes are among the first ``names`` of the index."""
        from chrombpnet_core.reads._group_reads import count_keys, group  # imports numba

        self.filtered += batch.filtered
        reads = np.zeros(2 * names, dtype=np.int64)
        count_keys(batch.chroms, batch.minus, reads)
        for key in (2 * self.chromosomes + np.flatnonzero(reads[2 * self.chromosomes :])).tolist():
            self.lost[key // 2] = self.lost.get(key // 2, 0) + int(reads[key])
        borders = np.concatenate([[0], np.cumsum(reads[: 2 * self.chromosomes])])
        if not borders[-1]:
            return
        self._sample(batch, known=borders[-1] == len(batch.chroms))
        for values, handle in ((batch.positions, self.positions), (batch.marks, self.marks)):
            if handle:
                grouped = np.empty(borders[-1], dtype=values.dtype)
                group(batch.chroms, batch.minus, values, borders[:-1].copy(), grouped)
                grouped.tofile(handle)
        self.bounds.append(self.written + borders)
        self.written += int(borders[-1])

    def _sample(self, batch: ReadBatch, known: bool) -> None:
        """Offer the reads to the samplers of their strands, all of them or those on known chromosomes."""
        for sampler, on_strand in zip(self.samplers, (~batch.minus, batch.minus), strict=True):
            offered = on_strand if known else on_strand & (batch.chroms < self.chromosomes)
            sampler.add(batch.chroms, batch.positions, np.flatnonzero(offered))

    def finish(self, index: ChromIndex) -> SpilledReads:
        """Describe what was spilled."""
        names = np.array(list(index), dtype=object)
        bounds = np.array(self.bounds, dtype=np.int64).reshape(-1, 2 * self.chromosomes + 1)
        self.positions.flush()
        elsewhere = {names[number]: reads for number, reads in sorted(self.lost.items(), key=lambda item: -item[1])}
        left_out = {name: reads for name, reads in elsewhere.items() if index.left_out(name)}
        return SpilledReads(
            self.path,
            tuple(names[: self.chromosomes]),
            bounds,
            {name: reads for name, reads in elsewhere.items() if name not in left_out},
            _samples(self.samplers, names),
            filtered=self.filtered,
            excluded_by_chromosome=left_out,
        )


def _samples(samplers: list[_Sampler], names: AnyArray) -> dict[str, ReadSample]:
    return {
        strand: ReadSample(names[sampler.chroms], sampler.positions)
        for strand, sampler in zip(STRANDS, samplers, strict=True)
    }


def without_duplicates(spilled: SpilledReads, num_samples: int, seed: int) -> SpilledReads:
    """Drop duplicates of reads that were spilled with marks, the first of each kept.

    Parameters
    ----------
    spilled
        All reads.
    num_samples
        Reads of each strand to sample anew, chromosome by chromosome.
    seed
        Of the sample.

    Returns
    -------
    SpilledReads
        The unique reads, in a file that takes the place of the first.
    """
    path, marks = spilled.path.with_name("reads.unique.int32"), spilled.path.with_name(_MARKS)
    samplers = [_Sampler(num_samples, [seed, strand]) for strand in range(2)]
    counts = np.zeros(2 * len(spilled.chroms), dtype=np.int64)
    with open(path, "wb") as handle:
        for key in range(len(counts)):
            positions = np.concatenate([np.empty(0, np.int32), *_stored(spilled.path, np.int32, spilled.bounds, key)])
            others = np.concatenate([np.empty(0, np.int64), *_stored(marks, np.int64, spilled.bounds, key)])
            order = np.lexsort((others, positions))  # stable: the first of equal ones comes first
            new = np.ones(len(order), dtype=bool)
            new[1:] = (np.diff(positions[order]) != 0) | (np.diff(others[order]) != 0)
            unique = positions[np.sort(order[new])]
            unique.tofile(handle)
            counts[key] = len(unique)
            samplers[key % 2].add(np.full(len(unique), key // 2, np.int32), unique, np.arange(len(unique)))
    spilled.path.unlink()
    marks.unlink()
    bounds = np.concatenate([[0], np.cumsum(counts)])[None]
    sample = _samples(samplers, np.array(spilled.chroms, dtype=object))
    duplicates = sum(spilled.counts.values()) - int(counts.sum())
    return replace(spilled, path=path, bounds=bounds, sample=sample, duplicates=duplicates)
