"""Threads and processes: how many threads may be used, work done ahead in threads, and work in a process of its own.

And where the processes of a user without a home folder keep things.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import queue
import signal
import stat
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from chrombpnet_core.errors import InputError

__all__ = [
    "cores",
    "in_order",
    "in_own_process",
    "prefetch",
    "private_folder",
    "serve_parent",
    "set_threads",
    "usable_threads",
]

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_OURS = "CHROMBPNET_THREADS"
_LIBRARIES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # XLA on the CPU, which JAX computes with: no flag of XLA_FLAGS sets the size of its pool
    "PJRT_NPROC",
)
_PROGRESS_SECONDS = 60
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h
_LINE, _OUTCOME, _ERROR = range(3)  # what comes through the pipe


def cores() -> int:
    """Count the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_threads(threads: int | None = None) -> int:
    """Decide how many threads a pool takes.

    Parameters
    ----------
    threads
        A number that the caller asks for.

    Returns
    -------
    int
        That number; else the one given to :func:`set_threads` in this process or in one that started it; else one per
        core. At least 1.
    """
    return max(1, threads if threads is not None else int(os.environ.get(_OURS) or cores()))


def set_threads(threads: int) -> None:
    """Limit the threads that this process, and every process it starts, computes with.

    It limits our own pools (:func:`usable_threads`), numba, BLAS and OpenMP, TensorFlow's pools within and between
    operations, and the pool of XLA on the CPU, which JAX computes with. Call it first: ``set_threads(4)``, then import
    NumPy and Keras. Called later it still holds for our own pools, for this thread's use of numba, for TensorFlow and JAX
    until they compute for the first time, and for every process started from then on; BLAS keeps the number it was
    imported with.

    Parameters
    ----------
    threads
        1 or more.

    Raises
    ------
    InputError
        Where the number is below 1.
    """
    if threads < 1:
        raise InputError(f"`threads` is {threads}", expected="1 or more")
    before = os.environ.get("NUMBA_NUM_THREADS")
    os.environ.update(dict.fromkeys((_OURS, *_LIBRARIES), str(threads)))
    if "numba" in sys.modules:
        _limit_numba(threads, before)
    if "tensorflow" in sys.modules:
        _limit_tensorflow(threads)


def _limit_numba(threads: int, before: str | None) -> None:
    """Limit numba where it is imported; once its threads run, only this thread's use of them can be limited."""
    import numba

    try:
        numba.config.reload_config()  # type: ignore[no-untyped-call]  # numba brings no types for it
    except RuntimeError:
        os.environ.pop("NUMBA_NUM_THREADS")
        if before is not None:
            os.environ["NUMBA_NUM_THREADS"] = before
    with contextlib.suppress(ValueError):  # more threads than it has
        numba.set_num_threads(threads)


def _limit_tensorflow(threads: int) -> None:
    """Limit TensorFlow where it is imported; once it has computed, its pools stay."""
    from tensorflow.config import threading as pools

    try:
        pools.set_intra_op_parallelism_threads(threads)
        pools.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        log.warning("TensorFlow has computed already and keeps its threads; limit them before")


def in_order(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Apply a function to items in threads, ahead of who takes the results.

    Parameters
    ----------
    work
        What is done with an item.
    items
        The items, taken one by one.
    threads
        That work; memory holds ``threads + 2`` results.

    Yields
    ------
    Results in the order of the items.
    """
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_own_process(function: Callable[..., R], *arguments: Any, what: str) -> R:
    """Call a function in a fresh Python process; its errors are raised here, and its log lines are ours.

    TF-MoDISco forks, and numba's threads must not be entered twice at a time: neither goes with a process in which a
    backend of Keras and other steps run.

    Parameters
    ----------
    function
        One of a module's own.
    *arguments
        For it; they are small, as its result is.
    what
        Its name in log lines and errors.

    Returns
    -------
    object
        What the function returns.

    Raises
    ------
    InputError
        Where the process is ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        kind, content = _outcome(ours, what)
        process.join()
    except EOFError:
        process.join()
        raise InputError(
            f"{what} was ended from outside (exit code {process.exitcode})",
            remedy="was memory short? give fewer seqlets or regions",
        ) from None
    finally:
        process.kill()
        process.join()
    if kind == _ERROR:
        raise content
    result: R = content
    return result


def _outcome(receiver: Connection, what: str) -> tuple[int, Any]:
    """Wait for the result or the error, and pass log lines on."""
    begin = time.monotonic()
    while True:
        if not receiver.poll(_PROGRESS_SECONDS):
            log.info("%s: running for %.0f min", what, (time.monotonic() - begin) / 60)
            continue
        kind, content = receiver.recv()
        if kind != _LINE:
            return kind, content
        logging.getLogger(content.name).handle(content)


class _Sender(logging.Handler):
    """Send log lines to the process that started this one."""

    def __init__(self, sender: Connection) -> None:
        super().__init__()
        self.sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line."""
        record.msg, record.args, record.exc_info = record.getMessage(), (), None
        self.sender.send((_LINE, record))


def serve_parent() -> None:
    """In a process that another one has started for its work: leave signals to that one, and end when it ends.

    A signal that reaches all processes, as Ctrl-C does, would else look like an accident to the one that waits.
    """
    _leave_signals_to_parent()
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def _leave_signals_to_parent() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _serve_thread() -> None:
    """Do as :func:`serve_parent`, for the one thread that waits; on Linux without a thread here.

    The kernel kills this process when that thread ends. TF-MoDISco computes in forks only where there is no other thread
    (half of its time on two cores), and its compiled loops would let none run.
    """
    if sys.platform == "linux":
        _leave_signals_to_parent()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        serve_parent()


def _answer(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Do the process's work: send its log lines, then the result or the error."""
    _serve_thread()
    logger = logging.getLogger("chrombpnet_core")
    logger.handlers, logger.propagate = [_Sender(sender)], False
    logger.setLevel(logging.INFO)
    try:
        sender.send((_OUTCOME, function(*arguments)))
    except (InputError, OSError) as error:
        sender.send((_ERROR, error))
    except Exception as error:
        traceback.print_exc()
        sender.send((_ERROR, RuntimeError(f"{type(error).__name__}: {error}")))


def prefetch(items: Iterable[T], depth: int = 4) -> Iterator[T]:
    """Produce items in a thread, ahead of who takes them; the producer's exceptions are raised here.

    Parameters
    ----------
    items
        What is produced.
    depth
        How many are ready at most.

    Yields
    ------
    The items in their order.
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: object, error: BaseException | None) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((item, error), timeout=0.2)
                return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    threading.Thread(target=produce, daemon=True, name="prefetch").start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()


def private_folder() -> Path:
    """Return a folder below the temporary one that this user alone may read and write, the same in every process.

    Returns
    -------
    Path
        Of the user's number; one of this process alone where somebody else has taken that name.
    """
    folder = Path(tempfile.gettempdir()) / f"chrombpnet-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()  # not through a link: machine code that is found here is executed
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            return Path(tempfile.mkdtemp(prefix="chrombpnet-"))
    return folder
