"""Reads: three formats, one set of 5' ends; damage and malformed lines are named; the sample is uniform and stable."""

from __future__ import annotations

import gzip
import logging

import numpy as np
import pysam
import pytest

from chrombpnet_core import reads
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import read_chrom_sizes
from chrombpnet_core.reads import spill_reads

SIZES = {"chr1": 1000, "chr2": 500}


def spill(tmp_path, text, kind="fragments", sizes=SIZES, **options):
    path = tmp_path / f"reads.{kind}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return spill_reads([path], kind, sizes, tmp_path / "scratch", **options)


def ends(spilled):
    return {(chrom, strand): sorted(spilled.positions(chrom, strand).tolist())
            for chrom in spilled.chroms for strand in "+-" if len(spilled.positions(chrom, strand))}


def write_bam(path, records, sizes=SIZES):
    """Records are (chrom or None, start, flag, cigar)."""
    header = pysam.AlignmentHeader.from_dict({"SQ": [{"SN": name, "LN": size} for name, size in sizes.items()]})
    with pysam.AlignmentFile(path, "wb", header=header) as bam:
        for number, (chrom, start, flag, cigar) in enumerate(records):
            read = pysam.AlignedSegment(header)
            read.query_name, read.flag = f"r{number}", flag
            if chrom is not None:
                read.reference_name, read.reference_start = chrom, start
            read.cigarstring = cigar
            bam.write(read)
    return path


# --- formats -----------------------------------------------------------------------------------------------------


def test_a_fragment_is_two_reads(tmp_path):
    spilled = spill(tmp_path, "# id=x\n#chrom start\nchr2\t3\t40\tAAAC-1\t7\nchr1\t10\t20\tA\t1\nchr1\t10\t21\tA\t1\n")
    assert ends(spilled) == {("chr1", "+"): [10, 10], ("chr1", "-"): [20, 21], ("chr2", "+"): [3], ("chr2", "-"): [40]}
    assert spilled.counts == {"chr1": 4, "chr2": 2}
    assert spilled.positions("chr1", "+").dtype == np.int32
    assert spilled.stats()["reads"] == 6


def test_tagalign_is_one_read_a_line(tmp_path):
    spilled = spill(tmp_path, "chr1\t10\t60\tN\t1000\t+\r\nchr1\t10\t60\tN\t1000\t-\r\n", "tagalign")
    assert ends(spilled) == {("chr1", "+"): [10], ("chr1", "-"): [60]}


def test_three_columns_are_enough_for_fragments(tmp_path):
    assert ends(spill(tmp_path, "chr1\t1\t2")) == {("chr1", "+"): [1], ("chr1", "-"): [2]}


def test_bam_counts_every_mapped_alignment(tmp_path):
    records = [("chr1", 10, 0, "20M"), ("chr1", 10, 16, "5S10M3D5M4N1M2I"), ("chr1", 7, 0x400 | 0x100, "4M"),
               ("chr2", 3, 0x800 | 0x10, "4M"), (None, -1, 4, None), ("chr1", 50, 4 | 1, None), ("chr2", 9, 16, None)]
    spilled = spill_reads([write_bam(tmp_path / "r.bam", records)], "bam", SIZES, tmp_path)
    assert ends(spilled) == {("chr1", "+"): [7, 10], ("chr1", "-"): [33], ("chr2", "-"): [7, 10]}


def test_several_files_add_up(tmp_path):
    (tmp_path / "a.tsv").write_text("chr1\t1\t2\n")
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(b"chr1\t3\t4\n") + gzip.compress(b"chr2\t5\t6\n"))
    spilled = spill_reads([tmp_path / "a.tsv", tmp_path / "b.tsv.gz"], "fragments", SIZES, tmp_path / "s")
    assert spilled.counts == {"chr1": 4, "chr2": 2}
    with pytest.raises(InputError, match="given twice"):
        spill_reads([tmp_path / "a.tsv"] * 2, "fragments", SIZES, tmp_path / "s")


@pytest.mark.parametrize("text", [
    "chr1\t1\t5\tA\t1\n# id=second\nchr1\t2\t6\tA\t1\n", "chr1\t1\t5\nchr1\t2\t6\tA\t1\n",
    "\nchr1\t1\t5\n\nchr1\t2\t6\n",
    "chr1\t1\t5\n#c\ts\te\nchr1\t2\t6\n", "track name=x\nchr1\t1\t5\nbrowser position\nchr1\t2\t6\n",
])
def test_odd_but_right_text(tmp_path, text):
    assert ends(spill(tmp_path, text)) == {("chr1", "+"): [1, 2], ("chr1", "-"): [5, 6]}


@pytest.mark.parametrize("text", ["# id=x\n#c\tstart\tend\nchr1\t1\t5\n", "chr1\t1\t5\r\n",
                                  "chr1\t1\t5\nchr9\t1\t5"])
def test_the_fast_parser_reads_the_usual_forms(tmp_path, monkeypatch, text):
    monkeypatch.setattr(reads, "_careful_batches", None)
    assert ends(spill(tmp_path, text)) == {("chr1", "+"): [1], ("chr1", "-"): [5]}


def test_the_careful_parser_goes_on_where_the_fast_one_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(reads, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(reads, "_BATCH", 7)
    lines = [f"chr{1 + at % 2}\t{at}\t{at + 9}" for at in range(100)]
    lines.insert(60, "# a comment in the middle")
    spilled = spill(tmp_path, "\n".join(lines))
    assert ends(spilled) == {(chrom, strand): [at + 9 * (strand == "-") for at in range(parity, 100, 2)]
                             for parity, chrom in enumerate(SIZES) for strand in "+-"}


# --- real data ---------------------------------------------------------------------------------------------------


@pytest.mark.golden
def test_bam_tagalign_and_fragments_agree_on_real_reads(yeast, tmp_path):
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    files = {"fragments": "fragments.tsv.gz", "tagalign": "reads_reconstructed.tagAlign.gz",
             "bam": "reads_reconstructed.bam"}
    spilled = [spill_reads([yeast / name], kind, sizes, tmp_path / kind) for kind, name in files.items()]
    for chrom in sizes:
        for strand in "+-":
            first, *others = (np.sort(each.positions(chrom, strand)) for each in spilled)
            for other in others:
                np.testing.assert_array_equal(other, first)
    assert [sum(each.counts.values()) for each in spilled] == [829_936] * 3


# --- lost chromosomes --------------------------------------------------------------------------------------------


def test_one_warning_names_lost_chromosomes_and_counts(tmp_path, caplog):
    text = "chr1\t1\t5\nchrM\t1\t5\nscaffold_9\t1\t5\nchrM\t2\t5\n"
    with caplog.at_level(logging.WARNING):
        spilled = spill(tmp_path, text)
    assert len(caplog.records) == 1
    assert "6 of 8 reads are dropped" in caplog.text
    assert "chrM (4), scaffold_9 (2)" in caplog.text
    assert spilled.lost == {"chrM": 4, "scaffold_9": 2}
    assert spilled.stats()["reads_lost"] == 6
    assert set(spilled.sample["+"].chroms) == {"chr1"}


def test_many_lost_chromosomes_are_not_all_listed(tmp_path, caplog):
    spill(tmp_path, "chr1\t1\t5\n" + "".join(f"scaffold_{at}\t1\t5\n" for at in range(500)))
    assert "and 490 more" in caplog.text
    assert len(caplog.text) < 1000


def test_no_read_on_a_known_chromosome(tmp_path):
    with pytest.raises(InputError, match=r"none of 4 reads.*expected chr1, chr2, found 1 \(4\).*chr1 is not 1"):
        spill(tmp_path, "1\t1\t5\n1\t4\t9\n")


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "line", "message"), [
    ("fragments", "chr1\t5\t5\tA\t1", "end is not greater than start; found chr1:5-5"),
    ("fragments", "chr1\t9\t5\tA\t1", "end is not greater"), ("fragments", "chr1\tx\t5\tA\t1", "start; .*'x'"),
    ("fragments", "chr1\t1.5\t5\tA\t1", "start; .*'1.5'"), ("fragments", "chr1\t1\t\tA\t1", "end; .*''"),
    ("fragments", "chr1\t-1\t5\tA\t1", "start; .*'-1'"),
    ("fragments", "chr1\t1\t3000000000\tA\t1", "end; .*'3000000000'"),
    ("fragments", "chr1\t1", r"expected 3 or more tab-separated columns .*found 2"),
    ("fragments", "chr1 1 5", "tab-separated.*found 1"), ("tagalign", "chr1\t1\t5\tA\t1", "expected 6 or more"),
    ("tagalign", "chr1\t1\t5\tN\t1\t.", r"strand \(column 6\).*expected \+ or -, found '\.'"),
    ("tagalign", "chr1\t1\t5\tN\t1\t", "strand"), ("tagalign", "chr1\t5\t5\tN\t1\t+", "end is not greater"),
])
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_line_is_named(tmp_path, kind, line, message, packed):
    good = "chr1\t1\t5\tN\t1\t+\n"
    text = (f"# comment\n{good * 3}{line}\n{good}").encode()
    with pytest.raises(InputError, match=rf"reads\.{kind}, line 5.*{message}"):
        spill(tmp_path, gzip.compress(text) if packed else text, kind)


def test_the_first_line_may_be_the_bad_one(tmp_path):
    with pytest.raises(InputError, match=r"line 1; expected 3 or more"):
        spill(tmp_path, "chr1\t1\n")


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", gzip.compress(b"")])
def test_files_without_reads(tmp_path, content):
    with pytest.raises(InputError, match=r"no reads|empty file"):
        spill(tmp_path, content)


@pytest.mark.parametrize("blocked", [False, True])
def test_truncated_gzip_says_where(tmp_path, blocked):
    rng = np.random.default_rng(0)
    text = "".join(f"chr1\t{start}\t{start + 9}\n" for start in rng.integers(0, 900, 50_000)).encode()
    path = tmp_path / "fragments.gz"
    if blocked:
        with pysam.BGZFile(str(path), "wb") as handle:
            handle.write(text)
    else:
        path.write_bytes(gzip.compress(text))
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(InputError, match=r"fragments\.gz.*truncated"):
        spill_reads([path], "fragments", SIZES, tmp_path / "s")


def test_not_text(tmp_path):
    with pytest.raises(InputError, match="line 2: not text"):
        spill(tmp_path, b"chr1\t1\t5\nchr\xff\xfe\t1\t5\n")


def test_bam_refusals(tmp_path, capfd):
    rng = np.random.default_rng(0)
    many = [("chr1", int(start), 0, "10M") for start in rng.integers(0, 900, 20_000)]
    whole = write_bam(tmp_path / "whole.bam", many).read_bytes()
    cases = {"no end marker": (whole[:-28], "truncated"), "half": (whole[:len(whole) // 2], "truncated"),
             "no BAM": (b"chr1\t1\t5\n", "cannot be read as BAM"),
             "garbage": (whole[:40_000] + bytes(3000) + whole[43_000:], r"after read [\d,]+: .*damaged")}
    for name, (content, message) in cases.items():
        path = tmp_path / f"{name}.bam"
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}\.bam.*{message}"):
            spill_reads([path], "bam", SIZES, tmp_path / "s")
    empty = write_bam(tmp_path / "empty.bam", [(None, -1, 4, None)])
    with pytest.raises(InputError, match="no reads"):
        spill_reads([empty], "bam", SIZES, tmp_path / "s")
    other = write_bam(tmp_path / "hg19.bam", many[:3], {"chr1": 1001})
    with pytest.raises(InputError, match=r"length of chromosome chr1.*1,000 bp.*1,001 bp.*another assembly"):
        spill_reads([other], "bam", SIZES, tmp_path / "s")
    sam = tmp_path / "reads.sam"
    sam.write_text("@SQ\tSN:chr1\tLN:1000\nr\t0\tchr1\t5\t9\t4M\t*\t0\t0\tACGT\t*\n")
    with pytest.raises(InputError, match="not a BAM file"):
        spill_reads([sam], "bam", SIZES, tmp_path / "s")
    assert capfd.readouterr().err == ""  # htslib's own messages are ours now


def test_unknown_kind_and_absent_file(tmp_path):
    with pytest.raises(InputError, match="expected bam or fragments or tagalign"):
        spill_reads([tmp_path / "x"], "cram", SIZES, tmp_path)
    with pytest.raises(InputError, match="no such file"):
        spill_reads([tmp_path / "x"], "bam", SIZES, tmp_path)


# --- the sample --------------------------------------------------------------------------------------------------


def test_the_sample_does_not_depend_on_batches(tmp_path, monkeypatch):
    text = "".join(f"chr{1 + at % 2}\t{at}\t{at + 30}\n" for at in range(400))
    first = spill(tmp_path, text, num_samples=50, seed=3)
    monkeypatch.setattr(reads, "_BLOCK_BYTES", 100)
    second = spill(tmp_path, text, num_samples=50, seed=3)
    assert len(second.bounds) > len(first.bounds) == 1
    for strand in "+-":
        np.testing.assert_array_equal(first.sample[strand].positions, second.sample[strand].positions)
        np.testing.assert_array_equal(first.sample[strand].chroms, second.sample[strand].chroms)
        assert len(np.unique(first.sample[strand].positions)) == 50
    assert not np.array_equal(spill(tmp_path, text, num_samples=50, seed=4).sample["+"].positions,
                              first.sample["+"].positions)


def test_the_sample_is_uniform_over_the_whole_input(tmp_path):
    text = "".join(f"chr1\t{at}\t{at + 30}\n" for at in range(500))
    drawn = np.concatenate([spill(tmp_path, text, num_samples=100, seed=seed).sample["+"].positions
                            for seed in range(40)])
    tenths = np.bincount(drawn // 50, minlength=10)
    assert tenths.sum() == 4000
    assert abs(tenths - 400).max() < 5 * np.sqrt(400 * 0.9 * 0.8)


def test_a_small_input_is_sampled_whole(tmp_path):
    sample = spill(tmp_path, "chr1\t1\t5\nchr2\t2\t6\n").sample
    assert sorted(zip(sample["-"].chroms, sample["-"].positions.tolist(), strict=True)) == [("chr1", 5), ("chr2", 6)]
