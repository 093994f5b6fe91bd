"""Random streams: the numbers that results follow from stay."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.training_data import Stream, epoch_stream, random_stream


@pytest.mark.parametrize(
    ("purpose", "number"),
    [
        (Stream.REGION_SELECTION, 4),
        (Stream.VALIDATION_NONPEAKS, 5),
        (Stream.FOOTPRINT_BACKGROUND, 6),
        (Stream.EXPLAINED_PEAKS, 9),
        (Stream.SHUFFLED_VARIANTS, 11),
        (Stream.RANKED_PEAKS, 12),
    ],
)
def test_a_purpose_keeps_its_numbers(purpose, number):
    expected = np.random.default_rng([1234, number]).integers(0, 1 << 30, 5)
    np.testing.assert_array_equal(random_stream(1234, purpose).integers(0, 1 << 30, 5), expected)
    np.testing.assert_array_equal(epoch_stream(1234, number).integers(0, 1 << 30, 5), expected)


def test_every_purpose_is_tested_above():
    assert len(Stream) == 6
