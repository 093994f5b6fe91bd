"""HDF5 tables that grow."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from chrombpnet_core.formats import GrowingTable, TableColumn

COLUMNS = {
    "ids": TableColumn(h5py.string_dtype(), chunk=3),
    "scores/profile": TableColumn(np.float16, (4,), chunk=2, filters={"compression": "gzip", "shuffle": True}),
}


def test_rows_follow_each_other_whatever_the_batches(tmp_path):
    values = np.arange(28, dtype=np.float32).reshape(7, 4)
    with GrowingTable(tmp_path / "t.h5", COLUMNS) as table:
        for first, last in ((0, 1), (1, 1), (1, 6), (6, 7)):
            table.append(
                {"ids": [f"row{row}" for row in range(first, last)], "scores/profile": values[first:last].astype(np.float16)}
            )
    with h5py.File(tmp_path / "t.h5") as file:
        assert file["ids"].asstr()[:].tolist() == [f"row{row}" for row in range(7)]
        np.testing.assert_array_equal(file["scores/profile"][:], values)
        assert file["scores/profile"].dtype == np.float16
        assert file["scores/profile"].chunks == (2, 4)
        assert file["scores/profile"].compression == "gzip"


def test_rows_that_lack_a_column_are_refused(tmp_path):
    with GrowingTable(tmp_path / "t.h5", COLUMNS) as table:
        with pytest.raises(ValueError, match="are not rows of"):
            table.append({"ids": ["a"]})
        with pytest.raises(ValueError, match="are not rows of"):
            table.append({"ids": ["a"], "scores/profile": np.zeros((2, 4))})
