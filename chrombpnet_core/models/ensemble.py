"""The average of several folds' models: as one model, and their predictions side by side.

Logits and log counts are averaged, not profiles and counts: as the ENCODE portal's tracks of ChromBPNet are made, which hold
softmax(mean logits) × (exp(mean log counts) − 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers

from chrombpnet_core._types import AnyArray
from chrombpnet_core.errors import InputError
from chrombpnet_core.models.architecture import ENSEMBLE, is_ensemble, lengths_of, require_lengths

__all__ = ["average_models", "members_of", "predict_folds"]


Predict = Callable[[AnyArray], tuple[AnyArray, AnyArray]]
"""From base codes uint8 ``(n, L)`` to logits ``(n, W)`` and log counts ``(n,)``."""


def average_models(models: Sequence[keras.Model]) -> keras.Model:
    """Make one model that gives the mean logits ``(n, W)`` and the mean log counts ``(n, 1)`` of several.

    Parameters
    ----------
    models
        Two or more, of one input and output length; they become its layers, ``fold_<i>_<name>``.

    Returns
    -------
    keras.Model
        Of the same form.

    Raises
    ------
    InputError
        Where there are fewer than two, or lengths differ.
    """
    if len(models) < 2:
        raise InputError(f"an ensemble of {len(models)} model", expected="the models of two folds or more")
    for i, model in enumerate(models):
        require_lengths(model, lengths_of(models[0]), f"fold {i}")
    sequence = layers.Input((lengths_of(models[0])[0], 4), name="sequence")
    named = [keras.Model(model.inputs, model.outputs, name=f"fold_{i}_{model.name}") for i, model in enumerate(models)]
    predicted = [model(sequence) for model in named]
    logits, log_counts = (
        layers.Average(name=name)([outputs[head] for outputs in predicted])
        for head, name in enumerate(("logits_profile_predictions", "logcount_predictions"))
    )
    return keras.Model(sequence, [logits, log_counts], name=ENSEMBLE)


def members_of(model: keras.Model) -> list[keras.Model]:
    """Take an ensemble apart.

    Parameters
    ----------
    model
        Any.

    Returns
    -------
    list of keras.Model
        The models that it averages, under their own names; none where it is no ensemble.
    """
    if not is_ensemble(model):
        return []
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return [
        keras.Model(member.inputs, member.outputs, name=member.name.removeprefix(f"fold_{i}_"))
        for i, member in enumerate(inner)
    ]


def predict_folds(
    accessibility: Sequence[Predict], bias: Sequence[Predict], codes: AnyArray
) -> dict[str, tuple[AnyArray, AnyArray]]:
    """Predict with the three models of each of k folds, both parts of each main model going over the bases once.

    Parameters
    ----------
    accessibility
        Accessibility models of the folds' main models.
    bias
        Their bias models.
    codes
        Base codes uint8 ``(n, L)``.

    Returns
    -------
    dict of str to tuple
        ``chrombpnet``, ``chrombpnet_nobias``, ``bias`` → logits ``(k, n, W)`` and log counts ``(k, n)``; of the first the
        sum of both parts' logits and the logsumexp of their log counts, as the main model has it.
    """
    parts = [
        [np.stack(head) for head in zip(*(predict(codes) for predict in folds), strict=True)]
        for folds in (accessibility, bias)
    ]
    (open_logits, open_counts), (bias_logits, bias_counts) = parts
    return {
        "chrombpnet": (open_logits + bias_logits, np.logaddexp(open_counts, bias_counts)),
        "chrombpnet_nobias": (open_logits, open_counts),
        "bias": (bias_logits, bias_counts),
    }
