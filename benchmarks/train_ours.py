"""Our side of ``train.py``, a process for each part: data and export, training, its memory, its input alone."""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
from train_peers.in_memory import BATCH, Clock

L, W, JITTER = 2114, 1000, 500
BIAS = (32, 4)
FEW, MANY, TRAINED = 10_000, 100_000, 2_000  # regions of either set of shards; of those in the first that speed is timed on
MEDIAN = 500  # insertions in a kilobase
SIZES = {f"chr{at}": 3_000_000 for at in range(1, 5)}
SMALL = (16, 4)  # the model whose memory is measured, and the steps it takes
STEPS, BIN = 48, 1000


def data(folder: Path, models: list[tuple[int, int]]) -> dict:
    """Genome, bigWig, both sets of shards; for the peers the regions, and weights of each model with their loss."""
    from genome_data import write_genome

    from chrombpnet_core.genome import open_genome, regions_at
    from chrombpnet_core.tracks import Coverage
    from chrombpnet_core.training_data import ShardLayout, ShardSet, write_shards

    rng = np.random.default_rng(1)
    write_genome(SIZES, folder / "g.fa", seed=1)
    _write_insertions(folder / "c.bw", rng)
    names, margin = np.array([*SIZES], dtype=object), L + 2 * JITTER
    chroms, starts = rng.integers(0, len(names), MANY), rng.integers(margin, 3_000_000 - 2 * margin, MANY)
    with open_genome(folder / "g.fa", folder / "cache") as genome, Coverage(folder / "c.bw") as coverage:
        for name, number in (("few", FEW), ("many", MANY)):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir()
            regions = regions_at(names[chroms[:number]], starts[:number], L)
            write_shards(
                folder / name, genome, coverage, regions, regions[:0], ShardLayout(L, W, JITTER), cache=folder / "cache"
            )
    with ShardSet(folder / "few") as shards:
        codes, counts = shards.read(np.arange(TRAINED))
        np.savez(folder / "regions.npz", codes=codes, counts=counts, lengths=(L, W), weight=_weight(shards))
        for size in models:
            _export(folder / "model_{}x{}.npz".format(*size), size, shards)
    return {}


def _write_insertions(path: Path, rng: np.random.Generator) -> None:
    """In each kilobase a number drawn from a log-normal, most of them around its middle."""
    import pyBigWig

    bell = np.exp(-((np.arange(BIN) - BIN / 2) ** 2) / (2 * 120**2))
    shape = 0.3 / BIN + 0.7 * bell / bell.sum()
    with pyBigWig.open(str(path), "w") as bigwig:
        bigwig.addHeader([*SIZES.items()], maxZooms=0)
        for name, size in SIZES.items():
            counts = rng.poisson(rng.lognormal(np.log(MEDIAN), 0.9, (size // BIN, 1)) * shape).ravel()
            where = np.flatnonzero(counts)
            bigwig.addEntries(name, where, values=counts[where].astype(np.float64), span=1)


def _weight(shards) -> float:
    return round(float(shards.index["counts"].median()) / 10, 2)


def _model(size: tuple[int, int]):
    """A main model around a frozen bias model, and its floating-point operations for an example of training."""
    from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, bpnet, chrombpnet, draw_weights

    body, bias = (Architecture(*each, L, W) for each in (size, BIAS))
    parts = bpnet(body, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(bias, name="bias")
    for part, seed in zip(parts, (1, 2), strict=True):
        draw_weights(part, seed)
    return chrombpnet(*parts), 3 * body.flops() + bias.flops()


def _export(path: Path, size: tuple[int, int], shards) -> None:
    import keras

    from chrombpnet_core.models import accessibility_part, bias_part
    from chrombpnet_core.training import make_training_step
    from chrombpnet_core.training_data import centred_plan, read_batch

    model, _ = _model(size)
    ends = [
        "_1st_conv",
        *(f"_{i}conv" for i in range(1, max(size[1], BIAS[1]) + 1)),
        "prof_out_precrop",
        "logcount_predictions",
    ]
    arrays = {}
    for name, part in (("main", accessibility_part(model)), ("bias", bias_part(model))):
        found = [layer.get_weights() for end in ends for layer in part.layers if layer.name.endswith(end)]
        arrays |= {f"{name}/{i}": array for i, array in enumerate(array for pair in found for array in pair)}
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    batch = read_batch(shards, centred_plan(np.arange(BATCH), JITTER))
    np.savez(path, **arrays, loss=make_training_step(model, optimizer, _weight(shards)).evaluate(batch)[0])


def _train(folder: Path, name: str, regions: int, size: tuple[int, int], stop: Callable[[], bool]) -> float:
    """Train as ``chrombpnet train`` does until ``stop`` says so; floating-point operations of an example."""
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.errors import Stopped
    from chrombpnet_core.training import (
        Checkpoint,
        ComputeOptions,
        TrainingCallbacks,
        TrainingOptions,
        fit,
        make_reproducible,
        set_precision,
    )
    from chrombpnet_core.training_data import ExamplePlan, ShardSet, centred_plan, training_plan

    device = find_device()
    set_precision(ComputeOptions().precision)
    make_reproducible(1, device)
    model, flops = _model(size)
    ids, none = np.arange(regions), np.arange(0)
    plans = [training_plan(ids, none, 0, JITTER, JITTER, 1, epoch) for epoch in range(max(1, 400_000 // regions))]
    endless = ExamplePlan(
        *(np.concatenate([getattr(plan, part) for plan in plans]) for part in ("ids", "offsets", "flipped"))
    )
    with ShardSet(folder / name) as shards, tempfile.TemporaryDirectory() as scratch, suppress(Stopped):
        fit(
            model,
            shards,
            lambda epoch: endless,
            centred_plan(ids[:BATCH], JITTER),
            _weight(shards),
            TrainingOptions(batch_size=BATCH),
            Checkpoint(Path(scratch) / "state.npz"),
            watch=TrainingCallbacks(stop),
        )
    return flops


def speed(folder: Path, size: tuple[int, int], seconds: float) -> dict:
    """Examples a second, end to end; no validation falls into it."""
    import keras

    clock = Clock(seconds)
    _train(folder, "few", TRAINED, size, clock.step)
    backend = {"tensorflow": "TensorFlow", "jax": "JAX"}[keras.backend.backend()]
    return {
        "rate": clock.rate,
        "steps": clock.steps,
        "version": f"Keras {keras.__version__}, {backend} {sys.modules[keras.backend.backend()].__version__}",
    }


def profile(folder: Path, size: tuple[int, int], seconds: float) -> dict:
    """Seconds a step: waiting for the input, in the compiled step (which is waited for), elsewhere."""
    from matrix_rate import matrix_rate

    from chrombpnet_core.training import TrainingStep
    from chrombpnet_core.training import fitting as training

    clock, spent = Clock(seconds), {"input": 0.0, "step": 0.0}
    plain_batches, plain_train = training.read_batches, TrainingStep.train

    def timed(part: str, work: Callable):
        begun = time.perf_counter()
        try:
            return work()
        finally:
            if clock.warm:
                spent[part] += time.perf_counter() - begun

    def read_batches(*arguments):
        items = plain_batches(*arguments)
        with suppress(StopIteration):
            while True:
                yield timed("input", lambda: next(items))

    training.read_batches = read_batches
    TrainingStep.train = lambda engine, batch: timed("step", lambda: np.asarray(plain_train(engine, batch)))
    flops = _train(folder, "few", TRAINED, size, clock.step)
    parts = {name: value / clock.steps for name, value in spent.items()}
    return parts | {
        "elsewhere": clock.seconds / clock.steps - sum(parts.values()),
        "flops": flops * BATCH,
        "matrix": matrix_rate("float32", 2048, 5),
    }


def memory(folder: Path, name: str) -> dict:
    """Most memory in MB that a training on a set of shards held; its steps are spread over all regions."""
    steps = count(1)
    _train(folder, name, {"few": FEW, "many": MANY}[name], SMALL, lambda: next(steps) >= STEPS)
    return {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def read(folder: Path, seconds: float) -> dict:
    """Examples a second of the input alone: base codes and profiles, and one-hot on the host as well."""
    from chrombpnet_core.training_data import ShardSet, read_batches, training_plan

    found = {}
    with ShardSet(folder / "many") as shards:
        plan = training_plan(np.arange(MANY), np.arange(0), 0, JITTER, JITTER, 1, 0)
        for name in ("codes", "sequences"):
            clock = Clock(seconds)
            for batch in read_batches(shards, plan, BATCH):
                _ = getattr(batch, name), batch.profiles
                if clock.step():
                    break
            found[name] = clock.rate
    return found


def main() -> None:
    """One part, whose numbers are printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("data", "speed", "profile", "memory", "read"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="*", default=[], metavar="FILTERSxLAYERS")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--shards", choices=("few", "many"))
    given = parser.parse_args()
    sizes = [tuple(map(int, size.split("x"))) for size in given.sizes]
    parts = {
        "data": lambda: data(given.folder, sizes),
        "speed": lambda: speed(given.folder, sizes[0], given.seconds),
        "profile": lambda: profile(given.folder, sizes[0], given.seconds),
        "memory": lambda: memory(given.folder, given.shards),
        "read": lambda: read(given.folder, given.seconds),
    }
    print(json.dumps(parts[given.part]()))


if __name__ == "__main__":
    main()
