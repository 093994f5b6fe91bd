"""Tracks: each base from the nearest centre whatever the regions, exact statistics, memory of a few windows."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import open_genome
from chrombpnet_core.tracks import (
    RegionPredictionsFile,
    RowsOnDisk,
    place_regions,
    predict_regions,
    track_statistics,
    write_track,
    write_track_statistics,
)
from chrombpnet_core.tracks import placement as placement_module

SIZES = {"chr2": 120, "chr10": 90, "chrEmpty": 7, "chr1": 60}
REGIONS = st.lists(st.tuples(st.sampled_from(["chr1", "chr2", "chr10"]), st.floats(0, 1)), min_size=1, max_size=40)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


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


@settings(max_examples=100, deadline=None)
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


@given(st.lists(NUMBERS, min_size=1, max_size=300), st.integers(1, 50))
def test_statistics_are_numpys_quantiles(numbers, size):
    values = np.array(numbers, dtype=np.float32)
    found = track_statistics(lambda: (values[at : at + size] for at in range(0, len(values), size)))
    shares = [0, 0.001, 0.01, 0.5, 0.99, 0.999, 0.9995, 0.9999, 1]
    np.testing.assert_allclose(list(found.values()), np.quantile(values.astype(float), shares), rtol=1e-9, atol=1e-30)
    assert list(found) == ["min", "0.1%", "1%", "50%", "99%", "99.9%", "99.95%", "99.99%", "max"]


def test_statistics_of_many_values_that_differ_little(tmp_path):
    values = np.random.default_rng(1).normal(1, 1e-4, (50, 20_000)).astype(np.float32)
    found = track_statistics(lambda: iter(values))
    ordered = np.sort(values, axis=None).astype(float)
    assert found["min"] == ordered[0]
    assert found["max"] == ordered[-1]
    assert found["99.95%"] == pytest.approx(np.quantile(ordered, 0.9995), rel=1e-12)
    write_track_statistics(found, tmp_path / "stats.txt")
    lines = (tmp_path / "stats.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == list(found)
    assert np.float32(lines[-1].split("\t")[1]) == values.max()


def test_spilled_rows_come_back_in_any_order(tmp_path):
    values = np.random.default_rng(2).random((50, 7), dtype=np.float32)
    with RowsOnDisk(tmp_path, 7) as rows:
        for part in np.array_split(np.random.default_rng(3).permutation(50), 6):
            rows.write(part, values[part])
        wanted = np.array([49, 0, 7, 7, 31])
        np.testing.assert_array_equal(rows.read(wanted), values[wanted])
        with pytest.raises(OSError, match="could not be read whole"):
            rows.read(np.array([50]))
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


def test_regions_are_predicted_from_the_bases_around_their_centres(tmp_path):
    (tmp_path / "g.fa").write_text(">a\nAACCGGTTAC\n>b\nTTTTTTGGGG\n")
    seen = []

    def predict(codes):
        seen.append(codes)
        return np.zeros((len(codes), 2), np.float32), codes[:, 0].astype(np.float32)

    chroms, centres = np.array(["b", "a", "a"], dtype=object), np.array([7, 2, 8])
    with open_genome(tmp_path / "g.fa", tmp_path / "cache") as genome:
        parts = list(predict_regions(predict, genome, chroms, centres, np.array([1, 2, 0]), 4, 2))
        assert np.concatenate(seen).tolist() == [[0, 0, 1, 1], [3, 3, 0, 1], [3, 2, 2, 2]]
        assert [rows.tolist() for rows, *_ in parts] == [[1, 2], [0]]
        assert np.concatenate([counts for *_, counts in parts]).tolist() == [0, 3, 3]
        for wrong in (np.nan, 1000.0):
            with pytest.raises(InputError, match="not finite"):
                list(
                    predict_regions(
                        lambda codes, wrong=wrong: (np.zeros((1, 2)), np.array([wrong], np.float32)),
                        genome,
                        chroms,
                        centres,
                        np.array([1]),
                        4,
                        2,
                    )
                )


def test_predictions_have_the_references_layout(tmp_path):
    profiles = np.random.default_rng(6).random((5, 8), dtype=np.float32)
    with RegionPredictionsFile(tmp_path / "p.h5", 8) as file:
        for part in (slice(0, 2), slice(2, 5)):
            file.append(
                np.array(list("abcde"))[part],
                np.arange(5)[part],
                np.arange(5)[part] % 2 == 0,
                profiles[part],
                np.arange(5.0)[part],
            )
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["coords/coords_chrom"].asstr()[:].tolist() == list("abcde")
        assert file["coords/coords_center"][:].tolist() == [0, 1, 2, 3, 4]
        assert file["coords/coords_peak"][:].tolist() == [1, 0, 1, 0, 1]
        np.testing.assert_array_equal(file["predictions/profs"][:], profiles)
        np.testing.assert_array_equal(file["predictions/logcounts"][:], np.arange(5.0))
