"""Dinucleotide shuffles: exact counts, uniform, and of each sequence alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.genome import dinucleotide_shuffles

SEQUENCES = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda letters: np.array(letters, dtype=np.uint8))


def pairs(sequence):
    return np.bincount(sequence[:-1].astype(int) * 5 + sequence[1:], minlength=25).tolist()


@settings(max_examples=150)
@given(SEQUENCES, st.integers(0, 2**40))
def test_dinucleotides_and_both_ends_stay(sequence, seed):
    for shuffled in dinucleotide_shuffles(sequence[None], 3, seed)[0]:
        assert pairs(shuffled) == pairs(sequence)
        assert (shuffled[0], shuffled[-1]) == (sequence[0], sequence[-1])


def test_every_order_is_as_likely():
    """All sequences of the same pairs, listed by brute force, come up alike (chi-square, 29 degrees of freedom)."""
    sequence = np.array([0, 1, 0, 2, 1, 2, 0, 1, 1], dtype=np.uint8)
    inner = set(itertools.permutations(sequence[1:-1].tolist()))
    wanted = {order for order in inner if pairs(np.array([0, *order, 1], dtype=np.uint8)) == pairs(sequence)}
    found, counts = np.unique(dinucleotide_shuffles(sequence[None], 30_000, 3)[0, :, 1:-1], axis=0, return_counts=True)
    assert {tuple(row) for row in found.tolist()} == wanted
    expected = 30_000 / len(wanted)
    assert ((counts - expected) ** 2 / expected).sum() < 60


def test_a_sequence_is_shuffled_alike_whatever_is_beside_it():
    codes = np.random.default_rng(1).integers(0, 4, (5, 300)).astype(np.uint8)
    together = dinucleotide_shuffles(codes, 4, 7)
    for row in range(5):
        np.testing.assert_array_equal(dinucleotide_shuffles(codes[row : row + 1], 4, 7)[0], together[row])
    np.testing.assert_array_equal(dinucleotide_shuffles(codes, 2, 7), together[:, :2])


def test_seeds_and_numbers_differ():
    codes = np.random.default_rng(1).integers(0, 4, (1, 300)).astype(np.uint8)
    one, other = dinucleotide_shuffles(codes, 2, 7)[0], dinucleotide_shuffles(codes, 2, 8)[0]
    assert len(np.unique(np.concatenate([one, other, codes]), axis=0)) == 5


@pytest.mark.parametrize("length", [0, 1, 2])
def test_short_sequences_stay_as_they_are(length):
    codes = np.arange(length, dtype=np.uint8)[None]
    np.testing.assert_array_equal(dinucleotide_shuffles(codes, 2, 1), np.repeat(codes[:, None], 2, axis=1))
