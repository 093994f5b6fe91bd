"""Bases of a FASTA file, plain or compressed, by chromosome and position.

Plain FASTA is read by pyfaidx: a window of 2,114 bp takes as long as with htslib, a chromosome of 60 Mb 1.3 times as long.
bgzip is read by htslib (pysam): pyfaidx needs Biopython for it, which decompresses in Python and takes 31 times as long for
a chromosome, and 2 s to open one.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from chrombpnet_core._types import AnyArray, Codes
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import check_complete, is_bgzip, is_gzip, require_file
from chrombpnet_core.genome._fasta_index import build_index
from chrombpnet_core.genome.sequence import OTHER_BASE, codes_of

__all__ = ["Genome", "index_folder", "open_genome"]


class _Bases(Protocol):
    sizes: dict[str, int]

    def fetch(self, chrom: str, start: int, end: int) -> str: ...

    def close(self) -> None: ...


class _PlainFasta:
    """Plain FASTA, read by pyfaidx."""

    def __init__(self, fasta: str, fai: str) -> None:
        import pyfaidx

        with warnings.catch_warnings():  # a copy of the file may be younger than the index of its content
            warnings.filterwarnings("ignore", message=".* is older than FASTA file", category=RuntimeWarning)
            self._file = pyfaidx.Faidx(fasta, indexname=fai, as_raw=True, build_index=False, rebuild=False)
        self.sizes: dict[str, int] = {name: int(record.rlen) for name, record in self._file.index.items()}

    def fetch(self, chrom: str, start: int, end: int) -> str:
        return str(self._file.fetch(chrom, start + 1, end))

    def close(self) -> None:
        self._file.close()


class _BgzipFasta:
    """FASTA in bgzip, read by htslib."""

    def __init__(self, fasta: str, fai: str, gzi: str) -> None:
        import pysam

        self._file = pysam.FastaFile(fasta, filepath_index=fai, filepath_index_compressed=gzi)
        self.sizes: dict[str, int] = dict(zip(self._file.references, self._file.lengths, strict=True))

    def fetch(self, chrom: str, start: int, end: int) -> str:
        return self._file.fetch(chrom, start, end)

    def close(self) -> None:
        self._file.close()


class Genome:
    """Random access to the bases of an indexed FASTA file.

    Parameters
    ----------
    fasta
        FASTA file, plain or bgzip.
    fai
        Index of the FASTA file; :func:`open_genome` makes it.
    gzi
        Block index of a bgzip file.

    Attributes
    ----------
    path
        Path of the FASTA file.
    fai, gzi
        Paths of its indexes; ``gzi`` is None for a plain file.
    sizes
        Chromosome → length in bp, in file order.
    """

    def __init__(
        self, fasta: str | os.PathLike[str], fai: str | os.PathLike[str], gzi: str | os.PathLike[str] | None = None
    ) -> None:
        self.path, self.fai, self.gzi = str(fasta), str(fai), None if gzi is None else str(gzi)
        self._bases: _Bases = _PlainFasta(self.path, str(fai)) if gzi is None else _BgzipFasta(self.path, str(fai), str(gzi))
        self.sizes: dict[str, int] = self._bases.sizes

    def codes(self, chrom: str, start: int = 0, end: int | None = None) -> Codes:
        """Read the bases of an interval as codes: A, C, G, T are 0 to 3, anything else is 4.

        Parameters
        ----------
        chrom
            Chromosome name.
        start
            First position, 0-based; may be negative, that is before the chromosome.
        end
            End position, not included; by default the chromosome's end, may be beyond it.

        Returns
        -------
        ndarray
            Base codes, uint8 ``(end - start,)``; :data:`OTHER_BASE` beyond the chromosome.

        Raises
        ------
        KeyError
            If the genome has no such chromosome.
        """
        size = self.sizes[chrom]
        end = size if end is None else end
        inner_start, inner_end = max(start, 0), min(end, size)
        inner = np.empty(0, np.uint8)
        if inner_start < inner_end:
            inner = codes_of(self._bases.fetch(chrom, inner_start, inner_end))
        if inner.size == end - start:
            return inner
        codes = np.full(end - start, OTHER_BASE, dtype=np.uint8)
        before = inner_start - start
        codes[before : before + inner.size] = inner
        return codes

    def windows(self, chroms: AnyArray, starts: AnyArray, width: int) -> Codes:
        """Read windows of one width as base codes, as :meth:`codes` does.

        Parameters
        ----------
        chroms
            Chromosome names, ``(n,)``.
        starts
            First positions, ``(n,)``.
        width
            Width of every window in bp.

        Returns
        -------
        ndarray
            Base codes, uint8 ``(n, width)``; :data:`OTHER_BASE` beyond a chromosome.
        """
        codes = np.empty((len(starts), width), dtype=np.uint8)
        for row, (chrom, start) in enumerate(zip(chroms, starts, strict=True)):
            codes[row] = self.codes(chrom, int(start), int(start) + width)
        return codes

    def check_sizes(self, sizes: Mapping[str, int], sizes_path: str | os.PathLike[str]) -> None:
        """Raise :class:`InputError` where ``sizes`` names an unknown chromosome or disagrees on a length."""
        for chrom, size in sizes.items():
            if chrom not in self.sizes:
                raise InputError(
                    f"{sizes_path}: chromosome {chrom} is not in the genome {self.path}",
                    remedy="take the sizes from this FASTA (columns 1 and 2 of its .fai)",
                )
            if size != self.sizes[chrom]:
                raise InputError(
                    f"{sizes_path}: length of chromosome {chrom} disagrees with the genome {self.path}",
                    expected=f"{self.sizes[chrom]:,} bp",
                    found=f"{size:,} bp",
                    remedy="use the sizes of the same assembly",
                )

    def close(self) -> None:
        """Close the FASTA file."""
        self._bases.close()

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_genome(fasta: str | os.PathLike[str], cache: str | os.PathLike[str] | None = None) -> Genome:
    r"""Open a plain, bgzip or gzip FASTA; indexes and, for plain gzip, a bgzip copy are made in ``cache``.

    The user's own folder is never written to, and indexes found there are not trusted: one of an older file
    silently shifts every base.

    Parameters
    ----------
    fasta
        The genome.
    cache
        A folder that belongs to this genome's content; indexes found there are used again. By default one in
        ``$CHROMBPNET_CACHE``, else in ``~/.cache/chrombpnet``, told apart by the file's path, size and date.

    Returns
    -------
    Genome
        Bases by chromosome and position; a context manager that closes the file.

    Raises
    ------
    InputError
        Where the file is missing, damaged or no FASTA.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> fasta = pathlib.Path(folder.name, "genome.fa")
    >>> _ = fasta.write_text(">chrI\nACGTN\nACG\n")
    >>> with open_genome(fasta, cache=folder.name) as genome:
    ...     print(genome.sizes, genome.codes("chrI", 2, 6))
    {'chrI': 8} [2 3 4 0]
    >>> folder.cleanup()
    """
    source = require_file(fasta, "genome")
    folder = index_folder(source) if cache is None else Path(cache)
    target, fai, gzi = source, folder / "genome.fai", None
    if is_gzip(source):
        check_complete(source)
        gzi = folder / "genome.gzi"
        if not is_bgzip(source):
            target = folder / "genome.fa.gz"
    if not fai.exists():
        build_index(source, target, fai, gzi)
    try:
        genome = Genome(target, fai, gzi)
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as FASTA", found=str(error)) from error
    if not genome.sizes:
        raise InputError(f"{source}: no sequences", expected="a FASTA file")
    return genome


def index_folder(fasta: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Path:
    r"""Choose the folder for the indexes of this state of a file.

    Parameters
    ----------
    fasta
        The genome.
    root
        Folder in which it is one of several; by default one of the user's cache.

    Returns
    -------
    pathlib.Path
        Told apart by path, size and time of change; not made yet.

    Raises
    ------
    InputError
        Where there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w") as fasta:
    ...     _ = fasta.write(">chrI\nACGTN\n")
    ...     fasta.flush()
    ...     print(index_folder(fasta.name, "cache").parts[:2])
    ('cache', 'genomes')
    """
    source = require_file(fasta, "genome")
    state = source.stat()
    facts = f"{source.resolve()}\n{state.st_size}\n{state.st_mtime_ns}"
    folder = Path(root or os.environ.get("CHROMBPNET_CACHE") or Path.home() / ".cache" / "chrombpnet")
    return folder / "genomes" / hashlib.sha256(facts.encode()).hexdigest()
