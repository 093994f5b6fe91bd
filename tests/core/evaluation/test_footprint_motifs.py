"""Names of motifs for footprints: each has files of its own. The built-in ones are the reference's."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import footprint_motifs
from chrombpnet_core.genome import ASSAYS
from chrombpnet_core.motifs import jaspar_motifs


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


@pytest.mark.parametrize("taxon", footprint_motifs.FOOTPRINT_TAXA)
def test_every_taxon_has_its_own_factors(taxon):
    factors = footprint_motifs.tf_footprint_motifs(taxon)
    assert 10 <= len(factors) <= 16
    assert {letter for _, sequence in factors for letter in sequence} == set("ACGT")
    assert len(footprint_motifs.name_motifs(factors)) == len(factors)


@pytest.mark.parametrize("taxon", footprint_motifs.FOOTPRINT_TAXA[1:])
def test_best_sites_are_those_of_the_database(taxon):
    """The most frequent base at each position of the matrix that is named, but for its ends."""
    content = json.loads(resources.files("chrombpnet_core.evaluation").joinpath("factor_motifs.json").read_text())
    known = {motif.identifier: motif for motif in jaspar_motifs(taxon)}
    for name, identifier, sequence in content["motifs"][taxon]:
        if identifier in known:  # a release of JASPAR may have a newer version
            assert known[identifier].name == name
            assert sequence in "".join("ACGT"[base] for base in known[identifier].pfm.argmax(axis=1))
    assert sum(identifier in known for _, identifier, _ in content["motifs"][taxon]) >= 8
    assert content["attribution"]["licence"] == "CC BY 4.0"


def test_unknown_taxon():
    with pytest.raises(InputError, match="`taxon` apes; expected one of vertebrates, fungi"):
        footprint_motifs.tf_footprint_motifs("apes")


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
