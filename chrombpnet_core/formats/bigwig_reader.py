"""bigWig → intervals, every offset, count and checksum looked at before it is followed.

libBigWig, the other reader, trusts what a file says of itself and ends the process where that is wrong. Kent et al. 2010,
supplementary tables, has the format: a header, a tree of chromosome names, compressed sections of intervals, and a tree
over these. Zoom levels are not read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from chrombpnet_core._types import AnyArray, Floats, Ints
from chrombpnet_core.concurrency import in_order, usable_threads
from chrombpnet_core.errors import DamagedError
from chrombpnet_core.formats._bigwig_index import SECTION_PLACE, read_chromosome_tree, read_exactly, read_section_tree
from chrombpnet_core.formats._bigwig_sections import SUMMARY

__all__ = ["BigWigFile"]

_MAGIC = 0x888FFC26
_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_LONGEST = 24 + 65_535 * 12  # bytes of a section: its header, and as many intervals as that can count
_SECTIONS = 64  # that a thread unpacks at a time


class BigWigFile:
    """A bigWig, open to be read.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    sizes
        Chromosome → length in bp, in the order of their numbers in the file.
    covered
        Bases that have a value, by the summary in the header; 0 where the file has none.
    sections
        Where each section lies in the genome and in the file, :data:`SECTION_PLACE` ``(n,)``, in the order of the index.

    Raises
    ------
    DamagedError
        Where it is no bigWig, or header, names or index are truncated or damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file: BinaryIO = open(path, "rb")  # noqa: SIM115  # closed by close()
        try:
            self._open(os.path.getsize(path))
        except BaseException:
            self._file.close()
            raise

    def _open(self, size: int) -> None:
        self._size = size
        head = self._file.read(_HEADER.size)
        if int.from_bytes(head[:4], "little") != _MAGIC:
            big = head[:4] == _MAGIC.to_bytes(4, "big")
            raise DamagedError("it is of a machine with another order of bytes" if big else "it does not begin as a bigWig")
        if len(head) < _HEADER.size:
            raise DamagedError("its header is not whole")
        _, version, _, names_at, data_at, index_at, *_, summary_at, unpacked, _ = _HEADER.unpack(head)
        if not 1 <= version <= 4:
            raise DamagedError(f"its header gives version {version}, and there are 1 to 4")
        self._unpacked = min(unpacked, _LONGEST)  # bytes of a section; 0: not compressed
        names = read_chromosome_tree(self._file, names_at, size)
        self.sizes = {name: length for name, _, length in names}
        self._numbers = {name: number for name, number, _ in names}
        promised, self.sections = (0, np.empty(0, dtype=SECTION_PLACE))  # libBigWig writes no index where there is no value
        if index_at:
            promised, self.sections = read_section_tree(self._file, index_at, size)
        self._check_whole(data_at, index_at, promised)
        self.covered = 0
        if summary_at:
            self.covered = SUMMARY.unpack(read_exactly(self._file, summary_at, SUMMARY.size, size))[0]

    def _check_whole(self, data_at: int, index_at: int, promised: int) -> None:
        """Refuse an index that lacks sections: by its own number, by the data's, and by the bytes that they fill."""
        number = struct.unpack("<Q", read_exactly(self._file, data_at, 8, self._size))[0]
        filled = data_at + 8 + int(self.sections["size"].sum()) == index_at
        if index_at and len(self.sections) not in (promised, number) and not filled:
            raise DamagedError("its index does not hold all of its data")
        if not index_at and number:
            raise DamagedError("it has no index")
        if (self.sections["last_chrom"] >= len(self.sizes)).any():
            raise DamagedError("its index has sections of a chromosome without a name")

    def intervals(self, chrom: str, threads: int | None = None) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Read the intervals of a chromosome.

        Parameters
        ----------
        chrom
            Its name.
        threads
            That decompress; one per core by default.

        Yields
        ------
        tuple
            Starts and ends, int64 ``(m,)``, and values, float32 ``(m,)``, of intervals that do not overlap.

        Raises
        ------
        DamagedError
            Where a section is damaged.
        """
        number, size = self._numbers[chrom], self.sizes[chrom]
        places = self.sections[(self.sections["first_chrom"] <= number) & (number <= self.sections["last_chrom"])]
        jobs = (self._read(places[first : first + _SECTIONS]) for first in range(0, len(places), _SECTIONS))
        yield from in_order(lambda job: self._unpack(*job, number, size), jobs, usable_threads(threads))

    def values(self, chrom: str, threads: int | None = None) -> Floats:
        """Read a chromosome base by base.

        Parameters
        ----------
        chrom
            Its name.
        threads
            That decompress; one per core by default.

        Returns
        -------
        ndarray
            float32 ``(size,)``; 0 where there is no value or one that is no number.

        Raises
        ------
        DamagedError
            Where a section is damaged.
        """
        from chrombpnet_core.formats._bigwig_section_loops import fill  # imports numba

        dense = np.zeros(self.sizes[chrom], dtype=np.float32)
        for starts, ends, values in self.intervals(chrom, threads):
            fill(dense, starts, ends, values)
        return dense

    def section(self, row: int) -> tuple[Ints, Ints, Floats]:
        """Read the intervals of one section.

        Parameters
        ----------
        row
            Of :attr:`sections`.

        Returns
        -------
        tuple
            As those of :meth:`intervals`, of the section's first chromosome.
        """
        place = self.sections[row : row + 1]
        number = int(place["first_chrom"][0])
        name = next(name for name, of in self._numbers.items() if of == number)
        return self._unpack(*self._read(place), number, self.sizes[name])

    def _read(self, places: AnyArray) -> tuple[list[bytes], AnyArray]:
        """Read sections as they lie in the file."""
        packed = []
        for offset, size in zip(places["offset"].tolist(), places["size"].tolist(), strict=True):
            self._file.seek(offset)
            packed.append(self._file.read(size))
        return packed, places

    def _unpack(self, packed: list[bytes], places: AnyArray, number: int, size: int) -> tuple[Ints, Ints, Floats]:
        from chrombpnet_core.formats._bigwig_section_loops import unpack_sections  # imports numba

        pieces = [self._inflated(data, offset) for data, offset in zip(packed, places["offset"].tolist(), strict=True)]
        borders = np.cumsum([0, *(len(piece) // 4 for piece in pieces)])
        words = np.frombuffer(b"".join(pieces), dtype="<u4")
        starts, ends = np.empty(len(words), dtype=np.int64), np.empty(len(words), dtype=np.int64)
        values = np.empty(len(words), dtype=np.float32)
        of_place = places["first_chrom"].astype(np.int64), places["last_chrom"].astype(np.int64)
        filled, bad = unpack_sections(words, words.view("<f4"), borders, *of_place, number, size, starts, ends, values)
        if bad >= 0:
            raise DamagedError(f"the section at byte {places['offset'][bad]:,} holds no intervals of a bigWig")
        return starts[:filled], ends[:filled], values[:filled]

    def _inflated(self, data: bytes, offset: int) -> bytes | bytearray:
        """Decompress a section, whose checksum is verified."""
        content: bytes | bytearray = data
        if self._unpacked:
            import deflate

            try:
                content = deflate.zlib_decompress(data, self._unpacked)
            except deflate.DeflateError as error:
                raise DamagedError(f"the section at byte {offset:,} is damaged") from error
        if len(content) % 4 or not 24 <= len(content) <= _LONGEST:
            raise DamagedError(f"the section at byte {offset:,} is {len(content):,} bytes long")
        return content

    def close(self) -> None:
        """Close the file."""
        self._file.close()
