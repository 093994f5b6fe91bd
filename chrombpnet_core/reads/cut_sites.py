"""BAM, CRAM, fragments or tagAlign → 5' ends of reads, spilled to disk by chromosome and strand in one pass.

A read's raw 5' coordinate is its ``start`` on the plus strand and its ``end`` on the minus strand, both 0-based and
half-open as in the file: the enzyme shift is added to these before the cut site (``start``, or ``end - 1``) is taken.
Memory holds one batch of reads, whatever the depth, and a uniform sample of each strand for the estimate of the shift.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import require_file
from chrombpnet_core.genome import Naming
from chrombpnet_core.progress import bar
from chrombpnet_core.reads.alignments import alignment_batches, reference_names
from chrombpnet_core.reads.fragments import line_batches
from chrombpnet_core.reads.read_batches import ChromIndex, ReadBatch, ReadFilters

__all__ = ["READ_KINDS", "STRANDS", "ReadSample", "SpilledReads", "read_chromosome_names", "spill_reads"]

log = logging.getLogger(__name__)

READ_KINDS = {"bam": "BAM", "fragments": "fragments", "tagalign": "tagAlign"}
"""Kinds of read files, and how messages call them; a CRAM is of kind ``bam``."""

STRANDS = ("+", "-")

_POSITIONS, _MARKS = "reads.int32", "reads.marks.int64"


@dataclass(frozen=True)
class ReadSample:
    """A uniform random sample of one strand's reads: ``chroms`` names ``(n,)``, raw 5' ``positions`` int32 ``(n,)``."""

    chroms: np.ndarray
    positions: np.ndarray


@dataclass(frozen=True)
class SpilledReads:
    """Reads on disk, sorted by chromosome and strand within each batch.

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
    excluded
        Reads on chromosomes that are left out by the user's wish.
    """

    path: Path
    chroms: tuple[str, ...]
    bounds: np.ndarray
    lost: dict[str, int]
    sample: dict[str, ReadSample]
    filtered: int = 0
    duplicates: int = 0
    excluded: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Reads kept, by chromosome."""
        each = np.diff(self.bounds, axis=1).sum(axis=0).reshape(-1, 2).sum(axis=1)
        return dict(zip(self.chroms, each.tolist(), strict=True))

    def positions(self, chrom: str, strand: str) -> np.ndarray:
        """Raw 5' positions of a chromosome and strand, int32 ``(n,)``, in input order."""
        return np.concatenate([np.empty(0, dtype=np.int32), *self.pieces(chrom, strand)])

    def pieces(self, chrom: str, strand: str) -> Iterator[np.ndarray]:
        """The same in parts, batch by batch: memory does not grow with the reads."""
        yield from _stored(self.path, np.int32, self.bounds, 2 * self.chroms.index(chrom) + STRANDS.index(strand))

    def stats(self) -> dict[str, object]:
        """Numbers for the report, ready for JSON."""
        return {
            "reads": sum(self.counts.values()),
            "reads_lost": sum(self.lost.values()),
            "reads_filtered": self.filtered,
            "reads_duplicate": self.duplicates,
            "reads_excluded": self.excluded,
            "reads_by_chromosome": self.counts,
            "reads_lost_by_chromosome": dict(self.lost),
        }


def _stored(path: Path, kind: type[np.generic], bounds: np.ndarray, at: int) -> Iterator[np.ndarray]:
    """Numbers of a chromosome and strand (item ``at`` of the bounds), batch by batch."""
    with open(path, "rb") as handle:
        for first, last in bounds[:, at : at + 2].tolist():
            if last > first:
                handle.seek(first * np.dtype(kind).itemsize)
                part = np.fromfile(handle, dtype=kind, count=last - first)
                if len(part) != last - first:
                    raise OSError(f"{path}: spilled reads are incomplete")
                yield part


def spill_reads(
    paths: Sequence[str | os.PathLike[str]],
    kind: str,
    sizes: dict[str, int],
    scratch: str | os.PathLike[str],
    num_samples: int = 10_000,
    seed: int = 1234,
    *,
    threads: int | None = None,
    min_mapq: int = 0,
    exclude_flags: int = 0,
    dedup: bool = False,
    use_counts: bool = False,
    naming: Naming | None = None,
) -> SpilledReads:
    """Read all files once and spill the raw 5' ends.

    Parameters
    ----------
    paths
        Files of one kind, plain or gzip, in any order of reads.
    kind
        ``bam`` (every mapped alignment counts; CRAM too), ``fragments`` (each line is two reads) or ``tagalign``.
    sizes
        Chromosome → length in bp; reads on other chromosomes are dropped, with one warning.
    scratch
        Folder for the spilled positions, 4 bytes a read.
    num_samples
        Reads per strand to sample for the estimate of the shift; the sample depends on neither batches nor threads.
    seed
        Of the sample.
    threads
        That decompress; one per core by default.
    min_mapq, exclude_flags
        Alignments of lower mapping quality, or with any of these SAM flags (0x400: marked as duplicate), are left out.
    dedup
        Whether duplicates over all files count once: reads of one chromosome, strand and 5' end whose fragments end at
        the same place too (fragments: and have the same barcode; BAM: the mate's chromosome and insert size). Reads
        without a mate have but their 5' end: deep single-end data loses real insertions. Takes 8 more bytes of disk a
        read, and memory for the reads of one chromosome and strand.
    use_counts
        Whether a fragment counts as often as its column 5 says, rather than once as the reference has it.
    naming
        How the reads' chromosome names are read; reads on chromosomes that it leaves out are dropped without a warning.

    Raises
    ------
    InputError
        For truncated or malformed files (naming file, line or read), filters that the kind of reads has nothing for, and
        where no reads remain.
    """
    if kind not in READ_KINDS:
        raise InputError(f"kind of reads {kind!r}", expected=" or ".join(READ_KINDS))
    filters = ReadFilters(min_mapq, exclude_flags, dedup, use_counts)
    filters.check(kind)
    files = [require_file(path, READ_KINDS[kind]) for path in paths]
    if len({(found.st_dev, found.st_ino) for found in map(os.stat, files)}) != len(files):  # links to one file too
        raise InputError(f"{READ_KINDS[kind]} files: one is given twice", found=", ".join(map(str, files)))
    folder = Path(scratch)
    folder.mkdir(parents=True, exist_ok=True)
    index = ChromIndex(sizes, naming)
    with _Spiller(folder, len(sizes), 0 if dedup else num_samples, seed, dedup) as spiller:
        for batch in _batches(files, kind, index, filters, usable_threads(threads)):
            spiller.add(batch._replace(chroms=index.meant(batch.chroms)), len(index))
        spilled = replace(spiller.finish(index), filtered=filters.left_out)
    if dedup:
        spilled = _without_duplicates(spilled, folder / _MARKS, num_samples, seed)
    _report_left_out(files, spilled, sizes)
    return spilled


def read_chromosome_names(path: str | os.PathLike[str], kind: str, threads: int | None = None) -> dict[str, int]:
    """Chromosome names of a file of reads: those in the header of a BAM or CRAM, else those of its lines.

    Returns
    -------
    Name → number of reads; 0 where the header tells the name alone.
    """
    file = require_file(path, READ_KINDS[kind])
    if kind == "bam":
        return dict.fromkeys(reference_names(file), 0)
    index, filters, counts = ChromIndex({}), ReadFilters(), np.zeros(0, dtype=np.int64)
    for batch in _batches([file], kind, index, filters, usable_threads(threads)):
        found = np.bincount(batch.chroms, minlength=len(index))
        counts = found + np.pad(counts, (0, len(found) - len(counts)))
    return dict(zip(index, counts.tolist(), strict=True))


def _batches(files: list[Path], kind: str, index: ChromIndex, filters: ReadFilters, threads: int) -> Iterator[ReadBatch]:
    """Batches of all files, one after the other, with progress."""
    total = sum(file.stat().st_size for file in files)
    with bar("reading reads", total, "B") as progress:
        before = 0
        for file in files:
            if kind == "bam":
                batches = alignment_batches(file, index, filters, threads)
            else:
                batches = line_batches(file, kind, index, filters, threads)
            for batch, done in batches:
                yield batch
                progress.update(max(before + done - progress.n, 0))
            before += file.stat().st_size


class _Sampler:
    """Keeps the ``size`` reads with the smallest random keys: a uniform sample of a stream of unknown length."""

    def __init__(self, size: int, seed: list[int]) -> None:
        self.size, self.rng = size, np.random.default_rng(seed)
        self.keys, self.chroms, self.positions = np.empty(0), np.empty(0, np.int32), np.empty(0, np.int32)

    def add(self, chroms: np.ndarray, positions: np.ndarray, rows: np.ndarray) -> None:
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


class _Spiller:
    """Appends batches to files, each sorted by chromosome and strand, and samples them."""

    def __init__(self, folder: Path, chromosomes: int, num_samples: int, seed: int, marked: bool) -> None:
        self.path, self.chromosomes = folder / _POSITIONS, chromosomes
        self.positions = open(self.path, "wb")  # noqa: SIM115 (closed by __exit__)
        self.marks = open(folder / _MARKS, "wb") if marked else None  # noqa: SIM115
        self.bounds: list[np.ndarray] = []
        self.written = 0
        self.lost: dict[int, int] = {}
        self.samplers = [_Sampler(num_samples, [seed, strand]) for strand in range(2)]

    def __enter__(self) -> _Spiller:
        return self

    def __exit__(self, *_: object) -> None:
        self.positions.close()
        if self.marks:
            self.marks.close()

    def add(self, batch: ReadBatch, names: int) -> None:
        """Append a batch, whose chromosomes are among the first ``names`` of the index."""
        from chrombpnet_core.reads import _compiled as kernels

        reads = np.zeros(2 * names, dtype=np.int64)
        kernels.count_keys(batch.chroms, batch.minus, reads)
        for at in np.flatnonzero(reads[2 * self.chromosomes :]).tolist():
            name = self.chromosomes + at // 2
            self.lost[name] = self.lost.get(name, 0) + int(reads[2 * self.chromosomes + at])
        borders = np.concatenate([[0], np.cumsum(reads[: 2 * self.chromosomes])])
        if not borders[-1]:
            return
        self._sample(batch, known=borders[-1] == len(batch.chroms))
        for values, handle in ((batch.positions, self.positions), (batch.marks, self.marks)):
            if handle:
                grouped = np.empty(borders[-1], dtype=values.dtype)
                kernels.group(batch.chroms, batch.minus, values, borders[:-1].copy(), grouped)
                grouped.tofile(handle)
        self.bounds.append(self.written + borders)
        self.written += int(borders[-1])

    def _sample(self, batch: ReadBatch, known: bool) -> None:
        """Offer the reads to the samplers of their strands, all of them or those on known chromosomes."""
        for sampler, chosen in zip(self.samplers, (~batch.minus, batch.minus), strict=True):
            if not known:
                chosen = chosen & (batch.chroms < self.chromosomes)
            sampler.add(batch.chroms, batch.positions, np.flatnonzero(chosen))

    def finish(self, index: ChromIndex) -> SpilledReads:
        """What was spilled."""
        names = np.array(list(index), dtype=object)
        bounds = np.array(self.bounds, dtype=np.int64).reshape(-1, 2 * self.chromosomes + 1)
        self.positions.flush()
        away = {names[at]: n for at, n in sorted(self.lost.items(), key=lambda item: -item[1])}
        excluded = sum(n for name, n in away.items() if index.left_out(name))
        lost = {name: n for name, n in away.items() if not index.left_out(name)}
        return SpilledReads(
            self.path, tuple(names[: self.chromosomes]), bounds, lost, _samples(self.samplers, names), excluded=excluded
        )


def _samples(samplers: list[_Sampler], names: np.ndarray) -> dict[str, ReadSample]:
    return {
        strand: ReadSample(names[sampler.chroms], sampler.positions)
        for strand, sampler in zip(STRANDS, samplers, strict=True)
    }


def _without_duplicates(spilled: SpilledReads, marks: Path, num_samples: int, seed: int) -> SpilledReads:
    """The same reads without duplicates, the first of them kept, sampled anew chromosome by chromosome."""
    path = spilled.path.with_name("reads.unique.int32")
    samplers = [_Sampler(num_samples, [seed, strand]) for strand in range(2)]
    kept = np.zeros(2 * len(spilled.chroms), dtype=np.int64)
    with open(path, "wb") as handle:
        for at in range(len(kept)):
            positions = np.concatenate([np.empty(0, np.int32), *_stored(spilled.path, np.int32, spilled.bounds, at)])
            others = np.concatenate([np.empty(0, np.int64), *_stored(marks, np.int64, spilled.bounds, at)])
            order = np.lexsort((others, positions))  # stable: the first of equal ones comes first
            new = np.ones(len(order), dtype=bool)
            new[1:] = (np.diff(positions[order]) != 0) | (np.diff(others[order]) != 0)
            unique = positions[np.sort(order[new])]
            unique.tofile(handle)
            kept[at] = len(unique)
            samplers[at % 2].add(np.full(len(unique), at // 2, np.int32), unique, np.arange(len(unique)))
    spilled.path.unlink()
    marks.unlink()
    bounds = np.concatenate([[0], np.cumsum(kept)])[None]
    sample = _samples(samplers, np.array(spilled.chroms, dtype=object))
    return replace(
        spilled, path=path, bounds=bounds, sample=sample, duplicates=sum(spilled.counts.values()) - int(kept.sum())
    )


def _report_left_out(files: list[Path], spilled: SpilledReads, sizes: dict[str, int]) -> None:
    """What was left out and why; an :class:`InputError` where no reads remain."""
    kept, lost = sum(spilled.counts.values()), sum(spilled.lost.values())
    where = ", ".join(map(str, files))
    if spilled.filtered:
        log.info("%s: %s alignments are left out for their mapping quality or flags", where, f"{spilled.filtered:,}")
    if spilled.excluded:
        log.info("%s: %s reads lie on chromosomes that are left out", where, f"{spilled.excluded:,}")
    if spilled.duplicates:
        log.info(
            "%s: %s of %s reads are left out as duplicates",
            where,
            f"{spilled.duplicates:,}",
            f"{spilled.duplicates + kept:,}",
        )
    if not kept and not lost:
        raise InputError(
            f"{where}: no reads" + (" pass the filters" if spilled.filtered else ""),
            expected="at least one mapped read",
            found=f"{spilled.filtered:,} that do not" if spilled.filtered else "",
        )
    names = [f"{name} ({count:,})" for name, count in list(spilled.lost.items())[:10]]
    named = ", ".join(names) + (f" and {len(spilled.lost) - 10:,} more" if len(spilled.lost) > 10 else "")
    if not kept:
        raise InputError(
            f"{where}: none of {lost:,} reads lies on a chromosome of the chromosome sizes",
            expected=", ".join(list(sizes)[:3]) + (" …" if len(sizes) > 3 else ""),
            found=named,
            remedy="names must agree: give --alias auto where only chr1 and 1 differ, or use the assembly of the reads",
        )
    if lost:
        log.warning(
            "%s: %s of %s reads are dropped, their chromosomes are not in the chromosome sizes: %s",
            where,
            f"{lost:,}",
            f"{lost + kept:,}",
            named,
        )
