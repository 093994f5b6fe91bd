"""Runs that are told to end, or killed: checkpoints, resumption, one seed one result."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil

from tests.flows.dataset.tiny_runs import (
    command_of,
    outcomes,
    run_command,
    servers_of,
    weights_of,
    write_spec,
)


def _start_training(arguments, folder: Path) -> subprocess.Popen:
    """A run that has begun to train the main model anew."""
    for left in folder.glob("store/checkpoints/train_main/*/state.npz"):
        left.unlink()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command_of(*arguments), stderr=log, stdout=log)
    deadline = time.monotonic() + 300
    while not list(folder.glob("store/checkpoints/train_main/*/state.npz")):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_training_that_is_told_to_end_writes_its_checkpoint(simulation, tmp_path):
    """SIGTERM, as schedulers send it before they kill."""
    arguments = ("run", write_spec(simulation, tmp_path, epochs=500), "--store", tmp_path / "store", "--device", "cpu")
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
    arguments = ("run", write_spec(simulation, tmp_path), "--store", tmp_path / "store", "--device", "cpu")
    process = _start_training(arguments, tmp_path)
    servers = servers_of(process.pid)
    process.kill()
    process.wait()
    assert not (tmp_path / "store" / "train_main").exists()
    run = run_command(*arguments)
    assert servers
    assert not any(server.is_running() and server.status() != psutil.STATUS_ZOMBIE for server in servers)
    assert re.search(r"resuming at epoch \d, step \d+", run.stderr)
    assert outcomes(run.stderr)["train_bias"] == "found"
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
        for mine, yours in zip(weights_of(one / name), weights_of(other / name), strict=True):
            np.testing.assert_array_equal(mine, yours)
