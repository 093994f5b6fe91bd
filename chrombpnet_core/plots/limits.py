"""The limits of a picture's y axis, as a user writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from chrombpnet_core.errors import InputError

__all__ = ["read_limits"]


def read_limits(limits: str | Sequence[float | str] | None) -> tuple[float, float] | None:
    """Read the lower and upper limit of an axis.

    Parameters
    ----------
    limits
        Two numbers, or text such as ``0,0.01`` or ``(0, 0.01)``; None for limits that follow from the curves.

    Returns
    -------
    tuple of float or None
        The smaller and the larger limit.

    Raises
    ------
    InputError
        Where they are not two finite numbers, the smaller first.
    """
    if limits is None:
        return None
    parts = re.split(r"[,\s]+", limits.strip(" ()[]")) if isinstance(limits, str) else limits
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError("`ylim`", expected="two numbers, the smaller first, such as 0,0.01", found=str(limits))
    return low, high
