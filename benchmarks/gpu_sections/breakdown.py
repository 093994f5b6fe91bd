"""Where a step's time goes: its parts, and the kernels that a profile of the device shows."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax

from gpu_sections.common import (
    COUNTS_WEIGHT,
    Setup,
    compile_all,
    drawn_batches,
    main_training_step,
    record,
    step_seconds,
    training_job,
    use_compile_cache,
)
from gpu_sections.plain import ALIGNED, LayerForms, adam_step, fresh_state, parameters_of

PROFILED_STEPS, SHOWN = 5, 80


def bfloat16(setup: Setup) -> None:
    """In bfloat16."""
    _measure(setup, "bfloat16", 64)


def tf32(setup: Setup) -> None:
    """In TF32."""
    _measure(setup, "tf32", 64)


def _measure(setup: Setup, precision: str, size: int) -> None:
    use_compile_cache(setup)
    training_step, _, _ = main_training_step(setup, precision)
    size = 2 if setup.trial else size
    batches = drawn_batches(size)
    forms = LayerForms(dilated=ALIGNED, dtype="bfloat16" if precision == "bfloat16" else "float32")
    state = fresh_state(parameters_of(training_step.model))
    programs = compile_all(
        {
            "the program's own": training_job(training_step, batches[0]),
            "aligned": (jax.jit(partial(adam_step, forms, COUNTS_WEIGHT)), (state, batches[0].codes, batches[0].profiles)),
        }
    )
    works = {
        "the program's own": training_step.train,
        "aligned": lambda batch: programs["aligned"](state, batch.codes, batch.profiles)[1],
    }
    for name, work in works.items():
        text = programs[name].program.as_text()
        (Path(setup.output) / f"step_{name.split()[-1]}_{precision}.hlo.txt").write_text(text)
        seconds = step_seconds(work, batches, setup.seconds)
        record(setup, "breakdown", precision=precision, batch=size, variant=name, step_ms=1e3 * seconds)
        _profile(setup, {"precision": precision, "batch": size, "variant": name}, work, batches, text)


def _profile(setup: Setup, line: dict[str, Any], work: Callable, batches: list, text: str) -> None:
    """The kernels of some steps, by what they compute."""
    operations = _operations(text)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for step in range(PROFILED_STEPS):
                losses = work(batches[step % len(batches)])
            losses.block_until_ready()
        spent, counts = _kernels(folder)
    kernels = sorted(
        (
            {
                "operation": name,
                "kernel": kernel,
                "ms": ms,
                "times": counts[name, kernel],
                "computes": operations.get(name, ""),
            }
            for (name, kernel), ms in spent.items()
        ),
        key=lambda row: -row["ms"],
    )
    groups: dict[str, float] = defaultdict(float)
    for row in kernels:
        groups[_group(row)] += row["ms"]
    record(setup, "kernel groups", **line, ms_a_step=dict(groups), all_ms=sum(groups.values()), kernels=sum(counts.values()))
    with open(Path(setup.output) / "results.jsonl", "a") as file:
        file.writelines(json.dumps({"section": "kernels"} | line | row) + "\n" for row in kernels[:SHOWN])


def _kernels(folder: str) -> tuple[dict, dict]:
    """Milliseconds a step, and runs a step, of each operation's kernels."""
    spent: dict[tuple[str, str], float] = defaultdict(float)
    counts: dict[tuple[str, str], float] = defaultdict(float)
    for path in Path(folder).rglob("*.xplane.pb"):
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            if "GPU" not in plane.name:
                continue
            for line in plane.lines:
                if not line.name.startswith("Stream"):
                    continue
                for event in line.events:
                    stats = dict(event.stats)
                    key = str(stats.get("hlo_op", "")), str(event.name)[:160]
                    spent[key] += event.duration_ns / 1e6 / PROFILED_STEPS
                    counts[key] += 1 / PROFILED_STEPS
    return spent, counts


def _operations(text: str) -> dict[str, str]:
    """Instruction → what of the program it is, with the target of a library call, of a compiled program's text."""
    instructions = {}
    for match in re.finditer(r"^\s*(?:ROOT )?%?([\w.\-]+) = (.*)$", text, re.MULTILINE):
        name, rest = match.groups()
        operation = re.search(r'op_name="([^"]*)"', rest)
        target = re.search(r'custom_call_target="([^"]*)"', rest)
        instructions[name] = " ".join(part for part in (target and target[1], operation and operation[1]) if part)
    return instructions


def _group(row: dict[str, Any]) -> str:
    """Coarse: products and convolutions by direction, all else by kind."""
    what, kernel = row["computes"], row["kernel"].lower()
    if "memcpy" in kernel or "memset" in kernel:
        return "copies by the driver"
    if "conv_general_dilated" in what or "cudnn" in what or "gemm" in kernel or "conv" in kernel:
        back = "backward" if "transpose(" in what else "forward"
        part = "bias model, " if "/bias/" in what else ""
        if "Filter" in what or "wgrad" in kernel:
            back = "backward, of kernels"
        elif "Input" in what or "dgrad" in kernel:
            back = "backward, of inputs"
        return f"{part}convolutions, {back}"
    return "other, backward" if "transpose(" in what else "other, forward" if "jvp(" in what else "other"
