"""Region tables (narrowPeak): columns, centres, edges, overlaps.

A region table is a :class:`pandas.DataFrame` with the ten narrowPeak columns of :data:`REGION_COLUMNS`; coordinates
are 0-based, half-open. Columns 4 to 9 are text, carried through unchanged. The centre of a region is ``start + summit``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from chrombpnet_core._types import Bools, Ints
from chrombpnet_core.errors import InputError

__all__ = [
    "REGION_COLUMNS",
    "centres",
    "clip_to_chromosomes",
    "on_chromosomes",
    "overlapping",
    "regions_at",
    "windows_fit",
    "without_blacklisted",
    "write_regions",
]

log = logging.getLogger(__name__)

REGION_COLUMNS = ["chrom", "start", "end", "name", "score", "strand", "signal", "pvalue", "qvalue", "summit"]
"""Columns of a region table, those of narrowPeak."""


def clip_to_chromosomes(table: pd.DataFrame, sizes: Mapping[str, int]) -> tuple[pd.DataFrame, int]:
    """Cut off what hangs over the end of a chromosome, as peak callers that extend reads write it.

    Parameters
    ----------
    table
        Region table, all on chromosomes of ``sizes``, none beginning beyond their ends.
    sizes
        Chromosome → length in bp.

    Returns
    -------
    tuple
        The table, and how many regions were clipped. A summit beyond the end becomes the last base; any other stays, and
        with it the window around it.
    """
    lengths = table["chrom"].map(sizes)
    over = (table["end"] > lengths).to_numpy()
    if not over.any():
        return table, 0
    ends = np.minimum(table["end"], lengths).astype(np.int64)
    return table.assign(end=ends, summit=np.minimum(table["summit"], ends - table["start"] - 1)), int(over.sum())


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
    import bioframe  # brings matplotlib

    counted = bioframe.count_overlaps(table[columns].reset_index(drop=True), others[columns].reset_index(drop=True))
    overlap: Bools = counted["count"].to_numpy() > 0
    return overlap
