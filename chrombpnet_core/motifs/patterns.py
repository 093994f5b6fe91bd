"""Patterns in TF-MoDISco's HDF5: their names, their matrices, and the positions that matter."""

from __future__ import annotations

import os

import h5py
import numpy as np

from chrombpnet_core._types import Floats
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_hdf5

__all__ = ["PATTERN_GROUPS", "informative_positions", "pattern_names", "read_pattern_data", "site_distances"]

PATTERN_GROUPS = ("pos_patterns", "neg_patterns")
"""Groups of TF-MoDISco's HDF5: patterns that raise the prediction, and those that lower it."""

_LEAST = 0.3  # of the highest position: positions below it at the ends are cut off, as modisco-lite's report does


def pattern_names(file: h5py.File) -> list[str]:
    """List the patterns in TF-MoDISco's HDF5, each group by number.

    Parameters
    ----------
    file
        Open HDF5.

    Returns
    -------
    list of str
        Such as ``pos_patterns.pattern_0``.

    Raises
    ------
    InputError
        Where the file has another form.
    """
    names: list[str] = []
    if len(file) and not any(group in file for group in PATTERN_GROUPS):  # without any motif it is empty
        raise InputError(
            f"{file.filename}: no groups {' and '.join(PATTERN_GROUPS)}",
            expected="the HDF5 of TF-MoDISco",
            found=", ".join(sorted(file)[:3]),
            remedy="give the HDF5 of modisco_motifs",
        )
    for group in PATTERN_GROUPS:
        members = file.get(group, {})
        if isinstance(members, h5py.Dataset):
            raise InputError(f"{file.filename}: {group}", expected="a group of patterns, as TF-MoDISco writes it")
        numbers = [name.removeprefix("pattern_") for name in members if name.startswith("pattern_")]
        names += [f"{group}.pattern_{number}" for number in sorted(filter(str.isdecimal, numbers), key=int)]
    return names


def read_pattern_data(file: h5py.File, pattern: str, name: str, shape: tuple[int | None, ...]) -> Floats:
    """Read a data set of a pattern, checked: finite numbers of a shape.

    Parameters
    ----------
    file
        Open HDF5.
    pattern
        Such as ``pos_patterns.pattern_0``.
    name
        Of the data set within the pattern's group.
    shape
        That it must have; None is any length.

    Returns
    -------
    numpy.ndarray
        float64.

    Raises
    ------
    InputError
        Where there are no such numbers.
    """
    data = file.get(f"{pattern.replace('.', '/')}/{name}")
    expected = "(" + ", ".join("n" if side is None else str(side) for side in shape) + ")"
    if (
        not isinstance(data, h5py.Dataset)
        or data.ndim != len(shape)
        or data.dtype.kind not in "iufb"
        or any(side is not None and side != length for side, length in zip(shape, data.shape, strict=True))
    ):
        raise InputError(
            f"{file.filename}: {pattern}/{name}",
            expected=f"numbers of shape {expected}",
            found=str(getattr(data, "shape", "nothing")),
            remedy="give the HDF5 of modisco_motifs",
        )
    values: Floats = data[()].astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{file.filename}: {pattern}/{name}", expected="finite numbers")
    return values


def site_distances(patterns: str | os.PathLike[str]) -> dict[str, float]:
    """Compute how far from the middle of the searched windows the sites of each pattern lie.

    Parameters
    ----------
    patterns
        TF-MoDISco's HDF5.

    Returns
    -------
    dict
        Pattern, such as ``pos_patterns.pattern_0`` → median distance in bp between the middles of its sites and of the
        windows; empty where the file does not tell the windows' size.
    """
    with open_hdf5(patterns, "patterns of TF-MoDISco") as file:
        window = file.attrs.get("window_size")
        if window is None:
            return {}
        distances = {}
        for name in pattern_names(file):
            start, end = (read_pattern_data(file, name, f"seqlets/{part}", (None,)) for part in ("start", "end"))
            distances[name] = float(np.median(np.abs((start + end) / 2 - float(window) / 2)))
        return distances


def informative_positions(cwm: Floats) -> slice:
    """Find the positions of a pattern that matter.

    Parameters
    ----------
    cwm
        Contribution weights ``(n, 4)``.

    Returns
    -------
    slice
        From the first to the last position whose contributions, summed without sign, are 30 % of the highest or more.

    Examples
    --------
    >>> import numpy as np
    >>> informative_positions(np.diag([0.1, 0.2, 1, 0.5]))
    slice(2, 4, None)
    """
    size = np.abs(cwm).sum(axis=1)
    high = np.flatnonzero(size >= _LEAST * size.max())
    return slice(int(high[0]), int(high[-1]) + 1)
