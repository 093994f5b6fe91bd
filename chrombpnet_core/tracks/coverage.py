"""Values per base of a bigWig: whole chromosomes, windows, sums over regions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from chrombpnet_core._types import Floats, Ints
from chrombpnet_core.errors import DamagedError, InputError
from chrombpnet_core.formats import BigWigFile, require_file
from chrombpnet_core.genome import Naming

__all__ = ["Coverage"]

_ROWS = 4096  # windows summed at a time


class Coverage:
    """Values per base of a bigWig, one chromosome in memory at a time; bases without a value are 0.

    Parameters
    ----------
    path
        A bigWig file.
    naming
        How its chromosome names are read; without it, as they are.
    sizes
        The genome's chromosomes, by which names are read.

    Attributes
    ----------
    path
        The file.
    sizes
        Chromosome → length in bp, of those that the file has, by the genome's names.
    covered
        Bases with a value, as the file's header has them; 0 where it has no summary.

    Raises
    ------
    InputError
        Where it is no bigWig, or damaged; also when a chromosome is read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from chrombpnet_core.formats import Intervals, write_bigwig
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "insertions.bw")
    >>> _ = write_bigwig(path, {"chrI": 9}, [Intervals("chrI", np.array([2]), np.array([4]), np.array([5], "f4"))], 1)
    >>> with Coverage(path) as coverage:
    ...     print(coverage.windows(["chrI"], [1], 4), coverage.region_sums(["chrI"], [3], 4))
    [[0. 5. 5. 0.]] [10.]
    >>> folder.cleanup()
    """

    def __init__(
        self, path: str | os.PathLike[str], naming: Naming | None = None, sizes: Mapping[str, int] | None = None
    ) -> None:
        self.path = str(require_file(path, "bigWig"))
        with self._damage_named("cannot be read as bigWig"):
            self._bigwig = BigWigFile(self.path)
        in_file, self.covered = self._bigwig.sizes, self._bigwig.covered
        changed = (naming or Naming()).translate(in_file, sizes or {})
        self._names = {changed.get(name, name): name for name in in_file}
        self.sizes = {changed.get(name, name): size for name, size in in_file.items()}
        self._loaded: tuple[str, Floats] | None = None

    def chromosome(self, chrom: str) -> Floats:
        """Read all values of a chromosome, float32 ``(size,)``, not to be changed; empty for one that the file lacks."""
        if self._loaded is None or self._loaded[0] != chrom:
            self._loaded = None  # let go of the one before first
            values: Floats = np.zeros(0, dtype=np.float32)
            if chrom in self.sizes:
                with self._damage_named("the bigWig is damaged"):
                    values = self._bigwig.values(self._names[chrom])
            self._loaded = chrom, values
        return self._loaded[1]

    def windows(self, chroms: npt.ArrayLike, starts: npt.ArrayLike, width: int) -> Floats:
        """Read windows.

        Parameters
        ----------
        chroms
            Chromosome names, ``(n,)``, in any order.
        starts
            First positions, ``(n,)``.
        width
            Of every window in bp.

        Returns
        -------
        ndarray
            Values, float32 ``(n, width)``, in the order given; 0 beyond the ends of a chromosome.
        """
        first = np.asarray(starts, dtype=np.int64)
        values = np.zeros((len(first), width), dtype=np.float32)
        for rows, block in self._blocks(chroms, first, width):
            values[rows] = block
        return values

    def region_sums(self, chroms: npt.ArrayLike, centres: npt.ArrayLike, width: int) -> Floats:
        """Sum the values over windows ``[centre - width // 2, centre - width // 2 + width)``.

        Parameters
        ----------
        chroms
            Chromosome names, ``(n,)``, in any order.
        centres
            Positions, ``(n,)``.
        width
            Of every window in bp.

        Returns
        -------
        ndarray
            float64 ``(n,)``, in the order given.
        """
        first = np.asarray(centres, dtype=np.int64) - width // 2
        sums = np.zeros(len(first))
        for rows, block in self._blocks(chroms, first, width):
            sums[rows] = block.sum(axis=1, dtype=np.float64)
        return sums

    def _blocks(self, chroms: npt.ArrayLike, starts: Ints, width: int) -> Iterator[tuple[Ints, Floats]]:
        """Read windows in blocks of one chromosome: their rows, and values ``(rows, width)``."""
        names, group = np.unique(np.asarray(chroms).astype(str), return_inverse=True)
        order = np.argsort(group, kind="stable")
        lasts = np.cumsum(np.bincount(group, minlength=len(names))).tolist()
        for chrom, first, last in zip(names, [0, *lasts], lasts, strict=False):
            dense = self.chromosome(str(chrom))
            for begin in range(first, last, _ROWS):
                rows = order[begin : min(begin + _ROWS, last)]
                yield rows, _windows(dense, starts[rows], width)

    def sections(self, most: int) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Read some sections of the file, evenly spread over all of it.

        Parameters
        ----------
        most
            Sections to read at most.

        Yields
        ------
        tuple
            Starts and ends, int64 ``(m,)``, and values, float32 ``(m,)``, of the intervals of a section, some 1,000.
        """
        number = len(self._bigwig.sections)
        for row in np.unique(np.linspace(0, number - 1, min(most, number)).astype(int)).tolist():
            with self._damage_named("the bigWig is damaged"):
                section = self._bigwig.section(row)
            yield section

    @contextmanager
    def _damage_named(self, what: str) -> Iterator[None]:
        """Turn damage into an error that names the file."""
        try:
            yield
        except DamagedError as error:
            raise InputError(
                f"{self.path}: {what}", found=str(error), remedy="copy or make it again, or give a bigWig"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._loaded = None
        self._bigwig.close()

    def __enter__(self) -> Coverage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _windows(dense: Floats, starts: Ints, width: int) -> Floats:
    """Cut windows ``(n, width)`` of a dense array, 0 beyond its ends."""
    values = np.zeros((len(starts), width), dtype=dense.dtype)
    whole = (starts >= 0) & (starts + width <= len(dense))
    if whole.any():
        values[whole] = np.lib.stride_tricks.sliding_window_view(dense, width)[starts[whole]]
    for row in np.flatnonzero(~whole):
        start = int(starts[row])
        inner = dense[max(start, 0) : max(start + width, 0)]
        values[row, max(-start, 0) : max(-start, 0) + len(inner)] = inner
    return values
