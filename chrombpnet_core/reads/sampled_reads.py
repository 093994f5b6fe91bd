"""The first reads of a file, to learn early whether a run could read it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from chrombpnet_core.concurrency import usable_threads
from chrombpnet_core.genome import Genome, Naming
from chrombpnet_core.reads.read_batches import READS_PER_BATCH, ChromIndex, ReadFilters
from chrombpnet_core.reads.read_files import _batches, _checked

__all__ = ["check_read_files", "first_reads"]


def check_read_files(paths: Sequence[str | os.PathLike[str]], kind: str, filters: ReadFilters | None = None) -> None:
    """Check that files of reads are there, each once, and that the filters suit their kind.

    Parameters
    ----------
    paths
        BAM, CRAM, fragments or tagAlign.
    kind
        One of :data:`READ_KINDS`.
    filters
        Which reads are left out.

    Raises
    ------
    InputError
        Where it is not so.
    """
    _checked(paths, kind, filters or ReadFilters())


def first_reads(
    path: str | os.PathLike[str],
    kind: str,
    sizes: dict[str, int],
    naming: Naming | None = None,
    filters: ReadFilters | None = None,
    threads: int | None = None,
    genome: Genome | None = None,
) -> dict[str, int]:
    """Count the first reads of a file by chromosome, as :func:`spill_reads` reads them and with its errors.

    Parameters
    ----------
    path
        BAM, CRAM, fragments or tagAlign.
    kind
        One of :data:`READ_KINDS`.
    sizes
        Chromosome → length in bp; lengths in the header of a BAM or CRAM must be these.
    naming
        How the reads' names are read.
    filters
        Which reads are left out.
    threads
        That decompress; one per core by default.
    genome
        From which a CRAM takes its reference.

    Returns
    -------
    dict
        The genome's name, or the file's where the genome has no such chromosome → reads, of about two million at most.

    Raises
    ------
    InputError
        For a file that is of another kind, cut off, damaged so early, or whose chromosomes have other lengths.
    """
    filters, index = filters or ReadFilters(), ChromIndex(sizes, naming)
    files = _checked([path], kind, filters)
    counts = np.zeros(0, dtype=np.int64)
    for batch in _batches(files, kind, index, filters, usable_threads(threads), genome):
        in_batch = np.bincount(index.meant(batch.chroms), minlength=len(index))
        counts = in_batch + np.pad(counts, (0, len(in_batch) - len(counts)))
        if counts.sum() >= READS_PER_BATCH:
            break
    return {name: int(count) for name, count in zip(index, counts, strict=True) if count}
