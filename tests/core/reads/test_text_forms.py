"""Fragments and tagAlign with any line end, and with a byte order mark: the same reads."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest

from chrombpnet_core.reads import spill_reads

CASE = Path(__file__).resolve().parents[4] / "shared" / "cases" / "cr_only" / "frags.tsv"
LINES = {
    "fragments": [f"chr{at % 2}\t{100 * at}\t{100 * at + 60}\tAAAC\t1" for at in range(1, 400)],
    "tagalign": [f"chr{at % 2}\t{100 * at}\t{100 * at + 60}\tN\t1000\t{'+-'[at % 3 == 0]}" for at in range(1, 400)],
}


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("pack", ["plain", "gzip", "bgzip"])
def test_every_line_is_read(tmp_path, kind, end, mark, pack):
    content = (mark + "".join(line + end for line in ["# made elsewhere", *LINES[kind]])).encode()
    path = tmp_path / "reads"
    path.write_bytes(gzip.compress(content) if pack == "gzip" else content)
    if pack == "bgzip":
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(content)
    ends = 2 if kind == "fragments" else 1
    spilled = spill_reads([path], kind, {"chr0": 90_000, "chr1": 90_000}, tmp_path, 0)
    assert spilled.counts == {"chr0": 199 * ends, "chr1": 200 * ends}


@pytest.mark.skipif(not CASE.is_file(), reason="the cases are not here")
def test_the_case(tmp_path):
    lines = CASE.read_bytes().rstrip(b"\r").split(b"\r")
    spilled = spill_reads([CASE], "fragments", {"chr1": 90_000}, tmp_path, 0)
    assert spilled.counts == {"chr1": 2 * len(lines)}
