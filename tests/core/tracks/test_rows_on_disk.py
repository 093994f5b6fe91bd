"""Tables on disk."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.tracks import (
    RowsOnDisk,
)


def test_spilled_rows_come_back_in_any_order(tmp_path):
    values = np.random.default_rng(2).random((50, 7), dtype=np.float32)
    with RowsOnDisk(tmp_path, 7) as rows:
        for part in np.array_split(np.random.default_rng(3).permutation(50), 6):
            rows.write(part, values[part])
        wanted = np.array([49, 0, 7, 7, 31])
        np.testing.assert_array_equal(rows.read(wanted), values[wanted])
        with pytest.raises(OSError, match="could not be read whole"):
            rows.read(np.array([50]))
    assert not list(tmp_path.iterdir())
