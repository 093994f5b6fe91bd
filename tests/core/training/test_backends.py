"""What models compute equals the reference's outputs and the formulas, on TensorFlow and on JAX.

A process has one backend: the tests run on this one's, and the last of them runs all others, and those of contributions,
on JAX.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pyBigWig
import pytest

from chrombpnet_core.evaluation import marginal_footprint
from chrombpnet_core.genome import OTHER_BASE, open_genome, regions_at
from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    Predictor,
    bias_part,
    bpnet,
    chrombpnet,
    draw_weights,
    load_model,
    multinomial_nll,
    shift_log_counts,
)
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.training import Checkpoint, TrainingOptions, fit, log_count_correction
from chrombpnet_core.training_data import ShardLayout, ShardSet, centred_plan, read_batches, training_plan, write_shards

LOGITS, LOG_COUNTS = 3e-5, 5e-6  # largest difference to the reference's weights evaluated in float64
MODELS = ("bias", "bias_model_scaled", "chrombpnet_nobias", "chrombpnet")


@pytest.fixture(scope="module")
def models(golden):
    """The reference's models by name; the main one put together from its parts."""
    loaded = {name: load_model(golden / "models" / f"{name}.h5") for name in MODELS[:3]}
    return loaded | {"chrombpnet": chrombpnet(loaded["chrombpnet_nobias"], loaded["bias_model_scaled"])}


def codes_of_one_hot(sequences):
    return np.where(sequences.sum(axis=-1) == 1, sequences.argmax(axis=-1), OTHER_BASE).astype(np.uint8)


# --- the reference program ---------------------------------------------------------------------------------------


@pytest.mark.golden
@pytest.mark.parametrize("name", MODELS)
def test_predictions(golden, models, name):
    with np.load(golden / "forward.npz") as file:
        sequences = file["seqs"].astype(np.float32)
    logits, log_counts = models[name].predict_on_batch(sequences)
    with np.load(golden / "forward_float64.npz") as wanted:
        assert np.abs(logits - wanted[f"{name}_logits"]).max() <= LOGITS
        assert np.abs(log_counts - wanted[f"{name}_logcounts"]).max() <= LOG_COUNTS


def _gradient(counts, logits):
    """Of the mean loss over the batch with respect to the logits."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: multinomial_nll(counts, x).mean())(logits))
    import tensorflow

    variable = tensorflow.Variable(logits)
    with tensorflow.GradientTape() as tape:
        loss = tensorflow.reduce_mean(multinomial_nll(counts, variable))
    return tape.gradient(loss, variable).numpy()


@pytest.mark.golden
def test_loss_and_its_gradient(golden):
    with np.load(golden / "loss.npz") as file:
        data = dict(file)
    counts, logits = data["counts"], data["logits"]
    each = keras.ops.convert_to_numpy(multinomial_nll(counts, keras.ops.convert_to_tensor(logits)))
    wanted = data["mnll_per_example_float64"]
    assert np.abs(each - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert each.mean() == pytest.approx(data["mnll_batch"], rel=1e-5)
    mse = keras.losses.MeanSquaredError()(data["logcount_labels"], data["logcounts"])
    assert float(mse) == pytest.approx(data["mse_counts"], rel=1e-6)
    gradient = _gradient(counts, logits)
    scores = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    exact = (scores * counts.sum(axis=1, keepdims=True) - counts) / len(counts)
    for wanted in (exact, data["grad_logits_of_batch_mnll"]):
        assert np.abs(gradient - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.golden
@pytest.mark.parametrize("name", ["bias", "chrombpnet_nobias", "chrombpnet"])
def test_footprints(golden, models, name):
    with np.load(golden / "footprints.npz") as file:
        codes = codes_of_one_hot(file["seqs"])
        for motif, letters in zip(file["motif_names"], file["motif_seqs"], strict=True):
            found = marginal_footprint(Predictor(models[name]), codes, str(letters), 64)
            np.testing.assert_allclose(found.profile, file[f"{name}_{motif}_footprint"], rtol=2e-5, atol=1e-8)
            assert np.abs(found.profile - file[f"{name}_{motif}_footprint"]).max() <= 1e-6
            assert found.counts == pytest.approx(float(file[f"{name}_{motif}_counts"][0]), rel=1e-5)


@pytest.fixture(scope="module")
def scaling(golden, tmp_path_factory):
    """The sequences and counts of the reference's bias scaling as shards, and its figures."""
    folder = tmp_path_factory.mktemp("scaling")
    with np.load(golden / "adjust_bias.npz") as file:
        data = SimpleNamespace(**file)
    codes = codes_of_one_hot(data.seqs)
    number, length = codes.shape
    chroms = [f"c{at}" for at in range(number)]
    (folder / "g.fa").write_text(
        "".join(f">{chrom}\n{''.join(np.array(list('ACGTN'))[row])}\n" for chrom, row in zip(chroms, codes, strict=True))
    )
    with pyBigWig.open(str(folder / "c.bw"), "w") as bigwig:
        bigwig.addHeader([(chrom, length) for chrom in chroms])
        for chrom, total in zip(chroms, data.total_counts, strict=True):
            bigwig.addEntries([chrom], [length // 2], ends=[length // 2 + 1], values=[float(total)])
    regions = regions_at(np.array(chroms, dtype=object), np.zeros(number, np.int64), length)
    (folder / "shards").mkdir()
    with open_genome(folder / "g.fa", folder / "cache") as genome, Coverage(folder / "c.bw") as coverage:
        write_shards(folder / "shards", genome, coverage, regions[:0], regions, ShardLayout(length, 1000, 0))
    return data, folder / "shards"


@pytest.mark.golden
def test_scaling_of_the_bias_model(golden, scaling):
    data, shards_folder = scaling
    model = load_model(golden / "models" / "bias.h5")
    sequences = data.seqs.astype(np.float32)
    np.testing.assert_allclose(model.predict_on_batch(sequences)[1], data.logcounts_before, rtol=0, atol=LOG_COUNTS)
    with ShardSet(shards_folder) as shards:
        delta = log_count_correction(model, shards, centred_plan(np.arange(len(sequences)), 0), 10)
    shift_log_counts(model, delta)
    kernel, bias = model.get_layer("logcount_predictions").get_weights()
    np.testing.assert_array_equal(kernel, data.dense_kernel)
    np.testing.assert_allclose(bias, data.dense_bias_after, rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(sequences)[1], data.logcounts_after, rtol=0, atol=LOG_COUNTS)
    scaled = load_model(golden / "models" / "bias_model_scaled.h5").get_layer("logcount_predictions").get_weights()[1]
    np.testing.assert_allclose(bias, scaled, rtol=0, atol=1e-6)


# --- training, step by step ---------------------------------------------------------------------------------------


SIZE = Architecture(5, 2, 200, 80)
WEIGHT, RATE, SEED = 3.0, 0.003, 11


class ByHand:
    """A BPNet in float64 with its own gradient: the formulas of the model, the loss and Adam, and nothing of Keras.

    Layers are lists ``[kernel, bias]``: the first convolution, the dilated ones, the profile head, the count head.
    """

    def __init__(self, model) -> None:
        self.weights = [
            [weight.astype(np.float64) for weight in layer.get_weights()] for layer in model.layers if layer.weights
        ]
        order = [layer.name for layer in model.layers if layer.weights]
        assert order[-2].endswith("prof_out_precrop")
        assert order[-1].endswith("logcount_predictions")
        self.moments = [[(np.zeros_like(weight), np.zeros_like(weight)) for weight in layer] for layer in self.weights]
        self.steps = 0

    def forward(self, x):
        """Logits ``(n, W)``, log counts ``(n,)``, and what the gradient needs: each layer's input and output."""
        first, *dilated, profile, counts = self.weights
        trace = [(x, _convolve(x, *first))]
        x = np.maximum(trace[0][1], 0)
        for i, layer in enumerate(dilated, start=1):
            trace.append((x, _convolve(x, *layer, 2**i)))
            x = np.maximum(trace[-1][1], 0) + x[:, 2**i : -(2**i)]
        heads = _convolve(x, *profile)[:, SIZE.crop : SIZE.crop + SIZE.output_length, 0]
        return heads, x.mean(axis=1) @ counts[0][:, 0] + counts[1][0], [*trace, (x, None)]

    def step(self, x, d_logits, d_counts, trace):
        """One step of Adam for given gradients of the loss with respect to both heads."""
        *traced, (last, _) = trace
        *convolutions, profile, counts = self.weights
        full = np.zeros((len(x), SIZE.profile_length, 1))
        full[:, SIZE.crop : SIZE.crop + SIZE.output_length, 0] = d_logits
        gradients = [[last.mean(axis=1).T @ d_counts[:, None], d_counts.sum(keepdims=True)]]
        d_kernel, d_bias, d_x = _convolve_back(last, full, profile[0])
        gradients.insert(0, [d_kernel, d_bias])
        d_x += d_counts[:, None, None] * counts[0][:, 0] / last.shape[1]
        for i in range(len(convolutions) - 1, -1, -1):
            source, raw = traced[i]
            d_kernel, d_bias, d_source = _convolve_back(source, d_x * (raw > 0), convolutions[i][0], 2**i)
            gradients.insert(0, [d_kernel, d_bias])
            if i:
                d_source[:, 2**i : -(2**i)] += d_x
            d_x = d_source
        self._adam(gradients)

    def _adam(self, gradients, b1=0.9, b2=0.999):
        self.steps += 1
        rate = RATE * np.sqrt(1 - b2**self.steps) / (1 - b1**self.steps)
        for weights, moments, each in zip(self.weights, self.moments, gradients, strict=True):
            for weight, (mean, square), gradient in zip(weights, moments, each, strict=True):
                mean += (1 - b1) * (gradient - mean)
                square += (1 - b2) * (gradient**2 - square)
                weight -= rate * mean / (np.sqrt(square) + 1e-7)


def _convolve(x, kernel, bias, dilation=1):
    length = x.shape[1] - (len(kernel) - 1) * dilation
    return sum(x[:, k * dilation : k * dilation + length] @ tap for k, tap in enumerate(kernel)) + bias


def _convolve_back(x, d_y, kernel, dilation=1):
    """Gradients of kernel, bias and input."""
    length, d_x, d_kernel = d_y.shape[1], np.zeros_like(x), np.zeros_like(kernel)
    for k, tap in enumerate(kernel):
        at = slice(k * dilation, k * dilation + length)
        d_kernel[k] = np.einsum("nli,nlo->io", x[:, at], d_y)
        d_x[:, at] += d_y @ tap.T
    return d_kernel, d_y.sum(axis=(0, 1)), d_x


def _loss(counts, log_counts, logits, predicted):
    """Multinomial loss + λ · squared error of log counts, and its gradients with respect to both predictions."""
    from scipy.special import gammaln, log_softmax

    totals = counts.sum(axis=1)
    profile = -gammaln(1 + totals) + gammaln(1 + counts).sum(axis=1) - (counts * log_softmax(logits, axis=1)).sum(axis=1)
    error = predicted - log_counts
    d_logits = (np.exp(log_softmax(logits, axis=1)) * totals[:, None] - counts) / len(counts)
    return (profile + WEIGHT * error**2).mean(), d_logits, 2 * WEIGHT * error / len(counts)


def test_twenty_steps_follow_the_closed_form_and_leave_the_bias_model_alone(small_data, tmp_path):
    """From the same weights and batches; the bias model enters the loss, and none of its bits changes."""
    accessibility, bias = bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(Architecture(3, 1, 200, 80))
    for seed, part in enumerate((accessibility, bias)):
        draw_weights(part, SEED + seed)
    model = chrombpnet(accessibility, bias)
    frozen, ours = bias.get_weights(), ByHand(accessibility)
    expected = []

    def plan_of(epoch):
        return training_plan(np.arange(24), np.arange(24, 64), 40, 20, 20, SEED, epoch)

    with small_data.open() as shards:
        for batch in (batch for epoch in range(5) for batch in read_batches(shards, plan_of(epoch), 16)):
            x = batch.sequences.astype(np.float64)
            logits, log_counts, trace = ours.forward(x)
            bias_logits, bias_counts = (np.asarray(head, np.float64) for head in bias.predict_on_batch(batch.sequences))
            both = np.logaddexp(log_counts, bias_counts[:, 0])
            loss, d_logits, d_counts = _loss(
                batch.profiles.astype(np.float64), batch.log_counts[:, 0].astype(np.float64), logits + bias_logits, both
            )
            expected.append(loss)
            ours.step(x, d_logits, d_counts * np.exp(log_counts - both), trace)
        history = fit(
            model,
            shards,
            plan_of,
            centred_plan(np.arange(8), 20),
            WEIGHT,
            TrainingOptions(epochs=5, patience=5, batch_size=16, learning_rate=RATE, seed=SEED),
            Checkpoint(tmp_path / "state.npz"),
        )
    losses = np.array(history.batches)[:, 3]
    assert len(losses) == 20
    assert losses[-4:].mean() < 0.98 * losses[:4].mean()
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    assert abs(losses[-1] / expected[-1] - 1) < 1e-4
    for part in (bias, bias_part(model)):
        for before, after in zip(frozen, part.get_weights(), strict=True):
            np.testing.assert_array_equal(before.view(np.uint32), after.view(np.uint32))


# --- the other backend --------------------------------------------------------------------------------------------


def test_all_of_these_on_jax(request):
    files = [__file__, str(Path(__file__).parents[1] / "interpret" / "test_deepshap.py")]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *files, "-k", "not on_jax", "-p", "no:xdist"],
        check=False,
        cwd=request.config.rootpath,
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "passed" in run.stdout
