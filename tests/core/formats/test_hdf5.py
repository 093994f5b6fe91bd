"""HDF5 opened for reading."""

from __future__ import annotations

import h5py
import hdf5plugin
import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_hdf5


def test_other_programs_compressions_are_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.arange(100), **hdf5plugin.Blosc())
    with open_hdf5(tmp_path / "a.h5", "contributions") as file:
        assert file["x"][:].tolist() == [*range(100)]


def test_what_is_no_hdf5_and_what_it_lacks_are_named(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with (
        pytest.raises(InputError, match=r"text\.h5: not readable as HDF5"),
        open_hdf5(tmp_path / "text.h5", "contributions"),
    ):
        pass
    h5py.File(tmp_path / "b.h5", "w").close()
    with (
        pytest.raises(InputError, match=r"b\.h5: not readable.*expected the contributions"),
        open_hdf5(tmp_path / "b.h5", "contributions") as file,
    ):
        file["x"]
