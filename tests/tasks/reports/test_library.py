"""What a report shows of the library, out of the outputs of steps."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from chrombpnet_core.training_data import NONPEAK, PEAK
from tasks.reports.library import counts_of_regions, read_library
from tests.core.report.contents import library


def test_counts_of_regions_by_kind(tmp_path):
    kinds = np.array([PEAK, NONPEAK, PEAK], dtype=np.uint8)
    pd.DataFrame({"id": range(3), "kind": kinds, "counts": [5, 1, 7]}).to_parquet(tmp_path / "index.parquet")
    found = counts_of_regions(tmp_path / "index.parquet")
    assert {name: values.tolist() for name, values in found.items()} == {"peaks": [5, 7], "nonpeaks": [1]}
    assert counts_of_regions(None) == {}


def test_a_library_reads_back(tmp_path):
    (tmp_path / "library.json").write_text(json.dumps(library().to_json()))
    assert read_library(tmp_path / "library.json") == library()
    assert read_library(None) is None
