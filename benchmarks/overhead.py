"""What Prefect and an object store add to the demo's job, over calling the core directly; ends with one summary line.

Both sides do the same: reads to models, motifs and reports of the demo's genome. ``flows`` runs the flow of ``chrombpnet
run`` with inputs, store and results on an emulator of Google Cloud Storage, which shares this machine's cores. ``direct``
calls the bodies of the same steps one after the other on local files: no server, no digests, no manifests, no copies.
``start`` is a flow that does nothing: the fixed start of Prefect's server. Imports are not counted. Sides are processes of
their own and take turns; figures are medians of one run. Exits 1 where the bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # its children start with a safe path

from table import Row, report  # noqa: E402

MOST = 0.05
"""Of the direct side's time, beyond the server's start."""


def make_inputs(folder: Path, tiny: bool) -> None:
    """The demo's genome, and its data set file but for where things lie."""
    from chrombpnet_core.simulation import DEMO, TINY, simulate
    from flows.cli import DEMO_SETTINGS

    found = simulate(folder / "in", TINY if tiny else DEMO, bgzip=True)
    spec = {
        "id": "demo",
        "assay": "ATAC",
        "reads": {"fragments": [found.fragments.name]},
        "genome": found.genome.name,
        "chrom_sizes": found.sizes.name,
        "peaks": found.peaks.name,
        "folds": [found.fold.name],
        "truth": found.truth.name,
        **DEMO_SETTINGS,
    }
    if tiny:
        spec["model"] = spec["model"] | {"epochs": 3}
        del spec["truth"]
    (folder / "spec.json").write_text(json.dumps(spec))


def spec_at(folder: Path, place: str, output: str) -> Any:
    """The data set with its inputs at ``place``."""
    from flows.spec import make_spec

    content = json.loads((folder / "spec.json").read_text())
    for key in ("genome", "chrom_sizes", "peaks", "truth"):
        if key in content:
            content[key] = f"{place}/{content[key]}"
    content["folds"] = [f"{place}/{name}" for name in content["folds"]]
    content["reads"] = {"fragments": [f"{place}/{name}" for name in content["reads"]["fragments"]]}
    return make_spec(content | {"output": output}, "demo")


def run_start(_: Path) -> float:
    """Seconds of a flow that does nothing."""
    from prefect import flow

    import flows.dataset.flows  # noqa: F401 (both sides have imported it)

    @flow
    def nothing() -> None:
        pass

    begin = time.perf_counter()
    nothing()
    return time.perf_counter() - begin


def run_flows(folder: Path) -> float:
    """Seconds of the flow, from the emulator to the emulator."""
    from flows.dataset.flows import dataset
    from tasks.storage import Store
    from tests.emulators import gcs_emulator

    with gcs_emulator() as emulator:
        os.environ["STORAGE_EMULATOR_HOST"] = emulator.url
        emulator.make_bucket("bench")
        Store("gs://bench/in").upload_all({path.name: path for path in (folder / "in").iterdir() if path.is_file()})
        spec = spec_at(folder, "gs://bench/in", "gs://bench/out")
        begin = time.perf_counter()
        dataset(spec, "gs://bench/store")
        return time.perf_counter() - begin


def run_direct(folder: Path) -> float:
    """Seconds of the bodies of the same steps."""
    from flows.dataset.fold_steps import fold_steps
    from flows.dataset.preparation import check_dataset
    from flows.dataset.run import Run, call_here
    from tasks.runner import Step

    Step.__call__ = bare_step
    with tempfile.TemporaryDirectory() as place:
        spec = spec_at(folder, str(folder / "in"), f"{place}/out")
        begin = time.perf_counter()
        checked = check_dataset(spec, place)
        fold_steps(Run(spec, place, checked.naming, call_here), checked.folds[0], f"{place}/out/fold_0")
        return time.perf_counter() - begin


def bare_step(step: Any, store: str, inputs: Any, parameters: Any) -> Any:
    """A step's body and nothing else."""
    from tasks.results import localised, sources_of
    from tasks.runner import Result, Work, as_json

    class Unchecked(Result):
        """Files that nobody has added up, and nobody checks."""

        def folder(self) -> Path:
            return Path(self.store, self.step, self.key)

        def file(self, name: str) -> Path:
            return self.folder() / name

    key = uuid.uuid4().hex
    out, checkpoint = Path(store, step.name, key), Path(store, "checkpoints", key)
    out.mkdir(parents=True)
    checkpoint.mkdir(parents=True)
    work = Work(out, localised(inputs, sources_of(inputs), checkpoint), parameters, checkpoint, lambda: None)
    step.body(work)
    files = {
        path.relative_to(out).as_posix(): {"size": path.stat().st_size, "sha256": ""}
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "step": step.name,
        "key": key,
        "version": step.version,
        "inputs": {},
        "parameters": as_json(parameters),
        "files": files,
        "facts": json.loads(json.dumps(work.facts, default=str)),
        "versions": {},
        "host": "",
        "started": "",
        "seconds": 0.0,
        "peak_memory": 0,
    }
    return Unchecked(store, step.name, key, manifest, cached=False)


SIDES = {"start": run_start, "flows": run_flows, "direct": run_direct}


def timed(side: str, folder: Path) -> float:
    """Seconds that a side tells, in a process whose caches are empty; a failure ends the benchmark."""
    with tempfile.TemporaryDirectory() as own:
        environment = os.environ | {"CHROMBPNET_CACHE": f"{own}/cache", "PREFECT_HOME": f"{own}/prefect"}
        command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side} failed")
    return float(done.stdout.splitlines()[-1])


def compare(repeats: int, tiny: bool) -> int:
    """Time all sides in turns; 1 where the bound is missed."""
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as place:
        make_inputs(Path(place), tiny)
        for turn in range(repeats):
            for side, found in times.items():
                print(f"  {side}, run {turn + 1} of {repeats} …", file=sys.stderr, flush=True)
                found.append(timed(side, Path(place)))
    start, flows, direct = (statistics.median(times[side]) for side in ("start", "flows", "direct"))
    share = (flows - start - direct) / direct
    rows = [
        Row(side, "seconds (least to most)", f"{statistics.median(found):.1f} ({min(found):.1f} to {max(found):.1f})")
        for side, found in times.items()
    ]
    rows.append(
        Row("overhead", "(flows - start - direct) / direct", f"{100 * share:+.1f} %", f"< {100 * MOST:g} %", share < MOST)
    )
    return report(rows, [f"{repeats} runs of each side, {os.cpu_count()} cores"], "bench-overhead")


def main() -> int:
    """Compare, or be one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a small genome: shows that it runs, says nothing")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    from flows import environment

    environment.prepare(device="cpu")
    if given.side:
        print(SIDES[given.side](given.folder))
        return 0
    return compare(given.repeats, given.tiny)


if __name__ == "__main__":
    sys.exit(main())
