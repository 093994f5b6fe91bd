"""Folds side by side: what fails alone, what goes on, what is done again; the choice of the bias threshold factor."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.simulation import TINY, simulate
from flows.cli.main import main
from flows.dataset.failures import Failure, FoldsFailed, Job
from flows.dataset.fan_out import _Child, gpus_of_slot, in_processes
from flows.dataset.step_outline import outline
from flows.spec import read_spec
from tasks.runs import parts_of, run_id

GOOD = {"train": ["chr1", "chr2", "chr4", "chr6", "chr7"], "valid": ["chr5"], "test": ["chr3"]}
OTHER = {"train": ["chr1", "chr2", "chr5", "chr6", "chr7"], "valid": ["chr4"], "test": ["chr3"]}
BAD = {"train": ["chr1", "chr2", "chr4", "chr5", "chr6"], "valid": ["chr7"], "test": ["chr3"]}


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    """A tiny genome; the peaks of chr7 are within the jitter of its end, so that none of them can validate."""
    found = simulate(tmp_path_factory.mktemp("tiny"), TINY, bgzip=True)
    lines = [line.split("\t") for line in found.peaks.read_text().splitlines()]
    first = next(line for line in lines if line[0] == "chr7")
    moved = [first[0], "100", "520", *first[3:9], "210"]
    kept = [line for line in lines if line[0] != "chr7"]
    found.peaks.write_text("".join("\t".join(line) + "\n" for line in [*kept, moved]))
    return found


@pytest.fixture(scope="module")
def bias_model(tmp_path_factory):
    """A bias model that nobody trained."""
    from chrombpnet_core.devices import find_device

    find_device()
    from chrombpnet_core.models import Architecture, bpnet, draw_weights, save_model

    model = bpnet(Architecture(filters=4, layers=3, input_length=600, output_length=200))
    draw_weights(model, 2)
    path = tmp_path_factory.mktemp("bias") / "bias.h5"
    save_model(model, path)
    return path


def write_folds(simulation, folder: Path, **changed) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "id": "tiny",
        "assay": "ATAC",
        "reads": {"fragments": [str(simulation.fragments)]},
        "genome": str(simulation.genome),
        "chrom_sizes": str(simulation.sizes),
        "peaks": str(simulation.peaks),
        "folds": [GOOD, BAD],
        "input_length": 600,
        "output_length": 200,
        "background": {"stride": 200},
        "bias": {"filters": 4, "layers": 3, "epochs": 2},
        "model": {"filters": 8, "layers": 4, "epochs": 2, "jitter": 50},
        "training": {"batch_size": 16, "device": "cpu"},
        "explanation": {"peaks": 0},
        "output": str(folder / "out"),
    } | changed
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def _outcomes(log: str, of: str = "") -> dict[str, str]:
    """Step → ``started`` or ``found``, as the log says."""
    lines = re.findall(rf"^{re.escape(of)}\d\d:\d\d:\d\d  (\w+): (started|found in the store)", log, re.M)
    return {step: what.split()[0] for step, what in lines}


@pytest.fixture(scope="module")
def half(simulation, bias_model, tmp_path_factory):
    """A run whose second fold has failed: its folder, data set file and store."""
    folder = tmp_path_factory.mktemp("half")
    spec, store = write_folds(simulation, folder, bias={"model": str(bias_model)}), folder / "store"
    return folder, spec, store, main(["run", str(spec), "--store", str(store)])


def test_a_failed_fold_leaves_the_other_running_and_is_told(half, capsys):
    folder, spec, store, ended = half
    assert ended == 2
    assert (folder / "out" / "fold_0" / "overall_report.html").exists()
    assert not (folder / "out" / "bpnet_quality_metric.json").exists()
    assert main(["status", str(folder / "out")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^fold_0 +done at", told, re.M)
    assert re.search(r"^fold_1 +failed at .*: no peaks left on the valid chromosomes", told, re.M)
    assert re.search(r"^  select_main +Select regions for the main model +failed at", told, re.M)
    assert re.search(r"^  train_main +Train the main model +not begun", told, re.M)
    record = parts_of(str(store), run_id(str(folder / "out")))
    wanted = outline(read_spec(str(spec)))
    assert list(wanted) == ["shared", "fold_0", "fold_1", "together"]
    for part in ("shared", "fold_0"):
        assert set(record[part]["steps"]) == set(wanted[part])


def test_the_mended_data_set_runs_the_failed_fold_alone(simulation, bias_model, half, capsys):
    folder, _, store, _ = half
    spec = write_folds(
        simulation, folder, bias={"model": str(bias_model)}, folds=[GOOD, OTHER], publish=str(folder / "public")
    )
    capsys.readouterr()
    assert main(["run", str(spec), "--store", str(store), "--fold", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == f"report: {folder / 'out' / 'fold_1' / 'overall_report.html'}"
    assert _outcomes(printed.err)["train_main"] == "started"
    assert main(["resume", str(folder / "out")]) == 2  # what is on record is the broken data set
    assert "fold 1 failed: no peaks left" in capsys.readouterr().err
    assert main(["run", str(spec), "--store", str(store)]) == 0
    printed = capsys.readouterr()
    steps = _outcomes(printed.err)
    assert {step for step, what in steps.items() if what == "started"} == {
        "average_models",
        "average_tracks",
        "folds_report",
        "bundle",
    }
    assert printed.out.splitlines() == [
        f"report: {folder / 'out' / name}"
        for name in ("fold_0/overall_report.html", "fold_1/overall_report.html", "folds_report.html")
    ]
    for name in (
        "bpnet_quality_metric.json",
        "ensemble/models/chrombpnet_nobias.h5",
        "ensemble/tracks/chrombpnet_nobias.bw",
        "ensemble/igv_session.json",
    ):
        assert (folder / "out" / name).exists(), name
    numbers = json.loads((folder / "out" / "folds_report.json").read_text())
    assert [fold["report"] for fold in numbers["folds"]] == [f"fold_{i}/overall_report.html" for i in range(2)]
    assert numbers["agreement"]["chrombpnet_nobias"]["folds"] == 2
    bundle = folder / "public" / "tiny"
    manifest = json.loads((bundle / "manifest.json").read_text())
    for page in (folder / "out" / "folds_report.html", bundle / "folds_report.html"):
        links = re.findall(r'href="([^"#]+)"', page.read_text())
        assert len(links) > 2
        assert [link for link in links if not (page.parent / link).exists()] == []
    assert {"models/tiny.models.tar", "models/tiny.ensemble.chrombpnet_nobias.h5", "folds_report.html"} <= set(
        manifest["files"]
    )
    assert main(["status", str(folder / "out")]) == 0
    assert "not begun" not in capsys.readouterr().out
    assert main(["index", str(folder)]) == 0
    assert capsys.readouterr().out == f"index: {folder / 'index.html'}\n"
    page = (folder / "index.html").read_text()
    assert "out/folds_report.html" in page
    assert "public/tiny/folds_report.html" in page
    assert main(["run", str(spec), "--store", str(store), "--fold", "2"]) == 2
    assert "expected 0 to 1" in capsys.readouterr().err


def test_a_bias_threshold_factor_is_chosen_on_a_fold_that_was_made(simulation, half, tmp_path, capsys):
    _, _, store, _ = half
    spec = write_folds(
        simulation, tmp_path, folds=2, bias={"filters": 4, "layers": 3, "epochs": 1, "threshold_factor": [0.5, 0.001]}
    )
    capsys.readouterr()
    assert main(["run", str(spec), "--store", str(store), "--bias-only"]) == 0
    assert capsys.readouterr().out.strip() == f"table: {tmp_path / 'out' / 'bias_sweep.json'}"
    table = json.loads((tmp_path / "out" / "bias_sweep.json").read_text())
    assert table["chosen"] == 0.5
    assert [(row["factor"], row["chosen"], "error" in row) for row in table["candidates"]] == [
        (0.5, True, False),
        (0.001, False, True),
    ]
    assert (tmp_path / "out" / "bias_sweep" / "0.5.html").exists()
    tested = [json.loads((tmp_path / "out" / f"fold_{i}.json").read_text())["test"] for i in range(2)]
    assert not set(tested[0]) & set(tested[1])
    assert sorted(tested[0] + tested[1]) == [f"chr{i}" for i in range(1, 8)]
    assert main(["run", str(spec), "--store", str(store), "--dry-run"]) == 0
    plan = capsys.readouterr().out
    assert plan.count("train_bias       in the store") == 1


def test_errors_of_the_users_in_processes_are_told_as_such(simulation, tmp_path):
    spec = read_spec(str(write_folds(simulation, tmp_path, folds_at_once=2, genome=str(tmp_path / "absent.fa"))))
    (failure,) = in_processes(spec, str(tmp_path / "store"), [Job(1)])
    assert (failure.job, failure.user) == (Job(1), True)
    assert "absent.fa: no such file" in failure.reason
    assert FoldsFailed([failure], 2).exit_status == 2


def test_a_killed_process_is_no_error_of_the_users():
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"], stdout=subprocess.PIPE, text=True
    )
    child = _Child(Job(3), 0, process)
    process.kill()
    process.wait()
    assert child.failure() == Failure(Job(3), "killed by SIGKILL", user=False)


def test_what_is_told_of_failed_folds():
    error = FoldsFailed([Failure(Job(4), "disk full", False), Failure(Job(1), "no peaks", True)], 5)
    assert str(error).splitlines()[:2] == ["fold 1 failed: no peaks", "fold 4 failed: disk full"]
    assert "2 of 5 failed" in str(error).splitlines()[2]
    assert error.exit_status == 1


@given(st.integers(1, 8), st.integers(0, 8), st.integers(1, 4))
def test_gpus_are_dealt_evenly(slots, number, each):
    gpus = [str(i) for i in range(number)]
    dealt = [gpus_of_slot(slot, gpus, each) for slot in range(slots)]
    for mine in dealt:
        assert len(mine) == len(set(mine)) == min(each, number)
    uses = [sum(gpu in mine for mine in dealt) for gpu in gpus]
    if number >= each:
        assert max(uses, default=0) - min(uses, default=0) <= 1


def test_a_folds_process_ends_with_the_one_that_started_it():
    """However that ended: kill -9 leaves no time to tell."""
    child = (
        "import time; from flows.dataset.fan_out import end_with_parent; end_with_parent(); print('up', flush=True)\n"
        "time.sleep(90)"
    )
    parent = (
        f"import os, subprocess, sys, time\nos.environ['CHROMBPNET_PARENT'] = str(os.getpid())\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\nprint(child.pid, flush=True)\ntime.sleep(90)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
