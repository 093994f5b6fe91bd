"""Models known to be bad, made from simulated data: each is called so by the verdict that should, a good one by none.

Every data set is run as a user runs it, without explanation; ``-s`` prints a table of verdicts and models.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from chrombpnet_core.simulation import DEMO, simulate
from flows.cli.demo import DEMO_SETTINGS

UNTRAINED = {"learning_rate": 1e-12}


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("good"), DEMO, formats=("fragments",))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


def dataset(simulation, folder, **changes):
    settings = {key: dict(value) if isinstance(value, dict) else value for key, value in DEMO_SETTINGS.items()}
    for key, value in changes.items():
        settings[key] = settings.get(key, {}) | value if isinstance(value, dict) else value
    return {
        "id": folder.name.strip("0123456789"),
        "assay": "ATAC",
        "genome": str(simulation.genome),
        "chrom_sizes": str(simulation.sizes),
        "peaks": str(simulation.peaks),
        "folds": [str(simulation.fold)],
        "output": str(folder / "out"),
        "explanation": {"peaks": 0},
        "reads": {"fragments": [str(simulation.fragments)]},
        **settings,
    }


def fragments(path):
    with gzip.open(path, "rt") as file:
        return [(chrom, int(start), int(end)) for chrom, start, end, *_ in map(str.split, file)]


def write_fragments(rows, path):
    with gzip.open(path, "wt") as file:
        file.writelines(f"{chrom}\t{start}\t{end}\tcell\t1\n" for chrom, start, end in sorted(rows))
    return {"fragments": [str(path)]}


def good(simulation, folder):
    """The demo itself, whose 400 peaks are enough for what was planted: with the truth known, few regions are no warning."""
    return dataset(simulation, folder, truth=str(simulation.truth))


def untrained(simulation, folder):
    return dataset(simulation, folder, bias={"epochs": 1}, model={"epochs": 1}, training=UNTRAINED)


def shuffled_labels(simulation, folder):
    """Reads lie half a chromosome from the sequence that drew them; peaks are where sequence says."""
    sizes = dict(line.split() for line in simulation.sizes.read_text().splitlines())
    rows = [
        (chrom, (start + int(sizes[chrom]) // 2 + 2500) % (int(sizes[chrom]) - 1000), end - start)
        for chrom, start, end in fragments(simulation.fragments)
    ]
    reads = write_fragments([(chrom, start, start + length) for chrom, start, length in rows], folder / "shifted.tsv.gz")
    shifted = reads | {"plus_shift": 4, "minus_shift": -5}
    return dataset(simulation, folder, reads=shifted, bias={"threshold_factor": 2.0})  # below it no nonpeak is quiet enough


def wrong_shift(simulation, folder):
    return dataset(simulation, folder, reads={"fragments": [str(simulation.fragments)], "plus_shift": 4, "minus_shift": -5})


def bias_trained_on_peaks(simulation, folder):
    """Most open loci are missing from the peaks, and nonpeaks with any number of reads train the bias model."""
    lines = simulation.peaks.read_text().splitlines(keepends=True)
    few = folder / "few.narrowPeak"
    few.write_text("".join(lines[::3]))
    rows = [line.split() for line in lines]
    nonpeaks = folder / "nonpeaks.bed"
    nonpeaks.write_text(
        "".join(
            "\t".join(
                [row[0], str(int(row[1]) + int(row[9]) - 500), str(int(row[1]) + int(row[9]) + 500), *".......", "500"]
            )
            + "\n"
            for number, row in enumerate(rows)
            if number % 3
        )
    )
    return dataset(simulation, folder, peaks=str(few), nonpeaks=str(nonpeaks), bias={"threshold_factor": 50.0, "epochs": 25})


def wrong_genome(simulation, folder):
    """The genome that the reads are said to be of has the right names and lengths, and other bases."""
    other = simulate(folder / "other", replace(DEMO, seed=99), formats=())
    return dataset(
        simulation,
        folder,
        genome=str(other.genome),
        reads=dataset(simulation, folder)["reads"] | {"plus_shift": 0, "minus_shift": 0},
    )


def few_reads(simulation, folder, share=20):
    rows = fragments(simulation.fragments)
    chosen = np.random.default_rng(0).choice(len(rows), len(rows) // share, replace=False)
    reads = write_fragments([rows[i] for i in chosen], folder / "few.tsv.gz")
    return dataset(simulation, folder, reads=reads | {"plus_shift": 0, "minus_shift": 0})


def too_few_reads(simulation, folder):
    return few_reads(simulation, folder, 100)


def bias_of_another_enzyme(simulation, folder):
    """DNase I's bias model on Tn5's reads."""
    dnase = simulate(folder / "dnase", replace(DEMO, assay="DNASE", sharpness=2.5, seed=5), formats=("fragments",))
    spec = dataset(dnase, folder) | {"assay": "DNASE", "output": str(folder / "dnase_out")}
    assert run(spec, folder, folder / "store").returncode == 0
    return dataset(simulation, folder, bias={"model": str(folder / "dnase_out" / "fold_0" / "bias" / "models" / "bias.h5")})


def run(spec, folder, store):
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump(spec))
    return subprocess.run(
        [sys.executable, "-P", "-m", "flows.cli", "run", str(path), "--store", str(store)],
        check=False,
        capture_output=True,
        text=True,
    )


CASES = {
    good: {},
    untrained: {"main_auroc": "fail", "bias_response": "warn"},
    shuffled_labels: {"main_auroc": "fail"},
    wrong_shift: {"shift": "warn"},
    bias_trained_on_peaks: {"bias_share": "warn"},
    wrong_genome: {"bias_response": "warn", "main_r_peaks": "warn"},
    few_reads: {"loss_weight_bias": "warn", "main_spread": "warn"},
    too_few_reads: "use more reads; are reads and peaks of one sample?",
    bias_of_another_enzyme: {"footprint": "fail"},
}
"""Model → verdicts that must be at least as bad, or the end of the line that refuses to train it."""

_RANK = {"fail": 0, "warn": 1, "pass": 2, "info": 3}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_each_is_called_what_it_is(make, simulation, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp(make.__name__)
    ended = run(make(simulation, folder), folder, store)
    if isinstance(CASES[make], str):
        assert ended.returncode == 2
        assert ended.stderr.rstrip().endswith(CASES[make])
        print(f"\n{make.__name__}: refused: {ended.stderr.rstrip().splitlines()[-1]}")
        return
    assert ended.returncode == 0, ended.stderr[-3000:]
    report = json.loads(Path(folder / "out" / "fold_0" / "report.json").read_text())
    verdicts = {verdict["key"]: verdict for verdict in report["verdicts"]}
    print(f"\n{make.__name__}: {report['overall']}: {report['summary']}")
    for verdict in report["verdicts"]:
        print(f"  {verdict['status']:4}  {verdict['title']}  {verdict['answer']}: {verdict['shown']}")
    if not CASES[make]:
        assert report["overall"] == "pass", report["summary"]
    for key, status in CASES[make].items():
        assert _RANK[verdicts[key]["status"]] <= _RANK[status], verdicts[key]
    useless = CASES[make].get("main_auroc") == "fail"
    assert report["summary"].startswith("Do not use" if useless else ("Do not use", "Ready"))
