"""Batched prediction with any two-headed model."""

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
    """Predict the examples of ``plan``, batch by batch."""
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
    """mean(ln(1 + counts) − predicted log count) over the regions of ``plan``: what scales a bias model to a data set."""
    total = sum(
        float(np.sum(np.log1p(part.observed.sum(axis=1, dtype=np.float64)) - part.log_counts))
        for part in predict_examples(model, shards, plan, batch_size, description)
    )
    return total / len(plan)
