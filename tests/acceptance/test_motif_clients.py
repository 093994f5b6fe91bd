"""Contributions as others read them: the command ``modisco motifs``, and finemo's extractor (``make clients``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from chrombpnet_core.concurrency import in_own_process
from chrombpnet_core.interpret import ContributionsFile
from chrombpnet_core.motifs import find_patterns
from tests.acceptance.test_clients import run_client

WORD, REGIONS, LENGTH, WINDOW = "CAGATAAGGACC", 200, 500, 300


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Our HDF5, its regions as narrowPeak, base codes and scores."""
    folder = tmp_path_factory.mktemp("contributions")
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 4, (REGIONS, LENGTH)).astype(np.uint8)
    scores = rng.normal(0, 0.02, (REGIONS, LENGTH, 4)).astype(np.float32)
    motif = np.array(["ACGT".index(letter) for letter in WORD], dtype=np.uint8)
    for row, at in enumerate(rng.integers(120, 360, REGIONS)):
        codes[row, at : at + len(motif)] = motif
        scores[row, at : at + len(motif)] += rng.uniform(0.8, 1.2) * (np.eye(4)[motif] - 0.25)
    codes[:, :40] = 4  # N
    file = ContributionsFile(folder / "counts_scores.h5", LENGTH)
    for at in range(0, REGIONS, 64):
        file.append(codes[at : at + 64], scores[at : at + 64])
    file.close()
    (folder / "regions.bed").write_text(
        "".join(f"chr1\t{1000 * row + 700}\t{1000 * row + 900}\t.\t.\t.\t.\t.\t.\t100\n" for row in range(REGIONS))
    )
    return folder, codes, scores


def content(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_modisco_motifs_reads_ours_and_finds_what_we_find(written, tmp_path):
    """The command of modisco-lite, with its defaults, against our call of the library with regions in their order."""
    folder, *_ = written
    command = [
        Path(sys.executable).with_name("modisco"),
        "motifs",
        "-i",
        folder / "counts_scores.h5",
        "-n",
        5000,
        "-w",
        WINDOW,
        "-o",
        tmp_path / "theirs.h5",
    ]
    run = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    in_own_process(
        find_patterns, folder / "counts_scores.h5", tmp_path / "ours.h5", 5000, WINDOW, 2, None, what="TF-MoDISco"
    )
    theirs, ours = content(tmp_path / "theirs.h5"), content(tmp_path / "ours.h5")
    assert theirs.keys() == ours.keys()
    assert sum(name.endswith("n_seqlets") and name.count("/") == 3 for name in theirs) >= 1
    for name, values in theirs.items():
        np.testing.assert_array_equal(values, ours[name], err_msg=name)


def test_finemo_extracts_ours(written, tmp_path):
    folder, codes, scores = written
    out = tmp_path / "out.npz"
    run_client("finemo", "finemo_regions.py", folder / "counts_scores.h5", folder / "regions.bed", WINDOW, out)
    start = (LENGTH - WINDOW) // 2
    middle = slice(start, start + WINDOW)
    present = np.eye(5, 4, dtype=np.int8)[codes[:, middle]]
    with np.load(out, allow_pickle=False) as found:
        np.testing.assert_array_equal(found["sequences"], np.moveaxis(present, 2, 1))
        np.testing.assert_allclose(found["contributions"], np.moveaxis(scores[:, middle], 2, 1), atol=2e-3)
