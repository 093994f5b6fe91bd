"""What happened in a training: losses of every epoch and step, and the files that hold them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.training.step import LOSSES

__all__ = ["History"]


_COLUMNS = ("epoch", "batch", "examples", *LOSSES)


@dataclass
class History:
    """What happened: a row of losses an epoch and a row a batch; ``best`` is the epoch of the kept weights."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    _numbers: array[float] = field(default_factory=lambda: array("d"))

    @property
    def batches(self) -> AnyArray:
        """Epoch, step, examples and the three losses of every step, float64 ``(steps, 6)``."""
        return np.array(self._numbers, dtype=np.float64).reshape(-1, len(_COLUMNS))

    def add(self, epoch: int, step: int, examples: int, losses: AnyArray) -> None:
        """Append a step."""
        self._numbers.extend([epoch, step, examples, *map(float, losses)])

    @property
    def last_loss(self) -> float:
        """Loss of the last step; not a number before the first."""
        return self._numbers[-len(LOSSES)] if self._numbers else float("nan")

    @property
    def best_loss(self) -> float:
        """Validation loss of the best epoch; infinite before the first."""
        return self.epochs[self.best]["val_loss"] if self.best >= 0 else float("inf")

    def write(self, folder: Path, prefix: str) -> None:
        """Write ``PREFIX.log`` and ``PREFIX.log.batch`` as CSV, and the epochs' losses for TensorBoard."""
        import pandas as pd

        pd.DataFrame(self.epochs).to_csv(folder / f"{prefix}.log", index=False)
        pd.DataFrame(self.batches, columns=list(_COLUMNS)).astype({"epoch": int, "batch": int, "examples": int}).to_csv(
            folder / f"{prefix}.log.batch", index=False
        )
        self.write_events(folder / f"events.out.tfevents.{prefix}")

    def write_events(self, path: Path) -> None:
        """Write the epochs' losses as TensorBoard scalars, the whole file anew."""
        from chrombpnet_core.formats import write_scalars

        write_scalars(path, [{name: value for name, value in row.items() if name != "epoch"} for row in self.epochs])


def _means(rows: AnyArray) -> dict[str, float]:
    """Losses averaged over examples: rows are ``[examples, *losses]``."""
    means = np.average(rows[:, 1:], axis=0, weights=rows[:, 0])
    return dict(zip(LOSSES, map(float, means), strict=True))
