"""TODO."""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from chrombpnet_core.errors import InputError

__all__ = ["cores", "in_order", "in_own_process", "prefetch", "usable_threads"]

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_threads(threads: int | None) -> int:
    """The given number of threads, or one per core that this process may use."""
    if threads is not None:
        return max(1, threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Results of ``work`` on items, in their order, computed ahead in threads; memory holds ``threads + 2`` of them."""
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


log = logging.getLogger(__name__)


_SAY_EVERY = 60  # seconds


_LINE, _OUTCOME, _ERROR = range(3)  # what comes through the pipe


def in_own_process(function: Callable[..., Any], *arguments: Any, what: str) -> Any:
    """Call ``function`` in a fresh Python process and return what it returns; its errors are raised here.

    TF-MoDISco forks and numba's threads must not be entered twice at a time: neither goes with a process in which a backend
    of Keras and other steps run. ``function`` is one of a module's; its arguments and its outcome are small.

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
    begin = time.monotonic()
    try:
        while True:
            if not ours.poll(_SAY_EVERY):
                log.info("%s: at work for %.0f min", what, (time.monotonic() - begin) / 60)
                continue
            kind, content = ours.recv()
            if kind != _LINE:
                break
            logging.getLogger(content.name).handle(content)
        process.join()
    except EOFError:
        process.join()
        raise InputError(
            f"{what} was ended from outside (exit code {process.exitcode})",
            remedy="was memory short? give fewer seqlets (-n) or regions",
        ) from None
    finally:
        process.kill()
        process.join()
    if kind == _ERROR:
        raise content
    return content


class _Sender(logging.Handler):
    """Log lines go to the process that started this one."""

    def __init__(self, sender: Connection) -> None:
        super().__init__()
        self.sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), (), None
        self.sender.send((_LINE, record))


def _answer(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """The process's work: send its log lines, then the outcome or the error."""
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
    """Produce ``items`` in a thread, at most ``depth`` ahead; its exceptions are raised here."""
    ready: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()

    def put(entry: tuple) -> bool:
        while not stopped.is_set():
            try:
                ready.put(entry, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as error:
            put((None, error))

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
