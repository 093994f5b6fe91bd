"""The look of pictures: colours of letters, shared axes, text that has room, the size of SVG."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex

from chrombpnet_core.errors import InputError
from chrombpnet_core.plots import (
    BASE_COLOURS,
    LIGHT,
    LOGO_COLOURS,
    PALETTE,
    PICTURE_WIDTH,
    configured_logo_colours,
    legend_above,
    logo,
    one_panel,
    share_limits,
    shorten,
    use_logo_colours,
    write_svg,
)


@pytest.fixture
def classic():
    yield
    use_logo_colours("classic")


def letter_colours():
    return {to_hex(patch.get_facecolor()) for patch in logo(np.eye(4)).axes[0].patches}


@pytest.mark.usefixtures("classic")
def test_letters_have_the_colours_that_are_chosen():
    assert letter_colours() == {colour.lower() for colour in BASE_COLOURS.values()}
    use_logo_colours("okabe-ito")
    assert letter_colours() == {light.lower() for light, _ in LOGO_COLOURS["okabe-ito"].values()}
    assert len({light for light, _ in PALETTE.values()}) == len(PALETTE)
    svg = write_svg(logo(np.eye(4)), "x", "letters")
    assert {f"var(--base{base})" for base in "ACGT"} <= set(re.findall(r"var\(--\w+\)", svg))
    assert PALETTE["baseT"] == ("#d55e00", LOGO_COLOURS["okabe-ito"]["T"][1])


def without_green_cones(colour):
    """As people with deuteranopia see a colour, by the matrix of Viénot, Brettel and Mollon (1999): yellow and blue."""
    red, green, blue = ((int(colour[first : first + 2], 16) / 255) ** 2.2 for first in (1, 3, 5))
    return np.array([0.29275 * red + 0.70725 * green, -0.02234 * red + 0.02234 * green + blue])


@pytest.mark.parametrize("shade", [0, 1])
def test_colours_for_the_colour_blind_can_be_told_apart(shade):
    def nearest(name):
        colours = [without_green_cones(pair[shade]) for pair in LOGO_COLOURS[name].values()]
        return min(np.linalg.norm(one - other) for row, one in enumerate(colours) for other in colours[row + 1 :])

    assert nearest("okabe-ito") > 0.15
    assert nearest("classic") < 0.1


def test_other_names_of_colours_are_refused(monkeypatch):
    with pytest.raises(InputError, match="expected classic or okabe-ito, found 'grey'"):
        use_logo_colours("grey")
    monkeypatch.setenv("CHROMBPNET_LOGO_COLOURS", "grey")
    with pytest.raises(InputError, match=r"\$CHROMBPNET_LOGO_COLOURS; expected classic"):
        configured_logo_colours()
    monkeypatch.setenv("CHROMBPNET_LOGO_COLOURS", "okabe-ito")
    assert configured_logo_colours() == "okabe-ito"
    monkeypatch.delenv("CHROMBPNET_LOGO_COLOURS")
    assert configured_logo_colours() == "classic"


def test_shared_limits_hold_everything():
    figures = []
    for low, high in ((0, 1), (-5, 0.5), (0.2, 9)):
        figure, axes = one_panel(3, 2)
        axes.set(xlim=(low, high), ylim=(2 * low, 2 * high))
        figures.append(figure)
    share_limits(figures, y=False)
    assert {figure.axes[0].get_xlim() for figure in figures} == {(-5, 9)}
    assert len({figure.axes[0].get_ylim() for figure in figures}) == 3
    share_limits(figures)
    assert {figure.axes[0].get_ylim() for figure in figures} == {(-10, 18)}
    share_limits([])


def test_names_are_cut_to_their_place():
    assert shorten("short", 2) == "short"
    assert shorten("n" * 90, 1) == "n" * 11 + "…"
    assert shorten("abc", 0) == "a…"


def test_a_legend_has_as_many_columns_as_have_room():
    for names, columns in ((("a", "b", "c"), 3), (("a" * 30, "b", "c"), 1), (("a" * 9, "b" * 9, "c" * 9), 2)):
        _, axes = one_panel(PICTURE_WIDTH, 2)
        for name in names:
            axes.plot([0, 1], label=name)
        legend_above(axes)
        assert axes.get_legend()._ncols == columns


def test_long_titles_take_two_lines():
    figure, _ = one_panel(PICTURE_WIDTH, 2, "word " * 40)
    first, second = figure.get_suptitle().split("\n")
    assert second.endswith("…")
    assert len(first) <= 43
    assert one_panel(PICTURE_WIDTH, 2, "short")[0].get_suptitle() == "short"


def test_svg_has_the_figures_width_in_pixels_and_one_size_of_letters():
    figure, axes = one_panel(PICTURE_WIDTH, 2, "title")
    axes.set(xlabel="x", ylabel="y", title="panel")
    axes.plot([0, 1], color=LIGHT["full"], label="line")
    legend_above(axes)
    svg = write_svg(figure, "x", "alt")
    assert re.search(r'<svg [^>]*width="315" viewBox="0 0 236.16 144.0"', svg)
