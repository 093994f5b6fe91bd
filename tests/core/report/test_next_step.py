"""What the first lines of a report say: the decision, the next command, the six numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chrombpnet_core.report.content import ReportContent, SelectionSummary
from chrombpnet_core.report.next_step import next_step
from chrombpnet_core.report.rules import RULES
from chrombpnet_core.report.tiles import tiles_of
from chrombpnet_core.report.verdicts import judge
from tests.core.report.contents import full_content, made_footprints, motif, with_r


def decided(kind, **pieces):
    content = ReportContent(kind, "t", "ATAC", **pieces)
    return next_step(content, judge(content))


def factor(value):
    return {"bias": SelectionSummary(threshold_factor=value)}


@pytest.mark.parametrize(
    ("kind", "pieces", "decision", "command"),
    [
        (
            "bias",
            {"motifs": {"bias profile": [motif(q=1e-6)]}, "selection": factor(0.5)},
            "Train the bias model again with -b 0.4.",
            "chrombpnet bias pipeline … -b 0.4",
        ),
        (
            "dataset",
            {"motifs": {"bias profile": [motif(q=1e-6)]}, "selection": factor(0.5)},
            "Train the bias model again with -b 0.4.",
            "chrombpnet run DATASET.yaml    # with bias: {threshold_factor: 0.4}",
        ),
        (
            "main",
            {"footprints": {"chrombpnet_nobias": made_footprints(0.004)}},
            "Train the bias model again with a factor 0.1 higher (-b), then the main model.",
            "",
        ),
        (
            "main",
            {"metrics": with_r(-0.34)},
            "Check that reads and peaks belong together, then train again.",
            "",
        ),
        ("bias", {"reads": 10**9}, "Ready: train the main model with bias.h5.", "chrombpnet pipeline … -b bias.h5"),
        (
            "main",
            {"reads": 10**9},
            "Ready: use chrombpnet_nobias.h5.",
            "chrombpnet pred_bw -cmb chrombpnet_nobias.h5 -r regions.bed -g genome.fa -c chrom.sizes -op predicted",
        ),
        ("main", {}, "Nothing could be judged.", ""),
    ],
    ids=["next factor", "next factor of a data set", "unknown factor", "no factor", "bias model", "main model", "nothing"],
)
def test_one_sentence_decides_and_a_command_follows(kind, pieces, decision, command):
    found = decided(kind, **pieces)
    assert (found.decision, found.command) == (decision, command)
    assert found.summary.startswith(decision)


def test_every_rule_says_in_a_short_sentence_what_to_do():
    for key, rule in RULES.items():
        text = rule.action.format(lower="-b 0.4", higher="-b 0.6")
        assert text.endswith("."), key
        assert 20 < len(text) < 80, key
        assert ("{lower}" in rule.action) <= ("{lower}" in rule.remedy), key
        assert ("{higher}" in rule.action) <= ("{higher}" in rule.remedy), key


def test_six_tiles_hold_the_numbers_people_ask_for():
    content = full_content("main")
    found = {tile.label: tile for tile in tiles_of(content, judge(content))}
    assert [tile.shown for tile in found.values()][:2] == ["30.0 M", "5,000"]
    assert found["r in held-out peaks"].shown == f"{content.metric('chrombpnet', 'counts_metrics', 'peaks', 'pearsonr'):.3f}"
    jsd = found["JSD in held-out peaks"]
    assert float(jsd.shown) == pytest.approx(
        content.metric("chrombpnet", "profile_metrics", "peaks", "median_jsd"), abs=6e-4
    )
    assert "chance has 0." in jsd.note
    footprint = found["largest enzyme footprint"]
    assert (footprint.shown, footprint.status) == ("0.0024", "pass")
    motifs = found["motifs found"]
    assert (motifs.shown, motifs.note) == ("2", "1 of a transcription factor, 1 like no known motif")
    assert len(found) == 6


def test_tiles_of_a_bias_model_are_its_own():
    content = full_content("bias")
    found = {tile.label: tile for tile in tiles_of(content, judge(content))}
    assert list(found) == [
        "reads",
        "nonpeaks to train on",
        "r in held-out nonpeaks",
        "r in held-out peaks",
        "response to the enzyme",
        "motifs found",
    ]
    assert found["nonpeaks to train on"].shown == "3,000"
    assert found["nonpeaks to train on"].note == "with fewer than 20.5 reads (factor 0.5)"
    assert (found["response to the enzyme"].shown, found["response to the enzyme"].status) == ("20 ×", "pass")
    assert "above −0.3 wanted" in found["r in held-out peaks"].note


@pytest.mark.parametrize("kind", ["bias", "main", "dataset"])
def test_numbers_that_are_not_there_are_dashes(kind):
    found = tiles_of(ReportContent(kind, "t", "ATAC"), [])
    assert [tile.shown for tile in found] == ["–"] * 6
    assert {tile.status for tile in found} == {""}


def test_a_warned_tile_says_so():
    content = replace(full_content("main"), reads=1_000_000)
    (reads,) = [tile for tile in tiles_of(content, judge(content)) if tile.label == "reads"]
    assert reads.status == "warn"
