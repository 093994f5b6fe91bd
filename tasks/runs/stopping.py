"""SIGTERM and Ctrl-C: trainings write their checkpoints first; anything else loses nothing by ending at once."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["GRACE", "Interruption", "interruption"]

GRACE = 7.0
"""Seconds that trainings get for their checkpoints: everything has ended ten seconds after the signal."""


class Interruption:
    """Whether this process was asked to stop, what must be done before it does, and what it leaves for the next."""

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._changed = threading.Condition()
        self._training = 0
        self._before: list[Callable[[int], None]] = []
        self._begun = self._kept = False
        self._checkpoints: list[Path] = []

    @contextlib.contextmanager
    def training(self) -> Iterator[Callable[[], bool]]:
        """Around a training: yields what tells whether it should write a checkpoint and stop."""
        with self._changed:
            self._training += 1
        try:
            yield self._requested.is_set
        finally:
            with self._changed:
                self._training -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def calling(self, stop: Callable[[int], None]) -> Iterator[None]:
        """Within it a request calls ``stop`` with the signal's number: such as to pass it on to other processes."""
        self._before.append(stop)
        try:
            yield
        finally:
            self._before.remove(stop)

    def request(self, number: int = signal.SIGTERM, seconds: float = GRACE) -> bool:
        """Ask trainings to stop, pass the signal on, wait until they have stopped, and tell whether they have."""
        self._requested.set()
        deadline = time.monotonic() + seconds
        for stop in list(self._before):
            stop(number)
        with self._changed:
            while self._training and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.2))  # a second signal that another thread is given wakes this one no sooner
            return not self._training

    @property
    def requested(self) -> bool:
        """Whether :meth:`request` was called."""
        return self._requested.is_set()

    @property
    def takes_time(self) -> bool:
        """Whether a request would have something to wait for."""
        return bool(self._training or self._before)

    def note_begun(self, checkpoint: Path) -> None:
        """Note that a step has begun which keeps unfinished work in ``checkpoint``."""
        self._begun = True
        self._checkpoints.append(checkpoint)

    def note_finished(self, store: str) -> None:
        """Note that a step's outputs are in ``store``, found or made."""
        self._begun = True
        self._kept |= not store.startswith("memory:")

    def outlook(self) -> str:
        """Say what the same command will do: go on, or begin anew; nothing where no step has begun."""
        if not self._begun:
            return ""
        if self._kept or any(any(folder.glob("[!.]*")) for folder in self._checkpoints):
            return "; the same command goes on where this one stopped"
        return "; no step was finished: the same command begins anew"


interruption = Interruption()
"""That of this process."""
