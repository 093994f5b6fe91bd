"""The file for MultiQC: by the rules of its documentation of custom content, with the numbers of the report."""

from __future__ import annotations

import json
import re

import pytest

from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.multiqc import MULTIQC_FILE, multiqc_content
from tests.core.report.contents import full_content

FOUND = re.compile(r".+_mqc\.(yaml|yml|json|txt|csv|tsv|log|out|png|jpg|jpeg|gif|webp|tiff|html|md)")
"""Names that MultiQC takes for custom content."""

SECTION_KEYS = {"id", "section_name", "description", "plot_type", "pconfig", "headers", "data", "namespace"}
COLUMN_KEYS = {"title", "description", "namespace", "min", "max", "scale", "format", "suffix", "hidden", "placement"}
"""Keys that a section and a column of the General Statistics table may have."""


@pytest.mark.parametrize("kind", ["bias", "main", "dataset"])
def test_it_is_such_custom_content_as_the_documentation_says(kind):
    assert FOUND.fullmatch(MULTIQC_FILE)
    assert FOUND.fullmatch(f"my_{MULTIQC_FILE}")
    content = json.loads(json.dumps(multiqc_content(full_content(kind)), allow_nan=False))
    assert set(content) <= SECTION_KEYS
    assert content["plot_type"] == "generalstats"
    assert isinstance(content["pconfig"], list)
    assert all(len(column) == 1 for column in content["pconfig"])
    columns = {key: shown for column in content["pconfig"] for key, shown in column.items()}
    assert len(columns) == len(content["pconfig"])
    for shown in columns.values():
        assert set(shown) <= COLUMN_KEYS
        assert {"title", "description", "namespace"} <= set(shown)
        assert "format" not in shown or shown["format"].format(0.5)
    ((sample, numbers),) = content["data"].items()
    assert sample == "Sample <b>7</b> & more fold_0"
    assert set(numbers) <= set(columns)
    assert all(isinstance(value, int | float) or key.endswith("verdict") for key, value in numbers.items())
    for key, value in numbers.items():
        if isinstance(value, int | float):
            assert columns[key].get("min", value) <= value <= columns[key].get("max", value)


def test_numbers_are_those_of_the_report():
    content = full_content("main")
    (numbers,) = multiqc_content(content)["data"].values()
    assert numbers == {
        "verdict": numbers["verdict"],
        "reads": 30_000_000,
        "peaks": 5000,
        "r_peaks": content.metric("chrombpnet", "counts_metrics", "peaks", "pearsonr"),
        "auroc": content.metrics["chrombpnet"]["classification_metrics"]["auroc"],
        "jsd_peaks": content.metric("chrombpnet", "profile_metrics", "peaks", "median_jsd"),
        "jsd_chance": content.metric("chrombpnet", "chance_metrics", "peaks", "median_jsd"),
        "footprint": 0.0024,
        "motifs": 2,
    }
    assert numbers["verdict"] in ("pass", "warn", "fail")
    (numbers,) = multiqc_content(full_content("bias"))["data"].values()
    assert numbers["bias_nonpeaks"] == 3000
    assert numbers["bias_response"] == 0.02


def test_files_of_one_run_do_not_overwrite_each_other():
    bias, main = (multiqc_content(full_content(kind)) for kind in ("bias", "main"))
    assert bias["id"] != main["id"]
    assert multiqc_content(full_content("dataset")) == main
    names = [{key for column in content["pconfig"] for key in column} for content in (bias, main)]
    assert not names[0] & names[1]


def test_what_is_absent_or_undefined_is_left_out():
    content = multiqc_content(
        ReportContent("main", "t", "ATAC", metrics={"chrombpnet": {"classification_metrics": {"auroc": float("nan")}}})
    )
    assert content["data"] == {"t": {"verdict": "warn"}}  # as the undefined number warns
    assert len(content["pconfig"]) == 9
