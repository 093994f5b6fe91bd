"""Compiled loops: numba without the interpreter lock, cached where it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile without the interpreter lock; the machine code is cached where a folder for it can be written."""
    try:
        return cast(Callable[P, R], njit(nogil=True, cache=True)(function))
    except RuntimeError:  # read-only installation and no home: numba finds no place for its cache
        return cast(Callable[P, R], njit(nogil=True)(function))
