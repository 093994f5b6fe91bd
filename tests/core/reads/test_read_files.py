"""Reads: three formats, one set of 5' ends; damage and malformed lines are named; the sample is uniform and stable."""

from __future__ import annotations

import gzip
import logging

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import bgzf as inflate
from chrombpnet_core.genome import Naming, read_chrom_sizes
from chrombpnet_core.reads import ReadFilters, read_chromosome_names, spill_reads
from chrombpnet_core.reads import fragments as read_text
from chrombpnet_core.reads import read_batches as batches

SIZES = {"chr1": 1000, "chr2": 500}


def spill(tmp_path, text, kind="fragments", sizes=SIZES, num_samples=10_000, seed=1234, **filters):
    path = tmp_path / f"reads.{kind}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return spill_reads([path], kind, sizes, tmp_path / "scratch", num_samples, seed, filters=ReadFilters(**filters))


def ends(spilled):
    return {
        (chrom, strand): sorted(spilled.positions(chrom, strand).tolist())
        for chrom in spilled.chroms
        for strand in "+-"
        if len(spilled.positions(chrom, strand))
    }


def write_bam(path, records, sizes=SIZES, quality=None):
    """Records are (chrom or None, start, flag, cigar), and of a mate its chrom, start and the insert size."""
    header = pysam.AlignmentHeader.from_dict({"SQ": [{"SN": name, "LN": size} for name, size in sizes.items()]})
    with pysam.AlignmentFile(path, "wb", header=header) as bam:
        for number, (chrom, start, flag, cigar, *mate) in enumerate(records):
            read = pysam.AlignedSegment(header)
            read.query_name, read.flag = f"r{number}", flag
            if chrom is not None:
                read.reference_name, read.reference_start = chrom, start
            read.cigarstring = cigar
            read.mapping_quality = quality[number] if quality else 60
            if mate:
                read.next_reference_name, read.next_reference_start, read.template_length = mate
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
    records = [
        ("chr1", 10, 0, "20M"),
        ("chr1", 10, 16, "5S10M3D5M4N1M2I"),
        ("chr1", 7, 0x400 | 0x100, "4M"),
        ("chr2", 3, 0x800 | 0x10, "4M"),
        (None, -1, 4, None),
        ("chr1", 50, 4 | 1, None),
        ("chr2", 9, 16, None),
    ]
    spilled = spill_reads([write_bam(tmp_path / "r.bam", records)], "bam", SIZES, tmp_path)
    assert ends(spilled) == {("chr1", "+"): [7, 10], ("chr1", "-"): [33], ("chr2", "-"): [7, 10]}


def test_several_files_add_up(tmp_path):
    (tmp_path / "a.tsv").write_text("chr1\t1\t2\n")
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(b"chr1\t3\t4\n") + gzip.compress(b"chr2\t5\t6\n"))
    spilled = spill_reads([tmp_path / "a.tsv", tmp_path / "b.tsv.gz"], "fragments", SIZES, tmp_path / "s")
    assert spilled.counts == {"chr1": 4, "chr2": 2}
    with pytest.raises(InputError, match="given twice"):
        spill_reads([tmp_path / "a.tsv"] * 2, "fragments", SIZES, tmp_path / "s")
    (tmp_path / "link.tsv").symlink_to(tmp_path / "a.tsv")
    with pytest.raises(InputError, match="one is given twice"):
        spill_reads([tmp_path / "a.tsv", tmp_path / "link.tsv"], "fragments", SIZES, tmp_path / "s")


@pytest.mark.parametrize(
    "text",
    [
        "chr1\t1\t5\tA\t1\n# id=second\nchr1\t2\t6\tA\t1\n",
        "chr1\t1\t5\nchr1\t2\t6\tA\t1\n",
        "\nchr1\t1\t5\n\nchr1\t2\t6\n",
        "chr1\t1\t5\n#c\ts\te\nchr1\t2\t6\n",
        "track name=x\nchr1\t1\t5\nbrowser position\nchr1\t2\t6\n",
    ],
)
def test_odd_but_right_text(tmp_path, text):
    assert ends(spill(tmp_path, text)) == {("chr1", "+"): [1, 2], ("chr1", "-"): [5, 6]}


@pytest.mark.parametrize(
    "text",
    [
        "chr1\t1\t5\tA\t1\rchr1\t2\t6\tA\t1\r",
        "chr1\t1\t5\tA\t1\rchr1\t2\t6\tA\t1",
        "chr1\t1\t5\tA\t1\r\nchr1\t2\t6\tA\t1\n",
        "chr1\t1\t5\tA\t1\rchr1\t2\t6\tA\t1\n",
        "# id=x\rchr1\t1\t5\rchr1\t2\t6\r",
        "\ufeffchr1\t1\t5\nchr1\t2\t6\n",
        "\ufeff# id=x\nchr1\t1\t5\n\ufeffchr1\t2\t6\n",
    ],
)
@pytest.mark.parametrize("piece", [3, 7, 1 << 22])
def test_line_ends_of_old_macs_and_byte_order_marks(tmp_path, monkeypatch, text, piece):
    monkeypatch.setattr(inflate, "_WINDOW", piece)
    assert ends(spill(tmp_path, text)) == {("chr1", "+"): [1, 2], ("chr1", "-"): [5, 6]}


@pytest.mark.parametrize("name", ["chr\x1b[31m1", "chr1\0", "c" * 5000])
def test_a_name_that_is_no_text_is_named(tmp_path, name):
    with pytest.raises(InputError, match="line 2: chromosome name; expected text"):
        spill(tmp_path, f"chr1\t1\t5\n{name}\t1\t5\n")


def test_zstd_is_read_and_its_damage_seen(tmp_path):
    import pyarrow

    text = "".join(f"chr1\t{at}\t{at + 5}\tA\t1\n" for at in range(900)).encode()
    packed = pyarrow.compress(text[:9000], "zstd", asbytes=True) + b"\x50\x2a\x4d\x18\x02\0\0\0hi"
    packed += pyarrow.compress(text[9000:], "zstd", asbytes=True)
    assert spill(tmp_path, packed).counts == {"chr1": 1800, "chr2": 0}
    for wrong in (packed[:-9], packed[:200], b"\x28\xb5\x2f\xfd" + bytes([255] * 40)):
        with pytest.raises(InputError, match=r"truncated or damaged; found zstd data is truncated or damaged"):
            spill(tmp_path, wrong)


def test_single_end_fragments_are_one_read_a_line(tmp_path):
    text = "# id=x\nchr1\t10\t60\tA\t2\t+\nchr1\t10\t60\tB\t1\t-\nchr1\t10\t70\tA\t1\t+\nchr1\t10\t60\tA\t1\t-\r\n"
    assert ends(spill(tmp_path, text, "single_end")) == {("chr1", "+"): [10, 10], ("chr1", "-"): [60, 60]}
    counted = ends(spill(tmp_path, text, "single_end", use_counts=True))
    assert counted == {("chr1", "+"): [10, 10, 10], ("chr1", "-"): [60, 60]}
    assert ends(spill(tmp_path, text, "single_end", dedup=True)) == {("chr1", "+"): [10], ("chr1", "-"): [60, 60]}
    for line, words in (("chr1\t1\t5\tA\t1\t.", "whole fragments"), ("chr1\t1\t5\tA\t1", "6 or more tab-separated")):
        with pytest.raises(InputError, match=words):
            spill(tmp_path, f"{line}\n", "single_end")


@pytest.mark.parametrize("text", ["# id=x\n#c\tstart\tend\nchr1\t1\t5\n", "chr1\t1\t5\r\n", "chr1\t1\t5\nchr9\t1\t5"])
def test_the_fast_parser_reads_the_usual_forms(tmp_path, monkeypatch, text):
    monkeypatch.setattr(read_text, "_row", None)
    assert ends(spill(tmp_path, text)) == {("chr1", "+"): [1], ("chr1", "-"): [5]}


def test_the_careful_parser_goes_on_where_the_fast_one_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(inflate, "_WINDOW", 64)
    monkeypatch.setattr(batches, "READS_PER_BATCH", 7)
    lines = [f"chr{1 + at % 2}\t{at}\t{at + 9}" for at in range(100)]
    lines.insert(60, "# a comment in the middle")
    spilled = spill(tmp_path, "\n".join(lines))
    assert ends(spilled) == {
        (chrom, strand): [at + 9 * (strand == "-") for at in range(parity, 100, 2)]
        for parity, chrom in enumerate(SIZES)
        for strand in "+-"
    }


# --- real data ---------------------------------------------------------------------------------------------------


@pytest.mark.golden
def test_bam_tagalign_and_fragments_agree_on_real_reads(yeast, tmp_path):
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    files = {
        "fragments": "fragments.tsv.gz",
        "tagalign": "reads_reconstructed.tagAlign.gz",
        "bam": "reads_reconstructed.bam",
    }
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
    with pytest.raises(InputError, match=r'none of 4 reads.*expected chr1, chr2, found 1 \(4\).*`alias="auto"`'):
        spill(tmp_path, "1\t1\t5\n1\t4\t9\n")


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "line", "message"),
    [
        ("fragments", "chr1\t5\t5\tA\t1", "end is not greater than start; found chr1:5-5"),
        ("fragments", "chr1\t9\t5\tA\t1", "end is not greater"),
        ("fragments", "chr1\tx\t5\tA\t1", "start; .*'x'"),
        ("fragments", "chr1\t1.5\t5\tA\t1", "start; .*'1.5'"),
        ("fragments", "chr1\t1\t\tA\t1", "end; .*''"),
        ("fragments", "chr1\t-1\t5\tA\t1", "start; .*'-1'"),
        ("fragments", "chr1\t1\t3000000000\tA\t1", "end; .*'3000000000'"),
        ("fragments", "chr1\t1", r"expected 3 or more tab-separated columns .*found 2"),
        ("fragments", "chr1 1 5", "tab-separated.*found 1"),
        ("tagalign", "chr1\t1\t5\tA\t1", "expected 6 or more"),
        ("tagalign", "chr1\t1\t5\tN\t1\t.", r"strand \(column 6\).*expected \+ or -, found '\.'"),
        ("tagalign", "chr1\t1\t5\tN\t1\t", "strand"),
        ("tagalign", "chr1\t5\t5\tN\t1\t+", "end is not greater"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_line_is_named(tmp_path, kind, line, message, packed):
    good = "chr1\t1\t5\tN\t1\t+\n"
    text = (f"# comment\n{good * 3}{line}\n{good}").encode()
    with pytest.raises(InputError, match=rf"reads\.{kind}, line 5.*{message}"):
        spill(tmp_path, gzip.compress(text) if packed else text, kind)


def test_the_first_line_may_be_the_bad_one(tmp_path):
    with pytest.raises(InputError, match=r"line 1; expected 3 or more"):
        spill(tmp_path, "chr1\t1\n")


@pytest.mark.parametrize(
    "content", [b"", b"# only a comment\n", gzip.compress(b"", mtime=0)], ids=["empty", "comment", "gzip"]
)
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
    cases = {
        "no end marker": (whole[:-28], "truncated"),
        "half": (whole[: len(whole) // 2], "truncated"),
        "no BAM": (b"chr1\t1\t5\n", "cannot be read as BAM"),
        "garbage": (whole[:40_000] + bytes(3000) + whole[43_000:], r"after read [\d,]+: .*damaged"),
    }
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


# --- filters -----------------------------------------------------------------------------------------------------


def test_filters_leave_out_alignments_and_say_how_many(tmp_path, caplog):
    records = [("chr1", at, flag, "4M") for at, flag in ((1, 0), (2, 0x400), (3, 0x100), (4, 16), (5, 0x400 | 16))]
    path = write_bam(tmp_path / "r.bam", records, quality=[60, 60, 60, 9, 60])
    with caplog.at_level(logging.INFO):
        spilled = spill_reads([path], "bam", SIZES, tmp_path / "a", filters=ReadFilters(exclude_flags=0x500, min_mapq=10))
    assert ends(spilled) == {("chr1", "+"): [1]}
    assert (spilled.filtered, spilled.stats()["reads_filtered"]) == (4, 4)
    assert "4 alignments are left out for their mapping quality or flags" in caplog.text
    assert spill_reads([path], "bam", SIZES, tmp_path / "b", filters=ReadFilters(min_mapq=9)).counts["chr1"] == 5
    with pytest.raises(InputError, match=r"no reads pass the filters.*found 5 that do not"):
        spill_reads([path], "bam", SIZES, tmp_path / "c", filters=ReadFilters(min_mapq=61))


def test_counts_of_fragments_are_used_when_asked_for(tmp_path):
    text = "chr1\t1\t5\tA\t3\n#\nchr1\t 2\t6\tA\t2\textra\r\nchr2\t2\t6\tA\t1\r\n"
    assert ends(spill(tmp_path, text, use_counts=True)) == {
        ("chr1", "+"): [1, 1, 1, 2, 2],
        ("chr1", "-"): [5, 5, 5, 6, 6],
        ("chr2", "+"): [2],
        ("chr2", "-"): [6],
    }
    assert spill(tmp_path, text).counts == {"chr1": 4, "chr2": 2}


@pytest.mark.parametrize("count", ["0", "-1", "x", "", "1.5", "1000001", "99999999999"])
def test_a_bad_count_is_named(tmp_path, count):
    with pytest.raises(InputError, match=r"line 2: count \(column 5\); expected 1 to 1,000,000, found '"):
        spill(tmp_path, f"chr1\t1\t5\tA\t3\nchr1\t1\t5\tA\t{count}\n", use_counts=True)


def test_a_missing_count_is_named(tmp_path):
    with pytest.raises(InputError, match=r"line 1; expected 5 or more .*\(chrom, start, end, barcode, count\), found 4"):
        spill(tmp_path, "chr1\t1\t5\tA\n", use_counts=True)


def test_duplicate_fragments_have_ends_and_barcode_in_common(tmp_path):
    text = (
        "chr1\t1\t5\tA\t1\nchr1\t1\t5\tA\t1\nchr1\t1\t5\tB\t1\nchr1\t1\t6\tA\t1\nchr2\t1\t5\tA\t1\n"
        "chr1\t 1\t5\tA\t1\nchr9\t1\t5\tA\nchr9\t1\t5\tA\n"
    )
    spilled = spill(tmp_path, text, dedup=True)
    assert ends(spilled) == {("chr1", "+"): [1, 1, 1], ("chr1", "-"): [5, 5, 6], ("chr2", "+"): [1], ("chr2", "-"): [5]}
    assert (spilled.duplicates, spilled.lost) == (4, {"chr9": 4})
    assert sorted(spilled.sample["-"].positions.tolist()) == [5, 5, 5, 6]
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["reads.unique.int32"]


def test_duplicates_are_found_over_files_and_whatever_the_batches(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = [
        (int(start), int(start + width))
        for start, width in zip(rng.integers(0, 40, 300), rng.integers(5, 9, 300), strict=True)
    ]
    monkeypatch.setattr(batches, "READS_PER_BATCH", 17)
    for name, part in (("a", rows[:150]), ("b", rows[150:])):
        (tmp_path / name).write_text("".join(f"chr1\t{start}\t{end}\n" for start, end in part))
    spilled = spill_reads(
        [tmp_path / "a", tmp_path / "b"], "fragments", SIZES, tmp_path / "s", filters=ReadFilters(dedup=True)
    )
    first = list(dict.fromkeys(rows))
    assert spilled.positions("chr1", "+").tolist() == [start for start, _ in first]
    assert spilled.positions("chr1", "-").tolist() == [end for _, end in first]


def test_duplicate_alignments_have_the_mate_in_common(tmp_path):
    pair = [("chr1", 10, 99, "4M", "chr1", 30, 24), ("chr1", 30, 147, "4M", "chr1", 10, -24)]
    other_length = [("chr1", 10, 99, "4M", "chr1", 40, 34), ("chr1", 40, 147, "4M", "chr1", 10, -34)]
    far = [("chr1", 10, 97, "4M", "chr2", 30, 0), ("chr1", 10, 97, "4M", "chr2", 31, 0)]
    single = [("chr1", 10, 0, "4M"), ("chr1", 10, 0, "7M"), ("chr1", 10, 16, "4M"), ("chr1", 9, 16, "5M")]
    for records, plus, minus in (
        (pair * 3, [10], [34]),
        (pair * 2 + other_length, [10, 10], [34, 44]),
        (far * 2, [10, 10], None),
        (single, [10], [14]),
    ):
        path = write_bam(tmp_path / "r.bam", records)
        found = ends(spill_reads([path], "bam", SIZES, tmp_path / "s", filters=ReadFilters(dedup=True)))
        assert found == {("chr1", "+"): plus} | ({("chr1", "-"): minus} if minus else {})


def test_duplicate_tagalign_lines_have_the_five_prime_end_in_common(tmp_path):
    text = "".join(
        f"chr1\t{start}\t{end}\tN\t1\t{strand}\n"
        for start, end, strand in ((1, 5, "+"), (1, 6, "+"), (1, 6, "-"), (2, 6, "-"), (2, 6, "+"))
    )
    assert ends(spill(tmp_path, text, "tagalign", dedup=True)) == {("chr1", "+"): [1, 2], ("chr1", "-"): [6]}


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("fragments", {"min_mapq": 1}, "fragments reads; expected BAM"),
        ("tagalign", {"exclude_flags": 4}, "expected BAM"),
        ("bam", {"min_mapq": 256}, "expected 0 to 255"),
        ("bam", {"exclude_flags": -1}, "sum of SAM flags"),
        ("bam", {"use_counts": True}, "column 5 for bam"),
        ("fragments", {"use_counts": True, "dedup": True}, "one of both"),
    ],
)
def test_filters_that_do_not_fit(tmp_path, kind, options, message):
    with pytest.raises(InputError, match=message):
        spill(tmp_path, "chr1\t1\t5\n", kind, **options)


# --- agreement ---------------------------------------------------------------------------------------------------


ALIGNMENTS = st.lists(
    st.tuples(
        st.sampled_from(["chr1", "chr2", None]),
        st.integers(0, 400),
        st.integers(0, 0xFFF),
        st.integers(0, 255),
        st.sampled_from([None, "10M", "3S7M2S", "5M100N5M", "4M2D1M3I4M", "2H8=1X", "7S", "1I", "3P4M"]),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(ALIGNMENTS, st.integers(0, 60), st.sampled_from([0, 0x400, 0xF04]), st.integers(1, 9))
def test_the_walk_agrees_with_htslib(tmp_path_factory, records, min_mapq, exclude, size):
    folder = tmp_path_factory.mktemp("walk")
    path = write_bam(
        folder / "r.bam", [(*record[:3], record[4]) for record in records], quality=[record[3] for record in records]
    )
    expected: dict[tuple[str, str], list[int]] = {}
    with pysam.AlignmentFile(path, check_sq=False) as bam:
        for read in bam:
            if read.is_unmapped or read.reference_id < 0 or read.mapping_quality < min_mapq or read.flag & exclude:
                continue
            end = read.reference_end or read.reference_start + 1
            strand, at = ("-", end) if read.is_reverse else ("+", read.reference_start)
            expected.setdefault((read.reference_name, strand), []).append(at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "READS_PER_BATCH", size)
        if not expected:
            with pytest.raises(InputError, match="no reads"):
                spill_reads([path], "bam", SIZES, folder, filters=ReadFilters(min_mapq, exclude))
            return
        spilled = spill_reads([path], "bam", SIZES, folder, filters=ReadFilters(min_mapq, exclude))
    found = {(chrom, strand): spilled.positions(chrom, strand).tolist() for chrom in SIZES for strand in "+-"}
    assert {key: value for key, value in found.items() if value} == expected


def test_records_may_span_blocks_and_headers_may_be_long(tmp_path):
    """Other writers than htslib let a record begin in one block and end in a later one."""
    sizes = SIZES | {f"scaffold_{at}": 1000 + at for at in range(9000)}
    records = [("chr1", int(at), 0, "4M") for at in np.random.default_rng(0).integers(0, 900, 3000)]
    written = write_bam(tmp_path / "htslib.bam", records, sizes)
    with pysam.BGZFile(str(written)) as handle:
        content = handle.read()
    path = tmp_path / "other.bam"
    with pysam.BGZFile(str(path), "wb") as handle:
        for at in range(0, len(content), 777):
            handle.write(content[at : at + 777])
            handle.flush()
    spilled = spill_reads([path], "bam", sizes, tmp_path / "s")
    assert spilled.positions("chr1", "+").tolist() == [at for _, at, _, _ in records]
    (tmp_path / "gzip.bam").write_bytes(gzip.compress(content))  # legal, if rare: one gzip stream
    assert spill_reads([tmp_path / "gzip.bam"], "bam", sizes, tmp_path / "s").counts["chr1"] == 3000


def test_cram_needs_no_genome(tmp_path):
    rng = np.random.default_rng(0)
    records = sorted(
        ("chr1", int(at), int(flag), "10M")
        for at, flag in zip(rng.integers(0, 900, 500), rng.choice([0, 16, 1040], 500), strict=True)
    )
    bam = write_bam(tmp_path / "r.bam", records, quality=[30] * 400 + [5] * 100)
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGTA' * 200}\n>chr2\n{'A' * 500}\n")
    with (
        pysam.AlignmentFile(bam) as source,
        pysam.AlignmentFile(tmp_path / "r.cram", "wc", template=source, reference_filename=str(tmp_path / "g.fa")) as cram,
    ):
        for read in source:
            cram.write(read)
    for path in tmp_path.glob("g.fa*"):
        path.unlink()
    for options in ({}, {"min_mapq": 6}, {"exclude_flags": 0x400}, {"dedup": True}):
        both = [
            spill_reads([path], "bam", SIZES, tmp_path / "s", filters=ReadFilters(**options))
            for path in (bam, tmp_path / "r.cram")
        ]
        assert both[0].counts == both[1].counts
        assert (both[0].filtered, both[0].duplicates) == (both[1].filtered, both[1].duplicates)
    damaged = (tmp_path / "r.cram").read_bytes()
    (tmp_path / "half.cram").write_bytes(damaged[: len(damaged) // 2])
    with pytest.raises(InputError, match=r"half\.cram.*truncated or damaged"):
        spill_reads([tmp_path / "half.cram"], "bam", SIZES, tmp_path / "s")


def test_threads_change_nothing(yeast, tmp_path):
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    one, four = (
        spill_reads([yeast / "reads_reconstructed.bam"], "bam", sizes, tmp_path / str(threads), threads=threads)
        for threads in (1, 4)
    )
    assert one.path.read_bytes() == four.path.read_bytes()
    for strand in "+-":
        np.testing.assert_array_equal(one.sample[strand].positions, four.sample[strand].positions)


@pytest.mark.golden
def test_real_alignments_as_htslib_reads_them(yeast, tmp_path):
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    expected = {(chrom, strand): [] for chrom in sizes for strand in "+-"}
    with pysam.AlignmentFile(yeast / "reads_reconstructed.bam") as bam:
        for read in bam:
            strand, at = ("-", read.reference_end) if read.is_reverse else ("+", read.reference_start)
            expected[read.reference_name, strand].append(at)
    spilled = spill_reads([yeast / "reads_reconstructed.bam"], "bam", sizes, tmp_path)
    for (chrom, strand), positions in expected.items():
        np.testing.assert_array_equal(spilled.positions(chrom, strand), positions)


# --- the sample --------------------------------------------------------------------------------------------------


def test_the_sample_does_not_depend_on_batches(tmp_path, monkeypatch):
    text = "".join(f"chr{1 + at % 2}\t{at}\t{at + 30}\n" for at in range(400))
    first = spill(tmp_path, text, num_samples=50, seed=3)
    monkeypatch.setattr(batches, "READS_PER_BATCH", 30)
    second = spill(tmp_path, text, num_samples=50, seed=3)
    assert len(second.bounds) > len(first.bounds) == 1
    for strand in "+-":
        np.testing.assert_array_equal(first.sample[strand].positions, second.sample[strand].positions)
        np.testing.assert_array_equal(first.sample[strand].chroms, second.sample[strand].chroms)
        assert len(np.unique(first.sample[strand].positions)) == 50
    assert not np.array_equal(
        spill(tmp_path, text, num_samples=50, seed=4).sample["+"].positions, first.sample["+"].positions
    )


def test_the_sample_is_uniform_over_the_whole_input(tmp_path):
    text = "".join(f"chr1\t{at}\t{at + 30}\n" for at in range(500))
    drawn = np.concatenate([spill(tmp_path, text, num_samples=100, seed=seed).sample["+"].positions for seed in range(40)])
    tenths = np.bincount(drawn // 50, minlength=10)
    assert tenths.sum() == 4000
    assert abs(tenths - 400).max() < 5 * np.sqrt(400 * 0.9 * 0.8)


def test_a_small_input_is_sampled_whole(tmp_path):
    sample = spill(tmp_path, "chr1\t1\t5\nchr2\t2\t6\n").sample
    assert sorted(zip(sample["-"].chroms, sample["-"].positions.tolist(), strict=True)) == [("chr1", 5), ("chr2", 6)]


@pytest.mark.parametrize("kind", ["fragments", "tagalign", "bam"])
def test_other_names_and_chromosomes_left_out(tmp_path, kind, caplog):
    rows = [("1", 10, 60), ("1", 30, 90), ("MT", 5, 25), ("odd", 1, 9)]
    path = tmp_path / f"r.{kind}"
    if kind == "bam":
        sizes = {"1": SIZES["chr1"], "MT": 100, "odd": 50}
        with pysam.AlignmentFile(path, "wb", reference_names=[*sizes], reference_lengths=[*sizes.values()]) as out:
            for name, start, end in rows:
                read = pysam.AlignedSegment(out.header)
                read.query_name, read.flag, read.reference_id = "r", 0, out.get_tid(name)
                read.reference_start, read.cigarstring = start, f"{end - start}M"
                out.write(read)
    else:
        rest = "\tn\t0\t+" if kind == "tagalign" else ""
        path.write_text("".join(f"{name}\t{start}\t{end}{rest}\n" for name, start, end in rows))
    naming = Naming({"MT": "chrM"}, auto=True, excluded=frozenset({"chrM"}))
    with caplog.at_level("INFO"):
        spilled = spill_reads([path], kind, SIZES, tmp_path / "s", naming=naming)
    each = 2 if kind == "fragments" else 1
    assert spilled.counts["chr1"] == 2 * each
    assert sorted(spilled.positions("chr1", "+")) == [10, 30]
    assert (spilled.excluded, spilled.lost) == (each, {"odd": each})
    assert set(spilled.sample["+"].chroms) == {"chr1"}
    assert "left out" in caplog.text
    assert (
        read_chromosome_names(path, kind) == {"1": each * 2, "MT": each, "odd": each}
        if kind != "bam"
        else read_chromosome_names(path, kind) == dict.fromkeys(sizes, 0)
    )
