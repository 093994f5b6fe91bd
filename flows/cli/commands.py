"""What each command does: turn its arguments into a DatasetSpec, run the flow, say where the results are."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.apply import contribs_bw, footprints, modisco_motifs, motif_hits, pred_bw
from flows.cli.deploy import bridge, deploy
from flows.cli.encode import encode_list, encode_run
from flows.cli.prep import check, prep_folds, prep_nonpeaks, prep_splits
from flows.cli.runs import clean, index, resume, run, say_result, status, store_of
from flows.cli.train import bias_pipeline, bias_qc, bias_train, pipeline, qc, train
from flows.cli.variants import snp_score, variants
from flows.spec import make_spec

if TYPE_CHECKING:
    pass

__all__ = [
    "bias_pipeline",
    "bias_qc",
    "bias_train",
    "bridge",
    "check",
    "clean",
    "contribs_bw",
    "demo",
    "deploy",
    "doctor",
    "encode_list",
    "encode_run",
    "footprints",
    "index",
    "modisco_motifs",
    "motif_hits",
    "pipeline",
    "pred_bw",
    "prep_folds",
    "prep_nonpeaks",
    "prep_splits",
    "qc",
    "resume",
    "run",
    "snp_score",
    "status",
    "train",
    "variants",
]


def demo(given: argparse.Namespace) -> int:
    """``chrombpnet demo``: simulate, run the whole job, hold the models against the planted truth."""
    from chrombpnet_core.simulation.simulate import Settings, simulate

    output = Path(given.output_dir).resolve()
    sharpness = 2.5 if given.data_type == "DNASE" else Settings.sharpness  # matrices of DNase I tell its preference weakly
    settings = Settings(assay=given.data_type, seed=given.seed, sharpness=sharpness)
    simulation = simulate(output / "inputs", settings, bgzip=True)
    inputs = {
        "genome": simulation.genome,
        "chrom_sizes": simulation.sizes,
        "peaks": simulation.peaks,
        "truth": simulation.truth,
    }
    spec = make_spec(
        {
            "id": "demo",
            "assay": given.data_type,
            "reads": {"fragments": [str(simulation.fragments)]},
            "folds": [str(simulation.fold)],
            "output": str(output),
            **{name: str(path) for name, path in inputs.items()},
            **_DEMO,
            "training": _DEMO["training"] | {"seed": given.seed},
        },
        "demo",
    )
    from flows.dataset.flows import dataset

    report, *_ = dataset(spec, store_of(given))
    checks = json.loads((output / "fold_0" / "main" / "evaluation" / "truth_checks.json").read_text())
    for outcome in checks:
        sign = ">=" if outcome["at_least"] else "<"
        print(
            f"{'pass' if outcome['passed'] else 'FAIL'}  {outcome['name']}: {outcome['value']:.4f} "
            f"(wanted {sign} {outcome['bound']:g})"
        )
    failed = sum(not outcome["passed"] for outcome in checks)
    print(f"{len(checks) - failed} of {len(checks)} checks against the planted truth passed")
    say_result(report)
    return 1 if failed else 0


_DEMO: dict[str, Any] = {
    "input_length": 1018,
    "output_length": 800,
    "bias": {"threshold_factor": 0.9, "filters": 16, "layers": 4, "epochs": 6},
    "model": {"filters": 16, "layers": 5, "epochs": 40, "jitter": 100, "negative_sampling_ratio": 0.5},
    "training": {"learning_rate": 0.002, "batch_size": 8, "patience": 10, "device": "cpu"},
}
"""Small models that two cores train in two minutes."""


def doctor(given: argparse.Namespace) -> int:
    """``chrombpnet doctor``: one line each; 1 where something that a run needs is missing."""
    from tasks.runs import examine

    findings = examine(store_of(given))
    for ok, name, words in findings:
        print(f"{'ok  ' if ok else 'FAIL'}  {name:<10} {words}")
    return 0 if all(ok for ok, _, _ in findings) else 1
