"""Regions out of files: narrowPeak, BED of 3 to 12 columns, broadPeak, gappedPeak; what is wrong is named by line."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from chrombpnet_core._types import Bools, Ints
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.formats import numbered_lines
from chrombpnet_core.genome.chromosome_names import ALIAS_ADVICE, Naming, same_chromosome
from chrombpnet_core.genome.regions import REGION_COLUMNS, clip_to_chromosomes
from chrombpnet_core.genome.summits import RowFaults, lists_blocks, summits_of, whole_numbers

__all__ = ["read_bed3", "read_regions"]

log = logging.getLogger(__name__)

_LINES_AT_ONCE = 100_000
_THICK_FROM = 1000  # bp: a start that a signal or a p value cannot be taken for
_SUSPECT_ZEROS = 10  # regions of which no summit is but 0


def read_regions(
    path: str | os.PathLike[str], what: str = "peaks", sizes: dict[str, int] | None = None, naming: Naming | None = None
) -> pd.DataFrame:
    r"""Read regions from a narrowPeak or BED file.

    The summit (column 10) counts from the start and lies within the region. Where it is not known (fewer than ten columns,
    ``-1``, ``.``, ``NA``, empty), and where column 10 counts blocks (BED12, gappedPeak), the middle of the interval is
    taken, with a warning in the log. A region that hangs over the end of its chromosome is clipped to it, with a warning.

    Parameters
    ----------
    path
        narrowPeak or BED of three or more columns, plain or gzip.
    what
        What error messages call the regions.
    sizes
        Chromosome → length in bp, to check the names and clip the regions; by default neither is done.
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
    table, faults, blocks = _read_table(path, what)
    _settle_summits(table, faults, blocks, what)
    if sizes is None:
        return table
    in_use = _rename(table, sizes, naming or Naming(), path, what)
    table = table[in_use].reset_index(drop=True)
    _check_chromosomes(table, replace(faults, numbers=np.asarray(faults.numbers)[in_use]), what, sizes, naming is not None)
    table, clipped = clip_to_chromosomes(table, sizes)
    if clipped:
        log.warning(
            "%s: %s of %s %s hang over the end of their chromosome and are clipped to it",
            path,
            f"{clipped:,}",
            f"{len(table):,}",
            what,
        )
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
        log.info("%s: %s on chromosomes that are left out", path, counted(int((~in_use).sum()), what))
    return in_use


def _rows(path: str | os.PathLike[str], what: str) -> Iterator[tuple[int, list[str]]]:
    """Read number and columns of the lines; those of fewer than three columns are refused together, at the end."""
    short: list[tuple[int, str, int]] = []
    total = 0
    for number, line in numbered_lines(path, what):
        fields = line.split("\t")
        if len(fields) >= 3:
            yield number, fields
            continue
        total += 1
        if len(short) < 4:
            short.append((number, line, len(fields)))
    if short:
        faults = RowFaults(str(path), "line", [number for number, _, _ in short] + [0] * (total - len(short)))
        blanks = any(len(line.split()) >= 3 for _, line, _ in short)
        faults.refuse(
            np.ones(total, dtype=bool),
            "too few columns",
            lambda row: f"{short[row][2]} ({short[row][1][:80]!r})",
            expected=f"3 to 10 tab-separated columns of {what}",
            remedy="separate the columns by tabs, not blanks" if blanks else "",
        )


def _read_table(path: str | os.PathLike[str], what: str) -> tuple[pd.DataFrame, RowFaults, int]:
    """Read the table, column 10 as text (empty where it is no summit), and how many lines count blocks there."""
    parts, rows, lines, blocks = [], [], [], 0
    for number, fields in _rows(path, what):
        summit = fields[9] if len(fields) > 9 else ""
        if len(fields) > 11 and lists_blocks(fields):
            summit, blocks = "", blocks + 1
        rows.append([*[*fields, *["."] * 7][:9], summit])
        lines.append(number)
        if len(rows) == _LINES_AT_ONCE:
            parts.append(pd.DataFrame(rows, columns=REGION_COLUMNS))
            rows = []
    if rows:
        parts.append(pd.DataFrame(rows, columns=REGION_COLUMNS))
    if not parts:
        raise InputError(f"{path}: no {what}", expected="at least one line of narrowPeak")
    table = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
    faults = RowFaults(str(path), "line", np.asarray(lines))
    for column in ("start", "end"):
        table[column] = _positions(table[column], column, faults)
    place = _places(table)
    faults.refuse((table["start"] < 0).to_numpy(), "start is negative", place)
    faults.refuse((table["end"] <= table["start"]).to_numpy(), "end is not greater than start", place)
    return table, faults, blocks


def _positions(text: pd.Series, name: str, faults: RowFaults) -> Ints:
    values, bad = whole_numbers(text)
    header = bad[0] and not bad[1:].any() and str(text.iloc[0]).isidentifier()
    faults.refuse(
        bad,
        f"{name} is not a position",
        lambda row: repr(text.iloc[row]),
        expected="an integer",
        remedy="take the header line away" if header else "",
    )
    return values


def _places(table: pd.DataFrame) -> Callable[[int], str]:
    return lambda row: f"{table['chrom'].iloc[row]}:{table['start'].iloc[row]}-{table['end'].iloc[row]}"


def _settle_summits(table: pd.DataFrame, faults: RowFaults, blocks: int, what: str) -> None:
    """Make numbers of column 10, in place, by the rule of :mod:`~chrombpnet_core.genome.summits`."""
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    given = table["summit"] != ""
    thick, outer = (pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float) for name in ("signal", "pvalue"))
    if given.any() and starts.max() > _THICK_FROM and ((starts <= thick) & (thick <= outer) & (outer <= ends)).all():
        blocks = len(table)  # columns 7 and 8 are positions: what is left of BED12, cut after column 10 or later
        table["summit"] = ""
    table["summit"], unknown = summits_of(table["summit"], starts, ends, faults)
    if unknown.any():
        counted = f"; of {blocks:,} it counts blocks, as in BED12 and gappedPeak" if blocks else ""
        log.warning(
            "%s: %s of %s %s have no summit (column 10%s); the middle of the interval is taken",
            faults.where,
            f"{unknown.sum():,}",
            f"{len(table):,}",
            what,
            counted,
        )
    elif len(table) >= _SUSPECT_ZEROS and not table["summit"].any() and (ends - starts > 1).all():
        log.warning(
            "%s: the summit (column 10) of all %s %s is 0, their first base; write -1 if it is not known",
            faults.where,
            f"{len(table):,}",
            what,
        )


def _check_chromosomes(table: pd.DataFrame, faults: RowFaults, what: str, sizes: dict[str, int], renames: bool) -> None:
    """Refuse regions on chromosomes that ``sizes`` lacks, or that begin beyond their end.

    Where names are read by a rule, ``renames``, the error says which one to give.
    """
    unknown = ~table["chrom"].isin(sizes).to_numpy()
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
            f"{faults.where}, line {faults.numbers[first]}: chromosome {name} of the {what} is not in the genome "
            f"({counted(int(unknown.sum()), 'lines')})",
            remedy=hint,
        )
    place = _places(table)
    faults.refuse(
        (table["start"] >= table["chrom"].map(sizes)).to_numpy(),
        "begins beyond the chromosome's end",
        lambda row: f"{place(row)} of {sizes[table['chrom'].iloc[row]]:,} bp",
        remedy=f"check that the {what} and the genome are of one assembly",
    )
