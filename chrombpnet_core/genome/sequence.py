"""Bases as numbers: codes, one-hot, reverse complement.

Bases are coded 0, 1, 2, 3 for A, C, G, T in either case and 4 for any other letter, which is all zeros in one-hot.
"""

from __future__ import annotations

import numpy as np

__all__ = ["OTHER_BASE", "codes_of", "one_hot", "reverse_complement"]


OTHER_BASE = 4
"""The code of every letter that is not A, C, G or T."""


_CODE_OF_BYTE = np.full(256, OTHER_BASE, dtype=np.uint8)
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"Tt")):
    _CODE_OF_BYTE[list(_letters)] = _code


_ONE_HOT = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])


_COMPLEMENT = np.array([3, 2, 1, 0, OTHER_BASE], dtype=np.uint8)


def codes_of(sequence: str | bytes) -> np.ndarray:
    """Base codes, uint8 of shape ``(length,)``, of a sequence of letters."""
    raw = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    return _CODE_OF_BYTE[np.frombuffer(raw, dtype=np.uint8)]


def one_hot(codes: np.ndarray) -> np.ndarray:
    """One-hot float32 of shape ``(..., length, 4)`` of base codes ``(..., length)``; other letters are all zeros."""
    return _ONE_HOT[codes]


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Reverse complement of base codes along the last axis."""
    return _COMPLEMENT[codes][..., ::-1]
