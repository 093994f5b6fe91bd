"""Values of a bigWig: windows, sums, one chromosome at a time."""

from __future__ import annotations

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.tracks import coverage as coverage_module

SIZES = {"chr1": 60, "chr2": 25, "chrEmpty": 40}
VALUES = st.lists(st.integers(0, 3), min_size=1, max_size=40)
WINDOWS = st.lists(st.tuples(st.sampled_from("abz"), st.integers(-30, 60)), max_size=12)


def write_dense(path, values_by_chrom):
    with pyBigWig.open(str(path), "w") as bigwig:
        bigwig.addHeader([(chrom, len(values)) for chrom, values in values_by_chrom.items()])
        for chrom, values in values_by_chrom.items():
            at = np.flatnonzero(values)
            if at.size:
                bigwig.addEntries(np.full(len(at), chrom), at, ends=at + 1, values=np.asarray(values, float)[at])
    return path


# --- counting ----------------------------------------------------------------------------------------------------


# --- reading -----------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(VALUES, VALUES, WINDOWS, st.integers(1, 30))
def test_windows_and_sums_agree_with_slices(tmp_path_factory, first, second, places, width):
    path = write_dense(tmp_path_factory.mktemp("bigwig") / "x.bw", {"a": first, "b": second})
    padded = {name: np.pad(np.array(values, float), (100, 200)) for name, values in (("a", first), ("b", second), ("z", []))}
    chroms, starts = [chrom for chrom, _ in places], np.array([start for _, start in places], dtype=np.int64)
    expected = np.array([padded[chrom][100 + at : 100 + at + width] for chrom, at in places]).reshape(-1, width)
    with Coverage(path) as coverage:
        windows = coverage.windows(chroms, starts, width)
        sums = coverage.region_sums(chroms, starts + width // 2, width)
    np.testing.assert_array_equal(windows, expected)
    assert windows.dtype == np.float32
    np.testing.assert_array_equal(sums, expected.sum(axis=1))
    assert sums.dtype == np.float64


def test_many_windows_are_taken_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(coverage_module, "_ROWS", 3)
    values = np.random.default_rng(0).integers(0, 5, 100)
    with Coverage(write_dense(tmp_path / "x.bw", {"a": values})) as coverage:
        starts = np.random.default_rng(1).permutation(90)
        np.testing.assert_array_equal(
            coverage.windows(["a"] * 90, starts, 10), np.lib.stride_tricks.sliding_window_view(values, 10)[starts]
        )


def test_one_chromosome_is_loaded_once_for_any_order(tmp_path, monkeypatch):
    path = write_dense(tmp_path / "x.bw", {"a": [1] * 9, "b": [2] * 9})
    loaded = []
    with Coverage(path) as coverage:
        whole = coverage.chromosome
        monkeypatch.setattr(coverage, "chromosome", lambda chrom: (loaded.append(chrom), whole(chrom))[1])
        sums = coverage.region_sums(["b", "a", "b", "a"], np.array([4, 4, 4, 4]), 4)
    assert loaded == ["a", "b"]
    assert sums.tolist() == [8, 4, 8, 4]


def test_refusals(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Coverage(tmp_path / "absent.bw")
    (tmp_path / "text.bw").write_text("chr1\t0\t5\t1\n")
    with pytest.raises(InputError, match=r"text\.bw: cannot be read as bigWig"):
        Coverage(tmp_path / "text.bw")


# --- the insertion motif -----------------------------------------------------------------------------------------
