"""Real trainings on a small data set: feeding from shards, epochs a second, precisions side by side, and resuming.

As the program trains, but for first weights, which are Keras' own, and for some examples left out so that every batch is
full: a training step takes its time to compile.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from gpu_sections.common import Setup, compile_all, record, relative, training_job, use_compile_cache, use_kernel_gradient

RATIO, OUTLIERS, BATCH, FIRST_EXAMPLES = 0.1, 0.9999, 64, 512


class Data:
    """Shards, the regions of a fold that train, validate and test, and the bias model scaled to them."""

    def __init__(self, folder: str, seed: int, trial: bool) -> None:
        from chrombpnet_core.models import load_model
        from chrombpnet_core.training_data import NONPEAK, PEAK, ShardSet, centred_plan, select_main_regions

        path = Path(folder)
        fold = json.loads((path / "fold_0.json").read_text())
        self.shards = ShardSet(path / "shards")
        self.jitter = self.shards.layout.jitter
        index = self.shards.index
        inside = index["chrom"].isin([*fold["train"], *fold["valid"]])
        peaks = index[inside & (index["kind"] == PEAK) & (index["margin"] >= self.jitter)]
        nonpeaks = index[inside & (index["kind"] == NONPEAK)]
        chosen = select_main_regions(peaks["counts"].to_numpy(), nonpeaks["counts"].to_numpy(), RATIO, seed, OUTLIERS)
        self.weight = chosen.counts_loss_weight
        valid = index["chrom"].isin(fold["valid"]).to_numpy()
        selected = {"peaks": peaks["id"].to_numpy()[chosen.peaks], "nonpeaks": nonpeaks["id"].to_numpy()[chosen.nonpeaks]}
        self.train = {kind: ids[~valid[ids]] for kind, ids in selected.items()}
        held = {kind: ids[valid[ids]] for kind, ids in selected.items()}
        if trial:
            self.train = {kind: ids[:150] for kind, ids in self.train.items()}
            held = {kind: ids[:70] for kind, ids in held.items()}
        self.draw = int(RATIO * len(self.train["peaks"]))
        spare = (len(self.train["peaks"]) + self.draw) % BATCH  # one size of batch is compiled: minutes are few
        self.train["peaks"] = self.train["peaks"][spare:]
        count = min(int(RATIO * len(held["peaks"])), len(held["nonpeaks"]))
        drawn = np.random.default_rng([seed, 5]).choice(held["nonpeaks"], count, replace=False)
        self.valid = centred_plan(_whole(np.concatenate([held["peaks"], drawn])), self.jitter)
        tested = index[index["chrom"].isin(fold["test"])]
        self.test, self.is_peak = tested["id"].to_numpy(), (tested["kind"] == PEAK).to_numpy()
        self.bias = load_model(path / "bias_scaled.h5")

    def plan(self, seed: int, epoch: int) -> Any:
        """Of a training epoch."""
        from chrombpnet_core.training_data import training_plan

        return training_plan(self.train["peaks"], self.train["nonpeaks"], self.draw, self.jitter, self.jitter, seed, epoch)


def _model(setup: Setup, data: Data, precision: str, seed: int, filters: int) -> Any:
    import keras

    from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, body_dtype, bpnet, chrombpnet, shift_log_counts
    from chrombpnet_core.training import set_precision

    set_precision(precision)
    use_kernel_gradient(setup)
    keras.utils.set_random_seed(seed)
    body = bpnet(Architecture(filters, setup.layers), ACCESSIBILITY_PREFIX, "model_wo_bias", body_dtype(precision))
    first = data.plan(seed, 0).slice(0, FIRST_EXAMPLES)
    shift_log_counts(body, float(np.log1p(data.shards.index["counts"].to_numpy()[first.ids]).mean()))
    return chrombpnet(body, data.bias)


def _whole(ids: np.ndarray) -> np.ndarray:
    """As many as fill batches."""
    return ids[: max(len(ids) // BATCH, 1) * BATCH]


def _train(
    setup: Setup,
    data: Data,
    precision: str,
    seed: int,
    filters: int,
    epochs: int,
    stop_at: int = 0,
    folder: Path | None = None,
) -> tuple[Any, Any, float, float]:
    """Train as the program does; model, history, seconds in all and of the fastest epoch."""
    from chrombpnet_core.errors import Stopped
    from chrombpnet_core.training import Checkpoint, ComputeOptions, TrainingCallbacks, TrainingOptions, fit

    model, marks, steps = _model(setup, data, precision, seed, filters), [], 0
    an_epoch = data.plan(seed, 0).steps(BATCH)

    def stop() -> bool:
        nonlocal steps
        steps += 1
        if steps % an_epoch == 0:
            marks.append(time.perf_counter())
        return steps == stop_at

    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = Checkpoint((folder or Path(scratch)) / "state.npz")
        try:
            history = fit(
                model,
                data.shards,
                lambda epoch: data.plan(seed, epoch),
                data.valid,
                data.weight,
                TrainingOptions(epochs=epochs, batch_size=BATCH, seed=seed),
                checkpoint,
                ComputeOptions(precision),
                TrainingCallbacks(stop),
            )
        except Stopped:
            history = None
    return model, history, time.perf_counter() - begun, float(min(np.diff(marks), default=float("nan")))


def trainings(setup: Setup) -> None:
    """The full-size model in TF32 and bfloat16, several seeds side by side."""
    if not setup.data:
        return
    use_compile_cache(setup)
    data = Data(setup.data, 1234, setup.trial)
    _input_alone(setup, data)
    predict = _compile(setup, data, ("tf32", "bfloat16"))
    runs = [(precision, seed) for seed in (1234, 1, 2) for precision in ("tf32", "bfloat16")]
    longest = 0.0
    for precision, seed in runs[:2] if setup.trial else runs:
        if setup.left < 1.2 * longest + 5:
            return
        model, history, seconds, epoch = _train(setup, data, precision, seed, setup.filters, 2 if setup.trial else 14)
        begun = time.perf_counter()
        metrics = _metrics(model, data, predict[precision], 1234)
        longest = max(longest, time.perf_counter() - begun + seconds)
        examples = len(data.plan(seed, 0))
        record(
            setup,
            "real training",
            precision=precision,
            seed=seed,
            filters=setup.filters,
            epochs=len(history.epochs),
            seconds=seconds,
            epoch_seconds=epoch,
            examples_an_epoch=examples,
            examples_a_second=examples / epoch,
            best_epoch=history.best + 1,
            best_validation_loss=history.best_loss,
            **metrics,
            evaluation_seconds=time.perf_counter() - begun,
        )


def _compile(setup: Setup, data: Data, precisions: tuple[str, ...]) -> dict[str, Any]:
    """The programs of a training side by side, for the cache; and by precision what predicts a batch."""
    import jax
    import keras

    from chrombpnet_core.training import ComputeOptions, make_training_step
    from chrombpnet_core.training_data import read_batch
    from gpu_sections.plain import one_hot

    batch = read_batch(data.shards, data.valid.slice(0, BATCH))

    def jobs():
        for precision in precisions:
            model = _model(setup, data, precision, 1234, setup.filters)
            optimizer = keras.optimizers.Adam(1e-3)
            optimizer.build(model.trainable_variables)
            training_step = make_training_step(model, optimizer, data.weight, ComputeOptions(precision))
            state = training_step._trained, training_step._rest
            yield (precision, "train"), training_job(training_step, batch)
            on_device = training_step._put(batch.codes, batch.profiles)
            yield (precision, "evaluate"), (training_step._compiled_losses, (*state, *on_device))
            predict = jax.jit(
                lambda trained, rest, codes, model=model: model.stateless_call(
                    trained, rest, one_hot(codes, jax.numpy.float32), training=False
                )[0]
            )
            yield (precision, "predict"), (predict, (*state, batch.codes))

    begun = time.perf_counter()
    programs = compile_all(jobs())
    record(
        setup,
        "real training",
        what="compiling side by side",
        seconds=time.perf_counter() - begun,
        seconds_of_each={" ".join(name): program.seconds for name, program in programs.items()},
    )
    return {precision: programs[precision, "predict"] for precision in precisions}


def _input_alone(setup: Setup, data: Data) -> None:
    """What shards give, with nothing to compute."""
    from chrombpnet_core.training_data import read_batches

    plan = data.plan(1234, 0)
    begun, examples = time.perf_counter(), 0
    while time.perf_counter() - begun < 2:
        for batch in read_batches(data.shards, plan, BATCH):
            examples += len(batch.ids)
    record(setup, "real training", what="input alone", examples_a_second=examples / (time.perf_counter() - begun))


def _metrics(model: Any, data: Data, predict: Any, seed: int) -> dict[str, float]:
    """Of the test regions; the last batch is filled up."""
    from chrombpnet_core.evaluation import score_regions, summarise_scores
    from chrombpnet_core.training_data import centred_plan, read_batches

    ids = np.concatenate([data.test, data.test[: -len(data.test) % BATCH]])
    state = [
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    parts = []
    for batch in read_batches(data.shards, centred_plan(ids, data.jitter), BATCH):
        logits, log_counts = predict(*state, batch.codes)
        parts.append((batch.profiles, np.asarray(logits), np.asarray(log_counts)[:, 0]))
    whole = tuple(np.concatenate(values)[: len(data.test)] for values in zip(*parts, strict=True))
    metrics = summarise_scores(score_regions([whole], seed), data.is_peak)
    counts, profile = metrics["counts_metrics"]["peaks"], metrics["profile_metrics"]["peaks"]
    return {
        "pearson": counts["pearsonr"],
        "spearman": counts["spearmanr"],
        "median_jsd": profile["median_jsd"],
        "median_normalised_jsd": profile["median_norm_jsd"],
    }


def resuming(setup: Setup) -> None:
    """Two undisturbed trainings, and one stopped within its second epoch and taken up: how far apart they end."""
    if not setup.data:
        return
    use_compile_cache(setup)
    data = Data(setup.data, 1234, setup.trial)
    _compile(setup, data, ("tf32", "bfloat16")[: 1 if setup.trial else 2])
    an_epoch = data.plan(1234, 0).steps(BATCH)
    for precision in ("tf32", "bfloat16")[: 1 if setup.trial else 2]:
        if setup.left < 25:
            return
        ends = [_train(setup, data, precision, 1234, setup.filters, 2)[:2] for _ in range(2)]
        folder = Path(setup.output) / "resumed"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _train(setup, data, precision, 1234, setup.filters, 2, an_epoch + an_epoch // 2, folder)
        ends.append(_train(setup, data, precision, 1234, setup.filters, 2, 0, folder)[:2])
        shutil.rmtree(folder)
        weights = [np.concatenate([value.ravel() for value in model.get_weights()]) for model, _ in ends]
        losses = [history.batches[:, 3] for _, history in ends]
        record(
            setup,
            "resuming",
            precision=precision,
            steps=len(losses[0]),
            weights_again=relative(weights[1], weights[0]),
            weights_resumed=relative(weights[2], weights[0]),
            first_step_that_differs_again=_first(losses[0], losses[1]),
            first_step_that_differs_resumed=_first(losses[0], losses[2]),
            stopped_after=an_epoch + an_epoch // 2,
            last_validation_losses=[history.epochs[-1]["val_loss"] for _, history in ends],
        )


def _first(one: np.ndarray, other: np.ndarray) -> int | None:
    differing = np.flatnonzero(one != other)
    return int(differing[0]) + 1 if len(differing) else None
