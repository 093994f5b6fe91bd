"""BAM, fragments or tagAlign → 5' ends of reads, spilled to disk by chromosome and strand in one pass.

A read's raw 5' coordinate is its ``start`` on the plus strand and its ``end`` on the minus strand, both 0-based and
half-open as in the file: the enzyme shift is added to these before the cut site (``start``, or ``end - 1``) is taken.
Memory holds one batch of reads, whatever the depth, and a uniform sample of each strand for the estimate of the shift.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pysam
from pyarrow import csv

from chrombpnet_core.errors import InputError
from chrombpnet_core.progress import bar
from chrombpnet_core.textfiles import check_complete, is_gzip, numbered_lines, require_file

__all__ = ["KINDS", "STRANDS", "ReadSample", "SpilledReads", "spill_reads"]

log = logging.getLogger(__name__)

KINDS = {"bam": "BAM", "fragments": "fragments", "tagalign": "tagAlign"}
"""Kinds of read files, and how messages call them."""

STRANDS = ("+", "-")

_COLUMNS = {"fragments": (0, 1, 2), "tagalign": (0, 1, 2, 5)}  # chrom, start, end, strand
_BLOCK_BYTES = 1 << 24
_BATCH = 1 << 19
_FAR = np.iinfo(np.int32).max


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
    """

    path: Path
    chroms: tuple[str, ...]
    bounds: np.ndarray
    lost: dict[str, int]
    sample: dict[str, ReadSample]

    @property
    def counts(self) -> dict[str, int]:
        """Reads kept, by chromosome."""
        each = np.diff(self.bounds, axis=1).sum(axis=0).reshape(-1, 2).sum(axis=1)
        return dict(zip(self.chroms, each.tolist(), strict=True))

    def positions(self, chrom: str, strand: str) -> np.ndarray:
        """Raw 5' positions of a chromosome and strand, int32 ``(n,)``, in input order."""
        at = 2 * self.chroms.index(chrom) + STRANDS.index(strand)
        pieces = [(first, last) for first, last in self.bounds[:, at:at + 2].tolist() if last > first]
        positions = np.empty(sum(last - first for first, last in pieces), dtype=np.int32)
        filled = 0
        with open(self.path, "rb") as handle:
            for first, last in pieces:
                handle.seek(first * 4)
                filled += handle.readinto(memoryview(positions[filled:filled + last - first]).cast("B")) // 4
        if filled != positions.size:
            raise OSError(f"{self.path}: spilled reads of {chrom} are incomplete")
        return positions

    def stats(self) -> dict[str, object]:
        """Numbers for the report, ready for JSON."""
        return {"reads": sum(self.counts.values()), "reads_lost": sum(self.lost.values()),
                "reads_by_chromosome": self.counts, "reads_lost_by_chromosome": dict(self.lost)}


def spill_reads(paths: Sequence[str | os.PathLike], kind: str, sizes: dict[str, int], scratch: str | os.PathLike,
                num_samples: int = 10_000, seed: int = 1234) -> SpilledReads:
    """Read all files once and spill the raw 5' ends.

    Parameters
    ----------
    paths
        Files of one kind, plain or gzip, in any order of reads.
    kind
        ``bam`` (every mapped alignment counts), ``fragments`` (each line is two reads) or ``tagalign``.
    sizes
        Chromosome → length in bp; reads on other chromosomes are dropped, with one warning.
    scratch
        Folder for the spilled positions, 4 bytes a read.
    num_samples
        Reads per strand to sample for the estimate of the shift; the sample does not depend on batches.
    seed
        Of the sample.

    Raises
    ------
    InputError
        For truncated or malformed files (naming file, line or read) and where no reads remain.
    """
    if kind not in KINDS:
        raise InputError(f"kind of reads {kind!r}", expected=" or ".join(KINDS))
    files = [require_file(path, KINDS[kind]) for path in paths]
    if len(set(files)) != len(files):
        raise InputError(f"{KINDS[kind]} files: one is given twice", found=", ".join(map(str, files)))
    index = _ChromIndex(sizes)
    target = Path(scratch) / "reads.int32"
    target.parent.mkdir(parents=True, exist_ok=True)
    total = sum(file.stat().st_size for file in files)
    with open(target, "wb") as handle, bar("reading reads", total, "B") as progress:
        spiller = _Spiller(handle, len(sizes), num_samples, seed)
        before = 0
        for file in files:
            batches = _bam_batches(file, index) if kind == "bam" else _text_batches(file, kind, index)
            for batch, done in batches:
                spiller.add(batch)
                progress.update(max(before + done - progress.n, 0))
            before += file.stat().st_size
    spilled = spiller.finish(target, index)
    _report_lost(files, spilled, sizes)
    return spilled


class _Batch(NamedTuple):
    """Reads: chromosome index, raw 5' position, whether on the minus strand; each ``(n,)``."""

    chroms: np.ndarray
    positions: np.ndarray
    minus: np.ndarray


class _ChromIndex(dict):
    """Name → index; the chromosomes of the sizes come first, any other name is added behind them as it is met."""

    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__((name, at) for at, name in enumerate(sizes))
        self.sizes = sizes

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Indices, int32 ``(n,)``, of names."""
        return np.array([self[name] for name in names], dtype=np.int32)


class _Sampler:
    """Keeps the ``size`` reads with the smallest random keys: a uniform sample of a stream of unknown length."""

    def __init__(self, size: int, seed: list[int]) -> None:
        self.size, self.rng = size, np.random.default_rng(seed)
        self.keys, self.chroms, self.positions = np.empty(0), np.empty(0, np.int32), np.empty(0, np.int32)

    def add(self, chroms: np.ndarray, positions: np.ndarray) -> None:
        keys = self.rng.random(len(chroms))
        limit = self.keys[-1] if len(self.keys) == self.size and self.size else np.inf
        low = np.flatnonzero(keys < limit)
        keys = np.concatenate([self.keys, keys[low]])
        order = np.argsort(keys, kind="stable")[:self.size]
        self.keys = keys[order]
        self.chroms = np.concatenate([self.chroms, chroms[low]])[order]
        self.positions = np.concatenate([self.positions, positions[low]])[order]


class _Spiller:
    """Appends batches to a file, each sorted by chromosome and strand, and samples them."""

    def __init__(self, handle, chromosomes: int, num_samples: int, seed: int) -> None:
        self.handle, self.chromosomes = handle, chromosomes
        self.bounds: list[np.ndarray] = []
        self.written = 0
        self.lost: dict[int, int] = {}
        self.samplers = [_Sampler(num_samples, [seed, strand]) for strand in range(2)]
        self.key_type = np.uint16 if 2 * chromosomes < 1 << 16 else np.int32  # numpy sorts 16 bits by radix

    def add(self, batch: _Batch) -> None:
        known = batch.chroms < self.chromosomes
        if not known.all():
            names, reads = np.unique(batch.chroms[~known], return_counts=True)
            for name, count in zip(names.tolist(), reads.tolist(), strict=True):
                self.lost[name] = self.lost.get(name, 0) + count
            batch = _Batch(*(column[known] for column in batch))
        if not len(batch.chroms):
            return
        for sampler, chosen in zip(self.samplers, (~batch.minus, batch.minus), strict=True):
            sampler.add(batch.chroms[chosen], batch.positions[chosen])
        keys = (2 * batch.chroms + batch.minus).astype(self.key_type)
        batch.positions[np.argsort(keys, kind="stable")].astype(np.int32, copy=False).tofile(self.handle)
        each = np.bincount(keys, minlength=2 * self.chromosomes)
        self.bounds.append(self.written + np.concatenate([[0], np.cumsum(each)]))
        self.written += len(keys)

    def finish(self, path: Path, index: _ChromIndex) -> SpilledReads:
        names = np.array(list(index), dtype=object)
        sample = {strand: ReadSample(names[sampler.chroms], sampler.positions)
                  for strand, sampler in zip(STRANDS, self.samplers, strict=True)}
        bounds = np.array(self.bounds, dtype=np.int64).reshape(-1, 2 * self.chromosomes + 1)
        lost = sorted(self.lost.items(), key=lambda item: -item[1])
        return SpilledReads(path, tuple(names[:self.chromosomes]), bounds, {names[at]: n for at, n in lost}, sample)


def _bam_batches(path: Path, index: _ChromIndex) -> Iterator[tuple[_Batch, int]]:
    """Batches of mapped alignments, and the compressed bytes read so far."""
    check_complete(path)
    read_count = 0
    verbosity = pysam.set_verbosity(0)  # htslib would print to standard error what the exceptions say
    try:
        with pysam.AlignmentFile(str(path), "rb", check_sq=False, require_index=False, threads=2) as bam:
            if not bam.is_bam:
                raise InputError(f"{path}: not a BAM file", remedy="convert it: samtools view -b")
            of_reference = _bam_references(path, bam, index)
            references, positions, flags = [], [], []
            for read in bam:
                read_count += 1
                flag = read.flag
                if flag & 4 or read.reference_id < 0:
                    continue
                start = read.reference_start
                references.append(read.reference_id)
                flags.append(flag)
                # an alignment without CIGAR is 1 bp long, as htslib has it
                positions.append((read.reference_end or start + 1) if flag & 16 else start)
                if len(flags) == _BATCH:
                    yield _bam_batch(of_reference, references, positions, flags), bam.tell() >> 16
                    references, positions, flags = [], [], []
            yield _bam_batch(of_reference, references, positions, flags), path.stat().st_size
    except (OSError, ValueError) as error:
        if not read_count:
            raise InputError(f"{path}: cannot be read as BAM", found=str(error)) from error
        raise InputError(f"{path}, after read {read_count:,}: the file is truncated or damaged", found=str(error),
                         remedy="copy or make it again") from error
    finally:
        pysam.set_verbosity(verbosity)


def _bam_batch(of_reference: np.ndarray, references: list[int], positions: list[int], flags: list[int]) -> _Batch:
    return _Batch(of_reference[np.array(references, dtype=np.int64)], np.array(positions, dtype=np.int32),
                  (np.array(flags, dtype=np.int32) & 16) > 0)


def _bam_references(path: Path, bam: pysam.AlignmentFile, index: _ChromIndex) -> np.ndarray:
    """Chromosome index of each reference of the header, whose lengths must be those of the sizes."""
    for name, length in zip(bam.references, bam.lengths, strict=True):
        if index.sizes.get(name, length) != length:
            raise InputError(f"{path}: length of chromosome {name} in the BAM header",
                             expected=f"{index.sizes[name]:,} bp as in the chromosome sizes", found=f"{length:,} bp",
                             remedy="the reads were aligned to another assembly: use its genome and sizes")
    return index.of(bam.references)


class _Irregular(Exception):
    """A line that the fast parser cannot judge."""


def _text_batches(path: Path, kind: str, index: _ChromIndex) -> Iterator[tuple[_Batch, int]]:
    """Batches of a text file, parsed fast; from the first irregular line on, line by line.

    The careful parser either names the bad line or reads what is odd but right, such as comments between the lines.
    """
    check_complete(path)
    rows = 0
    try:
        for table, done in _fast_tables(path, kind):
            batch, count = _table_batch(table, kind, index)
            yield batch, done
            rows += count
    except (_Irregular, pa.ArrowException, OSError):
        yield from _careful_batches(path, kind, index, rows)


def _fast_tables(path: Path, kind: str) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Record batches of the needed columns, named ``f0``, ``f1``…, and the bytes of the file read so far."""
    first = next(numbered_lines(path, KINDS[kind]), None)
    if first is None:
        return
    types = {"f0": pa.dictionary(pa.int32(), pa.string()), "f1": pa.int32(), "f2": pa.int32(),
             "f5": pa.dictionary(pa.int32(), pa.string())}
    wanted = [f"f{at}" for at in _COLUMNS[kind]]
    with pa.OSFile(str(path)) as raw:
        stream = pa.CompressedInputStream(raw, "gzip") if is_gzip(path) else raw
        batches = csv.open_csv(
            stream,
            csv.ReadOptions(autogenerate_column_names=True, block_size=_BLOCK_BYTES, skip_rows=first[0] - 1),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(include_columns=wanted, null_values=[], column_types={at: types[at] for at in wanted}),
        )
        yield from ((batch, raw.tell()) for batch in batches)


def _table_batch(table: pa.RecordBatch, kind: str, index: _ChromIndex) -> tuple[_Batch, int]:
    """The reads of a record batch, and its number of lines."""
    starts, ends = (table.column(at).to_numpy(zero_copy_only=False) for at in (1, 2))
    if ((starts < 0) | (ends <= starts)).any():
        raise _Irregular
    names = table.column(0)
    chroms = index.of(names.dictionary.to_pylist())[names.indices.to_numpy()]
    if kind == "fragments":
        return _both_ends(chroms, starts, ends), len(starts)
    strands = table.column(3).dictionary.to_pylist()
    if not set(strands) <= set(STRANDS):
        raise _Irregular
    minus = np.array([strand == "-" for strand in strands], dtype=bool)[table.column(3).indices.to_numpy()]
    return _Batch(chroms, np.where(minus, ends, starts), minus), len(starts)


def _both_ends(chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> _Batch:
    minus = np.repeat([False, True], len(starts))
    return _Batch(np.concatenate([chroms, chroms]), np.concatenate([starts, ends]), minus)


def _careful_batches(path: Path, kind: str, index: _ChromIndex, skip: int) -> Iterator[tuple[_Batch, int]]:
    """Batches line by line, behind the first ``skip`` lines; a bad one raises :class:`InputError`."""
    rows: list[tuple[str, int, int, str]] = []
    size = path.stat().st_size
    for at, (number, line) in enumerate(numbered_lines(path, KINDS[kind])):
        if at >= skip:
            rows.append(_row(line, kind, f"{path}, line {number:,}"))
            if len(rows) == _BATCH:
                yield _rows_batch(rows, kind, index), 0
                rows = []
    yield _rows_batch(rows, kind, index), size


def _rows_batch(rows: list[tuple[str, int, int, str]], kind: str, index: _ChromIndex) -> _Batch:
    chroms = index.of([row[0] for row in rows])
    starts, ends = (np.array([row[at] for row in rows], dtype=np.int32) for at in (1, 2))
    if kind == "fragments":
        return _both_ends(chroms, starts, ends)
    minus = np.array([row[3] == "-" for row in rows], dtype=bool)
    return _Batch(chroms, np.where(minus, ends, starts), minus)


def _row(line: str, kind: str, where: str) -> tuple[str, int, int, str]:
    """Chromosome, start, end and strand of a line, checked."""
    fields = line.split("\t")
    needed = _COLUMNS[kind][-1] + 1
    if len(fields) < needed:
        names = "chrom, start, end" if kind == "fragments" else "chrom, start, end, name, score, strand"
        raise InputError(where, expected=f"{needed} or more tab-separated columns ({names})",
                         found=f"{len(fields)} in {line[:80]!r}")
    for name, text in zip(("start", "end"), fields[1:3], strict=True):
        if not text.strip().isdecimal() or int(text) > _FAR:
            raise InputError(f"{where}: {name}", expected="a position in bp, 0 or more", found=repr(text))
    start, end = int(fields[1]), int(fields[2])
    if end <= start:
        raise InputError(f"{where}: end is not greater than start", found=f"{fields[0]}:{start}-{end}",
                         remedy="positions are 0-based, half-open")
    strand = fields[needed - 1] if kind == "tagalign" else "."
    if kind == "tagalign" and strand not in STRANDS:
        raise InputError(f"{where}: strand (column 6)", expected="+ or -", found=repr(strand),
                         remedy="a 5' end needs the strand: make the tagAlign again from the BAM (bedtools bamtobed)")
    return fields[0], start, end, strand


def _report_lost(files: list[Path], spilled: SpilledReads, sizes: dict[str, int]) -> None:
    """One warning about reads on unknown chromosomes; an :class:`InputError` where no reads remain."""
    kept, lost = sum(spilled.counts.values()), sum(spilled.lost.values())
    where = ", ".join(map(str, files))
    if not kept and not lost:
        raise InputError(f"{where}: no reads", expected="at least one mapped read")
    names = [f"{name} ({count:,})" for name, count in list(spilled.lost.items())[:10]]
    named = ", ".join(names) + (f" and {len(spilled.lost) - 10:,} more" if len(spilled.lost) > 10 else "")
    if not kept:
        raise InputError(f"{where}: none of {lost:,} reads lies on a chromosome of the chromosome sizes",
                         expected=", ".join(list(sizes)[:3]) + (" …" if len(sizes) > 3 else ""), found=named,
                         remedy="names must agree (chr1 is not 1): rename one side, or use the assembly of the reads")
    if lost:
        log.warning("%s: %s of %s reads are dropped, their chromosomes are not in the chromosome sizes: %s", where,
                    f"{lost:,}", f"{lost + kept:,}", named)
