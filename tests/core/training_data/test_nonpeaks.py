"""Background: the reference's bins and candidates, no overlap ever, GC matched, honest and finite on shortage."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import (
    REGION_COLUMNS,
    Fold,
    open_genome,
    read_bed3,
    read_chrom_sizes,
    read_fold,
    read_regions,
    regions_at,
    write_regions,
)
from chrombpnet_core.plots import write_png
from chrombpnet_core.report import gc_match
from chrombpnet_core.report.gc_match import gc_match_of_regions
from chrombpnet_core.training_data import candidate_bins, gc_bins, peak_gc, sample_nonpeaks
from chrombpnet_core.training_data import nonpeaks as background

FOLD = Fold(("a", "b"), ("c",), ("d",))
PLACES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 580)), min_size=1, max_size=25)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Four chromosomes of 600 bp whose GC runs from poor to rich, and one gap."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("genome")
    text = ""
    for chrom in "abcd":
        gc = np.linspace(0.2, 0.8, 600)
        letters = np.where(rng.random(600) < gc, rng.choice(list("GCgc"), 600), rng.choice(list("ATat"), 600))
        if chrom == "a":
            letters[300:340] = "N"
        text += f">{chrom}\n{''.join(letters)}\n"
    (folder / "g.fa").write_text(text)
    with open_genome(folder / "g.fa", folder) as genome:
        yield genome


@pytest.fixture(scope="module")
def real(yeast, tmp_path_factory):
    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    with open_genome(yeast / "genome.fa.gz", tmp_path_factory.mktemp("genome")) as genome:
        peaks = read_regions(yeast / "peaks.narrowPeak", sizes=sizes)
        foreground, bins = peak_gc(peaks, genome, sizes), gc_bins(genome, sizes)
    free = candidate_bins(bins, peaks, read_bed3(yeast / "blacklist.bed"))
    return foreground, bins, free, read_fold(yeast / "fold_0.json", sizes)


def bins_of(gc, chrom="a", width=10):
    starts = np.arange(len(gc)) * width
    return pd.DataFrame({"chrom": chrom, "start": starts, "end": starts + width, "gc": np.array(gc, float)})


def peaks_at(places, width=20):
    return regions_at(np.array([chrom for chrom, _ in places], dtype=object), np.array([at for _, at in places]), width)


# --- the reference program ---------------------------------------------------------------------------------------


@pytest.mark.golden
def test_deterministic_tables_of_the_reference(shared, real):
    for table, name in zip(real, ("foreground.gc", "genomewide_gc", "candidates"), strict=False):
        golden = pd.read_csv(
            shared / "golden" / "background" / f"{name}.bed.gz", sep="\t", names=["chrom", "start", "end", "gc"]
        )
        order = ["chrom", "start", "end"]
        pd.testing.assert_frame_equal(
            table.sort_values(order, ignore_index=True),
            golden.sort_values(order, ignore_index=True),
            check_dtype=False,
            check_exact=True,
        )


@pytest.mark.golden
def test_draws_match_gc_as_well_as_the_reference(shared, real):
    foreground, bins, free, fold = real
    golden = read_regions(shared / "golden" / "background" / "nonpeaks_ratio1_blacklist.bed")
    nonpeaks, stats = sample_nonpeaks(foreground, free, fold, 1, 1)
    assert len(nonpeaks) == len(golden) == len(foreground)

    def distance(table, part):
        chroms = getattr(fold, part)
        gc = table.merge(bins, on=["chrom", "start"])
        histograms = [
            np.bincount(np.rint(each.loc[each["chrom"].isin(chroms), "gc"] * 100).astype(int), minlength=101)
            for each in (gc, foreground)
        ]
        return np.abs(histograms[0] - histograms[1]).sum()

    for part in ("train", "valid", "test"):
        assert stats[part]["missing"] == 0
        assert distance(nonpeaks, part) <= distance(golden, part)


# --- GC of windows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [64, 1 << 20])
def test_gc_of_bins_and_peaks_is_that_of_the_letters(small, monkeypatch, block):
    monkeypatch.setattr(background, "_BLOCK", block)
    text = {chrom: "".join("ACGTN"[code] for code in small.codes(chrom, 0, size)) for chrom, size in small.sizes.items()}
    bins = gc_bins(small, small.sizes, 50, 13)
    assert bins.groupby("chrom").size().to_dict() == dict.fromkeys("abcd", (600 - 50) // 13 + 1)
    for chrom, start, end, gc in bins.itertuples(index=False):
        bases = text[chrom][start:end]
        expected = round((bases.count("G") + bases.count("C")) / 50, 2)
        assert np.isnan(gc) if bases.count("N") > 25 else gc == expected
    assert bins["gc"].isna().sum() > 0
    peaks = peaks_at([("d", 300), ("a", 14), ("d", 40), ("a", 15)])
    measured = peak_gc(peaks, small, small.sizes, 50)
    assert measured["start"].tolist() == [285, 25, 0]  # the window of a peak at 14 leaves the chromosome
    for chrom, start, end, gc in measured.itertuples(index=False):
        assert gc == round(sum(text[chrom][start:end].count(base) for base in "GC") / 50, 2)


def test_a_bin_that_ends_with_its_chromosome_counts(small):
    assert gc_bins(small, {"a": 600}, 100, 50)["end"].max() == 600
    assert gc_bins(small, {"a": 600, "b": 99}, 100, 50)["chrom"].unique().tolist() == ["a"]
    with pytest.raises(InputError, match="no chromosome is as long as the input window of 2,114 bp; found longest 600"):
        gc_bins(small, small.sizes)


def test_many_peaks_at_the_edges(small, caplog):
    peaks = peaks_at([("a", 0), ("b", 300), ("c", 300)])
    with caplog.at_level(logging.WARNING):
        assert len(peak_gc(peaks, small, small.sizes, 100)) == 2
    assert "1 of 3 peaks are skipped" in caplog.text
    caplog.clear()
    peak_gc(peaks_at([("b", at) for at in range(300, 304)] + [("b", 0)]), small, small.sizes, 100)
    assert not caplog.records  # 20 % is common
    with pytest.raises(InputError, match="none of 1 peaks has 100 bp"):
        peak_gc(peaks_at([("a", 0)]), small, small.sizes, 100)


# --- candidates --------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(PLACES, PLACES, st.integers(1, 2), st.integers(0, 5))
def test_nonpeaks_never_overlap_and_never_repeat(small, places, blacked, ratio, seed):
    peaks, blacklist = peaks_at(places), peaks_at(blacked, 15)[["chrom", "start", "end"]]
    bins = gc_bins(small, small.sizes, 40, 10)
    try:
        free = candidate_bins(bins, peaks, blacklist, 40)
        nonpeaks, stats = sample_nonpeaks(peak_gc(peaks, small, small.sizes, 40), free, FOLD, ratio, 1, seed, max_distance=1)
    except InputError:
        return
    assert nonpeaks.columns.tolist() == REGION_COLUMNS
    assert not nonpeaks.duplicated(["chrom", "start"]).any()
    avoided = pd.concat([peaks[["chrom", "start", "end"]], blacklist])
    for chrom, start, end in nonpeaks[["chrom", "start", "end"]].itertuples(index=False):
        near = avoided[avoided["chrom"] == chrom]
        assert not ((start < near["end"] + 20) & (near["start"] - 20 < end)).any()
        assert end - start == 40
    for part, numbers in stats.items():
        assert numbers["found"] == nonpeaks["chrom"].isin(getattr(FOLD, part)).sum()
        assert numbers["found"] + numbers["missing"] == numbers["wanted"]
        assert numbers["found"] == sum(numbers["by_distance"]) <= numbers["candidates"]
        assert not numbers["missing"] or numbers["found"] == free["chrom"].isin(getattr(FOLD, part)).sum()


def test_one_shared_base_is_an_overlap():
    bins = bins_of([0.5] * 10)
    peak = pd.DataFrame({"chrom": ["a"], "start": [45], "end": [55]})
    assert candidate_bins(bins, peak, width=10)["start"].tolist() == [0, 10, 20, 30, 60, 70, 80, 90]
    assert candidate_bins(bins, peak.assign(start=44, end=56), width=10)["start"].tolist() == [0, 10, 20, 70, 80, 90]


def test_no_candidates_left():
    bins = bins_of([0.5] * 4)
    with pytest.raises(InputError, match=r"no background is left.*all 4 bins"):
        candidate_bins(bins, pd.DataFrame({"chrom": ["a"], "start": [0], "end": [40]}), width=10)


# --- draws -------------------------------------------------------------------------------------------------------


def test_same_gc_is_taken_where_there_is_enough():
    rng = np.random.default_rng(0)
    free = pd.concat([bins_of(np.repeat(np.arange(30, 60) / 100, 40), chrom) for chrom in "acd"], ignore_index=True)
    peaks = pd.concat([bins_of(rng.choice(np.arange(30, 60) / 100, 200), chrom) for chrom in "acd"], ignore_index=True)
    nonpeaks, stats = sample_nonpeaks(peaks, free, FOLD)
    assert {part: (numbers["wanted"], numbers["same_gc"]) for part, numbers in stats.items()} == {
        "train": (400, 400),
        "valid": (400, 400),
        "test": (200, 200),
    }
    drawn = nonpeaks.merge(free, on=["chrom", "start"])
    for chrom, ratio in (("a", 2), ("c", 2), ("d", 1)):
        wanted = peaks.loc[peaks["chrom"] == chrom, "gc"].value_counts() * ratio
        assert drawn.loc[drawn["chrom"] == chrom, "gc"].value_counts().to_dict() == wanted.to_dict()


def test_the_nearest_bin_takes_the_place_of_a_used_up_one():
    free = bins_of([0.40, 0.44, 0.47, 0.60])
    peaks = bins_of([0.45, 0.45])
    nonpeaks, stats = sample_nonpeaks(peaks, free, FOLD, 1)
    assert nonpeaks["start"].tolist() == [10, 20]  # 0.44 and 0.47
    assert stats["train"] == {
        "wanted": 2,
        "candidates": 4,
        "found": 2,
        "missing": 0,
        "same_gc": 0,
        "farthest": 0.02,
        "by_distance": [0, 1, 1] + [0] * 18,
    }
    free, peaks = bins_of([0.40, 0.43]), bins_of([0.40, 0.42])
    assert sample_nonpeaks(peaks, free, FOLD, 1)[1]["train"]["by_distance"][:3] == [1, 1, 0]  # own bins first


@settings(max_examples=60)
@given(*[st.lists(st.integers(0, 30), min_size=1, max_size=40)] * 2, st.integers(0, 30), st.integers(0, 9))
def test_nothing_near_enough_is_left_over(wanted, there, most, seed):
    """What is missing has no candidate within the bound, and no peak got one farther than one that stayed behind."""
    wanted, there = np.bincount(wanted, minlength=101), np.bincount(there, minlength=101)
    taken, by_distance = background._allot(wanted, there, most, np.random.default_rng(seed))
    left = there - taken
    assert (left >= 0).all()
    assert taken.sum() == by_distance.sum() <= wanted.sum()
    assert by_distance[0] == np.minimum(wanted, there).sum()
    if by_distance.sum() < wanted.sum():  # a bin is unmet: all around some wanted bin is used up
        assert any(not left[max(at - most, 0) : at + most + 1].any() for at in np.flatnonzero(wanted))
    if most == 30:
        assert taken.sum() == min(wanted.sum(), there.sum())


def test_the_distance_in_gc_is_bounded(caplog):
    free, peaks = bins_of([0.30, 0.39, 0.61, 0.80]), bins_of([0.40] * 4)
    with caplog.at_level(logging.INFO):
        nonpeaks, stats = sample_nonpeaks(peaks, free, FOLD, 1)
    assert nonpeaks["start"].tolist() == [0, 10]  # 0.61 is 0.21 away
    assert (stats["train"]["missing"], stats["train"]["farthest"]) == (2, 0.1)
    assert (
        "nonpeaks, train: 4 wanted, 4 candidates; 0 of the same GC, 1 within ±0.01, 1 within ±0.02, 1 within ±0.05, "
        "2 within ±0.20"
    ) in caplog.text
    assert "train 2 of 4. All candidates within ±0.20 of their GC are taken" in caplog.text
    assert "differ by more than 0.05 in GC from their peaks are many: train 1 of 2" in caplog.text
    assert sample_nonpeaks(peaks, free, FOLD, 1, max_distance=0.21)[1]["train"]["found"] == 3
    with pytest.raises(InputError, match=r"no candidate has the GC of a peak, ±0.20"):
        sample_nonpeaks(bins_of([0.05]), free, FOLD)


def test_what_can_be_found_is_told_before_it_is_drawn(monkeypatch, caplog):
    monkeypatch.setattr(background, "_draw", lambda *_: pytest.exit("drawn"))
    with caplog.at_level(logging.INFO), pytest.raises(pytest.exit.Exception):
        sample_nonpeaks(bins_of([0.4]), bins_of([0.4]), FOLD)
    assert "nonpeaks, train: 2 wanted, 1 candidates" in caplog.text
    assert "train 1 of 2" in caplog.text


def test_ties_are_broken_at_random():
    free, peaks = bins_of([0.44, 0.46]), bins_of([0.45])
    drawn = [sample_nonpeaks(peaks, free, FOLD, 1, seed=seed)[0]["start"].iloc[0] for seed in range(60)]
    assert 10 < drawn.count(0) < 50


def test_shortage_ends_and_is_said(caplog):
    free = pd.concat([bins_of([0.4] * 3, "a"), bins_of([0.4] * 9, "c")], ignore_index=True)
    peaks = pd.concat([bins_of([0.5] * 5, "a"), bins_of([0.4] * 4, "c"), bins_of([0.4], "d")], ignore_index=True)
    with caplog.at_level(logging.WARNING):
        nonpeaks, stats = sample_nonpeaks(peaks, free, FOLD)
    assert len(nonpeaks) == 3 + 8
    assert {part: numbers["missing"] for part, numbers in stats.items()} == {"train": 7, "valid": 0, "test": 1}
    assert "train 7 of 10, test 1 of 1 (no candidate at all)" in caplog.text
    with pytest.raises(InputError, match="no nonpeak could be drawn"):
        sample_nonpeaks(bins_of([0.4], "d"), free, FOLD)


def test_seeds_decide_the_draw():
    free, peaks = bins_of([0.4] * 500), bins_of([0.4] * 50)
    first, again, other = (sample_nonpeaks(peaks, free, FOLD, seed=seed)[0] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_files(tmp_path, small):
    peaks = peaks_at([("a", 200), ("c", 200), ("d", 250)])
    foreground = peak_gc(peaks, small, small.sizes, 40)
    free = candidate_bins(gc_bins(small, small.sizes, 40, 10), peaks, None, 40)
    nonpeaks, stats = sample_nonpeaks(foreground, free, FOLD)
    write_regions(nonpeaks, tmp_path / "nonpeaks.bed")
    lines = [line.split("\t") for line in (tmp_path / "nonpeaks.bed").read_text().splitlines()]
    assert len(lines) == 2 + 2 + 1
    assert all(fields[3:9] == ["."] * 6 and fields[9] == "20" for fields in lines)
    for numbers in (None, stats):
        write_png(gc_match_of_regions(foreground, free, nonpeaks, numbers), tmp_path / "gc.png")
        assert (tmp_path / "gc.png").read_bytes().startswith(b"\x89PNG")
    assert (
        gc_match._match_in_words(
            {"train": {"wanted": 8, "by_distance": [4, 1, 1]}, "test": {"wanted": 2, "by_distance": [1, 0, 1]}}
        )
        == "50.0% of the peak's own GC, 80.0% within ±0.02, 20.0% of 10 missing"
    )
