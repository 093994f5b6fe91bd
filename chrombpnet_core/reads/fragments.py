"""Fragments and tagAlign → batches of 5' ends: usual lines are parsed fast, others with errors that name them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chrombpnet_core._types import AnyArray, Ints
from chrombpnet_core.errors import DamagedError, InputError
from chrombpnet_core.formats import check_complete, decompressed, is_comment
from chrombpnet_core.reads import read_batches as batches
from chrombpnet_core.reads._stops import MORE, NEW_NAME
from chrombpnet_core.reads._tally import LONGER
from chrombpnet_core.reads.read_batches import ChromIndex, ReadBatch, ReadFilters

__all__ = ["line_batches"]

_FAR = np.iinfo(np.int32).max
_LONGEST_LINE = 1 << 24
_LONGEST_NAME = 1_000
_MARK = "\ufeff"  # of byte order
_MOST = 1_000_000  # count of a fragment
_MIX = np.uint64(0x9E3779B97F4A7C15)


def line_batches(
    path: Path, kind: str, index: ChromIndex, filters: ReadFilters, threads: int, tally: Ints
) -> Iterator[tuple[ReadBatch, int]]:
    """Read fragments, single-end fragments or tagAlign.

    Parameters
    ----------
    path
        Plain or compressed text.
    kind
        ``fragments``, ``single_end`` or ``tagalign``.
    index
        Chromosome names; new ones are entered.
    filters
        Whether duplicates and counts matter.
    threads
        That decompress.
    tally
        What :func:`~chrombpnet_core.reads.library_tally.new_tally` makes; all lines are entered.

    Yields
    ------
    tuple
        A batch of 5' ends, and the bytes of the file read so far.

    Raises
    ------
    InputError
        For a malformed line, naming it, and for a truncated or damaged file.
    """
    check_complete(path)
    parser = _Parser(path, kind, index, filters, tally)
    pieces = decompressed(path, threads)
    try:
        for piece, read in _with_line_ends(pieces):
            for batch in parser.batches(b"".join([parser.rest, *piece])):
                yield batch, read
        for batch in parser.batches(parser.rest + b"\n" if parser.rest else b""):
            yield batch, path.stat().st_size
        yield parser.taken(), path.stat().st_size
    except DamagedError as error:
        raise InputError(
            f"{path}, after line {parser.lines:,}: the file is truncated or damaged",
            found=str(error),
            remedy="copy or make the file again",
        ) from error
    finally:
        pieces.close()


def _with_line_ends(pieces: Iterator[tuple[list[bytes], int]]) -> Iterator[tuple[list[bytes], int]]:
    """Put line feeds in place of carriage returns that stand alone, as old Macs wrote them."""
    held, read = b"", 0
    for piece, read in pieces:
        if not held and not any(b"\r" in part for part in piece):
            yield piece, read
            continue
        content = b"".join([held, *piece])
        held = b"\r" if content.endswith(b"\r") else b""  # a line feed may follow in the next piece
        content = content[: len(content) - len(held)]
        if content.count(b"\r") != content.count(b"\r\n"):
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield [content], read
    if held:
        yield [b"\n"], read


class _Names:
    """Chromosome names as an open-addressing table that compiled code reads."""

    def __init__(self, index: ChromIndex) -> None:
        self.index = index
        self.rebuild()

    def rebuild(self) -> None:
        """Enter all names of the index, with room for as many again."""
        from chrombpnet_core.reads._parse_lines import add_name  # imports numba

        words = [name.encode() for name in self.index]
        self.letters = np.zeros(2 * sum(map(len, words)) + 64, dtype=np.uint8)
        self.borders = np.zeros(2 * len(words) + 8, dtype=np.int64)
        self.slots = np.full(1 << (4 * len(words) + 8).bit_length(), -1, dtype=np.int32)
        self.borders[1 : len(words) + 1] = np.cumsum([len(word) for word in words])
        joined = b"".join(words)
        self.letters[: len(joined)] = np.frombuffer(joined, dtype=np.uint8)
        for name in range(len(words)):
            add_name(self.slots, self.letters, self.borders, name)

    def add(self, name: str) -> None:
        """Enter a name that the index has not."""
        from chrombpnet_core.reads._parse_lines import add_name  # imports numba

        at, word = self.index[name], name.encode()
        first = int(self.borders[at])
        if at + 2 > len(self.borders) or first + len(word) > len(self.letters):
            self.rebuild()
            return
        self.letters[first : first + len(word)] = np.frombuffer(word, dtype=np.uint8)
        self.borders[at + 1] = first + len(word)
        add_name(self.slots, self.letters, self.borders, at)

    @property
    def table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slots, letters and borders of the names."""
        return self.slots, self.letters, self.borders


class _Parser:
    """Keeps the place in a text, and the lines parsed since the last batch."""

    def __init__(self, path: Path, kind: str, index: ChromIndex, filters: ReadFilters, tally: Ints) -> None:
        from chrombpnet_core.reads import _parse_lines  # imports numba

        self.compiled = _parse_lines
        self.path, self.kind, self.filters, self.tally = path, kind, filters, tally
        self.names = _Names(index)
        size = batches.READS_PER_BATCH
        self.columns: tuple[AnyArray, ...] = tuple(
            np.empty(size, dtype=kind_of) for kind_of in (np.int32, np.int32, np.int32, np.bool_, np.int32)
        )
        self.marks = np.empty(size if filters.dedup and kind != "tagalign" else 0, dtype=np.int64)
        self.filled = self.lines = 0
        self.rest = b""

    def batches(self, content: bytes) -> Iterator[ReadBatch]:
        """Full batches from the whole lines of the content; what follows the last line end is kept as ``rest``."""
        end = content.rfind(b"\n") + 1
        if len(content) - end > _LONGEST_LINE:
            raise InputError(
                f"{self.path}, line {self.lines + 1:,}: not text",
                expected="lines",
                found=f"more than {_LONGEST_LINE:,} bytes without a line end",
            )
        data, at = np.frombuffer(content, dtype=np.uint8, count=end), 0
        while at < end:
            at, self.filled, lines, why = self.compiled.read_lines(
                data,
                at,
                self.kind != "fragments",
                self.filters.use_counts,
                self.names.table,
                self.columns,
                self.marks,
                self.tally,
                self.filled,
            )
            self.lines += lines
            if self.filled == len(self.columns[0]):
                yield self.taken()
            elif why != MORE:
                stop = content.index(b"\n", at)
                at = self._judge(content[at:stop], at, stop + 1, why)
        self.rest = content[end:]

    def _judge(self, raw: bytes, at: int, after: int, why: int) -> int:
        """Treat the line that compiled code stopped at; where to go on."""
        where = f"{self.path}, line {self.lines + 1:,}"
        try:
            line = raw.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: not text", expected="tab-separated lines") from error
        marked = line.startswith(_MARK)  # at the beginning, or where files were joined
        line = line.removeprefix(_MARK)
        name = line.split("\t", 1)[0]
        if not is_comment(line) and not (name.isprintable() and len(name) <= _LONGEST_NAME):
            raise InputError(f"{where}: chromosome name", expected="text", found=repr(name[:60]))
        if why == NEW_NAME and not marked and not is_comment(line):
            self.names.add(name)
            return at
        self.lines += 1
        if not is_comment(line):
            self._add(*_row(line, self.kind, self.filters, where))
        return after

    def _add(self, chrom: str, start: int, end: int, strand: str, count: int, barcode: str) -> None:
        if chrom not in self.names.index:
            self.names.add(chrom)
        for column, value in zip(self.columns, (self.names.index[chrom], start, end, strand == "-", count), strict=True):
            column[self.filled] = value
        if len(self.marks):
            word = np.frombuffer(barcode.encode(), dtype=np.uint8)
            self.marks[self.filled] = self.compiled.hash_bytes(word)
        self.tally[min(end - start, LONGER)] += 1
        self.filled += 1

    def taken(self) -> ReadBatch:
        """Take the reads of the lines parsed since the last batch."""
        filled, self.filled = slice(self.filled), 0
        chroms, starts, ends, minus, counts = (column[filled] for column in self.columns)
        if self.filters.use_counts:
            chroms, starts, ends, minus = (np.repeat(column, counts) for column in (chroms, starts, ends, minus))
        if self.kind != "fragments":
            alike = np.zeros(len(chroms) if self.filters.dedup else 0, dtype=np.int64)
            marks = self.marks[filled].copy() if len(self.marks) else alike
            return ReadBatch(chroms, np.where(minus, ends, starts), minus, marks)
        barcodes = self.marks[filled].view(np.uint64)
        others = np.concatenate([ends, starts]).astype(np.uint64) * _MIX
        marks = others + np.concatenate([barcodes, barcodes]) if len(self.marks) else np.empty(0, dtype=np.uint64)
        return ReadBatch(
            np.concatenate([chroms, chroms]),
            np.concatenate([starts, ends]),
            np.repeat(np.array([False, True]), len(starts)),
            marks.view(np.int64),
        )


def _row(line: str, kind: str, filters: ReadFilters, where: str) -> tuple[str, int, int, str, int, str]:
    """Parse and check a line: chromosome, start, end, strand, count and barcode."""
    fields = line.split("\t")
    names = {
        "tagalign": ["chrom", "start", "end", "name", "score", "strand"],
        "single_end": ["chrom", "start", "end", "barcode", "count", "strand"],
        "fragments": ["chrom", "start", "end", "barcode", "count"][: 5 if filters.use_counts else 3],
    }[kind]
    if len(fields) < len(names):
        raise InputError(
            where,
            expected=f"{len(names)} or more tab-separated columns ({', '.join(names)})",
            found=f"{len(fields)} in {line[:80]!r}",
        )
    for name, text in zip(("start", "end"), fields[1:3], strict=True):
        if not text.strip().isdecimal() or int(text) > _FAR:
            raise InputError(f"{where}: {name}", expected="a position in bp, 0 or more", found=repr(text))
    start, end = int(fields[1]), int(fields[2])
    if end <= start:
        raise InputError(
            f"{where}: end is not greater than start",
            found=f"{fields[0]}:{start}-{end}",
            remedy="positions are 0-based, half-open",
        )
    strand, count = ".", "1"
    if kind != "fragments":
        strand = fields[5]
        if strand not in ("+", "-"):
            raise InputError(
                f"{where}: strand (column 6)",
                expected="+ or -",
                found=repr(strand),
                remedy="a 5' end needs the strand: make the tagAlign again from the BAM (bedtools bamtobed)"
                if kind == "tagalign"
                else "a 5' end needs the strand: lines without one are whole fragments, given as `fragments`",
            )
    if filters.use_counts:
        count = fields[4]
        if not count.strip().isdecimal() or not 1 <= int(count) <= _MOST:
            raise InputError(f"{where}: count (column 5)", expected=f"1 to {_MOST:,}", found=repr(count))
    return fields[0], start, end, strand, int(count), fields[3] if len(fields) > 3 else ""
