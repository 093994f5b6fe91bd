"""Reads for the benchmarks, from a seed: the same fragments as BAM and as fragments file, in any order.

The BAM looks like an aligner's: paired reads of 50 bp with sequence, binned qualities and a few tags.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

READ = 50
_NIBBLES = np.array([16 * a + b for a in (1, 2, 4, 8) for b in (1, 2, 4, 8)], dtype=np.uint8)
_QUALITIES = np.array([37] * 13 + [25] * 2 + [11], dtype=np.uint8)
_NAME = b"A00123:45:HXXXXDSX1:1:1101:000000000\x00"
_TAGS = b"NMC\x00MDZ50\x00ASC\x64XSC\x00"
_AT_ONCE = 400_000  # records made in memory at a time
_BLOCK = 65_280  # bytes in a bgzip block, as htslib has it
_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@dataclass(frozen=True)
class Reads:
    """Fragments: chromosome index, start and end, each ``(n,)``; and the genome's sizes."""

    sizes: dict[str, int]
    chroms: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def make_fragments(sizes: dict[str, int], count: int, seed: int) -> Reads:
    """Fragments of 50 bp or more, a third of them in peaks, sorted by chromosome and start."""
    rng = np.random.default_rng(seed)
    lengths = READ + rng.gamma(1.6, 80, count).astype(np.int64)
    borders = np.concatenate([[0], np.cumsum([*sizes.values()])])
    peaks = rng.integers(0, borders[-1], max(20, borders[-1] // 50_000))
    where = rng.integers(0, borders[-1], count)
    inside = rng.random(count) < 1 / 3
    where[inside] = peaks[rng.integers(0, len(peaks), inside.sum())] + rng.normal(0, 120, inside.sum()).astype(np.int64)
    where = np.sort(np.clip(where, 0, borders[-1] - 1))
    chroms = np.searchsorted(borders, where, side="right") - 1
    starts = np.clip(where - borders[chroms], 0, np.diff(borders)[chroms] - lengths)
    order = np.lexsort((starts, chroms))
    chroms, starts, lengths = chroms[order], starts[order], lengths[order]
    return Reads(sizes, chroms, starts, starts + lengths)


def shuffled(reads: Reads, seed: int) -> Reads:
    """The same fragments in random order."""
    order = np.random.default_rng(seed).permutation(len(reads.starts))
    return Reads(reads.sizes, reads.chroms[order], reads.starts[order], reads.ends[order])


def write_sizes(reads: Reads, path: Path) -> Path:
    """Chromosome sizes, tab-separated."""
    path.write_text("".join(f"{name}\t{size}\n" for name, size in reads.sizes.items()))
    return path


def write_fragments(reads: Reads, path: Path) -> Path:
    """A bgzip fragments file: chromosome, start, end, barcode, count."""
    names = [*reads.sizes]
    barcodes = ["".join(letters) + "-1" for letters in np.random.default_rng(0).choice([*"ACGT"], (5000, 16))]
    cells = np.random.default_rng(1).integers(0, 5000, len(reads.starts))

    def blocks() -> Iterator[bytes]:
        for first in range(0, len(reads.starts), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            rows = zip(
                reads.chroms[part].tolist(),
                reads.starts[part].tolist(),
                reads.ends[part].tolist(),
                cells[part].tolist(),
                strict=True,
            )
            text = "".join(
                f"{names[chrom]}\t{start}\t{end}\t{barcodes[cell]}\t1\n" for chrom, start, end, cell in rows
            ).encode()
            yield from (text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK))

    return _write_blocks(path, blocks(), 6)


def write_bam(reads: Reads, path: Path, by_name: bool = False, whole: bool = True) -> Path:
    """Two alignments a fragment, sorted by position or by name (in the fragments' order); ``whole`` ones have bases."""
    count = len(reads.starts)
    number = np.repeat(np.arange(count), 2)
    minus = np.tile([False, True], count)
    starts = np.where(minus, reads.ends[number] - READ, reads.starts[number])
    if not by_name:
        order = np.lexsort((starts, reads.chroms[number]))
        number, minus = number[order], minus[order]
    header = "@HD\tVN:1.6\tSO:" + ("queryname" if by_name else "coordinate") + "\n"
    header += "".join(f"@SQ\tSN:{name}\tLN:{size}\n" for name, size in reads.sizes.items())
    head = [b"BAM\x01", np.int32(len(header)).tobytes(), header.encode(), np.int32(len(reads.sizes)).tobytes()]
    for name, size in reads.sizes.items():
        head += [np.int32(len(name) + 1).tobytes(), name.encode() + b"\x00", np.int32(size).tobytes()]
    rng = np.random.default_rng(2)

    def blocks() -> Iterator[bytes]:
        yield b"".join(head)
        for first in range(0, len(number), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            records = _records(reads, number[part], minus[part], rng, whole)
            step = _BLOCK // records.itemsize  # a block holds whole records, as htslib has it
            yield from (records[at : at + step].tobytes() for at in range(0, len(records), step))

    return _write_blocks(path, blocks(), 6 if whole else 1)


def _write_blocks(path: Path, blocks: Iterable[bytes], level: int) -> Path:
    """A bgzip file, compressed on all cores; it appears whole or not at all."""
    unfinished = path.with_name(path.name + ".part")

    def packed(block: bytes) -> bytes:
        body = zlib.compress(block, level, wbits=-15)
        return (
            bytes.fromhex("1f8b08040000000000ff060042430200")
            + struct.pack("<H", len(body) + 25)
            + body
            + struct.pack("<II", zlib.crc32(block), len(block))
        )

    with open(unfinished, "wb") as handle, ThreadPoolExecutor() as pool:
        some: list[bytes] = []
        for block in blocks:
            some.append(block)
            if len(some) == 256:
                handle.writelines(pool.map(packed, some))
                some = []
        handle.writelines(pool.map(packed, some))
        handle.write(_END)
    os.replace(unfinished, path)
    return path


def _records(reads: Reads, number: np.ndarray, minus: np.ndarray, rng: np.random.Generator, whole: bool) -> np.ndarray:
    """BAM records of alignments of one cigar, ``50M``."""
    bases = READ if whole else 0
    record = np.dtype(
        [
            ("size", "<i4"),
            ("reference", "<i4"),
            ("start", "<i4"),
            ("name_size", "u1"),
            ("quality", "u1"),
            ("bin", "<u2"),
            ("operations", "<u2"),
            ("flag", "<u2"),
            ("bases", "<i4"),
            ("mate", "<i4"),
            ("mate_start", "<i4"),
            ("insert", "<i4"),
            ("name", "u1", len(_NAME)),
            ("cigar", "<u4"),
            ("sequence", "u1", bases // 2),
            ("qualities", "u1", bases),
            ("tags", "u1", len(_TAGS) * whole),
        ]
    )
    rows = np.zeros(len(number), dtype=record)
    starts, ends = reads.starts[number], reads.ends[number]
    rows["size"], rows["reference"] = record.itemsize - 4, reads.chroms[number]
    rows["start"], rows["mate_start"] = np.where(minus, ends - READ, starts), np.where(minus, starts, ends - READ)
    rows["mate"], rows["insert"] = rows["reference"], np.where(minus, starts - ends, ends - starts)
    rows["name_size"], rows["quality"], rows["operations"], rows["bases"] = len(_NAME), 60, 1, bases
    rows["flag"] = np.where(number % 2, np.where(minus, 83, 163), np.where(minus, 147, 99))
    rows["bin"] = _bins(rows["start"].astype(np.int64))
    rows["name"] = np.frombuffer(_NAME, dtype=np.uint8)
    digits = number.copy()
    for place in range(9):
        rows["name"][:, len(_NAME) - 2 - place] = 48 + digits % 10
        digits //= 10
    rows["cigar"] = READ << 4
    if whole:
        rows["sequence"] = _NIBBLES[rng.integers(0, 16, rows["sequence"].shape, dtype=np.uint8)]
        rows["qualities"] = _QUALITIES[rng.integers(0, 16, rows["qualities"].shape, dtype=np.uint8)]
        rows["tags"] = np.frombuffer(_TAGS, dtype=np.uint8)
    return rows


def _bins(starts: np.ndarray) -> np.ndarray:
    """The index bin of intervals of 50 bp (SAM specification, 5.3)."""
    last = starts + READ - 1
    bins = np.zeros(len(starts), dtype=np.int64)
    for shift, offset in ((26, 1), (23, 9), (20, 73), (17, 585), (14, 4681)):
        bins = np.where(starts >> shift == last >> shift, offset + (starts >> shift), bins)
    return bins
