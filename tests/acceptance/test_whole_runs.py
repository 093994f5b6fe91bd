"""What takes longer: whole runs of a tiny data set on JAX and killed while a model is trained; two devices on JAX."""

from __future__ import annotations

import json
import re

import numpy as np
import psutil
import pytest

from tests.core.training.test_step import share_a_batch
from tests.flows.dataset.conftest import finished, shared_folder, simulation  # noqa: F401 (fixtures)
from tests.flows.dataset.tiny_runs import outcomes, run_command, servers_of, start_training, weights_of, write_spec


def test_jax_does_the_same_job(simulation, finished, tmp_path):  # noqa: F811
    """The same data set on Keras with JAX: same regions, same first weights, so nearly the same model."""
    folder, _ = finished
    run = run_command(
        "run", write_spec(simulation, tmp_path), "--store", tmp_path / "store", "--device", "cpu", "--backend", "jax"
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


def test_a_killed_training_resumes_and_ends_as_an_undisturbed_one(simulation, finished, tmp_path):  # noqa: F811
    """kill -9 after the first checkpoints of the main model; thresholds, regions and weights equal those of the other."""
    folder, _ = finished
    arguments = ("run", write_spec(simulation, tmp_path), "--store", tmp_path / "store", "--device", "cpu")
    process = start_training(arguments, tmp_path)
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


def test_two_devices_share_a_batch_on_jax(tmp_path):
    share_a_batch("jax", tmp_path)
