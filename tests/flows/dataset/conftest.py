"""One undisturbed run of a tiny data set, which the workers of a test run share."""

from __future__ import annotations

import fcntl
import pickle
from pathlib import Path

import pytest

from chrombpnet_core.simulation import TINY, simulate
from tests.flows.dataset.tiny_runs import run_command, write_spec


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id) -> Path:
    """A folder of this test run alone, one for all of its workers."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "tiny_runs"
    folder.mkdir(exist_ok=True)
    return folder


def _made_once(path: Path, make):
    """What ``make`` returns, made by the first worker that asks and read by the others."""
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.write_bytes(pickle.dumps(make()))
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="session")
def simulation(shared_folder):
    """A tiny genome with all three read formats."""
    return _made_once(shared_folder / "simulation", lambda: simulate(shared_folder / "genome", TINY, bgzip=True))


@pytest.fixture(scope="session")
def finished(simulation, shared_folder):
    """An undisturbed run of the whole data set: its folder and what it printed."""
    folder = shared_folder / "finished_run"

    def make():
        return run_command("run", write_spec(simulation, folder, 24), "--store", folder / "store", "--device", "cpu")

    return folder, _made_once(shared_folder / "finished", make)
