"""Whole runs of the real command line on a tiny simulated genome: files and report, a second run, another backend."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import unquote

import h5py
import numpy as np

from tests.flows.dataset.tiny_runs import (
    STEPS,
    outcomes,
    run_here,
    write_spec,
)


def test_a_data_set_file_becomes_models_and_a_report(finished):
    folder, run = finished
    out = folder / "out" / "fold_0"
    assert set(outcomes(run.stderr)) == set(STEPS)
    pages = (out / "overall_report.html", folder / "out" / "folds_report.html")
    assert run.stdout.splitlines() == [f"report: {page}" for page in pages]
    for name in (
        "bias/models/bias.h5",
        "bias/logs/bias.log",
        "bias/evaluation/bias_metrics.json",
        "bias/auxiliary/filtered.bias_nonpeaks.bed",
        "main/models/chrombpnet.h5",
        "main/models/chrombpnet_nobias.h5",
        "main/models/bias_model_scaled.h5",
        "main/logs/chrombpnet.log.batch",
        "main/logs/chrombpnet_data_params.tsv",
        "main/logs/chrombpnet.args.json",
        "main/auxiliary/data_unstranded.bw",
        "main/auxiliary/filtered.peaks.bed",
        "main/evaluation/overall_report.html",
        "main/evaluation/chrombpnet_metrics.json",
        "main/evaluation/chrombpnet_nobias_max_bias_response.txt",
        "main/evaluation/epoch_loss.png",
        "main/evaluation/chrombpnet_nobias.tn5_1.footprint.png",
        "main/evaluation/bw_shift_qc.png",
        "main/evaluation/library_quality.json",
        "main/evaluation/overall_report.pdf",
        "main/igv_session.json",
        "main/igv_session.xml",
        "main/browser/index.html",
        "main/tracks/chrombpnet.bw",
        "main/tracks/chrombpnet_nobias.bw",
        "main/tracks/bias.bw",
        "main/tracks/regions.bed",
        "main/auxiliary/interpret_subsample/chrombpnet_nobias.profile_scores.h5",
        "main/auxiliary/interpret_subsample/chrombpnet_nobias.profile_scores.bw",
        "main/auxiliary/interpret_subsample/chrombpnet_nobias.interpreted_regions.bed",
        "main/evaluation/modisco_profile/motifs.html",
        "bias/auxiliary/interpret_subsample/bias.counts_scores.h5",
        "bias/evaluation/modisco_counts/motifs.json",
        "bias/evaluation/modisco_profile/modisco.h5",
    ):
        assert (out / name).stat().st_size > 0, name
    assert (out / "main/evaluation/modisco_profile/hits.bed").exists()  # no motif in so little, and so no site of one
    numbers = json.loads((out / "report.json").read_text())
    assert {"overall", "verdicts", "steps", "provenance"} <= set(numbers)
    assert [step["name"] for step in numbers["steps"]][:2] == ["coverage", "insertion_logo"]
    assert [step["title"] for step in numbers["steps"]][:2] == ["Count insertions", "Draw the insertion logo"]
    with h5py.File(out / "main" / "evaluation" / "chrombpnet_predictions.h5") as file:
        assert file["predictions/profs"].shape[1] == 200
        np.testing.assert_allclose(file["predictions/profs"][:5].sum(axis=1), 1, atol=1e-5)
        assert len(file["coords/coords_chrom"]) == len(file["predictions/logcounts"])


def test_every_link_of_a_page_leads_to_a_file_and_every_file_has_one(finished):
    folder, _ = finished
    out = folder / "out"
    linked = {}
    for page in out.rglob("*.html"):
        addresses = [unquote(unescape(address)) for address in re.findall(r'href="([^"#]+)"', page.read_text())]
        linked[page] = {(page.parent / address).resolve() for address in addresses if "://" not in address}
        assert {path for path in linked[page] if not path.is_file()} == set(), page
    fold = out / "fold_0"
    for report, files in {
        fold / "overall_report.html": fold.rglob("*"),
        fold / "main" / "evaluation" / "overall_report.html": (fold / "main").rglob("*"),
        fold / "bias" / "evaluation" / "overall_report.html": (fold / "bias").rglob("*"),
    }.items():
        assert {path.resolve() for path in files if path.is_file()} - {report.resolve()} == linked[report]
    text = re.sub(r"<[^>]+>", " ", (fold / "overall_report.html").read_text())
    assert "fold 0" in " ".join(text.split())


def test_no_step_depends_on_files_that_hold_times(finished):
    """Reports and TensorBoard's files: made again they differ, and with them would all that depends on them."""

    def origins(value):
        if isinstance(value, dict) and "sha256" in value:
            yield value
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from origins(item)

    manifests = [json.loads(path.read_text()) for path in (finished[0] / "store").glob("*/*/manifest.json")]
    read = [(made["step"], origin) for made in manifests for origin in origins(made["inputs"])]
    timed = ("train_bias", "train_main", "report")
    whole = {
        (step, origin["step"])
        for step, origin in read
        if origin.get("step") in timed and "file" not in origin and origin["sha256"] != origin["key"]
    }
    assert whole == set()
    files = {origin["file"] for _, origin in read if origin.get("step") in timed and "file" in origin}
    assert files == {"bias.h5", "bias.log", "chrombpnet.h5", "chrombpnet.log", "chrombpnet_nobias.h5"}
    assert {step for step, origin in read if origin.get("step") == "report"} == {"folds_report"}  # its manifest


def test_the_same_command_again_recomputes_nothing(simulation, finished, capsys):
    folder, _ = finished
    _, log = run_here(capsys, "run", write_spec(simulation, folder, 24), "--store", folder / "store", "--device", "cpu")
    assert set(outcomes(log).items()) == {(step, "found") for step in STEPS}


def test_a_changed_parameter_reruns_what_depends_on_it(simulation, finished, capsys):
    folder, _ = finished
    spec = write_spec(simulation, folder / "changed", filters=6)
    ran = outcomes(run_here(capsys, "run", spec, "--store", folder / "store", "--device", "cpu")[1])
    assert {step for step, what in ran.items() if what == "started"} == {
        "train_main",
        "evaluate_main",
        "peak_tracks",
        "report",
        "folds_report",
    }
