"""Damaged, odd and hostile read files: an error that says where, or exact counts; never a silent loss."""

from __future__ import annotations

import gzip
import struct
from collections import Counter

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import bgzf as inflate
from chrombpnet_core.genome import Naming
from chrombpnet_core.reads import spill_reads
from chrombpnet_core.tracks import Coverage, write_insertions
from tests.core.reads.test_read_files import SIZES, ends, write_bam

COUNT = 1500
STARTS = np.random.default_rng(0).integers(0, 900, COUNT).tolist()
LINES = [f"chr1\t{start}\t{start + 9}\tACGT-{start % 7}\t1\n".encode() for start in STARTS]


def blocked(path, content, size):
    """A bgzip file in blocks of ``size`` bytes, and where they begin; the last is the end marker."""
    with pysam.BGZFile(str(path), "wb") as handle:
        for at in range(0, len(content), size):
            handle.write(content[at : at + size])
            handle.flush()
    return borders(path.read_bytes())


def borders(data):
    at, found = 0, []
    while at < len(data):
        found.append(at)
        at += struct.unpack_from("<H", data, at + 16)[0] + 1
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One small file of each kind and its kind of reads: bytes, and the borders of blocks where it has any."""
    folder = tmp_path_factory.mktemp("files")
    made = {}
    bam = write_bam(folder / "whole.bam", [("chr1", start, 0, "9M") for start in STARTS])
    with pysam.BGZFile(str(bam)) as handle:
        content = handle.read()
    places = blocked(folder / "r.bam", content, 5000)
    made["bam"] = "bam", (folder / "r.bam").read_bytes(), places
    text = b"".join(LINES)
    places = blocked(folder / "r.bgz", text, 4000)
    made["bgzip"] = "fragments", (folder / "r.bgz").read_bytes(), places
    made["gzip"] = "fragments", gzip.compress(text[:20_000], mtime=0) + gzip.compress(text[20_000:], mtime=0), []
    return made


def outcome(tmp_path, kind, data, name="reads"):
    """Positions of the plus strand, or the message of the error."""
    path = tmp_path / name
    path.write_bytes(data)
    try:
        return spill_reads([path], kind, SIZES, tmp_path / "scratch").positions("chr1", "+").tolist()
    except InputError as error:
        message = str(error)
    assert str(path) in message
    return message


# --- truncation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bam", "bgzip"])
def test_truncation_at_every_kind_of_place_in_blocks(tmp_path, files, name):
    kind, data, places = files[name]
    assert outcome(tmp_path, kind, data) == STARTS
    ends_of_file = set()
    for first, last in zip(places[:4] + places[-3:], [*places[1:5], *places[-2:], len(data)], strict=True):
        header = [first + offset for offset in (0, 1, 2, 3, 10, 12, 14, 16, 17, 18)]
        ends_of_file |= {*header, (first + last) // 2, last - 8, last - 4, last - 1}
    for end in sorted(ends_of_file - {0}):
        found = outcome(tmp_path, kind, data[:end])
        assert isinstance(found, str), end
        assert end < 18 or "truncated" in found, end  # fewer bytes than a header tell nothing


@pytest.mark.parametrize("name", ["bam", "bgzip"])
def test_a_block_that_is_missing_or_cut_inside_a_file_with_its_end(tmp_path, files, name):
    """The end marker alone proves nothing."""
    kind, data, places = files[name]
    for end in (places[2] + 5, places[2] + 100, places[3] - 3):
        assert "truncated or damaged" in outcome(tmp_path, kind, data[:end] + data[places[3] :])
    without = outcome(tmp_path, kind, data[: places[2]] + data[places[3] :])
    if kind == "bam":  # a record continues in the block that is gone
        assert "truncated or damaged" in without
    else:  # a line is cut and joined to another: as good as any text, but for what cannot be a line
        assert isinstance(without, str) or len(without) < COUNT


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 100, 3000])
def test_truncated_gzip(tmp_path, files, cut):
    kind, data, _ = files["gzip"]
    assert outcome(tmp_path, kind, data) == STARTS
    assert "truncated or damaged" in outcome(tmp_path, kind, data[:-cut])
    assert "after line" in outcome(tmp_path, kind, data[:-cut])


def test_truncated_gzip_between_its_members_is_a_whole_file(tmp_path, files):
    """Nothing in the format tells: the counts are those of the first member up to its last, cut, line."""
    kind, data, _ = files["gzip"]
    first = len(gzip.compress(b"".join(LINES)[:20_000], mtime=0))
    found = outcome(tmp_path, kind, data[:first])
    assert isinstance(found, str) or found == STARTS[: len(found)]
    assert outcome(tmp_path, kind, data + bytes(512)) == STARTS  # tape padding, as gzip has it
    assert "damaged" in outcome(tmp_path, kind, data + b"garbage behind")


def test_a_bam_cut_between_whole_records_is_truncated(tmp_path):
    """htslib puts whole records into a block: a file cut there lacks nothing but its end marker."""
    path = write_bam(tmp_path / "r.bam", [("chr1", start, 0, "9M") for start in STARTS * 20])
    data = path.read_bytes()
    places = borders(data)
    assert len(places) > 10
    for end in places[1:]:
        assert "truncated (no bgzip end marker" in outcome(tmp_path, "bam", data[:end])
    assert "cannot be read as BAM" in outcome(tmp_path, "bam", data[places[1] :])  # its beginning is gone


@pytest.mark.parametrize("name", ["bam", "bgzip", "gzip"])
def test_the_damaged_one_of_several_files_is_named(tmp_path, files, name):
    kind, data, _ = files[name]
    (tmp_path / "whole").write_bytes(data)
    (tmp_path / "cut").write_bytes(data[:-100])
    for order in (("whole", "cut"), ("cut", "whole")):
        with pytest.raises(InputError, match=r"/cut.*truncated"):
            spill_reads([tmp_path / each for each in order], kind, SIZES, tmp_path / "s")


# --- CRAM --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cram(tmp_path_factory):
    """A CRAM in several containers, and where its reads lie."""
    folder = tmp_path_factory.mktemp("cram")
    (folder / "g.fa").write_text(f">chr1\n{'ACGTA' * 200}\n>chr2\n{'A' * 500}\n")
    bam = write_bam(folder / "r.bam", [("chr1", start, 0, "9M") for start in sorted(STARTS)])
    with (
        pysam.AlignmentFile(bam) as source,
        pysam.AlignmentFile(
            folder / "r.cram",
            "wc",
            template=source,
            reference_filename=str(folder / "g.fa"),
            format_options=[b"seqs_per_slice=100"],
        ) as file,
    ):
        for read in source:
            file.write(read)
    return (folder / "r.cram").read_bytes()


def test_truncated_cram(tmp_path, cram):
    assert outcome(tmp_path, "bam", cram) == sorted(STARTS)
    for end in {*range(5, 60, 7), *range(60, len(cram), max(len(cram) // 60, 1)), *range(len(cram) - 40, len(cram), 3)}:
        assert isinstance(outcome(tmp_path, "bam", cram[:end]), str), end


def test_bit_flips_in_cram(tmp_path, cram):
    rng = np.random.default_rng(2)
    for spot in rng.integers(0, len(cram), 250).tolist():
        flipped = bytearray(cram)
        flipped[spot] ^= 1 << int(rng.integers(8))
        found = outcome(tmp_path, "bam", bytes(flipped))
        assert isinstance(found, str) or found == sorted(STARTS), spot


# --- bit flips ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bam", "bgzip", "gzip"])
def test_bit_flips_are_errors_or_change_nothing(tmp_path, files, name):
    """Only bits that hold no data (time, system, flags that say nothing) may change without a word."""
    kind, data, places = files[name]
    rng = np.random.default_rng(1)
    spots = rng.integers(0, len(data), 250).tolist()
    if places:  # headers, checksums and lengths of some blocks, byte by byte
        for first, last in ((places[0], places[1]), (places[3], places[4]), (places[-2], places[-1])):
            spots += [*range(first, first + 18), *range(last - 8, last)]
    else:  # of both members
        second = data.index(b"\x1f\x8b\x08", 1)
        spots += [*range(10), *range(second - 8, second + 10), *range(len(data) - 8, len(data))]
    silent = 0
    for spot in spots:
        flipped = bytearray(data)
        flipped[spot] ^= 1 << int(rng.integers(8))
        found = outcome(tmp_path, kind, bytes(flipped))
        assert isinstance(found, str) or found == STARTS, spot
        silent += not isinstance(found, str)
    assert silent < len(spots) / 8


@pytest.mark.parametrize("name", ["bam", "bgzip"])
def test_checksums_and_lengths_are_verified(tmp_path, files, name):
    kind, data, places = files[name]
    for back in (8, 4):  # the checksum, the length
        wrong = bytearray(data)
        wrong[places[4] - back] ^= 1
        message = outcome(tmp_path, kind, bytes(wrong))
        assert f"block at byte {places[3]:,} is damaged" in message
        assert "after read" in message or "after line" in message


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(0, 2))
def test_random_bytes_behind_a_right_beginning(tmp_path_factory, files, tail, at):
    """No crash, no hang, no traceback: bytes that are valid blocks but no reads are refused too."""
    kind, data, places = files[["bam", "bgzip", "gzip"][at]]
    folder = tmp_path_factory.mktemp("random")
    head = data[: places[2]] if places else data
    assert isinstance(outcome(folder, kind, head + tail), str) or not places
    if kind == "bam":
        blocked(folder / "tail", tail, 100)
        found = outcome(folder, kind, data[: places[-1]] + (folder / "tail").read_bytes())
        assert isinstance(found, str) or found == STARTS


# --- indexes, order, names ---------------------------------------------------------------------------------------


def test_a_wrong_index_is_not_looked_at(tmp_path):
    bam = write_bam(tmp_path / "r.bam", [("chr1", at, 0, "4M") for at in sorted(STARTS)])
    other = write_bam(tmp_path / "other.bam", [("chr2", 1, 0, "4M")])
    pysam.index(str(other))
    (tmp_path / "other.bam.bai").rename(tmp_path / "r.bam.bai")
    assert spill_reads([bam], "bam", SIZES, tmp_path / "s").positions("chr1", "+").tolist() == sorted(STARTS)
    (tmp_path / "r.bam.bai").write_bytes(b"no index")
    assert spill_reads([bam], "bam", SIZES, tmp_path / "s").counts["chr1"] == COUNT
    (tmp_path / "r.bam.csi").write_bytes(b"no index")
    assert spill_reads([bam], "bam", SIZES, tmp_path / "s").counts["chr1"] == COUNT


def test_a_wrong_index_of_fragments_or_cram_is_not_looked_at(tmp_path, files, cram):
    for name, kind, data, index in (("f.bgz", "fragments", files["bgzip"][1], "tbi"), ("r.cram", "bam", cram, "crai")):
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"{name}.{index}").write_bytes(b"no index")
        spilled = spill_reads([tmp_path / name], kind, SIZES, tmp_path / "s")
        assert sorted(spilled.positions("chr1", "+").tolist()) == sorted(STARTS)


def test_a_header_that_claims_another_order_is_not_believed(tmp_path):
    header = pysam.AlignmentHeader.from_dict(
        {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": size} for name, size in SIZES.items()]}
    )
    with pysam.AlignmentFile(tmp_path / "r.bam", "wb", header=header) as bam:
        for chrom, start in (("chr2", 9), ("chr1", 500), ("chr2", 3), ("chr1", 1)):
            read = pysam.AlignedSegment(header)
            read.query_name, read.reference_name, read.reference_start, read.cigarstring = "r", chrom, start, "4M"
            read.flag = 0
            bam.write(read)
    spilled = spill_reads([tmp_path / "r.bam"], "bam", SIZES, tmp_path / "s")
    assert ends(spilled) == {("chr1", "+"): [1, 500], ("chr2", "+"): [3, 9]}


def test_unsorted_and_mixed_names_are_counted_or_named(tmp_path, caplog):
    text = "chr2\t1\t5\nchr1\t7\t9\n2\t1\t5\nchr2\t3\t8\nChr1\t1\t5\nchr1\t2\t9\nchr1_alt\t1\t5\nchr\t1\t5\nchr11\t1\t5\n"
    (tmp_path / "f").write_text(text)
    spilled = spill_reads([tmp_path / "f"], "fragments", SIZES, tmp_path / "s")
    assert ends(spilled) == {("chr1", "+"): [2, 7], ("chr1", "-"): [9, 9], ("chr2", "+"): [1, 3], ("chr2", "-"): [5, 8]}
    assert spilled.lost == {"2": 2, "Chr1": 2, "chr1_alt": 2, "chr": 2, "chr11": 2}
    assert "10 of 18 reads are dropped" in caplog.text


def test_two_names_of_one_chromosome_add_up_or_are_refused(tmp_path):
    """With names matched by rule: lines of both add up; a header with both may have two assemblies."""
    (tmp_path / "f").write_text("chr2\t1\t5\n2\t1\t7\n1\t3\t8\nchr3\t1\t9\n")
    spilled = spill_reads([tmp_path / "f"], "fragments", SIZES, tmp_path / "s", naming=Naming(auto=True))
    assert ends(spilled) == {("chr1", "+"): [3], ("chr1", "-"): [8], ("chr2", "+"): [1, 1], ("chr2", "-"): [5, 7]}
    assert spilled.lost == {"chr3": 2}
    both = write_bam(tmp_path / "r.bam", [("chr1", 1, 0, "4M"), ("1", 1, 0, "4M")], {**SIZES, "1": 1000})
    assert spill_reads([both], "bam", SIZES, tmp_path / "s").lost == {"1": 1}
    with pytest.raises(InputError, match="chromosomes chr1 and 1 would both be called chr1"):
        spill_reads([both], "bam", SIZES, tmp_path / "s", naming=Naming(auto=True))


@pytest.mark.parametrize("kind", ["bam", "fragments", "tagalign"])
def test_reads_on_unknown_chromosomes_are_counted_and_told(tmp_path, kind, caplog):
    if kind == "bam":
        write_bam(
            tmp_path / "r", [("chr1", 5, 0, "4M"), ("chrUn", 5, 16, "4M"), ("chrUn", 9, 0, "4M")], {"chrUn": 99, **SIZES}
        )
    else:
        (tmp_path / "r").write_text("".join(f"{chrom}\t5\t9\tn\t0\t+\n" for chrom in ("chr1", "chrUn", "chrUn")))
    spilled = spill_reads([tmp_path / "r"], kind, SIZES, tmp_path / "s")
    reads = 2 if kind == "fragments" else 1
    assert (spilled.counts, spilled.lost) == ({"chr1": reads, "chr2": 0}, {"chrUn": 2 * reads})
    assert f"{2 * reads} of {3 * reads} reads are dropped, their chromosomes are not in" in caplog.text
    assert f"chrUn ({2 * reads})" in caplog.text


def test_very_many_names(tmp_path):
    text = "".join(f"scaffold_{at * 7919 % 5003}\t{at}\t{at + 3}\n" for at in range(20_000))
    (tmp_path / "f").write_text("chr1\t1\t2\n" + text)
    spilled = spill_reads([tmp_path / "f"], "fragments", SIZES, tmp_path / "s")
    assert spilled.lost == Counter({f"scaffold_{at * 7919 % 5003}": 0 for at in range(5003)}) | {
        name: 2 * count for name, count in Counter(f"scaffold_{at * 7919 % 5003}" for at in range(20_000)).items()
    }


# --- coordinates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "chr1\t-5\t9",
        "chr1\t5\t-9",
        "chr1\t2147483648\t2147483650",
        "chr1\t1\t2147483648",
        "chr1\t1\t99999999999999999999",
        "chr1\t0x1\t5",
        "chr1\t1e3\t2000",
        "chr1\t+1\t5",
        "chr1\t1,000\t2,000",
        "chr1\t\t5",
        "chr1\t1\t5 6",
        "chr1\t1\t1",
    ],
)
def test_impossible_coordinates_are_named(tmp_path, line):
    (tmp_path / "f").write_text(f"chr1\t1\t5\n{line}\nchr1\t2\t6\n")
    with pytest.raises(InputError, match=r"f, line 2: (start|end)"):
        spill_reads([tmp_path / "f"], "fragments", SIZES, tmp_path / "s")


@pytest.mark.parametrize("kind", ["fragments", "bam"])
def test_short_and_outlying_reads_are_counted_exactly(tmp_path, kind, caplog):
    """Fragments of 1 to 5 bp, at both ends of a chromosome and beyond them, shifted as ATAC is."""
    fragments = [(start, start + width) for width in range(1, 6) for start in (0, 1, 3, 490, 495, 498, 499, 500, 700)]
    if kind == "bam":
        fragments = [(start, end) for start, end in fragments if end < 900]
        records = [("chr2", start, flag, f"{end - start}M") for start, end in fragments for flag in (0, 16)]
        path = write_bam(tmp_path / "r", records)
    else:
        path = tmp_path / "r"
        path.write_text("".join(f"chr2\t{start}\t{end}\n" for start, end in fragments))
    sites = Counter(site for start, end in fragments for site in (start + 4, end - 4 - 1))
    expected = {site: count for site, count in sites.items() if 0 <= site < SIZES["chr2"]}
    spilled = spill_reads([path], kind, SIZES, tmp_path / "s")
    stats = write_insertions(spilled, SIZES, 4, -4, tmp_path / "out.bw")
    with Coverage(tmp_path / "out.bw") as coverage:
        dense = coverage.chromosome("chr2")
    assert {int(at): int(dense[at]) for at in np.flatnonzero(dense)} == expected
    assert stats["insertions"] == sum(expected.values())
    assert stats["outside"] == 2 * len(fragments) - sum(expected.values()) > 0
    assert f"{stats['outside']} of {2 * len(fragments)} insertions lie beyond the ends" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        "chr1\t-5\t9\tn\t0\t+",
        "chr1\t5\t-9\tn\t0\t-",
        "chr1\t9\t9\tn\t0\t+",
        "chr1\t5\t9\tn\t0",
        "chr1\t5\t9\tn\t0\t",
        "chr1\t5\t99999999999\tn\t0\t-",
    ],
)
def test_impossible_lines_of_tagalign_are_named(tmp_path, line):
    (tmp_path / "f").write_text(f"chr1\t1\t5\tn\t0\t+\n{line}\nchr1\t2\t6\tn\t0\t-\n")
    with pytest.raises(InputError, match=r"f, line 2"):
        spill_reads([tmp_path / "f"], "tagalign", SIZES, tmp_path / "s")


RECORD = {"size": 0, "reference": 4, "start": 8, "bases": 20}  # where a field of four bytes lies in a record


@pytest.mark.parametrize(
    ("field", "value", "refused"),
    [
        ("reference", 2, True),
        ("reference", -2, True),
        ("reference", 2**31 - 1, True),
        ("bases", -1, True),
        ("bases", 2**31 - 1, True),
        ("size", 0, True),
        ("size", -1, True),
        ("size", 31, True),
        ("size", 2**31 - 1, True),
        ("start", -2, False),
        ("start", -(2**31), False),
        ("start", 2**31 - 1, False),
        ("start", 1000, False),
        ("reference", -1, False),
    ],
)
def test_impossible_fields_of_alignments(tmp_path, field, value, refused):
    """In whole blocks whose checksums are right: what no record can be is refused, a site off its chromosome is counted."""
    path = write_bam(tmp_path / "r.bam", [("chr1", 10, 0, "9M"), ("chr1", 20, 0, "9M"), ("chr1", 30, 16, "9M")])
    with pysam.BGZFile(str(path)) as handle:
        content = bytearray(handle.read())
    middle = content.index(b"\x00r1\x00") - 35  # a record's name follows 36 bytes of fields
    struct.pack_into("<i", content, middle + RECORD[field], value)
    blocked(path, bytes(content), 60_000)
    if refused:
        with pytest.raises(InputError, match=r"r\.bam.*truncated or damaged"):
            spill_reads([path], "bam", SIZES, tmp_path / "s")
        return
    spilled = spill_reads([path], "bam", SIZES, tmp_path / "s")
    stats = write_insertions(spilled, SIZES, 0, 0, tmp_path / "out.bw")
    assert (stats["insertions"], stats["outside"]) == (2, 0 if field == "reference" else 1)
    with Coverage(tmp_path / "out.bw") as coverage:
        assert np.flatnonzero(coverage.chromosome("chr1")).tolist() == [10, 38]


def test_an_alignment_without_a_position_counts_nowhere(tmp_path):
    """Flag says mapped, position says nowhere (-1): its site lies before the chromosome, and is reported as outside."""
    path = write_bam(tmp_path / "r.bam", [("chr1", -1, 0, "4M"), ("chr1", 5, 0, "4M")])
    spilled = spill_reads([path], "bam", SIZES, tmp_path / "s")
    stats = write_insertions(spilled, SIZES, 0, 0, tmp_path / "out.bw")
    assert (stats["insertions"], stats["outside"]) == (1, 1)


def test_an_endless_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("chrombpnet_core.reads.fragments._LONGEST_LINE", 1000)
    monkeypatch.setattr(inflate, "_WINDOW", 512)
    (tmp_path / "f").write_bytes(b"chr1\t1\t5\n" + bytes(5000))
    with pytest.raises(InputError, match=r"f, line 2: not text.*more than 1,000 bytes without a line end"):
        spill_reads([tmp_path / "f"], "fragments", SIZES, tmp_path / "s")
