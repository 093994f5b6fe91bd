"""The command ``chrombpnet demo``: the whole workflow on a simulated genome whose truth is known."""

from __future__ import annotations

import argparse
import os
from typing import Any

from chrombpnet_core.errors import InputError
from flows.cli.common import Subcommands, add_command, add_runtime_flags, flags_of, store_of

__all__ = ["DEMO_SETTINGS", "add_commands"]

DEMO_SETTINGS: dict[str, Any] = {
    "input_length": 1018,
    "output_length": 800,
    "bias": {"threshold_factor": 0.9, "filters": 16, "layers": 4, "epochs": 8},
    "model": {"filters": 16, "layers": 5, "epochs": 30, "jitter": 100, "negative_sampling_ratio": 0.5},
    "training": {"learning_rate": 0.002, "batch_size": 8, "patience": 10, "device": "cpu"},
}
"""Keys of the demo's data set: small models that two cores train in two minutes."""


def add_commands(commands: Subcommands) -> None:
    """Add ``demo``."""
    add_demo(
        add_command(commands, "demo", demo, "run the whole workflow on simulated data and check what the models learnt")
    )


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``demo``."""
    parser.add_argument(
        "-o", "--output-dir", default="demo_output", metavar="FOLDER", help="folder for the results (default demo_output)"
    )
    parser.add_argument(
        "-d", "--data-type", default="ATAC", choices=["ATAC", "DNASE"], help="assay to simulate (default ATAC)"
    )
    parser.add_argument(
        "-s", "--seed", type=int, default=1234, metavar="N", help="random seed of simulation and training (default 1234)"
    )
    add_runtime_flags(parser)


def demo(arguments: argparse.Namespace) -> int:
    """Simulate reads, run the data set, compare the models with the planted truth; 1 where they miss it."""
    import json
    from pathlib import Path

    from chrombpnet_core.simulation import SimulationSettings, simulate
    from flows.cli.runs import say_result
    from flows.dataset import dataset
    from flows.spec import Training, make_part, make_spec
    from tasks.storage import is_local, redact, require_place

    if not is_local(arguments.output_dir):
        raise InputError(f"{redact(arguments.output_dir)}: the demo writes to this machine", expected="a folder")
    make_part(Training, {"seed": arguments.seed}, "arguments", flags_of(arguments.parser))
    output = Path(os.path.realpath(arguments.output_dir))
    for place, what in ((str(output), "results"), (store_of(arguments), "store")):
        require_place(place, what)
    sharpness = (
        2.5 if arguments.data_type == "DNASE" else SimulationSettings.sharpness
    )  # DNase I's matrices show its preference weakly
    settings = SimulationSettings(assay=arguments.data_type, seed=arguments.seed, sharpness=sharpness)
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
            "assay": arguments.data_type,
            "reads": {"fragments": [str(simulation.fragments)]},
            "folds": [str(simulation.fold)],
            "output": str(output),
            **{name: str(path) for name, path in inputs.items()},
            **DEMO_SETTINGS,
            "training": DEMO_SETTINGS["training"] | {"seed": arguments.seed},
        },
        "demo",
    )
    report, *_ = dataset(spec, store_of(arguments))
    checks = json.loads((output / "fold_0" / "main" / "evaluation" / "truth_checks.json").read_text())
    failed = _print_checks(checks)
    say_result(report)
    return 1 if failed else 0


def _print_checks(checks: list[dict[str, Any]]) -> int:
    """Print a line for each check against the planted truth; the number of those that failed."""
    for check in checks:
        sign = ">=" if check["at_least"] else "<"
        print(
            f"{'pass' if check['passed'] else 'FAIL'}  {check['name']}: {check['value']:.4f} "
            f"(expected {sign} {check['bound']:g})"
        )
    failed = sum(not check["passed"] for check in checks)
    print(f"{len(checks) - failed} of {len(checks)} checks against the planted truth passed")
    return failed
