"""DeepSHAP: the reference's scores, completeness, networks it explains and such as it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from chrombpnet_core.devices import Device
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import dinucleotide_shuffles, one_hot
from chrombpnet_core.interpret import Explainer, actual_contributions, explain_codes
from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, Predictor, bpnet, chrombpnet, draw_weights, load_model

SIZE = Architecture(6, 2, 220, 80)


@pytest.fixture
def codes():
    return np.random.default_rng(3).integers(0, 4, (3, SIZE.input_length)).astype(np.uint8)


def drawn(seed=1, **named):
    model = bpnet(SIZE, **named)
    draw_weights(model, seed)
    for layer in model.layers:  # biases that are not zero: ReLUs of sequence and reference then differ in sign
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, np.random.default_rng(seed).normal(0, 0.1, bias.shape)])
    return model


def numpy_codes(one_hots):
    return np.where(one_hots.sum(axis=-1) == 1, one_hots.argmax(axis=-1), 4).astype(np.uint8)


@pytest.mark.golden
@pytest.mark.parametrize("name", ["chrombpnet_nobias", "bias"])
def test_scores_are_the_references(golden, name):
    with np.load(golden / "deepshap.npz") as file:
        sequences, references = numpy_codes(file["seqs"]), numpy_codes(file["references"])
        wanted = {head: file[f"{name}_{head}_hyp"] for head in ("counts", "profile")}
        added = file[f"{name}_counts_f_seq"] - file[f"{name}_counts_f_ref"].mean(axis=1)
    explainer = Explainer(load_model(golden / "models" / f"{name}.h5"))
    parts = [explainer(sequences[rows], references[rows]) for rows in (slice(0, 4), slice(4, 8))]
    for head, scores in wanted.items():
        found = np.concatenate([part[head] for part in parts])
        assert np.linalg.norm(found - scores) <= 2e-5 * np.linalg.norm(scores)
    whole = (sequences < 4).all(axis=1)  # what N adds is in no letter's contribution
    total = actual_contributions(sequences, np.concatenate([part["counts"] for part in parts])).sum(axis=(1, 2))
    assert whole.sum() == 6
    assert np.abs(total - added)[whole].max() <= 1e-4 * np.abs(added[whole]).max()


def test_contributions_add_up_to_the_difference_of_log_counts(codes):
    model, references = drawn(), dinucleotide_shuffles(codes, 5, 1)
    predict = Predictor(model)
    added = predict(codes)[1] - predict(references.reshape(-1, SIZE.input_length))[1].reshape(3, 5).mean(axis=1)
    scores = Explainer(model)(codes, references)["counts"]
    np.testing.assert_allclose(actual_contributions(codes, scores).sum(axis=(1, 2)), added, atol=1e-6)


def test_of_a_linear_model_they_are_its_weights(codes):
    """Counts of a network without ReLUs: what a base adds is the network's gradient, less the references' mean."""
    given = layers.Input((SIZE.input_length, 4))
    flat = layers.Flatten()(given)
    model = keras.Model(given, [layers.Dense(5)(flat), layers.Dense(1, name="c")(flat)])
    weights = model.get_layer("c").get_weights()[0].reshape(SIZE.input_length, 4)
    references = dinucleotide_shuffles(codes, 4, 1)
    wanted = weights - (one_hot(references) * weights).sum(axis=-1, keepdims=True).mean(axis=1)
    np.testing.assert_allclose(Explainer(model)(codes, references)["counts"], wanted, atol=1e-6)


def test_one_head_gives_what_both_give(codes):
    references = dinucleotide_shuffles(codes, 3, 1)
    both = Explainer(drawn())(codes, references)
    for head in ("counts", "profile"):
        alone = Explainer(drawn(), [head])(codes, references)
        assert list(alone) == [head]
        np.testing.assert_allclose(alone[head], both[head], atol=1e-7)


def test_a_sequence_does_not_depend_on_its_batch(codes):
    references, explainer = dinucleotide_shuffles(codes, 3, 1), Explainer(drawn())
    together = explainer(codes, references)
    for row in range(3):
        alone = explainer(codes[row : row + 1], references[row : row + 1])
        for head, scores in alone.items():
            np.testing.assert_allclose(scores[0], together[head][row], atol=1e-7)


def test_shuffles_alone_explain_nothing(codes):
    """References that are the sequence itself: the contributions of its own letters are zero."""
    same = np.repeat(codes[:, None], 2, axis=1)
    for scores in Explainer(drawn())(codes, same).values():
        assert np.abs(actual_contributions(codes, scores).sum(axis=(1, 2))).max() < 1e-6


def test_profile_of_a_full_model_is_explained_and_its_counts_are_not(codes):
    def full():
        return chrombpnet(drawn(1, prefix=ACCESSIBILITY_PREFIX, name="model_wo_bias"), drawn(2))

    scores = Explainer(full(), ["profile"])(codes, dinucleotide_shuffles(codes, 2, 1))["profile"]
    assert scores.shape == (3, SIZE.input_length, 4)
    assert np.isfinite(scores).all()
    with pytest.raises(InputError, match=r"logcount_predictions is a layer LogSumExp.*chrombpnet_nobias\.h5"):
        Explainer(full(), ["counts"])


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (layers.Conv1D(4, 3, activation="gelu", name="odd"), "odd is an activation gelu"),
        (layers.MaxPooling1D(name="odd"), "odd is a layer MaxPooling1D"),
        (layers.Activation("tanh", name="odd"), "odd is an activation tanh"),
        (layers.LeakyReLU(name="odd"), "odd is a layer LeakyReLU"),
        (layers.ReLU(max_value=6, name="odd"), "odd is a ReLU with a slope, threshold or maximum"),
        (layers.LSTM(4, return_sequences=True, name="odd"), "odd is a layer LSTM"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(layer, named):
    given = layers.Input((60, 4))
    x = layers.Flatten()(layer(layers.Conv1D(4, 3)(given)))
    with pytest.raises(InputError, match=named):
        Explainer(keras.Model(given, [layers.Dense(5)(x), layers.Dense(1)(x)]))


@pytest.mark.parametrize("relu", [layers.ReLU, lambda: layers.Activation("relu")])
def test_relus_of_their_own_are_as_those_within_layers(codes, relu):
    def network(apart):
        given = layers.Input((SIZE.input_length, 4))
        x = layers.Conv1D(4, 5, activation=None if apart else "relu", name="conv")(given)
        x = layers.GlobalAveragePooling1D()(relu()(x) if apart else x)
        return keras.Model(given, [layers.Dense(8, name="p")(x), layers.Dense(1, name="c")(x)])

    one, other = network(False), network(True)
    other.set_weights(one.get_weights())
    references = dinucleotide_shuffles(codes, 3, 1)
    found, wanted = Explainer(other)(codes, references), Explainer(one)(codes, references)
    for head in found:
        np.testing.assert_allclose(found[head], wanted[head], atol=1e-7)


def test_batches_follow_the_memory_and_shrink_where_it_is_too_small(codes, caplog):
    sizes = [
        Explainer(drawn(), device=Device("gpu", "a card", 1, memory, "tensorflow")).batch.size
        for memory in (1, 10**7, 10**12)
    ]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (1, 16)
    assert Explainer(drawn()).batch.size == 2

    class Small(Explainer):
        """Of a device that holds one sequence."""

        def __call__(self, codes, references):
            if len(codes) > 1:
                raise MemoryError("RESOURCE_EXHAUSTED: no room")
            return super().__call__(codes, references)

    small, large = Small(drawn()), Explainer(drawn())
    found, wanted = (
        dict((rows.start, scores["counts"]) for rows, scores in explain_codes(explainer, codes, 3, 1))
        for explainer in (small, large)
    )
    assert small.batch.size == 1
    assert "1 sequence at once" in caplog.text
    np.testing.assert_allclose(np.concatenate([*found.values()]), np.concatenate([*wanted.values()]), atol=1e-7)
    with pytest.raises(InputError, match="too small for a single sequence"):
        small.batch.halve()
