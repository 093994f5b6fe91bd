"""What must be set before Prefect and Keras are imported, and where log lines go."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import sys
from collections.abc import Iterator

import psutil
from tqdm import tqdm

__all__ = ["end_orphans", "interruptible", "prepare", "show_log"]

_DEFAULTS = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    "ABSL_MIN_LOG_LEVEL": "3",
}
"""No telemetry, no start-up time-out on a slow disk, none of the server's own log lines between ours."""

_OWNER = "CHROMBPNET_OWNER"
"""Environment variable that tells a server which command it belongs to: process@host."""


def prepare(backend: str | None = None, device: str = "auto") -> None:
    """Set the process's environment; what the user has set stands."""
    from chrombpnet_core.devices import configure

    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ[_OWNER] = f"{os.getpid()}@{platform.node()}"
    configure(backend, device)


def end_orphans() -> None:
    """End in-process servers whose command was killed outright: they outlive it, and nobody would ever stop them."""
    for process in psutil.process_iter(["cmdline"]):
        if not any("prefect.server" in word for word in process.info["cmdline"] or ()):
            continue
        with contextlib.suppress(psutil.Error):
            pid, _, host = process.environ().get(_OWNER, "").partition("@")
            parent = process.parent()
            if host == platform.node() and (parent is None or str(parent.pid) != pid):
                process.terminate()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once.

    A training runs in a thread, which Python would wait for; since a step that is killed never happened, and a training
    has its checkpoint, nothing is lost by not waiting.
    """
    def stop(*_: object) -> None:
        print("\nchrombpnet: interrupted; the same command goes on where this one stopped", file=sys.stderr, flush=True)
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                child.terminate()
        os._exit(130)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _AroundBars(logging.StreamHandler):
    """Log lines that do not tear progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def show_log() -> None:
    """Send our own log lines to standard error, with time and, from warnings up, level."""
    handler = _AroundBars()
    handler.setFormatter(_Formatter())
    for name in ("chrombpnet_core", "tasks", "flows"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers = [handler]
        logger.propagate = False


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return f"{self.formatTime(record, '%H:%M:%S')}  {level}{record.getMessage()}"
