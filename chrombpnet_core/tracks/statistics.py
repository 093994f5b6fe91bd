"""TODO."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

__all__ = ["track_statistics", "write_track_statistics"]

_QUANTILES = {"0.1%": 0.001, "1%": 0.01, "50%": 0.5, "99%": 0.99, "99.9%": 0.999, "99.95%": 0.9995, "99.99%": 0.9999}
_HALF = 1 << 16  # values of the upper or lower 16 bits of a float32


def track_statistics(parts: Callable[[], Iterable[np.ndarray]]) -> dict[str, float]:
    """Minimum, maximum and quantiles of the values of a track, exact: linear between the two nearest, as numpy has them.

    The values pass twice. First those that share the upper half of their bits are counted, then, where a quantile falls,
    those that share the lower half too: 16 bits make a table of any size countable in little memory.

    Parameters
    ----------
    parts
        Gives all values, float32 ``(m,)`` at a time, whenever it is called; at least one, and none NaN.

    Returns
    -------
    Name, such as ``99.9%``, → value, in ascending order from ``min`` to ``max``.
    """
    upper = sum(np.bincount(_ordered(values) >> 16, minlength=_HALF) for values in parts())
    last = np.cumsum(upper)
    places = {"min": 0.0, **{name: share * (last[-1] - 1) for name, share in _QUANTILES.items()}, "max": last[-1] - 1.0}
    ranks = np.unique([rank for place in places.values() for rank in (np.floor(place), np.ceil(place))]).astype(np.int64)
    bins, bin_of = np.unique(np.searchsorted(last, ranks, side="right"), return_inverse=True)
    slots = np.full(_HALF, -1)
    slots[bins] = np.arange(len(bins))
    lower = np.zeros(len(bins) * _HALF, dtype=np.int64)
    for values in parts():
        keys = _ordered(values)
        slot = slots[keys >> 16]
        kept = slot >= 0
        lower += np.bincount(slot[kept] * _HALF + keys[kept] % _HALF, minlength=len(lower))
    within = np.cumsum(lower.reshape(-1, _HALF), axis=1)
    before = last[bins] - upper[bins]
    value_of = {
        int(rank): _value(bins[at] * _HALF + np.searchsorted(within[at], rank - before[at], side="right"))
        for rank, at in zip(ranks, bin_of, strict=True)
    }
    return {
        name: _between(value_of[int(np.floor(place))], value_of[int(np.ceil(place))], place % 1)
        for name, place in places.items()
    }


def _ordered(values: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 2³² − 1, int64, that are in the order of float32 values."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.int64)
    return np.where(bits >> 31, 0xFFFFFFFF - bits, bits + 0x80000000)


def _value(key: int) -> float:
    """The inverse of :func:`_ordered`."""
    bits = key - 0x80000000 if key >> 31 else 0xFFFFFFFF - key
    return float(np.array(bits, dtype=np.uint32).view(np.float32))


def _between(first: float, second: float, share: float) -> float:
    return first + (second - first) * share


def write_track_statistics(statistics: dict[str, float], path: str | os.PathLike[str]) -> None:
    """Write a line ``name, tab, value`` for each."""
    Path(path).write_text("".join(f"{name}\t{value:.9g}\n" for name, value in statistics.items()))
