"""The truth checks: the planted truth itself passes, biased models do not; refusals."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.genome import (
    centres,
    codes_of,
    open_genome,
    overlapping,
    read_fold,
    read_regions,
    regions_at,
    reverse_complement,
)
from chrombpnet_core.simulation import (
    TINY,
    GroundTruth,
    ModelCheck,
    PlantedMotif,
    check_models,
    log_preference,
    profile_agreement,
    read_ground_truth,
    simulate,
)


@pytest.fixture(scope="module")
def atac(tmp_path_factory):
    """A small simulation without reads."""
    return simulate(tmp_path_factory.mktemp("truth"), TINY, formats=())


@pytest.fixture(scope="module")
def truth(atac) -> GroundTruth:
    """What it planted."""
    return read_ground_truth(atac.truth)


@pytest.fixture(scope="module")
def genome(atac, tmp_path_factory):
    """Its genome."""
    with open_genome(atac.genome, tmp_path_factory.mktemp("cache")) as opened:
        yield opened


def oracles(truth: GroundTruth, width: int):
    """The bias and the accessibility that were planted, as models would predict them from sequence."""
    shapes = [PlantedMotif(**motif) for motif in truth.settings["motifs"]]

    def bias(codes):
        edge = (codes.shape[1] - width) // 2
        logits = np.stack([log_preference(row, truth.scores) for row in codes])[:, edge : edge + width]
        return logits, np.full(len(codes), np.log1p(width * truth.settings["background"]))

    def nobias(codes):
        edge = (codes.shape[1] - width) // 2
        tracks = np.ones(codes.shape)
        for shape in shapes:
            letters = codes_of(shape.consensus)
            for strand in (letters, reverse_complement(letters)):
                views = np.lib.stride_tricks.sliding_window_view(codes, letters.size, axis=1)
                rows, starts = np.nonzero((views == strand).sum(axis=2) >= letters.size - 1)
                for row, start in zip(rows, starts, strict=True):
                    tracks[row] += shape.accessibility_added(np.arange(codes.shape[1]) - (start + (letters.size - 1) / 2))
        tracks = truth.settings["background"] * tracks[:, edge : edge + width]
        return np.log(tracks), np.log1p(tracks.sum(axis=1))

    return bias, nobias


def test_the_truth_itself_passes_the_checks_and_biased_models_do_not(atac, truth, genome):
    width, length = 800, 1018
    fold = read_fold(atac.fold, genome.sizes)
    peaks = read_regions(atac.peaks)
    peaks = peaks[peaks["chrom"].isin(fold.test)]
    nonpeaks = regions_at(np.array(["chr3"] * 12), np.arange(12) * 4_000 + 1_000, length)
    nonpeaks = nonpeaks[~overlapping(nonpeaks, peaks)]
    bias, nobias = oracles(truth, width)
    codes, background = (genome.windows(table["chrom"], centres(table) - length // 2, length) for table in (peaks, nonpeaks))
    places = peaks["chrom"].to_numpy(), centres(peaks), codes, background
    checks = check_models(truth, *places, bias, nobias)
    assert check_models(truth, *places, bias) == checks[:1]
    assert len(checks) == 3 + 2 * len(truth.motifs)
    assert all(check.passed for check in checks), "\n".join(map(str, checks))
    swapped = check_models(truth, *places, nobias, bias)
    failed = [check.name for check in swapped if not check.passed]
    assert failed == [checks[0].name, checks[1].name, checks[2].name, *(check.name for check in checks[3::2])]


def test_profile_agreement_is_the_median_correlation():
    planted = np.random.default_rng(0).random((5, 50))
    assert profile_agreement(3 * planted + 1, planted) == pytest.approx(1)
    assert profile_agreement(-planted, planted) == pytest.approx(-1)


def test_a_check_reads_as_a_line_and_nan_never_passes():
    assert str(ModelCheck("x", 0.5, 0.3, True, "why")) == "ok   x: 0.5000, to be at least 0.3 (why)"
    assert str(ModelCheck("x", 0.5, 0.3, False)) == "FAIL x: 0.5000, to be below 0.3"
    assert not ModelCheck("x", float("nan"), 0.3, True).passed
    assert not ModelCheck("x", float("nan"), 0.3, False).passed
