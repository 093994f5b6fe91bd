"""The files of a report, and numbers that a program can read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from chrombpnet_core.plots import write_svg
from chrombpnet_core.report import pictures as report_pictures
from chrombpnet_core.report import run_report as report
from chrombpnet_core.report.content import (
    ExampleRegion,
    ReportContent,
)
from chrombpnet_core.report.tables import format_number, tables
from tests.core.report.contents import check, full_content


def test_report_files(tmp_path):
    content = replace(full_content(), examples=(), per_region={}, truth=[check(float("nan"))])
    paths = report.write_report(content, tmp_path / "evaluation")
    assert [path.name for path in paths] == [
        "overall_report.html",
        "overall_report.pdf",
        "report.json",
        "chrombpnet_mqc.json",
    ]
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
    numbers = {"seconds": 5000.0, "peak_memory": 2**31, "cached": False, "key": "ab" * 32}
    assert found["steps"][0] == {"name": "train", "title": ""} | numbers


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
