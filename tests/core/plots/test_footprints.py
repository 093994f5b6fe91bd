"""Pictures of footprints: the motif's place, the threshold, bands of errors, limits of the axis."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import THRESHOLDS
from chrombpnet_core.plots import LIGHT, footprint, footprint_panels, motif_footprint, read_limits


@pytest.mark.parametrize(
    ("limits", "expected"),
    [(None, None), ("0,0.01", (0, 0.01)), ("(0, 0.01)", (0, 0.01)), ("[-1 2]", (-1, 2)), ((0, 1), (0, 1))],
)
def test_limits_in_every_form(limits, expected):
    assert read_limits(limits) == expected


@pytest.mark.parametrize("limits", ["", "0", "0,1,2", "a,b", "1,0", "0,0", "0,inf", "nan,1"])
def test_odd_limits_are_refused(limits):
    with pytest.raises(InputError, match="`ylim`; expected two numbers, the smaller first"):
        read_limits(limits)


@pytest.mark.parametrize(("name", "lines"), [("CTCF", 2), ("Tn5_1", 3)])
def test_a_picture_shades_the_motif_and_marks_the_enzymes_limit(name, lines):
    profile, control = np.linspace(0, 0.002, 1000), np.full(1000, 0.001)
    (axes,) = motif_footprint(name, "ACGTA", profile, control).axes
    assert len(axes.get_lines()) == lines
    (shaded,) = axes.patches
    assert (shaded.get_x(), shaded.get_x() + shaded.get_width()) == (-2.5, 2.5)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "with the motif, at most 0.0020",
        "without it, at most 0.0010",
    ]
    assert motif_footprint(name, "A", profile, control, (0, 0.5)).axes[0].get_ylim() == (0, 0.5)


def test_bands_hold_the_interval_of_each_curve():
    profile, control, error = np.full(1000, 0.002), np.full(1000, 0.001), np.full(1000, 1e-4)
    (axes,) = motif_footprint("CTCF", "ACG", profile, control, errors=(error, None)).axes
    assert "95 % confidence interval" in axes.get_xlabel()
    (band,) = axes.collections
    bounds = band.get_paths()[0].get_extents()
    assert (bounds.ymin, bounds.ymax) == pytest.approx((0.002 - 1.96e-4, 0.002 + 1.96e-4))
    (axes,) = motif_footprint("CTCF", "ACG", profile, control, errors=(error, error)).axes
    assert len(axes.collections) == 2


def test_long_names_and_motifs_leave_room_for_each_other():
    figure = motif_footprint("n" * 90, "ACGT" * 20, np.full(300, 1 / 300), np.full(300, 1 / 300))
    (axes,) = figure.axes
    figure.canvas.draw()
    name, letters = (axes.title if side == "centre" else getattr(axes, f"_{side}_title") for side in ("left", "right"))
    assert name.get_window_extent().x1 < letters.get_window_extent().x0


def test_curves_of_several_models_are_named_and_only_enzymes_have_a_threshold():
    curves = {"control": np.full(1000, 0.001), "chrombpnet_nobias": np.full(1000, 0.002)}
    (axes,) = footprint(curves, "CTCF").axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["control", "corrected model"]
    assert len(axes.get_lines()) == 2
    assert len(footprint(curves, "tn5_1").axes[0].get_lines()) == 3
    assert footprint(curves, legend=False).axes[0].get_legend() is None


def panels_of(height, motifs=("tn5_1", "tn5_2"), models=("bias", "chrombpnet", "chrombpnet_nobias"), at=500):
    spike = np.full(1000, 0.001)
    spike[at] = height
    high = np.full(1000, 0.001)
    high[500] = 0.45
    profiles = {model: spike if model == "chrombpnet_nobias" else high for model in models}
    footprints = {model: {"control": np.full(1000, 0.001)} | dict.fromkeys(motifs, profiles[model]) for model in models}
    return footprint_panels(footprints, motifs)


def colour_of(figure):
    (text,) = figure.axes[0].texts
    return text.get_text(), text.get_color()


@pytest.mark.parametrize(
    ("height", "shown", "colour"),
    [
        (0.0021, "max 0.0021", "corrected"),
        (0.00299, "max 0.00299", "corrected"),
        (0.003, "max 0.0030", "fail"),
        (0.0030004, "max 0.0030004", "fail"),
        (0.2, "max 0.2000", "fail"),
    ],
)
def test_the_corrected_models_axis_shows_its_threshold_and_says_what_the_verdict_says(height, shown, colour):
    figure = panels_of(height)
    upper, lower = figure.axes[:2], figure.axes[2:]
    assert colour_of(figure) == (shown, LIGHT[colour])
    assert (THRESHOLDS["footprint"].status(height) == "pass") == (colour == "corrected")
    for axes in upper:
        assert axes.get_ylim() == pytest.approx((0, 1.05 * max(height, 0.0042)))
    for axes in lower:
        assert axes.get_ylim() == pytest.approx((0, 1.05 * 0.45))
    assert all(0.003 in line.get_ydata() for axes in upper for line in axes.get_lines()[-1:])
    assert not any(0.003 in line.get_ydata() for axes in lower for line in axes.get_lines())
    assert [axes.get_ylabel() for axes in figure.axes] == ["corrected model", "", "bias, full model", ""]
    assert [axes.get_title() or axes.get_title("left") for axes in upper] == ["tn5_1", "tn5_2"]


def test_a_maximum_far_from_the_motif_that_fails_is_in_the_picture():
    assert panels_of(0.0035, at=800).axes[0].get_xlim() == (-500, 500)
    assert panels_of(0.0029, at=800).axes[0].get_xlim() == (-100, 100)


def test_a_bias_model_alone_has_no_threshold():
    figure = panels_of(0.1, models=("bias",))
    assert len(figure.axes) == 2
    assert [len(axes.get_lines()) for axes in figure.axes] == [2, 2]
    assert not any(axes.texts for axes in figure.axes)


def test_a_threshold_that_could_not_be_told_from_zero_is_not_drawn():
    profile, control = np.full(1000, 0.001), np.full(1000, 0.001)
    profile[500] = 0.45
    assert len(motif_footprint("tn5_1", "ACG", profile, control).axes[0].get_lines()) == 2
    assert len(footprint({"bias": profile}, "tn5_1, bias model").axes[0].get_lines()) == 1
