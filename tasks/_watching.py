"""Who wants to know of a step while it runs: that it has begun, and how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Watcher", "watched_by", "watcher"]


@dataclass(frozen=True)
class Watcher:
    """What is called while a step runs.

    Attributes
    ----------
    place
        The step's place in its run, such as ``step 5 of 14``: it is said where the step begins.
    begun
        Called once the step's inputs are there.
    progress
        Called with the share that is done and what to say of it.
    """

    place: str = ""
    begun: Callable[[], None] = lambda: None
    progress: Callable[[float, str], None] = lambda share, words: None


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched_by(new: Watcher) -> Iterator[None]:
    """Have steps that are begun within told to a watcher; Prefect's threads inherit it."""
    token = _watcher.set(new)
    try:
        yield
    finally:
        _watcher.reset(token)


def watcher() -> Watcher:
    """Return who watches the step of this thread; one that does nothing where nobody does."""
    return _watcher.get() or Watcher()
