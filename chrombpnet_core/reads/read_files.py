"""Files of reads (BAM, CRAM, fragments, tagAlign) → 5' ends, spilled to disk by chromosome and strand in one pass.

A read's raw 5' coordinate is its ``start`` on the plus strand and its ``end`` on the minus strand, both 0-based and
half-open as in the file: the enzyme shift is added to these before the cut site (``start``, or ``end - 1``) is taken.
Memory holds one batch of reads, whatever the depth, and a uniform sample of each strand for the estimate of the shift.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from chrombpnet_core._types import Ints
from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.formats import require_file
from chrombpnet_core.genome import Genome, Naming
from chrombpnet_core.progress import bar
from chrombpnet_core.reads.alignments import alignment_batches, reference_names
from chrombpnet_core.reads.fragments import line_batches
from chrombpnet_core.reads.library_tally import new_tally, tally_facts
from chrombpnet_core.reads.read_batches import ChromIndex, ReadBatch, ReadFilters
from chrombpnet_core.reads.spilled_reads import ReadSpiller, SpilledReads, without_duplicates

__all__ = ["READ_KINDS", "read_chromosome_names", "spill_reads"]

log = logging.getLogger(__name__)

READ_KINDS = {"bam": "BAM", "fragments": "fragments", "tagalign": "tagAlign", "single_end": "single-end fragments"}
"""Kinds of read files, and how messages call them; a CRAM is of kind ``bam``."""


def spill_reads(
    paths: Sequence[str | os.PathLike[str]],
    kind: str,
    sizes: dict[str, int],
    scratch: str | os.PathLike[str],
    num_samples: int = 10_000,
    seed: int = 1234,
    *,
    filters: ReadFilters | None = None,
    naming: Naming | None = None,
    threads: int | None = None,
    genome: Genome | None = None,
) -> SpilledReads:
    """Read all files once and spill the raw 5' ends.

    Parameters
    ----------
    paths
        Files of one kind, plain, gzip or zstd, in any order of reads.
    kind
        ``bam`` (every mapped alignment counts; CRAM too), ``fragments`` (each line is two reads),
        ``single_end`` (each line is one, its strand in column 6) or ``tagalign``.
    sizes
        Chromosome → length in bp; reads on other chromosomes are dropped, with one warning.
    scratch
        Folder for the spilled positions, 4 bytes a read.
    num_samples
        Reads per strand to sample for the estimate of the shift; the sample depends on neither batches nor threads.
    seed
        Of the sample.
    filters
        Which reads are left out; none by default.
    naming
        How the reads' chromosome names are read; reads on chromosomes that it leaves out are dropped without a warning.
    threads
        That decompress; one per core by default.
    genome
        From which a CRAM takes its reference.

    Returns
    -------
    SpilledReads
        Where the 5' ends are, how many by chromosome, the sample, and what reads tell of their library.

    Raises
    ------
    InputError
        For truncated or malformed files, filters that the kind of reads has nothing for, and where no reads remain.
    """
    filters = filters or ReadFilters()
    files, folder, index, tally = _checked(paths, kind, filters), Path(scratch), ChromIndex(sizes, naming), new_tally()
    folder.mkdir(parents=True, exist_ok=True)
    with ReadSpiller(folder, len(sizes), 0 if filters.dedup else num_samples, seed, filters.dedup) as spiller:
        for batch in _batches(files, kind, index, filters, usable_threads(threads), genome, tally):
            spiller.add(batch._replace(chroms=index.meant(batch.chroms)), len(index))
        spilled = replace(spiller.finish(index), library=tally_facts(tally, kind))
    if filters.dedup:
        spilled = without_duplicates(spilled, num_samples, seed)
    _report_left_out(files, spilled, sizes)
    return spilled


def _checked(paths: Sequence[str | os.PathLike[str]], kind: str, filters: ReadFilters) -> list[Path]:
    """Check files, kind and filters: every file is there, once."""
    if kind not in READ_KINDS:
        raise InputError(f"kind of reads {kind!r}", expected=" or ".join(READ_KINDS))
    filters.check(kind)
    files = [require_file(path, READ_KINDS[kind]) for path in paths]
    if len({(state.st_dev, state.st_ino) for state in map(os.stat, files)}) != len(files):  # links to one file too
        raise InputError(f"{READ_KINDS[kind]} files: one is given twice", found=", ".join(map(str, files)))
    return files


def read_chromosome_names(path: str | os.PathLike[str], kind: str, threads: int | None = None) -> dict[str, int]:
    """Read the chromosome names of a file of reads: those in the header of a BAM or CRAM, else those of its lines.

    Parameters
    ----------
    path
        The file.
    kind
        One of :data:`READ_KINDS`.
    threads
        That decompress; one per core by default.

    Returns
    -------
    dict
        Name → number of reads; 0 where the header tells the name alone.

    Raises
    ------
    InputError
        Where the file is missing, damaged or of another kind.
    """
    file = require_file(path, READ_KINDS[kind])
    if kind == "bam":
        return dict.fromkeys(reference_names(file), 0)
    index, filters, counts = ChromIndex({}), ReadFilters(), np.zeros(0, dtype=np.int64)
    for batch in _batches([file], kind, index, filters, usable_threads(threads)):
        in_batch = np.bincount(batch.chroms, minlength=len(index))
        counts = in_batch + np.pad(counts, (0, len(in_batch) - len(counts)))
    return dict(zip(index, counts.tolist(), strict=True))


def _batches(
    files: list[Path],
    kind: str,
    index: ChromIndex,
    filters: ReadFilters,
    threads: int,
    genome: Genome | None = None,
    tally: Ints | None = None,
) -> Iterator[ReadBatch]:
    """Read batches of all files, one after the other, with progress."""
    tally = new_tally() if tally is None else tally
    total = sum(file.stat().st_size for file in files)
    with bar("reading reads", total, "B") as progress:
        before = 0
        for file in files:
            if kind == "bam":
                batches = alignment_batches(file, index, filters, threads, tally, genome)
            else:
                batches = line_batches(file, kind, index, filters, threads, tally)
            for batch, read in batches:
                yield batch
                progress.update(max(before + read - progress.n, 0))
            before += file.stat().st_size


def _report_left_out(files: list[Path], spilled: SpilledReads, sizes: dict[str, int]) -> None:
    """Log what was left out and why; an :class:`InputError` where no reads remain."""
    remaining, lost = sum(spilled.counts.values()), sum(spilled.lost.values())
    where = ", ".join(map(str, files))
    if spilled.filtered:
        log.info("%s: %s alignments are left out for their mapping quality or flags", where, f"{spilled.filtered:,}")
    if spilled.excluded:
        log.info("%s: %s on chromosomes that are left out", where, counted(spilled.excluded, "reads"))
    if spilled.duplicates:
        log.info(
            "%s: %s of %s reads are left out as duplicates",
            where,
            f"{spilled.duplicates:,}",
            f"{spilled.duplicates + remaining:,}",
        )
    if not remaining and not lost:
        raise InputError(
            f"{where}: no reads" + (" pass the filters" if spilled.filtered else ""),
            expected="at least one mapped read",
            found=f"{spilled.filtered:,} that do not" if spilled.filtered else "",
        )
    names = [f"{name} ({count:,})" for name, count in list(spilled.lost.items())[:10]]
    named = ", ".join(names) + (f" and {len(spilled.lost) - 10:,} more" if len(spilled.lost) > 10 else "")
    if not remaining:
        raise InputError(
            f"{where}: none of {lost:,} reads lies on a chromosome of the chromosome sizes",
            expected=", ".join(list(sizes)[:3]) + (" …" if len(sizes) > 3 else ""),
            found=named,
            remedy='names must agree: give `alias="auto"` where only chr1 and 1 differ, or use the assembly of the reads',
        )
    if lost:
        log.warning(
            "%s: %s of %s reads are dropped, their chromosomes are not in the chromosome sizes: %s",
            where,
            f"{lost:,}",
            f"{lost + remaining:,}",
            named,
        )
