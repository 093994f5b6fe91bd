"""HDF5 opened for reading."""

from __future__ import annotations

import contextlib

import h5py
import hdf5plugin
import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import open_hdf5, open_hdf5_to_write


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


@pytest.mark.parametrize("fails", [False, True])
def test_space_is_held_while_a_file_is_written_and_given_back_before_it_is_closed(tmp_path, fails):
    seen = []

    class Watched(h5py.File):
        def close(self):
            if self:
                seen.append([path.name for path in tmp_path.iterdir()])
            super().close()

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KeyError):
        patch.setattr(h5py, "File", Watched)
        with open_hdf5_to_write(tmp_path / "a.h5") as file:
            assert (tmp_path / ".a.reserve").stat().st_size > 2**22
            file["x"] = np.arange(100)
            if fails:
                file["y"]
    assert seen == [["a.h5"]]
    with open_hdf5_to_write(tmp_path / "a.h5", "a") as file:
        assert len(file["x"]) == 100
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
