"""Training with its input, timed on this machine's CPU against tf_keras 2 and PyTorch; ends with one summary line.

Every side trains the same main model (64 filters of 8 dilated layers, 128 of 4; a frozen bias model of 32 of 4) on the same
regions in batches of 64, from the same weights: each peer's first loss must be ours. Ours runs as ``chrombpnet train`` runs
it, from shards on disk; peers hold all regions in memory. A side is a process of its own; what compiles and the first steps
are not counted; sides take turns, and ratios are of medians of one run. Exits 1 where a bound is missed or a peer is absent.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from table import Row, report

HERE = Path(__file__).parent
SIZES = ("64x8", "128x4")
OURS = {"ours, TensorFlow": "tensorflow", "ours, JAX": "jax"}
PEERS = {"tf_keras 2": ("tf_keras_loop.py", "tf_keras"), "PyTorch": ("torch_loop.py", "torch")}
LEAST_RATIO, LEAST_INPUT, MOST_GROWTH_MB, MOST_APART = 0.95, 8_000, 300, 1e-3


@dataclass
class Bench:
    """What the parts share: the data's folder, how often and how long to time, the peers' Pythons, versions met."""

    folder: Path
    repeats: int
    seconds: float
    pythons: dict[str, Path]
    rows: list[Row] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


def say(text: str) -> None:
    """A line for whoever waits."""
    print(f"  {text} …", file=sys.stderr, flush=True)


def measured(python: Path | str, *arguments: object, backend: str = "tensorflow") -> dict:
    """What a program prints as JSON in its last line; a failure ends the benchmark."""
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stderr}\n{' '.join(command)} failed")
    return json.loads(done.stdout.splitlines()[-1])


def ours(bench: Bench, part: str, *arguments: object, backend: str = "tensorflow") -> dict:
    """A part of our side."""
    return measured(
        sys.executable, HERE / "train_ours.py", part, bench.folder, "--seconds", bench.seconds, *arguments, backend=backend
    )


def peer(bench: Bench, name: str, size: str) -> dict:
    """A peer's side; ends the benchmark where it computes another loss than ours."""
    program, kind = PEERS[name]
    found = measured(
        bench.pythons[kind],
        HERE / "train_peers" / program,
        bench.folder / "regions.npz",
        bench.folder / f"model_{size}.npz",
        bench.seconds,
    )
    if not abs(found["loss"] - 1) < MOST_APART:
        sys.exit(f"{name}, {size}: its loss before the first step is {found['loss']:.5f} × ours: not the same model")
    return found


def speed(bench: Bench, size: str) -> None:
    """Rows of a model: examples a second of every side, and where our time goes."""
    runs: dict[str, list[dict]] = {name: [] for name in (*OURS, *PEERS)}
    for turn in range(bench.repeats):
        for name, found in runs.items():
            say(f"{size}, {name}, run {turn + 1} of {bench.repeats}")
            found.append(
                ours(bench, "speed", "--sizes", size, backend=OURS[name]) if name in OURS else peer(bench, name, size)
            )
    rates = {name: [run["rate"] for run in found] for name, found in runs.items()}
    medians = {name: statistics.median(several) for name, several in rates.items()}
    fastest = max(PEERS, key=medians.__getitem__)
    for name, several in rates.items():
        bench.versions[name] = runs[name][0]["version"]
        ratio = medians[name] / medians[fastest]
        bound = name == "ours, TensorFlow"
        bench.rows.append(
            Row(
                f"train {size}",
                name,
                f"{medians[name]:7.1f} examples/s ({min(several):.1f} to {max(several):.1f}), {ratio:.2f} × {fastest}",
                f"≥ {LEAST_RATIO} × the fastest peer" if bound else "",
                ratio >= LEAST_RATIO if bound else None,
            )
        )
    for name, backend in OURS.items():
        say(f"{size}, {name}, profile")
        bench.rows.append(_profiled(f"train {size}", name, ours(bench, "profile", "--sizes", size, backend=backend)))


def _profiled(step: str, name: str, found: dict) -> Row:
    computed = found["flops"] / found["step"]
    return Row(
        step,
        f"{name}, a step",
        f"{1e3 * found['input']:.1f} ms waiting for input, {1e3 * found['step']:,.0f} ms in "
        f"the compiled step ({computed / 1e9:,.0f} GFLOP/s, {computed / found['matrix']:.0%} of a matrix product's), "
        f"{1e3 * found['elsewhere']:.1f} ms elsewhere",
    )


def read(bench: Bench) -> None:
    """Rows of the input alone."""
    runs = []
    for turn in range(bench.repeats):
        say(f"input alone, run {turn + 1} of {bench.repeats}")
        runs.append(ours(bench, "read"))
    for key, what in (("codes", "bases as bytes, as training takes them"), ("sequences", "one-hot on the host")):
        several = [run[key] for run in runs]
        rate = statistics.median(several)
        bench.rows.append(
            Row(
                "input alone",
                what,
                f"{rate:7,.0f} examples/s ({min(several):,.0f} to {max(several):,.0f})",
                f"≥ {LEAST_INPUT:,} examples/s",
                rate >= LEAST_INPUT,
            )
        )


def memory(bench: Bench) -> None:
    """Rows of what a training on few and on many regions holds."""
    held = {}
    for shards in ("few", "many"):
        say(f"memory, {shards} regions")
        held[shards] = ours(bench, "memory", "--shards", shards)["memory"]
    growth = held["many"] - held["few"]
    bench.rows.append(
        Row(
            "host memory",
            "training, 10,000 → 100,000 regions",
            f"{held['few']:,.0f} → {held['many']:,.0f} MB, {growth:+,.0f} MB",
            f"< {MOST_GROWTH_MB} MB more",
            growth < MOST_GROWTH_MB,
        )
    )


def main() -> int:
    """Run the parts asked for, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=Path(".bench/train"), help="where generated data is kept (%(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=[*SIZES, "input", "memory"], default=[*SIZES, "input", "memory"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12.0, help="that a run is timed for")
    parser.add_argument("--tf-keras", type=Path, default=Path(".venv-tf-keras/bin/python"), metavar="PYTHON")
    parser.add_argument("--torch", type=Path, default=Path(".venv-bpnet-lite/bin/python"), metavar="PYTHON")
    given = parser.parse_args()
    pythons = {"tf_keras": given.tf_keras, "torch": given.torch}
    for python in pythons.values():
        if not python.exists():
            print(f"bench-train: {python} is not there; make bench-train makes it", file=sys.stderr)
            return 1
    bench = Bench(
        given.folder.resolve(), given.repeats, given.seconds, {name: python.absolute() for name, python in pythons.items()}
    )
    bench.folder.mkdir(parents=True, exist_ok=True)
    if not (bench.folder / "made").exists():
        say("making the data")
        ours(bench, "data", "--sizes", *SIZES)
        (bench.folder / "made").touch()
    for name in given.only:
        if name in SIZES:
            speed(bench, name)
        else:
            {"input": read, "memory": memory}[name](bench)
    lines = [f"{os.cpu_count()} cores; {given.repeats} runs of {given.seconds:g} s a side"]
    return report(bench.rows, [*lines, *(f"{name}: {version}" for name, version in bench.versions.items())], "bench-train")


if __name__ == "__main__":
    sys.exit(main())
