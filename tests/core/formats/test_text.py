"""Text files, plain and compressed, read by lines."""

from __future__ import annotations

import gzip

import pysam
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import check_complete, is_bgzip, is_gzip, numbered_lines, open_binary, require_file

TEXT = "# made by hand\ntrack name=x\n\nchr1\t1\nbrowser y\nchr2\t2\r\n"


def packed(path, form):
    if form == "plain":
        path.write_text(TEXT, newline="")
    elif form == "gzip":
        path.write_bytes(gzip.compress(TEXT.encode()))
    else:
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(TEXT.encode())
    return path


@pytest.mark.parametrize("form", ["plain", "gzip", "bgzip"])
def test_lines_of_data_have_their_numbers(tmp_path, form):
    path = packed(tmp_path / "a", form)
    assert (is_gzip(path), is_bgzip(path)) == (form != "plain", form == "bgzip")
    check_complete(path)
    assert list(numbered_lines(path, "peaks")) == [(4, "chr1\t1"), (6, "chr2\t2")]
    with open_binary(path, "peaks") as file:
        assert file.read() == TEXT.encode()


def test_damage_is_named(tmp_path):
    whole = packed(tmp_path / "a", "gzip").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-12])
    with pytest.raises(InputError, match=r"cut, after line \d: gzip data is truncated or damaged"):
        list(numbered_lines(tmp_path / "cut", "peaks"))
    blocks = packed(tmp_path / "b", "bgzip").read_bytes()
    (tmp_path / "blocks").write_bytes(blocks[:-28])
    with pytest.raises(InputError, match="truncated"):
        check_complete(tmp_path / "blocks")
    (tmp_path / "image").write_bytes(b"chr1\t1\n\xff\xfe\n")
    with pytest.raises(InputError, match="not text"):
        list(numbered_lines(tmp_path / "image", "peaks"))


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "empty").touch()
    for name, message in (("absent", "no such file"), ("empty", "empty file"), (".", "is a folder")):
        with pytest.raises(InputError, match=message):
            require_file(tmp_path / name, "peaks")
