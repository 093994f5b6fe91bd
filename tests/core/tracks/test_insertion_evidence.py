"""bigWigs as input: insertions of any depth pass; bins, smoothed and normalised tracks, scores and coverage do not."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import Intervals, write_bigwig
from chrombpnet_core.tracks import Coverage, check_insertions, track_evidence

SIZES = {"chr1": 60_000, "chr2": 40_000}


def insertions(depth, bias=True, seed=0):
    """Poisson counts, peaks a hundred times the rest, with or without an enzyme's preferences."""
    rng, dense = np.random.default_rng(seed), {}
    for chrom, size in SIZES.items():
        rate = np.ones(size)
        for centre in range(500, size, 2000):
            rate += 100 * np.exp(-0.5 * ((np.arange(size) - centre) / 150) ** 2)
        dense[chrom] = rng.poisson(rate / rate.mean() * depth * (rng.gamma(0.7, 1 / 0.7, size) if bias else 1))
    return dense


def write(path, dense):
    intervals = []
    for chrom, track in dense.items():
        values = np.asarray(track, dtype=np.float32)
        first = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
        ends, kept = np.append(first[1:], len(values)), values[first] != 0
        intervals.append(Intervals(chrom, first[kept], ends[kept], values[first][kept]))
    write_bigwig(path, {chrom: len(track) for chrom, track in dense.items()}, intervals, 10_000, 1)
    return path


def checked(path, dense, **options):
    with Coverage(write(path, dense)) as coverage:
        return check_insertions(coverage, **options)


@pytest.mark.parametrize("depth", [0.003, 0.1, 0.5, 1, 4, 30, 1000])
@pytest.mark.parametrize("bias", [True, False])
def test_insertions_of_any_depth_pass(tmp_path, depth, bias):
    """At the greatest, every base of a small genome has hundreds."""
    assert checked(tmp_path / "x.bw", insertions(depth, bias)) == ""


def test_few_duplicates_left_and_few_insertions_pass(tmp_path):
    rng = np.random.default_rng(1)
    assert checked(tmp_path / "x.bw", {chrom: rng.binomial(2, 0.4, size) for chrom, size in SIZES.items()}) == ""
    assert checked(tmp_path / "x.bw", {"chr1": np.repeat([0, 0.5, 0], 40)}) == ""
    assert checked(tmp_path / "x.bw", {"chr1": np.zeros(40)}) == ""


def smooth(track, width):
    return np.convolve(track, np.ones(width) / width, "same")


def bins(track, width, how=np.add.reduceat):
    return np.repeat(how(track, np.arange(0, len(track), width)), width)[: len(track)]


WRONG = {
    "bins of 50": lambda track: bins(track, 50),
    "bins of 2": lambda track: bins(track, 2),
    "means of bins": lambda track: bins(track, 10) / 10,
    "CPM": lambda track: track * 0.0137,
    "CPM above 1": lambda track: track * 13.7,
    "smoothed": lambda track: smooth(track, 10),
    "coverage of 36 bp": lambda track: np.convolve(track, np.ones(36))[: len(track)],
    "coverage of 150 bp": lambda track: np.convolve(track, np.ones(150))[: len(track)],
    "cut sites of 10 bp": lambda track: np.convolve(track, np.ones(10))[: len(track)],
    "-log p": lambda track: smooth(track, 100) * 0.4343,
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("depth", [0.01, 1, 50])
def test_other_tracks_are_refused_with_the_evidence(tmp_path, kind, depth, caplog):
    dense = {chrom: WRONG[kind](track.astype(float)) for chrom, track in insertions(depth).items()}
    path = tmp_path / "x.bw"
    with pytest.raises(InputError) as refused:
        checked(path, dense)
    for words in (str(path), "of values whole", "median run of one value", "of bases not 0", "`accept_bigwig=True`"):
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    with caplog.at_level(logging.WARNING):
        accepted = checked(path, dense, accept_bigwig=True)
    assert str(path) in accepted
    assert "median run" in accepted
    assert "accepted as stated" in caplog.text


def test_the_evidence_is_exact_in_a_small_file(tmp_path):
    track = np.array([0, 3, 3, 0, 1, 0.5, 0, 0])
    with Coverage(write(tmp_path / "x.bw", {"chr1": track})) as coverage:
        evidence = track_evidence(coverage)
    assert (evidence.runs, evidence.median_run, evidence.whole) == (3, 1, 2 / 3)
    assert evidence.nonzero == 4 / 5
    steps = [3, 0, 3, 1, 0.25 / 1.5, 0.5]
    assert evidence.steps == pytest.approx(np.median(steps))


def test_the_shared_cases(shared):
    for name in ("binned50.bw", "cpm.bw"):
        path = shared / "cases" / "bigwig_not_counts" / name
        if path.exists():
            with Coverage(path) as coverage, pytest.raises(InputError, match="no insertions per base"):
                check_insertions(coverage)
    damaged = shared / "cases" / "bigwig_corrupt" / "corrupt.bw"
    if damaged.exists():
        with Coverage(damaged) as coverage, pytest.raises(InputError, match=r"corrupt\.bw: the bigWig is damaged"):
            [coverage.chromosome(chrom) for chrom in coverage.sizes]
