"""Everything that is worth knowing of the full-size model on one GPU, within minutes: rates, training, contributions,
predictions, precision, other ways to compute its layers, where time goes, real trainings.

Runs on Keras with JAX. Each section is a process of its own with a time of its own: one that fails or hangs costs no
other. Lines of ``results.jsonl`` are written as they come, and ``RESULTS.md`` after every section. A trial without a GPU:
``--trial --minutes 10``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from gpu_sections.common import Setup, record  # noqa: E402
from gpu_sections.tables import write_tables  # noqa: E402

LEAST_SECONDS = 10  # a section is not begun with less
TRIAL_TIMES = 3  # as long: a CPU compiles slowly


@dataclass(frozen=True)
class Section:
    """Functions of modules under ``gpu_sections``, the seconds they may take, compiler flags of their process, and how
    dilated layers get their kernels' gradients.
    """

    functions: str
    seconds: float
    flags: str = ""
    kernel_gradient: str = "flat"


NO_GRAPHS = "--xla_gpu_enable_command_buffer="
"""Kernels launched one by one, so that a profile tells of each."""
UNTUNED = "--xla_gpu_autotune_level=0"
"""The libraries' first choice of algorithm, none tried out."""

SECTIONS = {
    "rates": Section("rates.measure", 60),
    "steps": Section("steps.bfloat16 steps.tf32", 130),
    "explaining": Section(
        "explaining.chosen_tf32 explaining.prediction_tf32 explaining.prediction_bfloat16 explaining.chosen_bfloat16", 130
    ),
    "trainings": Section("real.trainings", 150),
    "kernels": Section("breakdown.bfloat16 breakdown.tf32", 60, NO_GRAPHS),
    "precision": Section("precision.measure", 90),
    "training in bfloat16": Section("training.bfloat16", 200),
    "training in TF32": Section("training.tf32", 200),
    "resuming": Section("real.resuming", 60),
    "resuming, deterministic": Section("real.resuming", 60, "--xla_gpu_deterministic_ops=true"),
    "as JAX derives it": Section("forms.derived", 60),
    "dilated forms": Section("forms.dilated", 70),
    "first layer and head": Section("forms.ends", 50),
    "larger batches": Section("steps.aligned", 90),
    "deterministic": Section("steps.flagged", 60, "--xla_gpu_deterministic_ops=true"),
    "fused convolutions": Section("steps.flagged", 60, "--xla_gpu_experimental_enable_conv_fusion=true"),
    "untuned": Section("training.small", 60, UNTUNED),
    "contributions": Section("explaining.contributions", 200),
    "prediction": Section("explaining.prediction", 120),
    "every variant": Section("steps.every_variant", 300),
    "training in float32": Section("training.float32", 60),
    "training as JAX derives it": Section("training.small", 300, "", ""),
}
"""In the order of their importance; a process takes some 14 s to begin, a training step 13 to 40 s to compile."""


def environment(section: Section, output: Path, trial: bool) -> dict[str, str]:
    """Of a section's process."""
    cache = os.environ.get("SUITE_CACHE") or str(output / "cache")
    return (
        os.environ
        | {
            "KERAS_BACKEND": "jax",
            "SUITE_CACHE": cache,
            "SUITE_FLAGS": section.flags,
            "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {section.flags}".strip(),
            "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.9",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
        }
        | ({"JAX_PLATFORMS": "cpu"} if trial else {})
    )


def run(name: str, options: argparse.Namespace, seconds: float) -> bool:
    """One section in a process of its own, ended when its time is over. Returns whether it failed."""
    section, begun = SECTIONS[name], time.time()
    setup = {
        "output": str(options.output),
        "until": begun + seconds,
        "trial": options.trial,
        "data": options.data,
        "golden": options.golden,
        "seconds": options.seconds,
        "kernel_gradient": section.kernel_gradient,
        "batches": options.batches,
    }
    if options.trial:
        setup |= {"filters": 16, "bias": (8, 4), "batches": (2, 4), "seconds": 0.2}
    command = [sys.executable, str(Path(__file__).resolve()), "--section", section.functions, "--setup", json.dumps(setup)]
    print(f"== {name}, {seconds:.0f} s at most", flush=True)
    process = subprocess.Popen(command, env=environment(section, options.output, options.trial), start_new_session=True)
    try:
        code: int | str = process.wait(seconds + 5)
    except subprocess.TimeoutExpired:
        code = "out of time"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(2)  # until its memory on the device is free
    record(Setup(str(options.output)), "sections", name=name, seconds=round(time.time() - begun, 1), ended=code)
    return isinstance(code, int) and code != 0


def measure(setup: Setup, functions: list[str]) -> int:
    """Run functions in this process; one that fails costs no other. Returns 1 where one failed."""
    failed = 0
    for name in functions:
        if setup.left < LEAST_SECONDS:
            break
        module, function = name.split(".")
        begun = time.time()
        try:
            getattr(importlib.import_module(f"gpu_sections.{module}"), function)(setup)
        except Exception:
            traceback.print_exc()
            failed = 1
        print(f"   {name}: {time.time() - begun:.1f} s", flush=True)
    return failed


def sees_gpu() -> bool:
    """Whether JAX sees a GPU, in a process of its own: this one must not take the card's memory."""
    command = [sys.executable, "-c", "import jax; jax.devices('gpu')"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> int:
    """Run the sections asked for, in the order of their importance; 1 where there is no GPU or a section failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="for all sections (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path(".bench/gpu"))
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=[*SECTIONS], metavar="NAME", help=f"of: {', '.join(SECTIONS)}"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256, 128, 512, 1024], help="to train with")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a line is timed for")
    parser.add_argument("--data", default="", help="shards/, bias_scaled.h5 and fold_0.json of real data")
    parser.add_argument("--golden", default="", help="a folder with outputs of the reference program")
    parser.add_argument("--trial", action="store_true", help="tiny sizes on the CPU, to try the suite out")
    parser.add_argument("--section", help=argparse.SUPPRESS)
    parser.add_argument("--setup", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.section:
        values = json.loads(options.setup)
        setup = Setup(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        return measure(setup, options.section.split())
    if not options.trial and not sees_gpu():
        print("gpu_suite.py: JAX sees no GPU; a trial on the CPU: --trial --minutes 10", file=sys.stderr)
        return 1
    options.output.mkdir(parents=True, exist_ok=True)
    end, failed = time.time() + 60 * options.minutes, False
    for name in options.sections:
        left = end - time.time()
        if left < LEAST_SECONDS:
            print(f"== {name} and what follows: no time is left", flush=True)
            break
        failed |= run(name, options, min(SECTIONS[name].seconds * (TRIAL_TIMES if options.trial else 1), left))
        write_tables(options.output)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
