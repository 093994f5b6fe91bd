"""Every kind of step is interrupted once by kill -9 and once by SIGTERM, and the commands of one step by Ctrl-C, too.

All end within ten seconds with the signal's exit code, leave no process and nothing half-written, and go on to results that
equal those of an undisturbed run. ``-s`` prints the table: step, signal, seconds, exit code, and what became of the rest.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
import psutil
import pytest
import yaml
from pyfaidx import Fasta

from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, bpnet, save_model
from chrombpnet_core.simulation import TINY, simulate
from tests.flows.dataset.tiny_runs import command_of, weights_of, write_spec

STEPS = (
    "coverage",
    "nonpeaks",
    "shards",
    "train_bias",
    "train_main",
    "evaluate_main",
    "peak_tracks",
    "contributions",
    "motifs_profile",
    "motif_hits_profile",
    "report",
    "publish",
)
LONGEST = 10.0
PATIENCE = 1800


@dataclass(frozen=True)
class Run:
    """An undisturbed run of a tiny data set, which interrupted ones are compared with."""

    simulation: object
    folder: Path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("undisturbed")
    simulation = simulate(folder / "genome", TINY, bgzip=True)
    _finish(_run_of(simulation, folder), folder)
    return Run(simulation, folder)


def _run_of(simulation, folder: Path) -> tuple[object, ...]:
    spec = write_spec(simulation, folder, 24)
    spec.write_text(yaml.safe_dump(yaml.safe_load(spec.read_text()) | {"publish": str(folder / "public")}))
    return "run", spec, "--store", folder / "store", "--device", "cpu"


def _start(arguments, folder: Path) -> subprocess.Popen:
    with open(folder / "log", "w") as log:
        return subprocess.Popen(command_of(*arguments), stdout=log, stderr=log)


def _finish(arguments, folder: Path) -> None:
    assert _start(arguments, folder).wait() == 0, (folder / "log").read_text()


def _begins(step: str, process: subprocess.Popen, folder: Path) -> bool:
    """Wait until a step runs; False where it is done already."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        said = (folder / "log").read_text()
        if f"{step}: started" in said or (step == "publish" and (folder / "public").exists()):
            return True
        if f"{step}: found in the store" in said or process.poll() is not None:
            assert process.poll() in (None, 0), said
            return False
        time.sleep(0.02)
    raise AssertionError((folder / "log").read_text())


def _interrupt(process: subprocess.Popen, number: signal.Signals) -> tuple[float, int]:
    """Send the signal; seconds until the process and all that it had started are gone, and the exit code."""
    children = psutil.Process(process.pid).children(recursive=True)
    begin = time.monotonic()
    process.send_signal(number)
    code = process.wait(120)
    seconds = time.monotonic() - begin
    if number != signal.SIGKILL:
        living = [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        assert not living
    return seconds, code


def _check_folder(folder: Path) -> None:
    """Every step that claims to have happened has all its files."""
    for manifest in folder.glob("store/*/*/manifest.json"):
        content = json.loads(manifest.read_text())
        for name, entry in content["files"].items():
            assert (manifest.parent / content["place"] / name).stat().st_size == entry["size"], manifest


def _try(step: str, number: signal.Signals, arguments, folder: Path, longest: float = 0.5) -> bool:
    """Interrupt a step after ``longest`` seconds at most, and print a line of the table; False where it was done by then."""
    process = _start(arguments, folder)
    if not _begins(step, process, folder):
        process.kill()
        process.wait()
        return False
    time.sleep(random.Random(step).uniform(0, longest))
    seconds, code = _interrupt(process, number)
    said = (folder / "log").read_text()
    if f"{step}: done" in said and code in (0, -signal.SIGTERM, -signal.SIGINT):  # while the signal came
        return False
    print(f"{step:<20} {number.name:<8} {seconds:5.1f} s  exit {code:>4}  {said.count('found in the store'):>3} found")
    assert seconds < LONGEST
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in said
    if number != signal.SIGKILL:
        assert said.count("chrombpnet: interrupted") == 1
    _check_folder(folder)
    return True


def _results(folder: Path) -> dict[str, bytes]:
    """Content of the results that have no times in them, by path."""
    kinds = (".json", ".bed", ".tsv", ".narrowPeak", ".log", ".batch", ".bw")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in kinds and not re.search(r"run\.json|report|manifest|index|benchmark", path.name)
    }


def _assert_equal(one: Path, other: Path) -> None:
    mine, yours = _results(one), _results(other)
    assert mine.keys() == yours.keys()
    differing = [name for name in mine if mine[name].replace(bytes(one), bytes(other)) != yours[name]]
    assert not differing
    for path in one.rglob("models/*.h5"):
        for left, right in zip(weights_of(path), weights_of(other / path.relative_to(one)), strict=True):
            np.testing.assert_array_equal(left, right)
    for path in one.rglob("*_scores.h5"):
        with h5py.File(path) as left, h5py.File(other / path.relative_to(one)) as right:
            for name in ("raw/seq", "shap/seq"):
                np.testing.assert_array_equal(left[name][()], right[name][()])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_every_kind_of_step_of_a_run(undisturbed, tmp_path, number):
    arguments = _run_of(undisturbed.simulation, tmp_path)
    interrupted = [step for step in STEPS if _try(step, number, arguments, tmp_path)]
    assert len(interrupted) > len(STEPS) // 2
    _finish(arguments, tmp_path)
    said = (tmp_path / "log").read_text()
    assert {"coverage", "nonpeaks", "shards"} <= {*re.findall(r"(\w+): found in the store", said)}
    _assert_equal(undisturbed.folder / "out", tmp_path / "out")


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> dict[str, tuple[object, ...]]:
    """Step → the command that does it alone, but for output and store; the model has learnt nothing, which is as good."""
    folder = tmp_path_factory.mktemp("commands")
    simulation = simulate(folder / "genome", TINY, bgzip=True)
    keras.utils.set_random_seed(1)
    model = bpnet(Architecture(8, 3, 600, 200), ACCESSIBILITY_PREFIX, "model_wo_bias")
    save_model(model, folder / "chrombpnet_nobias.h5")
    sequence = {chrom: str(record) for chrom, record in Fasta(str(simulation.genome), sequence_always_upper=True).items()}
    places = [line.split("\t") for line in Path(simulation.peaks).read_text().splitlines()]
    at = [(place[0], int(place[1]) + int(place[9])) for place in places]
    rows = [
        f"{chrom}\t{pos + 1}\t{sequence[chrom][pos]}\t{'CGTA'['ACGT'.index(sequence[chrom][pos])]}\tv{i}"
        for i, (chrom, pos) in enumerate(at)
    ]
    (folder / "list.tsv").write_text("".join(f"{row}\n" for row in rows))
    genome, sizes = ("-g", simulation.genome), ("-c", simulation.sizes)
    model, regions = folder / "chrombpnet_nobias.h5", ("-r", simulation.peaks, "--device", "cpu")
    explained = ("contribs_bw", *genome, *sizes, "-m", model, *regions)
    _finish((*explained, "-op", folder / "x", "--store", folder / "store"), folder)
    scores = next(folder.glob("x*profile_scores.h5"))
    return {
        "nonpeaks": (
            "prep",
            "nonpeaks",
            *genome,
            *sizes,
            "-p",
            simulation.peaks,
            "-fl",
            simulation.fold,
            "-il",
            600,
            "-st",
            50,
        ),
        "contributions": explained,
        "tracks": ("pred_bw", *genome, *sizes, "-cmb", model, *regions),
        "motifs_profile": ("modisco_motifs", "-i", scores, "-n", 100),
        "variant_scores": ("variants", *genome, "-m", model, "-l", folder / "list.tsv", "--top", 0, "--device", "cpu"),
    }


def _with_output(command: tuple[object, ...], folder: Path) -> tuple[object, ...]:
    flag = "-o" if command[0] == "prep" else "-op"
    return *command, flag, folder / "out" / "x", "--store", folder / "store"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", ["nonpeaks", "contributions", "tracks", "motifs_profile", "variant_scores"])
def test_every_command_of_one_step(commands, tmp_path, step, number):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    for attempt in range(20):  # some take but a tenth of a second
        interrupted = _try(step, number, _with_output(commands[step], cut), cut, 0.5 / (1 + attempt))
        if interrupted and not any(path.is_file() for path in (cut / "out").rglob("*")):
            break
        shutil.rmtree(cut)
        cut.mkdir()
    else:
        raise AssertionError("it was always done before the signal came")
    for folder in (whole, cut):
        _finish(_with_output(commands[step], folder), folder)
    _assert_equal(whole / "out", cut / "out")
