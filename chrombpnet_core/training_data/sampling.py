"""The examples that a step of an epoch sees: everything follows from (seed, epoch), so any step can be entered again.

Each epoch crops peaks at a fresh jitter (one offset for sequence and profile), draws fresh nonpeaks without jitter,
reverse-complements half of the examples and shuffles all of them. Validation is centred and not augmented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.concurrency import prefetch
from chrombpnet_core.genome import one_hot, reverse_complement
from chrombpnet_core.training_data.random_streams import epoch_stream

if TYPE_CHECKING:
    from chrombpnet_core.training_data.shards import ShardSet

__all__ = ["ExampleBatch", "ExamplePlan", "centred_plan", "read_batch", "read_batches", "training_plan"]


@dataclass(frozen=True)
class ExamplePlan:
    """The examples of one epoch in order.

    Attributes
    ----------
    ids
        Region ids, ``(n,)``.
    offsets
        Start of the crop within the record, ``(n,)``; the layout's jitter is the centre.
    flipped
        Whether each is reverse-complemented, bool ``(n,)``.
    """

    ids: AnyArray
    offsets: AnyArray
    flipped: AnyArray

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.ids)

    def steps(self, batch_size: int) -> int:
        """Count the batches, a smaller last one included."""
        return -(-len(self) // batch_size)

    def slice(self, step: int, batch_size: int) -> ExamplePlan:
        """Take the examples of one step."""
        at = slice(step * batch_size, (step + 1) * batch_size)
        return ExamplePlan(self.ids[at], self.offsets[at], self.flipped[at])


@dataclass(frozen=True)
class ExampleBatch:
    """Examples: base codes uint8 ``(n, L)``, profile counts float32 ``(n, W)``, region ids ``(n,)``."""

    codes: AnyArray
    profiles: AnyArray
    ids: AnyArray

    @property
    def sequences(self) -> AnyArray:
        """One-hot float32 ``(n, L, 4)``."""
        return one_hot(self.codes)

    @property
    def log_counts(self) -> AnyArray:
        """ln(1 + total of the profile), float32 ``(n, 1)``."""
        totals = self.profiles.sum(axis=1, keepdims=True, dtype=np.float64)
        return np.asarray(np.log1p(totals), dtype=np.float32)


def training_plan(
    peaks: AnyArray, nonpeaks: AnyArray, draw: int, jitter: int, record_jitter: int, seed: int, epoch: int
) -> ExamplePlan:
    """Plan one training epoch: augmented, shuffled examples.

    Parameters
    ----------
    peaks
        Region ids.
    nonpeaks
        Region ids.
    draw
        How many nonpeaks to draw afresh without replacement; all where there are fewer.
    jitter
        Largest shift of a peak in bp.
    record_jitter
        Margin that the records hold, in bp, which is at least as large.
    seed
        Of the run.
    epoch
        From 0; the plan follows from it and the seed.

    Returns
    -------
    ExamplePlan
        Peaks with jitter and the drawn nonpeaks without, half of them reverse-complemented, in random order.
    """
    rng = epoch_stream(seed, epoch)
    drawn = rng.choice(nonpeaks, draw, replace=False) if draw < len(nonpeaks) else nonpeaks
    ids = np.concatenate([peaks, drawn]).astype(np.int64)
    offsets = np.full(len(ids), record_jitter, dtype=np.int64)
    offsets[: len(peaks)] += rng.integers(-jitter, jitter, len(peaks), endpoint=True)
    flipped = np.zeros(len(ids), dtype=bool)
    flipped[rng.choice(len(ids), len(ids) // 2, replace=False)] = True
    order = rng.permutation(len(ids))
    return ExamplePlan(ids[order], offsets[order], flipped[order])


def centred_plan(ids: AnyArray, record_jitter: int) -> ExamplePlan:
    """Plan regions in the given order, centred on their summits, not augmented.

    Parameters
    ----------
    ids
        Region ids, ``(n,)``.
    record_jitter
        Margin that the records hold, in bp.

    Returns
    -------
    ExamplePlan
        For validation and prediction.
    """
    ids = np.asarray(ids, dtype=np.int64)
    return ExamplePlan(ids, np.full(len(ids), record_jitter, dtype=np.int64), np.zeros(len(ids), dtype=bool))


def read_batch(shards: ShardSet, plan: ExamplePlan) -> ExampleBatch:
    """Read, crop and flip examples.

    Parameters
    ----------
    shards
        Where they are.
    plan
        Which they are.

    Returns
    -------
    ExampleBatch
        In the plan's order.
    """
    codes, counts = shards.read(plan.ids)
    codes = _cropped(codes, plan.offsets, shards.layout.input_length)
    counts = _cropped(counts, plan.offsets, shards.layout.output_length)
    codes[plan.flipped] = reverse_complement(codes[plan.flipped])
    counts[plan.flipped] = counts[plan.flipped, ::-1]
    return ExampleBatch(codes, counts, plan.ids)


def _cropped(values: AnyArray, offsets: AnyArray, width: int) -> AnyArray:
    """Crop ``width`` values of each row from its offset on, ``(n, width)``."""
    cropped: AnyArray = np.lib.stride_tricks.sliding_window_view(values, width, axis=1)[np.arange(len(values)), offsets]
    return cropped


def read_batches(shards: ShardSet, plan: ExamplePlan, batch_size: int, first: int = 0) -> Iterator[ExampleBatch]:
    """Read the batches of a plan, ahead of who takes them, in a thread.

    Parameters
    ----------
    shards
        Where the examples are.
    plan
        Which they are.
    batch_size
        Examples a step; the last one may have fewer.
    first
        Step to begin with.

    Returns
    -------
    iterator of ExampleBatch
        Step by step.
    """
    return prefetch(read_batch(shards, plan.slice(step, batch_size)) for step in range(first, plan.steps(batch_size)))
