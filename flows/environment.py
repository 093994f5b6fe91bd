"""What must be set before Prefect and Keras are imported, and where log lines go."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, ParamSpec, TextIO, TypeVar
from urllib.parse import urlsplit

import psutil
from tqdm import tqdm

from chrombpnet_core.concurrency import private_folder, set_threads
from chrombpnet_core.errors import InputError, printable

__all__ = ["PARENT", "SERVER", "configured_server", "end_orphans", "prepare", "run_stoppably", "show_log", "stoppable"]

log = logging.getLogger(__name__)

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

_IN_HOME = {
    "CHROMBPNET_CACHE": ".cache/chrombpnet",
    "NUMBA_CACHE_DIR": ".cache/numba",
    "MPLCONFIGDIR": ".config/matplotlib",
    "KERAS_HOME": ".keras",
    "PREFECT_HOME": ".prefect",
    "XDG_CACHE_HOME": ".cache",
}
"""Environment variable → the folder below the home folder that it stands for."""

SERVER = "CHROMBPNET_PREFECT_API_URL"
"""Environment variable: the Prefect server that runs on this machine use, in place of one of their own."""

PARENT = "CHROMBPNET_PARENT"
"""Environment variable of a fold's process: the process that started it."""

_configured: dict[str, str] = {}
"""What the user had set before :func:`prepare`."""

P = ParamSpec("P")
R = TypeVar("R")

_OWNER = "CHROMBPNET_OWNER"
"""Environment variable that tells a server which command it belongs to: an ``Owner`` of the storage room, as text."""


def prepare(backend: str | None = None, device: str = "auto", threads: int | None = None) -> None:
    """Set the process's environment; what the user has set stands."""
    if threads is not None:
        set_threads(threads)
    from chrombpnet_core.devices import configure
    from chrombpnet_core.plots import configured_logo_colours

    configured_logo_colours()  # refused before anything runs
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    from tasks.storage import Owner

    os.environ[_OWNER] = str(Owner.here())
    _use_writable_folders()
    _choose_server()
    configure(backend, device)


def _use_writable_folders() -> None:
    """Name another folder for what libraries and we keep in the home folder, where that takes nothing or there is none."""
    home = os.path.expanduser("~")
    places = {name: os.path.join(home, place) for name, place in _IN_HOME.items() if not os.environ.get(name)}
    missing = [name for name, place in places.items() if not _can_write(place)]
    if not missing:
        return
    try:
        folder = private_folder()
    except OSError as error:
        raise InputError(f"no temporary file can be written: {error}", remedy="set TMPDIR to a folder with space") from None
    if not os.path.isdir(home):
        os.environ["HOME"] = str(folder)
    for name in missing:
        os.environ[name] = str(folder / _IN_HOME[name])
        os.makedirs(os.environ[name], exist_ok=True)
    if "CHROMBPNET_CACHE" in missing:
        log.warning(
            "the home folder %s cannot be written: caches, and finished steps where no `store` is given, are kept in %s; "
            "CHROMBPNET_CACHE names another place",
            home,
            os.environ["CHROMBPNET_CACHE"],
        )


def _can_write(folder: str) -> bool:
    """Whether files could be made in a folder, which need not be there."""
    while not os.path.lexists(folder) and os.path.dirname(folder) not in ("", folder):
        folder = os.path.dirname(folder)
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def _choose_server() -> None:
    """Have runs use a Prefect server of their own, whatever server the user has configured for other work."""
    from tasks.storage import redact

    asked = os.environ.get(SERVER)
    if os.environ.get(PARENT):  # a fold uses that of its run
        return
    if asked and not _answers(asked):
        log.warning("%s: no Prefect server answers; the run uses one of its own (%s)", redact(asked), SERVER)
        asked = None
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE"):
        if name in os.environ:
            _configured[name] = os.environ.pop(name)
    os.environ["PREFECT_PROFILE"] = "ephemeral"
    home = os.environ.get("PREFECT_HOME") or os.path.expanduser("~/.prefect")
    with contextlib.suppress(OSError):
        os.makedirs(home, exist_ok=True)
        os.environ.setdefault("SQLITE_TMPDIR", home)  # the server's tables need more space than some TMPDIR has
    if asked:
        os.environ["PREFECT_API_URL"] = asked


def _answers(url: str) -> bool:
    try:
        with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 443), 5):
            return True
    except (OSError, ValueError):
        return False


def configured_server() -> str | None:
    """Return the address of the Prefect server that the user's settings name, which only commands that ask for it use.

    Returns
    -------
    str or None
        That of ``$PREFECT_API_URL`` or of Prefect's active profile.
    """
    from prefect.settings import PREFECT_API_URL, load_profiles

    profiles = load_profiles()
    name = _configured.get("PREFECT_PROFILE") or profiles.active_name
    profile = profiles[name].settings if name in profiles.names else {}
    url = _configured.get("PREFECT_API_URL") or profile.get(PREFECT_API_URL) or PREFECT_API_URL.value()
    return str(url) if url else None


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


def run_stoppably(work: Callable[[], R]) -> R:
    """Do a command's work in a thread of its own, while this one takes SIGTERM, SIGHUP and Ctrl-C.

    A compiled loop, or a thread that Prefect joins, would else keep a signal waiting. Trainings write
    their checkpoints first; a second signal ends the process at once. Since a step that is killed never happened, nothing
    is lost by not waiting for it.

    Parameters
    ----------
    work
        The command.

    Returns
    -------
    object
        What it returns; its errors are raised here.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: Future[R] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # SystemExit, too
            outcome.set_exception(error)

    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        numbers.append(signal.SIGHUP)
    _signalled.clear()
    with contextlib.suppress(OSError):  # there is none
        _standard_error.append(os.dup(2))
    before = {number: signal.signal(number, _stop) for number in numbers}
    try:
        threading.Thread(target=contextvars.copy_context().run, args=(do,), daemon=True, name="command").start()
        while not wait([outcome], 0.2).done:  # a signal that another thread was given wakes this one no sooner
            pass
        return outcome.result()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        while _standard_error:
            os.close(_standard_error.pop())


def _stop(number: int, _: object) -> None:
    """End this process, after its trainings' checkpoints: within ten seconds, and at once where it is told again."""
    again = _signalled.is_set()
    _signalled.set()  # before anything is said: the next signal may come upon these words
    from tasks.runs import GRACE, interruption

    if not (again or interruption.requested):
        _end_after(GRACE + 1.5, number)
        if interruption.takes_time:
            _say("stopping: checkpoints are written; another signal ends it at once")
        interruption.request(number)
        _say(f"interrupted{interruption.outlook()}")
    _end(number)


_signalled = threading.Event()
"""Whether a signal has come."""

_standard_error: list[int] = []
"""A copy of its descriptor while a command runs: the descriptor itself leads nowhere while Keras is imported quietly."""


def _say(words: str) -> None:
    with contextlib.suppress(OSError):  # the terminal is gone
        os.write((*_standard_error, 2)[0], f"\nchrombpnet: {words}\n".encode())


def _end(number: int) -> None:
    """End this process and all that it has started, as the signal would."""
    for _ in range(2):  # what is started meanwhile is seen the second time
        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.terminate()
        for child in psutil.wait_procs(children, 0.7)[1]:
            with contextlib.suppress(psutil.Error):
                child.kill()
    os._exit(128 + number)


def _end_after(seconds: float, number: int) -> None:
    timer = threading.Timer(seconds, _end, (number,))
    timer.daemon = True
    timer.start()


def stoppable(function: Callable[P, R]) -> Callable[P, R]:
    """Make a flow that ends soon after SIGTERM where Prefect runs it: trainings write their checkpoints first.

    Prefect turns the signal into an exception and tells its server, but would wait for threads that compute.
    """

    @functools.wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> R:
        from prefect.context import FlowRunContext
        from prefect.exceptions import TerminationSignal

        from tasks.runs import interruption

        try:
            return function(*args, **kwargs)
        except TerminationSignal:  # the handler stays Prefect's own: it must know a cancellation from other ends
            interruption.request()
            context = FlowRunContext.get()
            runner: Any = context.task_runner if context else None
            if getattr(runner, "_executor", None) is not None:
                runner._executor.shutdown(wait=False, cancel_futures=True)
                runner._executor = None  # which Prefect would wait for
            _end_after(2, signal.SIGTERM)  # once Prefect has told its server
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
