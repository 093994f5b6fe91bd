"""The bigWig writer: what independent readers find in its files, whatever the chromosomes and intervals."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.formats import BigWigFile, Intervals, _bigwig_index, _bigwig_sections, write_bigwig
from chrombpnet_core.formats import bigwig as bigwig_writing

GAPS = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 300), st.integers(-3, 9)), max_size=40)


def intervals_of(chrom, gaps):
    """Intervals from gaps before them, widths and values."""
    starts, ends, at = [], [], 0
    for gap, width, _ in gaps:
        starts.append(at + gap)
        at += gap + width
        ends.append(at)
    return Intervals(
        chrom, np.array(starts, np.int64), np.array(ends, np.int64), np.array([value for *_, value in gaps], np.float32)
    )


def parts(intervals, size):
    for at in range(0, len(intervals.starts), size):
        yield Intervals(intervals.chrom, *(column[at : at + size] for column in intervals[1:]))


@settings(max_examples=60)
@given(st.lists(GAPS, min_size=1, max_size=5), st.integers(1, 20), st.integers(1, 8), st.integers(1, 3), st.booleans())
def test_readers_find_what_was_written(tmp_path_factory, chromosomes, size, items, threads, deep):
    folder = tmp_path_factory.mktemp("bigwig")
    written = [intervals_of(f"chr{10 - at}", gaps) for at, gaps in enumerate(chromosomes)]
    sizes = {each.chrom: int(each.ends[-1]) + 7 if len(each.ends) else 3 for each in written}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bigwig_sections, "_ITEMS", items)
        patch.setattr(_bigwig_sections, "_SECTIONS", 2)
        patch.setattr(bigwig_writing, "_FINEST", 16)
        patch.setattr(_bigwig_index, "_NODE", 2 if deep else 256)
        covered = write_bigwig(
            folder / "x.bw", sizes, (part for each in written for part in parts(each, size)), 10**6, threads
        )
    lengths = np.concatenate([each.ends - each.starts for each in written])
    values = np.concatenate([each.values for each in written]).astype(float)
    assert covered == lengths.sum() == BigWigFile(folder / "x.bw").covered
    with pyBigWig.open(str(folder / "x.bw")) as bigwig:
        assert bigwig.chroms() == sizes
        assert list(bigwig.chroms()) == list(sizes)
        header = bigwig.header()
        assert (header["nBasesCovered"], header["sumData"]) == (covered, int((lengths * values).sum()))
        for each in written:
            found = bigwig.intervals(each.chrom) or ()
            assert list(found) == list(zip(each.starts.tolist(), each.ends.tolist(), each.values.tolist(), strict=True))
            check_zooms(bigwig, each, sizes[each.chrom])


def check_zooms(bigwig, written, size):
    """Summaries over the whole chromosome, taken from zoom levels, are those of all its intervals."""
    lengths = written.ends - written.starts
    for kind, expected in (
        ("max", written.values.max(initial=-np.inf)),
        ("min", written.values.min(initial=np.inf)),
        ("mean", (lengths * written.values).sum() / max(lengths.sum(), 1)),
    ):
        (found,) = bigwig.stats(written.chrom, 0, size, type=kind)
        assert found is None if not len(lengths) else found == pytest.approx(float(expected), rel=1e-5, abs=1e-5), kind


def test_zoom_levels_hold_what_their_bins_hold(tmp_path, monkeypatch):
    """Every record of every zoom level against the dense values, read without any library."""
    monkeypatch.setattr(bigwig_writing, "_FINEST", 8)
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 4, 3000).astype(np.float32) * (rng.random(3000) < 0.3)
    at = np.flatnonzero(dense)
    write_bigwig(tmp_path / "x.bw", {"a": 3000}, parts(Intervals("a", at, at + 1, dense[at]), 100), 10**6)
    raw = (tmp_path / "x.bw").read_bytes()
    levels = struct.unpack_from("<H", raw, 6)[0]
    assert levels == 5  # 8, 32, 128, 512 and 2048 bp
    assert raw[-4:] == raw[:4]
    for level in range(levels):
        width, _, data_at, index_at = struct.unpack_from("<IIQQ", raw, 64 + 24 * level)
        assert width == 8 * 4**level
        records = np.frombuffer(zlib.decompressobj().decompress(raw[data_at + 4 : index_at]), _bigwig_sections._BIN)
        assert struct.unpack_from("<I", raw, data_at)[0] == len(records)
        padded = np.pad(dense, (0, -len(dense) % width)).reshape(-1, width).astype(float)
        kept = np.flatnonzero(padded.any(axis=1))
        np.testing.assert_array_equal(records["start"], kept * width)
        np.testing.assert_array_equal(records["end"], np.minimum((kept + 1) * width, 3000))
        np.testing.assert_array_equal(records["covered"], (padded[kept] > 0).sum(axis=1))
        np.testing.assert_array_equal(records["sum"], padded[kept].sum(axis=1))
        np.testing.assert_array_equal(records["squares"], (padded[kept] ** 2).sum(axis=1))
        np.testing.assert_array_equal(records["most"], padded[kept].max(axis=1))
        np.testing.assert_array_equal(records["least"], np.where(padded[kept] > 0, padded[kept], 9).min(axis=1))


def test_many_chromosomes_need_trees_of_several_levels(tmp_path):
    sizes = {f"scaffold_{at}": 10 + at for at in range(70_000)}
    written = [
        Intervals(chrom, np.array([at % 9]), np.array([at % 9 + 1]), np.array([at], np.float32))
        for at, chrom in enumerate(sizes)
        if at % 5
    ]
    write_bigwig(tmp_path / "x.bw", sizes, written, len(written))
    with pyBigWig.open(str(tmp_path / "x.bw")) as bigwig:
        assert bigwig.chroms() == sizes
        for at in (0, 1, 255, 256, 257, 40_001, 65_536, 69_999):
            found = bigwig.intervals(f"scaffold_{at}")
            assert found == (((at % 9, at % 9 + 1, float(at)),) if at % 5 else None)


def test_an_empty_bigwig_keeps_its_chromosomes(tmp_path):
    assert write_bigwig(tmp_path / "x.bw", {"a": 5, "bb": 10**6}, [], 0) == 0
    with pyBigWig.open(str(tmp_path / "x.bw")) as bigwig:
        assert bigwig.chroms() == {"a": 5, "bb": 10**6}
        assert bigwig.header()["nBasesCovered"] == 0
        assert bigwig.intervals("bb") is None


def test_the_finest_zoom_level_follows_the_depth(tmp_path):
    sizes = {"a": 100_000_000}
    one = Intervals("a", np.array([5]), np.array([6]), np.ones(1, np.float32))
    for expected, finest in ((10**8, 128), (10**7, 128), (10**6, 2048), (1, 128 * 4**11)):
        write_bigwig(tmp_path / "x.bw", sizes, [one], expected)
        raw = (tmp_path / "x.bw").read_bytes()
        levels = struct.unpack_from("<H", raw, 6)[0]
        assert levels == 0 if finest >= 10**8 else struct.unpack_from("<I", raw, 64)[0] == finest


def test_equal_tracks_are_equal_files_however_many_threads_write_them(tmp_path):
    """Compressors among threads may do without that: hundreds of small sections, many times."""
    rng = np.random.default_rng(5)
    sizes = {f"chr{i}": 40_000 for i in range(150)}
    tracks = []
    for chrom in sizes:
        at = np.sort(rng.choice(40_000, 300, replace=False))
        tracks.append(Intervals(chrom, at, at + 1, rng.normal(size=300).astype(np.float32)))
    written = set()
    for turn in range(12):
        write_bigwig(tmp_path / "x.bw", sizes, tracks, 45_000, threads=1 + turn % 4)
        written.add((tmp_path / "x.bw").read_bytes())
    assert len(written) == 1


def test_a_bigwig_that_was_not_written_whole_does_not_appear(tmp_path, monkeypatch):
    write = bigwig_writing._write
    monkeypatch.setattr(bigwig_writing, "_write", lambda *given: write(*given) + 1)
    with pytest.raises(OSError, match="not written whole"):
        write_bigwig(tmp_path / "x.bw", {"a": 5}, [], 0)
    assert not list(tmp_path.iterdir())
