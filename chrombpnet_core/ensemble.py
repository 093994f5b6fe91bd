"""What the models of several folds say together: their mean as one model, mean predictions, mean contributions.

Logits and log counts are averaged, not profiles and counts: as the ENCODE portal's tracks of ChromBPNet are made, which hold
softmax(mean logits) × (exp(mean log counts) − 1). Contributions are averaged as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
from keras import layers

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import OTHER
from chrombpnet_core.models import ENSEMBLE, lengths_of, require_lengths

__all__ = ["MeanPart", "average_models", "ensemble_track_values", "mean_contributions", "members_of", "pairs_of",
           "predict_parts", "row_correlations"]

_ROWS = 64  # regions of contributions in memory at a time, of every fold

Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From base codes uint8 ``(n, L)`` to logits ``(n, W)`` and log counts ``(n,)``."""


def average_models(models: Sequence[keras.Model]) -> keras.Model:
    """One model of the same form that gives the mean logits ``(n, W)`` and the mean log counts ``(n, 1)`` of several.

    Parameters
    ----------
    models
        Two or more, of one input and output length; they become its layers, ``fold_<i>_<name>``.

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
    logits, log_counts = (layers.Average(name=name)([each[head] for each in predicted]) for head, name in enumerate(
        ("logits_profile_predictions", "logcount_predictions")))
    return keras.Model(sequence, [logits, log_counts], name=ENSEMBLE)


def members_of(model: keras.Model) -> list[keras.Model]:
    """The models that an ensemble averages, under their own names; none of another model."""
    if model.name != ENSEMBLE:
        return []
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return [keras.Model(member.inputs, member.outputs, name=member.name.removeprefix(f"fold_{i}_"))
            for i, member in enumerate(inner)]


def predict_parts(accessibility: Sequence[Predict], bias: Sequence[Predict],
                  codes: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What the three models of each of k folds predict, both parts of each main model going over the bases once.

    Parameters
    ----------
    accessibility, bias
        The two parts of the folds' main models.
    codes
        Base codes uint8 ``(n, L)``.

    Returns
    -------
    ``chrombpnet``, ``chrombpnet_nobias``, ``bias`` → logits ``(k, n, W)`` and log counts ``(k, n)``; of the first the sum
    of both parts' logits and the logsumexp of their log counts, as the main model has it.
    """
    parts = [[np.stack(each) for each in zip(*(predict(codes) for predict in of), strict=True)]
             for of in (accessibility, bias)]
    (open_logits, open_counts), (bias_logits, bias_counts) = parts
    return {"chrombpnet": (open_logits + bias_logits, np.logaddexp(open_counts, bias_counts)),
            "chrombpnet_nobias": (open_logits, open_counts), "bias": (bias_logits, bias_counts)}


def ensemble_track_values(profiles: np.ndarray, log_counts: np.ndarray) -> np.ndarray:
    """ENCODE's track, float32 ``(n, W)``: profile × (exp(log counts) − 1), a little below 0 where log counts are.

    Parameters
    ----------
    profiles
        Probabilities ``(n, W)``, the softmax of the mean logits.
    log_counts
        Mean log counts ``(n,)``.
    """
    return profiles * np.expm1(log_counts, dtype=np.float32)[:, None]


def pairs_of(folds: int) -> list[tuple[int, int]]:
    """All pairs of folds, in order."""
    return list(combinations(range(folds), 2))


def row_correlations(values: np.ndarray) -> np.ndarray:
    """Pearson r of each region's values between all pairs of folds.

    Parameters
    ----------
    values
        ``(k, n, W)``.

    Returns
    -------
    ``(pairs, n)`` in the order of :func:`pairs_of`; NaN where a fold's values are all alike.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values - values.mean(axis=-1, keepdims=True)
    scale = np.sqrt((values**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([(values[i] * values[j]).sum(axis=-1) / (scale[i] * scale[j]) for i, j in pairs_of(len(values))])


class MeanPart(NamedTuple):
    """Some regions: rows of the table; base codes uint8 ``(m, L)``; the folds' mean hypothetical contributions, float32
    ``(m, L, 4)``; :func:`row_correlations` of the contributions of the bases that are there, ``(pairs, m)``."""

    rows: slice
    codes: np.ndarray
    scores: np.ndarray
    agreement: np.ndarray


def mean_contributions(paths: Sequence[str | os.PathLike]) -> Iterator[MeanPart]:
    """The mean of several folds' contributions to one head, a few regions at a time.

    Parameters
    ----------
    paths
        HDF5 files as :class:`~chrombpnet_core.contributions.ContributionsFile` writes them, one a fold, in their order.

    Raises
    ------
    InputError
        Where a fold holds other sequences than the first, naming it.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(h5py.File(path, "r")) for path in paths]
        shape = files[0]["raw/seq"].shape
        for i, file in enumerate(files):
            if file["raw/seq"].shape != shape:
                raise _other_regions(i, paths[i], "{:,} regions of {:,} bp".format(*shape[::2]),
                                     "{:,} regions of {:,} bp".format(*file["raw/seq"].shape[::2]))
        for first in range(0, shape[0], _ROWS):
            rows = slice(first, min(first + _ROWS, shape[0]))
            present = files[0]["raw/seq"][rows]
            for i, file in enumerate(files[1:], 1):
                other = (file["raw/seq"][rows] != present).any(axis=(1, 2))
                if other.any():
                    raise _other_regions(i, paths[i], "the sequences of fold 0",
                                         f"another in region {first + int(np.argmax(other)) + 1:,}")
            scores = np.stack([file["shap/seq"][rows].astype(np.float32) for file in files])
            codes = np.where(present.any(axis=1), present.argmax(axis=1), OTHER).astype(np.uint8)
            yield MeanPart(rows, codes, scores.mean(axis=0, dtype=np.float64).astype(np.float32).swapaxes(1, 2),
                           row_correlations((scores * present).sum(axis=2)))


def _other_regions(fold: int, path: str | os.PathLike, expected: str, found: str) -> InputError:
    return InputError(f"fold {fold} explained other regions than fold 0 ({Path(path).name})", expected=expected, found=found,
                      remedy="explain the same regions with every fold's model: one peak file, number and seed")
