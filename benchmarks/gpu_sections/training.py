"""The program's own training step at several batch sizes: examples a second, operations a second, memory, compile time."""

from __future__ import annotations

import os
import time

from gpu_sections.common import (
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


def bfloat16(setup: Setup) -> None:
    """Train in bfloat16."""
    _measure(setup, "bfloat16")


def tf32(setup: Setup) -> None:
    """Train in TF32."""
    _measure(setup, "tf32")


def small(setup: Setup) -> None:
    """Train in both, batches of 64 alone."""
    _measure(setup, "bfloat16", setup.batches[:1])
    _measure(setup, "tf32", setup.batches[:1])


def float32(setup: Setup) -> None:
    """Train in float32, one size."""
    _measure(setup, "float32", setup.batches[:1])


def _measure(setup: Setup, precision: str, sizes: tuple[int, ...] = ()) -> None:
    use_compile_cache(setup)
    training_step, _, flops = main_training_step(setup, precision)
    inputs = {size: drawn_batches(size) for size in sizes or setup.batches}
    for size, batches in inputs.items():
        if setup.left < 10:
            return
        program = compile_all({size: training_job(training_step, batches[0])})[size]
        row = {
            "precision": precision,
            "kernel_gradient": setup.kernel_gradient or "as JAX derives it",
            "flags": os.environ.get("SUITE_FLAGS", ""),
            "batch": size,
        }
        if isinstance(program, Exception):
            record(setup, "training", **row, error=str(program)[:300])
            continue
        row |= {"memory_gib": program.memory / 2**30, "compile_seconds": program.seconds}
        try:
            begun = time.perf_counter()
            training_step.train(batches[0]).block_until_ready()
            row["first_step_seconds"] = time.perf_counter() - begun
            seconds = step_seconds(training_step.train, batches, setup.seconds)
        except Exception as error:
            if not out_of_memory(error):
                raise
            record(setup, "training", **row, error="out of memory")
            training_step._take()
            continue
        record(
            setup,
            "training",
            **row,
            **rates_of(size, seconds, flops),
        )
