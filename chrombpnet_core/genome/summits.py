"""Summits of regions: what column 10 must be, and what is done where it is nothing of the kind.

The rule, of files and tables alike: the summit is a whole number, counted from the region's start, within the region.
Where it is unknown (no column 10, ``-1``, ``.``, ``NA``, empty), and where column 10 counts blocks (BED12, gappedPeak), the
middle of the interval is taken, which the log says with counts. Any other value is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chrombpnet_core._types import Bools, Ints
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import LARGEST_POSITION

__all__ = ["RowFaults", "lists_blocks", "summits_of", "whole_numbers"]

_UNKNOWN = ("", "-1", ".", "na", "n/a", "nan", "none", "null", "-")
_SHOWN = 3
_NUMBERS = re.compile(r"\d+(,\d+)*,?")


@dataclass(frozen=True)
class RowFaults:
    """Rows of a file or table, for messages: one row is named, of many the first three are shown and all are counted.

    Attributes
    ----------
    where
        Names the file or table, such as ``peaks.bed``.
    row
        What a row is called: line, row.
    numbers
        Number of each row, ``(n,)``.
    """

    where: str
    row: str
    numbers: Sequence[int] | Ints

    def refuse(self, bad: Bools, why: str, value: Callable[[int], str], *, expected: str = "", remedy: str = "") -> None:
        """Raise InputError where any row is ``bad``, bool ``(n,)``; ``value`` describes a row by its place in the table."""
        rows = np.flatnonzero(bad)
        if not rows.size:
            return
        found, more = value(int(rows[0])), ""
        if rows.size > 1:
            more = f" (the first of {rows.size:,} such {self.row}s)"
            shown = [f"{value(int(row))} in {self.row} {self.numbers[row]}" for row in rows[:_SHOWN]]
            found = ", ".join(shown) + (", …" if rows.size > _SHOWN else "")
        first = f"{self.row} {self.numbers[rows[0]]}"
        at = f"{self.where}, {first}" if self.row == "line" else f"{first} of {self.where}"
        raise InputError(f"{at}: {why}{more}", expected=expected, found=found, remedy=remedy)


def whole_numbers(column: pd.Series) -> tuple[Ints, Bools]:
    """Read a column of positions.

    Parameters
    ----------
    column
        Text or numbers.

    Returns
    -------
    tuple of ndarray
        Int64 ``(n,)``, 0 where it is none; and bool ``(n,)``, where it is no whole number up to
        :data:`~chrombpnet_core.formats.LARGEST_POSITION`.
    """
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~(np.isfinite(values) & (np.abs(values) <= LARGEST_POSITION))
    bad |= np.where(bad, 0, values) % 1 != 0
    return np.where(bad, 0, values).astype(np.int64), bad


def lists_blocks(fields: Sequence[str]) -> bool:
    """Tell whether a line is BED12 or gappedPeak: columns 11 and 12 list sizes and starts of the blocks of column 10.

    Parameters
    ----------
    fields
        Of a line, 12 or more.

    Returns
    -------
    bool
        Whether it is so; of a single block, where columns 7 and 8 are positions too.
    """
    sizes, starts = fields[10], fields[11]
    if not (_NUMBERS.fullmatch(sizes) and _NUMBERS.fullmatch(starts)):
        return False
    return "," in sizes or "," in starts or (fields[6].isdecimal() and fields[7].isdecimal())


def summits_of(column: pd.Series, starts: Ints, ends: Ints, faults: RowFaults) -> tuple[Ints, Bools]:
    """Read summits, relative to their regions' starts.

    Parameters
    ----------
    column
        Column 10, text or numbers, ``(n,)``.
    starts
        Of the regions, int64 ``(n,)``.
    ends
        The same.
    faults
        Names the rows in messages.

    Returns
    -------
    tuple of ndarray
        Summits, int64 ``(n,)``, the middle where there is none; and where that is so, bool ``(n,)``.

    Raises
    ------
    InputError
        Where a summit is no whole number, or lies outside its region.
    """
    text = column.astype(str).str.strip()
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    unknown = (column.isna() | text.str.lower().isin(_UNKNOWN)).to_numpy(dtype=bool) | (numbers == -1)
    name = "summit (column 10)" if faults.row == "line" else "summit"
    remedy = "correct it, or write -1 where the summit is not known: the middle is taken then"
    fraction = np.isfinite(numbers) & (np.abs(numbers) < LARGEST_POSITION) & (numbers != np.rint(numbers))
    faults.refuse(
        ~unknown & (np.isnan(numbers) | fraction),
        f"{name} is not a position",
        lambda row: repr(text.iloc[row]),
        expected="an integer, bp from the start of the region",
        remedy=remedy,
    )
    outside = ~unknown & ((numbers < 0) | (numbers >= ends - starts))
    if outside.any() and (~outside | ((numbers >= starts) & (numbers <= ends))).all():
        remedy = (
            "these are positions on the chromosome, but a summit counts from the start of its region: "
            "awk -v OFS='\\t' '{$10 -= $2} 1' FILE"
        )
    negative = outside.any() and numbers[np.argmax(outside)] < 0
    faults.refuse(
        outside,
        f"{name} lies {'before the start' if negative else 'beyond the end'} of its region",
        lambda row: f"{text.iloc[row]} in {starts[row]}-{ends[row]}",
        remedy=remedy,
    )
    return np.where(unknown, (ends - starts) // 2, np.where(unknown, 0, numbers)).astype(np.int64), unknown
