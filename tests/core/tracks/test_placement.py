"""Tracks of regions: which region gives a base, what is written, in how much memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.tracks import (
    RowsOnDisk,
    place_regions,
    track_statistics,
    write_track,
)
from chrombpnet_core.tracks import placement as placement_module

SIZES = {"chr2": 120, "chr10": 90, "chrEmpty": 7, "chr1": 60}

REGIONS = st.lists(st.tuples(st.sampled_from(["chr1", "chr2", "chr10"]), st.floats(0, 1)), min_size=1, max_size=40)


def placed(regions, width):
    """Chromosomes and centres from shares of where a window can lie, its first and last place included."""
    chroms = np.array([chrom for chrom, _ in regions], dtype=object)
    centres = np.array([width // 2 + round(share * (SIZES[chrom] - width)) for chrom, share in regions])
    return chroms, centres


def nearest(chroms, centres, values, chrom, base):
    """The value at the middle of a base, looked for among all regions; None where no window holds it."""
    width = values.shape[1]
    firsts = centres - width // 2
    rows = [row for row in range(len(chroms)) if chroms[row] == chrom and firsts[row] <= base < firsts[row] + width]
    if not rows:
        return None
    least = min(abs(2 * base + 1 - 2 * centres[row]) for row in rows)
    centre = max(centres[row] for row in rows if abs(2 * base + 1 - 2 * centres[row]) == least)
    alike = [row for row in rows if centres[row] == centre]
    row = alike[0] if base < centre else alike[-1]
    return float(values[row, base - firsts[row]])


@settings(max_examples=100)
@given(REGIONS, st.integers(1, 21), st.integers(1, 5))
def test_a_base_has_the_value_of_the_nearest_centre(tmp_path_factory, regions, width, block):
    folder = tmp_path_factory.mktemp("track")
    chroms, centres = placed(regions, width)
    values = np.random.default_rng(len(regions)).random((len(regions), width), dtype=np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement_module, "_ROWS", block)
        placement = place_regions(chroms, centres, width, SIZES)
        write_track(folder / "x.bw", SIZES, placement, lambda rows: values[rows])
    with pyBigWig.open(str(folder / "x.bw")) as bigwig:
        assert list(bigwig.chroms().items()) == list(SIZES.items())
        found = {chrom: {start: value for start, _, value in bigwig.intervals(chrom) or ()} for chrom in SIZES}
        assert bigwig.header()["nBasesCovered"] == placement.bases
    for chrom, size in SIZES.items():
        expected = {base: nearest(chroms, centres, values, chrom, base) for base in range(size)}
        assert found[chrom] == {base: value for base, value in expected.items() if value is not None}
    assert [path.name for path in folder.iterdir()] == ["x.bw"]


def test_borders_lie_at_the_midpoint_of_neighbouring_centres():
    """Worked by hand: 20 | 27 meet at 23, of three at 40 the middle one gives nothing, 60 stands alone."""
    centres = np.array([40, 27, 20, 40, 60, 40])
    placement = place_regions(np.array(["chr2"] * 6), centres, 10, SIZES)
    assert placement.rows.tolist() == [2, 1, 0, 3, 5, 4]
    assert list(zip(placement.starts, placement.ends, strict=True)) == [
        (15, 23),
        (23, 32),
        (35, 40),
        (40, 40),
        (40, 45),
        (55, 65),
    ]
    assert placement.bases == 37


def test_a_failed_track_leaves_nothing(tmp_path):
    placement = place_regions(np.array(["chr2"]), np.array([50]), 10, SIZES)

    def fail(rows):
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        write_track(tmp_path / "x.bw", SIZES, placement, fail)
    assert not list(tmp_path.iterdir())


def spilled_track(folder, count, width=1000):
    """Write the track of ``count`` windows in random order; peak memory in bytes, statistics, a centre and its values."""
    sizes = {"chr1": count * 1100 + width}
    centres = np.random.default_rng(4).permutation(count) * 1100 + width
    block = np.random.default_rng(5).random((placement_module._ROWS, width), dtype=np.float32)
    tracemalloc.start()
    try:
        with RowsOnDisk(folder, width) as rows:
            for at in range(0, count, placement_module._ROWS):
                part = np.arange(at, min(at + placement_module._ROWS, count))
                rows.write(part, block[: len(part)])
            placement = place_regions(np.full(count, "chr1", dtype=object), centres, width, sizes)
            write_track(folder / "x.bw", sizes, placement, rows.read, threads=1)
            found = track_statistics(lambda: (part.values for part in placement.values(rows.read)))
        return tracemalloc.get_traced_memory()[1], found, int(centres[placement_module._ROWS + 7]), block[7]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_some_hundred_windows(tmp_path):
    """9,000 windows more are 36 MB of values more."""
    spilled_track(tmp_path, 600)  # compiles
    (few, *_), (many, found, centre, values) = (spilled_track(tmp_path, count) for count in (3_000, 12_000))
    assert many - few < 9e6
    assert found["max"] <= 1
    with pyBigWig.open(str(tmp_path / "x.bw")) as bigwig:
        assert bigwig.header()["nBasesCovered"] == 12_000_000
        np.testing.assert_array_equal(bigwig.values("chr1", centre - 500, centre + 500, numpy=True), values)
