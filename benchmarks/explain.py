"""DeepSHAP timed on this machine's CPU against tangermeme; ends with one summary line.

A model of 64 filters and 8 dilated layers, 2114 bp to 1000, 20 shuffles of each sequence, shuffling included. Ours explains
counts and profile; tangermeme's deep_lift_shap the counts, so that a sequence counts for it as half. Both explain the same
weights: the peer's scores of given shuffles must be ours. Sides are processes of their own and take turns; ratios are of
medians of one run. Exits 1 where a bound is missed or the peer is absent.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from table import Row, report

HERE = Path(__file__).parent
FILTERS, LAYERS, REFERENCES, LENGTH, SEED = 64, 8, 20, 2114, 1234
OURS = {
    "ours, TensorFlow": ("tensorflow", True),
    "ours, TensorFlow without XLA": ("tensorflow", False),
    "ours, JAX": ("jax", True),
}
BOUND = "ours, TensorFlow"
LEAST_RATIO, MOST_GROWTH_MB, MOST_APART = 3.0, 300, 1e-4


def drawn_codes(number: int):
    """Random sequences, base codes ``(number, LENGTH)``."""
    import numpy as np

    return np.random.default_rng(SEED).integers(0, 4, (number, LENGTH)).astype(np.uint8)


def explainer(xla: bool):
    """Ours, of the model."""
    from chrombpnet_core.interpret import Explainer
    from chrombpnet_core.models import Architecture, bpnet, draw_weights

    model = bpnet(Architecture(FILTERS, LAYERS))
    draw_weights(model, SEED)
    return Explainer(model, references=REFERENCES, xla=xla), model


def side(seconds: float, xla: bool, path: Path | None, regions: int) -> dict:
    """Sequences a second; where ``path`` is given also weights, sequences and scores for the peer; where ``regions``, only
    the peak memory after explaining so many.
    """
    import numpy as np

    from chrombpnet_core.devices import configure
    from chrombpnet_core.genome import dinucleotide_shuffles
    from chrombpnet_core.interpret import explain_codes

    configure(device="cpu")
    explain, model = explainer(xla)
    if path:
        codes = drawn_codes(8)
        references = dinucleotide_shuffles(codes, REFERENCES, SEED)
        np.savez(
            path,
            codes=codes,
            references=references,
            counts=explain(codes[:2], references[:2])["counts"],
            **{f"weights_{i}": weights for i, weights in enumerate(model.get_weights())},
        )
        return {}
    at_once = explain.batch.size
    if regions:
        for _ in explain_codes(explain, drawn_codes(regions), REFERENCES, SEED):
            pass
        return {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    codes = drawn_codes(16)
    for _ in explain_codes(explain, codes[:at_once], REFERENCES, SEED):  # compiles
        pass
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for rows, _ in explain_codes(explain, codes, REFERENCES, SEED):
            done += rows.stop - rows.start
    import keras

    return {
        "rate": done / (time.perf_counter() - begun),
        "at_once": at_once,
        "version": f"Keras {keras.__version__} on {keras.backend.backend()}",
    }


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


def say(text: str) -> None:
    """A line for whoever waits."""
    print(f"  {text} …", file=sys.stderr, flush=True)


def main() -> int:
    """Run all sides in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(".bench/explain"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="that a run is timed for")
    parser.add_argument("--tangermeme", type=Path, default=Path(".venv-tangermeme/bin/python"), metavar="PYTHON")
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--xla", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--regions", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(json.dumps(side(given.seconds, given.xla, given.write, given.regions)))
        return 0
    if not given.tangermeme.exists():
        print(f"bench-explain: {given.tangermeme} is not there; make bench-explain makes it", file=sys.stderr)
        return 1
    given.folder.mkdir(parents=True, exist_ok=True)
    inputs = given.folder / "model.npz"
    measured(sys.executable, __file__, "--side", "--write", inputs)
    runs: dict[str, list[dict]] = {"tangermeme": [], **{name: [] for name in OURS}}
    for turn in range(given.repeats):
        for name, found in runs.items():
            say(f"{name}, run {turn + 1} of {given.repeats}")
            if name in OURS:
                backend, xla = OURS[name]
                found.append(
                    measured(
                        sys.executable,
                        __file__,
                        "--side",
                        "--seconds",
                        given.seconds,
                        *(["--xla"] if xla else []),
                        backend=backend,
                    )
                )
            else:
                found.append(
                    measured(
                        given.tangermeme.absolute(), HERE / "explain_peers" / "tangermeme_counts.py", inputs, given.seconds
                    )
                )
                if not found[-1]["apart"] < MOST_APART:
                    sys.exit(f"tangermeme's scores are {found[-1]['apart']:.1e} from ours: not the same model")
    medians = {name: statistics.median(run["rate"] for run in found) for name, found in runs.items()}
    peer = medians["tangermeme"] / 2
    rows = [
        Row(
            "explain 64x8",
            "tangermeme, counts alone",
            f"{medians['tangermeme']:6.2f} sequences/s: "
            f"{peer:.2f} of both heads; its scores differ from ours by {runs['tangermeme'][0]['apart']:.0e}",
        )
    ]
    for name in OURS:
        several = [run["rate"] for run in runs[name]]
        ratio, bound = medians[name] / peer, name == BOUND
        rows.append(
            Row(
                "explain 64x8",
                f"{name}, both heads",
                f"{medians[name]:6.2f} sequences/s ({min(several):.2f} to "
                f"{max(several):.2f}, {runs[name][0]['at_once']} at once), {ratio:.2f} × tangermeme",
                f"≥ {LEAST_RATIO:g} × tangermeme" if bound else "",
                ratio >= LEAST_RATIO if bound else None,
            )
        )
    held = {}
    for number in (32, 96):
        say(f"memory, {number} regions")
        held[number] = measured(sys.executable, __file__, "--side", "--regions", number)["memory"]
    growth = held[96] - held[32]
    rows.append(
        Row(
            "host memory",
            "32 → 96 regions",
            f"{held[32]:,.0f} → {held[96]:,.0f} MB, {growth:+,.0f} MB",
            f"< {MOST_GROWTH_MB} MB more",
            growth < MOST_GROWTH_MB,
        )
    )
    lines = [f"{os.cpu_count()} cores; {given.repeats} runs of {given.seconds:g} s a side"]
    lines += [f"{name}: {found[0]['version']}" for name, found in runs.items()]
    return report(rows, lines, "bench-explain")


if __name__ == "__main__":
    sys.exit(main())
