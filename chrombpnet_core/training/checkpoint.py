"""Checkpoints of a training."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from chrombpnet_core._types import AnyArray
from chrombpnet_core.formats import load_sealed, save_sealed

__all__ = ["Checkpoint"]

log = logging.getLogger(__name__)


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
        save_sealed(self.path, state)
        self._saved()

    def load(self) -> dict[str, AnyArray] | None:
        """Read what was saved last; None where nothing was, or where the file is damaged, which the log tells."""
        try:
            return load_sealed(self.path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            log.warning("damaged checkpoint, not used, the training begins anew: %s", error)
            return None
