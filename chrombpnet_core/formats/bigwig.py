"""Sorted intervals → bigWig (Kent et al. 2010, supplementary tables), compressed on all cores, in bounded memory.

pyBigWig and pybigtools write the same format, one of them on one core with several seconds a ten million intervals and
the other from Python tuples; this is the part of a run that they would dominate. Readers are theirs. libdeflate compresses:
ISA-L is as fast, but among threads one section in a hundred comes out in other bytes, and equal tracks must be equal files.
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import deflate
import numpy as np

from chrombpnet_core.concurrency import in_order, usable_threads
from chrombpnet_core.formats import _bigwig_zoom

__all__ = ["Intervals", "write_bigwig"]

_MAGIC, _TREE_MAGIC, _INDEX_MAGIC = 0x888FFC26, 0x78CA8C91, 0x2468ACE0
_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_SUMMARY = struct.Struct("<Qdddd")
_ITEMS = 1024  # intervals, or bins of a zoom level, in a compressed section
_SECTIONS = 64  # sections that a thread compresses at a time
_NODE = 256  # children of an index node
_ZOOM_STEP, _ZOOM_LEVELS, _FINEST = 4, 10, 128
_LEVEL = 1  # of compression

_INTERVAL = np.dtype([("start", "<u4"), ("end", "<u4"), ("value", "<f4")])
_BIN = np.dtype(
    [
        ("chrom", "<u4"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("covered", "<u4"),
        ("least", "<f4"),
        ("most", "<f4"),
        ("sum", "<f4"),
        ("squares", "<f4"),
    ]
)
_PLACE = np.dtype(
    [("first_chrom", "<u4"), ("first", "<u4"), ("last_chrom", "<u4"), ("last", "<u4"), ("offset", "<u8"), ("size", "<u8")]
)


class Intervals(NamedTuple):
    """Intervals of one chromosome, sorted and apart: starts and ends int64 ``(n,)``, values float32 ``(n,)``."""

    chrom: str
    starts: np.ndarray
    ends: np.ndarray
    values: np.ndarray


def write_bigwig(
    path: str | os.PathLike, sizes: dict[str, int], intervals: Iterable[Intervals], expected: int, threads: int | None = None
) -> int:
    """Write a bigWig with zoom levels.

    Parameters
    ----------
    path
        Where it goes; the caller moves it to its place when it is whole.
    sizes
        Chromosome → length in bp; all are in the header.
    intervals
        In the order of ``sizes``, a chromosome in as many parts as one likes.
    expected
        Number of intervals, about: the finest zoom level is chosen so that it is smaller than the data.
    threads
        That compress; one per core by default.

    Returns
    -------
    Bases covered by intervals.

    Raises
    ------
    OSError
        Where the disk does not take it.
    """
    path = Path(path)
    finest = _FINEST
    while finest * max(expected, 1) < 8 * sum(sizes.values()):
        finest *= _ZOOM_STEP
    widths = [finest * _ZOOM_STEP**level for level in range(_ZOOM_LEVELS)]
    widths = [width for width in widths if width < max(sizes.values())]
    with ExitStack() as stack:
        target = stack.enter_context(open(path, "wb"))
        target.write(bytes(_HEADER.size + 24 * len(widths) + _SUMMARY.size))
        tree_at = target.tell()
        target.write(_chrom_tree(sizes, tree_at))
        data_at = target.tell()
        target.write(bytes(8))
        parts = [_Part(target)] + [_Part(stack.enter_context(tempfile.TemporaryFile(dir=path.parent))) for _ in widths]
        summary = _Summary()
        for job, places, packed in in_order(
            _compress, _jobs(intervals, sizes, finest, widths, summary), usable_threads(threads)
        ):
            parts[job.part].append(places, packed, len(job.records))
        index_at = target.tell()
        target.write(parts[0].index(index_at, 0))
        zooms = [_copy_zoom(target, part, width) for part, width in zip(parts[1:], widths, strict=True)]
        target.write(struct.pack("<I", _MAGIC))
        target.seek(0)
        target.write(
            _HEADER.pack(
                _MAGIC,
                4,
                len(widths),
                tree_at,
                data_at,
                index_at,
                0,
                0,
                0,
                _HEADER.size + 24 * len(widths),
                24 + _ITEMS * _BIN.itemsize,
                0,
            )
        )
        target.write(b"".join(zooms) + summary.packed())
        target.seek(data_at)
        target.write(struct.pack("<Q", sum(map(len, parts[0].places))))
    return summary.covered


@dataclass
class _Summary:
    """Of all values, weighted by bases."""

    covered: int = 0
    least: float = math.inf
    most: float = -math.inf
    sum: float = 0.0
    squares: float = 0.0

    def add(self, sums: np.ndarray) -> None:
        """Add bins as :func:`chrombpnet_core.formats._bigwig_zoom.zoom_intervals` has them."""
        if len(sums):
            self.covered += int(sums[:, 0].sum())
            self.least, self.most = min(self.least, float(sums[:, 1].min())), max(self.most, float(sums[:, 2].max()))
            self.sum += float(sums[:, 3].sum())
            self.squares += float(sums[:, 4].sum())

    def packed(self) -> bytes:
        least, most = (self.least, self.most) if self.covered else (0.0, 0.0)
        return _SUMMARY.pack(self.covered, least, most, self.sum, self.squares)


class _Job(NamedTuple):
    """Records of a part of the file (0: the data, 1…: zoom levels) that make some sections."""

    part: int
    chrom: int
    records: np.ndarray


def _jobs(
    intervals: Iterable[Intervals], sizes: dict[str, int], finest: int, widths: list[int], summary: _Summary
) -> Iterator[_Job]:
    """Work for the threads, in the order in which it is written."""
    numbers = {name: at for at, name in enumerate(sizes)}
    step = _ITEMS * _SECTIONS
    chrom, size, bins = -1, 0, []
    for name, starts, ends, values in intervals:
        if numbers[name] != chrom:
            yield from _zoom_jobs(chrom, size, bins, widths)
            chrom, size, bins = numbers[name], sizes[name], []
        if not len(starts):
            continue
        bins.append(_binned(starts, ends, values, finest))
        summary.add(bins[-1][1])
        records = np.empty(len(starts), dtype=_INTERVAL)
        records["start"], records["end"], records["value"] = starts, ends, values
        yield from (_Job(0, chrom, records[at : at + step]) for at in range(0, len(records), step))
    yield from _zoom_jobs(chrom, size, bins, widths)


def _binned(starts: np.ndarray, ends: np.ndarray, values: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the bins that intervals touch, and their sums; see :func:`zoom_intervals`."""

    room = (ends[-1] - 1) // width - starts[0] // width + 1
    numbers, sums = np.empty(room, dtype=np.int64), np.empty((room, 5))
    filled = _bigwig_zoom.zoom_intervals(starts, ends, values, width, numbers, sums)
    return numbers[:filled].copy(), sums[:filled].copy()


def _zoom_jobs(chrom: int, size: int, bins: list[tuple[np.ndarray, np.ndarray]], widths: list[int]) -> Iterator[_Job]:
    """All zoom levels of a chromosome from the bins of the finest."""
    if not bins or not widths:
        return

    numbers, sums = (np.concatenate(each) for each in zip(*bins, strict=True))
    step = _ITEMS * _SECTIONS
    for level, width in enumerate(widths):
        coarse, coarse_sums = np.empty_like(numbers), np.empty_like(sums)
        # once at the finest level too: parts of a chromosome may meet inside a bin
        filled = _bigwig_zoom.zoom_summaries(numbers, sums, _ZOOM_STEP if level else 1, coarse, coarse_sums)
        numbers, sums = coarse[:filled].copy(), coarse_sums[:filled].copy()
        records = np.empty(filled, dtype=_BIN)
        records["chrom"], records["start"] = chrom, numbers * width
        records["end"] = np.minimum((numbers + 1) * width, size)
        for at, name in enumerate(("covered", "least", "most", "sum", "squares")):
            records[name] = sums[:, at]
        yield from (_Job(1 + level, chrom, records[at : at + step]) for at in range(0, filled, step))


def _compress(job: _Job) -> tuple[_Job, np.ndarray, list[bytes]]:
    """Sections of a job: where they lie in the genome, and their bytes."""
    pieces = [job.records[at : at + _ITEMS] for at in range(0, len(job.records), _ITEMS)]
    places = np.zeros(len(pieces), dtype=_PLACE)
    packed = []
    for place, piece in zip(places, pieces, strict=True):
        first, last = int(piece["start"][0]), int(piece["end"][-1])
        place["first_chrom"] = place["last_chrom"] = job.chrom
        place["first"], place["last"] = first, last
        head = b"" if job.part else struct.pack("<IIIIIBBH", job.chrom, first, last, 0, 0, 1, 0, len(piece))
        packed.append(deflate.zlib_compress(head + piece.tobytes(), _LEVEL))
        place["size"] = len(packed[-1])
    return job, places, packed


@dataclass
class _Part:
    """Compressed sections in a file, and where they lie."""

    handle: BinaryIO
    places: list[np.ndarray] = field(default_factory=list)
    records: int = 0

    def append(self, places: np.ndarray, packed: list[bytes], records: int) -> None:
        self.records += records
        places["offset"] = self.handle.tell() + np.cumsum(places["size"]) - places["size"]
        self.handle.writelines(packed)
        self.places.append(places)

    def index(self, at: int, shift: int) -> bytes:
        """The R tree over the sections, to be written at byte ``at``; offsets grow by ``shift``."""
        places = np.concatenate(self.places) if self.places else np.empty(0, dtype=_PLACE)
        places["offset"] += np.uint64(shift)
        levels = [places]
        while len(levels[0]) > _NODE:
            groups = np.arange(0, len(levels[0]), _NODE)
            above = levels[0][groups].copy()
            lasts = levels[0][np.minimum(groups + _NODE, len(levels[0])) - 1]
            above["last_chrom"], above["last"] = lasts["last_chrom"], lasts["last"]
            levels.insert(0, above)
        bounds = (0, 0, 0, 0)
        if len(places):
            bounds = (*places[0].tolist()[:2], *places[-1].tolist()[2:4])
        header = struct.pack("<IIQIIIIQII", _INDEX_MAGIC, _NODE, len(places), *bounds, at, _ITEMS, 0)
        return header + _tree(levels, at + len(header), list(_PLACE.names[:4]))


def _tree(levels: list[np.ndarray], at: int, inner: list[str]) -> bytes:
    """Nodes of a tree, level by level from the root, to be written at byte ``at``.

    Parameters
    ----------
    levels
        Items of each level; that of the leaves is written as it is.
    at
        Where the root goes.
    inner
        Fields that an item above the leaves has before the place of its child.
    """
    parts = []
    for depth, items in enumerate(levels):
        leaf = depth == len(levels) - 1
        if not leaf:
            fields = [(name, items.dtype[name]) for name in inner]
            rows = np.empty(len(items), dtype=[*fields, ("child", "<u8")])
            for name in inner:
                rows[name] = items[name]
            items = rows
        nodes = [items[first : first + _NODE] for first in range(0, max(len(items), 1), _NODE)]
        at += 4 * len(nodes) + items.nbytes
        if not leaf:
            below = levels[depth + 1]
            size = below.itemsize if depth + 1 == len(levels) - 1 else items.itemsize
            items["child"] = at + np.arange(len(items)) * (4 + _NODE * size)
        for node in nodes:
            parts += [struct.pack("<BBH", leaf, 0, len(node)), node.tobytes()]
    return b"".join(parts)


def _chrom_tree(sizes: dict[str, int], at: int) -> bytes:
    """The B+ tree of names, sorted as its readers search it, to be written at byte ``at``."""
    keys = sorted((name.encode(), number, size) for number, (name, size) in enumerate(sizes.items()))
    width = max(len(name) for name, _, _ in keys)
    levels = [np.array(keys, dtype=[("key", f"S{width}"), ("number", "<u4"), ("size", "<u4")])]
    while len(levels[0]) > _NODE:
        levels.insert(0, levels[0][::_NODE])
    header = struct.pack("<IIIIQQ", _TREE_MAGIC, _NODE, width, 8, len(keys), 0)
    return header + _tree(levels, at + len(header), ["key"])


def _copy_zoom(target: BinaryIO, part: _Part, width: int) -> bytes:
    """Append a zoom level and its index; its entry in the file's header."""
    data_at = target.tell()
    target.write(struct.pack("<I", part.records))
    part.handle.seek(0)
    while piece := part.handle.read(1 << 22):
        target.write(piece)
    index_at = target.tell()
    target.write(part.index(index_at, data_at + 4))
    return struct.pack("<IIQQ", width, 0, data_at, index_at)
