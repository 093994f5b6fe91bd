"""Region tables (narrowPeak): columns, reading, checks, centres, edges, overlaps.

A region table is a :class:`pandas.DataFrame` with the ten narrowPeak columns of :data:`REGION_COLUMNS`; coordinates
are 0-based, half-open. Columns 4 to 9 are text, carried through unchanged. The centre of a region is ``start + summit``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

import bioframe
import numpy as np
import numpy.typing as npt
import pandas as pd

from chrombpnet_core._types import Bools, Ints
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import numbered_lines
from chrombpnet_core.genome.chromosome_names import ALIAS_ADVICE, Naming, same_chromosome

__all__ = [
    "REGION_COLUMNS",
    "centres",
    "on_chromosomes",
    "overlapping",
    "read_bed3",
    "read_regions",
    "regions_at",
    "windows_fit",
    "without_blacklisted",
    "write_regions",
]

log = logging.getLogger(__name__)

REGION_COLUMNS = ["chrom", "start", "end", "name", "score", "strand", "signal", "pvalue", "qvalue", "summit"]
"""Columns of a region table, those of narrowPeak."""


def read_regions(
    path: str | os.PathLike[str], what: str = "peaks", sizes: dict[str, int] | None = None, naming: Naming | None = None
) -> pd.DataFrame:
    r"""Read regions from a narrowPeak or BED file.

    Without a summit (a BED file of fewer than ten columns, or a summit of -1) the middle of the interval is taken, with a
    warning in the log.

    Parameters
    ----------
    path
        narrowPeak or BED of three or more columns, plain or gzip.
    what
        What error messages call the regions.
    sizes
        Chromosome → length in bp, to check that the regions are within their chromosomes; by default not checked.
    naming
        Aliases of chromosome names, and chromosomes to leave out with their regions; needs ``sizes``.

    Returns
    -------
    DataFrame
        Table with the ten narrowPeak columns, :data:`REGION_COLUMNS`, in file order; its index starts at 0.

    Raises
    ------
    InputError
        If the file cannot be read, with its name and the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from chrombpnet_core.genome import centres, read_regions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "peaks.narrowPeak")
    ...     _ = path.write_text("chrI\t100\t300\tpeak1\t7\t.\t2.5\t3.1\t1.9\t80\n")
    ...     peaks = read_regions(path)
    >>> peaks[["chrom", "start", "end", "summit"]].values.tolist(), centres(peaks).tolist()
    ([['chrI', 100, 300, 80]], [180])
    """
    table, line_of = _read_table(path, what)
    absent = (table["summit"] < 0).to_numpy()
    if absent.any():
        log.warning(
            "%s: %s of %s %s have no summit (column 10); the middle of the interval is taken",
            path,
            f"{absent.sum():,}",
            f"{len(table):,}",
            what,
        )
        table.loc[absent, "summit"] = ((table["end"] - table["start"]) // 2)[absent]
    if sizes is not None:
        in_use = _rename(table, sizes, naming or Naming(), path, what)
        table, line_of = table[in_use].reset_index(drop=True), line_of[in_use]
        _check_chromosomes(table, path, line_of, what, sizes, renames=naming is not None)
    return table


def read_bed3(
    path: str | os.PathLike[str], what: str = "blacklist", sizes: dict[str, int] | None = None, naming: Naming | None = None
) -> pd.DataFrame:
    """Read the first three columns of a BED file; regions on chromosomes that ``sizes`` lacks stay.

    Parameters
    ----------
    path
        BED of three or more columns, plain or gzip.
    what
        What error messages call the regions.
    sizes
        The genome's chromosomes, by which names are read, if given.
    naming
        How chromosome names are read; needs ``sizes``.

    Returns
    -------
    DataFrame
        ``chrom``, ``start``, ``end``, in file order.

    Raises
    ------
    InputError
        Naming file and line.
    """
    table = _read_table(path, what)[0][REGION_COLUMNS[:3]].copy()
    if sizes is not None:
        _rename(table, sizes, naming or Naming(), path, what)
    return table


def _rename(table: pd.DataFrame, sizes: dict[str, int], naming: Naming, path: str | os.PathLike[str], what: str) -> Bools:
    """Give chromosomes the genome's names, in place; which regions are not on one that is left out, bool ``(n,)``."""
    changed = naming.translate(table["chrom"].unique(), sizes)
    if changed:
        log.info(
            "%s: chromosomes renamed: %s",
            path,
            ", ".join(f"{old} → {new}" for old, new in [*changed.items()][:5]) + (", …" if len(changed) > 5 else ""),
        )
        table["chrom"] = table["chrom"].replace(changed)
    in_use: Bools = ~table["chrom"].isin(naming.excluded).to_numpy()
    if not in_use.all():
        log.info("%s: %s %s lie on chromosomes that are left out", path, f"{(~in_use).sum():,}", what)
    return in_use


def _read_table(path: str | os.PathLike[str], what: str) -> tuple[pd.DataFrame, Ints]:
    """Read the table, with a summit of -1 where the file has none, and each row's line number."""
    rows, lines = [], []
    for number, line in numbered_lines(path, what):
        fields = line.split("\t")
        if len(fields) < 3:
            raise InputError(
                f"{path}, line {number}",
                expected=f"3 to 10 tab-separated columns of {what}",
                found=f"{len(fields)} ({line!r})",
            )
        rows.append([*[*fields, *["."] * 7][:9], fields[9] if len(fields) > 9 else "-1"])
        lines.append(number)
    if not rows:
        raise InputError(f"{path}: no {what}", expected="at least one line of narrowPeak")
    table = pd.DataFrame(rows, columns=REGION_COLUMNS)
    line_of = np.asarray(lines)
    for column in ("start", "end", "summit"):
        table[column] = _integers(table[column], column, path, line_of)
    _refuse(table["start"] < 0, table, path, line_of, "start is negative")
    _refuse(table["end"] <= table["start"], table, path, line_of, "end is not greater than start")
    return table, line_of


def _integers(column: pd.Series, name: str, path: str | os.PathLike[str], line_of: Ints) -> Ints:
    values = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero(values.isna() | (values % 1 != 0))
    if bad.size:
        raise InputError(f"{path}, line {line_of[bad[0]]}: {name}", expected="an integer", found=repr(column.iloc[bad[0]]))
    return values.to_numpy(dtype=np.int64)


def _refuse(bad: pd.Series, table: pd.DataFrame, path: str | os.PathLike[str], line_of: Ints, why: str) -> None:
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        row = table.iloc[first]
        raise InputError(f"{path}, line {line_of[first]}: {why}", found=f"{row['chrom']}:{row['start']}-{row['end']}")


def _check_chromosomes(
    table: pd.DataFrame, path: str | os.PathLike[str], line_of: Ints, what: str, sizes: dict[str, int], renames: bool
) -> None:
    """Refuse regions on chromosomes that ``sizes`` lacks, or that end beyond their chromosome.

    Where names are read by a rule, ``renames``, the error says which one to give.
    """
    unknown = ~table["chrom"].isin(sizes)
    if unknown.any():
        first = int(np.flatnonzero(unknown)[0])
        name = table["chrom"].iloc[first]
        other = same_chromosome(name, sizes)
        hint = (
            f"the genome calls it {other}: {ALIAS_ADVICE if renames else ''}rename one of them"
            if other
            else "leave these lines out, or add the chromosome to the genome and the sizes file"
        )
        raise InputError(
            f"{path}, line {line_of[first]}: chromosome {name} of the {what} is not in the genome "
            f"({int(unknown.sum()):,} lines)",
            remedy=hint,
        )
    _refuse(table["end"] > table["chrom"].map(sizes), table, path, line_of, "end lies beyond the chromosome's end")


def without_blacklisted(peaks: pd.DataFrame, blacklist: pd.DataFrame | None, width: int) -> pd.DataFrame:
    """Drop the peaks that share a base with the blacklist widened by ``width // 2`` on each side; a log line counts them.

    Parameters
    ----------
    peaks
        Region table.
    blacklist
        ``chrom``, ``start``, ``end``; None drops nothing.
    width
        In bp.

    Returns
    -------
    DataFrame
        The other peaks, with a fresh index from 0.

    Raises
    ------
    InputError
        Where none is left.
    """
    if blacklist is None:
        return peaks
    near = overlapping(peaks, blacklist.assign(start=blacklist["start"] - width // 2, end=blacklist["end"] + width // 2))
    if near.all():
        raise InputError(
            f"all {len(peaks):,} peaks lie within {width // 2:,} bp of the blacklist",
            remedy="check that peaks and blacklist are of one assembly",
        )
    if near.any():
        log.info(
            "%s of %s peaks lie within %s bp of the blacklist and are left out",
            f"{near.sum():,}",
            f"{len(peaks):,}",
            f"{width // 2:,}",
        )
    return peaks[~near].reset_index(drop=True)


def write_regions(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a region table as narrowPeak.

    Parameters
    ----------
    table
        Region table, as returned by :func:`read_regions` or :func:`~chrombpnet_core.locate`.
    path
        File to write; compressed if its name ends in ``.gz``.

    Examples
    --------
    >>> import chrombpnet_core as cbp
    >>> cbp.write_regions(cbp.locate("chrA:701-710"), "places.narrowPeak")
    >>> cbp.read_regions("places.narrowPeak")["summit"].tolist()
    [5]
    """
    table[REGION_COLUMNS].to_csv(path, sep="\t", header=False, index=False)


def regions_at(chroms: npt.ArrayLike, starts: npt.ArrayLike, width: int) -> pd.DataFrame:
    """Make a region table of windows whose summit is their middle; columns 4 to 9 are ``.``.

    Parameters
    ----------
    chroms
        Chromosome names, ``(n,)``.
    starts
        First positions, ``(n,)``.
    width
        Of the windows in bp.

    Returns
    -------
    DataFrame
        Region table.

    Examples
    --------
    >>> regions_at(["chrI", "chrII"], [100, 250], 40)[["chrom", "start", "end", "summit"]].values.tolist()
    [['chrI', 100, 140, 20], ['chrII', 250, 290, 20]]
    """
    table = pd.DataFrame({"chrom": chroms, "start": starts, "end": np.asarray(starts) + width})
    for column in REGION_COLUMNS[3:9]:
        table[column] = "."
    table["summit"] = width // 2
    return table


def centres(table: pd.DataFrame) -> Ints:
    """Compute the centre of each region, its summit.

    Parameters
    ----------
    table
        Region table.

    Returns
    -------
    ndarray
        Positions, int64 ``(n,)``.
    """
    return (table["start"] + table["summit"]).to_numpy(dtype=np.int64)


def windows_fit(table: pd.DataFrame, sizes: dict[str, int], width: int) -> Bools:
    """Tell which windows ``[centre - width // 2, centre - width // 2 + width)`` lie inside their chromosome.

    Parameters
    ----------
    table
        Region table.
    sizes
        Chromosome → length in bp.
    width
        Of the windows in bp.

    Returns
    -------
    ndarray
        bool ``(n,)``; False on chromosomes that ``sizes`` lacks.

    Examples
    --------
    >>> windows_fit(regions_at(["chrI", "chrI"], [0, 50], 20), {"chrI": 100}, 40).tolist()
    [False, True]
    """
    starts = centres(table) - width // 2
    lengths = table["chrom"].map(sizes).fillna(-1).to_numpy()
    return (starts >= 0) & (starts + width <= lengths)


def on_chromosomes(table: pd.DataFrame, chroms: Iterable[str]) -> Bools:
    """Tell which regions lie on some chromosomes.

    Parameters
    ----------
    table
        Region table.
    chroms
        Chromosome names.

    Returns
    -------
    ndarray
        bool ``(n,)``.
    """
    return table["chrom"].isin(list(chroms)).to_numpy()


def overlapping(table: pd.DataFrame, others: pd.DataFrame) -> Bools:
    """Tell which intervals share at least one base with any of some others.

    Parameters
    ----------
    table
        ``chrom``, ``start``, ``end``, and more columns if any.
    others
        The same.

    Returns
    -------
    ndarray
        bool ``(n,)``, of the intervals of ``table``.
    """
    if table.empty or others.empty:
        return np.zeros(len(table), dtype=bool)
    columns = REGION_COLUMNS[:3]
    counted = bioframe.count_overlaps(table[columns].reset_index(drop=True), others[columns].reset_index(drop=True))
    overlap: Bools = counted["count"].to_numpy() > 0
    return overlap
