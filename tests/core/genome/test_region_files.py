"""Region files of every kind: recognised by what they hold, read by one rule, or refused in one line."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from chrombpnet_core.api import locate
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import centres, read_bed3, read_regions

SIZES = {"chr1": 60_000, "chr2": 50_000, "chr3": 40_000, "chr10": 9000}
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


def written(tmp_path, *lines):
    (tmp_path / "peaks.bed").write_text("\n".join(lines) + "\n")
    return tmp_path / "peaks.bed"


def peak(summit, start=5000, end=5400, signal="5.5", pvalue="3.1", more=""):
    return f"chr1\t{start}\t{end}\tp\t100\t.\t{signal}\t{pvalue}\t2.2\t{summit}{more}"


BED12 = "chr1\t5000\t5400\tp\t100\t.\t5100\t5300\t0\t{}\t{}\t{}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("chr1\t5000\t5400", "(column 10)"),
        ("chr1\t5000\t5400\tp\t100\t.", "(column 10)"),
        ("chr1\t5000\t5400\tp\t100\t.\t5.5\t3.1\t2.2", "(column 10)"),  # broadPeak
        ("chr1\t5000\t5400\tp\t100\t.\t5100\t5300\t0,0,255", "(column 10)"),  # BED9
        (BED12.format(2, "100,100,", "0,300,"), "of 2 it counts blocks, as in BED12 and gappedPeak"),
        (BED12.format(1, "400", "0"), "of 2 it counts blocks"),
        (BED12.format(3, "50,60,70", "0,100,330") + "\t5.5\t3.1\t2.2", "of 2 it counts blocks"),  # gappedPeak
        ("\t".join(BED12.format(2, "", "").split("\t")[:10]), "of 2 it counts blocks"),  # BED12, cut
        *((peak(unknown), "(column 10)") for unknown in ("-1", ".", "NA", "", "nan", "N/A", "None", "-1.0")),
    ],
)
def test_without_a_summit_the_middle_is_taken_and_said(tmp_path, caplog, line, words):
    with caplog.at_level(logging.WARNING):
        table = read_regions(written(tmp_path, 'track type="x"', line, line), sizes=SIZES)
    assert centres(table).tolist() == [5200, 5200]
    assert table[["start", "end"]].to_numpy().tolist() == [[5000, 5400]] * 2
    (record,) = caplog.records
    assert "2 of 2 peaks have no summit" in record.getMessage()
    assert words in record.getMessage()


@pytest.mark.parametrize(
    "more",
    ["", "\t7", "\t2.51\t2.34\t5000\t5400\t5.1\t80\t5010\t5390\t4.9\t70", "\t5\t5\tx", "\tchr1\t5000\t5100"],
    ids=["narrowPeak", "distance", "IDR", "numbers", "intersected"],
)
def test_a_summit_is_one_whatever_follows(tmp_path, caplog, more):
    table = read_regions(written(tmp_path, peak(1, more=more), peak(399, more=more)), sizes=SIZES)
    assert centres(table).tolist() == [5001, 5399]
    assert not caplog.records


@pytest.mark.parametrize(
    ("summit", "words"),
    [
        ("400", "lies beyond the end of its region; found 400 in 5000-5400; correct it, or write -1"),
        ("1e30", "lies beyond the end of its region; found 1e30"),
        ("1e400", "lies beyond the end of its region"),
        (str(2**63 - 1), "lies beyond the end of its region; found 9223372036854775807"),
        (str(10**30), "lies beyond the end of its region"),
        ("-7", "lies before the start of its region; found -7"),
        (str(-(2**63)), "lies before the start"),
        ("5180", "these are positions on the chromosome, but a summit counts from the start .* awk"),
        ("chr1", "is not a position; expected an integer, bp from the start of the region, found 'chr1'"),
        ("0.5", "is not a position"),
    ],
)
def test_other_summits_are_refused_in_files_and_tables(tmp_path, summit, words):
    with pytest.raises(InputError, match=rf"peaks.bed, line 2: summit \(column 10\) .*{words}"):
        read_regions(written(tmp_path, "# c", peak(summit)))
    table = pd.DataFrame({"chrom": ["chr1"], "start": [5000], "end": [5400], "summit": [summit]})
    with pytest.raises(InputError, match=f"row 0 of the regions: summit .*{words}"):
        locate(table, SIZES)


@pytest.mark.parametrize("unknown", [-1, None, float("nan"), ".", "NA", ""])
def test_tables_follow_the_rule_of_files(caplog, unknown):
    table = pd.DataFrame({"chrom": "chr1", "start": [5000, 59_900], "end": [5400, 60_300], "summit": [unknown, 30]})
    with caplog.at_level(logging.WARNING):
        located = locate(table.astype({"summit": object}), SIZES)
    assert located[["start", "end", "summit"]].to_numpy().tolist() == [[5000, 5400, 200], [59_900, 60_000, 30]]
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 2 regions have no summit; the middle is taken",
        "1 of 2 regions hang over the end of their chromosome and are clipped to it",
    ]
    with pytest.raises(InputError, match="leaves its chromosome"):
        locate("chr1:59,901-60,300", SIZES)


def test_regions_over_a_chromosomes_end_are_clipped_and_told(tmp_path, caplog):
    inside, over, beyond = peak(9, 59_000, 60_000), peak(30, 59_900, 60_021), peak(115, 59_900, 60_021)
    with caplog.at_level(logging.WARNING):
        table = read_regions(written(tmp_path, inside, over, beyond), sizes=SIZES)
    assert table["end"].tolist() == [60_000] * 3
    assert centres(table).tolist() == [59_009, 59_930, 59_999]  # a summit stays where it is, or is the last base
    assert "2 of 3 peaks hang over the end of their chromosome and are clipped to it" in caplog.text
    with pytest.raises(InputError, match=r"line 2: begins beyond.*chr1:60000-60100 of 60,000 bp.*one assembly"):
        read_regions(written(tmp_path, inside, peak(9, 60_000, 60_100)), sizes=SIZES)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("chr1\tx\t5400", "start is not a position"),
        ("chr1\t1e400\t5400", "start is not a position"),
        ("chr1\tNaN\t5400", "start is not a position"),
        ("chr1\t7\t9223372036854775807", "end is not a position"),
        ("chr1\t7\t7", "end is not greater than start"),
        ("chr1 7 9", "too few columns"),
        (peak(4000), "lies beyond the end of its region"),
        (peak("abc"), "is not a position"),
        (peak(3, 70_000, 70_010), "begins beyond the chromosome's end"),
    ],
)
def test_of_many_broken_lines_three_are_shown_and_all_counted(tmp_path, bad, words):
    with pytest.raises(InputError, match=words) as caught:
        read_regions(written(tmp_path, *([peak(3)] * 2), *([bad] * 1200)), sizes=SIZES)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/peaks.bed, line 3: ")
    assert "(the first of 1,200 such lines)" in message
    assert all(f"in line {number}" in message for number in (3, 4, 5))
    assert "line 6" not in message
    with pytest.raises(InputError, match=words) as caught:
        read_regions(written(tmp_path, peak(3), bad), sizes=SIZES)
    assert "such lines" not in str(caught.value)


def test_advice_where_the_cause_is_plain(tmp_path):
    with pytest.raises(InputError, match=r"line 1: start.*'start'; take the header line away"):
        read_regions(written(tmp_path, "chrom\tstart\tend", "chr1\t1\t5"))
    with pytest.raises(InputError, match="separate the columns by tabs"):
        read_regions(written(tmp_path, "chr1 100 200"))


def test_summits_that_are_all_zero_are_doubted(tmp_path, caplog):
    read_regions(written(tmp_path, *[peak(0, at, at + 50) for at in range(0, 5000, 100)]))
    assert "the summit (column 10) of all 50 peaks is 0" in caplog.text


def test_a_blacklist_has_no_summits(tmp_path, caplog):
    table = read_bed3(written(tmp_path, peak("x"), peak(10**20)))
    assert len(table) == 2
    assert not caplog.records


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_the_cases(caplog):
    expected = {
        "gappedPeak/peaks.gappedPeak": [6000, 9450],
        "narrowpeak_dot_summit/peaks.narrowPeak": [5200],
        "cr_only/peaks.bed": [350, 1300],
        "bom/regions.bed": [1000, 3000, 3000],
    }
    for name, positions in expected.items():
        assert centres(read_regions(CASES / name, sizes=SIZES)).tolist() == positions
    with pytest.raises(InputError, match=r"line 1: summit.*beyond the end of its region \(the first of 24 such lines\)"):
        read_regions(CASES / "summit_beyond_peak/abs.narrowPeak", sizes=SIZES)
    assert (read_regions(CASES / "peaks_past_end/past.narrowPeak", sizes=SIZES)["end"] <= 60_000).all()
    assert "1 of 25 peaks hang over" in caplog.text
