"""What the sections share: sizes, drawn inputs, the model under test, compiling in threads, timing, lines of results."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LENGTH, WIDTH = 2114, 1000
WARM_STEPS = 3
COUNTS_WEIGHT = 50.0


@dataclass(frozen=True)
class Setup:
    """What a section is told.

    Attributes
    ----------
    output
        Folder of the results.
    filters, layers
        Of the model under test.
    bias
        Filters and layers of the frozen bias model.
    batches
        Batch sizes to train with.
    seconds
        That a line is timed for.
    until
        When the section should have ended, as ``time.time()``; it leaves out what it cannot begin before.
    trial
        Whether this only tries the program out.
    data
        Folder with ``shards/``, ``bias_scaled.h5`` and ``fold_0.json`` of a real data set, or empty.
    golden
        Folder with outputs of the reference program, or empty.
    kernel_gradient
        How the program's dilated layers get their kernels' gradients, see :data:`gpu_sections.plain.KERNEL_GRADIENTS`;
        empty as JAX derives them.
    """

    output: str
    filters: int = 512
    layers: int = 8
    bias: tuple[int, int] = (128, 4)
    batches: tuple[int, ...] = (64, 256, 128, 512, 1024)
    seconds: float = 2.5
    until: float = float("inf")
    trial: bool = False
    data: str = ""
    golden: str = ""
    kernel_gradient: str = "flat"

    @property
    def left(self) -> float:
        """Seconds until the section should have ended."""
        return self.until - time.time()


def record(setup: Setup, section: str, **values: Any) -> None:
    """Append a line to ``results.jsonl`` and print it."""
    line = json.dumps({"section": section} | values)
    with open(Path(setup.output) / "results.jsonl", "a") as file:
        file.write(line + "\n")
    print(line, flush=True)


def rates_of(size: int, seconds: float, flops: float) -> dict[str, float]:
    """What a line says of a step of ``size`` examples that takes ``seconds``, of ``flops`` operations an example."""
    rate = size / seconds
    return {"step_ms": 1e3 * seconds, "examples_a_second": rate, "teraflops": rate * flops / 1e12}


def drawn_batches(size: int, number: int = 4) -> list:
    """Batches of random bases and counts."""
    from chrombpnet_core.training_data import ExampleBatch

    rng = np.random.default_rng(size)
    return [
        ExampleBatch(
            rng.integers(0, 4, (size, LENGTH), dtype=np.uint8),
            rng.poisson(0.5, (size, WIDTH)).astype(np.float32),
            np.arange(size),
        )
        for _ in range(number)
    ]


def use_kernel_gradient(setup: Setup) -> None:
    """Give dilated layers of all Keras models the gradient that ``setup`` names."""
    import keras

    from gpu_sections.plain import DILATED

    if not setup.kernel_gradient:
        return
    form = DILATED[f"convolution, kernel by {setup.kernel_gradient}"]
    plain = getattr(keras.layers.Conv1D.call, "plain", keras.layers.Conv1D.call)

    def call(layer, inputs):
        dilation = layer.dilation_rate[0]
        if dilation == 1:
            return plain(layer, inputs)
        return layer.activation(form(inputs, keras.ops.convert_to_tensor(layer.kernel), dilation) + layer.bias)

    call.plain = plain
    keras.layers.Conv1D.call = call


def main_model(setup: Setup, precision: str, seed: int = 1) -> tuple[Any, float, float]:
    """A main model, and its floating-point operations for an example in a forward pass and in a step of training."""
    import keras

    from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, body_dtype, bpnet, chrombpnet
    from chrombpnet_core.training import set_precision

    set_precision(precision)
    use_kernel_gradient(setup)
    keras.utils.set_random_seed(seed)
    body, bias = Architecture(setup.filters, setup.layers), Architecture(*setup.bias)
    model = chrombpnet(bpnet(body, ACCESSIBILITY_PREFIX, "model_wo_bias", body_dtype(precision)), bpnet(bias, name="bias"))
    return model, body.flops() + bias.flops(), 3 * body.flops() + bias.flops()


def main_training_step(setup: Setup, precision: str, seed: int = 1) -> tuple[Any, float, float]:
    """The program's training step of a main model; floating-point operations as of :func:`main_model`."""
    import keras

    from chrombpnet_core.training import ComputeOptions, make_training_step

    model, forward, step = main_model(setup, precision, seed)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    return make_training_step(model, optimizer, COUNTS_WEIGHT, ComputeOptions(precision)), forward, step


def training_job(training_step: Any, batch: Any) -> tuple[Any, Sequence[Any]]:
    """The compiled function of the program's step and its arguments for a batch, as :func:`compile_all` takes them."""
    state = training_step._trained, training_step._rest, training_step._memory
    return training_step._compiled_step, (*state, *training_step._put(batch.codes, batch.profiles))


def use_compile_cache(setup: Setup) -> None:
    """Keep compiled programs on disk, for the other sections."""
    import jax

    folder = os.environ.get("SUITE_CACHE") or str(Path(setup.output) / "cache")
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def compile_all(
    jobs: Mapping[Hashable, tuple[Any, Sequence[Any]]] | Iterable[tuple[Hashable, tuple[Any, Sequence[Any]]]],
    threads: int = 12,
) -> dict[Hashable, Any]:
    """Compile jitted functions for their arguments side by side; name → compiled with ``.seconds``, or the error.

    They are traced one after the other, as they come: what an iterator of jobs sets before it gives one applies to that one.
    """

    def compiled(lowered: Any) -> Any:
        begun = time.perf_counter()
        try:
            program = lowered.compile()
        except Exception as error:
            return error
        return Compiled(program, time.perf_counter() - begun)

    with ThreadPoolExecutor(threads) as pool:
        waiting = {
            name: pool.submit(compiled, function.lower(*arguments))
            for name, (function, arguments) in (jobs.items() if isinstance(jobs, Mapping) else jobs)
        }
        return {name: program.result() for name, program in waiting.items()}


@dataclass(frozen=True)
class Compiled:
    """A compiled program and the seconds that compiling took, beside others."""

    program: Any
    seconds: float

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        return self.program(*arguments)

    @property
    def memory(self) -> int:
        """Bytes of device memory for arguments, outputs and intermediate values."""
        sizes = self.program.memory_analysis()
        return int(sizes.temp_size_in_bytes + sizes.argument_size_in_bytes + sizes.output_size_in_bytes)


def step_seconds(work: Callable, inputs: Sequence, seconds: float) -> float:
    """Seconds that ``work`` takes, as training does it: a result is looked at while the next is computed."""
    for item in itertools.islice(itertools.cycle(inputs), WARM_STEPS):
        np.asarray(work(item))
    begun, before, steps = time.perf_counter(), None, 0
    for item in itertools.cycle(inputs):
        result = work(item)
        if before is not None:
            np.asarray(before)
        before, steps = result, steps + 1
        if time.perf_counter() - begun >= seconds:
            break
    np.asarray(before)
    return (time.perf_counter() - begun) / steps


def call_seconds(function: Callable, arguments: Sequence[Any], seconds: float = 0.3) -> float:
    """Median seconds of a call over three groups of calls that are queued one behind the other."""
    import jax

    def group(number: int) -> float:
        begun = time.perf_counter()
        for _ in range(number):
            result = function(*arguments)
        jax.block_until_ready(result)
        return (time.perf_counter() - begun) / number

    group(1)
    number = max(1, int(seconds / 3 / max(group(2), 1e-6)))
    return statistics.median(group(number) for _ in range(3))


def relative(computed: Any, expected: Any) -> float:
    """Norm of the difference over the norm of what is expected."""
    computed, expected = np.asarray(computed, np.float64), np.asarray(expected, np.float64)
    return float(np.linalg.norm(computed - expected) / max(np.linalg.norm(expected), 1e-300))


def out_of_memory(error: Exception) -> bool:
    """Whether it says so."""
    from chrombpnet_core.devices import is_out_of_memory

    return is_out_of_memory(error)
