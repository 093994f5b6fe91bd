"""What must be set before Prefect and Keras are imported, and where log lines go."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import ParamSpec, TextIO, TypeVar

import psutil
from tqdm import tqdm

from chrombpnet_core.concurrency import set_threads
from chrombpnet_core.errors import printable

__all__ = ["end_orphans", "interruptible", "prepare", "show_log", "stoppable"]

_DEFAULTS = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    "ABSL_MIN_LOG_LEVEL": "3",
    "PYTHONSAFEPATH": "1",
}
"""No telemetry, no start-up time-out on a slow disk, none of the server's own log lines between ours; and processes that we
start import our ``tasks``, ``flows`` and ``infra``, whatever the current folder holds of these names."""

P = ParamSpec("P")
R = TypeVar("R")

_OWNER = "CHROMBPNET_OWNER"
"""Environment variable that tells a server which command it belongs to: an ``Owner`` of the storage room, as text."""


def prepare(backend: str | None = None, device: str = "auto", threads: int | None = None) -> None:
    """Set the process's environment; what the user has set stands."""
    if threads is not None:
        set_threads(threads)
    from chrombpnet_core.devices import configure

    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    from tasks.storage import Owner

    os.environ[_OWNER] = str(Owner.here())
    configure(backend, device)


def end_orphans() -> None:
    """End in-process servers whose command was killed outright: they outlive it, and nobody would ever stop them.

    Only this user's own, of commands that are known to be dead: of the same boot of the machine and the same PID namespace.
    """
    from tasks.storage import Owner

    for process in psutil.process_iter(["cmdline"]):
        if not any("prefect.server" in word for word in process.info["cmdline"] or ()):
            continue
        with contextlib.suppress(psutil.Error):
            owner = Owner.parse(process.environ().get(_OWNER, ""))
            if owner and owner.user == os.getuid() and owner.is_near and not owner.lives(0, 0):
                process.terminate()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process, a training after its checkpoint; a second Ctrl-C at once.

    Python would wait for threads; since a step that is killed never happened, nothing is lost by not waiting.
    """
    from tasks.runs import interruption

    def stop(number: int, _: object) -> None:
        again = interruption.requested
        print("\nchrombpnet: interrupted; the same command goes on where this one stopped", file=sys.stderr, flush=True)
        if not again and not interruption.request() and interruption.trains_here():
            return  # the training in this thread stops by itself
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                child.terminate()
        os._exit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stoppable(function: Callable[P, R]) -> Callable[P, R]:
    """Within a flow, SIGTERM waits for trainings' checkpoints before Prefect's own handling of it."""

    @functools.wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> R:
        from prefect.exceptions import TerminationSignal

        from tasks.runs import interruption

        try:
            return function(*args, **kwargs)
        except TerminationSignal:  # the handler stays Prefect's own: it must know a cancellation from other ends
            interruption.request()
            raise

    return body


class _AroundBars(logging.StreamHandler[TextIO]):
    """Log lines that do not tear progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def show_log(reword: Callable[[str], str] = str) -> None:
    """Send our own log lines to standard error, with time and, from warnings up, level.

    Parameters
    ----------
    reword
        Called with each message; the command line puts its flags in place of the arguments that a message names.
    """
    handler = _AroundBars()
    handler.setFormatter(_Formatter(reword))
    for name in ("chrombpnet_core", "tasks", "flows"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers = [handler]
        logger.propagate = False


class _Formatter(logging.Formatter):
    def __init__(self, reword: Callable[[str], str]) -> None:
        super().__init__()
        self._reword = reword

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return f"{self.formatTime(record, '%H:%M:%S')}  {level}{printable(self._reword(record.getMessage()))}"
