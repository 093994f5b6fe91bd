"""The pictures of a report: texts that do not overlap whatever the data, axes that are compared, sizes that are bounded."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from chrombpnet_core.genome import Transcript
from chrombpnet_core.plots import footprint, footprint_panels, locus, logo, motif_footprint, write_svg
from chrombpnet_core.report import pictures
from chrombpnet_core.report.content import ExampleRegion, ReportContent, ShiftEvidence
from chrombpnet_core.report.gc_match import gc_match, gc_match_of_regions
from chrombpnet_core.report.page import page_of
from chrombpnet_core.report.sections import sections_of
from chrombpnet_core.report.variants_page import TopVariants, variant_picture
from tests.core.report.contents import W, contributions, full_content, html_of, made_footprints

LONG = "a_name_that_is_much_longer_than_anybody_would_write_WWWWWWWWWWWWWW"
FAR = 248_387_328  # a position near the end of human chromosome 1


def texts_of(figure):
    """Texts that are drawn: not those of hidden axes, nor of ticks outside the limits."""
    hidden = []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            beyond = 1e-6 * (high - low)
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            outside = [tick for tick in ticks if not low - beyond <= tick.get_loc() <= high + beyond]
            for artist in outside if axes.axison else [axis]:
                hidden += artist.findobj(Text)
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() and text not in hidden]


def faults_of(figure):
    """Texts that overlap or leave the picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts_of(figure)]
    width, height = canvas.get_width_height()
    faults = [
        f"{text!r} leaves the picture"
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    for (one, first), (other, second) in combinations(boxes, 2):
        if (
            min(first.x1, second.x1) - max(first.x0, second.x0) > 1
            and min(first.y1, second.y1) - max(first.y0, second.y0) > 2
        ):
            faults.append(f"{one!r} and {other!r} overlap")
    return faults


def example(scale=1.0, width=W, start=999, genes=None, letters=True):
    rng = np.random.default_rng(2)
    tracks = [scale * rng.random(width) for _ in range(5)]
    return ExampleRegion(
        "best peak",
        "chr1",
        start,
        *tracks,
        norm_jsd=0.3,
        contributions=scale * contributions() if letters else None,
        genes=genes,
    )


def genes(start, number, name):
    return [
        Transcript("chr1", "+-."[row % 3], f"{name}{row}", ((start + 60 * row, start + 60 * row + 90),))
        for row in range(number)
    ]


def counts(n, scale=1.0):
    rng = np.random.default_rng(n)
    return scale * rng.normal(8, 1, n), scale * rng.normal(8, 1, n)


def variants(allele):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"allele1": ["A"], "allele2": [allele]})
    codes = rng.integers(0, 4, (2, 1, 400)).astype(np.uint8)
    return TopVariants(table, codes, np.full((2, 1), 1e6), rng.normal(size=(2, 1, 200)), rng.normal(size=(2, 1, 400, 4)))


def epochs(n, scale=1.0):
    return [{"epoch": i, "loss": scale * (9.0 - i / n), "val_loss": scale * 9.0, "best": i == n - 1} for i in range(n)]


def gc_table(n, **columns):
    return pd.DataFrame({"chrom": "c", "start": np.arange(n), "gc": np.linspace(0.2, 0.8, n)} | columns)


NAN = np.array([np.nan])
FOOTPRINTS = {"bias": 0.45, "chrombpnet": 0.1, "chrombpnet_nobias": 0.0024}
PROFILE = np.linspace(0, 0.002, 1000)
ODD = {
    "logo": lambda: pictures.insertion_logo(np.random.default_rng(1).dirichlet(np.ones(4), 24)),
    "shifts": lambda: pictures.shift_votes(full_content().shift),
    "shifts without scores": lambda: pictures.shift_votes(ShiftEvidence(100, -100, votes={"+": {LONG: 100}, "-": {}})),
    "losses": lambda: pictures.loss_curves(epochs(20), "full model"),
    "one epoch": lambda: pictures.loss_curves(epochs(1)),
    "many epochs, large losses": lambda: pictures.loss_curves(epochs(1000, 1e7), LONG),
    "counts": lambda: pictures.counts_scatter(*counts(80), "bias-corrected model, nonpeaks"),
    "one count": lambda: pictures.counts_scatter(*counts(1)),
    "two equal counts": lambda: pictures.counts_scatter(np.ones(2), np.ones(2)),
    "large counts": lambda: pictures.counts_scatter(*counts(5, 100), LONG),
    "many counts": lambda: pictures.counts_scatter(*counts(5000)),
    "distances": lambda: pictures.jsd_histogram(np.linspace(0.4, 0.8, 80), np.linspace(0.6, 0.8, 80), "full model"),
    "no distances": lambda: pictures.jsd_histogram(NAN, NAN),
    "a million distances": lambda: pictures.jsd_histogram(np.full(10**6, 0.5), np.full(10**6, 0.7)),
    "GC": lambda: gc_match(np.linspace(0, 1, 11), {"peaks": np.arange(10), "nonpeaks": np.arange(10)}),
    "GC of many": lambda: gc_match_of_regions(
        gc_table(300_000), gc_table(1_000_000), gc_table(300_000), {"train": {"wanted": 300_000, "by_distance": [1, 1]}}
    ),
    "footprint": lambda: footprint(
        {"control": PROFILE, "bias": PROFILE, "chrombpnet": PROFILE, "chrombpnet_nobias": PROFILE}, LONG
    ),
    "footprint of a motif": lambda: motif_footprint("tn5_1", "ACGT" * 5, PROFILE, PROFILE / 2, errors=(PROFILE, PROFILE)),
    "footprints": lambda: footprint_panels(
        {model: made_footprints(height) for model, height in FOOTPRINTS.items()}, ("tn5_1", "tn5_2")
    ),
    "five footprints of long names": lambda: footprint_panels(
        {"bias": dict.fromkeys([f"{LONG}{i}" for i in range(5)], PROFILE / 10)}, [f"{LONG}{i}" for i in range(5)]
    ),
    "example": lambda: pictures.example_tracks(example(genes=genes(1000, 2, "YAL"))),
    "example of large values": lambda: pictures.example_tracks(example(1e6, 1000, genes=genes(900, 30, LONG))),
    "example of small values": lambda: pictures.example_tracks(example(1e-7, genes=[])),
    "example without letters": lambda: pictures.example_tracks(example(letters=False, width=2)),
    "planted": lambda: pictures.planted_locus(example(1e6)),
    "locus": lambda: locus(
        PROFILE * 1e9, PROFILE, np.ones((2114, 4)), "chr1", FAR, unit="log counts", genes=genes(FAR, 9, LONG)
    ),
    "locus of a long name": lambda: locus(PROFILE, chrom=LONG, start=FAR, title="a title of many words " * 20),
    "short locus": lambda: locus(np.ones(3), None, np.ones((3, 4)), "c", FAR),
    "logo of many letters": lambda: logo(np.full((300, 4), 1e-6), 10**6, title="word " * 200),
    "variant": lambda: variant_picture(variants("ACGT" * 50), 0),
}


@pytest.mark.parametrize("name", ODD)
def test_texts_do_not_overlap_and_stay_in_the_picture(name):
    assert faults_of(ODD[name]()) == []


def test_texts_that_overlap_or_leave_are_found():
    figure = pictures.counts_scatter(*counts(80))
    (axes,) = figure.axes
    axes.text(0.03, 0.97, "over another", transform=axes.transAxes, va="top")
    axes.text(0.9, 0.5, "beyond the end of the picture", transform=axes.transAxes).set_in_layout(False)
    faults = faults_of(figure)
    assert any("over another" in fault and "overlap" in fault for fault in faults)
    assert any("leaves the picture" in fault for fault in faults)


def test_letters_have_one_size_and_pictures_two_widths():
    html = html_of(full_content())
    figures = re.findall(r"<figure.*?</figure>", html, re.S)
    assert set(re.findall(r"font-size: ([\d.]+)px", "".join(figures))) == {"9"}
    widths = {width for figure in figures for width in re.findall(r'<svg [^>]*?width="(\d+)"', figure)}
    assert widths == {"315", "658"}
    assert {"658" in figure for figure in figures if '<figure class="full"' in figure} == {True}


def test_pictures_that_are_compared_have_the_same_axes():
    """Of counts and profile distances; the corrected model predicts others than the full one here."""
    content = full_content()
    arrays = dict(content.per_region["chrombpnet"])
    other = arrays | {"predicted_logcounts": arrays["predicted_logcounts"] - 5, "jsd": arrays["jsd"] / 3}
    page = page_of(replace(content, per_region={"chrombpnet": arrays, "chrombpnet_nobias": other}))
    drawn = {picture.title: str(picture.svg) for section in page.sections for picture in section.pictures}
    for words in ("Counts in peaks", "Profiles in peaks"):
        ticks = [ticks_of(svg) for title, svg in drawn.items() if title.startswith(words)]
        assert len(ticks) == 2
        assert ticks[0] == ticks[1] != set()


def ticks_of(svg):
    """Labels of the axes, and where they stand."""
    return set(re.findall(r'text-anchor: (?:middle|end)[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([−\d.]+)<', svg))


def test_contributions_of_all_examples_are_on_one_scale():
    small, large = example(0.01), example(2.0)
    assert pictures.contribution_limits([small, large]) == pictures.contribution_limits([large])
    assert pictures.contribution_limits([]) == (0, 1)
    limits = pictures.contribution_limits([small, large])
    for region in (small, large):
        letters = pictures.example_tracks(region, limits).axes[-2:]
        assert {axes.get_ylim() for axes in letters} == {limits}
        assert letters[0].get_title("left") == "contribution to the profile (logits)"
    assert pictures.example_tracks(small).axes[-1].get_ylim() != limits


def test_counts_of_any_number_of_regions_make_a_picture_of_bounded_size():
    sizes = [len(write_svg(pictures.counts_scatter(*counts(n)), "x", "many")) for n in (1500, 5000, 200_000)]
    assert max(sizes) < 200_000
    spread = np.random.default_rng(0).uniform(0, 10, (2, 100_000))
    assert len(write_svg(pictures.counts_scatter(*spread), "x", "everywhere")) < 200_000


def test_each_doubling_of_regions_in_a_square_is_a_shade_darker():
    observed = np.repeat([1.0, 2.0, 3.0], [1000, 500, 1])
    figure = pictures.counts_scatter(observed, observed)
    (axes,) = figure.axes
    alphas = [patch.get_alpha() for patch in axes.patches]
    assert len(alphas) == 3
    assert alphas == sorted(set(alphas))
    places = [patch.get_path().get_extents() for patch in axes.patches]
    for box, place in zip(places, (3, 2, 1), strict=True):
        assert box.x0 - 1e-9 <= place <= box.x1 + 1e-9
        assert box.y0 - 1e-9 <= place <= box.y1 + 1e-9
    assert axes.get_xlim() == axes.get_ylim()


def test_the_correlation_that_is_shown_lies_on_the_side_of_the_threshold_that_is_judged(monkeypatch):
    for key, shown in (("main_r_peaks", "r = 0.49996"), ("", "r = 0.500")):
        monkeypatch.setattr(pictures, "pearson", lambda *_: 0.49996)
        (text,) = pictures.counts_scatter(*counts(9), key=key).axes[0].texts
        assert text.get_text() == f"{shown}\nn = 9"


def test_footprints_of_many_motifs_take_several_pictures_with_the_same_axes():
    heights = np.linspace(0.001, 0.3, 7)
    profiles = {f"tn5_{row}": made_footprints(height)["tn5_1"] for row, height in enumerate(heights)}
    content = ReportContent("main", "t", "ATAC", footprints={"bias": profiles, "chrombpnet_nobias": profiles})
    (section,) = sections_of(content)
    assert [len(re.findall(r"tn5_\d", picture.caption)) for picture in section.pictures] == [10, 4]
    ticks = [{label for *_, label in ticks_of(str(picture.svg)) if label.startswith("0.")} for picture in section.pictures]
    assert ticks[0] == ticks[1] != set()
    assert "limit of the corrected model, 0.003" in [words for _, words in section.legend]


def test_captions_of_footprints_do_not_contradict_the_verdict():
    content = ReportContent("main", "t", "ATAC", footprints={"chrombpnet_nobias": made_footprints(0.00299)})
    (section,) = sections_of(content)
    assert "0.00299 (tn5_1)" in section.pictures[0].caption
    assert "0.0030 " not in section.pictures[0].caption
    page = page_of(content)
    assert "0.00299" in next(table for table in page.tables if table.title == "Footprint maxima").rows[1][1]
    assert "0.00299" in [tile.shown for tile in page.tiles]
    assert "largest 0.00299" in next(verdict for verdict in page.verdicts if verdict.key == "footprint").shown
