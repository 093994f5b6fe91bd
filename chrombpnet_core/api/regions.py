"""Places in a genome as people write them: ``chrI:50,000``, ``chrI:1-2,000``, tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from chrombpnet_core._types import Ints
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import (
    REGION_COLUMNS,
    RowFaults,
    clip_to_chromosomes,
    same_chromosome,
    summits_of,
    whole_numbers,
)

__all__ = ["Regions", "locate", "output_windows", "region_text"]

Regions: TypeAlias = str | Sequence[str] | pd.DataFrame
"""One place, several, or a table with the columns ``chrom``, ``start``, ``end`` and, where it has one, ``summit``."""

log = logging.getLogger(__name__)


def locate(regions: Regions, sizes: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Convert regions such as ``chrI:50,000`` to a table.

    Parameters
    ----------
    regions
        One of: a base, ``"chrI:50,000"``, counted from 1; an interval, ``"chrI:1-2,000"``, counted from 1 with both ends
        included, as in genome browsers; a list of these; or a table with columns ``chrom``, ``start``, ``end`` (0-based,
        half-open) and optionally ``summit``, relative to ``start`` and within the region. Without it, or where it is -1,
        ``.`` or missing, the middle is taken.
    sizes
        Chromosome → length in bp, to check that the regions are within their chromosomes; by default not checked. Regions
        of a table that hang over the end are clipped to it, with a warning.

    Returns
    -------
    pandas.DataFrame
        Table with the ten columns of a narrowPeak file, :data:`~chrombpnet_core.genome.REGION_COLUMNS`; its index starts at
        0. Models predict around a region's centre, which is ``start + summit``.

    Raises
    ------
    InputError
        If a region cannot be parsed, its chromosome is unknown, its summit lies outside it, or it is not on its
        chromosome.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> cbp.locate(["chrI:50,000", "chrI:1-2,000"])[["chrom", "start", "end", "summit"]].values.tolist()
    [['chrI', 49999, 50000, 0], ['chrI', 0, 2000, 1000]]
    """
    if isinstance(regions, pd.DataFrame):
        table = _complete(regions)
    else:
        parsed = [_read_place(place) for place in _places(regions)]
        table = _complete(pd.DataFrame(parsed, columns=REGION_COLUMNS[:3]))
    if not len(table):
        raise InputError("no regions", expected="at least one place such as 'chrI:50,000'")
    if sizes is None:
        return table
    _require_inside(table, sizes, may_hang_over=isinstance(regions, pd.DataFrame))
    number = len(table)
    table, clipped = clip_to_chromosomes(table, sizes)
    if clipped:
        log.warning("%s of %s regions hang over the end of their chromosome and are clipped to it", clipped, number)
    return table


def region_text(chrom: str, start: int, end: int) -> str:
    """Format an interval as in genome browsers, such as ``chrI:1-2,000``.

    Parameters
    ----------
    chrom
        Chromosome of the interval.
    start
        First base, counted from 0.
    end
        End of the interval, counted from 0 and not included (as in BED).

    Returns
    -------
    str
        The interval, counted from 1 with both ends included.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> cbp.region_text("chrI", 0, 2000)
    'chrI:1-2,000'
    """
    return f"{chrom}:{start + 1:,}-{end:,}"


def output_windows(table: pd.DataFrame, width: int) -> pd.DataFrame:
    """Return ``chrom``, ``start`` and ``end`` of the windows of ``width`` bp around the regions' centres, same index."""
    starts = (table["start"] + table["summit"]).to_numpy(dtype=np.int64) - width // 2
    return pd.DataFrame({"chrom": table["chrom"].to_numpy(), "start": starts, "end": starts + width}, index=table.index)


def _places(regions: object) -> list[str]:
    found = list(regions) if isinstance(regions, Iterable) and not isinstance(regions, str) else [regions]
    places = [place for place in found if isinstance(place, str)]
    if len(places) < len(found):
        wrong = next(place for place in found if not isinstance(place, str))
        raise InputError(f"region {wrong!r}", expected="a place such as 'chrI:50,000', or a table")
    return places


def _read_place(place: str) -> tuple[str, int, int]:
    chrom, colon, numbers = place.strip().rpartition(":")
    first, dash, last = numbers.replace(",", "").partition("-")
    if not (chrom and colon and first.isdecimal() and (last.isdecimal() if dash else True)):
        raise InputError(f"region {place!r}", expected="a place such as 'chrI:50,000' or 'chrI:1-2,000'")
    start, end = int(first) - 1, int(last) if dash else int(first)
    if start < 0 or end <= start:
        raise InputError(f"region {place!r}", expected="bases counted from 1, the first not after the last")
    return chrom, start, end


def _complete(regions: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in REGION_COLUMNS[:3] if name not in regions]
    if missing:
        raise InputError(f"the table of regions has no column {missing[0]!r}", expected="chrom, start, end")
    if not regions.columns.is_unique:
        twice = regions.columns[regions.columns.duplicated()][0]
        raise InputError(f"the table of regions has column {twice!r} twice", expected="chrom, start, end")
    table = regions.reset_index(drop=True)
    faults = RowFaults("the regions", "row", range(len(table)))

    def place(row: int) -> str:
        return ", ".join(str(value) for value in table[REGION_COLUMNS[:3]].iloc[row])

    def positions(name: str) -> Ints:
        values, bad = whole_numbers(table[name])
        faults.refuse(bad, f"{name} is not a position", place)
        return values

    faults.refuse(table["chrom"].isna().to_numpy(), "no chromosome", place)
    start, end = positions("start"), positions("end")
    faults.refuse(end <= start, "end is not greater than start", place)
    summit: Ints = (end - start) // 2
    if "summit" in table:
        summit, unknown = summits_of(table["summit"], start, end, faults)
        if unknown.any():
            log.warning("%s of %s regions have no summit; the middle is taken", f"{unknown.sum():,}", f"{len(table):,}")
    others = {name: "." for name in REGION_COLUMNS[3:9] if name not in table}
    return table.assign(**others, start=start, end=end, summit=summit)[REGION_COLUMNS]


def _require_inside(table: pd.DataFrame, sizes: Mapping[str, int], may_hang_over: bool) -> None:
    for chrom, part in table.groupby("chrom", sort=False):
        name = str(chrom)
        if name not in sizes:
            other = same_chromosome(name, dict(sizes))
            known = ", ".join([*sizes][:5]) + (", …" if len(sizes) > 5 else "")
            raise InputError(
                f"chromosome {name} is not in the genome",
                expected=f"one of {known}",
                remedy=f"the genome calls it {other}" if other else "",
            )
        last = part["start"] + 1 if may_hang_over else part["end"]
        wrong = part[(part["start"] < 0) | (last > sizes[name])]
        if len(wrong):
            row = wrong.iloc[0]
            raise InputError(
                f"region {region_text(name, int(row['start']), int(row['end']))} leaves its chromosome",
                expected=f"bases 1 to {sizes[name]:,} of {name}",
            )
