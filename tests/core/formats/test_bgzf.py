"""Content of plain, gzip and bgzip files."""

from __future__ import annotations

import gzip

import numpy as np
import pysam
import pytest

from chrombpnet_core.errors import DamagedError
from chrombpnet_core.formats import decompressed

CONTENT = np.random.default_rng(0).integers(0, 9, 3_000_000, dtype=np.uint8).tobytes()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bgzf")
    (folder / "plain").write_bytes(CONTENT)
    (folder / "gzip").write_bytes(gzip.compress(CONTENT[:1_000_000]) + gzip.compress(CONTENT[1_000_000:]))
    with pysam.BGZFile(str(folder / "bgzip"), "wb") as file:
        file.write(CONTENT)
    return folder


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ["plain", "gzip", "bgzip"])
def test_the_content_is_whole_and_in_order(files, name, threads):
    pieces = list(decompressed(files / name, threads))
    assert b"".join(piece for some, _ in pieces for piece in some) == CONTENT
    places = [place for _, place in pieces]
    assert places == sorted(places)
    assert places[-1] == (files / name).stat().st_size


@pytest.mark.parametrize("name", ["gzip", "bgzip"])
def test_a_changed_byte_is_damage(files, tmp_path, name):
    content = bytearray((files / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedError):
        list(decompressed(tmp_path / name))
