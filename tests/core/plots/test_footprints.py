"""Pictures of footprints: the motif's place, the threshold, bands of errors, limits of the axis."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.plots import footprint, motif_footprint, read_limits


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
