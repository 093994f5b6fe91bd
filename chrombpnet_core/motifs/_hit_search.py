"""Loops of :mod:`chrombpnet_core.motifs.hits`, compiled by numba on first use and cached on disk."""

from __future__ import annotations

import numpy as np

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray, Bools, Codes, Floats, Ints

__all__ = ["block_overlapping", "scan"]


@compiled
def scan(
    codes: Codes,
    scores: Floats,
    weights: Floats,
    begins: Ints,
    floors: Floats,
    best: AnyArray,
    which: AnyArray,
    similarity: AnyArray,
) -> None:
    """Compare every window with every template; see :func:`chrombpnet_core.motifs.scan_regions`.

    ``weights`` holds the templates one after the other, ``(total, 5)``; template ``t`` is its rows ``begins[t]`` to
    ``begins[t + 1]``. ``floors[t]`` are its least strength, which is positive, and similarity. ``best``, ``which`` and
    ``similarity``, ``(k, L)`` each, receive the strongest template of those that reach both at each first base.
    """
    length = codes.shape[1]
    squares = np.zeros(length + 1)
    for row in range(codes.shape[0]):
        for i in range(length):
            squares[i + 1] = squares[i] + scores[row, i] * scores[row, i]
        for template in range(floors.shape[0]):
            begin, size = begins[template], begins[template + 1] - begins[template]
            least = floors[template, 0]
            for start in range(length - size + 1):
                square = squares[start + size] - squares[start]
                if square < least * least:  # a product with unit weights is at most the window's size (Cauchy-Schwarz)
                    continue
                strength = np.float32(0)
                for i in range(size):
                    strength += scores[row, start + i] * weights[begin + i, codes[row, start + i]]
                if strength < least or strength <= best[row, start]:
                    continue
                cosine = strength / np.sqrt(square)
                if cosine >= floors[template, 1]:
                    best[row, start], which[row, start], similarity[row, start] = strength, template, cosine


@compiled
def block_overlapping(starts: Ints, ends: Ints, order: Ints, longest: int) -> Bools:
    """Say which intervals, sorted by start, stay when each in ``order`` removes those that it overlaps; bool ``(n,)``."""
    count = starts.size
    chosen = np.zeros(count, dtype=np.bool_)
    blocked = np.zeros(count, dtype=np.bool_)
    for i in order:
        if blocked[i]:
            continue
        chosen[i] = True
        j = i - 1
        while j >= 0 and starts[j] > starts[i] - longest:
            if ends[j] > starts[i]:
                blocked[j] = True
            j -= 1
        j = i + 1
        while j < count and starts[j] < ends[i]:
            blocked[j] = True
            j += 1
    return chosen
