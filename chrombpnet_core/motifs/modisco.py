"""From contributions to patterns: TF-MoDISco (Shrikumar et al. 2018), called as ``modisco motifs`` of modisco-lite calls it.

Contributions come in the reference's HDF5, ``raw/seq`` and ``shap/seq``, each ``(regions, 4, length)``; only the middle of
the regions is read. Patterns go into the library's own HDF5 form, which other programs read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.progress import bar

__all__ = ["MIN_MODISCO_WINDOW", "contributions_shape", "find_patterns", "read_contribution_windows"]

log = logging.getLogger(__name__)

MIN_MODISCO_WINDOW = 50
"""bp: below it the seqlets, 30 bp with their flanks, have no room."""

_SEQUENCE, _HYPOTHETICAL = "raw/seq", "shap/seq"
_ROWS = 512  # regions read at a time
_BYTES_PER_BASE = 200  # memory that TF-MoDISco holds at its peak for each base of each window


def contributions_shape(file: h5py.File) -> tuple[int, int]:
    """Number of regions and their length in a file of contributions.

    Raises
    ------
    InputError
        Where it does not hold ``raw/seq`` and ``shap/seq``, numbers of one shape ``(regions, 4, length)``.
    """
    for name in (_SEQUENCE, _HYPOTHETICAL):
        data = file.get(name)
        if not isinstance(data, h5py.Dataset):
            raise InputError(
                f"{file.filename}: no data set {name}",
                expected="contributions, as contribs_bw writes them",
                found=", ".join(list(file)[:5]) or "an empty file",
            )
        if data.ndim != 3 or data.shape[1] != 4 or 0 in data.shape or data.dtype.kind not in "iufb":
            raise InputError(
                f"{file.filename}: {name}",
                expected="numbers of shape (regions, 4, length)",
                found=f"{data.dtype} {data.shape}",
            )
    if file[_SEQUENCE].shape != file[_HYPOTHETICAL].shape:
        raise InputError(
            f"{file.filename}: {_SEQUENCE} and {_HYPOTHETICAL}",
            expected="one shape",
            found=f"{file[_SEQUENCE].shape} and {file[_HYPOTHETICAL].shape}",
        )
    regions, _, length = file[_SEQUENCE].shape
    return regions, length


def read_contribution_windows(
    file: h5py.File, width: int, rows: int = _ROWS
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Bases and hypothetical contributions of the middle ``width`` bp, some regions at a time.

    Yields
    ------
    Which regions, one-hot float32 ``(k, width, 4)`` and contributions float32 ``(k, width, 4)``.

    Raises
    ------
    InputError
        Where sequences are not one-hot (all zeros: another letter) or contributions are not finite.
    """
    regions, length = contributions_shape(file)
    start = length // 2 - width // 2
    for at in range(0, regions, rows):
        part = slice(at, min(at + rows, regions))
        bases, scores = (
            np.moveaxis(file[name][part, :, start : start + width].astype(np.float32), 1, 2)
            for name in (_SEQUENCE, _HYPOTHETICAL)
        )
        if not (np.isin(bases, (0, 1)).all() and (bases.sum(axis=2) <= 1).all()):
            raise InputError(
                f"{file.filename}: {_SEQUENCE} of regions {at + 1:,} to {part.stop:,}",
                expected="one-hot bases, 0 or 1, at most one at a position",
            )
        if not np.isfinite(scores).all():
            raise InputError(
                f"{file.filename}: {_HYPOTHETICAL} of regions {at + 1:,} to {part.stop:,}",
                expected="finite contributions",
                found="NaN or infinity",
            )
        yield part, bases, scores


def find_patterns(
    contributions: str | os.PathLike,
    output: str | os.PathLike,
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
        Sites of each sign that are clustered at most, the first in the order of regions.
    window
        bp around each region's middle that are looked at.
    n_leiden
        Clusterings of which the best is taken.
    seed
        Of the order in which regions are looked at, so that ``max_seqlets`` favours no chromosome; None: as they stand
        there. Places in the output refer to the rows of ``contributions`` either way.
    verbose
        Whether the library says what it does.

    Returns
    -------
    ``regions``, ``patterns`` and ``seqlets``: what was looked at, found and put into patterns.

    Raises
    ------
    InputError
        For a file that does not hold contributions, a window that does not fit, and more than the memory holds.
    """
    from modiscolite import precompile

    precompile.start()  # in processes beside this one, while there are no threads yet; what they compile is kept
    with open_hdf5(contributions, "contributions") as file:
        regions, length = contributions_shape(file)
        _check_size(file, regions, length, window, max_seqlets, n_leiden)
        order = np.arange(regions) if seed is None else np.random.default_rng(seed).permutation(regions)
        place = np.argsort(order)
        one_hot, scores = (np.empty((regions, window, 4), dtype=np.float32) for _ in range(2))
        with bar("reading contributions", regions, "regions") as progress:
            for part, bases, found in read_contribution_windows(file, window):
                one_hot[place[part]], scores[place[part]] = bases, found
                progress.update(len(bases))
    log.info(
        "TF-MoDISco on %s regions, %s bp of each, at most %s sites of each sign",
        f"{regions:,}",
        f"{window:,}",
        f"{max_seqlets:,}",
    )
    patterns = _modisco(one_hot, scores, max_seqlets, n_leiden, verbose)
    _write_patterns(Path(output), patterns, window, order)
    return {
        "regions": regions,
        "patterns": sum(map(len, patterns)),
        "seqlets": sum(len(pattern.seqlets) for group in patterns for pattern in group),
    }


def _check_size(file: h5py.File, regions: int, length: int, window: int, max_seqlets: int, n_leiden: int) -> None:
    if not MIN_MODISCO_WINDOW <= window <= length:
        raise InputError(
            f"-w/--window {window}",
            expected=f"{MIN_MODISCO_WINDOW} to {length:,} bp, the length of the regions in {file.filename}",
        )
    for flag, value in (("-n/--max-seqlets", max_seqlets), ("-l/--n-leiden", n_leiden)):
        if value < 1:
            raise InputError(f"{flag} {value}", expected="1 or more")
    needed, free = regions * window * _BYTES_PER_BASE, psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{file.filename}: {regions:,} regions of {window:,} bp need about {needed / 2**30:,.1f} GiB",
            found=f"{free / 2**30:,.1f} GiB free",
            remedy="explain fewer regions, or take a smaller -w",
        )


def _modisco(one_hot: np.ndarray, scores: np.ndarray, max_seqlets: int, n_leiden: int, verbose: bool) -> list[list[Any]]:
    """Positive and negative patterns, with the parameters of the command ``modisco motifs``."""
    from modiscolite.tfmodisco import TFMoDISco

    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = TFMoDISco(
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
        # Where scores are all of one sign, or zero, or few, there is no null distribution to tell sites from.
        if "extract_seqlets" not in {frame.name for frame in traceback.extract_tb(error.__traceback__)}:
            raise
        log.warning("no sites found: the contributions are too few or too uniform to tell sites from background")
        found = (None, None)
    return [group or [] for group in found]


def _write_patterns(output: Path, patterns: list[list[Any]], window: int, order: np.ndarray) -> None:
    from modiscolite.io import save_hdf5

    save_hdf5(output, *patterns, window)
    with h5py.File(output, "r+") as file:

        def restore(name: str, data: h5py.Dataset | h5py.Group) -> None:
            if name.endswith("seqlets/example_idx"):
                data[...] = order[data[()]]

        file.visititems(restore)
