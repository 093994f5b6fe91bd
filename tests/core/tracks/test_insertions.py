"""Insertions: cut sites counted as a dictionary would, the reference's insertions, bases around them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.genome import codes_of, open_genome, read_chrom_sizes
from chrombpnet_core.reads import spill_reads
from chrombpnet_core.tracks import Coverage, insertion_pfm, insertions, run_lengths, write_insertions

SIZES = {"chr1": 60, "chr2": 25, "chrEmpty": 40}

FRAGMENTS = st.lists(
    st.tuples(st.sampled_from(["chr1", "chr2"]), st.integers(0, 60), st.integers(1, 12)), min_size=1, max_size=60
)


def counted(folder, fragments, deltas, sizes=SIZES):
    """A bigWig of fragments (chrom, start, width), and the numbers of its writing."""
    text = "".join(f"{chrom}\t{start}\t{start + width}\n" for chrom, start, width in fragments)
    (folder / "fragments.tsv").write_text(text)
    spilled = spill_reads([folder / "fragments.tsv"], "fragments", sizes, folder / "scratch")
    return write_insertions(spilled, sizes, *deltas, folder / "out.bw")


def write_dense(path, values_by_chrom):
    with pyBigWig.open(str(path), "w") as bigwig:
        bigwig.addHeader([(chrom, len(values)) for chrom, values in values_by_chrom.items()])
        for chrom, values in values_by_chrom.items():
            at = np.flatnonzero(values)
            if at.size:
                bigwig.addEntries(np.full(len(at), chrom), at, ends=at + 1, values=np.asarray(values, float)[at])
    return path


@settings(max_examples=60)
@given(FRAGMENTS, st.integers(-9, 9), st.integers(-9, 9))
def test_coverage_equals_a_dictionary_count(tmp_path_factory, fragments, plus, minus):
    """Also for reads shorter than the shift, and reads that leave their chromosome."""
    folder = tmp_path_factory.mktemp("coverage")
    stats = counted(folder, fragments, (plus, minus))
    sites = Counter()
    for chrom, start, width in fragments:
        sites.update([(chrom, start + plus), (chrom, start + width + minus - 1)])
    inside = {(chrom, at): count for (chrom, at), count in sites.items() if 0 <= at < SIZES[chrom]}
    with Coverage(folder / "out.bw") as coverage:
        assert coverage.sizes == SIZES
        found = {
            (chrom, int(at)): int(dense[at])
            for chrom in SIZES
            for dense in [coverage.chromosome(chrom)]
            for at in np.flatnonzero(dense)
        }
    assert found == inside
    assert stats["insertions"] == sum(inside.values())
    assert stats["outside"] == 2 * len(fragments) - sum(inside.values())
    assert stats["positions"] == len(inside)


@given(st.lists(st.integers(0, 30), max_size=60))
def test_run_lengths_are_sorted_longest_and_complete(sites):
    expected = np.bincount(np.array(sites, dtype=int), minlength=32)
    counts = expected.astype(np.uint32)
    parts = list(run_lengths(counts))
    assert not counts.any()
    starts, ends, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    rebuilt = np.zeros(32)
    for start, end, value in zip(starts, ends, values, strict=True):
        assert value > 0
        rebuilt[start:end] = value
    np.testing.assert_array_equal(rebuilt, expected)
    for at in range(1, len(starts)):
        assert starts[at] > ends[at - 1] or (starts[at] == ends[at - 1] and values[at] != values[at - 1])


def test_bigwig_in_several_batches_of_intervals(tmp_path, monkeypatch):
    monkeypatch.setattr(insertions, "_BLOCK", 3)
    monkeypatch.setattr(insertions, "_WINDOW", 16)
    counted(tmp_path, [("chr1", at, 9) for at in range(0, 45, 2)], (0, 0))
    with Coverage(tmp_path / "out.bw") as coverage:
        dense = coverage.chromosome("chr1")
    assert dense.sum() == 46
    np.testing.assert_array_equal(dense[:8], [1, 0, 1, 0, 1, 0, 1, 0])


def test_all_sites_outside_leave_an_empty_bigwig(tmp_path):
    stats = counted(tmp_path, [("chr2", 20, 4)], (100, -100))
    assert (stats["insertions"], stats["outside"]) == (0, 2)
    with Coverage(tmp_path / "out.bw") as coverage:
        assert coverage.sizes == SIZES
        assert coverage.chromosome("chr2").tolist() == [0] * 25


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(insertions, "write_bigwig", fail)
    with pytest.raises(OSError, match="disk full"):
        counted(tmp_path, [("chr1", 1, 5)], (0, 0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fragments.tsv", "scratch"]


@pytest.mark.golden
@pytest.mark.parametrize(("name", "deltas"), [("auto", (4, -4)), ("4_-4", (0, 0)), ("4_-5", (0, 1))])
def test_insertions_of_the_reference(shared, yeast, tmp_path, name, deltas):
    """Identical but for the ten fragments shorter than 5 bp, which the reference cannot take."""
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    spilled = spill_reads([yeast / "fragments.tsv.gz"], "fragments", sizes, tmp_path)
    write_insertions(spilled, sizes, *deltas, tmp_path / "out.bw")
    short = Counter()
    for chrom in sizes:  # the input order of a chromosome's starts and ends is that of its fragments
        starts, ends = spilled.positions(chrom, "+"), spilled.positions(chrom, "-")
        for at in np.flatnonzero(ends - starts < 5):
            short.update([(chrom, starts[at] + deltas[0]), (chrom, ends[at] + deltas[1] - 1)])
    assert sum(short.values()) == 20
    path = shared / "golden" / "reads" / f"insertions.{name}.npz"
    with np.load(path) as golden, Coverage(tmp_path / "out.bw") as ours:
        for chrom, size in sizes.items():
            expected = np.zeros(size)
            expected[golden[f"{chrom}_pos"]] = golden[f"{chrom}_val"]
            for (where, at), count in short.items():
                if where == chrom and 0 <= at < size:
                    expected[at] += count
            np.testing.assert_array_equal(ours.chromosome(chrom), expected)


@pytest.mark.parametrize("block", [7, 1 << 22])
def test_insertion_pfm_weights_by_count(tmp_path, monkeypatch, block):
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list("ACGTN"), 120))
    (tmp_path / "g.fa").write_text(f">c\n{text}\n")
    values = rng.integers(0, 4, 120)
    values[[11, 12, 108, 109]] = 3  # around the first and the last window that lie inside
    expected, codes = np.zeros((24, 4)), codes_of(text)
    for at in range(12, 120 - 12 + 1):
        for offset in range(24):
            if codes[at - 12 + offset] < 4:
                expected[offset, codes[at - 12 + offset]] += values[at]
    with (
        Coverage(write_dense(tmp_path / "x.bw", {"c": values})) as coverage,
        open_genome(tmp_path / "g.fa", tmp_path) as genome,
    ):
        monkeypatch.setattr(insertions, "_BLOCK", block)
        pfm = insertion_pfm(coverage, genome, "c")
    np.testing.assert_allclose(pfm, expected / expected.sum(axis=1, keepdims=True))


def test_insertion_pfm_without_insertions(tmp_path):
    (tmp_path / "g.fa").write_text(f">c\n{'ACGT' * 20}\n>tiny\nACGT\n")
    with (
        Coverage(write_dense(tmp_path / "x.bw", {"c": [0] * 80, "tiny": [1] * 4})) as coverage,
        open_genome(tmp_path / "g.fa", tmp_path) as genome,
    ):
        for chrom in ("c", "tiny"):
            pfm = insertion_pfm(coverage, genome, chrom)
            assert (pfm == 0.25).all()
