"""Reads on their way from a file to the spill: batches of 5' ends, chromosome numbers, filters."""

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

    ``marks`` int64 ``(n,)`` tell reads of one 5' end apart where duplicates are dropped, else it is empty.
    """

    chroms: np.ndarray
    positions: np.ndarray
    minus: np.ndarray
    marks: np.ndarray


@dataclass
class ReadFilters:
    """Which reads are left out, and how many were.

    Parameters
    ----------
    min_mapq
        Alignments of lower mapping quality are left out.
    exclude_flags
        Alignments with any of these SAM flags are left out.
    dedup
        Whether duplicates count once; see :func:`chrombpnet_core.reads.spill_reads`.
    use_counts
        Whether a fragment counts as often as its column 5 says.
    left_out
        Alignments left out by quality or flags so far.
    """

    min_mapq: int = 0
    exclude_flags: int = 0
    dedup: bool = False
    use_counts: bool = False
    left_out: int = 0

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
        if self.use_counts and kind != "fragments":
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
        super().__init__((name, at) for at, name in enumerate(sizes))
        self.sizes, self.naming = sizes, naming or Naming()
        self._meant = np.arange(len(self), dtype=np.int32)

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Indices, int32 ``(n,)``, of names."""
        return np.array([self[name] for name in names], dtype=np.int32)

    def meant(self, chroms: np.ndarray) -> np.ndarray:
        """Indices of the genome's chromosomes that indices of names stand for; those that stand for none stay."""
        if self.naming == Naming():
            return chroms
        if len(self._meant) < len(self):
            new = [*self][len(self._meant) :]
            found = [self.get(self._genome_name(name), self[name]) for name in new]
            self._meant = np.concatenate([self._meant, np.array(found, dtype=np.int32)])
        return self._meant[chroms]

    def left_out(self, name: str) -> bool:
        """Whether a name stands for a chromosome that is to be left out."""
        return self._genome_name(name) in self.naming.excluded

    def _genome_name(self, name: str) -> str:
        return self.naming.translate([name], self.sizes).get(name, name)


class ReadBuffers:
    """Arrays that a reader fills with :data:`READS_PER_BATCH` reads, again and again."""

    def __init__(self, marked: bool) -> None:
        self.chroms, self.positions = np.empty(READS_PER_BATCH, dtype=np.int32), np.empty(READS_PER_BATCH, dtype=np.int32)
        self.minus = np.empty(READS_PER_BATCH, dtype=np.bool_)
        self.marks = np.empty(READS_PER_BATCH if marked else 0, dtype=np.int64)
        self.filled = 0

    @property
    def full(self) -> bool:
        """Whether nothing more goes in."""
        return self.filled == len(self.chroms)

    def add(self, chrom: int, position: int, minus: bool, mark: int) -> None:
        """Append one read."""
        at = self.filled
        self.chroms[at], self.positions[at], self.minus[at] = chrom, position, minus
        if len(self.marks):
            self.marks[at] = mark
        self.filled += 1

    def taken(self) -> ReadBatch:
        """What is filled, valid until the arrays are filled again, which begins anew."""
        filled, self.filled = slice(self.filled), 0
        return ReadBatch(self.chroms[filled], self.positions[filled], self.minus[filled], self.marks[filled])
