"""Tables of chromosome sizes."""

from __future__ import annotations

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import read_chrom_sizes


def test_chrom_sizes(tmp_path):
    path = tmp_path / "chrom.sizes"
    path.write_text("#name\tlength\nchr2\t20\nchr1\t10\textra\r\n\nchr3 7\n")
    assert list(read_chrom_sizes(path).items()) == [("chr2", 20), ("chr1", 10), ("chr3", 7)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\n", "line 1"),
        ("chr1\t10\nchr2\tx\n", "line 2.*length"),
        ("chr1\t0\n", "length"),
        ("chr1\t-5\n", "length"),
        ("chr1\t1\nchr1\t1\n", "line 2.*twice"),
        ("# nothing\n", "no chromosomes"),
    ],
)
def test_chrom_sizes_refusals(tmp_path, text, message):
    path = tmp_path / "chrom.sizes"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_chrom_sizes(path)
