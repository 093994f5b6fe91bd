"""Batches of 5' ends on their way from a file to the spill, numbers of chromosomes, and filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Naming

__all__ = ["READS_PER_BATCH", "ChromIndex", "ReadBatch", "ReadBuffers", "ReadFilters"]

READS_PER_BATCH = 1 << 21
"""Alignments or lines handled at a time."""


class ReadBatch(NamedTuple):
    """Reads: chromosome index int32, raw 5' position int32, whether on the minus strand; each ``(n,)``.

    ``marks`` int64 ``(n,)`` tell reads of one 5' end apart where duplicates are dropped, else it is empty. ``filtered``
    alignments were left out for their quality or flags since the batch before.
    """

    chroms: np.ndarray
    positions: np.ndarray
    minus: np.ndarray
    marks: np.ndarray
    filtered: int = 0


@dataclass(frozen=True)
class ReadFilters:
    """Which reads are left out.

    Parameters
    ----------
    min_mapq
        Alignments of lower mapping quality are left out.
    exclude_flags
        Alignments with any of these SAM flags (0x400: marked as duplicate) are left out.
    dedup
        Whether duplicates over all files count once: reads of one chromosome, strand and 5' end whose fragments end at
        the same place too (fragments: and have the same barcode; BAM: the mate's chromosome and insert size). Reads
        without a mate have but their 5' end: deep single-end data loses real insertions. Takes 8 more bytes of disk a
        read, and memory for the reads of one chromosome and strand.
    use_counts
        Whether a fragment counts as often as its column 5 says, rather than once as the reference has it.
    """

    min_mapq: int = 0
    exclude_flags: int = 0
    dedup: bool = False
    use_counts: bool = False

    def check(self, kind: str) -> None:
        """Raise :class:`InputError` for filters that the kind of reads has nothing for."""
        if not 0 <= self.min_mapq <= 255:
            raise InputError(f"least mapping quality {self.min_mapq}", expected="0 to 255")
        if not 0 <= self.exclude_flags < 1 << 16:
            raise InputError(f"excluded flags {self.exclude_flags}", expected="a sum of SAM flags, 0 to 65535")
        if kind != "bam" and (self.min_mapq or self.exclude_flags):
            raise InputError(
                f"a least mapping quality or excluded flags for {kind} reads",
                expected="BAM, the only kind that has them",
                remedy="leave these filters out",
            )
        if self.use_counts and kind not in ("fragments", "single_end"):
            raise InputError(f"counts of column 5 for {kind} reads", expected="fragments")
        if self.use_counts and self.dedup:
            raise InputError(
                "counts of duplicates are asked for and duplicates are to be dropped", remedy="choose one of both"
            )


class ChromIndex(dict[str, int]):
    """Name → index; the chromosomes of the sizes come first, any other name is added behind them as it is met.

    Parameters
    ----------
    sizes
        Chromosome → length in bp.
    naming
        How the names of reads are read.
    """

    def __init__(self, sizes: dict[str, int], naming: Naming | None = None) -> None:
        super().__init__((name, number) for number, name in enumerate(sizes))
        self.sizes, self.naming = sizes, naming or Naming()
        self._meant = np.arange(len(self), dtype=np.int32)

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Look up, or enter, names: indices int32 ``(n,)``."""
        return np.array([self[name] for name in names], dtype=np.int32)

    def meant(self, chroms: np.ndarray) -> np.ndarray:
        """Find the genome's chromosomes that indices of names stand for; those that stand for none stay."""
        if self.naming == Naming():
            return chroms
        if len(self._meant) < len(self):
            new = [*self][len(self._meant) :]
            genomes = [self.get(self._genome_name(name), self[name]) for name in new]
            self._meant = np.concatenate([self._meant, np.array(genomes, dtype=np.int32)])
        meant: np.ndarray = self._meant[chroms]
        return meant

    def left_out(self, name: str) -> bool:
        """Tell whether a name stands for a chromosome that is to be left out."""
        return self._genome_name(name) in self.naming.excluded

    def _genome_name(self, name: str) -> str:
        return self.naming.translate([name], self.sizes).get(name, name)


class ReadBuffers:
    """Arrays that a reader fills with :data:`READS_PER_BATCH` reads, again and again."""

    def __init__(self, marked: bool) -> None:
        self.chroms, self.positions = np.empty(READS_PER_BATCH, dtype=np.int32), np.empty(READS_PER_BATCH, dtype=np.int32)
        self.minus = np.empty(READS_PER_BATCH, dtype=np.bool_)
        self.marks = np.empty(READS_PER_BATCH if marked else 0, dtype=np.int64)
        self.filled = self.filtered = 0

    @property
    def full(self) -> bool:
        """Tell whether nothing more goes in."""
        return self.filled == len(self.chroms)

    def add(self, chrom: int, position: int, minus: bool, mark: int) -> None:
        """Append one read."""
        row = self.filled
        self.chroms[row], self.positions[row], self.minus[row] = chrom, position, minus
        if len(self.marks):
            self.marks[row] = mark
        self.filled += 1

    def taken(self) -> ReadBatch:
        """Take the batch that is filled, valid until the arrays are filled again, which begins anew."""
        filled, filtered = slice(self.filled), self.filtered
        self.filled = self.filtered = 0
        return ReadBatch(self.chroms[filled], self.positions[filled], self.minus[filled], self.marks[filled], filtered)
