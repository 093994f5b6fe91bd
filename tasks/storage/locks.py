"""Locks between processes: they save double work where the file system knows them, and nothing rests on them.

On Lustre, EFS, BeeGFS and some mounts of NFS ``flock`` is refused, or known to one machine alone. So what is done under a
lock must be right without it, too: every attempt writes to a place of its own, and the first manifest wins.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chrombpnet_core.formats import shared_mode
from tasks.storage.folders import make_folder
from tasks.storage.owners import SILENT, beating

__all__ = ["is_locked", "locked"]

log = logging.getLogger(__name__)

_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EBADF, errno.EINVAL)
"""What file systems answer that know no ``flock``; EBADF: one that wants a right to write."""

_LONGEST_PAUSE = 2.0  # seconds between two looks at a lock that somebody holds


@contextlib.contextmanager
def locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Hold the lock of a file, made where it is not there, until the block ends.

    A file that was renamed or removed while we waited is none to hold: then the one at ``path`` is taken. Nobody is waited
    for who gives no sign of life: who holds a lock touches its file once a minute.

    Parameters
    ----------
    path
        The file; its content is left alone.
    on_wait
        Called once where somebody else holds it, before waiting.

    Yields
    ------
    bool
        Whether it is held; without it another process may do the same at the same time.
    """
    make_folder(path.parent)
    waits = False
    while (descriptor := _open(path)) is not None:
        try:
            begun = time.monotonic()
            while not (held := _try(descriptor, path)) and held is not None:
                if not waits:
                    on_wait()
                    waits = True
                if time.time() - os.fstat(descriptor).st_mtime > SILENT:
                    log.warning("%s: who holds this lock gives no sign of life; going on without it", path)
                    held = None
                    break
                time.sleep(min(_LONGEST_PAUSE, 0.01 + (time.monotonic() - begun) / 10))
            if held is None:
                break
            if path.exists() and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                with beating(path, owner=False):
                    yield True
                return
        finally:
            os.close(descriptor)
    yield False


def _try(descriptor: int, path: Path) -> bool | None:
    """Take the lock; False where somebody holds it, None where the file system knows no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in _NO_LOCKS:
            _say_no_locks(str(path.parent), os.strerror(error.errno))
            return None
        raise
    return True


@functools.cache
def _say_no_locks(folder: str, why: str) -> None:
    """Tell it once a folder."""
    log.warning("%s: file locks do not work there (%s); two runs at once may do the same step twice", folder, why)


def _open(path: Path) -> int | None:
    """Open a lock file, of another user's too; None where that cannot be."""
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # NFS wants a right to write, other users may have none
        try:
            new = not path.exists()
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
        except PermissionError:
            continue
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            continue
        if new:
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, shared_mode(path))
        return descriptor
    _say_no_locks(str(path.parent), "no right to the lock's file")
    return None


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Tell whether a process holds a file's lock, as far as the file system knows.

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
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
