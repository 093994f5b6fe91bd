"""The full-size model on a GPU: examples/s, TFLOP/s and the share of the card's own matrix rate, in training and prediction;
regions/s of contributions.

Needs no data: bases and counts are drawn in memory and go to the device with every step, as a batch of training does.
``KERAS_BACKEND`` chooses TensorFlow (default) or JAX. A main model of 512 filters and 8 dilated layers around a frozen bias
model of 128 and 4, 2114 bp to 1000. A trial without a GPU: ``--device cpu --filters 32 --batches 8``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from gpu_sections.common import step_seconds

from chrombpnet_core.devices import Device, configure, find_device, is_out_of_memory

if TYPE_CHECKING:
    from chrombpnet_core.training import TrainingStep

L, W = 2114, 1000
LAYERS, BIAS = 8, (128, 4)
AIMS = {"tf32": 2_500, "bfloat16": 5_000}
EXPLAINED, EXPLAIN_AIM = (1, 2, 4, 8, 16), 100


def drawn_batches(size: int) -> list:
    """Four batches of random bases and counts, each step's another one."""
    from chrombpnet_core.training_data import ExampleBatch

    rng = np.random.default_rng(size)
    return [
        ExampleBatch(
            rng.integers(0, 4, (size, L), dtype=np.uint8), rng.poisson(0.5, (size, W)).astype(np.float32), np.arange(size)
        )
        for _ in range(4)
    ]


def measure(precision: str, filters: int, sizes: Sequence[int], seconds: float, matrix_size: int) -> float:
    """Print the lines of a precision; examples/s of the fastest training."""
    import keras
    from matrix_rate import matrix_rate

    from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, Predictor, body_dtype, bpnet, chrombpnet
    from chrombpnet_core.training import ComputeOptions, make_training_step, set_precision

    set_precision(precision)
    limit = matrix_rate("bfloat16" if precision == "bfloat16" else "float32", matrix_size)
    print(
        f"{precision}: a product of {matrix_size:,} × {matrix_size:,} matrices runs at {limit / 1e12:.2f} TFLOP/s",
        flush=True,
    )
    body, bias = Architecture(filters, LAYERS, L, W), Architecture(*BIAS, L, W)
    model = chrombpnet(bpnet(body, ACCESSIBILITY_PREFIX, "model_wo_bias", body_dtype(precision)), bpnet(bias, name="bias"))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    engine = make_training_step(model, optimizer, 50.0, ComputeOptions(precision))
    forward = body.flops() + bias.flops()
    fastest = 0.0
    for size in sizes:
        batches = drawn_batches(size)
        predict = Predictor(model, size)
        kinds = {
            "training": (engine.train, 3 * body.flops() + bias.flops()),
            "forward pass and losses": (engine.evaluate, forward),
            "prediction, one-hot on the host": (lambda batch, predict=predict: predict(batch.codes)[0], forward),
        }
        for kind, (work, flops) in kinds.items():
            spent = _spent(engine, work, batches, seconds)
            told = "out of memory"
            if spent:
                rate, speed = size / spent, size / spent * flops
                told = (
                    f"{rate:9,.1f} examples/s  {speed / 1e12:8.3f} TFLOP/s  {speed / limit:4.0%} of matrix rate  "
                    f"{1e3 * spent:9.1f} ms a step"
                )
                fastest = max(fastest, rate if kind == "training" else 0.0)
            print(f"{precision:8}  batch {size:5}  {kind:32}{told}", flush=True)
    return fastest


def explain(precision: str, filters: int, seconds: float) -> None:
    """Print regions/s of DeepSHAP: 20 shuffles each, counts and profile, shuffling included."""
    from chrombpnet_core.genome import dinucleotide_shuffles
    from chrombpnet_core.interpret import Explainer
    from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, bpnet
    from chrombpnet_core.training import set_precision

    set_precision(precision)
    explainer = Explainer(
        bpnet(Architecture(filters, LAYERS, L, W), ACCESSIBILITY_PREFIX, "model_wo_bias"), device=find_device()
    )
    for size in EXPLAINED:
        batches = [batch.codes for batch in drawn_batches(size)]
        try:
            spent = step_seconds(
                lambda codes: explainer(codes, dinucleotide_shuffles(codes, 20, 1))["profile"], batches, seconds
            )
            told = f"{size / spent:9,.2f} regions/s  {1e3 * spent:9.1f} ms a step"
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            told = "out of memory"
        print(f"{precision:8}  batch {size:5}  {'contributions to both heads':32}{told}", flush=True)


def _spent(engine: TrainingStep, work: Callable, batches: Sequence, seconds: float) -> float:
    """Seconds of a step; 0 where the device's memory is too small, and the engine is then as before."""
    before = engine.state()
    try:
        return step_seconds(work, batches, seconds)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        engine.restore(before)
        return 0.0


def described(device: Device) -> str:
    """Card, driver where it tells one, and versions."""
    import keras

    backend = sys.modules[device.backend]
    return f"{device}; Keras {keras.__version__}, {device.backend} {backend.__version__}, numpy {np.__version__}"


def main() -> int:
    """Measure each precision; 1 where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: a trial of the program")
    parser.add_argument("--filters", type=int, default=512)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128, 256, 512, 1024])
    parser.add_argument("--precisions", nargs="+", choices=("float32", *AIMS), default=[*AIMS])
    parser.add_argument("--seconds", type=float, default=5.0, help="that a line is timed for")
    given = parser.parse_args()
    configure(device="cpu" if given.device == "cpu" else "auto")
    device = find_device()
    if given.device != device.kind:
        print(f"gpu.py: no GPU is seen ({device}); a trial: --device cpu --filters 32 --batches 8", file=sys.stderr)
        return 1
    print(time.strftime("%Y-%m-%d"), described(device), sep="; ")
    matrix_size = 8192 if device.kind == "gpu" else 1024
    fastest = {
        precision: measure(precision, given.filters, given.batches, given.seconds, matrix_size)
        for precision in given.precisions
    }
    for precision in sorted({*given.precisions} - {"bfloat16"}):
        explain(precision, given.filters, given.seconds)
    print(f"contributions: aim on one H200: {EXPLAIN_AIM} regions/s")
    print(
        "fastest training: "
        + "; ".join(
            f"{precision} {rate:,.0f} examples/s"
            + (f" (aim on one H200: {AIMS[precision]:,})" if precision in AIMS and given.filters == 512 else "")
            for precision, rate in fastest.items()
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
