"""Which regions train: the rules on small arrays, the reference's numbers on real yeast data, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.training_data import select_bias_regions, select_main_regions


def test_bias_regions_lie_below_the_threshold_and_strictly_within_bounds():
    peaks = np.full(100, 50.0)
    nonpeaks = np.array([0, 5, 10, 15, 20, 24, 25, 100], dtype=float)
    chosen = select_bias_regions(peaks, nonpeaks, 0.5)
    assert chosen.threshold == 25
    assert chosen.below_threshold == 6
    assert nonpeaks[chosen.nonpeaks].tolist() == [5, 10, 15, 20]  # 0 and 24 are the outlier bounds themselves
    assert chosen.counts_loss_weight == pytest.approx(1.25)
    assert not chosen.clamped


def test_a_weight_below_one_is_raised_and_said(caplog):
    chosen = select_bias_regions(np.full(9, 20.0), np.arange(1.0, 9), 0.9)
    assert chosen.counts_loss_weight == 1.0
    assert chosen.clamped
    assert "low depth" in caplog.text


def test_main_regions_are_sampled_down_to_the_number_of_peaks():
    rng = np.random.default_rng(1)
    peaks, nonpeaks = rng.integers(50, 400, 200).astype(float), rng.integers(5, 60, 900).astype(float)
    chosen = select_main_regions(peaks, nonpeaks, 0.1, seed=1)
    assert chosen.nonpeaks.sum() == chosen.peaks.sum()
    assert not (chosen.nonpeaks & ~chosen.nonpeaks_in_bounds).any()
    assert chosen.nonpeaks_in_bounds.sum() > chosen.nonpeaks.sum()
    again = select_main_regions(peaks, nonpeaks, 0.1, seed=1)
    np.testing.assert_array_equal(chosen.nonpeaks, again.nonpeaks)
    assert (chosen.lower, chosen.upper, chosen.counts_loss_weight) == (again.lower, again.upper, again.counts_loss_weight)
    assert (select_main_regions(peaks, nonpeaks, 0.1, seed=2).nonpeaks != chosen.nonpeaks).any()


@pytest.mark.parametrize(
    ("peaks", "nonpeaks", "words"),
    [
        ([], [1.0], "no peaks"),
        ([1.0], [], "no nonpeaks"),
        ([0.0, 0.0, 90.0], [1.0, 2.0], "bias threshold is 0"),
        ([10.0, 10.0], [50.0, 60.0], "raise `threshold_factor`"),
        ([10.0, 10.0], [3.0, 3.0, 3.0], "no nonpeak between 3 and 3"),
    ],
)
def test_bias_selection_explains_what_is_short(peaks, nonpeaks, words):
    with pytest.raises(InputError, match=words):
        select_bias_regions(np.array(peaks), np.array(nonpeaks), 0.5)


def test_main_selection_refuses_data_without_reads():
    with pytest.raises(InputError, match="none is too few"):
        select_main_regions(np.zeros(10), np.zeros(30), 0.1, 1)
    with pytest.raises(InputError, match="half of the training regions have no insertion"):
        select_main_regions(np.array([0.0, 0, 0, 0, 0, 1, 5]), np.array([0.0, 1, 2]), 0.0, 1)


@pytest.mark.golden
def test_yeast_fold_0_selects_the_references_regions(shared, yeast, golden, tmp_path):
    """Bias 1,682 → 1,156 (cut-off 20.905) → 1,084 nonpeaks; main 1,681 peaks, weight 11.5."""
    from chrombpnet_core.genome import centres, on_chromosomes, read_chrom_sizes, read_fold, read_regions, windows_fit

    sizes = read_chrom_sizes(yeast / "chrom.sizes")
    fold = read_fold(yeast / "fold_0.json", sizes)
    cuts = np.load(golden / "reads" / "insertions.auto.npz")
    summed = {}
    for chrom, size in sizes.items():
        dense = np.zeros(size + 1)
        if f"{chrom}_pos" in cuts:
            dense[cuts[f"{chrom}_pos"] + 1] = cuts[f"{chrom}_val"]
        summed[chrom] = np.cumsum(dense)

    def counts(path, width):
        table = read_regions(path)
        table = table[windows_fit(table, sizes, width) & on_chromosomes(table, [*fold.train, *fold.valid])]
        starts = centres(table) - 500
        return np.array(
            [summed[chrom][start + 1000] - summed[chrom][start] for chrom, start in zip(table["chrom"], starts, strict=True)]
        )

    nonpeaks = counts(golden / "background" / "nonpeaks_ratio1_blacklist.bed", 2114)
    bias = select_bias_regions(counts(yeast / "peaks.narrowPeak", 2114), nonpeaks, 0.5)
    assert len(nonpeaks) == 1682
    assert (bias.below_threshold, bias.nonpeaks.sum(), bias.counts_loss_weight) == (1156, 1084, 1.0)
    assert bias.threshold == pytest.approx(20.905, abs=1e-9)
    main = select_main_regions(counts(yeast / "peaks.narrowPeak", 3114), nonpeaks, 0.1, 1234)
    assert abs(main.peaks.sum() - 1681) <= 2
    assert abs(main.nonpeaks.sum() - 1640) <= 10
    assert main.counts_loss_weight == pytest.approx(11.5, abs=0.3)
