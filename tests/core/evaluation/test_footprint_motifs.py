"""Names of motifs for footprints: each has files of its own. The built-in ones: test_enzyme.py."""

from __future__ import annotations

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import footprint_motifs


def test_a_name_that_comes_again_is_numbered():
    assert footprint_motifs.name_motifs([("NRF1", "GC"), ("AP1", "T"), ("NRF1", "CC")]) == {
        "NRF1": "GC",
        "AP1": "T",
        "NRF1_2": "CC",
    }


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["control"], "motif control: .* that of the footprint without a motif"),
        (["a/b", "a_b"], "motif a_b: .* that of motif a/b"),
        (["ctcf", "CTCF"], "motif CTCF: .* that of motif ctcf"),
        (["x", "x", "x_2"], "motif x_2: .* that of motif x_2"),
        (["n" * 101], "at most 100 letters, found 101"),
    ],
)
def test_names_whose_files_would_be_one_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        footprint_motifs.name_motifs((name, "ACGT") for name in names)
