"""The report over folds and the index: numbers, spread, what stands apart, pages that stand alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.evaluation import quality_metric
from chrombpnet_core.report.data_set_index import render_index
from chrombpnet_core.report.folds import (
    FOLD_METRICS,
    FoldsContent,
    FoldSummary,
    folds_numbers,
    summarise_spread,
)
from chrombpnet_core.report.folds_page import render_folds, write_folds_report

PAIRS = [[0, 1], [0, 2], [1, 2]]
SWEEP = [
    {"factor": 0.3, "r_nonpeaks": 0.1, "r_peaks": -0.4, "motifs": "", "verdict": "warn", "chosen": False, "reason": "r"},
    {
        "factor": 0.5,
        "r_nonpeaks": None,
        "r_peaks": -0.1,
        "motifs": ["<CTCF>"],
        "verdict": "pass",
        "chosen": True,
        "reason": "the largest",
    },
]


class Tags(HTMLParser):
    """Every start tag with its attributes, and unbalanced ones."""

    VOID = ("meta", "br", "wbr", "input", "line", "circle")

    def __init__(self, page):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def metrics(r):
    def counts(r):
        return {"pearsonr": r, "spearmanr": None if r is None else r - 0.01, "mse": 0.5}

    return {
        "counts_metrics": {"peaks": counts(r), "nonpeaks": counts(0.2), "peaks_and_nonpeaks": counts(0.7)},
        "profile_metrics": {"peaks": {"median_jsd": 0.4, "median_norm_jsd": 0.3}},
        "classification_metrics": {"auroc": 0.9, "auprc": 0.8},
    }


def fold(i, r=0.6, **changes):
    whole = FoldSummary(
        f"fold_{i}",
        [f"chr{i}"],
        {"chrombpnet": metrics(r), "bias": metrics(-0.1)},
        0.002,
        "pass",
        (),
        f"fold_{i}/overall_report.html",
    )
    return replace(whole, **changes)


def content(*folds, **changes):
    agreement = {
        "chrombpnet": {
            "folds": 3,
            "regions": 1234,
            "pairs": PAIRS,
            "log_counts": [0.91, 0.92, 0.93],
            "profile": [0.71, 0.72, None],
        },
        "profile": {"folds": 3, "regions": 99, "pairs": PAIRS, "contributions": [0.51, 0.52, 0.53]},
    }
    return replace(
        FoldsContent(
            "Set <b>1</b>",
            "ATAC",
            folds,
            agreement,
            SWEEP,
            {"profile": {"tf": 3, "enzyme": 0}},
            {"README": "README.md"},
            {"version of keras": "3"},
        ),
        **changes,
    )


@given(st.lists(st.none() | st.floats(-10, 10), max_size=6))
def test_spread_is_numpys(values):
    known = [value for value in values if value is not None]
    found = summarise_spread(values)
    if not known:
        assert found is None
        return
    assert (found["n"], found["min"], found["max"]) == (len(known), min(known), max(known))
    assert found["mean"] == pytest.approx(np.mean(known))
    assert found["median"] == pytest.approx(np.median(known))
    assert found["sd"] == pytest.approx(np.std(known, ddof=1) if len(known) > 1 else 0)


def test_numbers_are_those_of_the_folds(tmp_path):
    given = content(fold(0, 0.6), fold(1, 0.7), fold(2, None))
    html, numbers = write_folds_report(given, tmp_path)
    assert html.read_text() == render_folds(given)
    found = json.loads(numbers.read_text())
    assert (found["title"], found["assay"], found["overall"]) == ("Set <b>1</b>", "ATAC", "pass")
    assert [each["pearson_peaks"] for each in found["folds"]] == [0.6, 0.7, None]
    assert found["metrics"]["pearson_peaks"] == {
        "n": 2,
        "mean": pytest.approx(0.65),
        "median": pytest.approx(0.65),
        "sd": pytest.approx(0.1 / np.sqrt(2)),
        "min": 0.6,
        "max": 0.7,
    }
    assert set(found["metrics"]) == set(FOLD_METRICS)
    assert found["quality_metric"] == quality_metric([metrics(0.6), metrics(0.7), metrics(None)])
    assert found["agreement"]["profile"]["contributions"] == [0.51, 0.52, 0.53]
    assert found["bias_sweep"][1]["chosen"] is True


@pytest.mark.parametrize(
    ("folds", "overall", "words"),
    [
        ([fold(0), fold(1), fold(2)], "pass", "No check failed. Over 3 folds the full model"),
        ([fold(0), fold(1, overall="warn"), fold(2, overall="fail")], "fail", "Fold 2: a check failed"),
        ([fold(0, 0.6), fold(1, 0.61), fold(2, 0.45)], "warn", "Fold 2: counts are predicted clearly worse"),
        ([fold(0, 0.6), fold(1, 0.45)], "pass", "0.525 ± 0.106"),
        (
            [fold(0, overall="info")],
            "info",
            "The full model predicts counts in held-out peaks with r\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.600.",
        ),
        ([FoldSummary("fold_0", [], {})], "info", "Nothing could be judged."),
        ([], "info", "Nothing could be judged."),
    ],
)
def test_one_line_says_what_to_make_of_it(folds, overall, words):
    found = folds_numbers(content(*folds, agreement={}))
    assert found["overall"] == overall
    assert words in found["summary"]


def test_the_page_stands_alone_and_shows_text_as_text():
    page = render_folds(content(fold(0), fold(1, findings=["Too <few>"], overall="warn"), fold(2)))
    tags = Tags(page)
    assert tags.open == []
    assert not [tag for tag, attrs in tags.tags if tag in ("script", "link", "img") or "src" in attrs]
    assert [attrs["href"] for tag, attrs in tags.tags if tag == "a" and not attrs["href"].startswith("#")] == [
        "fold_0/overall_report.html",
        "fold_1/overall_report.html",
        "fold_2/overall_report.html",
        "README.md",
    ]
    for text in (
        "Set &lt;b&gt;1&lt;/b&gt;",
        "Too &lt;few&gt;",
        "&lt;CTCF&gt;",
        "0.600 ± 0.000",
        "0.5 (used)",
        "1,234 regions",
    ):
        assert text in page
    assert {attrs["id"] for _, attrs in tags.tags if "id" in attrs} >= {
        attrs["href"][1:] for tag, attrs in tags.tags if tag == "a" and attrs["href"].startswith("#")
    }


def test_what_to_do_is_said_once_for_all_folds():
    some = {"findings": ["Too few?", "Flat?"], "remedies": {"Too few?": "Sequence deeper.", "Flat?": "Another seed."}}
    few = {"findings": ["Too few?"], "remedies": {"Too few?": "Sequence deeper."}}
    page = render_folds(content(fold(0, **few), fold(1, **some), fold(2, **few)))
    (block,) = re.findall(r'<ul class="findings">(.*?)</ul>', page, re.DOTALL)
    assert block.count("Sequence deeper.") == 1
    entries = [re.sub(r"<[^>]+>", "", entry).strip() for entry in re.findall(r"<li>(.*?)</li>", block, re.DOTALL)]
    assert entries == [
        "Too few? all foldsWhat to do: Sequence deeper.",
        "Flat? fold 1What to do: Another seed.",
    ]
    assert "fold_1" not in re.sub(r"<[^>]+>", "", page.split("<main>")[1])


@pytest.mark.parametrize(
    ("values", "tints"),
    [
        ((0.6, 0.7, 0.8), [0, 22, 45]),
        ((0.60, 0.62, 0.64), [0, 9, 18]),
        ((0.6, 0.6, 0.6), [0, 0, 0]),
        ((0.6, 0.4, 0.8), [22, 0, 45]),
    ],
    ids=["far apart", "close", "alike", "one misses its threshold"],
)
def test_numbers_are_coloured_by_how_far_folds_differ(values, tints):
    page = render_folds(content(*(fold(i, r) for i, r in enumerate(values)), agreement={}))
    (row,) = re.findall(r"<tr><th scope=.row.>counts in peaks, r</th>(.*?)</tr>", page)
    cells = re.findall(r"<td([^>]*)>([^<]*)</td>", row)[-3:]
    assert [text for _, text in cells] == [f"{value:.3f}" for value in values]
    assert [int((re.search(r"--tint: (\d+)", attributes) or [0, 0])[1]) for attributes, _ in cells] == tints
    assert [re.findall("warn", attributes) for attributes, _ in cells] == [["warn"] * (value <= 0.5) for value in values]


def test_agreement_stands_above_and_below_the_diagonal():
    page = render_folds(content(fold(0), fold(1), fold(2)))
    tables = [re.findall(r"<td[^>]*>([^<]*)</td>", part.split("</table>")[0]) for part in page.split('matrix">')[1:]]
    assert tables[0] == ["–", "0.910", "0.920", "0.710", "–", "0.930", "0.720", "–", "–"]
    assert tables[1] == ["–", "0.510", "0.520", "0.510", "–", "0.530", "0.520", "0.530", "–"]


@pytest.mark.parametrize(("value", "status"), [(0.0024, ""), (0.0029, ""), (0.003, "fail"), (0.0031, "fail")])
def test_a_footprint_is_judged_as_it_is_shown(value, status):
    page = render_folds(content(fold(0, footprint=value), agreement={}))
    assert (f'<td class="fail">{value:.4f}</td>' in page) == bool(status)


@pytest.mark.parametrize(("r", "useless"), [(0.6, False), (0.01, False), (0.0, True), (-0.3, True)])
def test_agreement_of_models_that_predict_nothing_is_not_praised(r, useless):
    page = render_folds(content(fold(0, r), fold(1, r), fold(2, r)))
    assert ("their agreement says nothing" in page) == useless
    assert ("Where folds agree" in page) != useless


def test_links_that_would_run_code_are_left_out():
    page = render_folds(content(fold(0, report="javascript:alert(1)"), agreement={}, links={"x": "data:text/html,y"}))
    assert "javascript:" not in page
    assert "data:text" not in page


def test_what_is_absent_has_no_section():
    bare = FoldsContent("one", "DNASE", [FoldSummary("fold_0", ["chr1"], {})])
    page = render_folds(bare)
    assert Tags(page).open == []
    for heading in ("agreement", "sweep", "provenance"):
        assert f'id="{heading}"' not in page
    assert "DNase-seq · 1 fold<" in page


def test_the_index_names_every_data_set_once():
    numbers = [folds_numbers(content(fold(0, 0.5 + i / 100), title=f"set {i}", agreement={})) for i in (10, 9)]
    numbers.append(folds_numbers(FoldsContent("<i>bare</i>", "DNASE", [])))
    page = render_index([("a b/10", numbers[0]), ("x:9", numbers[1]), ("", numbers[2])])
    tags = Tags(page)
    assert tags.open == []
    assert [attrs["href"] for tag, attrs in tags.tags if tag == "a"] == [
        "./folds_report.html",
        "./x%3A9/folds_report.html",
        "./a%20b/10/folds_report.html",
    ]
    assert "&lt;i&gt;bare&lt;/i&gt;" in page
    assert "0.590 <span" in page
    assert "3 data sets" in page
    assert not [attrs for _, attrs in tags.tags if "src" in attrs]


def test_an_index_of_nothing_says_so():
    assert "No report over folds" in render_index([])
