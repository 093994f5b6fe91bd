"""SIGTERM and Ctrl-C: a training writes its checkpoint first; anything else loses nothing by ending at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

__all__ = ["GRACE", "Interruption", "interruption"]

GRACE = 25.0
"""Seconds that trainings get for their checkpoints: schedulers kill 30 seconds after SIGTERM."""


class Interruption:
    """Whether this process was asked to stop, and which of its threads train."""

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._changed = threading.Condition()
        self._training: list[threading.Thread] = []

    @contextlib.contextmanager
    def training(self) -> Iterator[Callable[[], bool]]:
        """Around a training: yields what tells whether it should write a checkpoint and stop."""
        thread = threading.current_thread()
        with self._changed:
            self._training.append(thread)
        try:
            yield self._requested.is_set
        finally:
            with self._changed:
                self._training.remove(thread)
                self._changed.notify_all()

    def request(self, seconds: float = GRACE) -> bool:
        """Ask trainings to stop, wait until they have, and tell whether; where this thread itself trains, do not wait."""
        self._requested.set()
        if self.trains_here():
            return False
        with self._changed:
            return self._changed.wait_for(lambda: not self._training, seconds)

    def trains_here(self) -> bool:
        """Whether the calling thread trains."""
        return threading.current_thread() in self._training

    @property
    def requested(self) -> bool:
        """Whether :meth:`request` was called."""
        return self._requested.is_set()


interruption = Interruption()
"""That of this process."""
