"""Every page in headless Chromium, wide and narrow, light, dark and as print: nothing sticks out, is broken or pale."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pypdfium2
import pytest

from chrombpnet_core.report import render_catalogue, render_index, write_report
from chrombpnet_core.report.folds import folds_numbers
from chrombpnet_core.report.folds_page import render_folds
from chrombpnet_core.report.links import link_files
from chrombpnet_core.report.motifs_page import render_motifs
from chrombpnet_core.report.run_report import REPORT_HTML
from chrombpnet_core.report.variants_page import TopVariants, write_variants_page
from tests.acceptance.chromium import Chromium, needs_chromium
from tests.core.report.contents import SECTIONS, full_content, motif
from tests.core.report.test_folds import content as folds_content
from tests.core.report.test_folds import fold
from tests.core.report.test_motifs_page import found, match

pytestmark = needs_chromium

WAYS = {
    "wide": {"width": 1400},
    "narrow": {"width": 390},
    "dark": {"width": 1400, "scheme": "dark"},
    "narrow and dark": {"width": 390, "scheme": "dark"},
    "print": {"width": 760, "media": "print"},
}
"""Ways to look at a page; 760 px are what a sheet of A4 with these margins has."""

HEADINGS = {
    "run.html": SECTIONS,
    "evaluation/bias.html": ("Verdicts", "The reads", "Motifs that the bias model has learnt", "Files", "Glossary"),
    "evaluation/main.html": ("Verdicts", "Motifs that the corrected model has learnt", "Files", "Glossary"),
    "folds.html": ("Folds", "What did not pass", "Spread", "Agreement between folds", "Provenance", "Glossary"),
    "variants.html": ("All variants", "The 2 that rank first"),
    "motifs.html": ("Pattern 0 (raises the prediction)", "Pattern 0 (lowers the prediction)"),
    "index.html": ("12 data sets",),
    "catalogue.html": ("3 ENCODE experiments",),
}
"""Page → headings that it must have, in order."""

LOOK = Path(__file__).with_name("look.js").read_text()
"""What a reader would see at once, as numbers and lists."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A folder with every kind of page and the files that they link to."""
    folder = tmp_path_factory.mktemp("pages")
    _write_reports(folder)
    names = [f"fold_{i}/overall_report.html" for i in range(3)]
    for name in (*names, "README.md", "a/folds_report.html", "x.mean.variant_scores.tsv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    missed = {"findings": ["Are there enough reads?"], "remedies": {"Are there enough reads?": "Merge replicates. " * 5}}
    folds = folds_content(fold(0, 0.61, **missed, overall="warn"), fold(1, 0.7, **missed), fold(2, 0.45))
    (folder / "folds.html").write_text(render_folds(folds))
    sets = [("a", folds_numbers(replace(folds, title=f"Set {i} " + "long " * i))) for i in range(12)]
    (folder / "index.html").write_text(render_index(sets))
    (folder / "catalogue.html").write_text(render_catalogue([_experiment(i) for i in range(3)]))
    (folder / "catalogue.parquet").write_text("x")
    patterns = [
        found("pos_patterns.pattern_0", 0.2, match("REB1", 1e-7, 0.95), match("SUT1", 0.3, 0.4)),
        found("neg_patterns.pattern_0", -0.2, match("tn5_1", 1e-3, 0.8, True)),
    ]
    (folder / "motifs.html").write_text(render_motifs(patterns, "Motifs of profile contributions", "A search."))
    _write_variants(folder / "variants.html")
    return folder


def _write_variants(page):
    listed, models = _listed(300), ["fold_0", "fold_1"]
    write_variants_page(page, _top(), listed, "my.vcf.gz", len(listed), models, {"too long": 3})
    table = "mean.variant_scores.tsv"
    page.write_text(link_files(page.name, page.read_text(), {table: f"x.{table}"}))


def _write_reports(folder):
    """Write the report of every kind of run, with files as a run has them and motifs beside known ones."""
    files = [
        f"{part}/{name}" for part in ("main", "bias") for name in ("models/x.h5", "evaluation/modisco_profile/motifs.html")
    ]
    files += ["evaluation/modisco_profile/motifs.html", "models/a_very_long_name_" + "of_a_file_" * 6 + ".h5", "hub.txt"]
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    known = np.full((9, 4), 0.05) + 0.8 * np.eye(4)[[0, 1, 2, 3, 0, 1, 2, 3, 0]]
    for kind, page in (("dataset", "run.html"), ("bias", "evaluation/bias.html"), ("main", "evaluation/main.html")):
        content = replace(full_content(kind), title="A sample of a rather long name " * 2, reads=1_000_000)
        unknown = [motif("ACGT" * 8, "unmatched", pattern=f"pos_patterns.pattern_{i}") for i in range(9)]
        matched = [replace(entry, match_pfm=known, distance=41.0) for entry in content.motifs["corrected profile"]]
        content = replace(content, motifs={"bias profile" if kind == "bias" else "corrected profile": [*matched, *unknown]})
        write_report(content, folder / "made")
        html = link_files(page, (folder / "made" / REPORT_HTML).read_text(), {name: name for name in files})
        (folder / page).parent.mkdir(exist_ok=True)
        (folder / page).write_text(html)


def _experiment(i):
    row = {"accession": f"ENCSR00{i}AAA", "assay": "ATAC-seq", "biosample": "Homo sapiens heart, female adult (53 years)"}
    row |= {
        "released": "2024-01-01",
        "state": ("done", "failed", "refused")[i],
        "reason": "no peaks left " * 6,
        "report": "",
    }
    return row | {"link": "", "gpu_hours": 1.5 * i, "cost": 2.0, "pearson_peaks": 0.6 + i / 10, "auroc": 0.9}


def _listed(number):
    rng = np.random.default_rng(0)
    logfc = np.sort(rng.normal(0, 0.3, number))
    return pd.DataFrame(
        {
            "variant_id": [f"rs{i}" for i in range(number)],
            "chr": "chr1",
            "pos": rng.integers(1, 10**8, number),
            "allele1": "A",
            "allele2": ["G", "ACGTACGTACGTACGT"] * (number // 2),
            "logfc.mean": logfc,
            "logfc.sd": 0.1,
            "logfc.sign_agreement": 1.0,
            "jsd.mean": rng.random(number),
            "abs_logfc_x_jsd.mean": np.abs(logfc),
            "closest_gene_1": "GATA1",
            "gene_distance_1": 500,
            "peak_overlap": True,
        }
    )


def _top():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, (2, 2, 400)).astype(np.uint8)
    scores = rng.normal(size=(2, 2, 400, 4))
    return TopVariants(_listed(2), codes, np.array([[100.0, 50.0], [60.0, 70.0]]), rng.normal(size=(2, 2, 200)), scores)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def look(browser, path, width=1400, scheme="light", media="screen"):
    """Open a page in one of the ways; what a reader sees."""
    browser.console.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", media=media, features=features)
    browser.open(path.as_uri())
    browser.wait(f"location.href === {json.dumps(path.as_uri())} && document.readyState === 'complete'")
    return browser.value(LOOK)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("page", HEADINGS)
def test_a_page_is_whole_and_legible(pages, browser, page, way):
    seen = look(browser, pages / page, **WAYS[way])
    assert (seen["sideways"], seen["wide"]) == (0, [])
    assert (seen["broken"], seen["blank"], seen["lost"]) == ([], [], [])
    assert seen["texts"] > 15
    assert seen["pale"] == []
    assert seen["overlapping"] == []
    assert [heading for heading in seen["headings"] if heading in HEADINGS[page]] == list(HEADINGS[page])
    assert seen["folded"] == (
        0 if way == "print" or page not in ("run.html", "evaluation/bias.html", "evaluation/main.html") else 1
    )
    assert browser.console == []
    for link in seen["links"]:
        address = urlsplit(link)
        if not address.scheme and address.path:
            assert ((pages / page).parent / unquote(address.path)).exists(), link


def test_variants_are_sorted_and_found(pages, browser):
    look(browser, pages / "variants.html")
    column = browser.value(
        "[...document.querySelectorAll('#variants thead th')].findIndex(h => h.textContent.startsWith('log2'))"
    )
    values = f"[...document.querySelectorAll('#variants tbody tr')].map(row => Number(row.cells[{column}].dataset.value))"
    press = f"document.querySelectorAll('#variants thead th button')[{column}].click()"
    before = browser.value(values)
    browser.value("document.querySelectorAll('#variants thead th button')[1].click()")
    assert browser.value(values) != before
    browser.value(press)
    assert browser.value(values) == sorted(before)
    browser.value(press)
    assert browser.value(values) == sorted(before, reverse=True)
    browser.value(
        "const box = document.querySelector('#filter'); box.value = 'rs299'; box.dispatchEvent(new Event('input'))"
    )
    assert browser.value("document.querySelector('#found').textContent") == "1 of 300"


def test_what_passed_is_printed_too(pages, browser):
    look(browser, pages / "run.html")
    pdf = pypdfium2.PdfDocument(base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"]))
    text = " ".join(" ".join(page.get_textpage().get_text_bounded().split()) for page in pdf)
    html = (pages / "run.html").read_text().split("<details>", 1)[1].split("</details>")[0]
    titles = [re.sub(r"<[^>]+>", "", title) for title in re.findall(r"<h3>(.*?)</h3>", html)]
    assert len(titles) > 5
    for title in titles:
        assert title in text, title


def test_the_look_finds_faults_where_they_are(browser, tmp_path):
    """The look itself: a page with one fault of each kind."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<!DOCTYPE html><body style='background:#fff'><p style='color:#999'>pale</p><div style='width:3000px'>wide</div>"
        "<img src='none.png'><a href='#none'>lost</a><svg class='picture' width='90' height='30'>"
        "<text x='5' y='20'>one</text><text x='9' y='20'>two</text></svg></body>"
    )
    seen = look(browser, page)
    assert seen["sideways"] > 1000
    assert seen["wide"][0].startswith("<div")
    assert seen["broken"][0].endswith("none.png")
    assert seen["lost"] == ["#none"]
    assert seen["pale"] == ["2.85: pale"]
    assert seen["overlapping"] == ["one | two"]
