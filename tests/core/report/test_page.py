"""The page of a report: it stands alone, has every section, shows text as text; its pictures and tables."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import chrombpnet_core
from chrombpnet_core.plots import PALETTE, plain_svg, write_svg
from chrombpnet_core.report import motif_tables
from chrombpnet_core.report import pictures as report_pictures
from chrombpnet_core.report import run_report as report
from chrombpnet_core.report.content import (
    ExampleRegion,
    NonpeakSummary,
    ReportContent,
    ShiftEvidence,
    motif_name,
)
from chrombpnet_core.report.glossary import TERMS, glossary
from chrombpnet_core.report.page import page_of
from tests.core.report.contents import (
    SECTIONS,
    W,
    check,
    full_content,
    html_of,
    made_footprints,
    made_scores,
    motif,
    with_r,
)

VOID = {"meta", "wbr", "br", "img", "link", "hr", "input", "source"}


class Page(HTMLParser):
    """Checks that tags close in order; keeps attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.stack, self.attributes, self.texts, self.tags = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.stack, f"</{tag}> without a start"
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


@pytest.fixture(scope="module")
def page():
    return page_of(full_content())


@pytest.fixture(scope="module")
def html(page):
    return report.render_html(page)


def test_page_is_well_formed_and_needs_nothing_else(html):
    page = Page(html)
    assert page.stack == []
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    for name, value in page.attributes:
        if name in {"src", "href", "xlink:href", "srcset"}:
            assert value.startswith("#"), value
            assert value[1:] in ids, value
    for target in re.findall(r"url\(#([^)]+)\)", html):
        assert target in ids
    for word in ("@import", "@font-face", "url(http", "url(//"):
        assert word not in html


def test_page_follows_the_theme_and_the_reader(html):
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert 'name="viewport"' in html
    css, body = html.split("</style>", 1)
    for name, (light, dark) in PALETTE.items():
        assert f"--{name}: {light}" in css
        assert f"--{name}: {dark}" in css
        assert light not in body  # colours of pictures are variables
    pictures = re.findall(r"<svg[^>]*>", body)
    assert len(pictures) == len(re.findall(r'<figure|<td class="logo', body)) >= 15
    assert all('role="img"' in tag and re.search(r'aria-label="[^"]{20,}"', tag) for tag in pictures)


def test_what_failed_is_open_and_what_passed_is_folded(html):
    verdicts = html.split('id="verdicts"', 1)[1].split("</section>")[0]
    open_ones, folded = verdicts.split("<details>")
    assert set(re.findall(r'<li class="(\w+)"', open_ones)) <= {"fail", "warn"}
    assert set(re.findall(r'<li class="(\w+)"', folded)) <= {"pass", "info"}
    assert len(re.findall("<details", html)) == 1
    assert "details::details-content { content-visibility: visible" in html.split("@media print")[-1]


def test_a_bias_models_page_speaks_of_the_bias_model_alone():
    whole = full_content("bias")
    alone = replace(
        whole,
        **{name: {"bias": getattr(whole, name)["bias"]} for name in ("metrics", "per_region", "history", "footprints")},
        footprint_errors={},
        selection={"bias": whole.selection["bias"]},
        motifs={key: entries for key, entries in whole.motifs.items() if key.startswith("bias")},
        examples=[replace(whole.examples[0], predicted=None, corrected=None, planted=None)],
        truth=(),
        noise_floor={},
    )
    text = " ".join(Page(html_of(alone)).texts)
    assert "corrected model" not in text
    assert "full model" not in text
    assert "Motifs that the bias model has learnt" in text
    for label in ("nonpeaks to train on", "r in held-out nonpeaks", "response to the enzyme"):
        assert label in text


def test_verdicts_come_before_pictures_and_pictures_before_tables(html):
    order = [html.index(mark) for mark in ("<h1>", 'class="lead', 'class="verdicts"', "<figure", "<table")]
    assert order == sorted(order)


def test_text_of_users_is_escaped(html):
    assert "<b>7</b>" not in html
    assert "Sample &lt;b&gt;7&lt;/b&gt; &amp; more" in html


def test_every_section_is_there_and_has_a_link(html):
    headings = [Page(f"<p>{words}</p>").texts[0] for words in re.findall(r"<h[23][^>]*>(.*?)</h", html)]
    assert [words for words in headings if words in SECTIONS] == list(SECTIONS)
    text = " ".join(Page(html).texts)
    for words in (
        "1 h 23 min",
        "2.00 GiB",
        "hg38",
        "chr1, chr3",
        "2026-11-27",
        "largest enzyme footprint",
        "confidence interval of the mean",
        "REB1 <i>MA0363.2",
        "q = 1×10⁻⁶",
        "enzyme",
        "No motif was found: no pattern recurs",
        "contribution of each of the middle 200 bases",
    ):
        assert words in text, words
    assert html.count("<nav") == 1
    assert len(re.findall('<a href="#', html)) == 10


def test_names_with_dollars_are_not_formulas():
    name = r"a$\nonsense$ <script>"
    profile = made_footprints(0.01)
    html = html_of(
        ReportContent(
            "main",
            "t",
            "ATAC",
            footprints={"bias": {name: profile["tn5_1"]}},
            motifs={"corrected profile": [motif(name=name, pattern=name)]},
        )
    )
    assert r"$\nonsense$ &lt;script&gt;" in html
    assert Page(html).stack == []
    assert "script" not in Page(html).tags


def test_the_glossary_holds_the_terms_that_occur(page):
    assert [term for term, _ in glossary("JSD and <b class='AUROC'>MSEs</b>")] == ["JSD", "MSE"]
    assert glossary("nothing") == []
    used = {term for term, _ in page.glossary}
    assert {"AUPRC", "AUROC", "CWM", "JSD", "MSE", "GC", "q", "r", "seqlet", "TF", "TF-MoDISco"} <= used
    assert used <= set(TERMS)


def test_long_motif_tables_are_cut_and_say_so(monkeypatch):
    monkeypatch.setattr(motif_tables, "_MOTIFS_SHOWN", 3)
    page = page_of(
        ReportContent(
            "main",
            "t",
            "ATAC",
            motifs={"corrected profile": [motif("AC", "unmatched", pattern=f"p.{i}", seqlets=i) for i in range(5)]},
        )
    )
    (table,) = page.sections[0].motifs
    assert [line.seqlets for line in table.lines] == ["4", "3", "2"]
    assert "3 with the most sites, of 5" in table.note


def test_of_unknown_motifs_five_are_shown_and_a_line_links_to_the_rest():
    entries = [motif("AC", "unmatched", pattern=f"pos_patterns.pattern_{i}", seqlets=100 - i) for i in range(8)]
    entries.append(motif(seqlets=1, pattern="pos_patterns.pattern_8"))
    page = page_of(ReportContent("dataset", "t", "ATAC", motifs={"corrected profile": entries}))
    (table,) = page.sections[0].motifs
    assert [line.seqlets for line in table.lines] == ["100", "99", "98", "97", "96", "1"]
    assert table.note == "3 more are like no known motif."
    assert table.page[0] == "main/evaluation/modisco_profile/motifs.html"
    assert "All 9 motifs" in table.page[1]
    marked = f"<!-- file {table.page[0]} -->{table.page[1]}<!-- end -->"
    assert marked in report.render_html(page)


def test_a_motif_stands_beside_the_known_one():
    known = np.full((6, 4), 0.25)
    known[2] = [0.97, 0.01, 0.01, 0.01]
    shown = replace(motif(), match_pfm=known, distance=42.0)
    html = html_of(ReportContent("main", "t", "ATAC", motifs={"corrected profile": [shown]}))
    body = html.split("<tbody>", 1)[1].split("</tbody>")[0]
    assert re.findall(r'<td class="logo (\w+)"><svg', body) == ["found", "known"]
    assert "half of them within 42 bp of the summit" in body
    assert "1,234 sites" in body


@pytest.mark.parametrize(
    ("name", "identifier", "shown"),
    [
        ("CREM", "MA0609.3", "CREM"),
        ("MA0609.3.CREM", "MA0609.3", "CREM"),
        ("MA0609.3 CREM", "MA0609.3 CREM", "CREM"),
        ("CTCF.H12CORE.0.P.B", "CTCF.H12CORE.0.P.B", "CTCF"),
        ("CTCF_HUMAN.H11MO.0.A", "", "CTCF"),
        ("MA0609.3", "MA0609.3", "MA0609.3"),
        ("Ahr::Arnt", "MA0006.2", "Ahr::Arnt"),
        ("tn5_1", "tn5_1", "tn5_1"),
        ("", "", ""),
    ],
)
def test_motifs_are_named_as_people_name_them(name, identifier, shown):
    assert motif_name(name, identifier) == shown


@pytest.mark.parametrize("width", [1, 2, 60, 200, 301, 2114])
def test_contributions_of_any_width_are_centred(width):
    values = np.zeros((width, 4))
    values[width // 2] = [0, 0, 5, 0]
    figure = report_pictures.example_tracks(ExampleRegion("x", "c", 0, np.ones(W), contributions=values))
    letters = {round(patch.get_path().vertices[:, 0].mean()) for axes in figure.axes[1:] for patch in axes.patches}
    assert letters == {0}
    assert figure.axes[1].get_ylim() == figure.axes[2].get_ylim()


def test_contributions_may_all_be_zero():
    svg = write_svg(
        report_pictures.example_tracks(ExampleRegion("x", "c", 0, np.ones(W), contributions=np.zeros((9, 4)))),
        "x",
        "nothing",
    )
    assert "var(--" in svg
    assert "var(--" not in plain_svg(svg)


def test_numbers_in_pictures_keep_their_digits(html):
    assert "0.003" in "".join(Page(html).texts)
    assert re.search(r">r = −?\d\.\d{3}<", html)


@pytest.mark.parametrize(("call", "place"), [(".savefig(", "plots/style.py"), ("jinja2.Environment(", "report/html.py")])
def test_pictures_are_written_and_templates_filled_in_one_place(call, place):
    root = Path(chrombpnet_core.__file__).parent
    assert {path.relative_to(root).as_posix() for path in root.rglob("*.py") if call in path.read_text()} == {place}


def test_palette_has_no_two_alike():
    lights = [light for light, _ in PALETTE.values()]
    assert len(set(lights)) == len(lights)


def test_the_same_content_makes_the_same_bytes(html):
    assert html_of(full_content()) == html


@pytest.mark.parametrize("kind", ["bias", "main", "dataset"])
def test_empty_content_makes_a_page_that_says_so(kind):
    html = html_of(ReportContent(kind, "Nothing", "DNASE"))
    assert Page(html).stack == []
    assert "Nothing could be judged" in html
    assert "Not judged here" in html
    assert "<figure" not in html
    assert "<table" not in html


@pytest.mark.parametrize(
    "piece",
    [
        "metrics",
        "per_region",
        "selection",
        "reads",
        "library",
        "region_counts",
        "shift",
        "nonpeaks",
        "history",
        "insertion_pfm",
        "footprints",
        "motifs",
        "noise_floor",
        "examples",
        "truth",
        "parameters",
        "steps",
    ],
)
def test_every_piece_may_come_alone(piece):
    alone = ReportContent("main", "t", "ATAC", **{piece: getattr(full_content(), piece)})
    html = html_of(alone)
    assert Page(html).stack == []
    assert any(mark in html for mark in ("<figure", "<table", 'class="verdicts"'))


def test_degenerate_arrays_make_pictures(tmp_path):
    arrays, summary = made_scores()
    arrays = {name: values[:1] for name, values in arrays.items()}
    arrays["jsd"] = arrays["chance_jsd"] = np.array([np.nan])
    rows = [{"epoch": 0, "loss": float("nan"), "val_loss": None}]
    content = ReportContent(
        "bias",
        "t",
        "DNASE",
        metrics={"bias": summary},
        per_region={"bias": arrays},
        history={"bias": rows, "chrombpnet": []},
        insertion_pfm=np.full((24, 4), 0.25),
        nonpeaks=NonpeakSummary(0, 0, np.linspace(0, 1, 3), np.zeros(2), np.zeros(2)),
        shift=ShiftEvidence(0, 1, votes={"+": {"a": 0}, "-": {}}),
        examples=[ExampleRegion("silent", "c", 0, np.zeros(W), np.zeros(W), planted=np.zeros(W))],
    )
    assert Page(html_of(content)).stack == []
    assert report.write_pictures(content, tmp_path)


def test_kind_is_checked():
    with pytest.raises(ValueError, match="expected one of"):
        ReportContent("banana", "t", "ATAC")


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ({}, "Nothing could be judged."),
        ({"truth": [check(0.1)]}, "Do not use this model yet: 1 of 1 checks failed. Was what was planted found"),
        (
            {"reads": 1},
            "Ready: use chrombpnet_nobias.h5, with care: no check failed, 1 of 1 gave a warning. Are there enough",
        ),
        ({"reads": 10**9}, "Ready: use chrombpnet_nobias.h5. The check passed."),
        ({"metrics": with_r(0.5612)}, "r\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.561"),
        ({"metrics": with_r(-0.34)}, "Do not use this model yet: 1 of 2 checks failed. Does the full model predict counts"),
    ],
)
def test_summary_line(pieces, words):
    assert words in report.report_numbers(ReportContent("main", "t", "ATAC", **pieces))["summary"]
