"""Faults of network and storage: which ones pass, how often to try again, and what is said when they last.

This is the only table of retries. Google's, Amazon's and Prefect's own are switched off or do not see what was tried here,
so that attempts never multiply:

====================  ===========================================================================================
One operation         :data:`ATTEMPTS` attempts, pauses from :data:`FIRST_PAUSE` doubling to :data:`LONGEST_PAUSE`
A store that refuses  given up after about 90 s of pauses, 100 s at most
A store in silence    no attempt begins later than :data:`PATIENCE`; one takes :data:`SILENCE` at most: 4 minutes
A store given up      asked once an operation for :data:`HOLD`, so that what follows fails at once; an answer ends that
A part of an upload   sent again by the client (:data:`UPLOAD_PATIENCE`, :data:`UPLOAD_ATTEMPTS`), and the upload not again
A wrong checksum      copied again, 3 copies in all
A Prefect task        3 more times for transient faults of anything but storage (:data:`TASK_RETRIES`)
====================  ===========================================================================================
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from chrombpnet_core.errors import InputError
from tasks.storage.addresses import redact, redact_text

__all__ = [
    "TASK_RETRIES",
    "Damaged",
    "Mismatch",
    "Overtaken",
    "StorageError",
    "is_transient",
    "persistently",
    "should_retry",
]

log = logging.getLogger(__name__)
R = TypeVar("R")

ATTEMPTS = 9
"""Attempts at one operation."""

FIRST_PAUSE, LONGEST_PAUSE, JITTER = 0.5, 30.0, 1.0
"""Seconds; pauses double, up to :data:`JITTER` is added to each."""

PATIENCE = 180.0
"""Seconds after which no further attempt begins."""

CONNECT, SILENCE = 10.0, 60.0
"""Seconds to connect, and between two bytes of an answer: clients' timeouts."""

UPLOAD_PATIENCE, UPLOAD_ATTEMPTS = 90.0, 10
"""Of one part of an upload in parts: seconds that Google's client goes on, attempts of Amazon's (about a minute)."""

HOLD = 60.0
"""Seconds during which a store that was given up gets one attempt an operation."""

_CLIENTS = ("aiohttp", "botocore", "google", "http", "requests", "urllib3")
"""Packages whose errors without an HTTP status are those of a connection."""

_given_up: dict[str, float] = {}
"""When which store, such as ``gs://bucket``, was given up."""


class StorageError(OSError):
    """A fault of network or storage that lasted longer than the attempts did: one line without secrets."""


class Mismatch(StorageError):
    """What arrives has, again and again, another checksum than it should."""


class Damaged(ConnectionError):
    """What arrived is not what was sent: cut short, or with another checksum."""


class Overtaken(Exception):
    """Another writer was first: what a conditional write was to replace, or to be the first of, has changed."""


def is_transient(error: BaseException) -> bool:
    """Tell whether trying again may help: after faults of network and storage; never after errors of the user's.

    Parameters
    ----------
    error
        Of any client.

    Returns
    -------
    bool
        Whether the fault may pass by itself.
    """
    if isinstance(error, InputError | FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return False
    if isinstance(error, ConnectionError | TimeoutError | StorageError):
        return True
    status = _http_status(error)
    if status is not None:
        return status in (408, 429) or status >= 500
    retryable = getattr(error, "retryable", None)  # google.auth says it of its own errors
    return retryable if isinstance(retryable, bool) else type(error).__module__.split(".")[0] in _CLIENTS


def _http_status(error: BaseException) -> int | None:
    """Find the HTTP status that an error stands for; s3fs hides it in the cause of an OSError."""
    for link in (error, error.__cause__):
        response = getattr(link, "response", None)
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
        for code in (status, getattr(link, "code", None), getattr(link, "status", None)):
            if str(code).isdigit():
                return int(str(code))
    return None


def should_retry(_task: Any, _run: Any, state: Any) -> bool:
    """Tell Prefect whether to run a task again: after transient faults, but for those that were retried here already.

    Parameters
    ----------
    _task
        The task.
    _run
        Its run.
    state
        The failed state of the task's run.

    Returns
    -------
    bool
        Whether to run it again.
    """
    return isinstance(state.data, BaseException) and _may_pass(state.data)


TASK_RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [5, 20, 60],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": should_retry,
}
"""Options of every Prefect task that may meet a fault of the network."""


def persistently(address: str, call: Callable[[], R]) -> R:
    """Do one operation on a store, again and with growing pauses after faults that may pass.

    Parameters
    ----------
    address
        Of the object; messages name it, without secrets.
    call
        The operation.

    Returns
    -------
    Any
        What ``call`` returns.

    Raises
    ------
    StorageError
        Where the fault does not pass; other errors come through as they are.
    """
    store = _store_of(address)
    most = 1 if time.monotonic() - _given_up.get(store, -HOLD) < HOLD else ATTEMPTS
    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(most) | stop_before_delay(PATIENCE),
        reraise=True,
        wait=wait_exponential_jitter(FIRST_PAUSE, LONGEST_PAUSE, jitter=JITTER),
        before_sleep=lambda state: _warn(address, state),
    )
    try:
        value = retrying(call)
    except Exception as error:
        if not _may_pass(error):
            raise
        attempts = int(retrying.statistics["attempt_number"])
        if most > 1:
            _given_up[store] = time.monotonic()
        # Not chained: a client's own words may hold the signature of an address.
        raise StorageError(f"{redact(address)}: {_in_words(error)}; tried {attempts} times") from None
    _given_up.pop(store, None)
    return value


def _store_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _may_pass(error: BaseException) -> bool:
    return is_transient(error) and not isinstance(error, StorageError)  # that one has been tried often enough


def _warn(address: str, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("%s: %s; trying again in %.1f s", redact(address), _in_words(error), state.upcoming_sleep)


def _in_words(error: BaseException | None) -> str:
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__} {redact_text(first)[:200]}".strip()
