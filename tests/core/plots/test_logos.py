"""Sequence logos: where each letter stands, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from chrombpnet_core.plots import BASE_COLOURS, draw_logo, logo


def test_logo_letters_stack_from_zero_by_size():
    axes = Figure().add_subplot()
    draw_logo(axes, np.array([[1.0, 0.5, 0, 0.2], [-1.0, 0, 2.0, -0.25]]))
    spans = {}
    for patch in axes.patches:
        box = patch.get_path().get_extents()
        spans[patch.get_facecolor()] = (box.y0, box.y1)
    assert len(spans) == 4
    colours = {base: to_rgba(colour) for base, colour in BASE_COLOURS.items()}
    assert spans[colours["C"]] == pytest.approx((0.2, 0.7))
    assert spans[colours["A"]] == pytest.approx((-1.25, 1.7))
    assert spans[colours["T"]] == pytest.approx((-0.25, 0.2))
    assert spans[colours["G"]] == pytest.approx((0, 2))
    assert axes.get_xlim() == (-0.5, 1.5)
    low, high = axes.get_ylim()
    assert low <= -1.25 < 2 <= high


@pytest.mark.parametrize("heights", [np.zeros((3, 5)), np.zeros(4), np.full((2, 4), np.nan)])
def test_logo_refusals(heights):
    with pytest.raises(ValueError, match=r"heights must be finite and of shape \(n, 4\)"):
        draw_logo(Figure().add_subplot(), heights)


def test_a_logo_of_frequencies_is_in_bits():
    figure = logo(np.array([[1, 0, 0, 0], [0.25] * 4]), start=7, bits=True)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "bits"
    assert axes.get_xlim() == (6.5, 8.5)
    assert max(patch.get_path().get_extents().y1 for patch in axes.patches) == pytest.approx(2)
    assert figure._repr_png_().startswith(b"\x89PNG")
