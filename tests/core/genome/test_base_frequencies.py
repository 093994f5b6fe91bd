"""Information content of base frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.genome import information_content


def test_information_content():
    assert information_content(np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]])).tolist() == [0, 2, 1]
    assert information_content(np.array([[0.25] * 4]), 0.001)[0] == pytest.approx(0, abs=1e-12)
