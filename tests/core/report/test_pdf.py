"""The report as PDF: the sections of the page, nothing beyond the margins, text that stays text, the same bytes again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pypdfium2
import pytest

from chrombpnet_core.report.content import ExampleRegion, ReportContent
from chrombpnet_core.report.page import page_of
from chrombpnet_core.report.pdf import render_pdf
from chrombpnet_core.report.run_report import write_motif_pdfs
from tests.core.report.contents import SECTIONS, full_content, made_footprints, motif

MILLIMETRE = 72 / 25.4
NASTY = (
    r'#panic("no") $x$ *bold* _it_ [a] @ref <label> \u{1F600} // note /* `raw` "quoted" #include "x.typ" = h - i '
    r"~ \ $\nonsense$"
)
LONG = "gs://bucket/" + "x" * 300


def words_of(pdf):
    """Text of each page, its whitespace made even."""
    return [" ".join(page.get_textpage().get_text_bounded().split()) for page in pypdfium2.PdfDocument(pdf)]


def content_with_advice():
    return replace(full_content(), reads=1_000_000)


@pytest.fixture(scope="module")
def page():
    return page_of(content_with_advice())


@pytest.fixture(scope="module")
def pdf(page):
    return render_pdf(page)


def test_every_section_and_verdict_is_there_in_order(page, pdf):
    text = " ".join(words_of(pdf))
    places = [text.index(heading) for heading in SECTIONS if heading not in ("Training", "Steps", "Parameters")]
    assert places == sorted(places)
    for verdict in page.verdicts:
        assert verdict.title in text
    for words in (
        "Training",
        "Steps",
        "Parameters",
        "What to do:",
        page.decision.split(".")[0],
        "1 h 23 min",
        "2.00 GiB",
        "REB1 <i>MA0363.2",
        "confidence interval of the mean",
        "No motif was found: no pattern recurs",
        "pattern_0",
        "contribution of each of the middle 200 bases",
        "reverse complement",
        "0.003",
        *(term for term, _ in page.glossary),
    ):
        assert words in text, words


def test_pages_are_a4_and_numbered(pdf):
    pages = words_of(pdf)
    for number, text in enumerate(pages, start=1):
        assert f"page {number} of {len(pages)}" in text
    for sheet in pypdfium2.PdfDocument(pdf):
        assert sheet.get_size() == pytest.approx((210 * MILLIMETRE, 297 * MILLIMETRE), abs=0.1)


def test_the_same_content_makes_the_same_bytes(pdf):
    assert render_pdf(page_of(content_with_advice())) == pdf


def test_nothing_a_user_wrote_is_markup_or_leaves_the_page():
    content = replace(
        full_content(),
        title=NASTY,
        parameters={NASTY: NASTY, "path": LONG, LONG: {LONG: [LONG, LONG]}},
        provenance={"key": "0123456789abcdef" * 4},
        footprints={"bias": {f"{LONG} {NASTY}": made_footprints(0.1)["tn5_1"]}},
        motifs={"corrected profile": [motif(name=NASTY, pattern=NASTY), motif(name=LONG, pattern=LONG, kind="odd kind")]},
    )
    made = render_pdf(page_of(content))
    text = " ".join(words_of(made))
    for words in ('#panic("no")', "*bold*", "<label>", "@ref", "`raw`", r"$\nonsense$", r"\u{1F600}"):
        assert text.count(words) >= 3, words
    left, right = 15.5 * MILLIMETRE, (210 - 15.5) * MILLIMETRE  # the margins, but for a serif
    for sheet in pypdfium2.PdfDocument(made):
        letters = sheet.get_textpage()
        for i in range(letters.count_chars()):
            start, _, end, _ = letters.get_charbox(i)
            if letters.get_text_range(i, 1).strip():
                assert left <= start < end <= right, letters.get_text_range(max(i - 20, 0), 40)


def test_headers_of_tables_come_again_on_the_next_page():
    content = ReportContent("main", "t", "ATAC", parameters={f"parameter number {i}": i for i in range(150)})
    pages = [text for text in words_of(render_pdf(page_of(content))) if "parameter number" in text]
    assert len(pages) > 1
    assert all("parameter value" in text for text in pages)


@pytest.mark.parametrize("kind", ["bias", "main", "dataset"])
def test_empty_content_makes_a_page_that_says_so(kind):
    (text,) = words_of(render_pdf(page_of(ReportContent(kind, "Nothing", "DNASE"))))
    assert "Nothing could be judged" in text
    assert "Not judged here" in text
    assert "Tables and provenance" not in text


def test_pictures_are_drawn(pdf):
    """A page of pictures has colours; a picture that cannot be read would end the making."""
    sheet = next(page for page in pypdfium2.PdfDocument(pdf) if "Example regions" in page.get_textpage().get_text_bounded())
    pixels = np.asarray(sheet.render(scale=1).to_pil().convert("RGB")).astype(int)
    assert ((pixels.max(axis=2) - pixels.min(axis=2)) > 60).sum() > 1000


def test_motifs_have_a_file_of_their_own(tmp_path):
    paths = write_motif_pdfs(full_content(), tmp_path)
    assert {path.name for path in paths} == {
        "bias_profile.pdf",
        "bias_counts.pdf",
        "chrombpnet_nobias_profile.pdf",
        "chrombpnet_nobias_profile_motifs.pdf",
    }
    text = " ".join(words_of(tmp_path / "chrombpnet_nobias_profile.pdf"))
    assert "REB1" in text
    assert "Has the corrected model learnt the enzyme's motif? (profile)" in text
    assert "Not judged here" not in text
    assert "nonpeaks" not in text
    assert "Tables" not in text
    assert "No motif was found" in " ".join(words_of(tmp_path / "bias_counts.pdf"))
    assert write_motif_pdfs(ReportContent("main", "t", "ATAC", motifs={"other profile": []}), tmp_path) == []


def test_an_example_of_silence_has_a_picture():
    content = ReportContent(
        "main", "t", "ATAC", examples=[ExampleRegion("worst peak", "c", 0, np.zeros(9), contributions=np.zeros((9, 4)))]
    )
    assert "Worst peak" in " ".join(words_of(render_pdf(page_of(content))))
