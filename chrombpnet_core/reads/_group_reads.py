"""Loops that sort reads by chromosome and strand, compiled by numba; they run without the interpreter lock."""

from __future__ import annotations

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray

__all__ = ["count_keys", "group"]


@compiled
def count_keys(chroms: AnyArray, minus: AnyArray, reads: AnyArray) -> None:
    """Add to ``reads``, int64, the number of reads by key: twice the chromosome index, and 1 on the minus strand."""
    for read in range(len(chroms)):
        reads[2 * chroms[read] + minus[read]] += 1


@compiled
def group(chroms: AnyArray, minus: AnyArray, values: AnyArray, places: AnyArray, grouped: AnyArray) -> None:
    """Sort values of reads by key (see :func:`count_keys`), in their order within a key, into ``grouped``.

    ``places``, int64, say where the values of each key go, and lie behind them afterwards; keys beyond it are left out.
    """
    for read in range(len(values)):
        key = 2 * chroms[read] + minus[read]
        if key < len(places):
            grouped[places[key]] = values[read]
            places[key] += 1
