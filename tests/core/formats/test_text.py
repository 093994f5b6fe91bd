"""Text files, plain and compressed, read by lines."""

from __future__ import annotations

import gzip
import os

import pysam
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import (
    LARGEST_POSITION,
    check_complete,
    is_bgzip,
    is_gzip,
    numbered_lines,
    open_binary,
    require_file,
    text,
    whole_number,
)

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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("form", [lambda content: content, gzip.compress])
def test_line_ends_and_byte_order_marks_do_not_matter(tmp_path, end, form):
    content = end.join(["\ufeffchr1\t1", "# é", "\ufeffchr2\t2", ""]).encode()
    (tmp_path / "a").write_bytes(form(content))
    assert list(numbered_lines(tmp_path / "a", "peaks")) == [(1, "chr1\t1"), (3, "chr2\t2")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("chr1\t1\n".encode("utf-16"), "text in UTF-16; expected the peaks in UTF-8.*iconv -f UTF-16"),
        (b"\xfe\xff" + "chr1\t1\n".encode("utf-16-be"), "text in UTF-16"),
        ("chr1\t1\n".encode("utf-32"), "text in UTF-32"),
        ("chr1\t1\n".encode("utf-16-le"), "line 1: not text; expected the peaks as text, found a byte 0"),
        (b"chr1\t1\nchr\0\t1\n", "line 2: not text.*byte 0"),
        ("chr1\t1\n\nchr\u00e9\t1\n".encode("latin-1"), "line 3: not text.*in UTF-8, found byte 0xe9"),
        (b"PK\3\4" + bytes(9), "a zip archive.*unpack it"),
        (b"BZh91AY&SY", "packed by bzip2"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), "packed by zstd"),
        (b"\x89HDF\r\n\x1a\n", "is HDF5"),
    ],
    ids=range(10),
)
def test_other_content_is_named(tmp_path, content, message):
    for data in (content, gzip.compress(content)):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(InputError, match=message):
            list(numbered_lines(tmp_path / "a", "peaks"))


@pytest.mark.parametrize("letter", [b"A", b"\0", b"\t", "é".encode()])
def test_lines_have_a_greatest_length(tmp_path, monkeypatch, letter):
    monkeypatch.setattr(text, "_LONGEST_LINE", 1 << 16)
    for data in (letter * (1 << 20), gzip.compress(letter * (1 << 20))):
        (tmp_path / "a").write_bytes(b"chr1\n" + data if data[:2] != b"\x1f\x8b" else data)
        with pytest.raises(InputError, match=r"line [12]: not text.*letters without a line end"):
            list(numbered_lines(tmp_path / "a", "peaks"))


@pytest.mark.parametrize("line", [b"chr1\t1\t9\n", b"#\n", b"\n"])
def test_gzip_that_unpacks_out_of_all_proportion_is_refused(tmp_path, monkeypatch, line):
    monkeypatch.setattr(text, "_LEAST_UNPACKED", {"text": 1 << 17, "bytes": 1 << 21})
    monkeypatch.setattr(text, "_MOST_TIMES", {"text": 3, "bytes": 5})
    (tmp_path / "a").write_bytes(gzip.compress(line * (4_000_000 // len(line))))
    with pytest.raises(InputError, match=r"a: unpacks to .* bytes from .*; expected at most 3 times its size"):
        list(numbered_lines(tmp_path / "a", "peaks"))
    with pytest.raises(InputError, match="at most 5 times"), open_binary(tmp_path / "a", "genome") as file:
        file.read()


def test_no_gzip_of_a_table_is_refused(tmp_path):
    lines = [f"chr1\t{at}\t{at + 1}" for at in range(0, 10_000_000, 200)]
    (tmp_path / "a").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert [line for _, line in numbered_lines(tmp_path / "a", "peaks")] == lines


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("pipe", "is a pipe or a device"),
        ("x" * 300, "cannot be read: File name too long"),
        ("a\0b", "no path that a file can have"),
        ("\ud800", "no path that a file can have"),
        ("loop", "cannot be read: "),
    ):
        (tmp_path / "loop").unlink(missing_ok=True)
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(InputError, match=message):
            require_file(tmp_path / name, "peaks")


def test_whole_numbers():
    for words in ("", "-1", "1.0", "1e400", "NaN", "inf", " 1", "²", "١", "9" * 5000, str(LARGEST_POSITION + 1)):
        assert whole_number(words) is None
    assert [whole_number(word) for word in ("0", "0012", str(LARGEST_POSITION))] == [0, 12, LARGEST_POSITION]


@pytest.mark.parametrize(
    "content",
    [
        "root:$6$PLANTED:19000:0:99999:7:::\n",
        "-----BEGIN PRIVATE KEY-----\nPLANTED\n",
        "AWS_SECRET_ACCESS_KEY=PLANTED\n",
        '{"private_key": "PLANTED"}\n',
    ],
)
def test_files_of_keys_and_passwords_are_not_quoted(tmp_path, content):
    (tmp_path / "file").write_text(content)
    with pytest.raises(InputError, match="a file of keys, passwords or settings; expected the peaks") as caught:
        list(numbered_lines(tmp_path / "file", "peaks"))
    assert "PLANTED" not in str(caught.value)
