"""A motif search from contributions to its files: TF-MoDISco's HDF5, and the table of motifs as TSV, JSON and page."""

from __future__ import annotations

import os
import resource
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chrombpnet_core.motifs import (
    JASPAR_PREFIX,
    find_patterns,
    is_jaspar,
    jaspar_release,
    match_patterns,
    read_database,
    tabulate_motifs,
    write_discovered_motifs,
)
from chrombpnet_core.report.motifs_page import MOTIF_KINDS, render_motifs

__all__ = ["MODISCO_FILE", "MOTIF_PAGE_FILE", "MOTIF_ROWS_FILE", "MOTIF_TABLE_FILE", "search_motifs"]

MODISCO_FILE, MOTIF_TABLE_FILE, MOTIF_ROWS_FILE, MOTIF_PAGE_FILE = "modisco.h5", "motifs.tsv", "motifs.json", "motifs.html"
"""Files of a search."""


def search_motifs(
    contributions: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    database: str,
    name: str,
    max_seqlets: int,
    window: int,
    n_leiden: int,
    seed: int | None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Find motifs in contributions with TF-MoDISco, match them to known ones, and write the files of the search.

    Parameters
    ----------
    contributions
        HDF5 of contributions.
    folder
        Where the files go.
    database
        Known motifs, as in :func:`~chrombpnet_core.motifs.read_database`.
    name
        What was explained: ``profile`` or ``counts``.
    max_seqlets
        Most seqlets that are used, as in :func:`~chrombpnet_core.motifs.find_patterns`.
    window
        Width in bp of the middle of each region that is searched.
    n_leiden
        Runs of the clustering.
    seed
        Of the clustering's random numbers.
    verbose
        Whether TF-MoDISco reports its progress.

    Returns
    -------
    dict
        What ``find_patterns`` returns, patterns by kind, the database, peak memory in bytes.
    """
    folder, known_motifs = Path(folder), read_database(database)
    facts: dict[str, Any] = dict(
        find_patterns(contributions, folder / MODISCO_FILE, max_seqlets, window, n_leiden, seed, verbose)
    )
    rows = match_patterns(folder / MODISCO_FILE, known_motifs)
    facts |= {
        "kinds": {kind: sum(row.kind == kind for row in rows) for kind in MOTIF_KINDS},
        "database": _name_of(database),
        "known_motifs": len(known_motifs),
        "modisco_lite": version("modisco-lite"),
    }
    settings = {"name": name, "max_seqlets": max_seqlets, "window": window, "n_leiden": n_leiden, "seed": seed}
    write_discovered_motifs(rows, folder / MOTIF_ROWS_FILE, **settings, **facts)
    table = "".join("\t".join(row) + "\n" for row in tabulate_motifs(rows))
    (folder / MOTIF_TABLE_FILE).write_text(table, encoding="utf-8")
    page = render_motifs(rows, f"Motifs of {name} contributions", _describe(window, facts))
    (folder / MOTIF_PAGE_FILE).write_text(page, encoding="utf-8")
    return facts | {"peak_memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}  # in no file: it varies


def _name_of(database: str) -> str:
    return (
        f"{jaspar_release()}, {database.removeprefix(JASPAR_PREFIX)}" if is_jaspar(database) else os.path.basename(database)
    )


def _describe(window: int, facts: dict[str, Any]) -> str:
    """Say in words what was searched and compared with."""
    return (
        f"TF-MoDISco searched the {window:,} bp in the middle of {facts['regions']:,} regions. Patterns were compared with "
        f"{facts['known_motifs']:,} known motifs: {facts['database']}, and those of the enzymes."
    )
