"""Whether bias is corrected: whose motif one is, maxima, verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import Footprint, bias_correction


def test_enzymes_are_told_by_the_motifs_names():
    assert bias_correction.motifs_by_enzyme(["CTCF", "Tn5_1", "my_dnase", "tn5_2"]) == {
        "tn5": ["Tn5_1", "tn5_2"],
        "dnase": ["my_dnase"],
    }
    assert bias_correction.motifs_by_enzyme(["CTCF"]) == {}


def test_response_is_the_maximum_and_leaves_the_control_out():
    found = {"control": np.array([9.0, 1]), "a": Footprint(np.array([0.1, 0.5]), 3.0), "b": np.array([0.2, 0.1])}
    assert bias_correction.bias_response(found) == {"a": 0.5, "b": 0.2}
    assert bias_correction.bias_response(found, ["b"]) == {"b": 0.2}


@pytest.mark.parametrize(
    ("maxima", "text"),
    [
        ((0.0024, 0.0021), "corrected_0.002_0.002/0.002"),
        ((0.0012, 0.0024), "corrected_0.002_0.001/0.002"),
        ((0.0026, 0.001), "uncorrected_0.002_0.003/0.001"),
        ((0.003, 0.012), "uncorrected_0.008_0.003/0.012"),
        ((0.0004,), "corrected_0.0_0.0"),
    ],
)
def test_verdict_is_on_rounded_maxima(maxima, text):
    verdict = bias_correction.bias_verdict({f"tn5_{i}": value for i, value in enumerate(maxima)})
    assert verdict.text == text
    assert verdict.corrected == text.startswith("corrected")


def test_verdict_needs_a_motif():
    with pytest.raises(InputError, match="no enzyme motifs"):
        bias_correction.bias_verdict({})
