"""The page of the catalogue: what it shows, and that nothing in it is taken as markup or as code."""

from __future__ import annotations

import re

from chrombpnet_core.report.catalogue import render_catalogue

ROW = {
    "accession": "ENCSR001AAA",
    "assay": "ATAC-seq",
    "biosample": "heart",
    "released": "2026-01-01",
    "state": "new",
    "reason": "",
    "report": "",
    "link": "",
    "gpu_hours": None,
    "cost": None,
}


def _cells(page: str, accession: str) -> list[str]:
    row = re.search(rf"<tr data-state[^>]*>(?:(?!</tr>).)*{accession}.*?</tr>", page, re.S)[0]
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]


def test_states_numbers_reasons_and_links_are_shown():
    done = ROW | {
        "accession": "ENCSR002AAA",
        "state": "done",
        "pearson_peaks": 0.7123,
        "gpu_hours": 30.0,
        "cost": 75.5,
        "report": "ENCSR002AAA/a b/folds_report.html",
        "link": "http://127.0.0.1:4200/runs/flow-run/1",
    }
    refused = ROW | {"accession": "ENCSR003AAA", "state": "refused", "reason": "the sample is perturbed"}
    page = render_catalogue([refused, done, ROW])
    assert "<h1>3 ENCODE experiments</h1>" in page
    assert "1 new, 1 done, 1 refused. 30.0 GPU hours, cost 75.50." in page
    assert _cells(page, "ENCSR002AAA") == [
        "ENCSR002AAA",
        "✓ done · report · run",
        "ATAC-seq",
        "heart",
        "2026-01-01",
        "0.712",
        "30.0",
        "75.50",
    ]
    assert _cells(page, "ENCSR003AAA")[1] == "– refusedthe sample is perturbed"
    assert 'href="./ENCSR002AAA/a%20b/folds_report.html"' in page
    assert page.index("ENCSR001AAA") < page.index("ENCSR003AAA")  # what was refused comes last


def test_an_empty_catalogue_has_a_page():
    assert "No experiment has been looked at yet." in render_catalogue([])


def test_nothing_is_markup_and_only_web_links_are_links():
    page = render_catalogue(
        [
            ROW
            | {
                "biosample": "<script>alert(1)</script>",
                "reason": '"><img src=x>',
                "state": "odd",
                "report": "gs://bucket/report.html",
                "link": "javascript:alert(1)",
            }
        ]
    )
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "javascript:" not in page
    assert "gs://" not in page
    assert page.count("<script>") == 1
