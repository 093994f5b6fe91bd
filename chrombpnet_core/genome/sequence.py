"""Bases as numbers: codes, one-hot, reverse complement.

Bases are coded 0, 1, 2, 3 for A, C, G, T in either case and 4 for any other letter, which is all zeros in one-hot.
"""

from __future__ import annotations

import numpy as np

from chrombpnet_core._types import AnyArray, Codes, Floats

__all__ = ["OTHER_BASE", "codes_of", "one_hot", "reverse_complement"]


OTHER_BASE = 4
"""The code of every letter that is not A, C, G or T."""


_CODE_OF_BYTE = np.full(256, OTHER_BASE, dtype=np.uint8)
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"Tt")):
    _CODE_OF_BYTE[list(_letters)] = _code


_ONE_HOT = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])


_COMPLEMENT = np.array([3, 2, 1, 0, OTHER_BASE], dtype=np.uint8)


def codes_of(sequence: str | bytes) -> Codes:
    """Encode letters as base codes.

    Parameters
    ----------
    sequence
        Letters in either case.

    Returns
    -------
    ndarray
        uint8 ``(length,)``: 0, 1, 2, 3 for A, C, G, T, and :data:`OTHER_BASE`.

    Examples
    --------
    >>> codes_of("ACgtN").tolist()
    [0, 1, 2, 3, 4]
    """
    raw = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    return _CODE_OF_BYTE[np.frombuffer(raw, dtype=np.uint8)]


def one_hot(codes: AnyArray) -> Floats:
    """Encode base codes as one-hot.

    Parameters
    ----------
    codes
        Base codes ``(..., length)``.

    Returns
    -------
    ndarray
        float32 ``(..., length, 4)`` in the order A, C, G, T; all zeros for other letters.

    Examples
    --------
    >>> one_hot(codes_of("CN")).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    encoded: Floats = _ONE_HOT[codes]
    return encoded


def reverse_complement(codes: AnyArray) -> Codes:
    """Reverse and complement base codes along the last axis.

    Parameters
    ----------
    codes
        Base codes ``(..., length)``.

    Returns
    -------
    ndarray
        uint8 of the same shape.

    Examples
    --------
    >>> reverse_complement(codes_of("AACN")).tolist()
    [4, 2, 3, 3]
    """
    complement: Codes = _COMPLEMENT[codes][..., ::-1]
    return complement
