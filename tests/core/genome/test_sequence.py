"""Bases as numbers: codes, one-hot, reverse complement."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.genome import OTHER_BASE, codes_of, one_hot, reverse_complement

BASES = "ACGTNacgtnRYKMryU"


def test_codes_of_letters_in_either_case():
    assert codes_of("ACGTacgtNRYn-U").tolist() == [0, 1, 2, 3, 0, 1, 2, 3] + [OTHER_BASE] * 6
    assert codes_of(b"TTA").tolist() == [3, 3, 0]
    assert codes_of("").shape == (0,)


def test_one_hot_of_other_letters_is_zero():
    encoded = one_hot(codes_of("ACGTN"))
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, np.vstack([np.eye(4), np.zeros(4)]))
    assert one_hot(np.zeros((2, 3), np.uint8)).shape == (2, 3, 4)


@given(st.text(alphabet=BASES, max_size=60))
def test_reverse_complement_is_an_involution(text):
    codes = codes_of(text)
    np.testing.assert_array_equal(reverse_complement(reverse_complement(codes)), codes)
    np.testing.assert_array_equal(one_hot(reverse_complement(codes)), one_hot(codes)[::-1, ::-1])


def test_reverse_complement_of_a_batch_keeps_its_rows():
    assert reverse_complement(np.array([[0, 1], [4, 3]], np.uint8)).tolist() == [[2, 3], [0, 4]]
