"""The picture of GC content: distributions by name, and in words how well nonpeaks match."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chrombpnet_core.report.gc_match import gc_match, gc_match_of_regions


def test_distributions_are_shares_of_regions():
    (axes,) = gc_match(np.linspace(0, 1, 5), {"peaks": [0, 2, 2, 0], "nonpeaks": [0, 1, 3, 0]}).axes
    nonpeaks, peaks = axes.patches
    assert [patch.get_label() for patch in (nonpeaks, peaks)] == ["nonpeaks", "peaks"]
    assert peaks.get_data().values.tolist() == [0, 0.5, 0.5, 0]
    assert nonpeaks.get_data().values.tolist() == [0, 0.25, 0.75, 0]
    assert (nonpeaks.get_fill(), peaks.get_fill()) == (True, False)


def test_nonpeaks_have_the_gc_of_the_candidates_they_were_drawn_from():
    candidates = pd.DataFrame({"chrom": "c", "start": [0, 10, 20, 30], "gc": [0.2, 0.4, 0.4, 0.6]})
    peaks = pd.DataFrame({"chrom": "c", "start": [5], "gc": [0.4]})
    stats = {"train": {"wanted": 2, "by_distance": [1, 1]}}
    figure = gc_match_of_regions(peaks, candidates, candidates.iloc[[1, 3]][["chrom", "start"]], stats)
    (axes,) = figure.axes
    values = {patch.get_label(): patch.get_data().values for patch in axes.patches}
    assert list(values) == ["candidates (4)", "nonpeaks (2)", "peaks (1)"]
    assert values["nonpeaks (2)"][[40, 60]].tolist() == [0.5, 0.5]
    assert values["candidates (4)"][[20, 40, 60]] == pytest.approx([0.25, 0.5, 0.25])
    assert figure.get_suptitle() == "50.0% of the peak's own GC, 100.0% within ±0.01, 0.0% of 2 missing"
