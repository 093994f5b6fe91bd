"""The report: every verdict, a page that stands alone, and numbers that a program can read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from chrombpnet_core.evaluation import STATUSES, THRESHOLDS, score_regions, summarise_scores
from chrombpnet_core.plots import PALETTE, plain_svg, write_svg
from chrombpnet_core.report import motif_tables, verdicts
from chrombpnet_core.report import pictures as report_pictures
from chrombpnet_core.report import run_report as report
from chrombpnet_core.report.content import (
    ExampleRegion,
    MotifEntry,
    NonpeakSummary,
    ReportContent,
    SelectionSummary,
    ShiftEvidence,
    StepRecord,
    format_q_value,
)
from chrombpnet_core.report.glossary import TERMS, glossary
from chrombpnet_core.report.page import page_of
from chrombpnet_core.report.rules import RULES
from chrombpnet_core.report.tables import format_number, tables
from chrombpnet_core.simulation import ModelCheck

W = 300


def made_scores(n=80, noise=0.5, seed=0):
    """Per-region arrays and metrics of an invented model."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.exp(rng.normal(-1.5, 0.8, (n, 1))), (n, W))
    counts[3] = 0
    totals = np.log1p(counts.sum(axis=1)) + rng.normal(0, noise, n)
    is_peak = np.arange(n) < n // 2
    scores = score_regions([(counts, rng.normal(size=(n, W)), totals)])
    return {**scores.arrays(), "is_peak": is_peak}, summarise_scores(scores, is_peak)


def made_footprints(height):
    profile = np.full(1000, 0.001)
    spike = profile.copy()
    spike[500] = height
    return {"control": profile, "tn5_1": spike, "tn5_2": spike * 0.9}


def motif(letters="TTACCCG", kind="tf", q=1e-6, pattern="pos_patterns.pattern_0", seqlets=1234, name="REB1 <i>MA0363.2"):
    cwm = np.full((len(letters), 4), -0.01)
    cwm[np.arange(len(letters)), ["ACGT".index(letter) for letter in letters]] = 0.2
    return MotifEntry(
        pattern, seqlets, cwm, cwm[::-1, ::-1], [(name, q), ("second", 0.2)] if kind != "unmatched" else [], kind
    )


def contributions(width=300):
    found = np.zeros((width, 4))
    found[np.arange(width), np.random.default_rng(3).integers(0, 4, width)] = np.random.default_rng(4).normal(size=width)
    return found


def html_of(content):
    return report.render_html(page_of(content))


def check(value, bound=0.5, at_least=True, name="r of <planted> & learnt"):
    return ModelCheck(name, value, bound, at_least, "a note")


def full_content(kind="dataset"):
    """Content with every piece."""
    arrays, summary = made_scores()
    models = ("bias", "chrombpnet", "chrombpnet_nobias")
    rng = np.random.default_rng(1)
    tracks = [rng.random(W) for _ in range(4)]
    strands = {strand: {name: shift for name in ("one", "two")} for strand, shift in (("+", 4), ("-", -4))}
    scores = {strand: {"one": (np.arange(21) - 7, rng.random(21))} for strand in "+-"}
    rows = [{"epoch": i, "loss": 9.0 - i, "val_loss": 9.0 - i + (i > 1), "best": i == 1} for i in range(3)]
    return ReportContent(
        kind=kind,
        title="Sample <b>7</b> & more",
        assay="ATAC",
        metrics=dict.fromkeys(models, summary),
        per_region=dict.fromkeys(models, arrays),
        selection={
            "bias": SelectionSummary(
                2.5, nonpeaks=4000, nonpeaks_kept=3000, threshold=20.5, lower=1, upper=20, threshold_factor=0.5
            ),
            "main": SelectionSummary(11.5, False, 5000, 4990, 4000, 3900, 2, 900),
        },
        reads=30_000_000,
        genome_size=3_100_000_000,
        shift=ShiftEvidence(4, -4, False, strands, scores, 10_000),
        nonpeaks=NonpeakSummary(1000, 990, np.linspace(0, 1, 11), np.arange(10), np.arange(10)[::-1]),
        insertion_pfm=rng.dirichlet(np.ones(4), 24),
        history=dict.fromkeys(models[:2], rows),
        footprints=dict(zip(models, map(made_footprints, (0.02, 0.01, 0.0024)), strict=True)),
        footprint_errors={model: dict.fromkeys(("control", "tn5_1"), np.full(1000, 1e-4)) for model in models},
        motifs={
            "bias profile": [motif("GCACAGTGAG", "enzyme", name="Tn5"), motif("CG", "unmatched", pattern="x")],
            "bias counts": [],
            "corrected profile": [motif(), motif("AC", "unmatched", pattern="neg_patterns.pattern_0")],
        },
        noise_floor={"counts": 0.97, "profile": 0.932},
        examples=[
            ExampleRegion(
                "best peak", "chr3", 999, rng.poisson(1.0, W), *tracks, norm_jsd=0.3, contributions=contributions()
            ),
            ExampleRegion("worst peak", "chr3", 5000, np.zeros(W)),
        ],
        truth=[check(0.9)],
        parameters={"seed": 1234, "models": {"filters": 64}, "motifs": ["a", "b"], "none": None},
        provenance={"keras": "3.15"},
        steps=[StepRecord("train", 5000.0, 2**31, False, "ab" * 32), StepRecord("reads", None, None, True)],
    )


def with_r(value, model="chrombpnet", group="peaks"):
    return {
        model: {"counts_metrics": {group: {"pearsonr": value}}, "group_sizes": {group: {"regions": 9, "without_reads": 0}}}
    }


def verdict_of(key, **pieces):
    """The verdict with this key on content that holds only these pieces."""
    found = [item for item in verdicts.judge(ReportContent("dataset", "t", "ATAC", **pieces)) if item.key == key]
    assert len(found) == 1, key
    return found[0]


# --- verdicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "model", "group", "value", "status"),
    [
        ("bias_r_nonpeaks", "bias", "nonpeaks", 0.01, "pass"),
        ("bias_r_nonpeaks", "bias", "nonpeaks", 0.0, "warn"),
        ("bias_r_nonpeaks", "bias", "nonpeaks", -0.2, "warn"),
        ("bias_r_peaks", "bias", "peaks", -0.29, "pass"),
        ("bias_r_peaks", "bias", "peaks", -0.3, "warn"),
        ("bias_r_peaks", "bias", "peaks", -0.5, "warn"),
        ("bias_r_peaks", "bias", "peaks", -0.51, "fail"),
        ("bias_r_peaks", "bias", "peaks", None, "warn"),
        ("main_r_peaks", "chrombpnet", "peaks", 0.51, "pass"),
        ("main_r_peaks", "chrombpnet", "peaks", 0.5, "warn"),
        ("main_r_peaks", "chrombpnet", "peaks", None, "warn"),
    ],
)
def test_correlations(key, model, group, value, status):
    found = verdict_of(key, metrics=with_r(value, model, group))
    assert found.status == status
    assert found.value == value
    assert bool(found.remedy) == (status != "pass")


@pytest.mark.parametrize(("height", "status"), [(0.0024, "pass"), (0.0026, "fail"), (0.003, "fail"), (0.05, "fail")])
def test_footprints_are_judged_after_rounding(height, status):
    found = verdict_of("footprint", footprints={"chrombpnet_nobias": made_footprints(height)})
    assert found.status == status
    assert ("still leave" in found.reason) == (status == "fail")


def test_only_the_enzymes_motifs_of_the_corrected_model_are_judged():
    content = ReportContent(
        "main",
        "t",
        "ATAC",
        footprints={"chrombpnet": made_footprints(0.1), "chrombpnet_nobias": {"CTCF": made_footprints(0.1)["tn5_1"]}},
    )
    assert verdicts.judge(content) == []


@pytest.mark.parametrize(
    ("summary", "status"),
    [(SelectionSummary(11.5), "pass"), (SelectionSummary(1.0, True), "warn"), (SelectionSummary(1.0), "warn")],
)
def test_loss_weight(summary, status):
    assert verdict_of("loss_weight_main", selection={"main": summary}).status == status


@pytest.mark.parametrize(
    ("reads", "genome", "status", "words"),
    [
        (25_000_000, None, "pass", "25,000,000"),
        (24_000_000, 3_100_000_000, "warn", "24,000,000"),
        (1_000_000, None, "warn", "below what models have been trained on"),
        (829_936, 12_157_105, "pass", "12.2 Mb"),
        (20_000, 12_157_105, "warn", "as dense as 5 M"),
    ],
)
def test_depth_is_seen_against_the_genome(reads, genome, status, words):
    found = verdict_of("reads", reads=reads, genome_size=genome)
    assert (found.status, found.value) == (status, reads)
    assert words in found.reason


@pytest.mark.parametrize(
    ("shift", "status", "words"),
    [
        (ShiftEvidence(4, -4, False, {"+": {"a": 4}, "-": {"a": -4}}), "pass", "All 2"),
        (ShiftEvidence(4, -4, True, {"+": {"a": 4}, "-": {"a": -4}}), "pass", "as you stated"),
        (ShiftEvidence(4, -4, True, {"+": {"a": 0}, "-": {"a": -4}}), "warn", "a (+) votes 0"),
        (ShiftEvidence(4, -4, False, {"+": {"a": 4}, "-": {"a": -9}}), "fail", "a (-) votes −9"),
        (ShiftEvidence(4, -4, True), "info", "stated, not estimated"),
        (ShiftEvidence(4, -4), "warn", "no evidence"),
    ],
)
def test_shift(shift, status, words):
    found = verdict_of("shift", shift=shift)
    assert found.status == status
    assert words in found.reason
    assert found.shown == "plus +4, minus −4 bp"


@pytest.mark.parametrize(("made", "status"), [(90, "pass"), (89, "warn"), (50, "warn"), (49, "fail")])
def test_nonpeak_shortage(made, status):
    assert verdict_of("nonpeaks_made", nonpeaks=NonpeakSummary(100, made)).status == status


@pytest.mark.parametrize(("kept", "status"), [(1000, "pass"), (999, "warn"), (100, "warn"), (99, "fail"), (0, "fail")])
def test_training_regions(kept, status):
    assert verdict_of("training_regions_main", selection={"main": SelectionSummary(peaks_kept=kept)}).status == status
    bias = SelectionSummary(nonpeaks_kept=kept)
    assert verdict_of("training_regions_bias", selection={"bias": bias}).status == status


def test_too_many_peaks():
    assert verdict_of("most_peaks_main", selection={"main": SelectionSummary(peaks=250_001)}).status == "warn"
    assert not verdicts.judge(ReportContent("main", "t", "ATAC", selection={"main": SelectionSummary(peaks=250_000)}))


@pytest.mark.parametrize(("empty", "status"), [(5, "pass"), (6, "warn")])
def test_peaks_without_reads(empty, status):
    sizes = {"group_sizes": {"peaks": {"regions": 100, "without_reads": empty}}}
    assert verdict_of("without_reads", metrics={"bias": sizes}).status == status


def test_bias_threshold_is_information():
    found = verdict_of("bias_threshold", selection={"bias": SelectionSummary(threshold=20.905, threshold_factor=0.5)})
    assert found.status == "info"
    assert "factor 0.5" in found.shown


@pytest.mark.parametrize(("best", "status"), [(1, "pass"), (2, "warn")])
def test_training_that_was_cut_short(best, status):
    rows = [{"epoch": i, "loss": 1.0, "val_loss": 1.0, "best": i == best} for i in range(3)]
    assert verdict_of("training_bias", history={"bias": rows}).status == status


@pytest.mark.parametrize(
    ("item", "status"),
    [
        (check(0.5), "pass"),
        (check(0.49), "fail"),
        (check(0.4, at_least=False), "pass"),
        (check(0.5, at_least=False), "fail"),
        (check(float("nan")), "fail"),
    ],
)
def test_truth(item, status):
    assert verdict_of("truth_1", truth=[item]).status == status


def test_profile_distance_is_never_judged():
    found = verdict_of("profile_bias", metrics={"bias": {"profile_metrics": {"peaks": {"median_jsd": 0.8}}}})
    assert found.status == "info"
    assert "no cut-off" in found.wanted


def test_every_threshold_is_used_and_worst_come_first():
    found = verdicts.judge(full_content())
    assert [STATUSES.index(item.status) for item in found] == sorted(STATUSES.index(item.status) for item in found)
    used = {key for item in found for key in THRESHOLDS if item.key.startswith(key)}
    assert used == set(THRESHOLDS) - {"most_peaks"}
    assert set(RULES) == set(THRESHOLDS)
    assert verdicts.worst(found) == found[0].status
    assert verdicts.worst([]) == "info"


def test_what_was_not_given_is_named():
    assert len(verdicts.not_judged(ReportContent("dataset", "t", "ATAC"))) == 10
    for kind in ("main", "bias", "dataset"):
        assert verdicts.not_judged(full_content(kind)) == []
    factors, enzymes = verdicts.not_judged(replace(full_content(), motifs={}))
    assert factors.startswith("motifs of transcription factors in the bias model")
    assert enzymes.startswith("enzyme motifs in the corrected model")


@pytest.mark.parametrize(
    ("entries", "status", "words"),
    [
        ([motif(q=9e-5)], "fail", "like REB1"),
        ([motif(q=1e-4)], "warn", "1 of 1"),
        ([motif(q=0.02), motif(q=1e-7, name="ABF1"), motif("GCAC", "enzyme")], "fail", "2 of 3 motifs"),
        ([motif(kind="enzyme", q=1e-9), motif(kind="unmatched")], "pass", "No motif of the bias model matches a known"),
        ([], "info", "No motif recurs"),
    ],
)
def test_factors_in_the_bias_model(entries, status, words):
    for head in ("profile", "counts"):
        found = verdict_of(f"bias_motifs_{head}", motifs={f"bias {head}": entries})
        assert found.status == status
        assert words in found.reason
        assert ("threshold factor by 0.1" in found.remedy) == (status in ("warn", "fail"))


@pytest.mark.parametrize(
    ("entries", "status", "words"),
    [
        ([motif(), motif(kind="unmatched")], "pass", "None of the 2"),
        ([motif(), motif(kind="enzyme", q=0.04, pattern="pos_patterns.pattern_7")], "fail", "pos_patterns.pattern_7"),
        ([], "warn", "No motif recurs"),
    ],
)
def test_enzymes_in_the_corrected_model(entries, status, words):
    found = verdict_of("corrected_motifs_profile", motifs={"corrected profile": entries})
    assert found.status == status
    assert words in found.reason
    assert bool(found.remedy) == (status != "pass")


def test_the_noise_floor_is_information():
    found = verdict_of("noise_floor", noise_floor={"counts": 0.97, "profile": 0.932})
    assert (found.status, found.value, found.shown) == ("info", 0.932, "r = 0.970 (counts), 0.932 (profile)")
    assert not verdicts.judge(ReportContent("main", "t", "ATAC", noise_floor={"counts": float("nan")}))


@pytest.mark.parametrize(
    ("q", "shown"), [(0.2, "0.200"), (0.0012, "0.001"), (3.2e-7, "3×10⁻⁷"), (1e-12, "1×10⁻¹²"), (0.0, "0")]
)
def test_q_values_as_people_read_them(q, shown):
    assert format_q_value(q) == shown


# --- page ----------------------------------------------------------------------------------------------------------

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
    assert len(pictures) == len(re.findall(r"<figure|<td class=\"logo\"", body)) >= 15
    assert all('role="img"' in tag and re.search(r'aria-label="[^"]{20,}"', tag) for tag in pictures)


def test_verdicts_come_before_pictures_and_pictures_before_tables(html):
    order = [html.index(mark) for mark in ("<h1>", 'class="lead', 'class="verdicts"', "<figure", "<table")]
    assert order == sorted(order)


def test_text_of_users_is_escaped(html):
    assert "<b>7</b>" not in html
    assert "Sample &lt;b&gt;7&lt;/b&gt; &amp; more" in html


SECTIONS = (
    "Verdicts",
    "The reads",
    "Training",
    "Counts and profiles on held-out chromosomes",
    "Footprints of enzyme motifs",
    "Motifs that the models have learnt",
    "Example regions",
    "Tables and provenance",
    "Metrics on the test chromosomes",
    "Training regions",
    "Footprint maxima",
    "Steps",
    "Parameters",
    "Provenance",
    "Glossary",
)
"""Headings of a report with every piece, in order."""


def test_every_section_is_there_and_has_a_link(html):
    headings = [Page(f"<p>{words}</p>").texts[0] for words in re.findall(r"<h[23][^>]*>(.*?)</h", html)]
    assert [words for words in headings if words in SECTIONS] == list(SECTIONS)
    text = " ".join(Page(html).texts)
    for words in (
        "1 h 23 min",
        "2.00 GiB",
        "confidence interval of the mean",
        "REB1 <i>MA0363.2",
        "q = 1×10⁻⁶",
        "enzyme",
        "No motif was found: no pattern recurs",
        "contribution of each of the middle 200 bases",
    ):
        assert words in text, words
    assert html.count("<nav") == 1
    assert len(re.findall('<a href="#', html)) == 9


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
        ({"truth": [check(0.1)]}, "1 of 1 checks failed"),
        ({"reads": 1}, "No check failed; 1 of 1 gave a warning."),
        ({"reads": 10**9}, "The check passed."),
        ({"metrics": with_r(0.5612)}, "r\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.561"),
    ],
)
def test_summary_line(pieces, words):
    assert words in report.report_numbers(ReportContent("main", "t", "ATAC", **pieces))["summary"]


# --- files ---------------------------------------------------------------------------------------------------------


def test_report_files(tmp_path):
    content = replace(full_content(), examples=(), per_region={}, truth=[check(float("nan"))])
    paths = report.write_report(content, tmp_path / "evaluation")
    assert [path.name for path in paths] == ["overall_report.html", "overall_report.pdf", "report.json"]
    assert paths[1].read_bytes()[:5] == b"%PDF-"
    found = json.loads(paths[2].read_text(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert found["overall"] == found["verdicts"][0]["status"]
    assert found["metrics"]["bias"]["counts_metrics"]["peaks"]["pearsonr"] > 0
    assert found["footprint_maxima"]["chrombpnet_nobias"] == {"tn5_1": 0.0024, "tn5_2": pytest.approx(0.00216)}
    assert found["noise_floor"] == {"counts": 0.97, "profile": 0.932}
    assert found["motifs"]["bias counts"] == []
    assert found["motifs"]["corrected profile"][0] == {
        "pattern": "pos_patterns.pattern_0",
        "seqlets": 1234,
        "kind": "tf",
        "matches": [{"name": "REB1 <i>MA0363.2", "q": 1e-6}, {"name": "second", "q": 0.2}],
    }
    assert found["truth"][0]["value"] is None
    assert not found["truth"][0]["passed"]
    assert found["steps"][0] == {"name": "train", "seconds": 5000.0, "peak_memory": 2**31, "cached": False, "key": "ab" * 32}


def test_numbers_that_are_not_finite_become_null():
    content = ReportContent(
        "main",
        "t",
        "ATAC",
        parameters={"a": np.float32("nan"), "b": np.arange(2), "c": {1: ()}},
        provenance={"path": SimpleNamespace},
    )
    found = report.report_numbers(content)
    assert found["parameters"] == {"a": None, "b": [0, 1], "c": {"1": []}}
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "main",
            {
                "chrombpnet_only_peaks.counts_pearsonr.png",
                "chrombpnet_only_peaks.profile_jsd.png",
                "epoch_loss.png",
                "chrombpnet_nobias.tn5_1.footprint.png",
                "chrombpnet_nobias.control.footprint.png",
            },
        ),
        (
            "bias",
            {
                "bias_only_peaks.counts_pearsonr.png",
                "bias_only_nonpeaks.counts_pearsonr.png",
                "epoch_loss.png",
                "bias_only_nonpeaks.profile_jsd.png",
            },
        ),
    ],
)
def test_png_files_of_the_layout(tmp_path, kind, expected):
    paths = report.write_pictures(full_content(kind), tmp_path)
    assert expected <= {path.name for path in paths}
    assert ("chrombpnet_only_nonpeaks.profile_jsd.png" in {path.name for path in paths}) == (kind == "bias")
    for path in paths:
        assert path.read_bytes()[:4] == b"\x89PNG"


def test_counts_of_many_regions_are_drawn_by_density():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5000))
    svg = write_svg(report_pictures.counts_scatter(first, second), "x", "many")
    assert len(svg) < 400_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (float("nan"), "–"), (-0.12345, "−0.123"), (1234, "1,234"), (1234.5, "1,234.500"), (0, "0")],
)
def test_numbers_as_people_read_them(value, shown):
    assert format_number(value) == shown


def test_tables_hold_times_memory_and_nested_parameters():
    found = {table.title: table.rows for table in tables(full_content())}
    assert found["Steps"] == [
        ("train", "run", "1 h 23 min", "2.00 GiB", "abababababab"),
        ("reads", "reused", "–", "–", ""),
    ]
    assert ("models · filters", "64") in found["Parameters"]
    assert ("motifs", "a, b") in found["Parameters"]
    assert found["Training regions"][1][:3] == ("main model", "4,990 of 5,000", "3,900 of 4,000")


def test_example_locus_is_as_browsers_take_it():
    assert ExampleRegion("x", "chr3", 999, np.zeros(1000)).locus == "chr3:1,000-1,999"


def test_report_needs_neither_models_nor_flows():
    heavy = {"tensorflow", "keras", "prefect", "torch"}
    code = f"import sys, chrombpnet_core.report.run_report; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
