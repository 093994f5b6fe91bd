"""Predictions for examples of the shards, and the scaling of a bias model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.models import Predictor
from chrombpnet_core.progress import bar
from chrombpnet_core.training_data import ExamplePlan, ShardSet, read_batches

__all__ = ["ExamplePredictions", "log_count_correction", "predict_examples"]


@dataclass(frozen=True)
class ExamplePredictions:
    """One batch: ids ``(n,)``, observed counts ``(n, W)``, predicted logits ``(n, W)`` and log counts ``(n,)``."""

    ids: AnyArray
    observed: AnyArray
    logits: AnyArray
    log_counts: AnyArray


def predict_examples(
    model: keras.Model, shards: ShardSet, plan: ExamplePlan, batch_size: int = 64, description: str = "predicting"
) -> Iterator[ExamplePredictions]:
    """Predict examples of the shards, batch by batch.

    Parameters
    ----------
    model
        From one-hot ``(n, L, 4)`` to profile logits ``(n, W)`` and log counts ``(n, 1)``.
    shards
        Where the examples are.
    plan
        Which they are.
    batch_size
        Examples at a time; fewer go to the device where its memory is too small.
    description
        Of the progress bar.

    Yields
    ------
    ExamplePredictions
        Batch by batch.
    """
    predict = Predictor(model, batch_size)
    with bar(description, len(plan), "regions") as progress:
        for batch in read_batches(shards, plan, batch_size):
            yield ExamplePredictions(batch.ids, batch.profiles, *predict(batch.codes))
            progress.update(len(batch.ids))


def log_count_correction(
    model: keras.Model,
    shards: ShardSet,
    plan: ExamplePlan,
    batch_size: int = 64,
    description: str = "scaling the bias model",
) -> float:
    """Compute what scales a bias model to a data set: mean(ln(1 + counts) − predicted log count).

    Parameters
    ----------
    model
        The bias model.
    shards
        Where the examples are.
    plan
        Which they are, usually nonpeaks.
    batch_size
        Examples at a time.
    description
        Of the progress bar.

    Returns
    -------
    float
        To be added to the predicted log counts.
    """
    total = sum(
        float(np.sum(np.log1p(part.observed.sum(axis=1, dtype=np.float64)) - part.log_counts))
        for part in predict_examples(model, shards, plan, batch_size, description)
    )
    return total / len(plan)
