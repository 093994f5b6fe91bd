"""Names of motifs for footprints: each has files of its own. The built-in ones are the reference's."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import footprint_motifs
from chrombpnet_core.genome import ASSAYS


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


@pytest.mark.golden
def test_motifs_equal_the_reference_files(shared):
    def pairs(name):
        text = (shared / "data" / "motifs" / f"motif_to_pwm.{name}.tsv").read_text()
        return [tuple(field.strip() for field in line.split("\t")) for line in text.splitlines()]

    assert footprint_motifs.tf_footprint_motifs() == pairs("TF")
    assert [name for name, _ in footprint_motifs.tf_footprint_motifs()].count("NRF1") == 2
    for assay in ASSAYS:
        assert list(footprint_motifs.enzyme_footprint_motifs(assay).items()) == pairs(assay)


def test_motifs_are_bases_only():
    sequences = [sequence for _, sequence in footprint_motifs.tf_footprint_motifs()]
    sequences += [sequence for assay in ASSAYS for sequence in footprint_motifs.enzyme_footprint_motifs(assay).values()]
    assert len(sequences) == 14 + 5 + 2
    assert set("".join(sequences)) == set("ACGT")


@pytest.mark.parametrize(("room", "name"), [("motifs", "enzyme_motifs.json"), ("evaluation", "footprint_motifs.json")])
def test_files_say_where_they_come_from(room, name):
    attribution = json.loads(resources.files(f"chrombpnet_core.{room}").joinpath(name).read_text())["attribution"]
    assert "kundajelab/chrombpnet" in attribution["source"]
    assert attribution["licence"].startswith("MIT")
    assert len(attribution["commit"]) == 40


def test_unknown_assay():
    with pytest.raises(InputError, match="expected ATAC or DNASE"):
        footprint_motifs.enzyme_footprint_motifs("atac")


def test_users_motifs(tmp_path):
    path = tmp_path / "motifs.tsv"
    path.write_text("# name, sequence\nNRF1\ttgcgcatg\nNRF1 GCGCANN\n\n")
    assert footprint_motifs.read_footprint_motifs(path) == [("NRF1", "TGCGCATG"), ("NRF1", "GCGCANN")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("own\tACXT\n", "line 1: sequence of motif own; expected letters A, C, G, T or N, found 'X'"),
        ("a\tACG\nb\n", "line 2; expected a motif's name, a tab and its sequence"),
        ("# none\n", "no motifs"),
    ],
)
def test_users_motifs_refused(tmp_path, text, message):
    path = tmp_path / "motifs.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        footprint_motifs.read_footprint_motifs(path)
