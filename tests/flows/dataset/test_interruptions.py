"""A run that is told to end writes its checkpoint."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from tests.flows.dataset.tiny_runs import start_training, write_spec


def test_a_training_that_is_told_to_end_writes_its_checkpoint(simulation, tmp_path):
    """SIGTERM, as schedulers send it before they kill."""
    arguments = ("run", write_spec(simulation, tmp_path, epochs=500), "--store", tmp_path / "store", "--device", "cpu")
    process = start_training(arguments, tmp_path)
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
