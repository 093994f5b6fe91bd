"""Who works at something in a store, and whether that process still lives.

A process number says little: two containers of one host name, and two nodes of a cluster, each have a process 7. A process
is known by host, boot of the machine, PID namespace, number, start time and user. Those of the same boot and namespace know
exactly whether one lives; all others go by the sign of life that it gives: a file that it touches once a minute.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from tasks.storage.folders import write_whole

__all__ = ["BEAT", "DEAD", "SILENT", "Owner", "beating", "is_owned"]

BEAT = 60.0
"""Seconds between two signs of life."""

SILENT = 15 * BEAT
"""Seconds without one after which nobody waits for a process any longer."""

DEAD = 86400.0
"""Seconds without one after which what a process left may be deleted."""


class Owner(NamedTuple):
    """A process, told apart from all others."""

    host: str
    boot: str
    namespace: str
    pid: int
    start: float
    user: int

    @classmethod
    def here(cls) -> Owner:
        """Describe this process."""
        return cls(*_machine(), os.getpid(), _start_of("self") or 0.0, os.getuid())

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Read what ``str`` of an owner gave; None where it is no such thing."""
        host, *words = text.strip().rsplit(" ", 5)
        with contextlib.suppress(ValueError, TypeError):
            boot, namespace, pid, start, user = words
            return cls(host, boot, namespace, int(pid), float(start), int(user))
        return None

    def __str__(self) -> str:
        """One line, of which :meth:`parse` makes the owner again."""
        return f"{self.host} {self.boot} {self.namespace} {self.pid} {self.start} {self.user}"

    @property
    def is_near(self) -> bool:
        """Whether its process number means the same process here: same boot of the machine, same PID namespace."""
        return (self.host, self.boot, self.namespace) == _machine()

    def lives(self, silence: float, limit: float) -> bool:
        """Tell whether the process lives: exactly where it is near, else by its last sign of life.

        Parameters
        ----------
        silence
            Seconds since that sign.
        limit
            Seconds after which it counts as dead.

        Returns
        -------
        bool
            Whether it lives, as far as can be told.
        """
        if not self.is_near:
            return silence < limit
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's
            pass
        start = _start_of(str(self.pid))
        return start is None or start == self.start


def _start_of(process: str) -> float | None:
    """Ask when a process began, in ticks since the boot; -1 of one that has ended, None where that is not told."""
    try:
        if int(_words("self")[0]) != os.getpid():  # the /proc of another PID namespace
            return None if process != "self" else float(_words("self")[-1])
        _, state, start = _words(process)
    except OSError:
        return None
    return -1.0 if state == "Z" else float(start)


def _words(process: str) -> tuple[str, str, str]:
    """Read number, state and start of a process; its name, between, may hold anything."""
    begin, _, rest = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")
    words = rest.split()
    return begin.split()[0], words[0], words[19]


@functools.cache
def _machine() -> tuple[str, str, str]:
    """Host name, what changes with each boot, and the PID namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:  # not Linux: no namespaces
        boot, namespace = str(round(psutil.boot_time())), "-"
    return platform.node(), boot, namespace


@contextlib.contextmanager
def beating(path: Path, owner: bool = True) -> Iterator[None]:
    """Touch a file once a minute within the block, so that others see that its owner lives.

    Parameters
    ----------
    path
        The file.
    owner
        Whether this process's description is written into it first.
    """
    if owner:
        write_whole(path, f"{Owner.here()}\n".encode())
    _beat(path)
    mine = object()
    with _changing:
        _beaten[mine] = path
        if not any(thread.name == _HEART for thread in threading.enumerate()):
            threading.Thread(target=_beat_all, daemon=True, name=_HEART).start()
    _begun.set()
    try:
        yield
    finally:
        with _changing:
            del _beaten[mine]


_HEART = "heartbeat"
_beaten: dict[object, Path] = {}
_changing = threading.Lock()
_begun = threading.Event()  # something is to be touched that was not before


def _beat_all() -> None:
    """Touch the files of all that goes on in this process."""
    while True:
        _begun.wait(BEAT)
        _begun.clear()
        with _changing:
            paths = list(_beaten.values())
        for path in paths:
            _beat(path)


def _beat(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone, or somebody else's
        os.utime(path)


def is_owned(path: Path, limit: float) -> bool:
    """Tell whether the process that a file names lives.

    Parameters
    ----------
    path
        A file of :func:`beating`, or where there is none yet its folder.
    limit
        Seconds without a sign of life after which a process that is not near counts as dead.

    Returns
    -------
    bool
        Whether it lives, as far as can be told.
    """
    try:
        silence = time.time() - path.stat().st_mtime
        owner = Owner.parse(path.read_text(errors="replace"))
    except FileNotFoundError:
        try:
            return time.time() - path.parent.stat().st_mtime < limit
        except FileNotFoundError:
            return False
    except OSError:
        return True
    return owner.lives(silence, limit) if owner else silence < limit
