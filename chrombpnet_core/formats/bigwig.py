"""Sorted intervals → bigWig (Kent et al. 2010, supplementary tables), compressed on all cores, in bounded memory.

pyBigWig and pybigtools write the same format, one of them on one core with several seconds a ten million intervals and
the other from Python tuples; this is the part of a run that they would dominate. libdeflate compresses:
ISA-L is as fast, but among threads one section in a hundred comes out in other bytes, and equal tracks must be equal files.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.concurrency import in_order, usable_threads
from chrombpnet_core.formats._bigwig_index import SECTION_PLACE, chromosome_tree, section_tree
from chrombpnet_core.formats._bigwig_sections import (
    SUMMARY,
    Intervals,
    TrackSummary,
    compress,
    longest_section,
    section_jobs,
)
from chrombpnet_core.formats.atomic import written_whole
from chrombpnet_core.formats.bigwig_reader import BigWigFile

__all__ = ["Intervals", "write_bigwig"]

_MAGIC = 0x888FFC26
_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_ZOOM_ENTRY = 24  # bytes of a zoom level in the header
_ZOOM_STEP, _ZOOM_LEVELS, _FINEST = 4, 10, 128


def write_bigwig(
    path: str | os.PathLike[str],
    sizes: dict[str, int],
    intervals: Iterable[Intervals],
    expected: int,
    threads: int | None = None,
) -> int:
    """Write a bigWig with zoom levels, whole or not at all.

    Parameters
    ----------
    path
        Where it goes.
    sizes
        Chromosome → length in bp; all are in the header.
    intervals
        In the order of ``sizes``, a chromosome in as many pieces as one likes.
    expected
        Number of intervals, about: the finest zoom level is chosen so that it is smaller than the data.
    threads
        That compress; one per core by default.

    Returns
    -------
    int
        Bases covered by intervals.

    Raises
    ------
    OSError
        Where the disk does not take it, or what it took cannot be read again.
    """
    finest = _FINEST
    while finest * max(expected, 1) < 8 * sum(sizes.values()):
        finest *= _ZOOM_STEP
    widths = [finest * _ZOOM_STEP**level for level in range(_ZOOM_LEVELS)]
    widths = [width for width in widths if width < max(sizes.values())]
    with written_whole(path) as unfinished:
        covered = _write(unfinished, sizes, intervals, widths, finest, threads)
        _check_written(unfinished, Path(path), sizes, covered)
    return covered


def _write(
    path: Path, sizes: dict[str, int], intervals: Iterable[Intervals], widths: list[int], finest: int, threads: int | None
) -> int:
    """Write header, names, data, zoom levels and indexes; the bases covered."""
    with ExitStack() as stack:
        target = stack.enter_context(open(path, "wb"))
        summary_at = _HEADER.size + _ZOOM_ENTRY * len(widths)
        target.write(bytes(summary_at + SUMMARY.size))
        tree_at = target.tell()
        target.write(chromosome_tree(sizes, tree_at))
        data_at = target.tell()
        target.write(bytes(8))
        zooms = [_Level(stack.enter_context(tempfile.TemporaryFile(dir=path.parent))) for _ in widths]
        levels = [_Level(target), *zooms]
        summary = TrackSummary()
        jobs = section_jobs(intervals, sizes, widths, finest, summary)
        for job, places, packed in in_order(compress, jobs, usable_threads(threads)):
            levels[job.level].append(places, packed, len(job.records))
        index_at = target.tell()
        target.write(levels[0].index(index_at, 0))
        entries = [_copy_zoom(target, level, width) for level, width in zip(zooms, widths, strict=True)]
        target.write(struct.pack("<I", _MAGIC))
        target.seek(0)
        places_of = (tree_at, data_at, index_at)
        target.write(_HEADER.pack(_MAGIC, 4, len(widths), *places_of, 0, 0, 0, summary_at, longest_section()[1], 0))
        target.write(b"".join(entries) + summary.packed())
        target.seek(data_at)
        target.write(struct.pack("<Q", sum(map(len, levels[0].places))))
    return summary.covered


def _check_written(written: Path, target: Path, sizes: dict[str, int], covered: int) -> None:
    """Read the file again: a full disk goes unnoticed otherwise."""
    file = BigWigFile(written)
    file.close()
    if file.covered != covered or file.sizes != sizes:
        raise OSError(f"{target}: the bigWig was not written whole; is the disk full?")


@dataclass
class _Level:
    """Compressed sections of the data or of a zoom level in a file, and where they lie."""

    handle: BinaryIO
    places: list[AnyArray] = field(default_factory=list)
    records: int = 0

    def append(self, places: AnyArray, packed: list[bytearray], records: int) -> None:
        self.records += records
        places["offset"] = self.handle.tell() + np.cumsum(places["size"]) - places["size"]
        self.handle.writelines(packed)
        self.places.append(places)

    def index(self, position: int, shift: int) -> bytes:
        """Build the R tree over the sections, to be written at byte ``position``; offsets grow by ``shift``."""
        places = np.concatenate(self.places) if self.places else np.empty(0, dtype=SECTION_PLACE)
        places["offset"] += np.uint64(shift)
        return section_tree(places, position, longest_section()[0])


def _copy_zoom(target: BinaryIO, level: _Level, width: int) -> bytes:
    """Append a zoom level and its index; its entry in the file's header."""
    data_at = target.tell()
    target.write(struct.pack("<I", level.records))
    level.handle.seek(0)
    while piece := level.handle.read(1 << 22):
        target.write(piece)
    index_at = target.tell()
    target.write(level.index(index_at, data_at + 4))
    return struct.pack("<IIQQ", width, 0, data_at, index_at)
