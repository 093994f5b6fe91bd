"""Whole runs of the real command line on a tiny simulated genome: what several test modules share."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import yaml

from flows.cli.main import main

SIZES = {"input_length": 600, "output_length": 200}


STEPS = [
    "coverage",
    "insertion_logo",
    "nonpeaks",
    "shards",
    "library_quality",
    "select_bias",
    "train_bias",
    "evaluate_bias",
    "select_main",
    "scale_bias",
    "train_main",
    "evaluate_main",
    "peak_tracks",
    "contributions",
    "motifs_counts",
    "motifs_profile",
    "motif_hits_profile",
    "report",
    "folds_report",
]


def write_spec(simulation, folder: Path, explained: int = 0, **model) -> Path:
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


def command_of(*arguments) -> list[str]:
    return [sys.executable, "-m", "flows.cli.main", *map(str, arguments)]


def run_command(*arguments) -> subprocess.CompletedProcess:
    run = subprocess.run(command_of(*arguments), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run


def servers_of(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if any("prefect.server" in word for word in child.cmdline())]


def run_here(capsys, *arguments) -> tuple[str, str]:
    """Run a command in this process, whose server and backend are up already: standard output and error."""
    capsys.readouterr()
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return printed.out, printed.err


def outcomes(log: str) -> dict[str, str]:
    """Step → ``started`` or ``found``, as the log says."""
    return {
        step: "found" if "found" in what else "started"
        for step, what in re.findall(r"^\d\d:\d\d:\d\d  (\w+): (started|found in the store)", log, re.M)
    }


def weights_of(path: Path) -> list[np.ndarray]:
    found = []
    with h5py.File(path) as file:
        file["model_weights"].visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def start_training(arguments, folder: Path) -> subprocess.Popen:
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
