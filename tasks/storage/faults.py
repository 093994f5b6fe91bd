"""Faults of network and storage: which pass, how often to try again, and what is left to say when they last."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from chrombpnet_core.errors import InputError
from tasks.storage.addresses import redact, redact_text

__all__ = ["Damaged", "Mismatch", "Overtaken", "StorageError", "is_transient", "persistently"]

log = logging.getLogger(__name__)
R = TypeVar("R")

ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE, JITTER = 6, 0.5, 20.0, 1.0
"""Pauses (seconds) double from the first on, with some jitter: about 18 s in all before giving up."""

_CLIENTS = ("aiohttp", "botocore", "google", "http", "requests", "urllib3")
"""Packages whose errors without an HTTP status are those of a connection."""


class StorageError(OSError):
    """A fault of network or storage that lasted longer than the attempts did: one line without secrets."""


class Mismatch(StorageError):
    """What arrives has, again and again, another checksum than it should."""


class Damaged(ConnectionError):
    """What arrived is not what was sent: cut short, or with another checksum."""


class Overtaken(Exception):
    """Another writer was first: what a conditional write was to replace, or to be the first of, has changed."""


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: faults of network and storage; never what the user gave."""
    if isinstance(error, InputError | FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return False
    if isinstance(error, ConnectionError | TimeoutError | StorageError):
        return True
    status = _status(error)
    if status is not None:
        return status in (408, 429) or status >= 500
    told = getattr(error, "retryable", None)  # google.auth says it of its own errors
    return told if isinstance(told, bool) else type(error).__module__.split(".")[0] in _CLIENTS


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error stands for; s3fs hides it in the cause of an OSError."""
    for each in (error, error.__cause__):
        answer = getattr(each, "response", None)
        told = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
        for code in (told, getattr(each, "code", None), getattr(each, "status", None)):
            if str(code).isdigit():
                return int(str(code))
    return None


def persistently(address: str, call: Callable[[], R]) -> R:
    """What ``call`` returns, tried again with growing pauses after faults that pass.

    Raises
    ------
    StorageError
        Where they do not; other errors come through as they are.
    """

    def tell(state: RetryCallState) -> None:
        log.warning(
            "%s: %s; trying again in %.1f s", redact(address), _words(state.outcome.exception()), state.next_action.sleep
        )

    attempts = Retrying(
        retry=retry_if_exception(_passes),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
        wait=wait_exponential_jitter(FIRST_PAUSE, LONGEST_PAUSE, jitter=JITTER),
        before_sleep=tell,
    )
    try:
        return attempts(call)
    except Exception as error:
        if not _passes(error):
            raise
        # Not chained: a client's own words may hold the signature of an address.
        raise StorageError(f"{redact(address)}: {_words(error)}; tried {ATTEMPTS} times") from None


def _passes(error: BaseException) -> bool:
    return is_transient(error) and not isinstance(error, StorageError)  # that one has been tried often enough


def _words(error: BaseException | None) -> str:
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__} {redact_text(first)[:200]}".strip()
