"""From contributions to patterns: TF-MoDISco (Shrikumar et al. 2018), called as ``modisco motifs`` of modisco-lite calls it.

Only the middle of the regions is read. Patterns go into the library's own HDF5 form, which other programs read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil

from chrombpnet_core._types import Floats, Ints
from chrombpnet_core.errors import InputError, counted
from chrombpnet_core.formats import open_hdf5, open_hdf5_to_write
from chrombpnet_core.motifs.contribution_windows import contributions_shape, read_contribution_windows
from chrombpnet_core.progress import bar

__all__ = ["MIN_MODISCO_WINDOW", "find_patterns"]

log = logging.getLogger(__name__)

MIN_MODISCO_WINDOW = 50
"""bp: below it the seqlets, 30 bp with their flanks, have no room."""

_BYTES_PER_BASE = 200  # memory that TF-MoDISco holds at its peak for each base of each window


def find_patterns(
    contributions: str | os.PathLike[str],
    output: str | os.PathLike[str],
    max_seqlets: int = 50_000,
    window: int = 500,
    n_leiden: int = 2,
    seed: int | None = 1234,
    verbose: bool = False,
) -> dict[str, int]:
    """Run TF-MoDISco and write its HDF5; without any pattern that has empty groups.

    Parameters
    ----------
    contributions
        HDF5 with ``raw/seq`` and ``shap/seq``, each ``(N, 4, L)``.
    output
        Written as modisco-lite writes it: ``pos_patterns`` and ``neg_patterns`` with a group for each pattern.
    max_seqlets
        Seqlets of each sign that are clustered at most, the first in the order of regions.
    window
        bp around each region's middle that are searched.
    n_leiden
        Clusterings of which the best is taken.
    seed
        Of the order in which regions are searched, so that ``max_seqlets`` favours no chromosome; None: as they stand
        there. Places in the output refer to the rows of ``contributions`` either way.
    verbose
        Whether the library prints its progress.

    Returns
    -------
    dict of str to int
        ``regions``, ``patterns`` and ``seqlets``: regions searched, patterns, seqlets in patterns.

    Raises
    ------
    InputError
        For a file that does not hold contributions, a window that does not fit, and more than the memory holds.
    """
    from modiscolite import precompile

    precompile.start()  # in processes beside this one, while there are no threads yet; what they compile is kept
    one_hot, scores, order = _read_shuffled(contributions, window, max_seqlets, n_leiden, seed)
    sizes = counted(len(order), "regions"), f"{window:,}", f"{max_seqlets:,}"
    log.info("TF-MoDISco on %s, %s bp of each, at most %s seqlets of each sign", *sizes)
    patterns = _run_modisco(one_hot, scores, max_seqlets, n_leiden, verbose)
    _write_patterns(Path(output), patterns, window, order)
    seqlets = sum(len(pattern.seqlets) for group in patterns for pattern in group)
    return {"regions": len(order), "patterns": sum(map(len, patterns)), "seqlets": seqlets}


def _read_shuffled(
    contributions: str | os.PathLike[str], window: int, max_seqlets: int, n_leiden: int, seed: int | None
) -> tuple[Floats, Floats, Ints]:
    """One-hot bases and contributions ``(n, window, 4)`` in a shuffled order, and this order."""
    with open_hdf5(contributions, "contributions") as file:
        regions, length = contributions_shape(file)
        _check_size(file, regions, length, window, max_seqlets, n_leiden)
        order = np.arange(regions) if seed is None else np.random.default_rng(seed).permutation(regions)
        place = np.argsort(order)
        one_hot, scores = (np.empty((regions, window, 4), dtype=np.float32) for _ in range(2))
        with bar("reading contributions", regions, "regions") as progress:
            for members, bases, hypothetical in read_contribution_windows(file, window):
                one_hot[place[members]], scores[place[members]] = bases, hypothetical
                progress.update(len(bases))
    return one_hot, scores, order


def _check_size(file: h5py.File, regions: int, length: int, window: int, max_seqlets: int, n_leiden: int) -> None:
    if not MIN_MODISCO_WINDOW <= window <= length:
        raise InputError(
            f"motifs are searched in a window of {window:,} bp",
            expected=f"{MIN_MODISCO_WINDOW} to {length:,} bp, the length of the regions in {file.filename}",
        )
    for argument, value in (("max_seqlets", max_seqlets), ("n_leiden", n_leiden)):
        if value < 1:
            raise InputError(f"`{argument}` {value}", expected="1 or more")
    needed, free = regions * window * _BYTES_PER_BASE, psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{file.filename}: {counted(regions, 'regions')} of {window:,} bp would need about {needed / 2**30:,.1f} GiB",
            found=f"{free / 2**30:,.1f} GiB free",
            remedy="explain fewer regions, or take a smaller `window`",
        )


def _run_modisco(one_hot: Floats, scores: Floats, max_seqlets: int, n_leiden: int, verbose: bool) -> list[list[Any]]:
    """Positive and negative patterns, with the parameters of the command ``modisco motifs``."""
    from modiscolite.tfmodisco import TFMoDISco

    try:
        with contextlib.redirect_stdout(sys.stderr):
            groups = TFMoDISco(
                one_hot=one_hot,
                hypothetical_contribs=scores,
                max_seqlets_per_metacluster=max_seqlets,
                sliding_window_size=20,
                flank_size=5,
                target_seqlet_fdr=0.05,
                trim_to_window_size=30,
                initial_flank_to_add=10,
                final_flank_to_add=0,
                n_leiden_runs=n_leiden,
                verbose=verbose,
            )
    except (ValueError, IndexError, ZeroDivisionError) as error:
        # Where scores are all of one sign, or zero, or few, there is no null distribution to tell seqlets from.
        if "extract_seqlets" not in {frame.name for frame in traceback.extract_tb(error.__traceback__)}:
            raise
        log.warning("no seqlets found: the contributions are too few or too uniform to stand out from background")
        groups = (None, None)
    return [group or [] for group in groups]


def _write_patterns(output: Path, patterns: list[list[Any]], window: int, order: Ints) -> None:
    """Write the library's HDF5; rows of regions are those of the file of contributions, not of the shuffled order."""
    from modiscolite.io import save_hdf5

    save_hdf5(output, *patterns, window)
    with open_hdf5_to_write(output, "r+") as file:

        def restore(name: str, data: h5py.Dataset | h5py.Group) -> None:
            if name.endswith("seqlets/example_idx"):
                data[...] = order[data[()]]

        file.visititems(restore)
