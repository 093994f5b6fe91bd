"""Statistics of a track: extremes and quantiles, exact whatever its size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from chrombpnet_core._types import AnyArray

__all__ = ["track_statistics", "write_track_statistics"]

_QUANTILES = {"0.1%": 0.001, "1%": 0.01, "50%": 0.5, "99%": 0.99, "99.9%": 0.999, "99.95%": 0.9995, "99.99%": 0.9999}
_HALF = 1 << 16  # values of the upper or lower 16 bits of a float32


def track_statistics(blocks: Callable[[], Iterable[AnyArray]]) -> dict[str, float]:
    """Compute minimum, maximum and quantiles of a track, exactly: linear between the two nearest, as numpy has them.

    The values pass twice. First those that share the upper half of their bits are counted, then, where a quantile falls,
    those that share the lower half too: 16 bits make a table of any size countable in little memory.

    Parameters
    ----------
    blocks
        Gives all values, float32 ``(m,)`` at a time, whenever it is called; at least one, and none NaN.

    Returns
    -------
    dict
        Name, such as ``99.9%``, → value, in ascending order from ``min`` to ``max``.

    Examples
    --------
    >>> numbers = track_statistics(lambda: [np.arange(1001, dtype="f4")])
    >>> numbers["min"], numbers["50%"], numbers["99.9%"]
    (0.0, 500.0, 999.0)
    """
    upper = np.zeros(_HALF, dtype=np.int64)
    for values in blocks():
        upper += np.bincount(_ordered(values) >> 16, minlength=_HALF)
    last = np.cumsum(upper)
    places = {"min": 0.0, **{name: share * (last[-1] - 1) for name, share in _QUANTILES.items()}, "max": last[-1] - 1.0}
    ranks = np.unique([rank for place in places.values() for rank in (np.floor(place), np.ceil(place))]).astype(np.int64)
    bins, bin_of = np.unique(np.searchsorted(last, ranks, side="right"), return_inverse=True)
    slots = np.full(_HALF, -1)
    slots[bins] = np.arange(len(bins))
    lower = np.zeros(len(bins) * _HALF, dtype=np.int64)
    for values in blocks():
        keys = _ordered(values)
        slot = slots[keys >> 16]
        counted = slot >= 0
        lower += np.bincount(slot[counted] * _HALF + keys[counted] % _HALF, minlength=len(lower))
    within = np.cumsum(lower.reshape(-1, _HALF), axis=1)
    before = last[bins] - upper[bins]
    value_of = {
        int(rank): _value(bins[row] * _HALF + np.searchsorted(within[row], rank - before[row], side="right"))
        for rank, row in zip(ranks, bin_of, strict=True)
    }
    return {
        name: _between(value_of[int(np.floor(place))], value_of[int(np.ceil(place))], place % 1)
        for name, place in places.items()
    }


def _ordered(values: AnyArray) -> AnyArray:
    """Rank float32 values among all there are: 0 to 2³² − 1, int64."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.int64)
    return np.where(bits >> 31, 0xFFFFFFFF - bits, bits + 0x80000000)


def _value(key: int) -> float:
    """Invert :func:`_ordered`."""
    bits = key - 0x80000000 if key >> 31 else 0xFFFFFFFF - key
    return float(np.array(bits, dtype=np.uint32).view(np.float32))


def _between(first: float, second: float, share: float) -> float:
    return float(first + (second - first) * share)


def write_track_statistics(statistics: dict[str, float], path: str | os.PathLike[str]) -> None:
    """Write statistics as text, a line of name, tab and value for each.

    Parameters
    ----------
    statistics
        Name → value.
    path
        Where the file goes.
    """
    Path(path).write_text("".join(f"{name}\t{value:.9g}\n" for name, value in statistics.items()))
