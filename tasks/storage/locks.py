"""Locks between processes of one machine: a file that is held while something is done, whoever dies meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["is_locked", "locked"]


@contextlib.contextmanager
def locked(path: Path, shared: bool = False, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file, made where it is not there, until the block ends.

    A file that was renamed or removed while we waited is none to hold: then the one at ``path`` is taken.

    Parameters
    ----------
    path
        The file; its content is left alone.
    shared
        Whether others may hold it shared, too.
    on_wait
        Called once where somebody else holds it, before waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        with open(path, "ab") as file:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, kind)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                yield
                return


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Tell whether a process of this machine holds a file's lock, shared or not.

    Parameters
    ----------
    path
        The file; one that is not there is held by nobody.

    Returns
    -------
    bool
        Whether it is held.
    """
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
