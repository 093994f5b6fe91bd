"""First words come before any import; plans, checks and status do without Keras and Prefect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.cli.first_words import say_first
from flows.cli.main import build_parser

_INPUTS = ["-g", "g.fa", "-c", "c.sizes", "-d", "ATAC", "-p", "peaks.bed", "-n", "n.bed", "-fl", "f.json", "-b", "bias.h5"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["pipeline", "-ibam", "in/a.bam", "b.bam", "-o", "out/k562", *_INPUTS],
            "pipeline: train a ChromBPNet model, evaluate it, write a report: a.bam and 1 more → k562",
        ),
        (["status", "results/"], "status: show which steps of a run are done, running or failed, and why: results"),
        (["doctor"], "doctor: show versions and devices, and whether the store is writable"),
        (
            [
                "pred_bw",
                "-bm",
                "b.h5",
                "-r",
                "https://me:word@host/r.bed?sig=1",
                "-g",
                "g",
                "-c",
                "c",
                "-op",
                "s3://k:s@b/x",
            ],
            "pred_bw: predict bigWig tracks over a list of regions: r.bed → x",
        ),
        (["run", "a\x1b[2J.yaml"], "run: run a whole data set described in a YAML file: a\\x1b[2J.yaml"),
    ],
    ids=lambda item: item[0] if isinstance(item, list) else "",
)
def test_first_words_say_what_and_on_what(words, told, capsys, monkeypatch):
    monkeypatch.delenv("CHROMBPNET_PARENT", raising=False)
    say_first(build_parser().parse_args(words))
    assert capsys.readouterr().err[10:] == f"{told}\n"


def test_a_folds_process_leaves_them_out(capsys, monkeypatch):
    monkeypatch.setenv("CHROMBPNET_PARENT", "1")
    say_first(build_parser().parse_args(["status", "results"]))
    assert capsys.readouterr().err == ""


@pytest.fixture
def dataset(tmp_path) -> Path:
    """A data set file of a few regions, and a record of its run."""
    chroms = ("chr1", "chr2", "chr3")
    (tmp_path / "genome.fa").write_text("".join(f">{chrom}\n{'ACGT' * 1000}\n" for chrom in chroms))
    regions = "".join(f"{chrom}\t1000\t1200\n" for chrom in chroms)
    for name in ("peaks.bed", "nonpeaks.bed", "fragments.tsv"):
        (tmp_path / name).write_text(regions)
    spec = {
        "assay": "ATAC",
        "reads": {"fragments": ["fragments.tsv"]},
        "genome": "genome.fa",
        "peaks": "peaks.bed",
        "nonpeaks": "nonpeaks.bed",
        "folds": [{"train": ["chr1"], "valid": ["chr2"], "test": ["chr3"]}],
        "input_length": 600,
        "output_length": 200,
        "bias": {"filters": 4, "layers": 3},
        "model": {"filters": 4, "layers": 3, "jitter": 0},
        "output": "out",
    }
    path = tmp_path / "dataset.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


_NO_HEAVY = """
import sys
from flows.cli.main import main
from flows.dataset import outline
from flows.spec import read_spec
from tasks.runs import record_run

dataset, store, out = sys.argv[1:]
print("checked", main(["check", dataset, "--store", store]))
print("planned", main(["run", dataset, "--dry-run", "--store", store]))
spec = read_spec(dataset)
record_run(spec.model_dump(mode="json"), store, {}, plan={"outline": outline(spec)})
print("status", main(["status", out]))
print("cleaned", main(["clean", out]))
print("heavy:", sorted({"keras", "tensorflow", "jax", "prefect", "matplotlib"} & set(sys.modules)))
"""


def test_plans_checks_and_status_import_no_keras_and_no_prefect(dataset):
    places = [str(dataset.parent / name) for name in ("store", "out")]
    run = subprocess.run(
        [sys.executable, "-c", _NO_HEAVY, str(dataset), *places],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "heavy: []"
    for line in ("checked 0", "planned 0", "status 0", "cleaned 0"):
        assert line in run.stdout
    assert "train_main       would run" in run.stdout
    assert "if all epochs run: " in run.stdout
    assert "fold_0     not begun" in run.stdout
