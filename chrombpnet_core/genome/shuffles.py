"""Shuffles of sequences that keep every dinucleotide count: the references of DeepSHAP and the background of variants.

A sequence is a walk over its letters; a shuffle is another Eulerian walk over the same pairs, drawn uniformly after
Altschul and Erickson 1985 (Mol. Biol. Evol. 2:526): for each letter a last way out, such that all lead to the last letter,
then all other ways out in random order. First and last letter stay. Letters are base codes 0 to 3, and 4 for N, which is
shuffled as a fifth letter.
"""

from __future__ import annotations

import hashlib

import numba
import numpy as np

from chrombpnet_core._numba import compiled
from chrombpnet_core._types import AnyArray, Codes

__all__ = ["dinucleotide_shuffles"]

_LETTERS = 5


def dinucleotide_shuffles(codes: AnyArray, number: int, seed: int) -> Codes:
    """Shuffle each sequence ``number`` times, its dinucleotide counts kept.

    What a sequence becomes depends on itself and the seed alone, not on the sequences beside it.

    Parameters
    ----------
    codes
        Base codes uint8 ``(n, L)``, 0 to 4.
    number
        Shuffles of each.
    seed
        Of the shuffles.

    Returns
    -------
    ndarray
        Base codes, uint8 ``(n, number, L)``.

    Examples
    --------
    >>> dinucleotide_shuffles(np.array([[0, 1, 2, 3, 2, 1, 0]]), 3, seed=1).shape
    (1, 3, 7)
    """
    codes = np.minimum(np.ascontiguousarray(codes, dtype=np.uint8), _LETTERS - 1)
    seeds = np.array([_seed_of(row, seed) for row in codes], dtype=np.uint64)
    shuffled = np.empty((len(codes), number, codes.shape[1]), dtype=np.uint8)
    if codes.shape[1]:
        _shuffle(codes, seeds, shuffled)
    return shuffled


def _seed_of(row: AnyArray, seed: int) -> int:
    digest = hashlib.blake2b(row.tobytes(), digest_size=8, key=str(seed).encode())
    return int.from_bytes(digest.digest(), "little")


@compiled
def _next(state: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Step SplitMix64 (Steele, Lea and Flood 2014): the new state and 64 random bits."""
    state += np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, z ^ (z >> np.uint64(31))


@compiled
def _below(state: np.uint64, limit: int) -> tuple[np.uint64, np.int64]:
    """Draw a number from 0 to ``limit - 1`` from the upper 32 of 64 random bits; the new state comes first."""
    state, bits = _next(state)
    return state, np.int64(((bits >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))


@compiled
def _leads_home(last: AnyArray, home: int, letters: int, counts: AnyArray) -> bool:
    """Tell whether the last ways out of all letters that have any lead to ``home``."""
    for letter in range(letters):
        if letter == home or counts[letter] == 0:
            continue
        reached = letter
        for _ in range(letters):
            reached = last[reached]
            if reached == home:
                break
        if reached != home:
            return False
    return True


@numba.njit(cache=True, parallel=True)
def _shuffle(codes: AnyArray, seeds: AnyArray, shuffled: AnyArray) -> None:
    """Shuffle each sequence of ``codes`` as often as ``shuffled`` has room, each on its own."""
    length = codes.shape[1]
    for row in numba.prange(codes.shape[0]):
        sequence = codes[row]
        counts = np.zeros(_LETTERS, np.int64)  # ways out of each letter
        for at in range(length - 1):
            counts[sequence[at]] += 1
        begins = np.zeros(_LETTERS + 1, np.int64)
        for letter in range(_LETTERS):
            begins[letter + 1] = begins[letter] + counts[letter]
        ways = np.empty(max(length - 1, 1), np.uint8)
        filled = begins.copy()
        for at in range(length - 1):
            letter = sequence[at]
            ways[filled[letter]] = sequence[at + 1]
            filled[letter] += 1
        home = sequence[length - 1]
        last = np.zeros(_LETTERS, np.int64)
        taken = np.zeros(_LETTERS, np.int64)
        for number in range(shuffled.shape[1]):
            state = seeds[row] + np.uint64(number) * np.uint64(0xD1342543DE82EF95)
            while True:  # some draw leads home: the sequence itself does
                for letter in range(_LETTERS):
                    if counts[letter] > 0 and letter != home:
                        state, drawn = _below(state, counts[letter])
                        taken[letter] = drawn
                        last[letter] = ways[begins[letter] + drawn]
                if _leads_home(last, home, _LETTERS, counts):
                    break
            for letter in range(_LETTERS):
                begin, free = begins[letter], counts[letter]
                if free and letter != home:  # the last way out goes to the end and stays there
                    at, end = begin + taken[letter], begin + free - 1
                    ways[at], ways[end] = ways[end], ways[at]
                    free -= 1
                for at in range(free - 1, 0, -1):
                    state, drawn = _below(state, at + 1)
                    ways[begin + at], ways[begin + drawn] = ways[begin + drawn], ways[begin + at]
            used = np.zeros(_LETTERS, np.int64)
            letter = sequence[0]
            shuffled[row, number, 0] = letter
            for at in range(1, length):
                following = ways[begins[letter] + used[letter]]
                used[letter] += 1
                letter = following
                shuffled[row, number, at] = letter
