"""Contributions of several folds: their mean, and how well they agree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_hdf5
from chrombpnet_core.genome import OTHER_BASE

_ROWS = 64  # regions of contributions in memory at a time, of every fold

__all__ = ["MeanContributions", "mean_contributions", "pairs_of", "row_correlations"]


def pairs_of(folds: int) -> list[tuple[int, int]]:
    """List all pairs of folds, in order.

    Parameters
    ----------
    folds
        How many there are.

    Returns
    -------
    list of tuple
        Such as ``(0, 1), (0, 2), (1, 2)``.
    """
    return list(combinations(range(folds), 2))


def row_correlations(values: AnyArray) -> AnyArray:
    """Compute Pearson's r of each region's values between all pairs of folds.

    Parameters
    ----------
    values
        ``(k, n, W)``.

    Returns
    -------
    numpy.ndarray
        ``(pairs, n)`` in the order of :func:`pairs_of`; NaN where a fold's values are all alike.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values - values.mean(axis=-1, keepdims=True)
    scale = np.sqrt((values**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([(values[i] * values[j]).sum(axis=-1) / (scale[i] * scale[j]) for i, j in pairs_of(len(values))])


class MeanContributions(NamedTuple):
    """Regions with the mean of the folds' contributions.

    Rows of the table; base codes uint8 ``(m, L)``; mean hypothetical contributions float32 ``(m, L, 4)``;
    :func:`row_correlations` of the contributions of the bases that are there, ``(pairs, m)``.
    """

    rows: slice
    codes: AnyArray
    scores: AnyArray
    agreement: AnyArray


def mean_contributions(paths: Sequence[str | os.PathLike[str]]) -> Iterator[MeanContributions]:
    """Average several folds' contributions to one head, a few regions at a time.

    Parameters
    ----------
    paths
        HDF5 files as :class:`~chrombpnet_core.interpret.contributions.ContributionsFile`
        writes them, one a fold, in their order.

    Yields
    ------
    MeanContributions
        Some regions at a time.

    Raises
    ------
    InputError
        Where a fold holds other sequences than the first, naming it.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(open_hdf5(path, "contributions")) for path in paths]
        shape = files[0]["raw/seq"].shape
        for i, file in enumerate(files):
            if file["raw/seq"].shape != shape:
                raise _other_regions(
                    i,
                    paths[i],
                    "{:,} regions of {:,} bp".format(*shape[::2]),
                    "{:,} regions of {:,} bp".format(*file["raw/seq"].shape[::2]),
                )
        for first in range(0, shape[0], _ROWS):
            rows = slice(first, min(first + _ROWS, shape[0]))
            present = files[0]["raw/seq"][rows]
            for i, file in enumerate(files[1:], 1):
                other = (file["raw/seq"][rows] != present).any(axis=(1, 2))
                if other.any():
                    raise _other_regions(
                        i, paths[i], "the sequences of fold 0", f"another in region {first + int(np.argmax(other)) + 1:,}"
                    )
            scores = np.stack([file["shap/seq"][rows].astype(np.float32) for file in files])
            codes = np.where(present.any(axis=1), present.argmax(axis=1), OTHER_BASE).astype(np.uint8)
            yield MeanContributions(
                rows,
                codes,
                scores.mean(axis=0, dtype=np.float64).astype(np.float32).swapaxes(1, 2),
                row_correlations((scores * present).sum(axis=2)),
            )


def _other_regions(fold: int, path: str | os.PathLike[str], expected: str, found: str) -> InputError:
    return InputError(
        f"fold {fold} explained other regions than fold 0 ({Path(path).name})",
        expected=expected,
        found=found,
        remedy="explain the same regions with every fold's model: one peak file, number and seed",
    )
