"""Other ways to compute one dilated block, the profile head and the first layer, forward and backward, each checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from gpu_sections.common import LENGTH, Setup, call_seconds, compile_all, record, relative
from gpu_sections.plain import (
    FIRST,
    FIRST_LAYERS,
    FORWARD,
    KERNEL_GRADIENTS,
    PROFILE,
    PROFILE_HEADS,
    convolution,
    input_gradient,
)

PRECISIONS = {"bfloat16": jnp.bfloat16, "tf32": jnp.float32}


def dilated(setup: Setup) -> None:
    """Forward, gradient of the input and gradient of the kernel of a dilated convolution, each apart."""
    jax.config.update("jax_default_matmul_precision", "tensorfloat32")
    cases = [(64, 6, "bfloat16"), (64, 6, "tf32"), (256, 6, "bfloat16"), (256, 1, "bfloat16"), (256, 8, "bfloat16")]
    for batch, layer, precision in cases[:1] if setup.trial else cases:
        if setup.left < 10:
            return
        _dilated_case(setup, 2 if setup.trial else batch, layer, precision)


def _dilated_case(setup: Setup, batch: int, layer: int, precision: str) -> None:
    length = LENGTH - FIRST + 1 - sum(2 * 2**i for i in range(1, layer))
    dilation, channels, kind = 2**layer, setup.filters, PRECISIONS[precision]
    keys = jax.random.split(jax.random.key(layer), 3)
    x = jax.nn.relu(jax.random.normal(keys[0], (batch, length, channels), kind))
    kernel = (jax.random.normal(keys[1], (3, channels, channels)) / (3 * channels) ** 0.5).astype(kind)
    upstream = jax.random.normal(keys[2], (batch, length - 2 * dilation, channels), kind)
    arguments = x, kernel, upstream
    jobs = {
        ("forward", name): (jax.jit(lambda x, k, u, form=form: form(x, k, dilation)), arguments)
        for name, form in FORWARD.items()
    }
    jobs |= {
        ("input", name): (jax.jit(lambda x, k, u, form=form: input_gradient(form, k, u, dilation)), arguments)
        for name, form in FORWARD.items()
    }
    jobs |= {
        ("kernel", name): (jax.jit(lambda x, k, u, form=form: form(x, u, dilation)), arguments)
        for name, form in KERNEL_GRADIENTS.items()
    }
    own = ("kernel", "as JAX derives it"), (jax.jit(lambda x, k, u: _derived(x, u, dilation)), arguments)
    expected: dict[str, list] = {}
    known = {("kernel", "flat"), *(key for key in jobs if key[1] in ("convolution", "products", "product"))}
    first = {key: jobs[key] for key in jobs if key in known}
    rounds = [first, {key: job for key, job in jobs.items() if key not in first}]
    if batch == 64 or setup.trial:
        rounds.append(dict([own]))
    for (part, form), program in (pair for part_of_jobs in rounds for pair in compile_all(part_of_jobs, 6).items()):
        row = {"batch": batch, "dilation": dilation, "precision": precision, "part": part, "form": form}
        if isinstance(program, Exception):
            record(setup, "dilated forms", **row, error=str(program)[:200])
            continue
        values = program(*arguments).astype(jnp.float32)[:8]
        expected.setdefault(part, values)
        seconds = call_seconds(program, arguments, 0.1)
        operations = 2.0 * batch * (length - 2 * dilation) * 3 * channels**2
        record(
            setup,
            "dilated forms",
            **row,
            ms=1e3 * seconds,
            teraflops=operations / seconds / 1e12,
            memory_gib=program.memory / 2**30,
            compile_seconds=program.seconds,
            apart=relative(values, expected[part]),
        )


def derived(setup: Setup) -> None:
    """The kernel's gradient as JAX derives it, from the widest dilation to the narrowest, and the folded one beside it."""
    for layer in range(8, 0, -1):
        if setup.left < 4:
            return
        length, dilation = LENGTH - FIRST + 1 - sum(2 * 2**i for i in range(1, layer)), 2**layer
        x = jax.random.normal(jax.random.key(1), (2 if setup.trial else 64, length, setup.filters), jnp.bfloat16)
        jobs = {
            form: (jax.jit(partial(run, dilation=dilation)), (x, x[:, 2 * dilation :]))
            for form, run in {"folded": KERNEL_GRADIENTS["folded"], "as JAX derives it": _derived}.items()
        }
        for form, program in compile_all(jobs).items():
            record(
                setup,
                "derived",
                dilation=dilation,
                form=form,
                compile_s=program.seconds,
                ms=1e3 * call_seconds(program, (x, x[:, 2 * dilation :]), 0.05),
            )


def _derived(x, upstream, dilation: int):
    kernel = jnp.zeros((3, x.shape[2], upstream.shape[2]), x.dtype)
    return jax.vjp(lambda kernel: convolution(x, kernel, dilation), kernel)[1](upstream)[0]


def ends(setup: Setup) -> None:
    """Profile head and first layer."""
    jax.config.update("jax_default_matmul_precision", "tensorfloat32")
    batch = 2 if setup.trial else 256
    channels = setup.filters
    keys = jax.random.split(jax.random.key(9), 6)
    x = jax.random.normal(keys[0], (batch, 1074, channels))
    kernel = 0.05 * jax.random.normal(keys[1], (PROFILE, channels, 1))
    upstream = jax.random.normal(keys[2], (batch, 1074 - PROFILE + 1, 1))
    codes = jax.random.randint(keys[3], (batch, LENGTH), 0, 5).astype(jnp.uint8)
    first = 0.1 * jax.random.normal(keys[4], (FIRST, 4, channels))
    above = jax.random.normal(keys[5], (batch, LENGTH - FIRST + 1, channels))
    jobs = {}
    for precision, kind in PRECISIONS.items():
        for form, function in PROFILE_HEADS.items():
            jobs["profile head", precision, form] = (
                jax.jit(_with_gradients(function)),
                tuple(value.astype(kind) for value in (x, kernel, upstream)),
            )
        for form, function in FIRST_LAYERS.items():
            jobs["first layer", precision, form] = (
                jax.jit(_with_kernel_gradient(function)),
                (codes, first.astype(kind), above.astype(kind)),
            )
    expected: dict[str, list] = {}
    for (layer, precision, form), program in compile_all(jobs).items():
        row = {"layer": layer, "batch": batch, "precision": precision, "form": form}
        if isinstance(program, Exception):
            record(setup, "first layer and head", **row, error=str(program)[:300])
            continue
        arguments = jobs[layer, precision, form][1]
        values = [leaf.astype(jnp.float32) for leaf in jax.tree.leaves(program(*arguments))]
        expected.setdefault(layer + precision, values)
        record(
            setup,
            "first layer and head",
            **row,
            ms=1e3 * call_seconds(program, arguments, 0.15),
            memory_gib=program.memory / 2**30,
            apart_from_first=max(map(relative, values, expected[layer + precision])),
        )


def _with_gradients(form: Callable) -> Callable:
    def run(x, kernel, upstream):
        y, back = jax.vjp(form, x, kernel)
        return y, *back(upstream)

    return run


def _with_kernel_gradient(form: Callable) -> Callable:
    def run(codes, kernel, upstream):
        y, back = jax.vjp(lambda kernel: form(codes, kernel), kernel)
        return y, *back(upstream)

    return run
