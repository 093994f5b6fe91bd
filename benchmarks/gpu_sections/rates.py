"""Card, driver, versions; what the device multiplies and copies in a second: the bounds of everything else."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import time

import numpy as np

from gpu_sections.common import Setup, call_seconds, compile_all, record

QUERY = "name,driver_version,memory.total,clocks.sm,clocks.max.sm,clocks.max.mem,power.limit,temperature.gpu"


def measure(setup: Setup) -> None:
    """Write lines of ``environment`` and ``rates``."""
    import jax
    import keras

    versions = {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "jax": jax.__version__,
        "jaxlib": sys.modules["jaxlib"].__version__,
        "numpy": np.__version__,
        "device": jax.devices()[0].device_kind,
        "backend": jax.default_backend(),
    }
    if shutil.which("nvidia-smi"):
        card = subprocess.run(
            ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"], capture_output=True, text=True, check=False
        )
        versions["nvidia_smi"] = dict(zip(QUERY.split(","), map(str.strip, card.stdout.split(",")), strict=False))
    record(setup, "environment", **versions)
    _products(setup)
    _copies(setup)


def _products(setup: Setup) -> None:
    """Square matrices, and the shapes that a dilated convolution is as a product."""
    import jax
    import jax.numpy as jnp

    square = 256 if setup.trial else 8192
    rows = 2000 if setup.trial else 64 * 1842
    width = setup.filters
    shapes = {
        "square": (square, square, square),
        "one tap, batch 64": (rows, width, width),
        "three taps, batch 64": (rows, 3 * width, width),
        "three taps, batch 512": (8 * rows, 3 * width, width),
    }
    jobs, arguments = {}, {}
    for precision in ("bfloat16", "tensorfloat32", "highest"):
        for name, (m, k, n) in shapes.items():
            if precision == "highest" and name != "square":
                continue
            kind = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
            keys = jax.random.split(jax.random.key(1), 2)
            pair = [jax.random.normal(key, shape, kind) for key, shape in zip(keys, ((m, k), (k, n)), strict=True)]
            chosen = None if precision == "bfloat16" else precision
            jobs[precision, name] = jax.jit(lambda a, b, chosen=chosen: jnp.matmul(a, b, precision=chosen)), pair
            arguments[precision, name] = pair, 2.0 * m * k * n
    for key, program in compile_all(jobs, 4).items():
        if isinstance(program, Exception):
            record(setup, "rates", what="product", precision=key[0], shape=key[1], error=str(program)[:300])
            continue
        pair, operations = arguments[key]
        seconds = call_seconds(program, pair, 0.6)
        record(setup, "rates", what="product", precision=key[0], shape=key[1], teraflops=operations / seconds / 1e12)


def _copies(setup: Setup) -> None:
    """Bytes read and written a second by a copy on the device; bytes a second from the host."""
    import jax
    import jax.numpy as jnp

    size = 1 << (22 if setup.trial else 30)
    values = jnp.ones(size, jnp.float32)
    seconds = call_seconds(jax.jit(lambda x: x * 1.0000001), [values], 0.6)
    record(setup, "rates", what="copy on the device", gigabytes_a_second=8 * size / seconds / 1e9)
    host = np.ones(size // 16, np.float32)
    seconds = call_seconds(jax.device_put, [host], 0.6)
    record(setup, "rates", what="copy from the host", gigabytes_a_second=4 * host.size / seconds / 1e9)
