"""Cut sites → bigWig of insertions per base; windows of a bigWig; the motif around insertions as quality control."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping

import numpy as np
import pyBigWig

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import require_file
from chrombpnet_core.genome import Naming

__all__ = ["Coverage"]

log = logging.getLogger(__name__)

_BLOCK = 1 << 20  # bases or intervals handled at a time
_ROWS = 4096  # windows summed at a time


class Coverage:
    """Values per base of a bigWig, one chromosome in memory at a time; bases without a value are 0.

    Parameters
    ----------
    path
        A bigWig file.
    naming, sizes
        How its chromosome names are read, and the genome's chromosomes; without them, as they are.

    Attributes
    ----------
    sizes
        Chromosome → length in bp, of those that the file has.

    Raises
    ------
    InputError
        Where it is no bigWig.
    """

    def __init__(
        self, path: str | os.PathLike[str], naming: Naming | None = None, sizes: Mapping[str, int] | None = None
    ) -> None:
        self.path = str(require_file(path, "bigWig"))
        try:
            self._bigwig = pyBigWig.open(self.path)
            usable = self._bigwig.isBigWig()
            found: dict[str, int] = dict(self._bigwig.chroms())
        except RuntimeError:
            usable = False
        if not usable:
            raise InputError(f"{self.path}: cannot be read as bigWig")
        changed = (naming or Naming()).translate(found, sizes or {})
        self._names = {changed.get(name, name): name for name in found}
        self.sizes = {changed.get(name, name): size for name, size in found.items()}
        self._loaded: tuple[str, np.ndarray] | None = None

    def chromosome(self, chrom: str) -> np.ndarray:
        """All values of a chromosome, float32 ``(size,)``, not to be changed; empty for one that the file lacks."""
        if self._loaded is None or self._loaded[0] != chrom:
            self._loaded = None  # let go of the one before first
            values = np.zeros(self.sizes.get(chrom, 0), dtype=np.float32)
            for start in range(0, len(values), _BLOCK):
                # a bigWig without any entry gives an empty list here
                end = min(start + _BLOCK, len(values))
                part = np.asarray(self._bigwig.values(self._names[chrom], start, end, numpy=True))
                values[start : start + len(part)] = np.where(np.isnan(part), 0, part)
            self._loaded = chrom, values
        return self._loaded[1]

    def windows(self, chroms: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
        """Values of windows, float32 ``(n, width)``, in the order given; 0 beyond the ends of a chromosome.

        Parameters
        ----------
        chroms, starts
            Chromosome names and first positions, ``(n,)``, in any order.
        width
            In bp.
        """
        values = np.zeros((len(starts), width), dtype=np.float32)
        for rows, part in self._parts(chroms, starts, width):
            values[rows] = part
        return values

    def region_sums(self, chroms: np.ndarray, centres: np.ndarray, width: int) -> np.ndarray:
        """Sums over ``[centre - width // 2, centre - width // 2 + width)``, float64 ``(n,)``, in the order given."""
        sums = np.zeros(len(centres))
        for rows, part in self._parts(chroms, np.asarray(centres) - width // 2, width):
            sums[rows] = part.sum(axis=1, dtype=np.float64)
        return sums

    def _parts(self, chroms: np.ndarray, starts: np.ndarray, width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of some windows of one chromosome and their values ``(rows, width)``."""
        starts = np.asarray(starts, dtype=np.int64)
        names, group = np.unique(np.asarray(chroms).astype(str), return_inverse=True)
        order = np.argsort(group, kind="stable")
        lasts = np.cumsum(np.bincount(group, minlength=len(names))).tolist()
        for chrom, first, last in zip(names, [0, *lasts], lasts, strict=False):
            dense = self.chromosome(str(chrom))
            for at in range(first, last, _ROWS):
                rows = order[at : min(at + _ROWS, last)]
                yield rows, _gather(dense, starts[rows], width)

    def close(self) -> None:
        """Close the file."""
        self._loaded = None
        self._bigwig.close()

    def __enter__(self) -> Coverage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _gather(dense: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """Windows ``(n, width)`` of a dense array, 0 beyond its ends."""
    values = np.zeros((len(starts), width), dtype=dense.dtype)
    whole = (starts >= 0) & (starts + width <= len(dense))
    if whole.any():
        values[whole] = np.lib.stride_tricks.sliding_window_view(dense, width)[starts[whole]]
    for row in np.flatnonzero(~whole):
        start = int(starts[row])
        inner = dense[max(start, 0) : max(start + width, 0)]
        values[row, max(-start, 0) : max(-start, 0) + len(inner)] = inner
    return values
