"""Known motifs: JASPAR by taxon, MEME files and their refusals, the enzymes' own, TOMTOM's matches and q-values."""

from __future__ import annotations

import gzip
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.motifs import (
    KnownMotif,
    enzyme_patterns,
    jaspar_motifs,
    jaspar_release,
    match_motifs,
    motif_similarity,
    read_database,
    read_meme,
)
from chrombpnet_core.simulation import cut_scores

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


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_q_values_are_benjamini_and_hochbergs(p):
    known = [KnownMotif(str(number), str(number), np.full((6, 4), 0.25)) for number in range(len(p))]
    with patch("memelite.tomtom", lambda queries, targets: (np.array([p]),)):
        (matches,) = match_motifs([np.full((6, 4), 0.25)], known, most=len(p))
    q = {int(match.name): match.q for match in matches}
    for number, value in enumerate(p):
        expected = min(1.0, *(other * len(p) / sum(one <= other for one in p) for other in p if other >= value), 1.0)
        assert q[number] == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_a_motif_matches_itself_on_either_strand(vertebrates):
    known = next(motif for motif in vertebrates if motif.name == "GATA4")
    forward, reverse = match_motifs([known.pfm, known.pfm[::-1, ::-1]], vertebrates)
    for matches, pfm in ((forward, known.pfm), (reverse, known.pfm[::-1, ::-1])):
        assert matches[0].identifier == known.identifier
        assert matches[0].q < 1e-6
        np.testing.assert_array_equal(matches[0].pfm, pfm)
        assert matches[0].q <= matches[1].q <= matches[2].q
        assert all(match.q >= match.p for match in matches)


def test_random_sequences_match_nothing(vertebrates):
    rng = np.random.default_rng(3)
    dull = [rng.dirichlet(np.full(4, 3.0), 20) for _ in range(40)]
    sharp = [rng.dirichlet(np.full(4, 0.2), 12) for _ in range(40)]
    for pfms in (dull, sharp):
        matches = match_motifs(pfms, vertebrates)
        assert sum(best[0].called for best in matches) <= 4
        assert not any(best[0].called and best[0].enzyme for best in matches)
    assert match_motifs([], vertebrates) == []


@pytest.mark.parametrize(("assay", "enzyme"), [("ATAC", "TN5"), ("DNASE", "DNASE")])
def test_what_the_enzyme_prefers_is_known_as_its_own(vertebrates, assay, enzyme):
    """Base frequencies of the windows that the reference matrices score highest."""
    scores = cut_scores(assay, 1.0)
    windows = np.random.default_rng(4).integers(0, 4, (200_000, len(scores)))
    preference = scores[np.arange(len(scores)), windows].sum(axis=1)
    pfm = np.eye(4)[windows[np.argsort(preference)[-400:]]].mean(axis=0)
    (matches,) = match_motifs([pfm], vertebrates)
    assert matches[0].called
    assert matches[0].name.startswith(enzyme)


def test_similarity_is_that_of_the_best_alignment():
    rng = np.random.default_rng(1)
    known = rng.dirichlet(np.full(4, 0.3), 12)
    alike, turned = motif_similarity(known[::-1, ::-1], known)
    assert (alike, turned) == (pytest.approx(1), True)
    assert motif_similarity(known[3:9], known)[0] == pytest.approx(1)
    beyond = np.linalg.norm(known[3:9] - 0.25) / np.linalg.norm(known - 0.25)
    assert motif_similarity(known, known[3:9])[0] == pytest.approx(beyond)
    assert motif_similarity(np.full((8, 4), 0.25), known)[0] == -1
