"""FASTA access, chromosome sizes, base codes and one-hot encoding.

Bases are coded 0, 1, 2, 3 for A, C, G, T in either case and 4 for any other letter. A code of 4 is all zeros in one-hot.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pysam

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import check_complete, is_bgzip, is_gzip, numbered_lines, open_binary, require_file
from chrombpnet_core.genome.sequence import OTHER_BASE, codes_of

__all__ = ["Genome", "open_genome", "read_chrom_sizes"]


def read_chrom_sizes(path: str | os.PathLike) -> dict[str, int]:
    """Chromosome sizes (name, tab, length in bp) in file order.

    Raises
    ------
    InputError
        For a line without two columns, a length that is no positive integer, a name given twice, an empty file.
    """
    sizes: dict[str, int] = {}
    for number, line in numbered_lines(path, "chromosome sizes"):
        fields = line.split("\t") if "\t" in line else line.split()
        where = f"{path}, line {number}"
        if len(fields) < 2:
            raise InputError(where, expected="a chromosome name and its length", found=repr(line))
        name, length = fields[0], fields[1].strip()
        if not length.isdecimal() or int(length) == 0:
            raise InputError(where, expected="a length in bp", found=repr(length))
        if name in sizes:
            raise InputError(f"{where}: chromosome {name} is given twice", remedy="keep one line for it")
        sizes[name] = int(length)
    if not sizes:
        raise InputError(f"{path}: no chromosomes", expected="lines of name and length")
    return sizes


class Genome:
    """Random access to the bases of an indexed FASTA file.

    Parameters
    ----------
    fasta
        Plain or bgzip FASTA.
    fai, gzi
        Its indexes where they are not beside it; see :func:`open_genome`, which makes them.
    """

    def __init__(
        self, fasta: str | os.PathLike, fai: str | os.PathLike | None = None, gzi: str | os.PathLike | None = None
    ) -> None:
        self.path = str(fasta)
        self._fasta = pysam.FastaFile(self.path, filepath_index=fai and str(fai), filepath_index_compressed=gzi and str(gzi))
        self.sizes: dict[str, int] = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))

    def codes(self, chrom: str, start: int = 0, end: int | None = None) -> np.ndarray:
        """Base codes of ``[start, end)``, uint8 of shape ``(end - start,)``; beyond the chromosome they are OTHER."""
        size = self.sizes[chrom]
        end = size if end is None else end
        inner_start, inner_end = max(start, 0), min(end, size)
        inner = (
            codes_of(self._fasta.fetch(chrom, inner_start, inner_end)) if inner_start < inner_end else np.empty(0, np.uint8)
        )
        if inner.size == end - start:
            return inner
        codes = np.full(end - start, OTHER_BASE, dtype=np.uint8)
        at = inner_start - start
        codes[at : at + inner.size] = inner
        return codes

    def windows(self, chroms: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
        """Base codes, uint8 of shape ``(n, width)``, of ``n`` windows that begin at ``starts`` of ``chroms``."""
        codes = np.empty((len(starts), width), dtype=np.uint8)
        for row, (chrom, start) in enumerate(zip(chroms, starts, strict=True)):
            codes[row] = self.codes(chrom, int(start), int(start) + width)
        return codes

    def check_sizes(self, sizes: dict[str, int], sizes_path: str | os.PathLike) -> None:
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
        """Close the file."""
        self._fasta.close()

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_genome(fasta: str | os.PathLike, cache: str | os.PathLike) -> Genome:
    """Open a plain, bgzip or gzip FASTA; indexes and, for plain gzip, a bgzip copy are made in ``cache``.

    The user's own folder is never written to, and indexes found there are not trusted: one of an older file
    silently shifts every base.

    Parameters
    ----------
    fasta
        The genome.
    cache
        A folder that belongs to this genome's content; indexes found there are used again.
    """
    source, cache = require_file(fasta, "genome"), Path(cache)
    if is_gzip(source):
        check_complete(source)
    target, fai, gzi = source, cache / "genome.fai", None
    if is_gzip(source):
        gzi = cache / "genome.gzi"
        if not is_bgzip(source):
            target = cache / "genome.fa.gz"
    if not fai.exists():
        _build_index(source, target, fai, gzi)
    try:
        genome = Genome(target, fai, gzi)
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read as FASTA", found=str(error)) from error
    if not genome.sizes:
        raise InputError(f"{source}: no sequences", expected="a FASTA file")
    return genome


def _check_names(source: Path) -> None:
    """Refuse what does not begin as FASTA, a name that stands twice (indexers keep the first), and a damaged gzip."""
    seen: set[bytes] = set()
    try:
        with open_binary(source, "genome") as file:
            for number, line in enumerate(file, start=1):
                if number == 1 and not line.startswith(b">"):
                    raise InputError(
                        f"{source}, line 1: not FASTA",
                        expected="a line that begins with '>'",
                        found=repr(line[:40].decode("ascii", "replace")),
                    )
                if line.startswith(b">"):
                    name = (line[1:].split() or [b""])[0]
                    if name in seen:
                        raise InputError(
                            f"{source}, line {number:,}: sequence {name.decode('ascii', 'replace')} is there twice",
                            remedy="keep one of them",
                        )
                    seen.add(name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{source}: gzip data is truncated or damaged", found=str(error), remedy="copy or make the file again"
        ) from error


def _build_index(source: Path, target: Path, fai: Path, gzi: Path | None) -> None:
    _check_names(source)
    fai.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=fai.parent) as scratch:
        fasta = source
        verbosity = pysam.set_verbosity(0)
        try:
            if target != source:
                fasta = Path(scratch) / "genome.fa.gz"
                with gzip.open(source, "rb") as plain, pysam.BGZFile(str(fasta), "wb") as packed:
                    shutil.copyfileobj(plain, packed, 1 << 20)
            made = [Path(scratch) / "fai", *([Path(scratch) / "gzi"] if gzi else [])]
            options = ["--fai-idx", str(made[0]), *(["--gzi-idx", str(made[1])] if gzi else [])]
            pysam.faidx(*options, str(fasta), catch_stdout=False)
        except (pysam.SamtoolsError, EOFError) as error:
            raise InputError(
                f"{source}: cannot be indexed as FASTA",
                remedy="check that every line of a sequence but its last has one length",
            ) from error
        finally:
            pysam.set_verbosity(verbosity)
        if target != source:
            os.replace(fasta, target)
        if gzi:
            os.replace(made[1], gzi)
        os.replace(made[0], fai)  # last: its presence says that all is there
