"""Contributions as ``contribs_bw`` writes them, the middle of some regions at a time.

They come in the reference's HDF5, ``raw/seq`` and ``shap/seq``, each ``(regions, 4, length)``.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from chrombpnet_core._types import Floats
from chrombpnet_core.errors import InputError

__all__ = ["contributions_shape", "read_contribution_windows"]

_SEQUENCE, _HYPOTHETICAL = "raw/seq", "shap/seq"
_ROWS = 512  # regions read at a time


def contributions_shape(file: h5py.File) -> tuple[int, int]:
    """Check a file of contributions and tell its size.

    Parameters
    ----------
    file
        Open HDF5.

    Returns
    -------
    regions, length : int
        Number of regions and their length in bp.

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


def read_contribution_windows(file: h5py.File, width: int, rows: int = _ROWS) -> Iterator[tuple[slice, Floats, Floats]]:
    """Read bases and hypothetical contributions of the middle ``width`` bp, some regions at a time.

    Parameters
    ----------
    file
        Open HDF5, see :func:`contributions_shape`.
    width
        bp of each region.
    rows
        Regions at a time.

    Yields
    ------
    tuple
        Which regions, one-hot float32 ``(k, width, 4)`` and contributions float32 ``(k, width, 4)``.

    Raises
    ------
    InputError
        Where bases are not one-hot (all zeros for another letter) or contributions are not finite.
    """
    regions, length = contributions_shape(file)
    start = length // 2 - width // 2
    for first in range(0, regions, rows):
        members = slice(first, min(first + rows, regions))
        bases, scores = (
            np.moveaxis(file[name][members, :, start : start + width].astype(np.float32), 1, 2)
            for name in (_SEQUENCE, _HYPOTHETICAL)
        )
        if not (np.isin(bases, (0, 1)).all() and (bases.sum(axis=2) <= 1).all()):
            raise InputError(
                f"{file.filename}: {_SEQUENCE} of regions {first + 1:,} to {members.stop:,}",
                expected="one-hot bases, 0 or 1, at most one at a position",
            )
        if not np.isfinite(scores).all():
            raise InputError(
                f"{file.filename}: {_HYPOTHETICAL} of regions {first + 1:,} to {members.stop:,}",
                expected="finite contributions",
                found="NaN or infinity",
            )
        yield members, bases, scores
