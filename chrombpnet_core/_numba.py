"""Compiled loops: numba without the interpreter lock, its machine code cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
from numba import njit

from chrombpnet_core.concurrency import private_folder

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile without the interpreter lock, and cache the machine code."""
    return cast(Callable[P, R], njit(nogil=True, cache=True)(function))


def _require_cache_folder() -> None:
    """Name a folder for machine code, other packages' too, where numba finds none: read-only installation, no home."""
    try:
        njit(cache=True)(_require_cache_folder)
    except RuntimeError:
        setattr(numba.config, "CACHE_DIR", str(private_folder() / "numba"))  # noqa: B010 (made at run time)


_require_cache_folder()
