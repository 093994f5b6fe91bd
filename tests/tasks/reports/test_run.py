"""What a report takes from the files of explanation steps."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from chrombpnet_core.motifs import DiscoveredMotif, MotifMatch, write_discovered_motifs
from tasks.reports import example_contributions, motif_entries
from tasks.reports.manifests import circumstances, step_record


def test_motifs_are_those_of_the_file(tmp_path):
    rng = np.random.default_rng(0)
    cwm, pfm = rng.normal(size=(7, 4)), rng.dirichlet(np.ones(4), 7)
    match = MotifMatch("REB1", "MA0363.2", False, 1e-9, 3e-7, 0.9, pfm)
    own = MotifMatch("tn5", "tn5", True, 0.1, 0.2, 0.9, pfm)
    write_discovered_motifs(
        [
            DiscoveredMotif("pos_patterns.pattern_0", 321, cwm, pfm, 0.5, (match, own)),
            DiscoveredMotif("neg_patterns.pattern_0", 20, -cwm, pfm, -0.5, ()),
        ],
        tmp_path / "motifs.json",
    )
    first, second = motif_entries(tmp_path / "motifs.json")
    assert (first.pattern, first.seqlets, first.kind, first.q) == ("pos_patterns.pattern_0", 321, "tf", 3e-7)
    assert first.matches == [("REB1", 3e-7), ("tn5", 0.2)]
    np.testing.assert_allclose(first.match_pfm, pfm, rtol=1e-4)
    np.testing.assert_allclose(first.cwm_fwd, cwm, rtol=1e-4)
    np.testing.assert_allclose(first.cwm_rev, cwm[::-1, ::-1], rtol=1e-4)
    assert (second.kind, second.matches, second.q, second.match_pfm) == ("unmatched", [], 1.0, None)
    with h5py.File(tmp_path / "modisco.h5", "w") as file:
        file.attrs["window_size"] = 100
        file["pos_patterns/pattern_0/seqlets/start"] = np.array([40, 10, 85])
        file["pos_patterns/pattern_0/seqlets/end"] = np.array([60, 30, 95])
    first, second = motif_entries(tmp_path / "motifs.json", tmp_path / "modisco.h5")
    assert (first.distance, second.distance) == (30.0, None)
    write_discovered_motifs([], tmp_path / "none.json")
    assert motif_entries(tmp_path / "none.json") == []


def test_contributions_are_found_by_the_middle_of_their_window(tmp_path):
    profile = np.random.default_rng(0).normal(size=(2, 30, 4)).astype(np.float16)
    np.savez(tmp_path / "x.npz", chroms=np.array(["chrI", "chrII"]), starts=np.array([100, 7]), profile=profile)
    found = example_contributions(tmp_path / "x.npz")
    assert set(found) == {("chrI", 115), ("chrII", 22)}
    np.testing.assert_array_equal(found["chrII", 22], profile[1])
    assert example_contributions(None) == {}
    np.savez(tmp_path / "y.npz", chroms=np.array(["chrI"]), starts=np.array([100]), counts=profile[:1])
    assert example_contributions(tmp_path / "y.npz") == {}


@pytest.mark.parametrize(
    ("name", "recorded", "shown"),
    [
        ("shards", {"title": "Write training examples"}, "Write training examples"),
        ("bias_motifs_counts", {"title": "Find motifs"}, "Find motifs, bias model"),
        ("bias_motifs_counts", {}, "bias_motifs_counts"),
    ],
    ids=["title", "of the bias model", "before titles were recorded"],
)
def test_a_step_is_listed_by_its_title(name, recorded, shown):
    manifest = {"seconds": 1.0, "peak_memory": 2, "cached": True, "key": "k", **recorded}
    assert step_record(name, manifest).title == shown


def test_what_was_run_on_is_found_in_the_manifests():
    manifests = {
        "shards": {"parameters": {"jitter": 0}, "facts": {"peaks": 477}, "started": "2026-11-26T23:59:58+0000"},
        "select_main": {
            "parameters": {"fold": {"train": ["chr1"], "valid": ["chr2"], "test": ["chr3"]}},
            "started": "2026-11-27T00:00:05+0000",
        },
    }
    found = circumstances(manifests, {"genome": "/data/genome.fa.gz"})
    assert found == {
        "genome": "genome.fa.gz",
        "training": ["chr1"],
        "test": ["chr3"],
        "validation": ["chr2"],
        "date": "2026-11-27",
        "peaks": 477,
    }
    del manifests["select_main"]
    manifests["evaluate_bias"] = {"parameters": {"test": ["chrX"]}, "started": "2026-11-25T00:00:00+0000"}
    found = circumstances(manifests, {"genome": "/data/genome.fa.gz", "assembly": "hg38"})
    assert (found["genome"], found["test"], found["validation"]) == ("hg38", ["chrX"], [])
