"""The tracks of a region: what is drawn where, which letters, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from chrombpnet_core.plots import LIGHT, locus

W = 400


def profiles():
    rng = np.random.default_rng(0)
    return rng.random(W), rng.poisson(1.0, W)


def letters(length, site):
    """Contributions that are 1 at 20 bases from ``site`` and small elsewhere."""
    contributions = np.zeros((length, 4))
    contributions[:, 1] = 0.001
    contributions[site : site + 20, 2] = 1.0
    return contributions


def labels(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_profiles_stand_on_the_genomes_coordinates():
    predicted, observed = profiles()
    figure = locus(predicted, observed, chrom="chrI", start=49_800)
    assert labels(figure) == ["observed", "predicted"]
    assert all(axes.get_xlim() == (49_801, 50_200) for axes in figure.axes)
    assert [axes.get_yticks()[1] for axes in figure.axes] == [observed.max(), pytest.approx(predicted.max())]
    assert [axes.collections[0].get_facecolor()[0].tolist() for axes in figure.axes] == [
        list(to_rgba(LIGHT["observed"])),
        list(to_rgba(LIGHT["full"])),
    ]
    assert (
        figure.get_suptitle()
        == f"chrI:49,801-50,200 · insertions: observed {observed.sum()}, predicted {predicted.sum():.4g}"
    )
    assert figure.axes[-1].get_xlabel() == "chrI"


@pytest.mark.parametrize("missing", ["observed", "contributions", "predicted", "both profiles"])
def test_what_is_missing_has_no_panel(missing):
    predicted, observed = profiles()
    given = {"predicted": predicted, "observed": observed, "contributions": letters(W, 100)}
    given |= dict.fromkeys(("predicted", "observed") if missing == "both profiles" else (missing,))
    figure = locus(**given, chrom="c")
    assert len(figure.axes) == sum(values is not None for values in given.values())
    assert [label for label in ("observed", "predicted") if given[label] is not None] == labels(figure)
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("length", [W, W + 114, W - 100])
def test_letters_of_a_long_region_are_those_of_its_busiest_part_which_is_shaded_and_named(length):
    predicted, observed = profiles()
    site = 1000 + (W - length) // 2 + 250  # where the large letters begin
    figure = locus(predicted, observed, letters(length, 250), "chr2", 1000)
    low, high = (round(edge + 0.5) - 1 for edge in figure.axes[2].get_xlim())
    assert high - low == 150
    assert low <= site
    assert site + 20 <= high
    assert figure.axes[2].get_xlabel() == f"chr2:{low + 1:,}-{high:,}"
    for axes in figure.axes[:2]:
        (shade,) = axes.patches
        assert (shade.get_x(), shade.get_width()) == (low + 0.5, 150)
    (large,) = [patch for patch in figure.axes[2].patches if patch.get_facecolor() == to_rgba("#F2A517")]
    box = large.get_path().get_extents()
    assert (round(box.x0), round(box.x1)) == (site + 1, site + 20)


def test_a_short_region_shows_all_letters_under_their_bases():
    figure = locus(np.ones(60), None, letters(60, 10), "c", 5)
    assert figure.axes[1].get_xlim() == (5.5, 65.5)
    assert not figure.axes[0].patches


def test_a_window_of_ones_own():
    figure = locus(np.ones(W), None, letters(W, 10), "c", 1000, window=(1100, 1140))
    assert figure.axes[1].get_xlim() == (1100.5, 1140.5)
    assert figure.axes[1].get_xlabel() == "c:1,101-1,140"
    beyond = locus(np.ones(W), None, letters(W, 10), "c", 1000, window=(900, 950))
    assert not beyond.axes[1].patches


def test_contributions_may_all_be_zero_and_profiles_empty():
    figure = locus(np.zeros(W), np.full(W, np.nan), np.zeros((W, 4)))
    assert figure.axes[2].get_xlabel() == "126-275"
    assert figure._repr_png_()


def test_wider_regions_make_wider_pictures():
    widths = [locus(np.ones(width)).get_figwidth() for width in (50, 700, 5000)]
    assert widths == sorted(set(widths))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((None,), "nothing to draw"),
        ((np.ones((2, 3)),), r"predicted: .* shape \(W,\), not \(2, 3\)"),
        ((np.ones(3), np.ones(4)), "differ in length: 4 and 3"),
        ((np.ones(3), None, np.ones((1, 3, 4))), r"contributions: .* shape \(L, 4\), not \(1, 3, 4\)"),
    ],
)
def test_odd_shapes_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        locus(*given)
