"""Real yeast ATAC-seq through the real command line, against the reference's figures (../shared/golden/README.md)."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from chrombpnet_core.evaluation import background_sequences
from chrombpnet_core.genome import open_genome, read_regions
from chrombpnet_core.models import Predictor, load_model
from chrombpnet_core.motifs import read_discovered_motifs
from chrombpnet_core.simulation import motif_effect

SHORTEST = 5  # bp; the reference loses its whole bigWig on shorter fragments, so its figures are without them


def _run(*arguments) -> None:
    print(*arguments)
    run = subprocess.run([sys.executable, "-m", "flows.cli.main", *map(str, arguments)], check=False)
    assert run.returncode == 0


@pytest.fixture(scope="module")
def fragments(yeast, tmp_path_factory) -> Path:
    """The fragments of 5 bp or more."""
    path = tmp_path_factory.mktemp("fragments") / "fragments.tsv.gz"
    with gzip.open(yeast / "fragments.tsv.gz", "rt") as source, gzip.open(path, "wt", compresslevel=1) as target:
        for line in source:
            fields = line.split("\t")
            if int(fields[2]) - int(fields[1]) >= SHORTEST:
                target.write(line)
    return path


@pytest.fixture(scope="module")
def runs(yeast, golden, fragments, tmp_path_factory) -> Path:
    """Bias and main model of fold 0, with the sizes that the reference was run with."""
    folder = tmp_path_factory.mktemp("yeast")
    inputs = (
        "-ifrag",
        fragments,
        "-d",
        "ATAC",
        "-g",
        yeast / "genome.fa.gz",
        "-c",
        yeast / "chrom.sizes",
        "-p",
        yeast / "peaks.narrowPeak",
        "-n",
        golden / "background" / "nonpeaks_ratio1_blacklist.bed",
        "-fl",
        yeast / "fold_0.json",
        "--store",
        folder / "store",
    )
    _run("bias", "pipeline", *inputs, "-b", 0.5, "-fil", 32, "-dil", 4, "-e", 8, "-o", folder / "bias", "--explain", 0)
    _run(
        "pipeline",
        *inputs,
        "-b",
        folder / "bias" / "models" / "bias.h5",
        "-fil",
        64,
        "-dil",
        8,
        "-e",
        14,
        "-o",
        folder / "main",
        "--motifs",
        "jaspar:fungi",
        "--assembly",
        "sacCer3",
    )
    return folder


def _facts(folder: Path, step: str) -> dict:
    (manifest,) = (folder / "store" / step).glob("*/manifest.json")
    return json.loads(manifest.read_text())["facts"]


def test_bias_selection_is_the_references(runs):
    facts = _facts(runs, "select_bias")
    assert facts["threshold"] == pytest.approx(20.905, abs=1e-3)
    assert (facts["nonpeaks_considered"], facts["below_threshold"], facts["nonpeaks_kept"]) == (1682, 1156, 1084)
    assert facts["counts_loss_weight"] == 1.0


def test_main_selection_is_the_references(runs):
    facts = _facts(runs, "select_main")
    assert abs(facts["peaks_kept"] - 1681) <= 2
    assert abs(facts["nonpeaks_kept"] - 1640) <= 10
    assert abs(facts["counts_loss_weight"] - 11.5) <= 0.3


def test_the_main_model_is_as_good_as_the_references(runs):
    """Three seeds of the reference: counts r 0.546 to 0.562, median normalised JSD 0.169 to 0.171."""
    metrics = json.loads((runs / "main" / "evaluation" / "chrombpnet_metrics.json").read_text())
    counts, profile = metrics["counts_metrics"]["peaks"], metrics["profile_metrics"]["peaks"]
    print("test peaks:", counts, profile)
    assert metrics["group_sizes"]["peaks"]["regions"] == 439
    assert counts["pearsonr"] >= 0.53
    assert profile["median_norm_jsd"] >= 0.165


def test_the_report_is_there(runs):
    report = json.loads((runs / "main" / "evaluation" / "report.json").read_text())
    assert report["overall"] in ("pass", "warn")
    assert (runs / "main" / "evaluation" / "overall_report.html").stat().st_size > 1e5
    assert (
        len(read_regions(runs / "main" / "auxiliary" / "filtered.peaks.bed"))
        == _facts(runs, "select_main")["peaks_kept"] + 439
    )


def test_motifs_are_those_of_yeast_or_the_model_does_not_hold_them(runs, yeast, golden):
    """Reb1 (TTACCCG) or Abf1 (RTCAYnnnnnACG) is matched; else inserting TTACCCG into background must change little."""
    rows = read_discovered_motifs(runs / "main" / "evaluation" / "modisco_profile" / "motifs.json")
    for row in rows:
        print(row.pattern, row.seqlets, row.kind, [(match.name, f"{match.q:.1e}") for match in row.matches])
    found = [
        row
        for row in rows
        if row.kind == "tf" and any(match.called and match.name.upper() in ("REB1", "ABF1") for match in row.matches)
    ]
    model = Predictor(load_model(runs / "main" / "models" / "chrombpnet_nobias.h5"))
    with open_genome(yeast / "genome.fa.gz", runs / "genome") as genome:
        nonpeaks = read_regions(golden / "background" / "nonpeaks_ratio1_blacklist.bed", "nonpeaks", genome.sizes)
        codes, _ = background_sequences(genome, nonpeaks, json.loads((yeast / "fold_0.json").read_text())["test"], 2114)
    effect = motif_effect(model, codes, "TTACCCG")
    print(f"TTACCCG in {len(codes)} background sequences: predicted log counts {effect:+.3f}")
    assert found or effect < 0.05


def test_cut_sites_are_the_references(yeast, golden, tmp_path):
    """Of all fragments: identical, but for those shorter than 5 bp, whose cut sites inside the chromosome ours keeps."""
    from tasks.steps.insertions import BIGWIG, COVERAGE, CoverageInputs, ReadsParameters

    result = COVERAGE(
        str(tmp_path),
        CoverageInputs(
            genome=str(yeast / "genome.fa.gz"),
            chrom_sizes=str(yeast / "chrom.sizes"),
            reads=(str(yeast / "fragments.tsv.gz"),),
        ),
        ReadsParameters(kind="fragments", assay="ATAC", plus_shift=None, minus_shift=None, num_samples=10_000, seed=1234),
    )
    assert (result.facts["plus_shift"], result.facts["minus_shift"]) == (0, 0)
    wanted = np.load(golden / "reads" / "insertions.auto.npz")
    with gzip.open(yeast / "fragments.tsv.gz", "rt") as lines:
        rows = [line.split("\t") for line in lines]
    short = [(row[0], int(row[1]), int(row[2])) for row in rows if int(row[2]) - int(row[1]) < SHORTEST]
    assert len(short) == 10
    with pyBigWig.open(str(result.file(BIGWIG))) as bigwig:
        for chrom, size in bigwig.chroms().items():
            expected = np.zeros(size)
            if f"{chrom}_pos" in wanted:
                expected[wanted[f"{chrom}_pos"]] = wanted[f"{chrom}_val"]
            for name, start, end in short:
                for site in (start + 4, end - 5):
                    if name == chrom and 0 <= site < size:
                        expected[site] += 1
            found = np.nan_to_num(bigwig.values(chrom, 0, size, numpy=True))
            np.testing.assert_array_equal(found, expected, err_msg=chrom)
