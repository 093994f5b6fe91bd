"""Regions: narrowPeak and BED in, centring, edges, interval operations, refusals."""

from __future__ import annotations

import gzip
import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import (
    REGION_COLUMNS,
    Naming,
    centres,
    on_chromosomes,
    overlapping,
    read_bed3,
    read_regions,
    regions_at,
    windows_fit,
    write_regions,
)

SIZES = {"chr1": 1000, "chr2": 500}
INTERVALS = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 60), st.integers(1, 20)), max_size=12)


def written(tmp_path, text, name="peaks.bed"):
    path = tmp_path / name
    path.write_text(text)
    return path


def table_of(intervals):
    return pd.DataFrame([(chrom, start, start + width) for chrom, start, width in intervals], columns=REGION_COLUMNS[:3])


def test_narrowpeak_round_trip_keeps_every_column(tmp_path):
    text = "chr2\t10\t90\tp 1\t77\t.\t1.50\t1e-3\t-1\t30\nchr1\t5\t6\t.\t0\t+\t0\t0\t0\t0\n"
    table = read_regions(written(tmp_path, text), sizes=SIZES)
    assert centres(table).tolist() == [40, 5]
    write_regions(table, tmp_path / "out.bed")
    assert (tmp_path / "out.bed").read_text() == text
    packed = tmp_path / "peaks.bed.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    pd.testing.assert_frame_equal(read_regions(packed), table)


def test_absent_summits_are_the_middle_and_said_aloud(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        table = read_regions(written(tmp_path, "track x\nchr1\t10\t21\r\nchr1\t0\t9\n"))
    assert centres(table).tolist() == [15, 4]
    assert "2 of 2 peaks have no summit" in caplog.text
    mixed = "chr1\t0\t10\t.\t.\t.\t.\t.\t.\t-1\nchr1\t0\t10\t.\t.\t.\t.\t.\t.\t2\n"
    assert centres(read_regions(written(tmp_path, mixed))).tolist() == [5, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t1\n", "line 1.*columns"),
        ("chr1\t1\t5\nchr1\tx\t5\n", "line 2: start.*integer.*'x'"),
        ("chr1\t1.5\t5\n", "line 1: start"),
        ("chr1\t5\t5\n", "end is not greater"),
        ("chr1\t-1\t5\n", "start is negative"),
        ("# c\n\nchr1\t9\t5\n", "line 3: end is not greater.*chr1:9-5"),
        ("# c\n", "no peaks"),
        ("chr1\t1000\t1001\n", "line 1: begins beyond the chromosome's end.*chr1:1000-1001"),
        ("1\t1\t5\n", "the genome calls it chr1"),
        ("chrUn\t1\t5\n", "chrUn of the peaks is not in the genome"),
    ],
)
def test_refusals(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_regions(written(tmp_path, text), sizes=SIZES)


def test_bed3_of_a_blacklist(tmp_path):
    table = read_bed3(written(tmp_path, "chr1\t0\t5\tLow Mappability\n"))
    assert table.columns.tolist() == ["chrom", "start", "end"]


@settings(max_examples=50)
@given(st.integers(-5, 1005), st.integers(1, 60))
def test_inside_agrees_with_the_window(centre, width):
    table = regions_at(np.array(["chr1"]), np.array([centre]), 2).assign(summit=0)
    start = centre - width // 2
    assert windows_fit(table, SIZES, width).tolist() == [start >= 0 and start + width <= 1000]
    assert windows_fit(table.assign(chrom="chrUn"), SIZES, width).tolist() == [False]


@settings(max_examples=50)
@given(INTERVALS, INTERVALS)
def test_overlapping_agrees_with_every_pair(first, second):
    expected = [any(a == b and s < t + v and t < s + w for b, t, v in second) for a, s, w in first]
    assert overlapping(table_of(first), table_of(second)).tolist() == expected


def test_regions_at_and_on_chromosomes():
    table = regions_at(np.array(["chr1", "chr2"]), np.array([3, 7]), 2114)
    assert table.columns.tolist() == REGION_COLUMNS
    assert (table["end"] - table["start"]).tolist() == [2114, 2114]
    assert table["summit"].tolist() == [1057, 1057]
    assert on_chromosomes(table, ("chr2",)).tolist() == [False, True]


def test_names_are_translated_and_chromosomes_left_out(tmp_path, caplog):
    path = tmp_path / "p.bed"
    path.write_text("1\t10\t20\nMT\t1\t5\nchr2\t5\t9\n")
    sizes = {"chr1": 100, "chr2": 90}
    naming = Naming(auto=True, excluded=frozenset({"chrM"}))
    with caplog.at_level("INFO"):
        table = read_regions(path, "peaks", sizes, naming)
    assert table["chrom"].tolist() == ["chr1", "chr2"]
    assert "1 → chr1" in caplog.text
    assert read_bed3(path, sizes=sizes, naming=naming)["chrom"].tolist() == ["chr1", "chrM", "chr2"]
    with pytest.raises(InputError, match=r'line 1: chromosome 1 .*calls it chr1: give `alias="auto"`'):
        read_regions(path, "peaks", sizes, Naming())
    with pytest.raises(InputError, match=r"line 1: chromosome 1 .*calls it chr1: rename one of them"):
        read_regions(path, "peaks", sizes)
