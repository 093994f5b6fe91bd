"""Names for the arrays that signatures speak of; docstrings give their shapes and units."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["AnyArray", "Bools", "Codes", "Floats", "Ints"]

AnyArray: TypeAlias = npt.NDArray[Any]
"""An array whose kind of number does not matter, or is told in the docstring."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
"""Floating point numbers of any precision."""

Ints: TypeAlias = npt.NDArray[np.integer[Any]]
"""Whole numbers of any width."""

Bools: TypeAlias = npt.NDArray[np.bool_]
"""True and false."""

Codes: TypeAlias = npt.NDArray[np.uint8]
"""Bases as 0 to 3 (A, C, G, T) and 4 for any other letter."""
