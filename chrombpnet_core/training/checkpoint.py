"""Checkpoints of a training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chrombpnet_core._types import AnyArray
from chrombpnet_core.formats import written_whole

__all__ = ["Checkpoint"]


class Checkpoint:
    """The state of one training in a file: weights, optimizer, epoch, step, best weights, losses; written atomically.

    Parameters
    ----------
    path
        An ``.npz`` file; no pickled object is ever read from it.
    saved
        Called after each save, for instance to copy the file to an object store.
    """

    def __init__(self, path: str | os.PathLike[str], saved: Callable[[], None] = lambda: None) -> None:
        self.path, self._saved = Path(path), saved

    def save(self, state: dict[str, AnyArray]) -> None:
        """Replace the file; where that fails, the one before stays."""
        with written_whole(self.path) as partial:
            arrays: dict[str, Any] = state
            np.savez(partial, **arrays)
        self._saved()

    def load(self) -> dict[str, AnyArray] | None:
        """Read what was saved last; None where nothing was."""
        if not self.path.exists():
            return None
        with np.load(self.path, allow_pickle=False) as file:
            return dict(file)
