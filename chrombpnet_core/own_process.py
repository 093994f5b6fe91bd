"""Work in a Python process of its own: for libraries that fork, or whose threads must not be entered twice at a time."""

from __future__ import annotations

import logging
import multiprocessing
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from chrombpnet_core.errors import InputError

__all__ = ["in_own_process"]

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
        raise InputError(f"{what} was ended from outside (exit code {process.exitcode})",
                         remedy="was memory short? give fewer seqlets (-n) or regions") from None
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
