"""Matches of motifs with known ones: TOMTOM's p-values, q-values over the database, the best alignment."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.motifs import KnownMotif, match_motifs, motif_similarity, read_database
from chrombpnet_core.simulation import cut_scores


@pytest.fixture(scope="module")
def vertebrates() -> list[KnownMotif]:
    return read_database("jaspar:vertebrates")


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
