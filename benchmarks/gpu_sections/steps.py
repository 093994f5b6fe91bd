"""The whole training step in plain JAX with other ways to compute its parts, beside the program's own step."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from gpu_sections.common import (
    COUNTS_WEIGHT,
    Setup,
    compile_all,
    drawn_batches,
    main_training_step,
    out_of_memory,
    rates_of,
    record,
    step_seconds,
    training_job,
    use_compile_cache,
)
from gpu_sections.plain import ALIGNED, LayerForms, adam_step, fresh_state, parameters_of

MANY = 8
BASE = "convolution, kernel by flat"
FOLDED = "folded, kernel by folded"
FIRST = {
    "kernels by flat products": {"dilated": BASE},
    "aligned": {"dilated": ALIGNED},
    "aligned, without barriers": {"dilated": ALIGNED, "barrier": False},
    "all folded": {"dilated": FOLDED},
}
VARIANTS = FIRST | {
    "aligned, bias model in bfloat16": {"dilated": ALIGNED, "bias_dtype": "bfloat16"},
    "ReLU by what comes out": {"dilated": BASE, "relu": "output"},
    "kernels by a folded convolution": {"dilated": "convolution, kernel by folded", "relu": "output"},
    "all one product": {"dilated": "side by side, kernel by product", "relu": "output"},
    "all flat products": {"dilated": "flat, kernel by flat", "relu": "output"},
    "dilated kernels without gradient": {"dilated": BASE, "frozen_dilated": True},
    "head as straightened product": {"dilated": BASE, "head": "straightened product"},
    "first layer as product": {"dilated": BASE, "first": "product"},
}


def bfloat16(setup: Setup) -> None:
    """The most promising variants in bfloat16."""
    _measure(setup, "bfloat16", (64,), FIRST)


def tf32(setup: Setup) -> None:
    """The same in TF32."""
    _measure(setup, "tf32", (64,), dict([*FIRST.items()][1:3]))


def aligned(setup: Setup) -> None:
    """The aligned variant in larger batches."""
    for precision in ("bfloat16", "tf32"):
        _measure(setup, precision, (256,), {"aligned": {"dilated": ALIGNED}}, own=False)


def every_variant(setup: Setup) -> None:
    """All variants in bfloat16 and TF32, in two sizes of batch."""
    _measure(setup, "bfloat16", (64, 256), VARIANTS)
    _measure(setup, "tf32", (64, 256), VARIANTS)


def _measure(
    setup: Setup, precision: str, sizes: tuple[int, ...], variants: dict[str, dict[str, Any]], own: bool = True
) -> None:
    use_compile_cache(setup)
    training_step, _, flops = main_training_step(setup, precision)
    parameters = parameters_of(training_step.model)
    base = LayerForms(dilated=BASE, dtype="bfloat16" if precision == "bfloat16" else "float32")
    for size in (2,) if setup.trial else sizes:
        if setup.left < 30:
            return
        batches = drawn_batches(size)
        state = fresh_state(parameters)
        jobs = {
            name: (
                jax.jit(partial(adam_step, replace(base, **changes), COUNTS_WEIGHT), donate_argnums=0),
                (state, batches[0].codes, batches[0].profiles),
            )
            for name, changes in variants.items()
        }
        if len(variants) > len(FIRST):
            jobs[f"{MANY} steps a call"] = _several(base, state, batches)
        if own:
            jobs["the program's own"] = training_job(training_step, batches[0])
        programs = compile_all(jobs, 8)
        expected = None
        if own:
            del programs["the program's own"]
            expected = np.asarray(training_step.train(batches[0]))
            seconds = step_seconds(training_step.train, batches, setup.seconds)
            record(
                setup,
                "steps",
                precision=precision,
                batch=size,
                variant="the program's own",
                **rates_of(size, seconds, flops),
            )
            training_step._take()
        for name, program in programs.items():
            row = {"precision": precision, "batch": size, "variant": name}
            if isinstance(program, Exception):
                record(setup, "steps", **row, error=str(program)[:300])
                continue
            if setup.left < 5:
                return
            _time(setup, row, program, parameters, batches, expected, flops)


def _time(
    setup: Setup,
    row: dict[str, Any],
    program: Any,
    parameters: Any,
    batches: list,
    expected: np.ndarray | None,
    flops: float,
) -> None:
    steps = MANY if row["variant"].startswith(str(MANY)) else 1
    inputs = [(batch.codes, batch.profiles) for batch in batches]
    if steps > 1:
        inputs = [tuple(np.stack([value] * steps) for value in pair) for pair in inputs]
    state = fresh_state(parameters)
    first: list[np.ndarray] = []

    def step(pair):
        nonlocal state
        state, losses = program(state, *pair)
        return losses

    try:
        first.append(np.asarray(step(inputs[0])).reshape(-1, 3)[0])
        seconds = step_seconds(step, inputs, setup.seconds) / steps
    except Exception as error:
        if not out_of_memory(error):
            raise
        record(setup, "steps", **row, error="out of memory")
        return
    record(
        setup,
        "steps",
        **row,
        **rates_of(row["batch"], seconds, flops),
        memory_gib=program.memory / 2**30,
        compile_seconds=program.seconds,
        first_loss_apart=None if expected is None else float(abs(first[0][0] / expected[0] - 1)),
    )


def _several(forms: LayerForms, state: tuple, batches: list) -> tuple[Any, tuple]:
    """Several steps in one call."""

    def steps(state, codes, counts):
        return jax.lax.scan(lambda carried, pair: adam_step(forms, COUNTS_WEIGHT, carried, *pair), state, (codes, counts))

    batch = batches[0]
    return jax.jit(steps, donate_argnums=0), (state, np.stack([batch.codes] * MANY), np.stack([batch.profiles] * MANY))


def flagged(setup: Setup) -> None:
    """The program's own step under the compiler flags of this process's environment."""
    use_compile_cache(setup)
    for precision in ("bfloat16", "tf32"):
        training_step, _, flops = main_training_step(setup, precision)
        batches = {size: drawn_batches(size) for size in ((2,) if setup.trial else (64, 256))}
        compile_all({size: training_job(training_step, drawn[0]) for size, drawn in batches.items()})
        for size, drawn in batches.items():
            seconds = step_seconds(training_step.train, drawn, setup.seconds)
            record(
                setup,
                "compiler flags",
                flags=os.environ.get("SUITE_FLAGS", ""),
                precision=precision,
                batch=size,
                **rates_of(size, seconds, flops),
            )
            if setup.left < 8:
                return
