"""FASTA files that are none, or of another encoding; names across the borders of the blocks that are read."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import _fasta_index, open_genome


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xef\xbb\xbf>chr1\nACGT\n", "line 1: begins with a byte order mark.*tail -c"),
        (b">chr1\rACGT\r>chr2\rAC\r", "carriage returns alone.*tr "),
        (">chr1\nACGT\n".encode("utf-16"), "text in UTF-16"),
        (b"PK\3\4" + bytes(30), "a zip archive"),
        (b"LOCUS  x\n" + b"A" * 100, "line 1: not FASTA; expected a line that begins with '>', found 'LOCUS x'"),
        (b"A" * 5_000_000, "line 1: not FASTA"),
        (b"root:$6$secret:19000:0:99999:7:::\n", "found keys, passwords or settings"),
        (b"AWS_SECRET_ACCESS_KEY=secret\n", "found keys, passwords or settings"),
        (b'{"private_key": "secret"}\n', "found keys, passwords or settings"),
        (b">" + b"A" * 5_000_000, "a name of more than 65,536 letters"),
        (b">chr1\nAC\0GT\n", "not FASTA; found a byte 0"),
        (b">chr1\n" + bytes(5_000_000), "not FASTA; found a byte 0"),
        (b">a\nAC\n>b x\nAC\n>a y\nAC\n", "line 5: sequence a is there twice"),
    ],
    ids=range(13),
)
def test_refusals(tmp_path, content, words):
    for name, data in (("g.fa", content), ("g.fa.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=words), open_genome(tmp_path / name, tmp_path / "cache"):
            pass


def test_gzip_of_nothing_but_one_letter_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("chrombpnet_core.formats.text._LEAST_UNPACKED", {"text": 0, "bytes": 1 << 20})
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(b">chr1\n" + b"N" * 20_000_000, 1))
    monkeypatch.setattr("chrombpnet_core.formats.text._MOST_TIMES", {"text": 0, "bytes": 10})
    with pytest.raises(InputError, match="unpacks to"), open_genome(tmp_path / "g.fa.gz", tmp_path / "cache"):
        pass


@settings(max_examples=100)
@given(st.lists(st.sampled_from([">a", ">bc d", ">", "AC", "", "A>C", ">e\r"]), min_size=1, max_size=12), st.integers(1, 7))
def test_names_are_those_of_the_lines(lines, block):
    expected = [
        (number, (line[1:].split() or [""])[0].encode()) for number, line in enumerate(lines, 1) if line.startswith(">")
    ]
    before, _fasta_index._BLOCK = _fasta_index._BLOCK, block
    try:
        for end in ("", "\n"):
            file = io.BufferedReader(io.BytesIO(("\n".join(lines) + end).encode()))
            assert [*_fasta_index._names(file, Path("g.fa"))] == expected
    finally:
        _fasta_index._BLOCK = before
