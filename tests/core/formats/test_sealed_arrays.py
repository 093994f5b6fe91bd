"""Arrays with a checksum: whichever bit of the file is damaged, it is known."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.formats import check_seal, load_sealed, save_sealed

ARRAYS = {"weights": np.arange(6.0).reshape(2, 3), "words": np.array("epoch")}


def test_arrays_come_back_and_numpy_reads_them_too(tmp_path):
    path = tmp_path / "state.npz"
    save_sealed(path, ARRAYS)
    with np.load(path, allow_pickle=False) as file:
        by_numpy = dict(file)
    for read in (load_sealed(path), by_numpy):
        assert list(read) == list(ARRAYS)
        for name, values in ARRAYS.items():
            np.testing.assert_array_equal(read[name], values)
    assert check_seal(path)
    assert [each.name for each in tmp_path.iterdir()] == ["state.npz"]


def test_any_flipped_bit_is_known(tmp_path):
    path = tmp_path / "state.npz"
    save_sealed(path, ARRAYS)
    whole = path.read_bytes()
    for position in {*range(0, len(whole), 7), *range(len(whole) - 60, len(whole))}:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"state\.npz: "):
            load_sealed(path)


@pytest.mark.parametrize("length", [0, 1, 22, 60, 300, -1, -39])
def test_a_file_that_was_cut_short_is_known(tmp_path, length):
    path = tmp_path / "state.npz"
    save_sealed(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:length])
    if length == -39:  # all but the seal: a file of an earlier version
        assert not check_seal(path)
        assert set(load_sealed(path)) == set(ARRAYS)
    else:
        with pytest.raises(ValueError, match=r"state\.npz: "):
            load_sealed(path)


def test_what_is_not_there_is_an_error_of_its_own(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_sealed(tmp_path / "state.npz")
