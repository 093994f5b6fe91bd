"""What the peers share, by numpy alone: all regions in memory, augmented once an epoch; the clock of a timed run."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

BATCH = 64


class Clock:
    """Counts examples of whole steps after a few that warm up, until its seconds have passed."""

    WARM = 3

    def __init__(self, seconds: float) -> None:
        self._seconds, self._steps = seconds, 0
        self._begun = self._ended = 0.0

    def step(self) -> bool:
        """A step has ended; whether time is up. At least one is counted."""
        self._steps, self._ended = self._steps + 1, time.perf_counter()
        if self._steps <= self.WARM:
            self._begun = self._ended
        return self._steps > self.WARM and self.seconds >= self._seconds

    @property
    def seconds(self) -> float:
        """That the counted steps took."""
        return self._ended - self._begun

    @property
    def steps(self) -> int:
        """Counted so far."""
        return max(0, self._steps - self.WARM)

    @property
    def warm(self) -> bool:
        """Whether steps that end from now on are counted."""
        return self._steps >= self.WARM

    @property
    def rate(self) -> float:
        """Examples a second."""
        return self.steps * BATCH / self.seconds


class Regions:
    """Every region at L + 2·jitter, one-hot bytes, and its counts.

    Parameters
    ----------
    path
        What ``train_ours.py data`` exported: base codes, counts, and the widths of an example.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self._one_hot = (file["codes"][..., None] == np.arange(4)).astype(np.uint8)
            self._counts = file["counts"]
            self._lengths = tuple(int(length) for length in file["lengths"])
            self.weight = float(file["weight"])
        self._rng = np.random.default_rng(1)

    def __len__(self) -> int:
        return len(self._counts)

    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """The first batch, not augmented: one-hot ``(n, L, 4)``, counts ``(n, W)``."""
        middle = np.full(BATCH, (self._counts.shape[1] - self._lengths[1]) // 2)
        return tuple(
            _cropped(values[:BATCH], middle, length)
            for values, length in zip((self._one_hot, self._counts), self._lengths, strict=True)
        )

    def epoch(self) -> tuple[np.ndarray, np.ndarray]:
        """Fresh crops of all regions, one half reverse-complemented, shuffled; shapes as in :meth:`centred`."""
        number, rng = len(self), self._rng
        offsets = rng.integers(0, self._counts.shape[1] - self._lengths[1], number, endpoint=True)
        one_hot, counts = (
            _cropped(values, offsets, length)
            for values, length in zip((self._one_hot, self._counts), self._lengths, strict=True)
        )
        flipped = rng.choice(number, number // 2, replace=False)
        one_hot[flipped], counts[flipped] = one_hot[flipped, ::-1, ::-1], counts[flipped, ::-1]
        order = rng.permutation(number)
        return one_hot[order], counts[order]


def _cropped(values: np.ndarray, offsets: np.ndarray, length: int) -> np.ndarray:
    return values[np.arange(len(values))[:, None], offsets[:, None] + np.arange(length)]


def weights(path: Path) -> tuple[dict[str, list[np.ndarray]], float]:
    """Kernel and bias of every layer of ``main`` and ``bias``, first to last, and the loss that ours has with them."""
    with np.load(path) as file:
        arrays = {
            name: [file[f"{name}/{i}"] for i in range(sum(key.startswith(name + "/") for key in file.files))]
            for name in ("main", "bias")
        }
        return arrays, float(file["loss"])
