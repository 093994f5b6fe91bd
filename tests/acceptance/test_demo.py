"""The demo as a user starts it: what was planted is learnt, found in the contributions, and matched in JASPAR."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest

import chrombpnet_core as cbp
from chrombpnet_core.genome import codes_of, read_chrom_sizes, reverse_complement
from chrombpnet_core.motifs import HIT_COLUMNS, read_discovered_motifs
from chrombpnet_core.simulation import PLANTED_MOTIFS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [sys.executable, "-m", "flows.cli.main", "demo", "-o", str(folder), "--store", str(folder / "store")], check=False
    )
    assert run.returncode == 0
    return folder


def motifs(output, model, head):
    rows = read_discovered_motifs(output / "fold_0" / model / "evaluation" / f"modisco_{head}" / "motifs.json")
    for row in rows:
        print(model, head, row.pattern, row.seqlets, row.kind, [(match.name, f"{match.q:.1e}") for match in row.matches])
    return rows


def core_of(consensus):
    """The consensus without two letters at either end, on both strands, as base codes."""
    codes = codes_of(consensus)[2:-2]
    return codes, reverse_complement(codes)


def holds(row, consensus):
    """Whether the pattern's strongest letters spell the core of a consensus."""
    letters = np.asarray(row.pfm).argmax(axis=1)
    return any(
        (letters[at : at + core.size] == core).all()
        for core in core_of(consensus)
        for at in range(len(letters) - core.size + 1)
    )


def test_every_planted_motif_is_found_and_matched(output):
    found = [row for row in motifs(output, "main", "profile") if row.kind == "tf"]
    for motif in PLANTED_MOTIFS:
        rows = [row for row in found if holds(row, motif.consensus)]
        assert rows, f"{motif.name} is not among the motifs"
        assert min(match.q for row in rows for match in row.matches) < 0.05


def test_the_corrected_model_has_no_enzyme_motif_and_the_bias_model_has(output):
    assert not [row.pattern for row in motifs(output, "main", "profile") if row.kind == "enzyme"]
    bias = [row for head in ("profile", "counts") for row in motifs(output, "bias", head)]
    assert [row.pattern for row in bias if row.kind == "enzyme"]


def test_hits_lie_on_planted_sites(output):
    """Of the hits of the found motifs most are sites that were planted, and of the planted sites most are hit."""
    hits = pd.read_csv(output / "fold_0/main/evaluation/modisco_profile/hits.bed", sep="\t", names=HIT_COLUMNS)
    sites = pd.DataFrame(json.loads((output / "inputs" / "truth.json").read_text())["sites"])
    near = {(chrom, at // 10) for chrom, at in zip(sites["chrom"], (sites["start"] + sites["end"]) // 2, strict=True)}
    near |= {(chrom, at + step) for chrom, at in near for step in (-1, 1)}
    middles = (hits["start"] + hits["end"]) // 2
    share = np.mean([(chrom, at // 10) in near for chrom, at in zip(hits["chrom"], middles, strict=True)])
    print(f"{len(hits):,} hits, {share:.0%} on one of {len(sites):,} planted sites")
    assert share > 0.8


def test_reports_tell_it(output):
    fold = output / "fold_0"
    for name in (
        "overall_report.html",
        "overall_report.pdf",
        "report.json",
        "main/evaluation/overall_report.pdf",
        "bias/evaluation/overall_report.pdf",
        "main/igv_session.json",
    ):
        assert (fold / name).stat().st_size > 1000, name
    report = json.loads((fold / "main" / "evaluation" / "report.json").read_text())
    assert [verdict["status"] for verdict in report["verdicts"] if verdict["key"].startswith("corrected_motifs")] == ["pass"]


def test_the_notebook_script_of_the_readme_runs_on_the_demo(output):
    """As it stands, but for a place that the simulated genome has; in the folder of the files that it names."""
    block = re.search(r"## From a notebook.*?```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert block
    inputs, main = output / "inputs", output / "fold_0" / "main"
    (chrom, size), *_ = read_chrom_sizes(inputs / "chrom.sizes").items()
    place = f"{chrom}:{size // 2:,}"
    script = block[1].replace("chrI:50,000", place)
    assert script.count(place) == 2
    folder = output / "notebook"
    folder.mkdir()
    (simulated,) = inputs.glob("*.fa.gz")
    links = {
        "chrombpnet_nobias.h5": main / "models" / "chrombpnet_nobias.h5",
        "data_unstranded.bw": main / "auxiliary" / "data_unstranded.bw",
        "genome.fa.gz": simulated,
        "peaks.narrowPeak": inputs / "peaks.narrowPeak",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    _write_vcf(folder / "my.vcf.gz", simulated, chrom, size)
    shown = "\nprint(predicted.region, explained.actual.shape, len(table), footprint.sequences, len(scores.table))\n"
    run = subprocess.run(
        [sys.executable, "-c", script + shown],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    region, *numbers = run.stdout.strip().splitlines()[-1].split(maxsplit=1)
    assert region.startswith(f"{chrom}:")
    assert numbers[0].endswith(" 2")


def _write_vcf(path, genome_path, chrom, size):
    """Two changes of single letters in the middle of a chromosome."""
    with cbp.open_genome(genome_path, path.parent / "index") as genome:
        codes = genome.codes(chrom, size // 2, size // 2 + 60)
    there = np.flatnonzero(codes < 4)[[0, -1]]
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(f"##fileformat=VCFv4.2\n##contig=<ID={chrom}>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n".encode())
        for number, at in enumerate(there):
            letters = "ACGT"[codes[at]], "ACGT"[(codes[at] + 1) % 4]
            file.write(f"{chrom}\t{size // 2 + at + 1}\tv{number}\t{letters[0]}\t{letters[1]}\t.\t.\t.\n".encode())
