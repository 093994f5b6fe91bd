"""Folds in processes of their own: what SIGTERM does to them, their threads, and whose files they import."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from flows.cli.main import main
from tests.flows.dataset.test_folds import GOOD, OTHER, bias_model, simulation, write_folds  # noqa: F401 (fixtures)


def _server() -> str:
    """That of this process, which is up already."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return str(client.api_url)


def _computing_threads(pid: int) -> int:
    """Threads that TensorFlow computes with, as Linux counts them."""
    return sum(path.read_text().startswith("tf_Compute") for path in Path(f"/proc/{pid}/task").glob("*/comm"))


def test_sigterm_reaches_folds_in_processes_which_write_checkpoints(simulation, bias_model, tmp_path, capsys):  # noqa: F811
    """Both folds train when SIGTERM comes; a ``tasks.py`` and an ``infra.py`` of the user's lie in the current folder."""
    for name in ("tasks.py", "infra.py"):
        (tmp_path / name).write_text("raise SystemExit('a file of the user was imported')")
    long = {"filters": 8, "layers": 4, "epochs": 300, "jitter": 50}
    spec = write_folds(
        simulation,
        tmp_path,
        bias={"model": str(bias_model)},
        folds=[GOOD, OTHER],
        folds_at_once=2,
        model=long,
        training={"batch_size": 16, "device": "cpu", "patience": 300},
    )
    command = [sys.executable, "-m", "flows.cli", "run", str(spec), "--store", str(tmp_path / "store"), "--threads", "6"]
    environment = os.environ | {"PREFECT_API_URL": _server()}
    del environment["PYTHONSAFEPATH"]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)
    deadline = time.monotonic() + 300
    checkpoints = tmp_path / "store" / "checkpoints" / "train_main"
    while len(list(checkpoints.glob("*/state.npz"))) < 2:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = [child for child in psutil.Process(process.pid).children() if "run" in child.cmdline()]
    assert len(children) == 2
    assert [_computing_threads(child.pid) for child in children] == [3, 3]  # of six
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    told = (tmp_path / "log").read_text()
    assert len(re.findall(r"^fold [01] \| chrombpnet: interrupted; the same command goes on", told, re.M)) == 2
    assert not (tmp_path / "store" / "train_main").exists()
    capsys.readouterr()
    assert main(["status", str(tmp_path / "out")]) == 0
    assert (
        len(
            re.findall(
                r"^  train_main +Train the main model +interrupted, goes on from there", capsys.readouterr().out, re.M
            )
        )
        == 2
    )
    assert main(["clean", str(spec)]) == 0
    assert len(re.findall(r"checkpoint of train_main", capsys.readouterr().out)) == 2
