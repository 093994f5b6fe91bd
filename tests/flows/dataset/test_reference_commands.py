"""The reference's commands on a tiny simulated genome: pipelines, quality control, training alone."""

from __future__ import annotations

import json
import re

import pytest

from flows.cli.main import main
from tests.flows.dataset.tiny_runs import (
    outcomes,
    run_here,
)


def test_the_references_commands(simulation, finished, tmp_path, capsys):
    """prep nonpeaks, bias pipeline and pipeline with BAM and a file prefix, as a user of the reference calls them."""
    store = ("--store", finished[0] / "store")
    common = ("-g", simulation.genome, "-c", simulation.sizes, "-p", simulation.peaks, "-fl", simulation.fold)
    run_here(capsys, "prep", "nonpeaks", *common, "-o", tmp_path / "my", "-il", 600, "-st", 200, *store)
    inputs = (
        *common,
        "-ibam",
        simulation.bam,
        "-d",
        "ATAC",
        "-n",
        tmp_path / "my_negatives.bed",
        "-il",
        600,
        "-ol",
        200,
        "-e",
        1,
        "-bs",
        16,
        "-fp",
        "mine",
        *store,
        "--device",
        "cpu",
        "--explain",
        0,
    )
    run_here(capsys, "bias", "pipeline", *inputs, "-b", 0.5, "-fil", 4, "-dil", 3, "-o", tmp_path / "bias")
    bias = tmp_path / "bias" / "models" / "mine_bias.h5"
    out, log = run_here(capsys, "pipeline", *inputs, "-b", bias, "-fil", 4, "-dil", 3, "-j", 50, "-o", tmp_path / "main")
    assert out.strip() == f"report: {tmp_path / 'main' / 'evaluation' / 'mine_overall_report.html'}"
    assert (tmp_path / "main" / "models" / "mine_chrombpnet_nobias.h5").exists()
    assert outcomes(log)["coverage"] == "found"


def test_quality_control_of_given_models_equals_the_run_that_made_them(simulation, finished, tmp_path, capsys):
    """qc and bias qc need a model and inputs alone, in an empty store."""
    out = finished[0] / "out" / "fold_0"
    inputs = (
        "-bw",
        out / "main/auxiliary/data_unstranded.bw",
        "-g",
        simulation.genome,
        "-c",
        simulation.sizes,
        "-d",
        "ATAC",
        "-p",
        simulation.peaks,
        "-n",
        out / "main/auxiliary/negatives.bed",
        "-fl",
        simulation.fold,
        "-bs",
        16,
        "--store",
        tmp_path / "store",
        "--explain",
        0,
    )
    models = out / "main" / "models"
    printed, _ = run_here(
        capsys,
        "qc",
        *inputs,
        "-cm",
        models / "chrombpnet.h5",
        "-cmb",
        models / "chrombpnet_nobias.h5",
        "-o",
        tmp_path / "main",
        "-fp",
        "mine",
    )
    assert printed.strip() == f"report: {tmp_path / 'main' / 'evaluation' / 'mine_overall_report.html'}"
    run_here(capsys, "bias", "qc", *inputs, "-bm", out / "bias/models/bias.h5", "-o", tmp_path / "bias")
    for mine, wanted in (
        ("main/evaluation/mine_chrombpnet_metrics.json", "main/evaluation/chrombpnet_metrics.json"),
        ("main/evaluation/mine_bpnet_quality_metric.json", "../bpnet_quality_metric.json"),
        ("bias/evaluation/bias_metrics.json", "bias/evaluation/bias_metrics.json"),
    ):
        one, other = (_numbers(json.loads(path.read_text())) for path in (tmp_path / mine, out / wanted))
        assert one.keys() == other.keys()
        assert one == pytest.approx(other, rel=1e-5, nan_ok=True), mine
    assert main([*map(str, ("qc", *inputs, "-cm", models / "chrombpnet_nobias.h5", "-o", tmp_path / "x"))]) == 2
    assert "expected a full model" in capsys.readouterr().err


def _numbers(content: dict, prefix: str = "") -> dict[str, float]:
    """All numbers of nested dictionaries by path; None as NaN."""
    flat = {}
    for key, value in content.items():
        flat |= (
            _numbers(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {prefix + key: float("nan") if value is None else value}
        )
    return flat


def test_training_alone_on_a_bigwig_after_a_dry_run(simulation, finished, tmp_path, capsys):
    """-ibw trains on the same regions as the reads did; --dry-run tells what is there and runs nothing."""
    out = finished[0] / "out" / "fold_0"
    arguments = (
        "bias",
        "train",
        "-ibw",
        out / "main/auxiliary/data_unstranded.bw",
        "-d",
        "ATAC",
        "-g",
        simulation.genome,
        "-c",
        simulation.sizes,
        "-p",
        simulation.peaks,
        "-n",
        out / "main/auxiliary/negatives.bed",
        "-fl",
        simulation.fold,
        "-il",
        600,
        "-ol",
        200,
        "-b",
        0.5,
        "-fil",
        4,
        "-dil",
        3,
        "-e",
        1,
        "-bs",
        16,
        "-o",
        tmp_path / "out",
        "--store",
        tmp_path / "store",
    )
    plan, _ = run_here(capsys, *arguments, "--dry-run")
    assert re.findall(r"^(\w+) +would run$", plan, re.M) == [
        "coverage",
        "insertion_logo",
        "shards",
        "library_quality",
        "select_bias",
        "train_bias",
    ]
    assert "host memory" in plan
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))
    printed, _ = run_here(capsys, *arguments)
    assert printed.strip() == f"results: {tmp_path / 'out'}"
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()} == {
        "browser/index.html",
        "models/bias.h5",
        "logs/bias.log",
        "logs/bias.log.batch",
        "logs/events.out.tfevents.bias",
        "logs/bias_model_params.tsv",
        "logs/bias_data_params.tsv",
        "logs/bias.args.json",
        "auxiliary/data_unstranded.bw",
        "auxiliary/filtered.bias_peaks.bed",
        "auxiliary/filtered.bias_nonpeaks.bed",
        "evaluation/bw_shift_qc.png",
        "evaluation/library_quality.json",
        "igv_session.json",
        "igv_session.xml",
        "run.json",
    }
    assert main(["status", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^bias +done at", told, re.M)
    assert re.search(r"^  train_bias +Train the bias model +done at .*, took", told, re.M)
    resumed, log = run_here(capsys, "resume", tmp_path / "out", "--device", "cpu")
    assert resumed.strip() == f"results: {tmp_path / 'out'}"
    assert set(outcomes(log).values()) == {"found"}
    assert main(["clean", str(tmp_path / "out"), "--all"]) == 0
    assert "output of train_bias" in capsys.readouterr().out
    for name in ("logs/bias_data_params.tsv", "auxiliary/filtered.bias_nonpeaks.bed"):
        assert (tmp_path / "out" / name).read_text() == (out / "bias" / name).read_text()
    plan, _ = run_here(capsys, *arguments, "--dry-run")
    assert len(re.findall("in the store", plan)) == 6
