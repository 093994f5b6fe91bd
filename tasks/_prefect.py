"""Prefect tasks that are made when they are first submitted: what runs without a flow never imports Prefect."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from tasks.storage import TASK_RETRIES

__all__ = ["PrefectTask", "in_prefect_task", "prefect_task"]


class PrefectTask:
    """A function, and the Prefect task that is made of it when it is first submitted.

    Parameters
    ----------
    fn
        The function itself, which needs no server.
    name
        The task's name.
    retried
        Whether faults of the network are tried again.
    """

    def __init__(self, fn: Callable[..., Any], name: str, retried: bool) -> None:
        functools.update_wrapper(self, fn)
        self.fn, self.name, self._retried = fn, name, retried

    @functools.cached_property
    def _task(self) -> Any:
        from prefect import task
        from prefect.cache_policies import NO_CACHE

        retries = TASK_RETRIES if self._retried else {}
        return task(name=self.name, cache_policy=NO_CACHE, persist_result=False, **retries)(self.fn)

    def submit(self, *arguments: Any, **named: Any) -> Any:
        """Submit the task to Prefect and return its future."""
        return self._task.submit(*arguments, **named)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Run the task in this thread."""
        return self._task(*arguments, **named)


def prefect_task(title: str, retried: bool = True) -> Callable[[Callable[..., Any]], PrefectTask]:
    """Make a Prefect task of a function whose results Prefect neither keeps nor caches.

    Parameters
    ----------
    title
        The task's name.
    retried
        Whether faults of the network are tried again; those of a store are where they occur, errors of the user's never.

    Returns
    -------
    callable
        The decorator; ``task.fn`` is the function itself, which needs no server.
    """
    return lambda function: PrefectTask(function, title, retried)


def in_prefect_task() -> bool:
    """Tell whether a Prefect task runs in this thread, without importing Prefect."""
    context = getattr(sys.modules.get("prefect.context"), "TaskRunContext", None)
    return context is not None and context.get() is not None
