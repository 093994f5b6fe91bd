"""TODO."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit

__all__ = ["compiled"]


def compiled(function: Callable) -> Callable:
    """Compile without the interpreter lock; the machine code is cached where a folder for it can be written."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # read-only installation and no home: numba finds no place for its cache
        return njit(nogil=True)(function)
