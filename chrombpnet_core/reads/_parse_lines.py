"""Loops over the lines of fragments and tagAlign, compiled by numba; they run without the interpreter lock.

Chromosome names are looked up in an open-addressing table: slots int32 (a power of two of them), letters uint8, borders
int64.
"""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray
from chrombpnet_core.reads._stops import FULL, MALFORMED, MORE, NEW_NAME
from chrombpnet_core.reads._tally import DUPLICATES, JUDGED, LONGER

__all__ = ["add_name", "hash_bytes", "read_lines"]

_TAB, _LINE, _RETURN, _HASH = 9, 10, 13, 35
_MOST = 1_000_000  # count of a line

_Table = tuple[AnyArray, AnyArray, AnyArray]  # slots, letters, borders
_Columns = tuple[AnyArray, ...]  # chromosomes, starts, ends, minus, counts


@compiled
def _hash(data: AnyArray, first: int, last: int, seed: int) -> np.uint64:
    """Compute FNV-1a of bytes."""
    value = np.uint64(14695981039346656037) ^ np.uint64(seed)
    for at in range(first, last):
        value = (value ^ np.uint64(data[at])) * np.uint64(1099511628211)
    return value


@compiled
def hash_bytes(data: AnyArray) -> np.int64:
    """Compute the number that :func:`read_lines` gives a barcode."""
    return np.int64(_hash(data, 0, len(data), 1))


@compiled
def _find_name(data: AnyArray, first: int, last: int, slots: AnyArray, letters: AnyArray, borders: AnyArray) -> np.int64:
    """Find the index of a chromosome name in the table, -1 where it is not there."""
    slot = np.int64(_hash(data, first, last, 0) & np.uint64(len(slots) - 1))
    while slots[slot] >= 0:
        name = slots[slot]
        if borders[name + 1] - borders[name] == last - first:
            same = True
            for letter in range(last - first):
                if letters[borders[name] + letter] != data[first + letter]:
                    same = False
                    break
            if same:
                return np.int64(name)
        slot = (slot + 1) & (len(slots) - 1)
    return np.int64(-1)


@compiled
def add_name(slots: AnyArray, letters: AnyArray, borders: AnyArray, name: int) -> None:
    """Enter the name with this index in the table."""
    slot = np.int64(_hash(letters, borders[name], borders[name + 1], 0) & np.uint64(len(slots) - 1))
    while slots[slot] >= 0:
        slot = (slot + 1) & (len(slots) - 1)
    slots[slot] = name


@compiled
def _number(data: AnyArray, at: int) -> tuple[np.int64, int]:
    """Read a number of 1 to 10 digits up to 2^31 - 1 and where it ends; -1 where there is none."""
    first, value = at, np.int64(0)
    while 48 <= data[at] <= 57 and at - first < 11:
        value = value * 10 + data[at] - 48
        at += 1
    return (value if first < at < first + 11 and value <= 2147483647 else np.int64(-1)), at


@compiled
def _further_columns(data: AnyArray, at: int) -> tuple[int, np.int64, np.int64, int]:
    """Read what is behind the third column.

    Returns the line end, a number of column 4, the count of column 5 (-1 where it is none), and the letter of column 6
    (0 where it is no single one).
    """
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
def _enter(tally: AnyArray, length: np.int64, count: np.int64) -> None:
    """Count a line by its length, and what its count, if it has one, tells of duplicates.

    Column 5 is a count in fragments without a strand and in single-end fragments; of fragments with a strand it is a score.
    """
    tally[length if length < LONGER else LONGER] += 1
    if count > 0:
        tally[JUDGED] += count
        tally[DUPLICATES] += count - 1


@compiled
def read_lines(
    data: AnyArray,
    at: int,
    strand_column: bool,
    count_column: bool,
    table: _Table,
    columns: _Columns,
    marks: AnyArray,
    tally: AnyArray,
    filled: int,
) -> tuple[int, int, int, int]:
    """Parse tab-separated lines of chromosome, start, end and more, until one that is not of the usual form.

    ``data`` is text, uint8 ``(n,)``, whose last byte is a line end and in which a line begins at ``at``. Column 6 holds the
    strand (tagAlign) and column 5 the count of the line where that is said. Outputs ``columns`` (int32, int32, int32, bool,
    int32, of one length) are filled from ``filled`` on; ``marks``, int64, with a number of the barcode (column 4), or empty.
    ``tally``, int64, is filled by :func:`_enter`.

    Returns where the next line begins, items filled, lines read, why it stopped.
    """
    slots, letters, borders = table
    chroms, starts, ends, minus, counts = columns
    lines, name_first, name_last, name = 0, at, at, np.int64(-1)
    while at < len(data):
        if filled == len(chroms):
            return at, filled, lines, FULL
        first, same = at, bool(name >= 0)
        while data[at] != _TAB and data[at] != _LINE:
            same = bool(same and at - first < name_last - name_first and data[at] == data[name_first + at - first])
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
        _enter(tally, end - start, count if strand_column or strand == 0 else np.int64(-1))
        filled += 1
        lines += 1
        at += 1
    return at, filled, lines, MORE
