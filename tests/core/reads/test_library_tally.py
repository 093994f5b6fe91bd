"""What reads tell of their library besides 5' ends: fragment lengths and duplicates, as pysam and numpy count them."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.genome import Naming, read_chrom_sizes
from chrombpnet_core.reads import ReadFilters, spill_reads
from tests.core.reads.test_read_files import SIZES, spill, write_bam

LONGER = 1001


def sizes_of(told):
    """Length → number of fragments, those that there are."""
    return {length: count for length, count in enumerate(told["fragment_sizes"] or []) if count}


def test_pairs_tell_the_lengths_of_fragments(tmp_path):
    pair, first, mate = 0x1 | 0x2, 0x40 | 0x20, 0x80 | 0x10
    records = [
        ("chr1", 10, pair | first, "20M", "chr1", 40, 50),
        ("chr1", 40, pair | mate, "20M", "chr1", 10, -50),
        ("chr1", 10, pair | first | 0x800, "20M", "chr1", 40, 50),  # supplementary
        ("chr1", 10, pair | first | 0x100, "20M", "chr1", 40, 50),  # secondary
        ("chr1", 10, 0x1 | 0x8, "20M", "chr1", 40, 50),  # the mate is not mapped
        ("chr1", 10, 0x1, "20M", "chr2", 40, 0),  # the mate is elsewhere
        ("chr1", 10, 0x0, "20M", "chr1", 40, 50),  # not paired
        ("chr1", 5, pair | first, "20M", "chr1", 980, 1000),
        ("chr1", 5, pair | first, "20M", "chr1", 981, 1001),
        ("chr1", 5, pair | first, "20M", "chr1", 985, 9999),
    ]
    told = spill_reads([write_bam(tmp_path / "r.bam", records)], "bam", SIZES, tmp_path).library
    assert sizes_of(told) == {50: 1, 1000: 1, LONGER: 2}
    assert len(told["fragment_sizes"]) == LONGER + 1
    json.dumps(told)


def test_reads_that_are_filtered_have_no_length_but_say_whether_they_are_duplicates(tmp_path):
    pair = 0x1 | 0x2 | 0x40 | 0x20
    records = [("chr1", 10, pair | extra, "20M", "chr1", 40, size) for extra, size in ((0, 50), (0x400, 60), (0x400, 70))]
    bam = write_bam(tmp_path / "r.bam", [*records, ("chr1", 9, 0x400 | 0x100, "9M"), (None, -1, 4 | 0x400, None)])
    told = spill_reads([bam], "bam", SIZES, tmp_path, filters=ReadFilters(exclude_flags=0x400)).library
    assert sizes_of(told) == {50: 1}
    assert told["duplicates"] == {"told_by": "flag", "of": 3, "duplicates": 2}


def test_cram_tells_what_bam_tells(tmp_path):
    sizes = {"chr1": 1000}
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 250}\n")
    pair = 0x1 | 0x2 | 0x40 | 0x20
    records = [
        ("chr1", 10, pair, "20M", "chr1", 40, 50),
        ("chr1", 30, pair | 0x400, "20M", "chr1", 40, 70),
        ("chr1", 40, 0x1 | 0x2 | 0x80 | 0x10, "20M", "chr1", 10, -50),
        ("chr1", 60, 0x800, "20M"),
    ]
    bam = write_bam(tmp_path / "r.bam", records, sizes, quality=[60, 60, 60, 3])
    with (
        pysam.AlignmentFile(bam) as source,
        pysam.AlignmentFile(tmp_path / "r.cram", "wc", template=source, reference_filename=str(tmp_path / "g.fa")) as cram,
    ):
        for read in source:
            cram.write(read)
    for filters in (ReadFilters(), ReadFilters(min_mapq=30, exclude_flags=0x400)):
        ours, theirs = (
            spill_reads([path], "bam", sizes, tmp_path / "s", filters=filters).library for path in (bam, tmp_path / "r.cram")
        )
        assert ours == theirs
        assert ours["duplicates"] == {"told_by": "flag", "of": 3, "duplicates": 1}


def test_fragments_tell_lengths_and_by_their_counts_duplicates(tmp_path):
    text = "chr1\t10\t60\tA\t3\nchr1\t20\t80\tB\t1\nchr2\t5\t55\tA\t2\nchr9\t0\t2000\tA\t1\n"
    told = spill(tmp_path, text).library
    assert sizes_of(told) == {50: 2, 60: 1, LONGER: 1}
    assert told["duplicates"] == {"told_by": "count", "of": 7, "duplicates": 3}
    assert spill(tmp_path, text, use_counts=True).library == told


@pytest.mark.parametrize(
    ("text", "kind", "sizes", "duplicates"),
    [
        ("chr1\t10\t60\nchr1\t20\t80\n", "fragments", {50: 1, 60: 1}, None),
        ("chr1\t10\t60\tA\nchr1\t20\t80\tA\n", "fragments", {50: 1, 60: 1}, None),
        ("chr1\t10\t60\tN\t1000\t+\n", "fragments", {50: 1}, None),  # a score, not a count
        ("chr1\t10\t60\tA\t3\t+\n", "single_end", {}, {"told_by": "count", "of": 3, "duplicates": 2}),
        ("chr1\t10\t60\tN\t1000\t+\n", "tagalign", {}, None),
        ("\ufeffchr1\t10\t60\tA\t1\n", "fragments", {50: 1}, None),  # a line that compiled code leaves to Python
    ],
)
def test_what_is_not_told_is_none(tmp_path, text, kind, sizes, duplicates):
    told = spill(tmp_path, text, kind).library
    assert sizes_of(told) == sizes
    assert (told["fragment_sizes"] is None) == (not sizes)
    assert told["duplicates"] == duplicates


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 1500), st.integers(1, 9)), min_size=1, max_size=40))
def test_any_fragments_are_counted_as_numpy_counts_them(tmp_path_factory, rows):
    text = "".join(f"chr1\t{start}\t{start + length}\tA\t{count}\n" for start, length, count in rows)
    told = spill(tmp_path_factory.mktemp("any"), text).library
    lengths, counts = (np.array(column) for column in list(zip(*rows, strict=True))[1:])
    assert told["fragment_sizes"] == np.bincount(np.minimum(lengths, LONGER), minlength=LONGER + 1).tolist()
    assert told["duplicates"] == {"told_by": "count", "of": counts.sum(), "duplicates": counts.sum() - len(rows)}


def test_chromosomes_left_out_are_counted_by_name(tmp_path):
    (tmp_path / "f.tsv").write_text("chr1\t10\t60\nMT\t1\t9\nMT\t2\t9\nodd\t1\t2\n")
    naming = Naming({"MT": "chrM"}, excluded=frozenset({"chrM"}))
    spilled = spill_reads([tmp_path / "f.tsv"], "fragments", SIZES, tmp_path / "s", naming=naming)
    assert spilled.stats()["reads_excluded_by_chromosome"] == {"MT": 4}
    assert (spilled.excluded, spilled.lost) == (4, {"odd": 2})


def test_real_pairs_and_fragments_are_counted_as_pysam_and_numpy_count_them(yeast, tmp_path):
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    pairs = spill_reads([yeast / "reads_reconstructed.bam"], "bam", sizes, tmp_path, 10).library
    expected = np.zeros(LONGER + 1, dtype=int)
    with pysam.AlignmentFile(yeast / "reads_reconstructed.bam") as bam:
        lengths = [read.template_length for read in bam if read.is_read1]
    np.add.at(expected, np.minimum(np.abs(lengths), LONGER), 1)
    assert pairs["fragment_sizes"] == expected.tolist()
    assert pairs["duplicates"] == {"told_by": "flag", "of": 829_936, "duplicates": 0}
    lines = spill_reads([yeast / "fragments.tsv.gz"], "fragments", sizes, tmp_path, 10).library
    with gzip.open(yeast / "fragments.tsv.gz", "rt") as file:
        start, end, count = np.loadtxt(file, dtype=int, usecols=(1, 2, 4), unpack=True)
    assert lines["fragment_sizes"] == np.bincount(np.minimum(end - start, LONGER), minlength=LONGER + 1).tolist()
    assert lines["fragment_sizes"] == pairs["fragment_sizes"]  # the pairs were made of these lines
    assert lines["duplicates"] == {"told_by": "count", "of": count.sum(), "duplicates": count.sum() - len(count)}
