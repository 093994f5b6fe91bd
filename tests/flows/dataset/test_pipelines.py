"""Whole runs of the real command line on a tiny simulated genome: layout, rerun, kill -9 and resume, one seed one result."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import yaml

from chrombpnet_core.simulation import TINY, simulate
from flows.cli.main import main

SIZES = {"input_length": 600, "output_length": 200}
STEPS = [
    "coverage",
    "insertion_logo",
    "nonpeaks",
    "shards",
    "select_bias",
    "train_bias",
    "evaluate_bias",
    "select_main",
    "scale_bias",
    "train_main",
    "evaluate_main",
    "contributions",
    "motifs_counts",
    "motifs_profile",
    "motif_hits_profile",
    "report",
    "folds_report",
]


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    """A tiny genome with all three read formats."""
    return simulate(tmp_path_factory.mktemp("tiny"), TINY, bgzip=True)


def _write_spec(simulation, folder: Path, explained: int = 0, **model) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "id": "tiny",
        "assay": "ATAC",
        "reads": {"fragments": [str(simulation.fragments)]},
        "genome": str(simulation.genome),
        "chrom_sizes": str(simulation.sizes),
        "peaks": str(simulation.peaks),
        "folds": [str(simulation.fold)],
        **SIZES,
        "background": {"stride": 200},
        "bias": {"filters": 4, "layers": 3, "epochs": 2},
        "model": {"filters": 8, "layers": 4, "epochs": 6, "jitter": 50} | model,
        "training": {"batch_size": 16},
        "explanation": {"peaks": explained, "max_seqlets": 100},
        "output": str(folder / "out"),
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def _command(*arguments) -> list[str]:
    return [sys.executable, "-m", "flows.cli.main", *map(str, arguments)]


def _run(*arguments) -> subprocess.CompletedProcess:
    run = subprocess.run(_command(*arguments), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run


def _servers_of(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if any("prefect.server" in word for word in child.cmdline())]


def _here(capsys, *arguments) -> tuple[str, str]:
    """Run a command in this process, whose server and backend are up already: standard output and error."""
    capsys.readouterr()
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return printed.out, printed.err


def _outcomes(log: str) -> dict[str, str]:
    """Step → ``started`` or ``found``, as the log says."""
    return {
        step: "found" if "found" in what else "started"
        for step, what in re.findall(r"^\d\d:\d\d:\d\d  (\w+): (started|found in the store)", log, re.M)
    }


def _weights(path: Path) -> list[np.ndarray]:
    found = []
    with h5py.File(path) as file:
        file["model_weights"].visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


@pytest.fixture(scope="module")
def finished(simulation, tmp_path_factory):
    """An undisturbed run of the whole data set: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, _run("run", _write_spec(simulation, folder, 24), "--store", folder / "store", "--device", "cpu")


def test_a_data_set_file_becomes_models_and_a_report(finished):
    folder, run = finished
    out = folder / "out" / "fold_0"
    assert set(_outcomes(run.stderr)) == set(STEPS)
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
        "main/evaluation/overall_report.pdf",
        "main/igv_session.json",
        "main/igv_session.xml",
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
    with h5py.File(out / "main" / "evaluation" / "chrombpnet_predictions.h5") as file:
        assert file["predictions/profs"].shape[1] == 200
        np.testing.assert_allclose(file["predictions/profs"][:5].sum(axis=1), 1, atol=1e-5)
        assert len(file["coords/coords_chrom"]) == len(file["predictions/logcounts"])


def test_the_same_command_again_recomputes_nothing(simulation, finished, capsys):
    folder, _ = finished
    _, log = _here(capsys, "run", _write_spec(simulation, folder, 24), "--store", folder / "store", "--device", "cpu")
    assert set(_outcomes(log).items()) == {(step, "found") for step in STEPS}


def test_a_changed_parameter_reruns_what_depends_on_it(simulation, finished, capsys):
    folder, _ = finished
    spec = _write_spec(simulation, folder / "changed", filters=6)
    outcomes = _outcomes(_here(capsys, "run", spec, "--store", folder / "store", "--device", "cpu")[1])
    assert {step for step, what in outcomes.items() if what == "started"} == {
        "train_main",
        "evaluate_main",
        "report",
        "folds_report",
    }


def _start_training(arguments, folder: Path) -> subprocess.Popen:
    """A run that has begun to train the main model anew."""
    for left in folder.glob("store/checkpoints/train_main/*/state.npz"):
        left.unlink()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(_command(*arguments), stderr=log, stdout=log)
    deadline = time.monotonic() + 300
    while not list(folder.glob("store/checkpoints/train_main/*/state.npz")):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_training_that_is_told_to_end_writes_its_checkpoint(simulation, tmp_path):
    """SIGTERM, as schedulers send it before they kill."""
    arguments = ("run", _write_spec(simulation, tmp_path, epochs=500), "--store", tmp_path / "store", "--device", "cpu")
    process = _start_training(arguments, tmp_path)
    (path,) = tmp_path.glob("store/checkpoints/train_main/*/state.npz")
    first = _steps(path)
    time.sleep(0.5)
    process.terminate()
    assert process.wait(timeout=60) == 128 + 15
    assert "interrupted; the same command goes on" in (tmp_path / "log").read_text()
    assert _steps(path) > first
    assert not (tmp_path / "store" / "train_main").exists()


def _steps(checkpoint: Path) -> int:
    with np.load(checkpoint) as state:
        return len(state["batches"])


def test_a_killed_training_resumes_and_ends_as_an_undisturbed_one(simulation, finished, tmp_path):
    """kill -9 after the first checkpoints of the main model; thresholds, regions and weights equal those of the other."""
    folder, _ = finished
    arguments = ("run", _write_spec(simulation, tmp_path), "--store", tmp_path / "store", "--device", "cpu")
    process = _start_training(arguments, tmp_path)
    servers = _servers_of(process.pid)
    process.kill()
    process.wait()
    assert not (tmp_path / "store" / "train_main").exists()
    run = _run(*arguments)
    assert servers
    assert not any(server.is_running() and server.status() != psutil.STATUS_ZOMBIE for server in servers)
    assert re.search(r"resuming at epoch \d, step \d+", run.stderr)
    assert _outcomes(run.stderr)["train_bias"] == "found"
    one, other = folder / "out" / "fold_0", tmp_path / "out" / "fold_0"
    for name in (
        "main/evaluation/chrombpnet_metrics.json",
        "bias/evaluation/bias_metrics.json",
        "main/logs/chrombpnet.log",
        "main/logs/chrombpnet.log.batch",
        "main/logs/chrombpnet_data_params.tsv",
        "bias/logs/bias_data_params.tsv",
        "main/auxiliary/filtered.nonpeaks.bed",
        "bias/auxiliary/filtered.bias_nonpeaks.bed",
        "main/auxiliary/filtered.peaks.bed",
    ):
        assert (one / name).read_text() == (other / name).read_text(), name
    for name in ("bias/models/bias.h5", "main/models/chrombpnet.h5"):
        for mine, yours in zip(_weights(one / name), _weights(other / name), strict=True):
            np.testing.assert_array_equal(mine, yours)


def test_the_references_commands(simulation, finished, tmp_path, capsys):
    """prep nonpeaks, bias pipeline and pipeline with BAM and a file prefix, as a user of the reference calls them."""
    store = ("--store", finished[0] / "store")
    common = ("-g", simulation.genome, "-c", simulation.sizes, "-p", simulation.peaks, "-fl", simulation.fold)
    _here(capsys, "prep", "nonpeaks", *common, "-o", tmp_path / "my", "-il", 600, "-st", 200, *store)
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
    _here(capsys, "bias", "pipeline", *inputs, "-b", 0.5, "-fil", 4, "-dil", 3, "-o", tmp_path / "bias")
    bias = tmp_path / "bias" / "models" / "mine_bias.h5"
    out, log = _here(capsys, "pipeline", *inputs, "-b", bias, "-fil", 4, "-dil", 3, "-j", 50, "-o", tmp_path / "main")
    assert out.strip() == f"report: {tmp_path / 'main' / 'evaluation' / 'mine_overall_report.html'}"
    assert (tmp_path / "main" / "models" / "mine_chrombpnet_nobias.h5").exists()
    assert _outcomes(log)["coverage"] == "found"


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
    printed, _ = _here(
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
    _here(capsys, "bias", "qc", *inputs, "-bm", out / "bias/models/bias.h5", "-o", tmp_path / "bias")
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
    plan, _ = _here(capsys, *arguments, "--dry-run")
    assert re.findall(r"^(\w+) +would run$", plan, re.M) == [
        "coverage",
        "insertion_logo",
        "shards",
        "select_bias",
        "train_bias",
    ]
    assert "host memory" in plan
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))
    printed, _ = _here(capsys, *arguments)
    assert printed.strip() == f"results: {tmp_path / 'out'}"
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()} == {
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
        "igv_session.json",
        "igv_session.xml",
    }
    for name in ("logs/bias_data_params.tsv", "auxiliary/filtered.bias_nonpeaks.bed"):
        assert (tmp_path / "out" / name).read_text() == (out / "bias" / name).read_text()
    plan, _ = _here(capsys, *arguments, "--dry-run")
    assert len(re.findall("in the store", plan)) == 5


def test_jax_does_the_same_job(simulation, finished, tmp_path):
    """The same data set on Keras with JAX: same regions, same first weights, so nearly the same model."""
    folder, _ = finished
    run = _run(
        "run", _write_spec(simulation, tmp_path), "--store", tmp_path / "store", "--device", "cpu", "--backend", "jax"
    )
    assert "on Keras/jax" in run.stderr
    one, other = (
        json.loads((place / "out/fold_0/main/evaluation/chrombpnet_metrics.json").read_text())
        for place in (folder, tmp_path)
    )
    assert one["group_sizes"] == other["group_sizes"]
    jsd = [metrics["profile_metrics"]["peaks"]["median_jsd"] for metrics in (one, other)]
    assert jsd[0] == pytest.approx(jsd[1], rel=1e-3)
    losses = [
        np.loadtxt(place / "out/fold_0/main/logs/chrombpnet.log", delimiter=",", skiprows=1) for place in (folder, tmp_path)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-3)
