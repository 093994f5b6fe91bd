"""Known motifs: JASPAR by taxon, MEME files and their refusals, the enzymes' own."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.motifs import (
    KnownMotif,
    enzyme_patterns,
    jaspar_motifs,
    jaspar_release,
    read_database,
    read_meme,
)

HEAD = "MEME version 5\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
MATRIX = "letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0\n0.25 0.25 0.25 0.25\n 1.0\t0 0 0\n"


@pytest.fixture(scope="module")
def vertebrates() -> list[KnownMotif]:
    return read_database("jaspar:vertebrates")


def written(tmp_path, text):
    path = tmp_path / "motifs.meme"
    path.write_text(text)
    return path


def test_jaspar_holds_latest_versions_by_taxon(vertebrates):
    assert jaspar_release() >= "JASPAR2026"
    by_name = {motif.name: motif for motif in vertebrates}
    ctcf = by_name["CTCF"]
    assert ctcf.identifier.startswith(("MA0139.", "MA1929.", "MA1930."))
    families = [motif.identifier.split(".")[0] for motif in vertebrates if motif.identifier.startswith("MA")]
    assert len(families) == len(set(families)) > 900
    fungi = {motif.name for motif in jaspar_motifs("fungi")}
    assert {"REB1", "ABF1"} <= fungi
    assert "CTCF" not in fungi
    for motif in vertebrates:
        np.testing.assert_allclose(motif.pfm.sum(axis=1), 1, atol=0.02, err_msg=motif.name)


def test_an_unknown_taxon_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"jaspar:birds: no such taxon.*fungi.*vertebrates"):
        read_database("jaspar:birds")


def test_the_enzymes_motifs_are_always_there_and_known_as_such(vertebrates, tmp_path):
    own = enzyme_patterns()
    assert {motif.name for motif in own} >= {"TN5_1", "TN5_8", "DNASE_1", "DNASE_6"}
    assert all(motif.enzyme for motif in own)
    assert [motif for motif in vertebrates if motif.enzyme] == own
    given_too = read_database(written(tmp_path, HEAD + f"MOTIF TN5_1\n{MATRIX}MOTIF X y\n{MATRIX}"))
    assert sum(motif.identifier == "TN5_1" for motif in given_too) == 1
    assert len(given_too[0].pfm) == 2
    assert [motif.name for motif in given_too if not motif.enzyme] == ["y"]


@pytest.mark.parametrize("name", ["motifs.meme", "motifs.meme.gz"])
def test_a_meme_file_is_read(tmp_path, name):
    background = "Background letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n\n"
    text = f"{HEAD}{background}MOTIF M1 Zif268\n\n{MATRIX}URL http://x\nMOTIF\tM2\n{MATRIX}"
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    one, two = read_meme(path)
    assert (one.name, one.identifier, two.name, two.identifier) == ("Zif268", "M1", "M2", "M2")
    np.testing.assert_array_equal(one.pfm, [[0.25] * 4, [1, 0, 0, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MOTIF a\n" + MATRIX, "line 1; expected MEME version"),
        (HEAD, "no motifs"),
        (HEAD + "MOTIF a\n", "motif a has no matrix"),
        (HEAD + f"MOTIF a\n{MATRIX}MOTIF a\n{MATRIX}", "motif a is given twice"),
        (HEAD + MATRIX, "expected a MOTIF line before"),
        (HEAD + "MOTIF\n" + MATRIX, "an identifier after MOTIF"),
        (HEAD.replace("ACGT", "ACDEFGHIKLMNPQRSTVWY"), "expected ALPHABET= ACGT"),
        (HEAD + "MOTIF a\n" + MATRIX.replace("w= 2", "w= 3"), "row 3 of 3"),
        (HEAD + "MOTIF a\n" + MATRIX.replace("w= 2", ""), "number of rows as w= N"),
        (HEAD + "MOTIF a\n" + MATRIX.replace("w= 2", "w= 0"), "number of rows as w= N"),
        (HEAD + "MOTIF a\n" + MATRIX.replace("1.0", "0.5"), "add up to 1"),
        (HEAD + "MOTIF a\n" + MATRIX.replace("1.0\t0", "2\t-1"), "add up to 1"),
        (HEAD + "MOTIF a\n" + MATRIX.replace("1.0", "nan"), "add up to 1"),
        (HEAD + "MOTIF a\n" + MATRIX.replace("1.0", "one"), "add up to 1"),
    ],
    ids=[
        "no version",
        "empty",
        "no matrix",
        "twice",
        "no name",
        "bare",
        "protein",
        "short",
        "no width",
        "width 0",
        "sum",
        "negative",
        "nan",
        "word",
    ],
)
def test_a_meme_file_of_another_form_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_meme(written(tmp_path, text))


def test_the_references_motifs_are_read(shared):
    motifs = read_meme(shared / "data" / "motifs" / "motifs.meme.txt")
    assert len(motifs) == 2193
    learnt = {motif.name: motif for motif in motifs if motif.enzyme}
    assert len(learnt) == 14
    for motif in enzyme_patterns():
        whole = learnt[motif.name].pfm
        assert any(np.allclose(motif.pfm, whole[at : at + len(motif.pfm)], atol=2e-3) for at in range(len(whole)))
