"""Intervals to the sections of a bigWig: those of the data and of each zoom level, compressed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.formats import _bigwig_zoom_loops
from chrombpnet_core.formats._bigwig_index import SECTION_PLACE

__all__ = ["SUMMARY", "Intervals", "SectionJob", "TrackSummary", "compress", "longest_section", "section_jobs"]

SUMMARY = struct.Struct("<Qdddd")
_ITEMS = 1024  # intervals, or bins of a zoom level, in a compressed section
_SECTIONS = 64  # sections that a thread compresses at a time
_ZOOM_STEP = 4
_LEVEL = 1  # of compression

_INTERVAL = np.dtype([("start", "<u4"), ("end", "<u4"), ("value", "<f4")])
_SUMS = ("covered", "least", "most", "sum", "squares")
_BIN = np.dtype(
    [("chrom", "<u4"), ("start", "<u4"), ("end", "<u4"), ("covered", "<u4"), *((name, "<f4") for name in _SUMS[1:])]
)

_Bins = tuple[AnyArray, AnyArray]  # numbers of bins, and their sums


class Intervals(NamedTuple):
    """Intervals of one chromosome, sorted and apart: starts and ends int64 ``(n,)``, values float32 ``(n,)``."""

    chrom: str
    starts: AnyArray
    ends: AnyArray
    values: AnyArray


class SectionJob(NamedTuple):
    """Records that make some sections of the data (``level`` 0) or of a zoom level (1…)."""

    level: int
    chrom: int
    records: AnyArray


@dataclass
class TrackSummary:
    """Covered bases, extremes, sum and sum of squares of a track, each base counted once."""

    covered: int = 0
    least: float = math.inf
    most: float = -math.inf
    sum: float = 0.0
    squares: float = 0.0

    def add(self, sums: AnyArray) -> None:
        """Add bins as :func:`chrombpnet_core.formats._bigwig_zoom_loops.zoom_intervals` has them."""
        if len(sums):
            self.covered += int(sums[:, 0].sum())
            self.least, self.most = min(self.least, float(sums[:, 1].min())), max(self.most, float(sums[:, 2].max()))
            self.sum += float(sums[:, 3].sum())
            self.squares += float(sums[:, 4].sum())

    def packed(self) -> bytes:
        """Pack the summary as a bigWig holds it."""
        least, most = (self.least, self.most) if self.covered else (0.0, 0.0)
        return SUMMARY.pack(self.covered, least, most, self.sum, self.squares)


def longest_section() -> tuple[int, int]:
    """Tell the records of a full section, and its bytes before compression."""
    return _ITEMS, 24 + _ITEMS * _BIN.itemsize


def section_jobs(
    intervals: Iterable[Intervals], sizes: dict[str, int], widths: list[int], finest: int, summary: TrackSummary
) -> Iterator[SectionJob]:
    """Divide intervals and their zoom levels into jobs, in the order in which sections are written.

    Parameters
    ----------
    intervals
        In the order of ``sizes``, a chromosome in as many pieces as one likes.
    sizes
        Chromosome → length in bp.
    widths
        Of the bins of each zoom level, in bp.
    finest
        Width of the bins that intervals are summarised by at first: the first of ``widths`` where there are any.
    summary
        Filled with the numbers of the whole track.

    Yields
    ------
    SectionJob
        Records of some sections.
    """
    numbers = {name: number for number, name in enumerate(sizes)}
    step = _ITEMS * _SECTIONS
    chrom, size = -1, 0
    bins: list[_Bins] = []
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
        yield from (SectionJob(0, chrom, records[first : first + step]) for first in range(0, len(records), step))
    yield from _zoom_jobs(chrom, size, bins, widths)


def _binned(starts: AnyArray, ends: AnyArray, values: AnyArray, width: int) -> _Bins:
    """Summarise intervals by the bins that they touch."""
    room = (ends[-1] - 1) // width - starts[0] // width + 1
    numbers, sums = np.empty(room, dtype=np.int64), np.empty((room, 5))
    filled = _bigwig_zoom_loops.zoom_intervals(starts, ends, values, width, numbers, sums)
    return numbers[:filled].copy(), sums[:filled].copy()


def _zoom_jobs(chrom: int, size: int, bins: list[_Bins], widths: list[int]) -> Iterator[SectionJob]:
    """All zoom levels of a chromosome from the bins of the finest."""
    if not bins or not widths:
        return
    numbers, sums = (np.concatenate(columns) for columns in zip(*bins, strict=True))
    step = _ITEMS * _SECTIONS
    for level, width in enumerate(widths):
        coarse, coarse_sums = np.empty_like(numbers), np.empty_like(sums)
        # once at the finest level too: pieces of a chromosome may meet inside a bin
        filled = _bigwig_zoom_loops.zoom_summaries(numbers, sums, _ZOOM_STEP if level else 1, coarse, coarse_sums)
        numbers, sums = coarse[:filled].copy(), coarse_sums[:filled].copy()
        records = np.empty(filled, dtype=_BIN)
        records["chrom"], records["start"] = chrom, numbers * width
        records["end"] = np.minimum((numbers + 1) * width, size)
        for column, name in enumerate(_SUMS):
            records[name] = sums[:, column]
        yield from (SectionJob(1 + level, chrom, records[first : first + step]) for first in range(0, filled, step))


def compress(job: SectionJob) -> tuple[SectionJob, AnyArray, list[bytearray]]:
    """Compress the sections of a job.

    Parameters
    ----------
    job
        Records of some sections.

    Returns
    -------
    tuple
        The job, where its sections lie in the genome (:data:`SECTION_PLACE`, sizes filled, offsets not), and their bytes.
    """
    import deflate

    pieces = [job.records[first : first + _ITEMS] for first in range(0, len(job.records), _ITEMS)]
    places = np.zeros(len(pieces), dtype=SECTION_PLACE)
    packed = []
    for place, piece in zip(places, pieces, strict=True):
        first, last = int(piece["start"][0]), int(piece["end"][-1])
        place["first_chrom"] = place["last_chrom"] = job.chrom
        place["first"], place["last"] = first, last
        head = b"" if job.level else struct.pack("<IIIIIBBH", job.chrom, first, last, 0, 0, 1, 0, len(piece))
        packed.append(deflate.zlib_compress(head + piece.tobytes(), _LEVEL))
        place["size"] = len(packed[-1])
    return job, places, packed
