"""Twenty interruptions of one training at random moments: kill -9, SIGTERM, a disk that takes no more.

After each the store holds nothing half-written and no epoch is lost that a checkpoint held; in the end all is as if there
had been none.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from chrombpnet_core.simulation import TINY, simulate

TRIALS, EPOCHS = 20, 150
SMALL = 30_000  # bytes that a file may have once the disk is full: less than a checkpoint


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """The arguments of a pipeline run but for store and output: a tiny genome, its nonpeaks and a bias model."""
    folder = tmp_path_factory.mktemp("inputs")
    simulation = simulate(folder / "sim", TINY, bgzip=True)
    common = ("-g", simulation.genome, "-c", simulation.sizes, "-p", simulation.peaks, "-fl", simulation.fold)
    store = ("--store", folder / "store")
    _finish(_start("prep", "nonpeaks", *common, "-o", folder / "my", "-il", 600, "-st", 200, *store))
    sizes = (
        *common,
        "-n",
        folder / "my_negatives.bed",
        "-ifrag",
        simulation.fragments,
        "-d",
        "ATAC",
        "-il",
        600,
        "-ol",
        200,
        "-bs",
        16,
        "--device",
        "cpu",
    )
    _finish(_start("bias", "train", *sizes, "-b", 0.5, "-fil", 4, "-dil", 3, "-e", 2, "-o", folder / "bias", *store))
    return (
        "pipeline",
        *sizes,
        "-b",
        folder / "bias/models/bias.h5",
        "-fil",
        8,
        "-dil",
        4,
        "-j",
        50,
        "-e",
        EPOCHS,
        "-es",
        EPOCHS,
    )


def _start(*arguments, log: Path | None = None) -> subprocess.Popen:
    where = open(log, "a") if log else subprocess.DEVNULL  # noqa: SIM115 (the process keeps it)
    return subprocess.Popen([sys.executable, "-m", "flows.cli.main", *map(str, arguments)], stdout=where, stderr=where)


def _finish(process: subprocess.Popen) -> None:
    assert process.wait() == 0


def _epochs(store: Path) -> int:
    """Epochs that the checkpoint holds, which must be whole; 0 before the first."""
    path = next(iter(store.glob("checkpoints/train_main/*/state.npz")), None)
    if path is None:
        return 0
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert all(np.isfinite(values).all() for values in arrays.values())
    return len(json.loads(arrays["words"].tobytes())["epochs"])


def _check_store(store: Path) -> None:
    """Every step that claims to have happened has all its files."""
    for manifest in store.glob("*/*/manifest.json"):
        content = json.loads(manifest.read_text())
        for name, entry in content["files"].items():
            assert (manifest.parent / content.get("place", "") / name).stat().st_size == entry["size"], manifest


def _interrupt(process: subprocess.Popen, how: str) -> None:
    if how == "full disk":
        psutil.Process(process.pid).rlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))
    else:
        process.send_signal(signal.SIGKILL if how == "kill -9" else signal.SIGTERM)
    status = process.wait(timeout=120)
    expected = {"kill -9": -signal.SIGKILL, "SIGTERM": 128 + signal.SIGTERM, "full disk": 1}[how]
    assert status == expected, how


def _weights(path: Path) -> list[np.ndarray]:
    found = []
    with h5py.File(path) as file:
        file["model_weights"].visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def test_twenty_interruptions_change_nothing(inputs, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    _finish(_start(*inputs, "--store", whole / "store", "-o", whole / "out"))
    rng = random.Random(1)
    arguments = (*inputs, "--store", cut / "store", "-o", cut / "out")
    cut.mkdir()
    before = 0
    for trial in range(TRIALS):
        how = rng.choice(["kill -9", "SIGTERM", "full disk"])
        process = _start(*arguments, log=cut / "log")
        deadline = time.monotonic() + 180
        while "train_main: started" not in (cut / "log").read_text().split(f"trial {trial}\n")[-1]:
            assert process.poll() is None, (cut / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 5))
        assert process.poll() is None, "the training ended before it was interrupted: raise EPOCHS"
        _interrupt(process, how)
        with open(cut / "log", "a") as log:
            log.write(f"trial {trial + 1}\n")
        _check_store(cut / "store")
        now = _epochs(cut / "store")
        print(f"trial {trial + 1}: {how}, checkpoint of {now} epochs")
        assert now >= before
        before = now
    assert before > 0
    _finish(_start(*arguments, log=cut / "log"))
    for name in ("evaluation/chrombpnet_metrics.json", "logs/chrombpnet.log", "logs/chrombpnet.log.batch"):
        assert (whole / "out" / name).read_text() == (cut / "out" / name).read_text(), name
    for mine, yours in zip(*(_weights(run / "out/models/chrombpnet.h5") for run in (whole, cut)), strict=True):
        np.testing.assert_array_equal(mine, yours)
