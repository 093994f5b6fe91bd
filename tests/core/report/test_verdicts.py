"""Verdicts: every threshold, and the words that go with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chrombpnet_core.evaluation import STATUSES, THRESHOLDS
from chrombpnet_core.report import verdicts
from chrombpnet_core.report.content import (
    NonpeakSummary,
    ReportContent,
    SelectionSummary,
    ShiftEvidence,
    format_q_value,
)
from chrombpnet_core.report.rules import OURS, RULES
from tests.core.report.contents import check, full_content, made_footprints, motif, verdict_of, with_r

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("key", "model", "group", "value", "status"),
    [
        ("bias_r_nonpeaks", "bias", "nonpeaks", 0.01, "pass"),
        ("bias_r_nonpeaks", "bias", "nonpeaks", 1e-9, "pass"),
        ("bias_r_nonpeaks", "bias", "nonpeaks", 0.0, "fail"),
        ("bias_r_nonpeaks", "bias", "nonpeaks", -0.2, "fail"),
        ("bias_r_nonpeaks", "bias", "nonpeaks", None, "fail"),
        ("bias_r_peaks", "bias", "peaks", -0.29, "pass"),
        ("bias_r_peaks", "bias", "peaks", -0.3, "warn"),
        ("bias_r_peaks", "bias", "peaks", -0.5, "warn"),
        ("bias_r_peaks", "bias", "peaks", -0.51, "fail"),
        ("bias_r_peaks", "bias", "peaks", None, "warn"),
        ("main_r_peaks", "chrombpnet", "peaks", 0.51, "pass"),
        ("main_r_peaks", "chrombpnet", "peaks", 0.5, "warn"),
        ("main_r_peaks", "chrombpnet", "peaks", 1e-9, "warn"),
        ("main_r_peaks", "chrombpnet", "peaks", 0.0, "fail"),
        ("main_r_peaks", "chrombpnet", "peaks", -0.34, "fail"),
        ("main_r_peaks", "chrombpnet", "peaks", None, "fail"),
    ],
)
def test_correlations(key, model, group, value, status):
    found = verdict_of(key, metrics=with_r(value, model, group))
    assert found.status == status
    assert found.value == value
    assert bool(found.remedy) == (status != "pass")


def test_an_r_that_too_few_regions_leave_undefined_warns():
    metrics = with_r(None)
    metrics["chrombpnet"]["group_sizes"]["peaks"]["regions"] = 2
    assert verdict_of("main_r_peaks", metrics=metrics).status == "warn"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.1234, "r = 0.123"), (0.50001, "r = 0.50001"), (0.4999, "r = 0.4999"), (-1e-5, "r = −0.00001")]
)
def test_what_is_shown_lies_on_the_side_of_the_threshold_that_is_judged(value, shown):
    assert verdict_of("main_r_peaks", metrics=with_r(value)).shown == shown


@pytest.mark.parametrize(("height", "status"), [(0.0024, "pass"), (0.0029, "pass"), (0.003, "fail"), (0.05, "fail")])
def test_footprints_are_judged_as_they_are(height, status):
    found = verdict_of("footprint", footprints={"chrombpnet_nobias": made_footprints(height)})
    assert found.status == status
    assert ("still leave" in found.reason) == (status == "fail")
    assert ("reference program rounds" in found.reason) == (height == 0.0029)  # and so its file says otherwise


@pytest.mark.parametrize(
    ("bias", "corrected", "status", "answer"),
    [
        (0.003, 0.0012, "pass", "Yes"),
        (0.0029, 0.0012, "warn", "Cannot be judged"),
        (0.001, 0.001, "warn", "Cannot be judged"),
        (0.001, 0.004, "fail", "No"),
    ],
)
def test_where_the_bias_model_does_not_respond_the_corrected_one_cannot_be_judged(bias, corrected, status, answer):
    footprints = {"bias": made_footprints(bias), "chrombpnet_nobias": made_footprints(corrected)}
    found = verdict_of("footprint", footprints=footprints)
    assert (found.status, found.answer) == (status, answer)
    response = verdict_of("bias_response", footprints=footprints)
    assert response.status == ("pass" if bias >= 0.003 else "warn")
    assert f"{bias:.4f} (tn5_1)" in response.shown


@pytest.mark.parametrize(
    ("bias", "full", "status"), [(0.35, 0.5, "pass"), (0.36, 0.5, "warn"), (0.5, 0.4, "warn"), (-0.4, 0.5, "pass")]
)
def test_a_bias_model_that_knows_accessibility(bias, full, status):
    metrics = with_r(bias, "bias") | with_r(full)
    selection = {"bias": SelectionSummary(threshold=20.0, threshold_factor=0.5)}
    found = verdict_of("bias_share", metrics=metrics, selection=selection)
    assert found.status == status
    assert ("(-b 0.4)" in found.remedy) == (status == "warn")
    assert not [
        item
        for item in verdicts.judge(ReportContent("dataset", "t", "ATAC", metrics=with_r(bias, "bias")))
        if item.key == "bias_share"
    ]


@pytest.mark.parametrize(
    ("area", "status"), [(0.7, "pass"), (0.69, "warn"), (0.551, "warn"), (0.55, "fail"), (0.5, "fail"), (0.2, "fail")]
)
def test_peaks_against_nonpeaks(area, status):
    metrics = {"chrombpnet": {"classification_metrics": {"auroc": area}}}
    assert verdict_of("main_auroc", metrics=metrics).status == status


@pytest.mark.parametrize(("scale", "status"), [(1.0, "pass"), (0.21, "pass"), (0.19, "warn"), (0.0, "warn")])
def test_predictions_that_are_flatter_than_what_was_observed(scale, status):
    observed = np.random.default_rng(0).normal(5, 1, 60)
    arrays = {
        "observed_logcounts": observed,
        "predicted_logcounts": 5 + scale * (observed - 5),
        "is_peak": np.arange(60) < 40,
    }
    assert verdict_of("main_spread", per_region={"chrombpnet": arrays}).status == status


@pytest.mark.parametrize(
    ("factor", "lower", "higher"),
    [(0.5, "0.4 (-b 0.4)", "0.6 (-b 0.6)"), (0.1, "0.05 (-b 0.05)", "0.2 (-b 0.2)"), (None, "0.1 lower", "0.1 higher")],
)
def test_remedies_name_the_next_factor(factor, lower, higher):
    selection = {"bias": SelectionSummary(threshold=20.0, threshold_factor=factor)}
    entries = {"bias profile": [motif()], "corrected profile": [motif(kind="enzyme")]}
    assert lower in verdict_of("bias_motifs_profile", motifs=entries, selection=selection).remedy
    assert higher in verdict_of("corrected_motifs_profile", motifs=entries, selection=selection).remedy


def test_titles_are_questions_and_every_judged_one_has_an_answer():
    for item in verdicts.judge(full_content()):
        assert "?" in item.title
        assert item.answer or item.status == "info", item.key


def test_only_the_enzymes_motifs_of_the_corrected_model_are_judged():
    content = ReportContent(
        "main",
        "t",
        "ATAC",
        footprints={"chrombpnet": made_footprints(0.1), "chrombpnet_nobias": {"CTCF": made_footprints(0.1)["tn5_1"]}},
    )
    assert verdicts.judge(content) == []


@pytest.mark.parametrize(
    ("summary", "status"),
    [(SelectionSummary(11.5), "pass"), (SelectionSummary(1.0, True), "warn"), (SelectionSummary(1.0), "warn")],
)
def test_loss_weight(summary, status):
    assert verdict_of("loss_weight_main", selection={"main": summary}).status == status


@pytest.mark.parametrize(
    ("reads", "genome", "status", "words"),
    [
        (25_000_000, None, "pass", "25,000,000"),
        (24_000_000, 3_100_000_000, "warn", "24,000,000"),
        (1_000_000, None, "warn", "below what models have been trained on"),
        (829_936, 12_157_105, "pass", "12.2 Mb"),
        (20_000, 12_157_105, "warn", "as dense as 5 M"),
    ],
)
def test_depth_is_seen_against_the_genome(reads, genome, status, words):
    found = verdict_of("reads", reads=reads, genome_size=genome)
    assert (found.status, found.value) == (status, reads)
    assert words in found.reason


@pytest.mark.parametrize(
    ("shift", "status", "words"),
    [
        (ShiftEvidence(4, -4, False, {"+": {"a": 4}, "-": {"a": -4}}), "pass", "All 2"),
        (ShiftEvidence(4, -4, True, {"+": {"a": 4}, "-": {"a": -4}}), "pass", "as you stated"),
        (ShiftEvidence(4, -4, True, {"+": {"a": 0}, "-": {"a": -4}}), "warn", "a (+) votes 0"),
        (ShiftEvidence(4, -4, False, {"+": {"a": 4}, "-": {"a": -9}}), "fail", "a (-) votes −9"),
        (ShiftEvidence(4, -4, True), "info", "stated, not estimated"),
        (ShiftEvidence(4, -4), "warn", "no evidence"),
    ],
)
def test_shift(shift, status, words):
    found = verdict_of("shift", shift=shift)
    assert found.status == status
    assert words in found.reason
    assert found.shown == "plus +4, minus −4 bp"


@pytest.mark.parametrize(("made", "status"), [(90, "pass"), (89, "warn"), (50, "warn"), (49, "fail")])
def test_nonpeak_shortage(made, status):
    assert verdict_of("nonpeaks_made", nonpeaks=NonpeakSummary(100, made)).status == status


@pytest.mark.parametrize(("kept", "status"), [(1000, "pass"), (999, "warn"), (100, "warn"), (99, "fail"), (0, "fail")])
def test_training_regions(kept, status):
    assert verdict_of("training_regions_main", selection={"main": SelectionSummary(peaks_kept=kept)}).status == status
    bias = SelectionSummary(nonpeaks_kept=kept)
    assert verdict_of("training_regions_bias", selection={"bias": bias}).status == status


def test_too_many_peaks():
    assert verdict_of("most_peaks_main", selection={"main": SelectionSummary(peaks=250_001)}).status == "warn"
    assert not verdicts.judge(ReportContent("main", "t", "ATAC", selection={"main": SelectionSummary(peaks=250_000)}))


@pytest.mark.parametrize(("empty", "status"), [(5, "pass"), (6, "warn")])
def test_peaks_without_reads(empty, status):
    sizes = {"group_sizes": {"peaks": {"regions": 100, "without_reads": empty}}}
    assert verdict_of("without_reads", metrics={"bias": sizes}).status == status


def test_bias_threshold_is_information():
    found = verdict_of("bias_threshold", selection={"bias": SelectionSummary(threshold=20.905, threshold_factor=0.5)})
    assert found.status == "info"
    assert "factor 0.5" in found.shown


@pytest.mark.parametrize(
    ("losses", "status"),
    [
        ([9, 7, 8], "pass"),
        ([9, 8, 7], "warn"),
        ([9, 7.001, 7], "pass"),
        ([9, 7.1, 7], "warn"),
        ([9], "warn"),
        ([9, 9], "pass"),
    ],
)
def test_training_that_was_cut_short(losses, status):
    rows = [{"epoch": i, "loss": 1.0, "val_loss": loss, "best": loss == min(losses)} for i, loss in enumerate(losses)]
    assert verdict_of("training_bias", history={"bias": rows}).status == status


def test_few_regions_are_no_warning_where_the_truth_is_known():
    few = {"main": SelectionSummary(peaks_kept=400), "bias": SelectionSummary(nonpeaks_kept=99)}
    assert verdict_of("training_regions_main", selection=few).status == "warn"
    assert verdict_of("training_regions_main", selection=few, truth=[check(0.9)]).status == "info"
    assert verdict_of("training_regions_bias", selection=few, truth=[check(0.9)]).status == "fail"


@pytest.mark.parametrize(
    ("item", "status"),
    [
        (check(0.5), "pass"),
        (check(0.49), "fail"),
        (check(0.4, at_least=False), "pass"),
        (check(0.5, at_least=False), "fail"),
        (check(float("nan")), "fail"),
    ],
)
def test_truth(item, status):
    assert verdict_of("truth_1", truth=[item]).status == status


def test_profile_distance_is_never_judged():
    found = verdict_of("profile_bias", metrics={"bias": {"profile_metrics": {"peaks": {"median_jsd": 0.8}}}})
    assert found.status == "info"
    assert "no cut-off" in found.wanted


def test_every_threshold_is_used_and_worst_come_first():
    found = verdicts.judge(full_content())
    assert [STATUSES.index(item.status) for item in found] == sorted(STATUSES.index(item.status) for item in found)
    used = {key for item in found for key in THRESHOLDS if item.key.startswith(key)}
    assert used == set(THRESHOLDS) - {"most_peaks"}
    assert set(RULES) == set(THRESHOLDS)
    assert verdicts.worst(found) == found[0].status
    assert verdicts.worst([]) == "info"


def test_the_documentation_has_every_rule():
    rows = (ROOT / "docs" / "verdicts.md").read_text().splitlines()
    for key, rule in RULES.items():
        (row,) = [row for row in rows if row.startswith(f"| {rule.title} |")]
        assert row.split("|")[-2].strip().startswith("ours" if rule.source == OURS else rule.source), key


def test_what_was_not_given_is_named():
    assert len(verdicts.not_judged(ReportContent("dataset", "t", "ATAC"))) == 12
    for kind in ("main", "bias", "dataset"):
        assert verdicts.not_judged(full_content(kind)) == []
    factors, enzymes = verdicts.not_judged(replace(full_content(), motifs={}))
    assert factors.startswith("motifs of transcription factors in the bias model")
    assert enzymes.startswith("enzyme motifs in the corrected model")


@pytest.mark.parametrize(
    ("entries", "status", "words"),
    [
        ([motif(q=9e-5)], "fail", "like REB1"),
        ([motif(q=1e-4)], "warn", "1 of 1"),
        ([motif(q=0.02), motif(q=1e-7, name="ABF1"), motif("GCAC", "enzyme")], "fail", "2 of 3 motifs"),
        ([motif(kind="enzyme", q=1e-9), motif(kind="unmatched")], "pass", "No motif of the bias model matches a known"),
        ([], "info", "No motif recurs"),
    ],
)
def test_factors_in_the_bias_model(entries, status, words):
    for head in ("profile", "counts"):
        found = verdict_of(f"bias_motifs_{head}", motifs={f"bias {head}": entries})
        assert found.status == status
        assert words in found.reason
        assert ("0.1 lower" in found.remedy) == (status in ("warn", "fail"))


@pytest.mark.parametrize(
    ("entries", "status", "words"),
    [
        ([motif(), motif(kind="unmatched")], "pass", "None of the 2"),
        ([motif(), motif(kind="enzyme", q=0.04, pattern="pos_patterns.pattern_7")], "fail", "pos_patterns.pattern_7"),
        ([], "warn", "No motif recurs"),
    ],
)
def test_enzymes_in_the_corrected_model(entries, status, words):
    found = verdict_of("corrected_motifs_profile", motifs={"corrected profile": entries})
    assert found.status == status
    assert words in found.reason
    assert bool(found.remedy) == (status != "pass")


def test_the_noise_floor_is_information():
    found = verdict_of("noise_floor", noise_floor={"counts": 0.97, "profile": 0.932})
    assert (found.status, found.value, found.shown) == ("info", 0.932, "r = 0.970 (counts), 0.932 (profile)")
    assert not verdicts.judge(ReportContent("main", "t", "ATAC", noise_floor={"counts": float("nan")}))


@pytest.mark.parametrize(
    ("q", "shown"), [(0.2, "0.200"), (0.0012, "0.001"), (3.2e-7, "3×10⁻⁷"), (1e-12, "1×10⁻¹²"), (0.0, "0")]
)
def test_q_values_as_people_read_them(q, shown):
    assert format_q_value(q) == shown
