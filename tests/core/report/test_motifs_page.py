"""The page of a motif search: cards of motifs, their matches, and what is said where there are none."""

from __future__ import annotations

import numpy as np

from chrombpnet_core.motifs import DiscoveredMotif, MotifMatch
from chrombpnet_core.report.motifs_page import render_motifs


def matrix(letters, high, low=0.0):
    weights = np.full((len(letters), 4), low)
    weights[np.arange(len(letters)), ["ACGT".index(letter) for letter in letters]] = high
    return weights


def found(pattern, weight, *matches):
    return DiscoveredMotif(pattern, 1234, matrix("TTACCCG", weight), matrix("TTACCCG", 0.85, 0.05), 7 * weight, matches)


def match(name, q, similarity, enzyme=False):
    return MotifMatch(name, f"{name}.1", enzyme, q, q, similarity, matrix("TTACCCG", 0.85, 0.05))


def test_a_card_says_what_a_motif_does_and_is_like():
    motifs = [
        found("pos_patterns.pattern_0", 0.2, match("REB1", 1e-7, 0.95), match("<SUT1>", 0.3, 0.4)),
        found("neg_patterns.pattern_0", -0.2, match("tn5_1", 1e-3, 0.8, True)),
        found("pos_patterns.pattern_1", 0.1),
    ]
    page = render_motifs(motifs, "Motifs of profile contributions", "A search.")
    for words in (
        "Pattern 0 (raises the prediction)",
        "Pattern 0 (lowers the prediction)",
        "1,234 sites, mean contribution +1.4",
        "mean contribution −1.4",
        '<td class="q">1×10⁻⁷</td>',
        '<tr class="weak"><th scope="row">&lt;SUT1&gt;',
        "Transcription factor: <b>1</b>",
        "Enzyme: <b>1</b>",
        "No match: <b>1</b>",
        "q is below 0.05",
    ):
        assert words in page, words
    assert page.count("<svg") == 3 * 2 + 3


def test_no_motifs_are_a_result():
    assert "No motifs found" in render_motifs([], "Motifs", "A search.")
