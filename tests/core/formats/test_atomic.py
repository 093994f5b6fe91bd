"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from chrombpnet_core.formats import UNFINISHED, written_whole


def test_the_file_appears_when_the_block_ends(tmp_path):
    with written_whole(tmp_path / "a.b.npz") as partial:
        partial.write_text("new")
        assert partial.suffix == ".npz"
        assert list(tmp_path.glob(UNFINISHED)) == [partial]
    assert [path.name for path in tmp_path.iterdir()] == ["a.b.npz"]


def test_an_error_leaves_what_was_there_before(tmp_path):
    target = tmp_path / "weights.h5"
    target.write_text("old")

    def write():
        with written_whole(target) as partial:
            partial.write_text("ne")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["weights.h5"]


def test_what_was_never_begun_is_an_error_too(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "x"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_an_error_of_a_full_disk_names_the_file(tmp_path, number):
    with pytest.raises(OSError, match=r"weights\.h5") as raised, written_whole(tmp_path / "weights.h5"):
        raise OSError(number, os.strerror(number))
    assert raised.value.filename == str(tmp_path / "weights.h5")


def test_errors_of_a_connection_name_no_file(tmp_path):
    with pytest.raises(ConnectionResetError) as raised, written_whole(tmp_path / "weights.h5"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    assert raised.value.filename is None
