"""Loops over bytes, reads and bases that numpy cannot express, compiled by numba on first use and cached on disk.

Importing this module imports numba (about a second), so importers do it where they work. No function here allocates
anything that grows with the input, and all run without the interpreter lock.
"""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled

__all__ = [
    "FULL",
    "MALFORMED",
    "MORE",
    "NEW_NAME",
    "add_name",
    "count_keys",
    "group",
    "hash_bytes",
    "read_alignments",
    "read_lines",
]

MORE, FULL, MALFORMED, NEW_NAME = 0, 1, 2, 3
"""Why a reader stopped: its data ended, its output is full, what it cannot judge, a chromosome that the table lacks."""

_TAB, _LINE, _RETURN, _HASH = 9, 10, 13, 35
_MAX_RECORD = 1 << 28
_MOST = 1_000_000  # count of a line
_CONSUMES_REFERENCE = 0b110001101  # CIGAR operations M, D, N, = and X by their number


@compiled
def _uint32(data, at):
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24


@compiled
def _int32(data, at):
    value = _uint32(data, at)
    return value - (value >> 31 << 32)


@compiled
def read_alignments(data, at, of_reference, min_mapq, exclude, chroms, positions, minus, marks, filled):
    """Walk BAM records and keep the 5' ends of mapped ones (SAM specification, 4.2).

    Parameters
    ----------
    data
        Decompressed BAM, uint8 ``(n,)``.
    at
        Where a record begins in it.
    of_reference
        Chromosome index of each reference, int32.
    min_mapq, exclude
        Alignments of lower mapping quality, or with one of these flags, are left out.
    chroms, positions, minus
        Outputs, int32, int32, bool, of one length.
    marks
        Output, int64: what besides the 5' end tells fragments apart, from the mate; or empty where it is not wanted.
    filled
        Outputs are filled from here on.

    Returns
    -------
    Where the next record begins, items filled, records read, records left out by the filters, why it stopped.
    """
    records, filtered, size = 0, 0, len(data)
    while at + 4 <= size:
        length = _int32(data, at)
        if length < 32 or length > _MAX_RECORD:
            return at, filled, records, filtered, MALFORMED
        if at + 4 + length > size:
            break
        if filled == len(chroms):
            return at, filled, records, filtered, FULL
        reference, start = _int32(data, at + 4), _int32(data, at + 8)
        name_length, quality = np.int64(data[at + 12]), np.int64(data[at + 13])
        operations = np.int64(data[at + 16]) | np.int64(data[at + 17]) << 8
        flag = np.int64(data[at + 18]) | np.int64(data[at + 19]) << 8
        bases = _int32(data, at + 20)
        if (
            reference < -1
            or reference >= len(of_reference)
            or bases < 0
            or 32 + name_length + 4 * operations + (bases + 1) // 2 + bases > length
        ):
            return at, filled, records, filtered, MALFORMED
        if not flag & 4 and reference >= 0:
            if quality < min_mapq or flag & exclude:
                filtered += 1
            else:
                end = start
                if flag & 16:
                    first = at + 36 + name_length
                    for operation in range(first, first + 4 * operations, 4):
                        word = _uint32(data, operation)
                        if _CONSUMES_REFERENCE >> (word & 15) & 1:
                            end += word >> 4
                    end = min(max(end, start + 1), 2147483647)  # without CIGAR it is 1 bp long, as htslib has it
                chroms[filled] = of_reference[reference]
                positions[filled] = end
                minus[filled] = flag & 16 != 0
                if len(marks):
                    marks[filled] = _mate_mark(data, at, flag, reference)
                filled += 1
        records += 1
        at += 4 + length
    return at, filled, records, filtered, MORE


@compiled
def _mate_mark(data, at, flag, reference):
    """The mate's end of the fragment as a number; 0 where the read has no mapped mate."""
    if not flag & 1 or flag & 8:
        return np.int64(0)
    mate, insert = _int32(data, at + 24), _int32(data, at + 32)
    if mate == reference and insert:
        return np.int64(1) << 62 | _uint32(data, at + 32)
    return (mate + 2) << 32 | _uint32(data, at + 28)


@compiled
def _hash(data, first, last, seed):
    """FNV-1a of bytes."""
    value = np.uint64(14695981039346656037) ^ np.uint64(seed)
    for at in range(first, last):
        value = (value ^ np.uint64(data[at])) * np.uint64(1099511628211)
    return value


@compiled
def hash_bytes(data):
    """The number that :func:`read_lines` gives a barcode, int64."""
    return np.int64(_hash(data, 0, len(data), 1))


@compiled
def _find_name(data, first, last, slots, letters, borders):
    """Index of a chromosome name in an open-addressing table, -1 where it is not there."""
    slot = np.int64(_hash(data, first, last, 0) & np.uint64(len(slots) - 1))
    while slots[slot] >= 0:
        found = slots[slot]
        if borders[found + 1] - borders[found] == last - first:
            same = True
            for at in range(last - first):
                if letters[borders[found] + at] != data[first + at]:
                    same = False
                    break
            if same:
                return found
        slot = (slot + 1) & (len(slots) - 1)
    return np.int64(-1)


@compiled
def add_name(slots, letters, borders, name):
    """Enter the name with this index in the table."""
    slot = np.int64(_hash(letters, borders[name], borders[name + 1], 0) & np.uint64(len(slots) - 1))
    while slots[slot] >= 0:
        slot = (slot + 1) & (len(slots) - 1)
    slots[slot] = name


@compiled
def _number(data, at):
    """A number of 1 to 10 digits up to 2^31 - 1 and where it ends; -1 where there is none."""
    first, value = at, np.int64(0)
    while 48 <= data[at] <= 57 and at - first < 11:
        value = value * 10 + data[at] - 48
        at += 1
    return (value if first < at < first + 11 and value <= 2147483647 else np.int64(-1)), at


@compiled
def _further_columns(data, at):
    """What is behind the third column: the line end, a number of column 4, the count of column 5 (-1 where it is none),
    and the letter of column 6 (0 where it is no single one)."""
    column, mark, count, strand = 3, _hash(data, at, at, 1), np.int64(-1), 0
    while data[at] != _LINE:  # at a tab: the next column
        column += 1
        at += 1
        first = at
        while data[at] != _TAB and data[at] != _LINE:
            at += 1
        stop = at - 1 if data[at] == _LINE and at > first and data[at - 1] == _RETURN else at
        if column == 4:
            mark = _hash(data, first, stop, 1)
        elif column == 5:
            count, end = _number(data, first)
            if end != stop or count > _MOST:
                count = np.int64(-1)
        elif column == 6 and stop == first + 1:
            strand = data[first]
    return at, np.int64(mark), count, strand


@compiled
def read_lines(data, at, strand_column, count_column, table, outputs, marks, filled):
    """Parse tab-separated lines of chromosome, start, end and more, until one that is not of the usual form.

    Parameters
    ----------
    data
        Text, uint8 ``(n,)``, whose last byte is a line end.
    at
        Where a line begins in it.
    strand_column
        Whether column 6 holds the strand, as in tagAlign.
    count_column
        Whether column 5 holds the count of the line.
    table
        Chromosome names: slots int32 (a power of two of them), letters uint8, borders int64.
    outputs
        Chromosome indices, starts and ends int32, strands (minus) bool, counts int32; of one length.
    marks
        Output, int64: a number of the barcode (column 4); or empty where it is not wanted.
    filled
        Outputs are filled from here on.

    Returns
    -------
    Where the next line begins, items filled, lines read, why it stopped.
    """
    slots, letters, borders = table
    chroms, starts, ends, minus, counts = outputs
    lines, name_first, name_last, name = 0, at, at, np.int64(-1)
    while at < len(data):
        if filled == len(chroms):
            return at, filled, lines, FULL
        first, same = at, name >= 0
        while data[at] != _TAB and data[at] != _LINE:
            same = same and at - first < name_last - name_first and data[at] == data[name_first + at - first]
            at += 1
        last = at
        if data[at] == _LINE or data[first] == _HASH:
            return first, filled, lines, MALFORMED
        start, at = _number(data, at + 1)
        if start < 0 or data[at] != _TAB:
            return first, filled, lines, MALFORMED
        end, at = _number(data, at + 1)
        if end <= start:
            return first, filled, lines, MALFORMED
        if not same or last - first != name_last - name_first:
            name = _find_name(data, first, last, slots, letters, borders)
            if name < 0:
                return first, filled, lines, NEW_NAME
        name_first, name_last = first, last
        if data[at] == _RETURN and data[at + 1] == _LINE:
            at += 1
        if data[at] != _TAB and data[at] != _LINE:
            return first, filled, lines, MALFORMED
        at, mark, count, strand = _further_columns(data, at)
        if (strand_column and strand != 43 and strand != 45) or (count_column and count < 1):
            return first, filled, lines, MALFORMED
        chroms[filled], starts[filled], ends[filled] = name, start, end
        minus[filled], counts[filled] = strand == 45, count
        if len(marks):
            marks[filled] = mark
        filled += 1
        lines += 1
        at += 1
    return at, filled, lines, MORE


@compiled
def count_keys(chroms, minus, reads):
    """Add to ``reads``, int64, the number of reads by key: twice the chromosome index, and 1 on the minus strand."""
    for at in range(len(chroms)):
        reads[2 * chroms[at] + minus[at]] += 1


@compiled
def group(chroms, minus, values, places, grouped):
    """Sort values by key, in their order within a key, into ``grouped``.

    Parameters
    ----------
    chroms, minus, values
        Of reads, ``(n,)``.
    places
        Where the values of each key go, int64; behind them afterwards. Keys beyond it are left out.
    grouped
        Output.
    """
    for at in range(len(values)):
        key = 2 * chroms[at] + minus[at]
        if key < len(places):
            grouped[places[key]] = values[at]
            places[key] += 1
